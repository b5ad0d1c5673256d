"""Reads the settings from flags, environment variables and files."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hera_utils.errors import SettingsError
from hera_utils.server_json import read_server_json
from hera_utils.settings.fields import BY_NAME, FIELDS
from hera_utils.settings.files import NO_DOCUMENT, Document, text_and_digest_of, text_of, toml_document
from hera_utils.settings.resolve import DEFAULT, CLIContext, GivenValue, Layer, ProjectSource, remove_passwords, resolve
from hera_utils.settings.server_credentials import drop_credentials_of_other_servers
from hera_utils.settings.table_values import table_of
from hera_utils.settings.trust import find_concerns, refuse_untrusted, refuse_writable_by_others
from hera_utils.settings.values import Place, convert

PROJECT_FILE = "hera-utils.toml"
USER_FILE = "config.toml"
CREDENTIALS_FILE = "credentials.toml"


@dataclass(frozen=True)
class Surroundings:
    """The environment, working directory and home in which the sources are searched. Tests pass their own."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directory: Path = field(default_factory=Path.cwd)
    home: Path = field(default_factory=lambda: Path(os.path.expanduser("~")))

    @property
    def user_folder(self) -> Path:
        """The folder of the user's profiles: $XDG_CONFIG_HOME/hera-utils, or the usual place of the system."""
        return _usual_folder("config", self)

    @property
    def state_folder(self) -> Path:
        """The default folder of the local platform."""
        return _usual_folder("state", self)

    def place(self, origin: str, folder: Path | None = None) -> Place:
        return Place(origin, str(folder or self.directory), str(self.home))


def _usual_folder(what: str, around: Surroundings) -> Path:
    linux = not sys.platform.startswith(("darwin", "win"))
    if linux:  # platformdirs would read the process's environment, not the given one, so its rule is repeated here
        variable, usual = ("XDG_CONFIG_HOME", ".config") if what == "config" else ("XDG_STATE_HOME", ".local/state")
        return Path(around.environ.get(variable) or around.home / usual) / "hera-utils"
    import platformdirs

    return (
        platformdirs.user_config_path("hera-utils") if what == "config" else platformdirs.user_state_path("hera-utils")
    )


def read_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    program: Mapping[str, Any] | None = None,
    extras: Mapping[str, Any] | None = None,
    around: Surroundings | None = None,
    check_trust: bool = True,
) -> CLIContext:
    """The settings of this process.

    flags: those of the command line (field name → value; None: not given). program: the script's values, weaker than every source
    but the defaults. extras: the script's own flags, which become attributes. check_trust: False for callers that only show the
    settings. Raises SettingsError for an invalid value, Untrusted if a project's file decides what it may not.
    """
    around = around or Surroundings()
    layers = gather_layers(flags or {}, program or {}, around)
    for secret in _typed_secrets(flags or {}):
        from hera_utils.settings.hide_argv import hide_from_the_process_list

        hide_from_the_process_list(secret)
    context = resolve(layers, own_server=own_server, extras=extras)
    _namespace_of_the_context(context, around)
    if check_trust:
        refuse_untrusted(find_concerns(context, foreign_files(around)), around.user_folder)
    return context


def foreign_files(around: Surroundings) -> list[str]:
    """The project's files that another user of this machine owns; in /tmp, for example, anybody can create one."""
    if not hasattr(os, "geteuid"):
        return []
    files = [str(path) for path in project_files(around)]
    ours = (os.geteuid(), 0)
    return [file for file in files if os.stat(file).st_uid not in ours or os.lstat(file).st_uid not in ours]


def project_files(around: Surroundings) -> list[Path]:
    """The project's settings files, which somebody else may have written: all outside the user's home folder itself."""
    files = [around.directory / "hera.config"]
    document = project_document(around)
    if document.path:
        files.append(Path(document.path))
    return [path for path in files if path.is_file() and path.parent != around.home]


def _typed_secrets(flags: Mapping[str, Any]) -> list[str]:
    """The secrets among the typed flags: the token, the password of a proxy, the addresses to notify."""
    try:
        password = urlsplit(str(flags.get("proxy") or "")).password
    except ValueError:  # an invalid proxy is reported when its value is parsed
        password = None
    addresses = [word for word in str(flags.get("notify") or "").split() if "://" in word]
    return [text for text in (str(flags.get("argo_token") or ""), password or "", *addresses) if text]


def _namespace_of_the_context(context: CLIContext, around: Surroundings) -> None:
    """If no source names a namespace, use that of the kubeconfig's context, if the context belongs to the Argo server's cluster."""
    configured = context.k8s_config_file
    if context.platform != "remote" or context.origin("argo_namespace") != DEFAULT:
        return
    if not (configured or context.k8s_context or context.argo_server is None):
        return  # ~/.kube/config may belong to any cluster
    from hera_utils.settings import kubeconfig

    with contextlib.suppress(SettingsError):  # the code that needs the cluster reports the error
        paths = kubeconfig.files(configured, around.home)
        found = kubeconfig.choose_context(paths, context.k8s_context) if paths else kubeconfig.context_of_this_pod()
        if found is not None and found.namespace:
            context.fill("argo_namespace", found.namespace, f"context {found.context} in {found.origin}")


def foreign_keys(around: Surroundings) -> dict[str, str]:
    """The keys of hera.config files that are no settings of hera_utils; they may be the script's own flags."""
    foreign: dict[str, str] = {}
    list(_hera_configs(around, foreign))
    return foreign


def hera_config_files(around: Surroundings) -> list[Path]:
    """The existing hera.config files, strongest first."""
    named = around.environ.get("ARGOCONFIG", "").strip()
    paths = [Path(around.place("").path(named))] if named else []
    paths += [around.directory / "hera.config", around.home / "hera.config"]
    return [path for path in dict.fromkeys(paths) if path.is_file()]


def gather_layers(flags: Mapping[str, Any], program: Mapping[str, Any], around: Surroundings) -> list[Layer]:
    """The layer of each source, strongest first."""
    configs = list(_hera_configs(around, {}))
    project = project_document(around)
    user = _private(toml_document(around.user_folder / USER_FILE), holds_secrets=False)
    credentials = _private(toml_document(around.user_folder / CREDENTIALS_FILE), holds_secrets=True)
    near = [_flags(flags, around), _environment(around), *(layer for rank, layer in configs if rank == "near")]
    far = [layer for rank, layer in configs if rank == "far"]
    profile = _profile_name([*near, *_project_tables(project, (), around), *far, *_tables(user, ())])
    names = _names_of(profile, [project, user, credentials]) if profile is not None else ()
    # If the project's file selected a profile of the user, the profile's values count as the project's.
    chooser = replace(profile.project, profile=names[0]) if profile and profile.project else None
    return drop_credentials_of_other_servers(
        [
            *near,
            *(
                _check_project_layer(layer, Path(project.path).parent)
                for layer in _project_tables(project, names, around)
            ),
            *far,
            *(layer for document in (user, credentials) for layer in _tables(document, names, around, chooser)),
            _layer(program, "script", around.place("script")),
            {"state": GivenValue(str(around.state_folder), "default")},
        ],
        str(around.user_folder),
        names,
    )


def own_server(state: str) -> str | None:
    """The address of the local server of a state folder, or None if it has never been started."""
    address = read_server_json(state).get("argo_server")
    return address if isinstance(address, str) else None


# --- flags and variables ------------------------------------------------------------------------------------------------


def _flags(flags: Mapping[str, Any], around: Surroundings) -> Layer:
    layer: dict[str, GivenValue] = {}
    for name, raw in flags.items():
        setting = BY_NAME[name]
        written = setting.off if setting.off and raw is False else setting.flags
        origin = f"flag {written[0]}" if written else "flag"
        if raw is not None:
            _add(layer, name, table_of(name, raw, around.place(origin)), around.place(origin))
    return layer


def _environment(around: Surroundings) -> Layer:
    layer: dict[str, GivenValue] = {}
    for setting in FIELDS:
        for variable in setting.variables:
            if around.environ.get(variable, "").strip():
                place = around.place(f"variable {variable}")
                _add(layer, setting.name, table_of(setting.name, around.environ[variable], place), place)
                break
        for variable in setting.inverted:
            if around.environ.get(variable, "").strip() and setting.name not in layer:
                place = around.place(f"variable {variable}")
                layer[setting.name] = GivenValue(not convert(setting, around.environ[variable], place), place.origin)
    return layer


# --- files --------------------------------------------------------------------------------------------------------------


def _hera_configs(around: Surroundings, foreign: dict[str, str]) -> Iterator[tuple[str, Layer]]:
    """The hera.config files with their rank: `near` ones are stronger than the project file, the `far` one is weaker."""
    named = around.environ.get("ARGOCONFIG", "").strip()
    visited: set[Path] = set()
    if named:
        path = Path(around.place("").path(named))
        visited.add(path)
        origin = f"file {named} ($ARGOCONFIG)"
        yield "near", _hera_config(path, text_of(path, origin), origin, around, foreign)
    for rank, path, origin in (
        ("near", around.directory / "hera.config", "file ./hera.config"),
        ("far", around.home / "hera.config", "file ~/hera.config"),
    ):
        if path not in visited and path.is_file():
            visited.add(path)
            if path.parent == around.home:
                refuse_writable_by_others(path)
            text, digest = text_and_digest_of(path, origin)
            layer = _hera_config(path, text, origin, around, foreign)
            # Unlike in other files of the project, a token is allowed here.
            if rank == "near" and path.parent != around.home:
                _check_project_layer(
                    {name: value for name, value in layer.items() if name != "argo_token"}, path.parent
                )
                layer = _mark_as_project(layer, Document(str(path), {}, digest), around)
            yield rank, layer


def _hera_config(path: Path, text: str, origin: str, around: Surroundings, foreign: dict[str, str]) -> Layer:
    from hera_utils.settings.hera_config import parse_hera_config

    place = around.place(origin, path.parent)
    layer: dict[str, GivenValue] = {}
    for key, raw in parse_hera_config(text, origin).items():
        if key in BY_NAME:
            _add(layer, key, table_of(key, raw, place), place)
        else:
            _refuse_misspelt(key, origin)
            foreign.setdefault(key, raw)
    return layer


def project_document(around: Surroundings) -> Document:
    """The nearest hera-utils.toml, or pyproject.toml with [tool.hera_utils], from the directory upwards."""
    for folder in (around.directory, *around.directory.parents):
        own = toml_document(folder / PROJECT_FILE)
        if own.path:
            if folder == around.home:
                refuse_writable_by_others(Path(own.path))
            return own
        shared = toml_document(folder / "pyproject.toml", ours_alone=False)
        table = (
            shared.table.get("tool", {}).get("hera_utils") if isinstance(shared.table.get("tool"), Mapping) else None
        )
        if isinstance(table, Mapping):
            return Document(shared.path, table, shared.digest)
        if folder == around.home or (folder / ".git").exists():
            break
    return NO_DOCUMENT


def _profile_name(layers: list[Layer]) -> GivenValue | None:
    return next((layer["profile"] for layer in layers if "profile" in layer), None)


def _names_of(profile: GivenValue, documents: list[Document]) -> tuple[str, ...]:
    """The selected profiles, weakest first: in `lab,mine`, mine overrides lab. Raises SettingsError for an unknown profile."""
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in str(profile.value).split(",")))))
    profile_names = sorted({name for document in documents for name in document.profiles})
    for name in names or (str(profile.value),):
        if name not in profile_names:
            there = f"the profiles are: {', '.join(profile_names)}" if profile_names else "no file defines any"
            raise SettingsError(
                f"there is no profile `{name}` ({profile.origin}); {there}",
                fix=f"write [profiles.{name}] in {PROJECT_FILE} or in the user's {USER_FILE}",
            )
    if profile.project is not None and len(names) > 1:
        raise SettingsError(
            f"a file of the project combines several profiles ({profile.origin})",
            fix=f"to use them, name them yourself: --profile {profile.value}",
        )
    return names


def _project_tables(document: Document, profiles: Sequence[str], around: Surroundings) -> list[Layer]:
    layers = _tables(document, profiles, around)
    return [_mark_as_project(layer, document, around) for layer in layers]


def _mark_as_project(layer: Layer, document: Document, around: Surroundings) -> Layer:
    """The layer with its values marked as the project's, unless the file is in the user's home folder."""
    if Path(document.path).parent == around.home:
        return layer
    source = ProjectSource(document.path, digest=document.digest)
    return {name: replace(value, project=source) for name, value in layer.items()}


def _tables(
    document: Document,
    profiles: Sequence[str],
    around: Surroundings | None = None,
    chooser: ProjectSource | None = None,
) -> list[Layer]:
    """The layers of one file: its profiles, the last first, then its top level. chooser: the project's file that selected them."""
    if not document.path:
        return []
    folder = Path(document.path).parent
    layers: list[Layer] = []
    around = around or Surroundings(environ={}, directory=folder, home=folder)
    for profile in reversed(profiles):
        if profile in document.profiles:
            origin = f"profile {profile} in {document.path}"
            of_profile = _layer(document.profiles[profile], origin, around.place(origin, folder))
            layers.append({name: replace(value, project=chooser) for name, value in of_profile.items()})
    top = {key: value for key, value in document.table.items() if key != "profiles"}
    layers.append(_layer(top, f"file {document.path}", around.place(f"file {document.path}", folder)))
    return layers


def _layer(table: Mapping[str, Any], origin: str, place: Place) -> Layer:
    layer: dict[str, GivenValue] = {}
    for key, raw in table.items():
        name = key.replace("-", "_")
        if name not in BY_NAME:
            near = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.6)
            fix = f"did you mean `{near[0]}`?" if near else f"the settings are: {', '.join(BY_NAME)}"
            raise SettingsError(f"`{key}` is not a setting ({origin})", fix=fix)
        _add(layer, name, table_of(name, raw, place), place)
    return layer


def _add(layer: dict[str, GivenValue], name: str, raw: Any, place: Place) -> None:
    value = convert(BY_NAME[name], raw, place)
    if value is not None:
        layer[name] = GivenValue(value, place.origin)


def _check_project_layer(layer: Layer, folder: Path) -> Layer:
    """Raise SettingsError if a project's file has a token, names a command or place that gives one, or a risky kubeconfig in `folder`.

    The file is shared: so would be a token in it; a command would be somebody else's; and a file or keyring entry that it names would
    be sent to whichever server it names. Such a kubeconfig runs programs or sends files that its author chose.
    """
    if "argo_token" in layer:
        raise SettingsError(
            f"a token is in a file that is shared with the project ({layer['argo_token'].origin})",
            fix=f"remove it there, and give it with ARGO_TOKEN or in the user's {CREDENTIALS_FILE}",
        )
    if "argo_token_command" in layer:
        raise SettingsError(
            f"a command to run is in a file of the project ({layer['argo_token_command'].origin})",
            fix=f"remove it there, and give it in the user's own {USER_FILE}",
        )
    for name in ("argo_token_file", "argo_token_keyring"):
        if name in layer:
            raise SettingsError(
                f"a file of the project says where a token of yours is ({layer[name].origin})",
                fix=f"remove {name} there, and give it in the user's own {USER_FILE}",
            )
    setting = layer.get("k8s_config_file", GivenValue("", ""))
    if not setting.value:
        return layer
    from hera_utils.settings import kubeconfig

    for path in kubeconfig.files(str(setting.value)):
        if path.resolve().is_relative_to(folder.resolve()) and kubeconfig.trusts_its_author(path):
            raise SettingsError(
                f"the kubeconfig {path}, which comes with the project, runs programs or sends files of yours "
                f"({setting.origin})",
                fix="read it; if that is right, name it yourself with --k8s_config_file or KUBECONFIG",
            )
    return layer


def _private(document: Document, *, holds_secrets: bool) -> Document:
    """The user's own file. Raises SettingsError if others can write it, or can read it while it contains a secret."""
    if not document.path or not hasattr(os, "getuid"):
        return document
    refuse_writable_by_others(Path(document.path))
    tables = [document.table, *document.profiles.values()]
    if not holds_secrets and not any(_holds_a_secret(table) for table in tables):
        return document
    if os.stat(document.path).st_mode & 0o077:
        raise SettingsError(
            f"{document.path} contains a secret, and others on this machine can read it",
            fix=f"chmod 600 {document.path}",
        )
    return document


def _holds_a_secret(table: Mapping[str, Any]) -> bool:
    """Whether the table has a token, a proxy with a password, or a notification address (most contain a key)."""
    proxy = table.get("proxy")
    return (
        "argo_token" in table
        or "argo-token" in table
        or "://" in str(table.get("notify") or "")
        or (isinstance(proxy, str) and remove_passwords(proxy) != proxy)
    )


def _refuse_misspelt(key: str, origin: str) -> None:
    """Raise SettingsError for a misspelt setting; other unknown keys are allowed because they may be flags of scripts."""
    near = difflib.get_close_matches(key, BY_NAME, n=1, cutoff=0.85)
    if near:
        raise SettingsError(f"`{key}` is not a setting ({origin})", fix=f"did you mean `{near[0]}`?")
