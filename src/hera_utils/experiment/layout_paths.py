"""Checks the paths that a layout's declared methods give: relative to the volume, inside it, and not too long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hera_utils.errors import LayoutError
from hera_utils.experiment.declarations import Declaration
from hera_utils.experiment.points import Point

LONGEST_PIECE = 255  # bytes of a file's or folder's name (Linux' NAME_MAX)
# bytes of a path inside the volume; Linux' PATH_MAX, 4096, has to hold the mount path too
LONGEST_PATH = 4000


@dataclass(frozen=True)
class File:
    """A file or folder that a layout declares. path: relative to the volume, or to the experiment's script if it is local.

    method: the method of the layout that gave it.
    """

    method: str
    path: str
    local: bool = False


class HasConstants(Protocol):
    """The part of a layout that is needed here: its constants, and its declared methods by name."""

    constants: Any


def files_of(layout: HasConstants, declaration: Declaration, point: Point) -> Iterator[File]:
    """The files of a declared method for a point. Raises LayoutError for a path that is not legal."""
    method = getattr(layout, declaration.method)
    is_of_point = declaration.kind == "checkpoints"
    paths = method(point) if is_of_point else method(**declaration.arguments(point, layout.constants))
    for path in _each_path(paths):
        yield File(declaration.method, check_path(path, declaration.method), declaration.local)


def _each_path(paths: object) -> Iterable[object]:
    if isinstance(paths, Mapping):
        return paths.values()
    return paths if isinstance(paths, list | tuple | set | frozenset) else (paths,)


def check_path(path: object, method: str) -> str:
    """The path in its shortest form. Raises LayoutError if it is absolute, leaves the volume or is too long."""
    if not isinstance(path, str) or not path.strip() or "\x00" in path or "\n" in path:
        raise LayoutError(f"the layout's `{method}` returns {path!r}, which is not a path", fix="return self.path(…)")
    if path.startswith("/"):
        raise LayoutError(
            f"the layout's `{method}` returns the absolute path `{path}`",
            fix="give it relative to the volume: the environment says where that is mounted",
        )
    if len(path) > LONGEST_PIECE // 4:
        check_pieces(path)
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        raise LayoutError(f"the layout's `{method}` returns a path of more than {LONGEST_PATH} bytes", fix="shorten it")
    if is_untidy(path):
        pieces = [piece for piece in path.split("/") if piece not in ("", ".")]
        if ".." in pieces or not pieces:
            raise LayoutError(
                f"the layout's `{method}` returns `{path}`, which leaves the volume or is all of it",
                fix="give a path inside it, without `..`",
            )
        return "/".join(pieces)
    return path


def is_untidy(path: str) -> bool:
    """Whether a path may have empty pieces, `.` or `..`; most paths have none, so this quick check spares them the rest."""
    return "/." in path or "//" in path or path.startswith(".") or path.endswith("/")


def check_pieces(word: str) -> None:
    if any(len(piece.encode("utf-8", "surrogatepass")) > LONGEST_PIECE for piece in word.split("/")):
        raise LayoutError(
            f"the path part `{word[:40]}…` is longer than {LONGEST_PIECE} bytes", fix="shorten it, e.g. by a hash"
        )
