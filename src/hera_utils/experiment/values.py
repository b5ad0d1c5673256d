"""Swept values: when two are the same, how a task gets them, and how they appear in names. Pure.

| value | the same as | argument of a task | in a name |
| --- | --- | --- | --- |
| `2009`, `-5` | the same int | `2009`, `-5` | `2009`, `m5` |
| `0.25`, `-1e-05` | the same float, never an int | `0.25`, `-1e-05` | `0p25`, `m1em05` |
| `True`, `None` | only itself | `true`, `null` | `true`, `none` |
| `"LYON_1"` | the same text | the text | `lyon-1` |
| a date, a time, a Path, a Decimal, an Enum… | the same type and value | its usual text | that text |
| a list or a tuple, a mapping, a dataclass | equal members | JSON | its members |

A numpy scalar counts as its Python value: a sweep over `numpy.linspace(…)` has the same points as one over the plain numbers.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from hera_utils.errors import SettingsError

_TEXTS = (decimal.Decimal, fractions.Fraction, pathlib.PurePath, uuid.UUID, datetime.timedelta)
_READABLE_DIGITS = 8  # a float whose text is longer is rounded in names
_CANONICAL: dict[type, Callable[[Any], str]] = {
    str: lambda value: f"s{len(value)}:{value}",
    int: lambda value: f"i{value}",
    float: lambda value: f"f{value!r}",
    bool: lambda value: f"b{value:d}",
    type(None): lambda _: "n",
}


def python_value(value: Any) -> Any:
    """The value itself; of a numpy scalar or array, the Python values in it."""
    if type(value) in _CANONICAL:
        return value
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def canonical(value: Any) -> str:
    """A text that two values share only if they are the same, equal in every process. Raises SettingsError for other objects."""
    convert_value = _CANONICAL.get(type(value))
    if convert_value is not None:
        return convert_value(value)
    value = python_value(value)
    convert_value = _CANONICAL.get(type(value))
    return convert_value(value) if convert_value is not None else _canonical_of_other_types(value)


def _canonical_of_other_types(value: Any) -> str:
    kind = type(value).__qualname__
    if isinstance(value, enum.Enum):
        return f"e{kind}.{value.name}"
    if isinstance(value, list | tuple):
        return f"l{len(value)}({','.join(map(canonical, value))})"
    if isinstance(value, Mapping):
        return f"d{len(value)}({','.join(sorted(f'{canonical(key)}={canonical(value[key])}' for key in value))})"
    if isinstance(value, set | frozenset):
        return f"u{len(value)}({','.join(sorted(map(canonical, value)))})"
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return f"t{type(value).__name__}{value.isoformat()}"
    if isinstance(value, bytes):
        return f"y{value.hex()}"
    if isinstance(value, _TEXTS):
        text = value.as_posix() if isinstance(value, pathlib.PurePath) else str(value)
        return f"x{'Path' if isinstance(value, pathlib.PurePath) else kind}{len(text)}:{text}"
    members = members_of(value)
    if members is not None:
        return f"o{kind}{canonical(members)}"
    if isinstance(value, str | int | float):  # a subclass of the user's
        return f"o{kind}{_CANONICAL[next(base for base in (str, int, float) if isinstance(value, base))](value)}"
    raise SettingsError(
        f"{value!r} ({kind}) cannot be an input: two such values cannot be distinguished in another process",
        fix="give texts, numbers, dates, paths, lists, mappings or dataclasses of these",
    )


def members_of(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass or of a pydantic model as name → value; None for anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(type(value), "model_fields"):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return None


def as_json_value(value: Any) -> Any:
    """The value as JSON: texts, numbers, booleans, None, lists and dictionaries of these."""
    value = python_value(value)
    if type(value) in _CANONICAL:
        return value
    if isinstance(value, enum.Enum):
        return as_json_value(value.value)
    if isinstance(value, list | tuple | range):
        return [as_json_value(member) for member in value]
    if isinstance(value, Mapping):
        return {str(as_json_value(key)): as_json_value(member) for key, member in value.items()}
    if isinstance(value, set | frozenset):
        return [as_json_value(member) for member in sorted(value, key=canonical)]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, pathlib.PurePath):
        return value.as_posix()
    if isinstance(value, (Quantity, *_TEXTS)):
        return str(value)
    members = members_of(value)
    if members is not None:
        return as_json_value(members)
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    return str(value)


def as_json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Axis → its value as JSON."""
    return {axis: as_json_value(value) for axis, value in values.items()}


def for_json(value: Any) -> Any:
    """A plain value that every reader of JSON accepts: numbers that JSON does not have (NaN, Infinity) become texts, at any depth."""
    if isinstance(value, dict):
        return {name: for_json(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(member) for member in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def argument(value: Any) -> Any:
    """The value as an argument of a task: Hera writes a text into a document unchanged, anything else as JSON (None as `null`).

    Raises SettingsError for bytes, which are neither.
    """
    if isinstance(value, bytes):
        raise SettingsError(
            f"the bytes {value!r} cannot be given to a task, which takes texts",
            fix="give a text (`value.hex()`, base64…) and convert it in the task",
        )
    return as_json_value(value)


def text(value: Any) -> str:
    """The value in a task's document: a text unchanged, anything else as JSON (Hera's rule)."""
    json_value = as_json_value(value)
    return json_value if isinstance(json_value, str) else json.dumps(json_value)


def format_for_names(value: Any) -> tuple[str, bool]:
    """(the value in small letters, digits and single hyphens, whether no other value *of its kind* reads the same).

    The second is only True for numbers; for other kinds it cannot be known without the other values.
    """
    value = python_value(value)
    kind = type(value)
    if kind is int:
        return (str(value) if value >= 0 else f"m{-value}"), True
    if kind is float:
        digits = repr(value)
        exact = len(digits) <= _READABLE_DIGITS
        digits = digits if exact else f"{value:.3g}"
        return digits.replace("+", "").replace("-", "m").replace(".", "p"), exact
    if isinstance(value, enum.Enum):
        return slug(value.name), False
    if isinstance(value, list | tuple):
        return "-".join(filter(None, (format_for_names(member)[0] for member in value))) or "x", False
    if value is None:
        return "none", False
    return slug(str(value) if kind is str else text(value)), False


def slug(words: str) -> str:
    """The legal characters of a text for a name: `Saint-Étienne (42)` is `saint-etienne-42`; `x` if there are none."""
    if not words.isascii():
        words = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "x"


_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s.+-]\S*(?: \S+)*)\s*")


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A number with its unit, as it was written: `Quantity.parse("25 m")`. Units are compared, never converted."""

    number: float
    unit: str

    @classmethod
    def parse(cls, written: str) -> Quantity:
        """Raises SettingsError if the text is not a number followed by a unit."""
        match = _QUANTITY.fullmatch(written)
        if match is None:
            raise SettingsError(
                f"`{written}` is not a number with a unit", fix="write it as in `25 m` or `1.5e-3 mol/l`"
            )
        number = float(match[1])
        return cls(int(number) if number.is_integer() and match[1].lstrip("+-").isdecimal() else number, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.unit}"

    def __float__(self) -> float:
        return float(self.number)
