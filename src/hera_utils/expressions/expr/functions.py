"""expr-lang's builtin functions (those without a predicate): name → function of the evaluated arguments."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterator
from functools import cmp_to_key
from operator import itemgetter
from typing import Any

from hera_utils.argo import gojson
from hera_utils.argo.durations import DurationError, nanoseconds
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.expressions import operations as op
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.gotext import text_of, to_json
from hera_utils.expressions.gotime import LAYOUTS, Moment, Zone, moment_at, parse_moment, zone
from hera_utils.expressions.values import (
    AnyKeyMap,
    Byte,
    Duration,
    Failure,
    NilSlice,
    Strings,
    go_type,
    is_int,
    is_number,
    to_int,
    truncate_to_int64,
    wrap_int64,
)

SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
LONGEST_TEXT = 1_000_000


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Failure(
            f"interface conversion: interface {{}} is {go_type(value) if value is not None else 'nil'}, not string"
        )
    return value


def _list(value: Any, verb: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, bytes):
        return list(value)
    raise Failure(f"cannot {verb} {kind(value)}")


def kind(value: Any) -> str:
    """The kind of a value (reflect.Kind)."""
    if value is None:
        return "invalid"
    name = go_type(value)
    if name.startswith("map["):
        return "map"
    if name.startswith("[2]"):
        return "array"
    if name.startswith("[]"):
        return "slice"
    kinds = {
        "time.Duration": "int64",
        "time.Time": "struct",
        "*time.Location": "ptr",
        "time.Month": "int",
        "time.Weekday": "int",
    }
    return kinds.get(name, "func" if name.startswith("func") else name)


def length(value: Any) -> int:
    if isinstance(value, str | list | tuple | dict | bytes):
        return len(value)
    raise Failure(f"invalid argument for len (type {go_type(value)})")


def kind_name(value: Any) -> str:
    if value is None:
        return "nil"
    name = go_type(value)
    if name in ("time.Duration", "time.Time", "time.Month", "time.Weekday"):
        return name
    if name == "*time.Location":
        return "unknown"
    kind_of_value = kind(value)
    return {
        "slice": "array", "float64": "float", "int64": "int", "uint8": "uint", "uint64": "uint", "int32": "int",
    }.get(kind_of_value, kind_of_value)  # fmt: skip


def absolute_value(value: Any) -> Any:
    if isinstance(value, Byte):
        return value
    if is_int(value):
        return type(value)(wrap_int64(abs(int(value))))
    if isinstance(value, float):
        return -value if value < 0 else value
    raise Failure(f"invalid argument for abs (type {go_type(value)})")


def _rounding(name: str, how: Callable[[float], float]) -> Callable[[Any], float]:
    def apply(value: Any) -> float:
        if not is_number(value):
            raise Failure(f"invalid argument for {name} (type {go_type(value)})")
        number = float(value)
        return number if not math.isfinite(number) else how(number)

    return apply


def _round_half_away(value: float) -> float:
    whole = math.floor(abs(value))
    rounded = whole + 1 if abs(value) - whole >= 0.5 else whole
    return math.copysign(float(rounded), value)


_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:_?[0-9]+)*)?\.?[0-9]*(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan|0x[0-9a-f]*\.?[0-9a-f]*p[+-]?[0-9]+)\Z",
    re.IGNORECASE,
)


def parse_float(text: str) -> float | None:
    """The float of a text (strconv.ParseFloat), None if it is not one."""
    if not _FLOAT.match(text) or "_" in text:
        return None
    try:
        if "0x" in text.lower():
            return float.fromhex(text)
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return None if math.isinf(value) and "inf" not in text.lower() else value


def to_integer(value: Any) -> int:
    if isinstance(value, str):
        number = whole_number(value)
        if number is None:
            raise Failure(f"invalid operation: int({value})")
        return number
    if isinstance(value, float):
        return truncate_to_int64(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if value is None:
        raise Failure("reflect: call of reflect.Value.Type on zero Value")
    raise Failure(f"invalid operation: int({go_type(value)})")


def to_floating(value: Any) -> float:
    if isinstance(value, str):
        number = parse_float(value)
        if number is None:
            raise Failure(f"invalid operation: float({value})")
        return number
    if is_number(value):
        return float(value)
    raise Failure(f"invalid operation: float({go_type(value)})")


_LEFT_OUT = object()  # a missing argument; nil is a present one


def trim(text: Any, characters: Any = _LEFT_OUT) -> str:
    return _string(text).strip(SPACE) if characters is _LEFT_OUT else _string(text).strip(_string(characters) or "")


def split(text: Any, separator: Any, count: Any = _LEFT_OUT) -> list[Any]:
    """strings.Split and SplitN."""
    text, separator = _string(text), _string(separator)
    limit = -1 if count is _LEFT_OUT else to_int(count)
    if limit == 0:
        return NilSlice("[]string")
    if separator == "":
        parts = list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
        return Strings(parts)
    return Strings(text.split(separator, limit - 1 if limit > 0 else -1))


def split_after(text: Any, separator: Any, count: Any = _LEFT_OUT) -> list[Any]:
    parts = split(text, separator, count)
    if isinstance(parts, NilSlice):
        return parts
    return Strings([part + separator for part in parts[:-1]] + parts[-1:])


def replace(text: Any, old: Any, new: Any, count: Any = _LEFT_OUT) -> str:
    """strings.Replace."""
    limit = -1 if count is _LEFT_OUT else to_int(count)
    before, part, after = _string(text), _string(old), _string(new)
    times = before.count(part) if limit < 0 else min(limit, before.count(part))
    if len(before) + times * (len(after) - len(part)) > 16 * LONGEST_TEXT:
        raise Failure("memory budget exceeded")
    return before.replace(part, after, limit if limit >= 0 else -1)


def repeat(text: Any, count: Any) -> str:
    times = to_int(count)
    if times < 0:
        raise Failure(f"invalid argument for repeat (expected positive integer, got {times})")
    if times > 1_000_000 or len(_string(text)) * times >= LONGEST_TEXT:
        raise Failure("memory budget exceeded")
    return str(text) * times


def join(parts: Any, glue: Any = "") -> str:
    if go_type(parts) not in ("[]string", "[]interface {}"):
        raise Failure(f"invalid argument for join (type {'%!s(<nil>)' if parts is None else go_type(parts)})")
    between, pieces = _string(glue), [_string(part) for part in parts]
    check_joined(between, pieces)
    return between.join(pieces)


def check_joined(glue: str, pieces: list[str]) -> None:
    if len(glue) * len(pieces) > 16 * LONGEST_TEXT:
        raise Failure("memory budget exceeded")


def index_of(text: Any, part: Any, *, last: bool = False) -> int:
    text, part = _string(text), _string(part)
    place = text.rfind(part) if last else text.find(part)
    return len(text[:place].encode("utf-8", "surrogatepass")) if place > 0 else place


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _numbers(name: str, values: tuple[Any, ...], depth: int = 0) -> Iterator[Any]:
    for value in values:
        # Months and durations are numbers, too, but max and min ignore them in lists.
        if is_number(value) or (_is_count(value) and (depth == 0 or name in ("mean", "median"))):
            yield value
        elif isinstance(value, list | tuple) and depth < 100:
            yield from _numbers(name, tuple(value), depth + 1)
        else:
            raise Failure(f"invalid argument for {name} (type {go_type(value)})")


def extreme(name: str, better: Callable[[Any, Any], bool], values: tuple[Any, ...]) -> Any:
    if len(values) == 1 and not is_number(values[0]) and not isinstance(values[0], list | tuple):
        return values[0]
    best: Any = None
    for value in _numbers(name, values):
        if best is None or better(best, value):
            best = value
    return best


def mean(*values: Any) -> float:
    numbers = [float(value) for value in _numbers("mean", values)]
    total = 0.0
    for number in numbers:  # not sum(), which compensates rounding errors since Python 3.12, unlike Go
        total += number
    return total / len(numbers) if numbers else 0.0


def median(*values: Any) -> float:
    numbers = sorted(float(value) for value in _numbers("median", values))
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def from_json(text: Any) -> Any:
    """encoding/json's Unmarshal into an empty interface: numbers are floats."""
    try:
        gojson.check(_string(text))
        return json.loads(_string(text), parse_int=float)
    except (ValueError, RecursionError) as error:
        raise Failure(str(error)) from None


def from_base64(text: Any) -> str:
    source = _string(text).replace("\n", "").replace("\r", "")
    try:
        return base64.b64decode(source, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        bad = re.search(r"[^A-Za-z0-9+/]", source)
        place = bad.start() if bad else len(source) - len(source) % 4
        raise Failure(f"illegal base64 data at input byte {place}") from None


def duration(text: Any) -> Duration:
    try:
        return Duration(nanoseconds(_string(text)))
    except DurationError as error:
        raise Failure(error.message) from None


_DATE_LAYOUTS = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    LAYOUTS["RFC3339"],
    LAYOUTS["RFC822"],
    LAYOUTS["RFC850"],
    LAYOUTS["RFC1123"],
)


def date(*arguments: Any) -> Moment:
    where = zone("UTC")
    if arguments and isinstance(arguments[0], Zone):
        where, arguments = arguments[0], arguments[1:]
    if not arguments:
        raise Failure("runtime error: index out of range [0] with length 0")
    text = _string(arguments[0])
    if len(arguments) == 2:
        return parse_moment(_string(arguments[1]), text, where)
    if len(arguments) == 3:
        return parse_moment(_string(arguments[1]), text, zone(_string(arguments[2])))
    for layout in _DATE_LAYOUTS:
        try:
            return parse_moment(layout, text, where)
        except Failure:
            continue
    raise Failure(f"invalid date {text}")


def _at(value: Any, index: int) -> Any:
    try:
        return op.fetch(value, index)
    except Failure:
        return None


def get(value: Any, key: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        item = op.fetch(value, key)
        return None if isinstance(item, NilSlice) else item
    if isinstance(value, list | tuple | str | bytes):
        to_int(key)
        return _at(value, key)
    return op.method_of(value, key) if isinstance(key, str) else None


def take(values: Any, count: Any) -> Any:
    if not isinstance(values, list | tuple):
        raise Failure(f"cannot take from {kind(values)}")
    if not isinstance(count, int) or isinstance(count, bool):
        raise Failure(f"cannot take {kind(count)} elements")
    if count < 0:
        raise Failure("reflect.Value.Slice: slice index out of bounds")
    return values if isinstance(values, NilSlice) else type(values)(values[:count])


def _map(value: Any, verb: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise Failure(f"cannot {verb} {kind(value)}" + (" to pairs" if verb == "transform" else ""))
    return value


def from_pairs(pairs: Any) -> AnyKeyMap:
    result = AnyKeyMap()
    for pair in _list(pairs, "transform"):
        if not isinstance(pair, list | tuple):
            raise Failure(f"invalid pair {text_of(pair)}")
        if len(pair) != 2:
            raise Failure(f"invalid pair length {text_of(pair)}")
        result[pair[0]] = pair[1]
    return result


_MOST_COMPARED = 1_000_000


def unique(values: Any) -> list[Any]:
    unique_values: list[Any] = []
    plain: set[tuple[type, Any]] = set()  # numbers and texts, for which a set replaces comparisons with all values
    others: list[Any] = []
    for place, value in enumerate(_list(values, "uniq")):
        is_plain = type(value) in (int, str)
        compared = others if is_plain else unique_values
        if place * len(compared) > _MOST_COMPARED:
            raise Failure("memory budget exceeded")
        if (is_plain and (type(value), value) in plain) or any(op.equal(value, other) for other in compared):
            continue
        unique_values.append(value)
        if is_plain:
            plain.add((type(value), value))
        else:
            others.append(value)
    return unique_values


def concat(*lists: Any) -> list[Any]:
    result: list[Any] = []
    for one in lists:
        result.extend(_list(one, "concat"))
    return result or NilSlice()


def flatten(values: Any) -> list[Any]:
    result: list[Any] = []
    for value in _list(values, "flatten"):
        if isinstance(value, list | tuple):
            result.extend(flatten(value))
        else:
            result.append(value)
    return result


def order_by(values: list[Any], keys: list[Any], order: Any) -> list[Any]:
    """The values in the order of their keys; `order` asc or desc. Raises Failure."""
    if order not in ("asc", "desc"):
        raise Failure("unknown order, use asc or desc")
    sign = 1 if order == "asc" else -1

    def compare(left: tuple[Any, Any], right: tuple[Any, Any]) -> int:
        return -sign if op.less(left[0], right[0]) else sign if op.less(right[0], left[0]) else 0

    pairs = list(zip(keys, values, strict=True))
    if all(type(key) is int or (type(key) is float and key == key) for key in keys):
        pairs.sort(key=itemgetter(0), reverse=order == "desc")
    elif all(type(key) is str for key in keys):
        pairs.sort(key=lambda pair: pair[0].encode("utf-8", "surrogatepass"), reverse=order == "desc")
    else:
        pairs.sort(key=cmp_to_key(compare))
    return [value for _, value in pairs]


_SORTED = ("[]interface {}", "[]int", "[]float64", "[]string")


def sort(values: Any, order: Any = "asc") -> list[Any]:
    if not isinstance(order, str):
        raise Failure(f"sort order argument must be a string (got {go_type(order)})")
    if order not in ("asc", "desc"):
        raise Failure(f"invalid order {order}, expected asc or desc")
    if go_type(values) not in _SORTED:
        return NilSlice()
    items = list(values)
    return order_by(items, items, order)


def _bits(name: str, how: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    def apply(left: Any, right: Any) -> int:
        for value in (left, right):
            if not is_int(value):
                raise Failure(f"cannot use {go_type(value)} as argument (type int) to call {name}")
        if right < 0 and name in ("bitshl", "bitshr", "bitushr"):
            raise Failure(f"invalid operation: negative shift count {right} (type int)")
        return wrap_int64(how(int(left), int(right)))

    return apply


def _bit_not(value: Any) -> int:
    if not is_int(value):
        raise Failure(f"cannot use {go_type(value)} as argument (type int) to call bitnot")
    return ~int(value)


BUILTINS: dict[str, Callable[..., Any]] = {
    "len": length,
    "type": kind_name,
    "abs": absolute_value,
    "ceil": _rounding("ceil", lambda value: float(math.ceil(value))),
    "floor": _rounding("floor", lambda value: float(math.floor(value))),
    "round": _rounding("round", _round_half_away),
    "int": to_integer,
    "float": to_floating,
    "string": text_of,
    "trim": trim,
    "trimPrefix": lambda text, prefix=" ": _string(text).removeprefix(_string(prefix)),
    "trimSuffix": lambda text, suffix=" ": _string(text).removesuffix(_string(suffix)),
    "upper": lambda text: _string(text).upper(),
    "lower": lambda text: _string(text).lower(),
    "split": split,
    "splitAfter": split_after,
    "replace": replace,
    "repeat": repeat,
    "join": join,
    "indexOf": index_of,
    "lastIndexOf": lambda text, part: index_of(text, part, last=True),
    "hasPrefix": lambda text, prefix: _string(text).startswith(_string(prefix)),
    "hasSuffix": lambda text, suffix: _string(text).endswith(_string(suffix)),
    "max": lambda *values: extreme("max", op.less, values),
    "min": lambda *values: extreme("min", op.more, values),
    "mean": mean,
    "median": median,
    "toJSON": lambda value: to_json(value, indent="  "),
    "fromJSON": from_json,
    "toBase64": lambda text: base64.b64encode(_string(text).encode("utf-8", "surrogatepass")).decode(),
    "fromBase64": from_base64,
    "duration": duration,
    "date": date,
    "timezone": lambda name: zone(_string(name)),
    "first": lambda values: _at(values, 0),
    "last": lambda values: _at(values, -1),
    "get": get,
    "take": take,
    "keys": lambda value: list(_map(value, "get keys from")),
    "values": lambda value: list(_map(value, "get values from").values()),
    "toPairs": lambda value: [(key, item) for key, item in _map(value, "transform").items()],
    "fromPairs": from_pairs,
    "reverse": lambda values: _list(values, "reverse")[::-1],
    "uniq": unique,
    "concat": concat,
    "flatten": flatten,
    "sort": sort,
    "bitand": _bits("bitand", lambda x, y: x & y),
    "bitor": _bits("bitor", lambda x, y: x | y),
    "bitxor": _bits("bitxor", lambda x, y: x ^ y),
    "bitnand": _bits("bitnand", lambda x, y: x & ~y),
    "bitshl": _bits("bitshl", lambda x, y: x << y if y < 64 else 0),
    "bitshr": _bits("bitshr", lambda x, y: x >> y),
    "bitushr": _bits("bitushr", lambda x, y: (x % (1 << 64)) >> y),
    "bitnot": _bit_not,
}


def now(entropy: Entropy, where: Any = None) -> Moment:
    """now(), now(timezone("…")): the time of the current event."""
    return moment_at(entropy.at, where if isinstance(where, Zone) else zone("UTC"))
