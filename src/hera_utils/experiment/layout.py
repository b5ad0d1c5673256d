"""Where things go and what they are called: paths inside a volume, names that Kubernetes takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

from hera_utils.errors import LayoutError

LONGEST_LABEL = 63  # RFC 1123 label: what pods, tasks' containers and labels may be called
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_DOTTED = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def is_legal_name(text: str, *, longest: int = LONGEST_LABEL, dots: bool = False) -> bool:
    """Whether Kubernetes takes a name: an RFC 1123 label, or with `dots` a subdomain."""
    return 0 < len(text) <= longest and (_DOTTED if dots else _LABEL).fullmatch(text) is not None


class Layout:
    """How an experiment organizes its files and names, from its constants. A subclass has a method for each thing:

    class ExperimentLayout(Layout):
        def collect_output_dir(self, vintage): return self.path("collect", self.constants.city, vintage)
        def container_name_postend(self, vintage): return self.name(self.constants.city, vintage)
    """

    def __init__(self, constants: Any = None) -> None:
        self.constants = constants
        self._named: dict[tuple[str, int], tuple[str, ...]] = {}

    def path(self, *parts: object) -> str:
        """A relative path of the parts, with `/`. LayoutError for one that would leave the volume or is not legal."""
        words = [_text(part, "path") for part in parts]
        for word in words:
            if word.startswith("/") or ".." in PurePosixPath(word).parts:
                raise LayoutError(
                    f"the path part `{word}` would leave the volume",
                    fix="give parts without a leading `/` and without `..`",
                )
            if any(len(piece.encode()) > 255 for piece in word.split("/")):
                raise LayoutError(
                    f"the path part `{word[:40]}…` is longer than 255 bytes", fix="shorten it, e.g. by a hash"
                )
        if not words:
            raise LayoutError("a path of no parts", fix="give at least one part")
        return str(PurePosixPath(*words))

    def name(self, *parts: object, longest: int = LONGEST_LABEL) -> str:
        """A legal Kubernetes name of the parts, at most `longest` characters: `name("Lyon", 2009)` is `lyon-2009`.

        The same parts give the same name in every process. Too long a name ends in a digest instead. LayoutError when nothing
        legal is left, or when other parts (as many) already gave the same name: two tasks would be one.
        """
        words = tuple(_text(part, "name") for part in parts)
        plain = unicodedata.normalize("NFKD", "-".join(words)).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9]+", "-", plain)).strip("-")
        if not name:
            raise LayoutError(f"nothing of {words!r} can stand in a name", fix="give at least a letter or a digit")
        if len(name) > longest:
            digest = hashlib.sha256("\x00".join(words).encode()).hexdigest()[:8]
            name = f"{name[: longest - 9].rstrip('-')}-{digest}"
        before = self._named.setdefault((name, len(words)), words)
        if before != words:
            raise LayoutError(
                f"{_told(words)} and {_told(before)} would both be named `{name}`",
                fix="add a part that tells them apart",
            )
        return name


def _text(part: object, what: str) -> str:
    text = str(part)
    if part is None or not text.strip() or "\x00" in text or "\n" in text:
        raise LayoutError(f"`{part!r}` cannot be a part of a {what}", fix="give a non-empty text or a number")
    return text.strip() if what == "name" else text


def _told(words: tuple[str, ...]) -> str:
    return " ".join(f"`{word}`" for word in words)
