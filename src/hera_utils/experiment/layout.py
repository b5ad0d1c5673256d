"""Where things go and what they are called: paths inside a volume, names that Kubernetes takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hera_utils.errors import LayoutError
from hera_utils.experiment.declarations import Declaration, Kind, declarations
from hera_utils.experiment.points import Point

if TYPE_CHECKING:
    from hera_utils.experiment.environment import Environment
    from hera_utils.experiment.inputs import Inputs

LONGEST_PIECE = 255  # bytes of a file's or folder's name (Linux' NAME_MAX)
LONGEST_PATH = (
    4000  # bytes of a path inside the volume: the mount path has to stand before it (Linux' PATH_MAX is 4096)
)
MOST_PROBLEMS = 20  # that are told
LONGEST_LABEL = 63  # RFC 1123 label: what pods, tasks' containers and labels may be called
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_DOTTED = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def is_legal_name(text: str, *, longest: int = LONGEST_LABEL, dots: bool = False) -> bool:
    """Whether Kubernetes takes a name: an RFC 1123 label, or with `dots` a subdomain."""
    return 0 < len(text) <= longest and (_DOTTED if dots else _LABEL).fullmatch(text) is not None


@dataclass(frozen=True)
class File:
    """A file or folder that a layout declares. path: relative to the volume; to the experiment's script where it is local.

    method: the layout's, by which it is known.
    """

    method: str
    path: str
    local: bool = False


class Layout:
    """How an experiment organizes its files and names, from its constants. A subclass has a method for each thing:

    class ExperimentLayout(Layout):
        @writes
        def table(self, vintages, boroughs): return self.path("collect", self.constants.city, vintages, f"{boroughs}.json")
        def container_name_postend(self, vintage): return self.name(self.constants.city, vintage)

    What methods are declared (`@reads`, `@writes`, `@names`: declarations.py) is checked before a run, and tells what is done
    already; others are the experiment's own affair.
    """

    constants: Any = None

    def __init__(self, constants: Any = None) -> None:
        self.constants = constants

    def outputs(self, point: Point) -> tuple[File, ...]:
        """What the tasks of this point alone write: where all of it exists, the point has been computed."""
        return tuple(
            file
            for declaration in self._declared("writes")
            if declaration.depends(point) and not declaration.shared
            for file in self._files(declaration, point)
        )

    def outputs_of_all(self) -> tuple[File, ...]:
        """What is written once, whatever the points: by `gather`, or before all points."""
        return self._of_all("writes")

    def inputs_of(self, point: Point) -> tuple[File, ...]:
        """What the tasks of this point read, and with them those of others where a file is read by every point."""
        return tuple(file for declaration in self._declared("reads") for file in self._files(declaration, point))

    def inputs_of_all(self) -> tuple[File, ...]:
        """What is read whatever the point."""
        return self._of_all("reads")

    def mounted(self, environment: Environment) -> Mounted:
        """This layout as tasks see it: `layout.mounted(environment).table(point)` is an absolute path below the mount path."""
        volume = environment.persisted_volume
        if volume is None:
            raise LayoutError(
                "the environment has no volume that the layout's paths could be inside",
                fix='give it one: Environment(persisted_volume=PersistedVolume("results", mount_path="/results"))',
            )
        return Mounted(self, volume.mount_path)

    def problems(self, inputs: Inputs) -> list[LayoutError]:
        """Everything that is wrong with the declared methods over all points of the inputs: the first twenty findings.

        Two points, or two methods, that write the same path; paths that are absolute, leave the volume or are too long; names
        that Kubernetes refuses or that two different values share.
        """
        from hera_utils.experiment.layout_check import problems

        return problems(self, inputs)

    def check(self, inputs: Inputs) -> None:
        """LayoutError for the first of its problems, which says how many more there are."""
        found = self.problems(inputs)
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise LayoutError(f"{found[0].message}{more}", fix=found[0].fix)

    def _declared(self, kind: Kind) -> tuple[Declaration, ...]:
        """The methods declared so; looked for once in a class."""
        kept: dict[str, tuple[Declaration, ...]] | None = type(self).__dict__.get("_by_kind")
        if kept is None:
            found = declarations(type(self)).values()
            kept = {one: tuple(d for d in found if d.kind == one) for one in ("reads", "writes", "names")}
            type(self)._by_kind = kept  # type: ignore[attr-defined]
        return kept[kind]

    def _of_all(self, kind: Kind) -> tuple[File, ...]:
        nowhere = Point({})
        return tuple(
            file
            for declaration in self._declared(kind)
            if not declaration.shared and self._needs_no_point(declaration)
            for file in self._files(declaration, nowhere)
        )

    def _needs_no_point(self, declaration: Declaration) -> bool:
        try:
            return "point" not in declaration.wanted and declaration.arguments(Point({}), self.constants) is not None
        except LayoutError:
            return False

    def _files(self, declaration: Declaration, point: Point) -> Iterator[File]:
        given = getattr(self, declaration.method)(**declaration.arguments(point, self.constants))
        for path in _several(given):
            yield File(declaration.method, legal_path(path, declaration.method), declaration.local)

    def path(self, *parts: object) -> str:
        """A relative path of the parts, with `/`. LayoutError for one that would leave the volume or is not legal."""
        words = [_text(part, "path") for part in parts]
        if not words:
            raise LayoutError("a path of no parts", fix="give at least one part")
        for word in words:
            if word.startswith("/") or (".." in word and ".." in word.split("/")):
                raise LayoutError(
                    f"the path part `{word}` would leave the volume",
                    fix="give parts without a leading `/` and without `..`",
                )
            if len(word) > LONGEST_PIECE // 4:  # below that no text is too long in UTF-8
                _short_pieces(word)
        path = "/".join(words)
        return str(PurePosixPath(path)) if _untidy(path) else path

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
        named: dict[tuple[str, int], tuple[str, ...]] = self.__dict__.setdefault("_named", {})
        before = named.setdefault((name, len(words)), words)
        if before != words:
            raise LayoutError(
                f"{_told(words)} and {_told(before)} would both be named `{name}`",
                fix="add a part that tells them apart",
            )
        return name


class Mounted:
    """A layout whose declared paths are those that tasks see: each declared method gives them below the mount path."""

    def __init__(self, layout: Layout, mount_path: str) -> None:
        self._layout = layout
        self._mount_path = mount_path

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._layout, name)
        declaration = getattr(method, "declaration", None)
        if not isinstance(declaration, Declaration) or declaration.kind == "names" or declaration.local:
            raise LayoutError(
                f"the layout's `{name}` is not declared to give a path on the volume",
                fix="put @reads or @writes before it (from hera_utils import reads, writes)",
            )

        def called(*given: Any, **named: Any) -> Any:
            paths = method(*given, **named)
            if isinstance(paths, str):
                return self.path(paths)
            if isinstance(paths, Mapping):
                return {key: self.path(path) for key, path in paths.items()}
            return [self.path(path) for path in paths]

        return called

    def path(self, relative: str) -> str:
        """A path inside the volume as tasks see it."""
        return f"{self._mount_path.rstrip('/')}/{legal_path(relative, 'path')}"


def legal_path(path: object, method: str) -> str:
    """The path in its shortest form; LayoutError for one that is absolute, leaves the volume or is too long."""
    if not isinstance(path, str) or not path.strip() or "\x00" in path or "\n" in path:
        raise LayoutError(f"the layout's `{method}` gives {path!r}, which is no path", fix="return self.path(…)")
    if path.startswith("/"):
        raise LayoutError(
            f"the layout's `{method}` gives the absolute path `{path}`",
            fix="give it relative to the volume: the environment says where that is mounted",
        )
    if len(path) > LONGEST_PIECE // 4:
        _short_pieces(path)
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        raise LayoutError(f"the layout's `{method}` gives a path of more than {LONGEST_PATH} bytes", fix="shorten it")
    if _untidy(path):
        pieces = [piece for piece in path.split("/") if piece not in ("", ".")]
        if ".." in pieces or not pieces:
            raise LayoutError(
                f"the layout's `{method}` gives `{path}`, which leaves the volume or is all of it",
                fix="give a path inside it, without `..`",
            )
        return "/".join(pieces)
    return path


def _untidy(path: str) -> bool:
    """Whether a path may have pieces that are empty, `.` or `..`; most have not, and are left alone."""
    return "/." in path or "//" in path or path.startswith(".") or path.endswith("/")


def _several(given: object) -> Iterable[object]:
    if isinstance(given, Mapping):
        return given.values()
    return given if isinstance(given, list | tuple | set | frozenset) else (given,)


def _short_pieces(word: str) -> None:
    if any(len(piece.encode("utf-8", "surrogatepass")) > LONGEST_PIECE for piece in word.split("/")):
        raise LayoutError(
            f"the path part `{word[:40]}…` is longer than {LONGEST_PIECE} bytes", fix="shorten it, e.g. by a hash"
        )


def _text(part: object, what: str) -> str:
    text = str(part)
    if part is None or not text.strip() or "\x00" in text or "\n" in text:
        raise LayoutError(f"`{part!r}` cannot be a part of a {what}", fix="give a non-empty text or a number")
    return text.strip() if what == "name" else text


def _told(words: tuple[str, ...]) -> str:
    return " ".join(f"`{word}`" for word in words)
