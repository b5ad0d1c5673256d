"""How Python represents Go's values, and their Go types for messages.

int, float, bool, str, bytes, None   int (64 bit), float64, bool, string, []uint8, nil
list, Strings, Ints, Floats          []interface {}, []string, []int, []float64
dict, AnyKeyMap                      map[string]interface {}, map[interface {}]interface {}
Duration, Moment, Zone               time.Duration, time.Time, *time.Location
Byte, Long                           uint8 (a byte of a string), int64
Function                             a function that an expression may call
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hera_utils.argo.durations import SECOND, format_nanoseconds
from hera_utils.errors import ExpressionError


class Failure(ExpressionError):
    """An expression cannot be evaluated. The message does not have the place yet."""


class Typed:
    """A value with its own Go type."""

    go_type = "interface {}"
    kind = "any"


class Strings(list[Any]):
    go_type = "[]string"


class Ints(list[Any]):
    go_type = "[]int"


class Floats(list[Any]):
    go_type = "[]float64"


class ListOfLists(list[Any]):
    go_type = "[][]interface {}"


class NilSlice(list[Any]):
    """A nil slice: it equals nil and has no items."""

    def __init__(self, go_type: str = "[]interface {}") -> None:
        super().__init__()
        self.go_type = go_type

    def json(self) -> None:
        return None


class NilPointer:
    """A variable that is a nil pointer of Go: expressions see nil, and one that is this variable alone gives `null`, not an error."""


def is_nil(value: Any) -> bool:
    """Whether a value is nil or a nil slice."""
    return value is None or isinstance(value, NilSlice)


class _Exact(NamedTuple):
    """A key of a Go map, in which 1, 1.0 and true are three different keys, while they are equal in Python."""

    type: type
    value: Any


def _exact_key(key: Any) -> Any:
    return _Exact(type(key), key) if isinstance(key, bool | float | Typed | Byte | Long) else key


class AnyKeyMap(dict[Any, Any]):
    """A map whose keys may be of any kind."""

    go_type = "map[interface {}]interface {}"

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__((_exact_key(key), value) for key, value in pairs)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_exact_key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_exact_key(key), value)

    def __contains__(self, key: Any) -> bool:
        return super().__contains__(_exact_key(key))

    def __iter__(self) -> Iterator[Any]:
        for key in super().__iter__():
            yield key.value if isinstance(key, _Exact) else key

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_exact_key(key), default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        return super().setdefault(_exact_key(key), default)

    def keys(self) -> Any:
        return list(self)

    def items(self) -> Any:
        return [(key, self[key]) for key in self]


class Members(frozenset[Any]):
    """The literals behind `in` after the optimizer: the value on the left must have their type."""

    def __new__(cls, items: Iterable[Any]) -> Members:
        self = super().__new__(cls, items)
        self.key_type = go_type(next(iter(self)))
        return self

    key_type: str

    @property
    def go_type(self) -> str:
        return f"map[{self.key_type}]struct {{}}"


class Groups(AnyKeyMap):
    """The result of groupBy."""

    go_type = "map[interface {}][]interface {}"


class Byte(int):
    go_type = "uint8"


class Long(int):
    go_type = "int64"


class Duration(int):
    """A duration in nanoseconds, with the methods and the text of Go's time.Duration."""

    go_type = "time.Duration"

    def __str__(self) -> str:
        return format_nanoseconds(int(self))

    def json(self) -> int:
        return int(self)

    def member(self, name: str) -> Function | None:
        method = _DURATION_METHODS.get(name)
        return Function(name, lambda: method(self)) if method else None


_DURATION_METHODS: dict[str, Callable[[Duration], Any]] = {
    "Hours": lambda d: int(d) / (3600 * SECOND),
    "Minutes": lambda d: int(d) / (60 * SECOND),
    "Seconds": lambda d: int(d) / SECOND,
    "Milliseconds": lambda d: Long(_toward_zero(int(d), 1_000_000)),
    "Microseconds": lambda d: Long(_toward_zero(int(d), 1_000)),
    "Nanoseconds": lambda d: Long(int(d)),
    "String": str,
    "Abs": lambda d: Duration(abs(int(d))),
}


def _toward_zero(value: int, divisor: int) -> int:
    quotient = abs(value) // abs(divisor)
    return quotient if (value < 0) == (divisor < 0) else -quotient


class Texts(dict[str, Any]):
    go_type = "map[string]string"


class Function:
    """A function that an expression may call: `call` takes positional arguments and raises Failure.

    signature: a letter per argument (s string, i int, f float64, b bool, m map[string]interface {}, t time.Time, a any), "*" behind
    the last one when it may be repeated; None: not checked.
    """

    go_type = "func(...interface {}) interface {}"
    __slots__ = ("call", "name", "signature")

    def __init__(self, name: str, call: Callable[..., Any], signature: str | None = None) -> None:
        self.name = name
        self.call = call
        self.signature = signature

    def __repr__(self) -> str:
        return self.go_type

    def check_arguments(self, arguments: list[Any]) -> list[Any]:
        """Check the number and types of arguments as Go's reflection does; nil becomes a zero value. Raises Failure."""
        if self.signature is None:
            return arguments
        kinds = self.signature.removesuffix("*")
        fixed = len(kinds) - 1 if kinds != self.signature else len(kinds)
        if len(kinds) < len(self.signature):
            if len(arguments) < len(kinds) - 1:
                raise Failure(f"invalid number of arguments: expected at least {len(kinds) - 1}, got {len(arguments)}")
            kinds = kinds[:-1] + kinds[-1] * (len(arguments) - len(kinds) + 1)
        elif len(arguments) != len(kinds):
            raise Failure(f"invalid number of arguments: expected {len(kinds)}, got {len(arguments)}")
        # Go's messages for fixed and for repeated arguments.
        words = ("Call using {} as type {}", "cannot use {} as type {} in Call")
        return [
            _check_argument(kind, argument, words[index >= fixed])
            for index, (kind, argument) in enumerate(zip(kinds, arguments, strict=True))
        ]


_PARAMETERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "s": ("string", str),
    "i": ("int", int),
    "f": ("float64", float),
    "b": ("bool", bool),
    "m": ("map[string]interface {}", dict),
}


def _check_argument(kind: str, argument: Any, words: str) -> Any:
    if kind == "a":
        return argument
    if kind == "t":
        if not is_moment(argument):
            raise Failure("reflect: " + words.format(go_type(argument), "time.Time"))
        return argument
    name, zero = _PARAMETERS[kind]
    if argument is None:
        return zero()
    if go_type(argument) != name:
        raise Failure("reflect: " + words.format(go_type(argument), name))
    return argument


def go_type(value: Any) -> str:
    """The Go type of a value (%T)."""
    named = getattr(value, "go_type", None)
    if named is not None:
        return str(named)
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return "<nil>"


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (bytes, "[]uint8"),
    (list, "[]interface {}"),
    (tuple, "[2]interface {}"),
    (Mapping, "map[string]interface {}"),
)

_HALF = 1 << 63
_WHOLE = 1 << 64


def wrap_int64(value: int) -> int:
    """A whole number wrapped to 64 bits."""
    return value if -_HALF <= value < _HALF else (value + _HALF) % _WHOLE - _HALF


_INTS = (int, Byte, Long)
_NUMBERS = (int, float, Byte, Long)


def is_number(value: Any) -> bool:
    """Whether a value is an int or a float64 in Go: not a bool, a duration or a month."""
    return type(value) in _NUMBERS


def is_int(value: Any) -> bool:
    return type(value) in _INTS


def is_moment(value: Any) -> bool:
    return getattr(value, "go_type", "") == "time.Time"


def to_int(value: Any) -> int:
    """Go's conversion of a number to int. Raises Failure."""
    if isinstance(value, float):
        return truncate_to_int64(value)
    if is_int(value):
        return int(value)
    raise Failure(f"invalid operation: int({go_type(value)})")


def truncate_to_int64(value: float) -> int:
    """A float64 converted to int as on amd64: out of range it is the smallest int."""
    if value != value or not -float(_HALF) <= value < float(_HALF):
        return -_HALF
    return int(value)


def to_float(value: Any) -> float:
    if is_number(value):
        return float(value)
    raise Failure(f"invalid operation: float({go_type(value)})")


MOST_PARTS = 2_000_000
_CHARACTERS_OF_A_PART = 10


def count_parts(value: Any) -> int:
    """The number of parts of a value that writing or reading it touches; ten characters of a text count as one part.

    Raises Failure for too many. A list that contains the same list many times takes little memory, but reading it takes long.
    """
    if isinstance(value, (str, bytes)):
        return 1 + len(value) // _CHARACTERS_OF_A_PART
    if isinstance(value, (Ints, Floats)):
        return len(value)
    count = _count_parts(value, {})
    if count > MOST_PARTS:
        raise Failure("memory budget exceeded")
    return count


def _count_parts(value: Any, counts: dict[int, int]) -> int:
    """As count_parts. counts: id → the number of parts of lists and maps seen so far (0 while they are being counted)."""
    if isinstance(value, (str, bytes)):
        return 1 + len(value) // _CHARACTERS_OF_A_PART
    if not isinstance(value, (dict, list, tuple)):
        return 1
    count = counts.get(id(value))
    if count is None:
        counts[id(value)] = 0
        try:
            below = sum(_count_parts(part, counts) for part in (value.values() if isinstance(value, dict) else value))
        except RecursionError:
            return 1  # the code that writes the value meets the same depth and reports it
        count = counts[id(value)] = below + 1
    return count
