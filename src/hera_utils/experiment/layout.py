"""Layouts: the paths of files inside a volume, and names that Kubernetes accepts."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hera_utils.argo.names import LABEL_LENGTH
from hera_utils.errors import LayoutError
from hera_utils.experiment.declarations import Declaration, Kind, declarations_of_kind
from hera_utils.experiment.layout_check import find_problems
from hera_utils.experiment.layout_paths import LONGEST_PIECE, File, check_path, check_pieces, files_of, is_untidy
from hera_utils.experiment.points import Point

if TYPE_CHECKING:
    from hera_utils.experiment.environment import Environment
    from hera_utils.experiment.inputs import Inputs


class Layout:
    """How an experiment names its files and tasks, from its constants. A subclass has a method for each of them:

    class ExperimentLayout(Layout):
        @writes
        def table(self, vintages, boroughs): return self.path("collect", self.constants.city, vintages, f"{boroughs}.json")
        def container_name_postend(self, vintage): return self.name(self.constants.city, vintage)

    Declared methods (`@reads`, `@writes`, `@names`: declarations.py) are checked before a run, and show which points are done
    already; hera_utils does not use other methods.
    """

    constants: Any = None

    def __init__(self, constants: Any = None) -> None:
        self.constants = constants

    def outputs(self, point: Point) -> tuple[File, ...]:
        """The files that only the tasks of this point write: if all of them exist, the point has been computed."""
        return tuple(
            file
            for declaration in declarations_of_kind(type(self), "writes")
            if declaration.depends(point) and not declaration.shared
            for file in files_of(self, declaration, point)
        )

    def outputs_of_all(self) -> tuple[File, ...]:
        """The files that are written once, whatever the points: by `gather`, or before all points."""
        return self._files_of_all_points("writes")

    def checkpoints_of(self, point: Point) -> tuple[File, ...]:
        """The folders in which the tasks of this point save their state; the last part of each path stands for one beginning."""
        return tuple(
            file
            for declaration in declarations_of_kind(type(self), "checkpoints")
            for file in files_of(self, declaration, point)
        )

    def inputs_of(self, point: Point) -> tuple[File, ...]:
        """The files that the tasks of this point read, also those that every point reads."""
        return tuple(
            file
            for declaration in declarations_of_kind(type(self), "reads")
            for file in files_of(self, declaration, point)
        )

    def inputs_of_all(self) -> tuple[File, ...]:
        """The files that are read whatever the point."""
        return self._files_of_all_points("reads")

    def mounted(self, environment: Environment) -> MountedLayout:
        """This layout with the paths that tasks see: `layout.mounted(environment).table(point)` is absolute, below the mount path."""
        volume = environment.persisted_volume
        if volume is None:
            raise LayoutError(
                "the environment has no volume that the layout's paths could be inside",
                fix='give it one: Environment(persisted_volume=PersistedVolume("results", mount_path="/results"))',
            )
        return MountedLayout(self, volume.mount_path)

    def problems(self, inputs: Inputs) -> list[LayoutError]:
        """The first twenty problems of the declared methods over all points of the inputs.

        Two points, or two methods, that write the same path; paths that are absolute, leave the volume or are too long; names
        that Kubernetes refuses or that two different values share.
        """
        return find_problems(self, inputs)

    def check(self, inputs: Inputs) -> None:
        """Raise LayoutError for the first problem, with the number of the others."""
        problems = self.problems(inputs)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise LayoutError(f"{problems[0].message}{more}", fix=problems[0].fix)

    def _files_of_all_points(self, kind: Kind) -> tuple[File, ...]:
        nowhere = Point({})
        return tuple(
            file
            for declaration in declarations_of_kind(type(self), kind)
            if not declaration.shared and self._needs_no_point(declaration)
            for file in files_of(self, declaration, nowhere)
        )

    def _needs_no_point(self, declaration: Declaration) -> bool:
        try:
            return "point" not in declaration.required and declaration.arguments(Point({}), self.constants) is not None
        except LayoutError:
            return False

    def path(self, *parts: object) -> str:
        """The parts joined to a relative path. Raises LayoutError if it would leave the volume or is not legal."""
        words = [_text(part, "path") for part in parts]
        if not words:
            raise LayoutError("a path without parts", fix="give at least one part")
        for word in words:
            if word.startswith("/") or (".." in word and ".." in word.split("/")):
                raise LayoutError(
                    f"the path part `{word}` would leave the volume",
                    fix="give parts without a leading `/` and without `..`",
                )
            if len(word) > LONGEST_PIECE // 4:  # a shorter text cannot be too long in UTF-8
                check_pieces(word)
        path = "/".join(words)
        return str(PurePosixPath(path)) if is_untidy(path) else path

    def name(self, *parts: object, longest: int = LABEL_LENGTH) -> str:
        """A legal Kubernetes name of the parts, at most `longest` characters: `name("Lyon", 2009)` is `lyon-2009`.

        The same parts give the same name in every process. A name that would be too long ends in a digest instead. Raises LayoutError if
        no legal character is left, or if other parts (of the same number) already gave the same name: two tasks would be one.
        """
        words = tuple(_text(part, "name") for part in parts)
        plain = unicodedata.normalize("NFKD", "-".join(words)).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9]+", "-", plain)).strip("-")
        if not name:
            raise LayoutError(
                f"{words!r} contain nothing that a name may contain", fix="give at least a letter or a digit"
            )
        if len(name) > longest:
            digest = hashlib.sha256("\x00".join(words).encode()).hexdigest()[:8]
            name = f"{name[: longest - 9].rstrip('-')}-{digest}"
        names: dict[tuple[str, int], tuple[str, ...]] = self.__dict__.setdefault("_named", {})
        before = names.setdefault((name, len(words)), words)
        if before != words:
            raise LayoutError(
                f"{_quote_words(words)} and {_quote_words(before)} would both be called `{name}`",
                fix="add a part that makes them different",
            )
        return name


class MountedLayout:
    """A layout whose declared methods give paths as tasks see them, below the mount path."""

    def __init__(self, layout: Layout, mount_path: str) -> None:
        self._layout = layout
        self._mount_path = mount_path

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._layout, name)
        declaration = getattr(method, "declaration", None)
        if not isinstance(declaration, Declaration) or declaration.kind == "names" or declaration.local:
            raise LayoutError(
                f"the layout's `{name}` is not declared to give a path on the volume",
                fix="put @reads, @writes or @checkpoints before it (from hera_utils import reads, writes, checkpoints)",
            )

        def called(*arguments: Any, **keywords: Any) -> Any:
            paths = method(*arguments, **keywords)
            if isinstance(paths, str):
                return self.path(paths)
            if isinstance(paths, Mapping):
                return {key: self.path(path) for key, path in paths.items()}
            return [self.path(path) for path in paths]

        return called

    def path(self, relative: str) -> str:
        """A path inside the volume as tasks see it."""
        return f"{self._mount_path.rstrip('/')}/{check_path(relative, 'path')}"


def _text(part: object, what: str) -> str:
    text = str(part)
    if part is None or not text.strip() or "\x00" in text or "\n" in text:
        raise LayoutError(f"`{part!r}` cannot be a part of a {what}", fix="give a non-empty text or a number")
    return text.strip() if what == "name" else text


def _quote_words(words: tuple[str, ...]) -> str:
    return " ".join(f"`{word}`" for word in words)
