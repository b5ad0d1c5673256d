"""What is wrong with a layout, over all points, before anything is submitted. Pure.

Paths and names are kept as their 64-bit hashes, so that 100,000 points take a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hera_utils.argo.names import label_faults
from hera_utils.errors import LayoutError
from hera_utils.experiment.declarations import Declaration, declared
from hera_utils.experiment.layout_paths import WithConstants, files_of
from hera_utils.experiment.points import Point

if TYPE_CHECKING:
    from hera_utils.experiment.inputs import Inputs

MOST_PROBLEMS = 20


def problems(layout: WithConstants, inputs: Inputs) -> list[LayoutError]:
    """The first twenty findings: see Layout.problems. Two that say the same are one."""
    by_message: dict[str, LayoutError] = {}
    for problem in _faults(layout, inputs):
        by_message.setdefault(problem.message, problem)
        if len(by_message) >= MOST_PROBLEMS:
            break
    return list(by_message.values())


def _faults(layout: WithConstants, inputs: Inputs) -> Iterator[LayoutError]:
    writes, name_methods = declared(type(layout), "writes"), declared(type(layout), "names")
    folders = declared(type(layout), "checkpoints")
    if not (writes or name_methods or folders or declared(type(layout), "reads")):
        return
    written: dict[int, int] = {}  # hash of a path → hash of who writes it
    names: dict[tuple[str, int], int] = {}  # a naming method, hash of a name → hash of the values that it is made of
    visited: set[tuple[str, int]] = set()  # a method that does not depend on the whole point gives the same again
    files = (*writes, *declared(type(layout), "reads"), *folders)
    for number, point in enumerate(inputs.points):
        for declaration in files:
            try:
                if declaration.shared or declaration.kind == "reads" or not declaration.depends(point):
                    key = (declaration.method, _values(layout, declaration, point))
                    if key in visited:
                        continue
                    visited.add(key)
                    writer = hash(key)
                else:
                    writer = hash((declaration.method, number))
                for file in files_of(layout, declaration, point):
                    # what is read is read by many: that its path is legal is all there is to say
                    if declaration.kind == "writes" and written.setdefault(hash(file.path), writer) != writer:
                        yield _collision(layout, declaration, point, file.path, inputs)
            except LayoutError as error:
                yield error
        for declaration in name_methods:
            try:
                yield from _names(layout, declaration, point, names)
            except LayoutError as error:
                yield error


def _values(layout: WithConstants, declaration: Declaration, point: Point) -> int:
    given = declaration.arguments(point, layout.constants)
    return hash(Point({name: value for name, value in given.items() if name != "point"})) ^ (
        hash(point) if "point" in given else 0
    )


def _collision(layout: WithConstants, declaration: Declaration, point: Point, path: str, inputs: Inputs) -> LayoutError:
    """The same path twice: who wrote it first is looked for, now that it has to be told."""
    for earlier in inputs.points:
        for other in declared(type(layout), "writes"):
            if other == declaration and earlier == point:
                continue
            try:
                shares = any(file.path == path for file in files_of(layout, other, earlier))
            except LayoutError:
                continue
            if shares and other.method != declaration.method:
                return LayoutError(
                    f"the layout's `{other.method}` and `{declaration.method}` both write `{path}`",
                    fix="give each a folder or a file name of its own",
                )
            if shares:
                left_out = [axis for axis in point if point[axis] != earlier[axis] and axis not in declaration.required]
                fix = (
                    f"let it depend on {' and '.join(f'`{axis}`' for axis in left_out)} too, or say @writes(shared=True)"
                    if left_out and "point" not in declaration.required
                    else "make the path depend on their values"
                )
                return LayoutError(
                    f"the points {earlier.name} and {point.name} both write `{path}` (the layout's `{declaration.method}`)",
                    fix=fix,
                )
    return LayoutError(f"`{path}` is written twice (the layout's `{declaration.method}`)", fix="make them different")


def _names(
    layout: WithConstants, declaration: Declaration, point: Point, names: dict[tuple[str, int], int]
) -> Iterator[LayoutError]:
    name = getattr(layout, declaration.method)(**declaration.arguments(point, layout.constants))
    if not isinstance(name, str) or label_faults(name):
        yield LayoutError(
            f"the layout's `{declaration.method}` returns {name!r}, which is not a legal name of a task or container",
            fix="return self.name(…): lower case letters, digits and hyphens, at most 63",
        )
        return
    values = _values(layout, declaration, point)
    if names.setdefault((declaration.method, hash(name)), values) != values:
        yield LayoutError(
            f"the layout's `{declaration.method}` returns `{name}` for {point.name} and to an earlier point",
            fix="make the name depend on their values, for example with point.name",
        )
