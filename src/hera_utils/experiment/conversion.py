"""From what a file or a command line says to the type that an input declares, and the sentence for what does not fit. Pure.

A value is *written* (a text: `--set`, a cell of a CSV file) or *plain* (what TOML, YAML and JSON hold). Written ones are parsed;
plain ones must have the type already, save what these formats cannot hold: dates and times, paths, decimals, enumerations,
quantities. A number without a fraction stands for a float.

Errors say where: `constants.mesh.size: `fine` is no number`.
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
from difflib import get_close_matches
from typing import Any, Literal, Union

from hera_utils.errors import SettingsError
from hera_utils.experiment.values import Quantity

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LITERALS = {"true": True, "false": False, "null": None}  # as JSON, YAML and what a task is given write them
_TOLD = {int: "whole number", float: "number", bool: "boolean (`true` or `false`)", str: "text"}
_PARSED: dict[type, tuple[str, Callable[[str], Any]]] = {
    datetime.datetime: ("date and time such as 2026-11-23T12:30:00", datetime.datetime.fromisoformat),
    datetime.date: ("date such as 2026-11-23", datetime.date.fromisoformat),
    datetime.time: ("time such as 12:30", datetime.time.fromisoformat),
    decimal.Decimal: ("decimal number", decimal.Decimal),
    Quantity: ("number with a unit such as `25 m`", Quantity.parse),
}


def converted(given: Any, wanted: Any, path: str, *, written: bool = False) -> Any:
    """The value as the type says; SettingsError with the path where it does not fit. A type that is not known takes anything."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted in (Any, None) or isinstance(wanted, str | typing.TypeVar):
        return guessed(given) if written else given
    if origin is typing.Annotated:
        return converted(given, inner[0], path, written=written)
    if origin in (Union, types.UnionType):
        return _of_union(given, inner, path, written)
    if origin is Literal:
        return _of_choices(given, {str(one): one for one in inner}, path)
    kind = origin or wanted
    if not isinstance(kind, type):
        return guessed(given) if written else given
    if issubclass(kind, Mapping) or kind is dict:
        return _of_mapping(given, inner, path, written)
    if issubclass(kind, list | tuple | set | frozenset) or kind in (Sequence, typing.get_origin(typing.Iterable[int])):
        return _of_sequence(given, kind, inner, path, written)
    if dataclasses.is_dataclass(kind) and kind is not Quantity or hasattr(kind, "model_validate"):
        return given if isinstance(given, kind) else built(kind, given, path, written=written)
    return _of_scalar(given, kind, path, written)


def _of_scalar(given: Any, kind: type, path: str, written: bool) -> Any:
    if issubclass(kind, enum.Enum):
        if isinstance(given, kind):
            return given
        return _of_choices(given, {str(one.value): one for one in kind} | {one.name: one for one in kind}, path)
    if kind is bool:
        if written and str(given).strip().lower() in _WORDS:
            return _WORDS[str(given).strip().lower()]
        return _the(given, bool, isinstance(given, bool), path)
    if kind is int:
        return _number(int, given, path) if written else _the(given, int, type(given) is int, path)
    if kind is float:
        if written:
            return _number(float, given, path)
        _the(given, float, isinstance(given, int | float) and not isinstance(given, bool), path)
        return float(given)
    if kind is str:
        return _the(given, str, isinstance(given, str), path)
    if issubclass(kind, pathlib.PurePath):
        return kind(_the(given, str, isinstance(given, str | pathlib.PurePath), path))
    if kind in _PARSED:
        return _parsed(given, kind, path)
    if given is None and kind is type(None):
        return None
    return guessed(given) if written else given


def _number(kind: type, given: Any, path: str) -> Any:
    text = str(given).strip()
    try:
        return kind(text)
    except ValueError:
        pass
    return _the(given, kind, False, path)


def _the(given: Any, kind: type, fits: bool, path: str) -> Any:
    if not fits:
        raise SettingsError(f"{path}: `{given}` is not a {_TOLD[kind]}", fix=f"give a {_TOLD[kind]}")
    return given


def _parsed(given: Any, kind: type, path: str) -> Any:
    told, parse = _PARSED[kind]
    # a datetime is a date to Python, not to a reader
    if isinstance(given, kind) and not (kind is datetime.date and isinstance(given, datetime.datetime)):
        return given
    if kind is decimal.Decimal and isinstance(given, int | float) and not isinstance(given, bool):
        return decimal.Decimal(str(given))
    try:
        if isinstance(given, str):
            return parse(given.strip())
    except (ValueError, decimal.InvalidOperation, SettingsError):
        pass
    raise SettingsError(f"{path}: `{given}` is not a {told}", fix=f"give a {told}")


def _of_choices(given: Any, choices: Mapping[str, Any], path: str) -> Any:
    text = given.strip() if isinstance(given, str) else str(given)
    if text in choices and (isinstance(given, str) or given in (choices[text], getattr(choices[text], "value", None))):
        return choices[text]
    raise SettingsError(
        f"{path}: `{given}` is not one of {', '.join(choices)}{hint(text, choices)}", fix="give one of them"
    )


def _of_union(given: Any, members: tuple[Any, ...], path: str, written: bool) -> Any:
    others = [member for member in members if member is not type(None)]
    if type(None) in members and (given is None or (written and str(given).strip().lower() in ("", "none", "null"))):
        return None
    first: SettingsError | None = None
    for member in sorted(others, key=lambda member: member is str):  # every written value is a text: that comes last
        try:
            return converted(given, member, path, written=written)
        except SettingsError as error:
            first = first or error
    raise first or SettingsError(f"{path}: `{given}` has the wrong type", fix=None)


def _of_sequence(given: Any, kind: type, inner: tuple[Any, ...], path: str, written: bool) -> Any:
    if written and isinstance(given, str):
        given, written = several(given, path)
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence | set | frozenset):
        raise SettingsError(f"{path}: `{given}` is not a list", fix=f"write a list, such as [{given!r}]")
    members = list(given)
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        if len(members) != len(inner):
            raise SettingsError(f"{path}: {len(members)} values, expected {len(inner)}", fix="give exactly as many")
        wanted = list(inner)
    else:
        wanted = [inner[0] if inner else Any] * len(members)
    made = [
        converted(member, one, f"{path}[{index}]", written=written)
        for index, (member, one) in enumerate(zip(members, wanted, strict=True))
    ]
    return made if kind not in (tuple, set, frozenset) else kind(made)


def _of_mapping(given: Any, inner: tuple[Any, ...], path: str, written: bool) -> Any:
    if written and isinstance(given, str):
        given, written = _from_json(given, path), False
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path}: `{given}` is not a table of names and values", fix='write {"name": value}')
    wanted = inner[1] if len(inner) == 2 else Any
    return {key: converted(value, wanted, f"{path}.{key}", written=written) for key, value in given.items()}


def several(written: str, path: str) -> tuple[list[Any], bool]:
    """(the members of a list as a command line has it, whether they are written): `2009,2012`, or JSON: `["a, b", "c"]`."""
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


def guessed(written: Any) -> Any:
    """A text without a type: a whole number (`2009`, not `007`), a number, `true`, `false`, `null`, or the text that it is."""
    if not isinstance(written, str):
        return written
    text = written.strip()
    if text in _LITERALS:
        return _LITERALS[text]
    digits = text.lstrip("+-")
    if not digits[:1].isdigit() and digits[:1] != ".":
        return text
    if digits.isdigit() and (digits == "0" or not digits.startswith("0")):
        return int(text)
    try:
        return float(text) if not (digits.startswith("0") and digits[1:2].isdigit()) and "_" not in text else text
    except ValueError:
        return text


def field_types(kind: type) -> dict[str, Any]:
    """The fields of a dataclass or a model and their types; a type that cannot be looked up here is Any."""
    if hasattr(kind, "model_fields"):
        return {name: one.annotation for name, one in kind.model_fields.items()}
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError, AttributeError):  # a class of a function's own, whose names are out of reach
        hints = {}
    return {one.name: hints.get(one.name, Any) for one in dataclasses.fields(kind)}


def built(kind: type, given: Any, path: str, *, written: bool = False) -> Any:
    """A dataclass or a pydantic model from a mapping; SettingsError with the path of what is missing, unknown or does not fit."""
    if written and isinstance(given, str):
        given, written = _from_json(given, path), False
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path}: `{given}` is not a table of names and values", fix="give its fields by name")
    wanted = field_types(kind)
    for name in given:
        if name not in wanted:
            raise unknown(f"{path}.{name}", name, wanted)
    if hasattr(kind, "model_validate"):
        return _modelled(kind, given, path)
    values = {name: converted(value, wanted[name], f"{path}.{name}", written=written) for name, value in given.items()}
    for one in dataclasses.fields(kind):
        if isinstance(values.get(one.name), Quantity):
            default = one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
            same_unit(default, values[one.name], f"{path}.{one.name}")
        bare = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if one.init and bare and one.name not in values:
            raise SettingsError(f"{path}.{one.name} has no value", fix=f"give one: {one.name} = …")
    return made(lambda: kind(**values), path)


def same_unit(before: Any, now: Any, path: str) -> None:
    """SettingsError where a quantity takes the place of one of another unit: nothing here converts it."""
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        for index, one in enumerate(now):
            same_unit(before[0] if before else None, one, f"{path}[{index}]")
    elif isinstance(before, Quantity) and isinstance(now, Quantity) and before.unit != now.unit:
        raise SettingsError(
            f"{path}: `{now}` is in `{now.unit}`, but the value is defined in `{before.unit}`",
            fix=f"give it in `{before.unit}`: units are never converted",
        )


def made(make: Callable[[], Any], path: str) -> Any:
    """What a user's own class makes of its values; its refusal is the user's mistake, told with the path."""
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{path}: {error}", fix="change the value where it is given") from error


def _modelled(kind: Any, given: Mapping[str, Any], path: str) -> Any:
    try:
        return kind.model_validate(dict(given))
    except ValueError as error:  # pydantic's own is one
        told: list[Any] = getattr(error, "errors", list)()
        if not told:
            raise SettingsError(f"{path}: {error}", fix="change the value where it is given") from error
        where = ".".join([path, *(str(piece) for piece in told[0]["loc"])])
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        raise SettingsError(f"{where}: {told[0]['msg']}{more}", fix="change the value where it is given") from error


def fit(holder: Any, path: str) -> None:
    """SettingsError where a field of a dataclass has a value that its type cannot have. A field's own default is never judged."""
    if not dataclasses.is_dataclass(holder) or isinstance(holder, type):
        return
    wanted = field_types(type(holder))
    for one in dataclasses.fields(holder):
        value = getattr(holder, one.name)
        if value is one.default or wanted[one.name] is Any:
            continue
        if dataclasses.is_dataclass(value):
            fit(value, f"{path}.{one.name}")
        elif not isinstance(value, range):  # an axis, whatever list it is declared to be
            converted(
                list(value) if isinstance(value, tuple) else value, _loose(wanted[one.name]), f"{path}.{one.name}"
            )


def _loose(wanted: Any) -> Any:
    """A list stands for a tuple and the other way round where values are given in Python."""
    if typing.get_origin(wanted) is tuple and typing.get_args(wanted)[-1:] == (Ellipsis,):
        return list[typing.get_args(wanted)[0]]  # type: ignore[misc]
    return wanted


def unknown(where: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> SettingsError:
    """The error for a name that is not among the known ones."""
    return SettingsError(
        f"{where}: the experiment has no such input{hint(name, known)}",
        fix=f"the inputs are: {', '.join(known) or 'none'}",
    )


def hint(name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""
