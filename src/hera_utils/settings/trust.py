"""What a project's settings file may decide for the user who stands in its folder, and what only after the user has said so.

A project's file (hera-utils.toml, pyproject.toml, ./hera.config) is somebody else's text: one clones it. It may say where and how the
project's workflows run. It may not lead the user's credential to a server, through a proxy or past a certificate check; it may not name
a program, or a state folder, whose content would act as the user. `hera-utils trust` allows it, for that file as it is now.

`concerns` is pure; below it are what reads and writes the list of trusted files.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hera_utils.errors import SettingsError
from hera_utils.settings.fields import TOKEN_FIELDS
from hera_utils.settings.resolve import CLIContext

TRUSTED_FILE = "trusted.json"
_ACTING = {
    "python": "the Python that runs tasks as you",
    "state": "the folder of the local platform, whose journal says what runs as you",
}
_WAY = ("proxy", "verify_tls", "ca_file")  # on the way to a server, whoever names it
_SERVER = ("argo_server", "argo_secure", "argo_base_href", *_WAY)
_CLUSTER = ("k8s_config_file", "k8s_context")  # what the Argo server is found by when nobody names it


class Untrusted(SettingsError):
    """A project's file decides what it may not decide unasked. files: those that would have to be trusted."""

    def __init__(self, message: str, files: Iterable[str], *, fix: str) -> None:
        super().__init__(message, fix=fix)
        self.files = tuple(dict.fromkeys(files))


@dataclass(frozen=True)
class Concern:
    """file: the project's. what: in words, after the file's name. instead: what the user may type in the place of trusting it."""

    file: str
    what: str
    instead: str = ""


def concerns(context: CLIContext, foreign: Iterable[str] = ()) -> list[Concern]:
    """What files of the project decide about the user. foreign: those that belong to another user of the machine."""
    result = [Concern(file, "belongs to another user of this machine") for file in foreign]
    for name, what in _ACTING.items():
        source = context.project(name)
        if source is not None and not source.profile:
            result.append(Concern(source.file, f"names {what} ({name})", f"--{name}"))
    credential, way = _credential(context)
    if credential is None:
        return result
    own = context.project(credential) if credential else None
    leading: dict[str, list[str]] = {}
    for name in way:
        source = context.project(name)
        if source is not None and source != own:
            leading.setdefault(source.file, []).append("profile" if source.profile else name)
    if own is not None and own.profile and context.argo_server is not None and context.project("argo_server") != own:
        leading.setdefault(own.file, []).append("profile")  # whose token would go to a server of another
    whose = (
        f"your token ({context.origin(credential)})" if credential in TOKEN_FIELDS else "your kubeconfig's credential"
    )
    for file, names in leading.items():
        listed = ", ".join(dict.fromkeys(names))
        result.append(Concern(file, f"decides where {whose} goes: {listed}", f"--{names[0]}"))
    return result


def _credential(context: CLIContext) -> tuple[str | None, tuple[str, ...]]:
    """(the setting that gives the credential which will be sent, "" for the user's own kubeconfig; what leads it).

    None where nothing is sent that could be led astray: this machine's own server has a token of its own.
    """
    if context.platform == "local":
        return None, ()
    token = next((name for name in TOKEN_FIELDS if getattr(context, name) is not None), None)
    if token is not None:
        return token, _SERVER if context.argo_server is not None else (*_CLUSTER, *_SERVER)
    cluster = "k8s_config_file" if context.k8s_config_file else ""
    if context.argo_server is None:
        return cluster, _WAY
    return cluster, _SERVER if context.argo_service_account and context.k8s_config_file else ("proxy",)


def refuse_untrusted(concerns_found: Iterable[Concern], folder: Path) -> None:
    """Untrusted when one of the concerns is not allowed. folder: the user's own, where the trusted files are remembered."""
    left = [one for one in concerns_found if not is_trusted(one.file, folder)]
    if not left:
        return
    instead = next((f", or give {one.instead} yourself" for one in left if one.instead), "")
    raise Untrusted(
        "; ".join(f"{one.file} {one.what}" for one in left),
        [one.file for one in left],
        fix=f"read it; if that is right: hera-utils trust{instead}",
    )


# --- the list of trusted files -------------------------------------------------------------------------------------------


def is_trusted(file: str, folder: Path) -> bool:
    """Whether the user has said so, of this file as it is now."""
    return _trusted(folder).get(os.path.realpath(file)) == _digest(file)


def trust(files: Iterable[str], folder: Path) -> None:
    """Remember files as they are now. SettingsError when that cannot be written."""
    _write(folder, {**_trusted(folder), **{os.path.realpath(file): _digest(file) for file in files}})


def forget(files: Iterable[str], folder: Path) -> None:
    gone = {os.path.realpath(file) for file in files}
    _write(folder, {file: digest for file, digest in _trusted(folder).items() if file not in gone})


def _digest(file: str) -> str:
    from hera_utils.digests import sha256_of

    try:
        return sha256_of(Path(file))
    except OSError:
        return ""


def _trusted(folder: Path) -> dict[str, str]:
    """path → digest; nothing when the list is not the user's own."""
    path = folder / TRUSTED_FILE
    try:
        if hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid():
            return {}
        trusted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(file): str(digest) for file, digest in trusted.items() if digest} if isinstance(trusted, dict) else {}


def _write(folder: Path, trusted: Mapping[str, str]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{TRUSTED_FILE}-", dir=folder)  # its owner's alone
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(dict(trusted), file, indent=1)
        os.replace(name, folder / TRUSTED_FILE)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SettingsError(f"cannot write {folder / TRUSTED_FILE}: {why}", fix="make its folder writable") from None
