"""Declares what a layout's methods give: files that a task reads, files that it writes, names. Pure.

class ExperimentLayout(Layout):
    @reads
    def incomes(self): return self.path("inputs", "us_income.csv")                 # every point reads it

    @writes
    def table(self, vintages, boroughs): return self.path("collect", vintages, f"{boroughs}.json")   # one for each point

    @writes
    def summary(self): return self.path("summary.csv")                             # one for the whole run

    @writes(shared=True)
    def year(self, vintages): return self.path("collect", vintages)                # a folder into which several points write

    @names
    def task(self, vintages, boroughs): return self.name("collect", vintages, boroughs)

    @checkpoints
    def state(self, point): return self.path("checkpoints", point.name)            # where a task saves its state while it computes

The arguments of a declared method have the name of an axis, of a constant, or `point`. It can be called with them or with a point:
`layout.table(2009, "LYON_1")` is `layout.table(point)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from hera_utils.errors import LayoutError
from hera_utils.experiment.checkpoints import mark_path
from hera_utils.experiment.points import Point
from hera_utils.experiment.values import members_of
from hera_utils.wording import did_you_mean

Kind = Literal["reads", "writes", "names", "checkpoints"]
Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declaration:
    """A declared method of a layout. required: the names of its arguments; optional: those of them with a default.

    shared: several points write there. local: the file is on the computer that submits, not on the volume.
    """

    kind: Kind
    method: str
    required: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    shared: bool = False
    local: bool = False

    def depends(self, axes: Mapping[str, Any]) -> bool:
        """Whether its result differs from point to point."""
        return any(name == "point" or name in axes for name in self.required)

    def arguments(self, point: Point, constants: Any) -> dict[str, Any]:
        """Its arguments for a point. Raises LayoutError for a name that is neither an axis nor a constant."""
        values = point._values
        try:
            return {name: values[name] for name in self.required}
        except KeyError:
            return self._gather_arguments(point, constants)

    def _gather_arguments(self, point: Point, constants: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name in self.required:
            if name in point:
                arguments[name] = point[name]
            elif name == "point":
                arguments[name] = point
            elif name in (fixed := _constants(constants)):
                arguments[name] = fixed[name]
            elif name not in self.optional:
                hint = did_you_mean(name, (*point, *fixed))
                raise LayoutError(
                    f"the layout's `{self.method}` has the argument `{name}`, which is neither an axis nor a "
                    f"constant{hint}",
                    fix=f"name its arguments after axes ({', '.join(point) or 'none'}), constants, or `point`",
                )
        return arguments


def _constants(constants: Any) -> Mapping[str, Any]:
    if constants is None:
        return {}
    if isinstance(constants, Mapping):
        return constants
    return members_of(constants) or vars(constants)


@overload
def reads(method: Method) -> Method: ...
@overload
def reads(*, local: bool = False) -> Callable[[Method], Method]: ...
def reads(method: Any = None, *, local: bool = False) -> Any:
    """Declares that a layout's method gives the path of a file, or of several, that a task reads.

    local: the path is relative to the experiment's script, on the computer that submits; the workflow carries the file with it.
    """
    return _declare(method, "reads", local=local)


@overload
def writes(method: Method) -> Method: ...
@overload
def writes(*, shared: bool = False) -> Callable[[Method], Method]: ...
def writes(method: Any = None, *, shared: bool = False) -> Any:
    """Declares that a layout's method gives the path of a file or folder, or of several, that a task writes.

    If the path depends on the point, only that point writes it, and a point whose outputs exist is done. shared: several points write
    into the folder, so its existence does not mean that any of them is done.
    """
    return _declare(method, "writes", shared=shared)


def names(method: Method) -> Method:
    """Declares that a layout's method names a task or a container; checks that names are legal and differ for different values."""
    declared_method: Method = _declare(method, "names")
    return declared_method


def checkpoints(method: Method) -> Method:
    """Declares that a layout's method gives the folder in which a point saves its state while it is computed. Call it with the point.

    A later attempt of the point finds what was saved: in a retry, and in a resumed run if nothing that the point depends on has changed.
    The folder is removed when the point has succeeded.
    """
    declared_method: Method = _declare(method, "checkpoints")
    return declared_method


def _declare(method: Any, kind: Kind, *, shared: bool = False, local: bool = False) -> Any:
    if method is None:
        return functools.partial(_declare, kind=kind, shared=shared, local=local)
    required, optional = [], set()
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        required.append(name)
        if parameter.default is not parameter.empty:
            optional.add(name)
    declaration = Declaration(kind, method.__name__, tuple(required), frozenset(optional), shared, local)

    @functools.wraps(method)
    def called(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if kind == "checkpoints":
            return _folder_of_point(method, declaration, self, [*arguments, *keywords.values()])
        if len(arguments) == 1 and not keywords and isinstance(arguments[0], Point) and required != ["point"]:
            return method(self, **declaration.arguments(arguments[0], self.constants))
        return method(self, *arguments, **keywords)

    called.declaration = declaration  # type: ignore[attr-defined]
    return called


def _folder_of_point(method: Any, declaration: Declaration, layout: Any, arguments: list[Any]) -> str:
    if len(arguments) != 1 or not isinstance(arguments[0], Point):
        raise LayoutError(
            f"the layout's `{declaration.method}` was called without the point whose checkpoints are meant",
            fix=f"call it with the point: layout.{declaration.method}(point)",
        )
    return mark_path(method(layout, **declaration.arguments(arguments[0], layout.constants)), arguments[0])


def declarations(layout: type) -> dict[str, Declaration]:
    """The declared methods of a layout's class, those of its parents first, in the order in which they are written."""
    by_name: dict[str, Declaration] = {}
    for holder in reversed(layout.__mro__):
        for name, value in vars(holder).items():
            declaration = getattr(value, "declaration", None)
            if isinstance(declaration, Declaration):
                by_name[name] = declaration
            else:
                by_name.pop(name, None)  # a subclass overrides the method without declaring it
    return by_name


def declarations_of_kind(layout: type, kind: Kind) -> tuple[Declaration, ...]:
    """The methods of a layout's class with this kind of declaration, in the order of `declarations`."""
    return _group_by_kind(layout)[kind]


@functools.lru_cache(maxsize=256)
def _group_by_kind(layout: Any) -> dict[Kind, tuple[Declaration, ...]]:
    kinds: tuple[Kind, ...] = ("reads", "writes", "names", "checkpoints")
    every = declarations(layout).values()
    return {kind: tuple(declaration for declaration in every if declaration.kind == kind) for kind in kinds}
