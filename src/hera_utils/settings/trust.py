"""Which settings a project's file may decide for a user in its folder, and which only with the user's consent.

A project's file (hera-utils.toml, pyproject.toml, ./hera.config) is cloned, so others may have written it. It may decide where and how
the project's workflows run. It may not send the user's credential to a server, through a proxy or past a certificate check; it may not
name a program or state folder that would act as the user, nor whom to notify of runs, nor files outside its own folder.
`hera-utils trust` allows this for the present content of that file and of the programs and certificates of the project that it names.

`find_concerns` finds what a file decides; the functions below it read and write the list of trusted files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hera_utils.errors import SettingsError
from hera_utils.private_folders import make_private
from hera_utils.settings.fields import TOKEN_FIELDS
from hera_utils.settings.resolve import CLIContext, ProjectSource
from hera_utils.settings.secret import Secret
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

TRUSTED_FILE = "trusted.json"
_LINK = "link:"  # marks the path of a symbolic link; its target is trusted instead of a content
_ACTING = {
    "python": "the Python that runs tasks as you",
    "state": "the folder of the local platform, whose journal says what runs as you",
    "notify_command": "a command that runs as you when a run ends",
    "notify": "where word of your runs is sent",
}
# Keys of an image's entry that bring in no program or file of somebody else.
_HARMLESS = ("policy", "pull", "hide", "workdir", "python")
_FILES = ("k8s_config_file", "client_certificate", "client_key", "runs")  # files read or written with the user's rights
_CONNECTION_SETTINGS = ("proxy", "verify_tls", "ca_file")  # they affect the connection to any server
_SERVER = ("argo_server", "argo_secure", "argo_base_href", *_CONNECTION_SETTINGS)
_CLUSTER = ("k8s_config_file", "k8s_context")  # without a named server, these decide which one is found


class Untrusted(SettingsError):
    """A project's file decides what requires the user's trust. files: those that would have to be trusted → their digests."""

    def __init__(self, message: str, files: Mapping[str, str], *, fix: str) -> None:
        super().__init__(message, fix=fix)
        self.files = dict(files)


@dataclass(frozen=True)
class Concern:
    """A decision of a project's file. what: the decision in words, after the file's name. instead: the flag to use instead of trust.

    names: the programs or files that the decision names; those within the project can change like the file itself and are trusted
    with it. digest: that of the file as it was read.
    """

    file: str
    what: str
    instead: str = ""
    names: tuple[str, ...] = ()
    digest: str = ""

    @property
    def files(self) -> dict[str, str]:
        """The files to trust, as real paths, and the links on their way → the digest of the content, or of the link's target."""
        named = {file: digest_of(file) for file in files_within(self.file, self.names)}
        return {os.path.realpath(self.file): self.digest or digest_of(self.file), **named}


def files_within(file: str, paths: Iterable[str]) -> Iterator[str]:
    """Those of the paths that are regular files in the folder of the settings file, and the symbolic links in that folder on their way."""
    folder = os.path.realpath(os.path.dirname(file))
    for path in paths:
        written = os.path.normpath(os.path.join(folder, os.path.expanduser(path)))
        if Path(written).is_relative_to(folder):
            above = [written, *map(str, Path(written).parents)]
            yield from (f"{_LINK}{link}" for link in above if link.startswith(f"{folder}/") and os.path.islink(link))
        real = os.path.realpath(written)
        if Path(real).is_relative_to(folder) and os.path.isfile(real):
            yield real


def find_concerns(context: CLIContext, foreign: Iterable[str] = ()) -> list[Concern]:
    """The decisions of the project's files that require trust. foreign: the files that another user of the machine owns."""
    return [
        *(Concern(file, "belongs to another user of this machine") for file in foreign),
        *_programs(context),
        *_files_elsewhere(context),
        *_settings_that_lead_credentials(context),
    ]


def _programs(context: CLIContext) -> Iterator[Concern]:
    """The settings that name programs which would run as the user, also in workflows of other projects."""
    for name, what in _ACTING.items():
        source = context.project(name)
        harmless = name == "notify" and context.notify is not None and context.notify.reveal().split() == ["bell"]
        if source is not None and not source.profile and not harmless:
            yield Concern(
                source.file, f"names {what} ({name})", f"--{name}", _words(getattr(context, name)), source.digest
            )
    for pattern, entry in context.images.items():
        source = context.project(f"images.{pattern}")
        python = str(entry.get("python") or "")
        brings = [name for name in entry if name not in _HARMLESS] + (["python"] if "/" in python else [])
        if source is not None and not source.profile and brings:
            what = f"says what runs as you in the place of the image {pattern} (images: {', '.join(brings)})"
            yield Concern(source.file, what, "--images", tuple(_texts(list(entry.values()))), source.digest)


def _texts(value: object) -> Iterator[str]:
    """The strings in a value of a table, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _words(value: object) -> tuple[str, ...]:
    """The words of a command, or a path as the only word."""
    text = value.reveal() if isinstance(value, Secret) else str(value)
    with contextlib.suppress(ValueError):  # the text has an unclosed quote
        return tuple(shlex.split(text))
    return (text,)


def _files_elsewhere(context: CLIContext) -> Iterator[Concern]:
    """Files and folders outside the project that its file names; they would be read or written with the user's rights."""
    for name in _FILES:
        for path in str(getattr(context, name) or "").split(os.path.pathsep):
            yield from _elsewhere(context.project(name), name, path, f"--{name}")
    for claim, folder in context.volumes.items():
        yield from _elsewhere(context.project(f"volumes.{claim}"), "volumes", folder, "--volume")


def _elsewhere(source: ProjectSource | None, name: str, path: str, flag: str) -> Iterator[Concern]:
    if source is None or source.profile or not path:
        return
    folder = os.path.realpath(os.path.dirname(source.file))
    if not Path(os.path.realpath(path)).is_relative_to(folder):
        what = f"names {path}, which is not in the project's folder ({name})"
        yield Concern(source.file, what, flag, digest=source.digest)


def _settings_that_lead_credentials(context: CLIContext) -> Iterator[Concern]:
    """The settings of the project's files that decide to which server the user's credentials are sent."""
    for credential, way in _credentials(context):
        yield from _settings_that_lead(context, credential, way)


def _settings_that_lead(context: CLIContext, credential: str, way: Iterable[str]) -> Iterator[Concern]:
    own = context.project(credential) if credential else None
    leading: dict[ProjectSource, list[str]] = {}
    for name in way:
        source = context.project(name)
        if source is not None and source != own:
            leading.setdefault(replace(source, profile=""), []).append("profile" if source.profile else name)
    if own is not None and own.profile and context.argo_server is not None and context.project("argo_server") != own:
        # The token of a profile that the project selected would be sent to a server that another source names.
        leading.setdefault(replace(own, profile=""), []).append("profile")
    credential_text = _CREDENTIALS.get(credential) or f"your token ({context.origin(credential)})"
    for source, names in leading.items():
        listed = ", ".join(dict.fromkeys(names))
        authority = (str(context.ca_file),) if "ca_file" in names and context.ca_file else ()
        yield Concern(
            source.file, f"decides where {credential_text} goes: {listed}", f"--{names[0]}", authority, source.digest
        )


_CREDENTIALS = {
    "": "your kubeconfig's credential",
    "k8s_config_file": "your kubeconfig's credential",
    "client_certificate": "your client certificate",
}


def _credentials(context: CLIContext) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(the setting with a credential that may be sent, "" for the user's kubeconfig; the settings that decide where it is sent).

    There may be several: a project's own token does not make the user's certificate or kubeconfig the project's. None for the local
    server, which has its own token.
    """
    if context.platform == "local":
        return
    token = next((name for name in TOKEN_FIELDS if getattr(context, name) is not None), None)
    server = _SERVER if context.argo_server is not None else (*_CLUSTER, *_SERVER)
    if token is not None:
        yield token, server
    if context.client_certificate and context.argo_server is not None:
        yield "client_certificate", _SERVER
    cluster = "k8s_config_file" if context.k8s_config_file else ""
    if context.argo_server is None:
        yield cluster, _CONNECTION_SETTINGS
    elif token is None and context.argo_service_account and context.k8s_config_file:
        yield cluster, _SERVER
    else:
        yield cluster, ("proxy",)


def refuse_untrusted(concerns_found: Iterable[Concern], folder: Path) -> None:
    """Raise Untrusted if one of the concerns is not trusted. folder: the user's folder with the list of trusted files."""
    trusted = _read_trusted(folder)
    left = [concern for concern in concerns_found if not _is_trusted(concern, trusted)]
    if not left:
        return
    instead = next((f", or give {concern.instead} yourself" for concern in left if concern.instead), "")
    raise Untrusted(
        "; ".join(f"{concern.file} {concern.what}{_describe_changes(concern, trusted)}" for concern in left),
        {file: digest for concern in left for file, digest in concern.files.items()},
        fix=f"read it; if that is right: hera-utils trust{instead}",
    )


def _is_trusted(concern: Concern, trusted: Mapping[str, str]) -> bool:
    return all(digest and trusted.get(file) == digest for file, digest in concern.files.items())


def _describe_changes(concern: Concern, trusted: Mapping[str, str]) -> str:
    """Say which files other than the settings file have changed since the user trusted them; "" if the settings file itself did."""
    wrong = [file for file, digest in concern.files.items() if trusted.get(file) != digest]
    if os.path.realpath(concern.file) in wrong:
        return ""
    return "".join(f"; {file.removeprefix(_LINK)} is not as you trusted it" for file in wrong)


def refuse_writable_by_others(file: Path) -> None:
    """Raise SettingsError if a user other than this one, root and the owner of the home owns the file, or if all can write to it.

    They could send the token to their own server.
    """
    if not hasattr(os, "geteuid"):
        return
    status, owners = os.stat(file), {os.geteuid(), 0}
    with contextlib.suppress(OSError):
        owners.add(os.stat(os.path.expanduser("~")).st_uid)  # the user who called sudo
    if not {status.st_uid, os.lstat(file).st_uid} <= owners or status.st_mode & 0o002:
        raise SettingsError(
            f"{file} belongs to another user of this machine, or others can write to it",
            fix=f"check what it says, then make it yours alone: chown and chmod go-w {file}",
        )


# --- the list of trusted files -------------------------------------------------------------------------------------------


def is_trusted(file: str, folder: Path) -> bool:
    """Whether the user trusts the present content of this file."""
    return _read_trusted(folder).get(os.path.realpath(file)) == digest_of(file)


def trust(files: Iterable[str] | Mapping[str, str], folder: Path) -> None:
    """Store the digests of trusted files: the present ones, or those of a mapping (as Concern.files), which the user has seen.

    Raises SettingsError if the list cannot be written.
    """
    digests = files if isinstance(files, Mapping) else {os.path.realpath(file): digest_of(file) for file in files}
    _write(folder, {**_read_trusted(folder), **digests})


def forget(files: Iterable[str], folder: Path) -> None:
    gone = {os.path.realpath(file) for file in files}
    _write(folder, {file: digest for file, digest in _read_trusted(folder).items() if file not in gone})


def digest_of(file: str) -> str:
    """The SHA-256 of a file's content, for a link (`link:PATH`) that of its target; "" if it cannot be read."""
    from hera_utils.digests import sha256_of, short_digest

    try:
        if file.startswith(_LINK):
            return short_digest(os.fsencode(os.readlink(file.removeprefix(_LINK))))
        return sha256_of(Path(file))
    except OSError:
        return ""


def _read_trusted(folder: Path) -> dict[str, str]:
    """path → digest; {} if the list belongs to another user or others can write to it."""
    path = folder / TRUSTED_FILE
    try:
        status = path.stat()
        if hasattr(os, "geteuid") and {status.st_uid, path.lstat().st_uid} != {os.geteuid()}:
            return {}
        if status.st_mode & 0o022:
            return {}
        trusted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(file): str(digest) for file, digest in trusted.items() if digest} if isinstance(trusted, dict) else {}


def _write(folder: Path, trusted: Mapping[str, str]) -> None:
    try:
        make_private(folder)
        write_atomically(folder / TRUSTED_FILE, json.dumps(dict(trusted), indent=1).encode(), mode=0o600)
    except OSError as error:
        raise SettingsError(
            f"cannot write {folder / TRUSTED_FILE}: {system_reason(error)}", fix="make its folder writable"
        ) from None
