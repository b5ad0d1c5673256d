"""Checks a layout over all points before anything is submitted. Pure.

Only the 64-bit hashes of paths and names are kept, so that 100,000 points take a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hera_utils.argo.names import label_faults
from hera_utils.errors import LayoutError
from hera_utils.experiment.declarations import Declaration, declarations_of_kind
from hera_utils.experiment.layout_paths import HasConstants, files_of
from hera_utils.experiment.points import Point

if TYPE_CHECKING:
    from hera_utils.experiment.inputs import Inputs

MOST_PROBLEMS = 20


def find_problems(layout: HasConstants, inputs: Inputs) -> list[LayoutError]:
    """The first twenty different problems: see Layout.problems."""
    by_message: dict[str, LayoutError] = {}
    for problem in _Check(layout, inputs).faults():
        by_message.setdefault(problem.message, problem)
        if len(by_message) >= MOST_PROBLEMS:
            break
    return list(by_message.values())


class _Check:
    """One pass over all points, which remembers the paths and names of earlier ones."""

    def __init__(self, layout: HasConstants, inputs: Inputs) -> None:
        self._layout, self._inputs = layout, inputs
        self._writers: dict[int, int] = {}  # hash of a path → hash of the method and the point that write it
        # (a naming method, hash of a name) → hash of the values that gave the name
        self._values_of_names: dict[tuple[str, int], int] = {}
        self._calls: set[tuple[str, int]] = set()  # (method, hash of its arguments) of calls that need not be repeated

    def faults(self) -> Iterator[LayoutError]:
        files = [
            declaration
            for kind in ("writes", "reads", "checkpoints")
            for declaration in declarations_of_kind(type(self._layout), kind)
        ]
        names = declarations_of_kind(type(self._layout), "names")
        if not (files or names):
            return
        for number, point in enumerate(self._inputs.points):
            for declaration in files:
                try:
                    yield from self._check_files(declaration, number, point)
                except LayoutError as error:
                    yield error
            for declaration in names:
                try:
                    yield from self._check_name(declaration, point)
                except LayoutError as error:
                    yield error

    def _check_files(self, declaration: Declaration, number: int, point: Point) -> Iterator[LayoutError]:
        """Problems of the files that a method gives for a point: illegal paths (raised), and paths that another writer writes too."""
        if declaration.shared or declaration.kind == "reads" or not declaration.depends(point):
            call = (declaration.method, self._values(declaration, point))
            if call in self._calls:
                return
            self._calls.add(call)
            writer = hash(call)
        else:
            writer = hash((declaration.method, number))
        for file in files_of(self._layout, declaration, point):
            if declaration.kind == "writes" and self._writers.setdefault(hash(file.path), writer) != writer:
                yield self._check_collision(declaration, point, file.path)

    def _check_name(self, declaration: Declaration, point: Point) -> Iterator[LayoutError]:
        name = getattr(self._layout, declaration.method)(**declaration.arguments(point, self._layout.constants))
        if not isinstance(name, str) or label_faults(name):
            yield LayoutError(
                f"the layout's `{declaration.method}` returns {name!r}, which is not a legal name of a task or container",
                fix="return self.name(…): lower case letters, digits and hyphens, at most 63",
            )
            return
        values = self._values(declaration, point)
        if self._values_of_names.setdefault((declaration.method, hash(name)), values) != values:
            yield LayoutError(
                f"the layout's `{declaration.method}` returns `{name}` for {point.name} and for an earlier point",
                fix="make the name depend on their values, for example with point.name",
            )

    def _values(self, declaration: Declaration, point: Point) -> int:
        """A hash of the method's arguments for the point."""
        arguments = declaration.arguments(point, self._layout.constants)
        own = hash(Point({name: value for name, value in arguments.items() if name != "point"}))
        return own ^ hash(point) if "point" in arguments else own

    def _check_collision(self, declaration: Declaration, point: Point, path: str) -> LayoutError:
        """The error for a path that is written twice. The first writer is searched again, because only hashes were kept."""
        for earlier in self._inputs.points:
            for other in declarations_of_kind(type(self._layout), "writes"):
                if other == declaration and earlier == point:
                    continue
                try:
                    writes = any(file.path == path for file in files_of(self._layout, other, earlier))
                except LayoutError:
                    continue
                if writes and other.method != declaration.method:
                    return LayoutError(
                        f"the layout's `{other.method}` and `{declaration.method}` both write `{path}`",
                        fix="give each a folder or a file name of its own",
                    )
                if writes:
                    return LayoutError(
                        f"the points {earlier.name} and {point.name} both write `{path}` (the layout's `{declaration.method}`)",
                        fix=_apart(declaration, point, earlier),
                    )
        return LayoutError(
            f"`{path}` is written twice (the layout's `{declaration.method}`)", fix="make them different"
        )


def _apart(declaration: Declaration, point: Point, earlier: Point) -> str:
    """The fix: how to make the paths of the two points different."""
    left_out = [axis for axis in point if point[axis] != earlier[axis] and axis not in declaration.required]
    if not left_out or "point" in declaration.required:
        return "make the path depend on their values"
    return f"let it depend on {' and '.join(f'`{axis}`' for axis in left_out)} too, or say @writes(shared=True)"
