"""What a project's settings file may decide for the user who stands in its folder, and what only after the user has said so.

A project's file (hera-utils.toml, pyproject.toml, ./hera.config) is somebody else's text: one clones it. It may say where and how the
project's workflows run. It may not lead the user's credential to a server, through a proxy or past a certificate check; it may not name
a program, or a state folder, whose content would act as the user, nor whom to tell of the user's runs, nor files outside its own folder.
`hera-utils trust` allows it, for that file as it is now, and for the programs and certificates of the project that it names.

`concerns` says what a file decides; below it is what reads and writes the list of trusted files.
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
from hera_utils.whole_files import write_whole
from hera_utils.wording import system_reason

TRUSTED_FILE = "trusted.json"
_LINK = "link:"  # before the path of a link, which leads elsewhere when it is changed
_ACTING = {
    "python": "the Python that runs tasks as you",
    "state": "the folder of the local platform, whose journal says what runs as you",
    "notify_command": "a command that runs as you when a run ends",
    "notify": "where word of your runs is sent",
}
_HARMLESS = (
    "policy",
    "pull",
    "hide",
    "workdir",
    "python",
)  # of an image: what brings no program or file of somebody else's
_FILES = ("k8s_config_file", "client_certificate", "client_key", "runs")  # read or written as the user
_WAY = ("proxy", "verify_tls", "ca_file")  # on the way to a server, whoever names it
_SERVER = ("argo_server", "argo_secure", "argo_base_href", *_WAY)
_CLUSTER = ("k8s_config_file", "k8s_context")  # without a named server, these decide which one is found


class Untrusted(SettingsError):
    """A project's file decides what it may not decide unasked. files: those that would have to be trusted, with their digests."""

    def __init__(self, message: str, files: Mapping[str, str], *, fix: str) -> None:
        super().__init__(message, fix=fix)
        self.files = dict(files)


@dataclass(frozen=True)
class Concern:
    """file: the project's. what: in words, after the file's name. instead: what the user may type in the place of trusting it.

    names: what it names, which acts as the user too: its files within the project may change as the file itself. digest: of the file as
    it was read.
    """

    file: str
    what: str
    instead: str = ""
    names: tuple[str, ...] = ()
    digest: str = ""

    @property
    def files(self) -> dict[str, str]:
        """All whose content is trusted, without links → the digest of that; of a link, of where it leads."""
        named = {file: digest_of(file) for file in files_within(self.file, self.names)}
        return {os.path.realpath(self.file): self.digest or digest_of(self.file), **named}


def files_within(file: str, paths: Iterable[str]) -> Iterator[str]:
    """Those of the paths that are regular files of the project whose settings file this is, and the links of the project on the way."""
    folder = os.path.realpath(os.path.dirname(file))
    for path in paths:
        written = os.path.normpath(os.path.join(folder, os.path.expanduser(path)))
        if Path(written).is_relative_to(folder):
            above = [written, *map(str, Path(written).parents)]
            yield from (f"{_LINK}{one}" for one in above if one.startswith(f"{folder}/") and os.path.islink(one))
        real = os.path.realpath(written)
        if Path(real).is_relative_to(folder) and os.path.isfile(real):
            yield real


def concerns(context: CLIContext, foreign: Iterable[str] = ()) -> list[Concern]:
    """What files of the project decide about the user. foreign: those that belong to another user of the machine."""
    return [
        *(Concern(file, "belongs to another user of this machine") for file in foreign),
        *_programs(context),
        *_files_elsewhere(context),
        *_leading(context),
    ]


def _programs(context: CLIContext) -> Iterator[Concern]:
    """What would run as the user, also in workflows that are not the project's."""
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
    """The texts in a value of a table, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _words(value: object) -> tuple[str, ...]:
    """A path, or the words of a command."""
    text = value.reveal() if isinstance(value, Secret) else str(value)
    with contextlib.suppress(ValueError):  # an open quotation mark
        return tuple(shlex.split(text))
    return (text,)


def _files_elsewhere(context: CLIContext) -> Iterator[Concern]:
    """Files and folders that are not the project's and that it names: they would be read or written as the user."""
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


def _leading(context: CLIContext) -> Iterator[Concern]:
    """Where credentials of the user's would go by the project's word."""
    for credential, way in _credentials(context):
        yield from _leading_one(context, credential, way)


def _leading_one(context: CLIContext, credential: str, way: Iterable[str]) -> Iterator[Concern]:
    own = context.project(credential) if credential else None
    leading: dict[ProjectSource, list[str]] = {}
    for name in way:
        source = context.project(name)
        if source is not None and source != own:
            leading.setdefault(replace(source, profile=""), []).append("profile" if source.profile else name)
    if own is not None and own.profile and context.argo_server is not None and context.project("argo_server") != own:
        # whose token would go to a server of another
        leading.setdefault(replace(own, profile=""), []).append("profile")
    whose = _CREDENTIALS.get(credential) or f"your token ({context.origin(credential)})"
    for source, names in leading.items():
        listed = ", ".join(dict.fromkeys(names))
        authority = (str(context.ca_file),) if "ca_file" in names and context.ca_file else ()
        yield Concern(source.file, f"decides where {whose} goes: {listed}", f"--{names[0]}", authority, source.digest)


_CREDENTIALS = {
    "": "your kubeconfig's credential",
    "k8s_config_file": "your kubeconfig's credential",
    "client_certificate": "your client certificate",
}


def _credentials(context: CLIContext) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(the setting that gives a credential which may be sent, "" for the user's own kubeconfig; what leads it). There may be several: that
    a project has a token of its own does not make the user's certificate, or kubeconfig, the project's.

    None of them where nothing is sent that could be led astray: this machine's own server has a token of its own.
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
        yield cluster, _WAY
    elif token is None and context.argo_service_account and context.k8s_config_file:
        yield cluster, _SERVER
    else:
        yield cluster, ("proxy",)


def refuse_untrusted(concerns_found: Iterable[Concern], folder: Path) -> None:
    """Untrusted when one of the concerns is not allowed. folder: the user's own, where the trusted files are remembered."""
    trusted = _trusted(folder)
    left = [one for one in concerns_found if not _is_trusted(one, trusted)]
    if not left:
        return
    instead = next((f", or give {one.instead} yourself" for one in left if one.instead), "")
    raise Untrusted(
        "; ".join(f"{one.file} {one.what}{_changed(one, trusted)}" for one in left),
        {file: digest for one in left for file, digest in one.files.items()},
        fix=f"read it; if that is right: hera-utils trust{instead}",
    )


def _is_trusted(concern: Concern, trusted: Mapping[str, str]) -> bool:
    return all(digest and trusted.get(file) == digest for file, digest in concern.files.items())


def _changed(concern: Concern, trusted: Mapping[str, str]) -> str:
    """Which file is another one than that of the user's consent, when it is not the settings file."""
    wrong = [file for file, digest in concern.files.items() if trusted.get(file) != digest]
    if os.path.realpath(concern.file) in wrong:
        return ""
    return "".join(f"; {file.removeprefix(_LINK)} is not as you trusted it" for file in wrong)


def refuse_what_others_write(file: Path) -> None:
    """SettingsError for a file of the user's settings that another user of the machine owns (root and the home's owner aside) or can
    write to: it would lead the token.
    """
    if not hasattr(os, "geteuid"):
        return
    status, owners = os.stat(file), {os.geteuid(), 0}
    with contextlib.suppress(OSError):
        owners.add(os.stat(os.path.expanduser("~")).st_uid)  # of whoever calls sudo
    if not {status.st_uid, os.lstat(file).st_uid} <= owners or status.st_mode & 0o002:
        raise SettingsError(
            f"{file} belongs to another user of this machine, or others can write to it",
            fix=f"check what it says, then make it yours alone: chown and chmod go-w {file}",
        )


# --- the list of trusted files -------------------------------------------------------------------------------------------


def is_trusted(file: str, folder: Path) -> bool:
    """Whether the user has said so, of this file as it is now."""
    return _trusted(folder).get(os.path.realpath(file)) == digest_of(file)


def trust(files: Iterable[str] | Mapping[str, str], folder: Path) -> None:
    """Remember files as they are now; a mapping (as Concern.files) says what they were when the user saw them.

    SettingsError when that cannot be written.
    """
    digests = files if isinstance(files, Mapping) else {os.path.realpath(file): digest_of(file) for file in files}
    _write(folder, {**_trusted(folder), **digests})


def forget(files: Iterable[str], folder: Path) -> None:
    gone = {os.path.realpath(file) for file in files}
    _write(folder, {file: digest for file, digest in _trusted(folder).items() if file not in gone})


def digest_of(file: str) -> str:
    """SHA-256 of a file as it is, of a link (`link:PATH`) of where it leads; "" where it cannot be read."""
    from hera_utils.digests import sha256_of, short_digest

    try:
        if file.startswith(_LINK):
            return short_digest(os.fsencode(os.readlink(file.removeprefix(_LINK))))
        return sha256_of(Path(file))
    except OSError:
        return ""


def _trusted(folder: Path) -> dict[str, str]:
    """path → digest; nothing when the list is not the user's own."""
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
        write_whole(folder / TRUSTED_FILE, json.dumps(dict(trusted), indent=1).encode(), mode=0o600)
    except OSError as error:
        raise SettingsError(
            f"cannot write {folder / TRUSTED_FILE}: {system_reason(error)}", fix="make its folder writable"
        ) from None
