"""Converts values of a file or a command line to the types that inputs declare, and says what does not fit. Pure.

A value is *written* (a text: `--set`, a cell of a CSV file) or *plain* (a value of TOML, YAML or JSON). Written values are parsed;
plain values must have the type already, except for types that these formats do not have: dates and times, paths, decimals,
enumerations, quantities. A whole number is accepted as a float.

Errors begin with the path: `constants.mesh.size: `fine` is no number`.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union

from hera_utils.errors import SettingsError
from hera_utils.experiment.values import Quantity
from hera_utils.wording import did_you_mean

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LITERALS = {"true": True, "false": False, "null": None}  # as in JSON, YAML and the arguments of tasks
_TYPE_WORDS = {int: "whole number", float: "number", bool: "boolean (`true` or `false`)", str: "text"}
_PARSED: dict[type, tuple[str, Callable[[str], Any]]] = {
    datetime.datetime: ("date and time such as 2026-11-23T12:30:00", datetime.datetime.fromisoformat),
    datetime.date: ("date such as 2026-11-23", datetime.date.fromisoformat),
    datetime.time: ("time such as 12:30", datetime.time.fromisoformat),
    decimal.Decimal: ("decimal number", decimal.Decimal),
    Quantity: ("number with a unit such as `25 m`", Quantity.parse),
}


def convert(value: Any, target: Any, path: str, *, written: bool = False) -> Any:
    """The value converted to the type. Raises SettingsError with the path if it does not fit. An unknown type accepts any value."""
    origin, inner = typing.get_origin(target), typing.get_args(target)
    if target in (Any, None) or isinstance(target, str | typing.TypeVar):
        return guess_value(value) if written else value
    if origin is typing.Annotated:
        return convert(value, inner[0], path, written=written)
    if origin in (Union, types.UnionType):
        return _convert_union(value, inner, path, written)
    if origin is Literal:
        return _convert_choice(value, {str(choice): choice for choice in inner}, path)
    kind = origin or target
    if not isinstance(kind, type):
        return guess_value(value) if written else value
    if issubclass(kind, Mapping) or kind is dict:
        return _convert_mapping(value, inner, path, written)
    if issubclass(kind, list | tuple | set | frozenset) or kind in (Sequence, typing.get_origin(typing.Iterable[int])):
        return _convert_sequence(value, kind, inner, path, written)
    if dataclasses.is_dataclass(kind) and kind is not Quantity or hasattr(kind, "model_validate"):
        return value if isinstance(value, kind) else build_instance(kind, value, path, written=written)
    return _convert_scalar(value, kind, path, written)


def _convert_scalar(value: Any, kind: type, path: str, written: bool) -> Any:
    if issubclass(kind, enum.Enum):
        if isinstance(value, kind):
            return value
        return _convert_choice(
            value, {str(member.value): member for member in kind} | {member.name: member for member in kind}, path
        )
    if kind is bool:
        if written and str(value).strip().lower() in _WORDS:
            return _WORDS[str(value).strip().lower()]
        return _check_type(value, bool, isinstance(value, bool), path)
    if kind is int:
        return _convert_number(int, value, path) if written else _check_type(value, int, type(value) is int, path)
    if kind is float:
        if written:
            return _convert_number(float, value, path)
        _check_type(value, float, isinstance(value, int | float) and not isinstance(value, bool), path)
        return float(value)
    if kind is str:
        return _check_type(value, str, isinstance(value, str), path)
    if issubclass(kind, pathlib.PurePath):
        return kind(_check_type(value, str, isinstance(value, str | pathlib.PurePath), path))
    if kind in _PARSED:
        return _parse(value, kind, path)
    if value is None and kind is type(None):
        return None
    return guess_value(value) if written else value


def _convert_number(kind: type, value: Any, path: str) -> Any:
    text = str(value).strip()
    try:
        return kind(text)
    except ValueError:
        pass
    return _check_type(value, kind, False, path)


def _check_type(value: Any, kind: type, fits: bool, path: str) -> Any:
    if not fits:
        raise SettingsError(f"{path}: `{value}` is not a {_TYPE_WORDS[kind]}", fix=f"give a {_TYPE_WORDS[kind]}")
    return value


def _parse(value: Any, kind: type, path: str) -> Any:
    expected, parse = _PARSED[kind]
    # for Python a datetime is also a date, for users it is not
    if isinstance(value, kind) and not (kind is datetime.date and isinstance(value, datetime.datetime)):
        return value
    if kind is decimal.Decimal and isinstance(value, int | float) and not isinstance(value, bool):
        return decimal.Decimal(str(value))
    try:
        if isinstance(value, str):
            return parse(value.strip())
    except (ValueError, decimal.InvalidOperation, SettingsError):
        pass
    raise SettingsError(f"{path}: `{value}` is not a {expected}", fix=f"give a {expected}")


def _convert_choice(value: Any, choices: Mapping[str, Any], path: str) -> Any:
    text = value.strip() if isinstance(value, str) else str(value)
    if text in choices and (isinstance(value, str) or value in (choices[text], getattr(choices[text], "value", None))):
        return choices[text]
    raise SettingsError(
        f"{path}: `{value}` is not one of {', '.join(choices)}{did_you_mean(text, choices)}", fix="give one of them"
    )


def _convert_union(value: Any, members: tuple[Any, ...], path: str, written: bool) -> Any:
    others = [member for member in members if member is not type(None)]
    if type(None) in members and (value is None or (written and str(value).strip().lower() in ("", "none", "null"))):
        return None
    first: SettingsError | None = None
    for member in sorted(others, key=lambda member: member is str):  # str last: every written value is a text
        try:
            return convert(value, member, path, written=written)
        except SettingsError as error:
            first = first or error
    raise first or SettingsError(f"{path}: `{value}` has the wrong type", fix=None)


def _convert_sequence(value: Any, kind: type, inner: tuple[Any, ...], path: str, written: bool) -> Any:
    if written and isinstance(value, str):
        value, written = split_list(value, path)
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence | set | frozenset):
        raise SettingsError(f"{path}: `{value}` is not a list", fix=f"write a list, such as [{value!r}]")
    members = list(value)
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        if len(members) != len(inner):
            raise SettingsError(f"{path}: {len(members)} values, expected {len(inner)}", fix="give exactly as many")
        item_types = list(inner)
    else:
        item_types = [inner[0] if inner else Any] * len(members)
    converted_items = [
        convert(member, one, f"{path}[{index}]", written=written)
        for index, (member, one) in enumerate(zip(members, item_types, strict=True))
    ]
    return converted_items if kind not in (tuple, set, frozenset) else kind(converted_items)


def _convert_mapping(mapping: Any, inner: tuple[Any, ...], path: str, written: bool) -> Any:
    if written and isinstance(mapping, str):
        mapping, written = _from_json(mapping, path), False
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"{path}: `{mapping}` is not a table of names and values", fix='write {"name": value}')
    value_type = inner[1] if len(inner) == 2 else Any
    return {key: convert(value, value_type, f"{path}.{key}", written=written) for key, value in mapping.items()}


def split_list(written: str, path: str) -> tuple[list[Any], bool]:
    """(the members of a list on a command line, whether they are written): `2009,2012` (written), or JSON: `["a, b", "c"]`."""
    if written.lstrip().startswith("["):
        return list(_from_json(written, path)), False
    if not written.strip():
        return [], True
    return [cell.strip() for cell in next(csv.reader([written], skipinitialspace=True))], True


def _from_json(written: str, path: str) -> Any:
    try:
        return json.loads(written)
    except ValueError as error:
        raise SettingsError(f"{path}: `{written}` is not JSON ({error})", fix="check brackets and quotes") from None


def guess_value(written: Any) -> Any:
    """The value of a text without a declared type: a whole number (`2009`, not `007`), a number, `true`, `false`, `null`, or the text."""
    if not isinstance(written, str):
        return written
    text = written.strip()
    if text in _LITERALS:
        return _LITERALS[text]
    digits = text.lstrip("+-")
    if not digits[:1].isdecimal() and digits[:1] != ".":
        return text
    if digits.isdecimal() and (digits == "0" or not digits.startswith("0")):
        return int(text)
    try:
        return float(text) if not (digits.startswith("0") and digits[1:2].isdecimal()) and "_" not in text else text
    except ValueError:
        return text


def field_types(kind: type) -> dict[str, Any]:
    """The fields of a dataclass or a pydantic model and their types; a type whose name cannot be resolved is Any."""
    if hasattr(kind, "model_fields"):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError, AttributeError):  # a class inside a function may use names of that function
        hints = {}
    return {field.name: hints.get(field.name, Any) for field in dataclasses.fields(kind)}


def build_instance(kind: type, raw: Any, path: str, *, written: bool = False) -> Any:
    """A dataclass or a pydantic model from a mapping. Raises SettingsError with the path of what is missing, unknown or does not fit."""
    if written and isinstance(raw, str):
        raw, written = _from_json(raw, path), False
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{path}: `{raw}` is not a table of names and values", fix="give its fields by name")
    wanted = field_types(kind)
    for name in raw:
        if name not in wanted:
            raise unknown_name_error(f"{path}.{name}", name, wanted)
    if hasattr(kind, "model_validate"):
        return _build_model(kind, raw, path)
    values = {name: convert(value, wanted[name], f"{path}.{name}", written=written) for name, value in raw.items()}
    for field in dataclasses.fields(kind):
        if isinstance(values.get(field.name), Quantity):
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            check_same_unit(default, values[field.name], f"{path}.{field.name}")
        bare = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and bare and field.name not in values:
            raise SettingsError(f"{path}.{field.name} has no value", fix=f"give one: {field.name} = …")
    return construct(lambda: kind(**values), path)


def check_same_unit(before: Any, now: Any, path: str) -> None:
    """Raise SettingsError if a quantity replaces one with another unit: units are never converted."""
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        for index, item in enumerate(now):
            check_same_unit(before[0] if before else None, item, f"{path}[{index}]")
    elif isinstance(before, Quantity) and isinstance(now, Quantity) and before.unit != now.unit:
        raise SettingsError(
            f"{path}: `{now}` is in `{now.unit}`, but the value is defined in `{before.unit}`",
            fix=f"give it in `{before.unit}`: units are never converted",
        )


def construct(make: Callable[[], Any], path: str) -> Any:
    """The object of a user's own class. If the class refuses its values, that is the user's mistake: raises SettingsError with the path."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{path}: {error}", fix="change the value where it is given") from error


def _build_model(kind: Any, values: Mapping[str, Any], path: str) -> Any:
    try:
        return kind.model_validate(dict(values))
    except ValueError as error:  # pydantic's errors are ValueErrors
        problems: list[Any] = getattr(error, "errors", list)()
        if not problems:
            raise SettingsError(f"{path}: {error}", fix="change the value where it is given") from error
        where = ".".join([path, *(str(piece) for piece in problems[0]["loc"])])
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise SettingsError(f"{where}: {problems[0]['msg']}{more}", fix="change the value where it is given") from error


def check_field_types(holder: Any, path: str) -> None:
    """Raise SettingsError if a field of a dataclass has a value that does not fit its type, even the field's own default. A default of
    None means "not given" and fits every type.
    """
    if not dataclasses.is_dataclass(holder) or isinstance(holder, type):
        return
    types = field_types(type(holder))
    for field in dataclasses.fields(holder):
        value = getattr(holder, field.name)
        if value is None is field.default or types[field.name] is Any:
            continue
        if dataclasses.is_dataclass(value):
            check_field_types(value, f"{path}.{field.name}")
        elif not isinstance(value, range):  # a range is an axis and fits every list
            convert(
                list(value) if isinstance(value, tuple) else value,
                _accepted_type(types[field.name]),
                f"{path}.{field.name}",
            )


def _accepted_type(kind: Any) -> Any:
    """The type to compare with: values that are given in Python may be a list for a tuple, and a tuple for a list."""
    if typing.get_origin(kind) is tuple and typing.get_args(kind)[-1:] == (Ellipsis,):
        return list[typing.get_args(kind)[0]]  # type: ignore[misc]
    return kind


def unknown_name_error(where: str, name: str, names: Mapping[str, Any] | Sequence[str]) -> SettingsError:
    """The error for a name that is not among the known ones."""
    return SettingsError(
        f"{where}: the experiment has no such input{did_you_mean(name, names)}",
        fix=f"the inputs are: {', '.join(names) or 'none'}",
    )
