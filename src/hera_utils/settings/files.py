"""Reading settings files: TOML, with errors that users understand, and a digest, as the user's trust holds for one content of a file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.wording import system_reason


@dataclass(frozen=True)
class Document:
    """A settings file. path: "" if there is none. digest: SHA-256 of the content that was read."""

    path: str
    table: Mapping[str, Any]
    digest: str = ""

    @property
    def profiles(self) -> Mapping[str, Any]:
        profiles = self.table.get("profiles", {})
        if not isinstance(profiles, Mapping) or not all(isinstance(profile, Mapping) for profile in profiles.values()):
            raise SettingsError(
                f"{self.path}: `profiles` must hold tables", fix="write [profiles.NAME] above its settings"
            )
        return profiles


NO_DOCUMENT = Document("", {})


def toml_document(path: Path, *, ours_alone: bool = True) -> Document:
    """Read a settings file; NO_DOCUMENT if there is none. ours_alone: whether no other tool uses the file.

    Raises SettingsError if it is not valid TOML.
    """
    if not path.is_file():
        return NO_DOCUMENT
    text, digest = text_and_digest_of(path, f"file {path}")
    try:
        document = Document(str(path), toml_of(text), digest)
    except ValueError as error:
        if not ours_alone and "tool.hera_utils" not in text:
            return NO_DOCUMENT  # a pyproject.toml without our settings; other tools will report the error
        raise SettingsError(f"{path} is not valid TOML: {_position(str(error))}", fix="correct that line") from None
    if ours_alone:
        _ = document.profiles  # raises for invalid profiles at once, even if no profile is used
    return document


def toml_of(text: str) -> dict[str, Any]:
    """Parse a TOML text. Raises ValueError if it is not valid."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _position(message: str) -> str:
    """The position in the parser's message, without text of the file, which may contain a token."""
    at = message.rfind("(at ")
    return message[at + 1 :].rstrip(")") if at >= 0 else "it cannot be read"


def text_of(path: Path, origin: str) -> str:
    """A file's text. origin: the source that names the file, for the message. Raises SettingsError if it cannot be read."""
    return text_and_digest_of(path, origin)[0]


def text_and_digest_of(path: Path, origin: str) -> tuple[str, str]:
    """As text_of, with the SHA-256 of the content."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n"), hashlib.sha256(content).hexdigest()
    except UnicodeDecodeError:
        raise SettingsError(
            f"{path} is not UTF-8 text ({origin})", fix="save it as UTF-8, or name another file"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"cannot read {path}: {system_reason(error)} ({origin})", fix="create it, or name another file"
        ) from None
