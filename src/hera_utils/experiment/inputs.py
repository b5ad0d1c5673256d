"""The inputs of an experiment: constants, and parameters that are swept over."""

from __future__ import annotations

import copy
import hashlib
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.conversion import (
    build_instance,
    check_field_types,
    check_same_unit,
    construct,
    convert,
    field_types,
    guess_value,
    split_list,
    unknown_name_error,
)
from hera_utils.experiment.points import Point
from hera_utils.experiment.search import design_of
from hera_utils.experiment.sweeps import Grid, ListedPoints, SelectedPoints, Sweep, grid
from hera_utils.experiment.values import as_json_value, canonical, members_of

__all__ = ["Grid", "Inputs", "Point", "grid"]

_GROUPS = ("constants", "parameters")


@dataclass(frozen=True)
class Inputs:
    """The inputs of an experiment.

    constants: any object with attributes. parameters: a sweep (`grid`, `zipped`, `listed`…), or any object (or mapping) whose
    lists, tuples and ranges are the axes of a grid. Raises SettingsError with the path if a value does not fit its dataclass.
    """

    constants: Any = None
    parameters: Any = field(default_factory=lambda: Grid({}))
    # the points of narrowed inputs, if their parameters are not a Sweep
    _narrowed_sweep: Sweep | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.parameters, Mapping):
            object.__setattr__(self, "parameters", Grid(self.parameters))
        check_field_types(self.constants, "constants")
        check_field_types(self.parameters, "parameters")
        both = sorted({name for name, _ in _attributes(self.constants)}.intersection(self.sweep.axis_names))
        if both:
            raise SettingsError(
                f"{', '.join(both)}: both a constant and an axis of the sweep, so tables and searches cannot tell them apart",
                fix="remove the constant, or give one of them another name",
            )

    @classmethod
    def from_file(cls, path: str | Path, *, constants: type | None = None, parameters: type | None = None) -> Inputs:
        """The inputs of a TOML, YAML, JSON or CSV file (loading.py describes its tables).

        constants, parameters: the dataclasses or pydantic models of these tables; without them values keep the types of the file.
        """
        from hera_utils.experiment.loading import read_inputs

        content, written = read_inputs(path)
        fixed = content.get("constants") or {}
        held = SimpleNamespace(**fixed) if constants is None else build_instance(constants, fixed, f"{path}: constants")
        if "points" in content:
            types = {} if parameters is None else {n: _member_type(t) for n, t in field_types(parameters).items()}
            return cls(held, _points_of_rows(content["points"], types, str(path), written))
        axes = content.get("parameters") or {}
        if parameters is not None:
            return cls(held, build_instance(parameters, axes, f"{path}: parameters"))
        return cls(held, Grid({name: _axis(values) for name, values in axes.items()}))

    @property
    def points(self) -> Sweep:
        """Every point of the sweep, in order; a single one without values if nothing is swept. Created one by one: see Sweep."""
        return self.sweep

    @property
    def sweep(self) -> Sweep:
        """The parameters as a sweep, whatever object holds them."""
        if isinstance(self.parameters, Sweep):
            return self.parameters
        if self._narrowed_sweep is not None:
            return self._narrowed_sweep
        return Grid({name: value for name, value in _attributes(self.parameters) if _is_axis(value)})

    @property
    def grid(self) -> Sweep:
        """The sweep, under its older name, from the time when every sweep was a grid."""
        return self.sweep

    def narrowed(self, points: Iterable[Point]) -> Inputs:
        """These inputs with only these of their points, which keep their ids and names.

        The axes keep the values that occur, in their order; parameters that are not axes do not change.
        """
        narrowed = SelectedPoints(self.sweep, points)
        if isinstance(self.parameters, Sweep) or self.parameters is None:
            return Inputs(self.constants, narrowed)
        holder = copy.copy(self.parameters)
        for name, values in narrowed.axes.items():
            before = getattr(self.parameters, name)
            object.__setattr__(holder, name, tuple(values) if isinstance(before, tuple) else values)
        return Inputs(self.constants, holder, narrowed)

    def changed(self, settings: Sequence[str]) -> Inputs:
        """These inputs with some values set as on a command line: `["vintages=2009,2012", "city=Paris"]`.

        A name is that of a constant or an axis; `constants.` or `parameters.` before it distinguishes two of the same name, and dots lead
        into a nested dataclass (`mesh.size=25`). A value is converted to the declared type of the field, or to the type of its present
        value. Raises SettingsError for an unknown name and for a value that does not fit.
        """
        inputs = self
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals or not name.strip():
                raise SettingsError(f"`{setting}` sets no input", fix="write name=value, such as vintages=2009,2012")
            inputs = inputs._with_value(name.strip(), value)
        return inputs

    def with_file(self, path: str | Path) -> Inputs:
        """These inputs with the values of a file: constants one by one, the sweep as a whole (it must have the same axes)."""
        from hera_utils.experiment.loading import read_inputs

        content, written = read_inputs(path)
        constants = self.constants
        for name, value in (content.get("constants") or {}).items():
            constants = _set_value(constants, [name], value, f"{path}: constants", written=False)
        if "points" not in content and "parameters" not in content:
            return replace(self, constants=constants)
        if "points" in content:
            types = {name: _type_of(values) for name, values in self.sweep.axes.items()}
            points = _points_of_rows(content["points"], types, str(path), written)
            return Inputs(constants, self._with_the_same_axes(points, path))
        if isinstance(self.parameters, Sweep):
            return Inputs(constants, Grid(self._axes_of_file(content["parameters"], path)))
        parameters = self.parameters
        for name, value in content["parameters"].items():
            parameters = _set_value(parameters, [name], value, f"{path}: parameters", written=False)
        return Inputs(constants, parameters)

    def _with_the_same_axes(self, points: ListedPoints, path: str | Path) -> ListedPoints:
        """The points of a file. Raises SettingsError if they do not fit the sweep that they replace."""
        axes = self.sweep.axes
        alike = all(len(point) == len(axes) for point in self.sweep)
        for number, row in enumerate(points if alike else (), 1):
            missing = next((name for name in axes if name not in row), None)
            if missing is not None:
                raise SettingsError(
                    f"{path}: points[{number}] has no `{missing}`", fix=f"give each point {', '.join(axes)}"
                )
        for name, values in points.axes.items():
            check_same_unit(axes[name], values, f"{path}: points.{name}")
        return points

    def _axes_of_file(self, parameters: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
        """The axes of this sweep with a file's values. Raises SettingsError if the file has other axes or other units."""
        axes = self.sweep.axes
        for name in parameters:
            if name not in axes:
                raise unknown_name_error(f"{path}: parameters.{name}", name, axes)
        missing = next((name for name in axes if name not in parameters), None)
        if missing is not None:
            raise SettingsError(f"{path}: parameters.{missing} has no values", fix=f"give {missing} = […]")
        new_axes = {}
        for name, values in axes.items():
            where = f"{path}: parameters.{name}"
            new_axes[name] = _convert_axis(_axis(parameters[name]), _type_of(values), where)
            check_same_unit(values, new_axes[name], where)
        return new_axes

    def as_json(self) -> dict[str, Any]:
        """Constants, axes and the number of points as JSON, for the record of a run. Of a search only the points that are known."""
        sweep = self.sweep
        design = design_of(sweep)
        return {
            **({} if design is None else {"search": design.as_json()}),
            "constants": {name: as_json_value(value) for name, value in _attributes(self.constants)},
            "parameters": {name: as_json_value(values) for name, values in sweep.axes.items()},
            "sweep": sweep.description,
            "points": len(sweep),
        }

    def with_constant(self, name: str, value: Any) -> Inputs:
        """These inputs with another value of one constant."""
        return replace(self, constants=_replace_field(self.constants, name, value, "constants"))

    @property
    def fixed(self) -> dict[str, Any]:
        """The constants by name."""
        return dict(_attributes(self.constants))

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that two inputs share only if all their constants and points are the same; for a search, if all its
        constants and its design are.
        """
        digest = hashlib.blake2b(_constants_text(self.constants).encode("utf-8", "surrogatepass"), digest_size=8)
        design = design_of(self.sweep)
        ids = [canonical(design.as_json())] if design is not None else sorted(point.id for point in self.sweep)
        for point in ids:
            digest.update(point.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _with_value(self, name: str, value: str) -> Inputs:
        group, _, rest = name.partition(".")
        steps = rest.split(".") if group in _GROUPS and rest else name.split(".")
        there = {"constants": dict(_attributes(self.constants)), "parameters": self._settable}
        if group not in _GROUPS or not rest:
            holders = [holder for holder in _GROUPS if steps[0] in there[holder]]
            if not holders:
                raise unknown_name_error(name, steps[0], [*there["constants"], *there["parameters"]])
            if len(holders) > 1:
                raise SettingsError(
                    f"`{name}` is both a constant and a parameter", fix=f"write constants.{name} or parameters.{name}"
                )
            group = holders[0]
        elif steps[0] not in there[group]:
            raise unknown_name_error(name, steps[0], list(there[group]))
        if group == "constants":
            return replace(self, constants=_set_value(self.constants, steps, value, "constants", written=True))
        if not isinstance(self.parameters, Sweep):
            return Inputs(self.constants, _set_value(self.parameters, steps, value, "parameters", written=True))
        path, before = f"parameters.{name}", self.sweep.axes[steps[0]]
        values = _convert_axis(value, _type_of(before), path, written=True)
        check_same_unit(before, values, path)
        return replace(self, parameters=self.parameters.with_axis(steps[0], values))

    @property
    def _settable(self) -> Mapping[str, Any]:
        return self.parameters.axes if isinstance(self.parameters, Sweep) else dict(_attributes(self.parameters))

    def _repr_html_(self) -> str:
        from hera_utils.experiment.notebook import html_of_inputs

        return html_of_inputs(dict(_attributes(self.constants)), self.sweep._repr_html_())


def _set_value(holder: Any, steps: Sequence[str], value: Any, path: str, *, written: bool) -> Any:
    """A copy of the holder with another value of the field to which the steps lead. path: that of the holder, for errors."""
    name, rest = steps[0], steps[1:]
    fieldwise = dict(_attributes(holder))
    where = f"{path}.{name}"
    if name not in fieldwise:
        raise unknown_name_error(where, name, fieldwise)
    if rest:
        return _replace_field(holder, name, _set_value(fieldwise[name], rest, value, where, written=written), path)
    model = hasattr(type(holder), "model_validate")
    declared_type = field_types(type(holder))[name] if model or is_dataclass(holder) else Any
    if declared_type is Any:
        declared_type = _type_of([fieldwise[name]])
    if model:  # a pydantic model converts its values itself
        if written and _is_axis(fieldwise[name]):
            value, _ = split_list(value, where)
        return build_instance(type(holder), {**holder.model_dump(), name: value}, path)
    changed = convert(value, declared_type, where, written=written)
    check_same_unit(fieldwise[name], changed, where)
    return _replace_field(holder, name, changed, path)


def _replace_field(holder: Any, name: str, value: Any, path: str) -> Any:
    if is_dataclass(holder) and not isinstance(holder, type):
        if not next(declared.init for declared in fields(holder) if declared.name == name):
            raise SettingsError(f"{path}.{name} is computed from others", fix="set those")
        return construct(lambda: replace(holder, **{name: value}), path)
    if isinstance(holder, Mapping):
        return {**holder, name: value}
    if hasattr(type(holder), "model_validate"):
        return build_instance(type(holder), {**holder.model_dump(), name: value}, path)
    changed = copy.copy(holder)
    setattr(changed, name, value)
    return changed


def _type_of(values: Sequence[Any]) -> Any:
    """The common type of the values, to which new ones are converted; Any if they have several types, or only None."""
    kinds = {type(value) for value in values}
    if type(None) in kinds and len(kinds) > 1:
        rest = _type_of([value for value in values if value is not None])
        return rest if rest is Any else typing.Optional[rest]  # noqa: UP045  `rest | None` fails for some kinds
    if kinds == {int, float}:
        return float
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind in (list, tuple):
        members = [member for value in values for member in value]
        return list[_type_of(members)] if members else list  # type: ignore[misc]
    return Any if kind in (None, type(None)) else kind


def _member_type(kind: Any) -> Any:
    """The type of one value of an axis that is declared as a list of them."""
    inner = typing.get_args(kind)
    return inner[0] if typing.get_origin(kind) in (list, tuple, Sequence) and inner else kind


def _points_of_rows(rows: Any, types: Mapping[str, Any], path: str, written: bool) -> ListedPoints:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise SettingsError(
            f"{path}: points are not a list of tables", fix="write [[points]] before each (TOML), or a list"
        )
    converted_rows = []
    for number, row in enumerate(rows, 1):
        for name in row:
            if types and name not in types:
                raise unknown_name_error(f"{path}: points[{number}].{name}", str(name), list(types))
        where = f"{path}: points[{number}]"
        converted_rows.append(
            {
                name: convert(value, types[name], f"{where}.{name}", written=written)
                if name in types
                else (guess_value(value) if written else value)
                for name, value in row.items()
            }
        )
    return ListedPoints(converted_rows, what=path)


def _convert_axis(values: Any, kind: Any, path: str, *, written: bool = False) -> Any:
    return convert(values, list[kind], path, written=written)


def _axis(values: Any) -> Any:
    """The values of an axis in a file; a single value is an axis of one value."""
    return values if isinstance(values, list) else [values]


def _is_axis(value: Any) -> bool:
    return isinstance(value, list | tuple | range)


def _constants_text(constants: Any) -> str:
    """Constants as a text; an object that is no plain value by its repr, without the address, which differs in each process."""
    texts = []
    for name, value in sorted(_attributes(constants)):
        try:
            words = canonical(value)
        except SettingsError:
            words = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
        texts.append(f"{name}={words}")
    return ";".join(texts)


def _attributes(holder: Any) -> Iterator[tuple[str, Any]]:
    if holder is None:
        return
    members = members_of(holder)
    if members is None:
        members = dict(holder) if isinstance(holder, Mapping) else getattr(holder, "__dict__", {})
    for name, value in members.items():
        if not name.startswith("_"):
            yield name, value
