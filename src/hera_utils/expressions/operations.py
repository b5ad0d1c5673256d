"""The operators of expr-lang over Go's values: equality, order, arithmetic, `in`, members, slices."""

from __future__ import annotations

import math
from typing import Any

from hera_utils.expressions import regexp
from hera_utils.expressions.gotext import text_of
from hera_utils.expressions.gotime import Moment
from hera_utils.expressions.values import (
    AnyKeyMap,
    Byte,
    Duration,
    Failure,
    Floats,
    Function,
    Groups,
    Ints,
    Members,
    NilSlice,
    Strings,
    Texts,
    go_type,
    is_int,
    is_nil,
    is_number,
    to_float,
    to_int,
    wrap_int64,
)

MOST_ITEMS = 1_000_000  # expr-lang's memory budget: how many items one evaluation may create


def equal(left: Any, right: Any) -> bool:
    """Whether two values are equal (expr-lang: runtime.Equal): numbers by value, lists by item, others by Go's deep equality."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if left is None or right is None:
        return is_nil(left) and is_nil(right)
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left.nanoseconds == right.nanoseconds
    if isinstance(left, list) and isinstance(right, list):
        if isinstance(left, _PLAIN) and isinstance(right, _PLAIN) and type(left) is not type(right):
            return len(left) == len(right) == 0 and False
        return len(left) == len(right) and all(map(equal, left, right))
    return deep_equal(left, right)


_PLAIN = (Strings, Ints, Floats)


def deep_equal(left: Any, right: Any) -> bool:
    """Whether two values have the same Go type and content (reflect.DeepEqual)."""
    if go_type(left) != go_type(right):
        return False
    if isinstance(left, dict):
        return (
            len(left) == len(right)
            and all(key in right for key in left)
            and all(deep_equal(left[key], right[key]) for key in left)
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(deep_equal, left, right))
    return bool(left == right)


def equal_typed(type_name: str, left: Any, right: Any) -> bool:
    """The equality to which expr-lang compiles `==` of ints or of strings: values of another type are an error."""
    for side in (left, right):
        if go_type(side) != type_name:
            found = "nil" if side is None else go_type(side)
            raise Failure(f"interface conversion: interface {{}} is {found}, not {type_name}")
    return bool(left == right)


def _comparable_pair(left: Any, right: Any, operator: str) -> tuple[Any, Any]:
    if is_number(left) and is_number(right):
        return left, right
    if isinstance(left, str) and isinstance(right, str):
        return left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left.nanoseconds, right.nanoseconds
    if isinstance(left, Duration) and isinstance(right, Duration):
        return int(left), int(right)
    raise Failure(f"invalid operation: {go_type(left)} {operator} {go_type(right)}")


def less(left: Any, right: Any) -> bool:
    a, b = _comparable_pair(left, right, "<")
    return bool(a < b)


def more(left: Any, right: Any) -> bool:
    a, b = _comparable_pair(left, right, ">")
    return bool(a > b)


def less_or_equal(left: Any, right: Any) -> bool:
    a, b = _comparable_pair(left, right, "<=")
    return bool(a <= b)


def more_or_equal(left: Any, right: Any) -> bool:
    a, b = _comparable_pair(left, right, ">=")
    return bool(a >= b)


def add(left: Any, right: Any) -> Any:
    if is_int(left) and is_int(right):
        return wrap_int64(int(left) + int(right))
    if is_number(left) and is_number(right):
        return float(left) + float(right)
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, Moment) and isinstance(right, Duration):
        return left.add(int(right))
    if isinstance(left, Duration) and isinstance(right, Moment):
        return right.add(int(left))
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(wrap_int64(int(left) + int(right)))
    raise _invalid(left, "+", right)


def subtract(left: Any, right: Any) -> Any:
    if is_int(left) and is_int(right):
        return wrap_int64(int(left) - int(right))
    if is_number(left) and is_number(right):
        return float(left) - float(right)
    if isinstance(left, Moment) and isinstance(right, Moment):
        return Duration(max(-(1 << 63), min((1 << 63) - 1, left.nanoseconds - right.nanoseconds)))
    if isinstance(left, Moment) and isinstance(right, Duration):
        return left.add(-int(right))
    if isinstance(left, Duration) and isinstance(right, Duration):
        return Duration(wrap_int64(int(left) - int(right)))
    raise _invalid(left, "-", right)


def multiply(left: Any, right: Any) -> Any:
    if is_int(left) and is_int(right):
        return wrap_int64(int(left) * int(right))
    if is_number(left) and is_number(right):
        return float(left) * float(right)
    if isinstance(left, Duration) or isinstance(right, Duration):
        if (
            isinstance(left, int)
            and isinstance(right, int)
            and not isinstance(left, bool)
            and not isinstance(right, bool)
        ):
            return Duration(wrap_int64(int(left) * int(right)))
        if (isinstance(left, float) or isinstance(right, float)) and (is_number(left) or is_number(right)):
            return float(left) * float(right)
    raise _invalid(left, "*", right)


def divide(left: Any, right: Any) -> float:
    if not (is_number(left) and is_number(right)):
        raise _invalid(left, "/", right)
    dividend, divisor = float(left), float(right)
    if divisor == 0:
        if dividend == 0 or math.isnan(dividend):
            return math.nan
        return math.copysign(math.inf, dividend) * math.copysign(1, divisor)
    return dividend / divisor


def modulo(left: Any, right: Any) -> int:
    if not (is_int(left) and is_int(right)):
        raise _invalid(left, "%", right)
    if right == 0:
        raise Failure("runtime error: integer divide by zero")
    return int(math.copysign(1, left)) * (abs(int(left)) % abs(int(right)))


def power(left: Any, right: Any) -> float:
    base, exponent = to_float(left), to_float(right)
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = exponent.is_integer() and int(exponent) % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base == 0:
            odd = exponent.is_integer() and int(exponent) % 2 == 1
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan


def negate(value: Any) -> Any:
    if isinstance(value, float):
        return -value
    if isinstance(value, Byte):
        return Byte(-value & 255)
    if is_int(value):
        return type(value)(wrap_int64(-int(value)))
    raise Failure(f"invalid operation: - {go_type(value)}")


def _invalid(left: Any, operator: str, right: Any) -> Failure:
    return Failure(f"invalid operation: {go_type(left)} {operator} {go_type(right)}")


def make_range(start: Any, end: Any) -> Ints:
    first, last = to_int(start), to_int(end)
    if last - first + 1 >= MOST_ITEMS:
        raise Failure("memory budget exceeded")
    return Ints(range(first, last + 1))


_STRUCTURES = ("time.Time", "*time.Location", "*semver.Version")


def contains(needle: Any, where: Any) -> bool:
    """The operator `in`."""
    if where is None:
        return False
    if isinstance(where, Members):
        if needle is None:
            return ("" if where.key_type == "string" else 0) in where
        if go_type(needle) != where.key_type:
            raise Failure(
                f"reflect.Value.MapIndex: value of type {go_type(needle)} is not assignable to type {where.key_type}"
            )
        return needle in where
    if isinstance(where, list | tuple):
        return needle in where if type(needle) is str else any(equal(item, needle) for item in where)
    if isinstance(where, dict):
        if needle is None and not isinstance(where, AnyKeyMap):
            return "" in where
        _check_key(needle, where)
        return needle in where
    if go_type(where) in _STRUCTURES:
        if not isinstance(needle, str):
            type_name = "<nil>" if needle is None else go_type(needle)
            raise Failure(f"cannot use {type_name} as field name of {go_type(where).removeprefix('*')}")
        return False  # Go's structs here export no field
    raise Failure(f'operator "in" not defined on {go_type(where)}')


def _check_key(key: Any, where: dict[Any, Any]) -> None:
    if go_type(where).startswith("map[string]") and not isinstance(key, str):
        raise Failure(f"reflect.Value.MapIndex: value of type {go_type(key)} is not assignable to type string")
    if isinstance(key, list | dict):
        raise Failure(f"runtime error: hash of unhashable type {go_type(key)}")


def text_operator(operator: str, left: Any, right: Any) -> bool:
    """The operators contains, startsWith, endsWith; false when one side is nil. Raises Failure for other types."""
    if is_nil(left) or is_nil(right):
        return False
    for side in (left, right):
        if not isinstance(side, str):
            raise Failure(f"interface conversion: interface {{}} is {go_type(side)}, not string")
    if operator == "contains":
        return right in left
    return bool(left.startswith(right)) if operator == "startsWith" else bool(left.endswith(right))


def matches(text: Any, pattern: Any) -> bool:
    """The operator `matches`: whether a regular expression of Go matches anywhere in the text."""
    if is_nil(text) or is_nil(pattern):
        return False
    if not isinstance(pattern, str):
        raise Failure(f"interface conversion: interface {{}} is {go_type(pattern)}, not string")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        raise Failure(f"interface conversion: interface {{}} is {go_type(text)}, not []uint8")
    return regexp.compile_pattern(pattern).search(text) is not None


def fetch(value: Any, key: Any) -> Any:
    """A member, an item or a method of a value (expr-lang: runtime.Fetch). Raises Failure."""
    if isinstance(value, dict):
        if key is None and not isinstance(value, AnyKeyMap):
            key = ""
        _check_key(key, value)
        return value[key] if key in value else _zero(value)
    if isinstance(value, list | tuple | str | bytes):
        return _item(value, to_int(key))
    if value is not None and isinstance(key, str):
        method = method_of(value, key)
        if method is not None:
            return method
    raise Failure(f"cannot fetch {text_of(key)} from {go_type(value)}")


def _zero(values: dict[Any, Any]) -> Any:
    """The value of a map for a missing key."""
    if isinstance(values, Groups):
        return NilSlice()
    return "" if isinstance(values, Texts) else None


def method_of(value: Any, name: str) -> Function | None:
    member = getattr(value, "member", None)
    method: Function | None = member(name) if member is not None else None
    return method


def _item(value: Any, index: int) -> Any:
    if isinstance(value, str) and value.isascii():
        place = len(value) + index if index < 0 else index
        if 0 <= place < len(value):
            return Byte(ord(value[place]))  # without the bytes of all the text
    items = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    length = len(items)
    place = length + index if index < 0 else index
    if not 0 <= place < length:
        raise Failure(f"index out of range: {place} (array length is {length})")
    item = items[place]
    return Byte(item) if isinstance(items, bytes) else item


def length(value: Any) -> int:
    """The length of a value, of texts in bytes (expr-lang: runtime.Len). Raises Failure."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list | tuple | bytes | dict):
        return len(value)
    raise Failure(f"invalid argument for len (type {go_type(value)})")


def slice_of(value: Any, start: Any, end: Any) -> Any:
    """value[start:end], of texts in bytes, as in Go. None: from the start, to the end."""
    if not isinstance(value, list | tuple | str | bytes):
        raise Failure(f"cannot slice {text_of(start if start is not None else 0)}")
    items = value.encode("utf-8", "surrogatepass") if isinstance(value, str) and not value.isascii() else value
    length = len(items)
    first = to_int(start) if start is not None else 0
    last = to_int(end) if end is not None else length
    if first < 0:
        first = max(length + first, 0)
    if last < 0:
        last = max(length + last, 0)
    last = min(last, length)
    cut = items[min(first, last) : last]
    if isinstance(value, str) and isinstance(cut, bytes):
        return cut.decode("utf-8", "replace")
    if isinstance(value, list):
        return value if isinstance(value, NilSlice) else type(value)(cut)
    return cut
