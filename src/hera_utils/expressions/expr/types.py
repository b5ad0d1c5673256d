"""The types of expr-lang's checker. A type is its Go name; None: known only in the evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hera_utils.expressions.values import Function, go_type

ANY = "interface {}"
LIST = "[]interface {}"
MAP = "map[string]interface {}"
GROUPS = "map[interface {}][]interface {}"
TIME = "time.Time"
DURATION = "time.Duration"

_KINDS = {
    "time.Time": "struct",
    "time.Duration": "int64",
    "time.Month": "int",
    "time.Weekday": "int",
    "*time.Location": "ptr",
    "*semver.Version": "ptr",
    ANY: "interface",
}
_INTEGERS = frozenset({"int", "int64", "uint8", "uint64", "int32"})


@dataclass(frozen=True)
class Signature:
    """Parameter types and result type of a function."""

    parameters: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Nature:
    """type: Go's name or None; element: of the items of a list, if known; signature: of a function."""

    type: str | None = None
    element: Nature | None = None
    nil: bool = False
    signature: Signature | None = None

    @property
    def unknown(self) -> bool:
        return (self.type is None and not self.nil) or self.type == ANY

    @property
    def kind(self) -> str:
        """The name of the type's kind (reflect.Kind), "" for an unknown type."""
        if self.type is None:
            return ""
        if self.type.startswith("map["):
            return "map"
        if self.type.startswith("["):
            return "slice"
        if self.type.startswith("func"):
            return "func"
        return _KINDS.get(self.type, self.type)

    @property
    def display(self) -> str:
        return self.type or "unknown"

    @property
    def integer(self) -> bool:
        return self.type in _INTEGERS

    @property
    def number(self) -> bool:
        return self.integer or self.type == "float64"

    @property
    def key(self) -> Nature:
        """The type of a map's keys."""
        if self.type is not None and self.type.startswith("map[string]"):
            return STRING
        return nature_named(ANY)

    @property
    def item(self) -> Nature:
        """The nature of the items of a list or a map."""
        if self.type is None:
            return UNKNOWN
        if self.kind == "map":
            return nature_named(self.type.partition("]")[2])
        if self.kind == "slice":
            return self.element if self.element is not None else nature_named(self.type.partition("]")[2])
        return UNKNOWN

    def is_any_of(self, checks: str) -> bool:
        """checks: letters of b(ool) s(tring) i(nteger) n(umber) m(ap) a(rray) t(ime) d(uration)."""
        return any(_CHECKS[check](self) for check in checks)

    def assignable_to(self, other: Nature) -> bool:
        if self.nil and other.kind in ("ptr", "interface", "func", "map", "slice"):
            return True
        if self.type is None or other.type is None:
            return False
        return other.type in (ANY, self.type)

    def comparable_to(self, other: Nature) -> bool:
        return (
            self.unknown
            or other.unknown
            or self.nil
            or other.nil
            or (self.number and other.number)
            or (self.kind == other.kind == "slice")
            or self.assignable_to(other)
        )

    def maybe_compatible(self, other: Nature, checks: str) -> bool:
        if self.unknown:
            return other.unknown or other.is_any_of(checks)
        return other.unknown and self.is_any_of(checks)


_CHECKS: dict[str, Any] = {
    "b": lambda nature: nature.type == "bool",
    "s": lambda nature: nature.type == "string",
    "i": lambda nature: nature.integer,
    "n": lambda nature: nature.number,
    "m": lambda nature: nature.kind == "map",
    "a": lambda nature: nature.kind == "slice",
    "t": lambda nature: nature.type == TIME,
    "d": lambda nature: nature.type == DURATION,
}

UNKNOWN = Nature()
NIL = Nature(nil=True)
STRING = Nature("string")
BOOL = Nature("bool")
INT = Nature("int")
FLOAT = Nature("float64")
_KNOWN = {nature.type: nature for nature in (STRING, BOOL, INT, FLOAT)}


def nature_named(name: str) -> Nature:
    """The nature of a Go type."""
    return _KNOWN.get(name) or Nature(name)


def list_of(item: Nature) -> Nature:
    """A []interface {} with items of that nature."""
    return Nature(LIST, item)


def of_value(value: Any) -> Nature:
    """The nature of a value of the environment."""
    if value is None:
        return NIL
    if isinstance(value, Function):
        signature = ENVIRONMENT.get(value.name)
        return Nature("func", signature=signature) if signature is not None else UNKNOWN
    return nature_named(go_type(value))


ENVIRONMENT = {
    "asInt": Signature((ANY,), ANY),
    "asFloat": Signature((ANY,), ANY),
    "toJson": Signature((ANY,), "string"),
    "jsonpath": Signature(("string", "string"), ANY),
}
"""The functions that Argo adds to the environment."""


def _signatures(text: str) -> dict[str, list[Signature]]:
    """Lines of `name(types) result`; a name may stand on several lines."""
    short = {
        "s": "string",
        "i": "int",
        "a": ANY,
        "l": LIST,
        "b": "bool",
        "f": "float64",
        "S": "[]string",
        "I": "[]int",
        "F": "[]float64",
    }
    signatures: dict[str, list[Signature]] = {}
    for line in text.split():
        name, _, rest = line.partition("(")
        parameters, _, result = rest.partition(")")
        types = tuple(short.get(part, part) for part in parameters.split(",") if part)
        signatures.setdefault(name, []).append(Signature(types, short.get(result, result)))
    return signatures


BUILTINS = _signatures(
    """
    type(a)s string(a)s trim(s)s trim(s,s)s trimPrefix(s,s)s trimPrefix(s)s trimSuffix(s,s)s trimSuffix(s)s upper(s)s lower(s)s
    split(s,s)S split(s,s,i)S splitAfter(s,s)S splitAfter(s,s,i)S replace(s,s,s,i)s replace(s,s,s)s repeat(s,i)s
    join(S,s)s join(l,s)s join(l)s join(S,s)s join(S)s indexOf(s,s)i lastIndexOf(s,s)i hasPrefix(s,s)b hasSuffix(s,s)b
    toJSON(a)s fromJSON(s)a toBase64(s)s fromBase64(s)s duration(s)time.Duration timezone(s)*time.Location
    sort(l,s)l sort(I,s)l sort(F,s)l sort(S,s)l sort(l)l sort(F)l sort(S)l sort(I)l
    bitand(i,i)i bitor(i,i)i bitxor(i,i)i bitnand(i,i)i bitshl(i,i)i bitshr(i,i)i bitushr(i,i)i bitnot(i)i
    """
)
"""The builtins with fixed overloads."""

METHODS: dict[str, dict[str, list[Signature]]] = {
    TIME: _signatures(
        """
        Year()i Month()time.Month Day()i Hour()i Minute()i Second()i Nanosecond()i Weekday()time.Weekday YearDay()i Unix()int64
        UnixMilli()int64 UnixMicro()int64 UnixNano()int64 UTC()time.Time Local()time.Time In(*time.Location)time.Time
        Add(time.Duration)time.Time Sub(time.Time)time.Duration AddDate(i,i,i)time.Time Before(time.Time)b After(time.Time)b
        Equal(time.Time)b Compare(time.Time)i IsZero()b Truncate(time.Duration)time.Time Round(time.Duration)time.Time Format(s)s
        String()s
        """
    ),
    DURATION: _signatures(
        "Hours()f Minutes()f Seconds()f Milliseconds()int64 Microseconds()int64 Nanoseconds()int64 String()s Abs()time.Duration"
    ),
    "time.Month": _signatures("String()s"),
    "time.Weekday": _signatures("String()s"),
    "*time.Location": _signatures("String()s"),
}
"""The methods that the checker knows."""
