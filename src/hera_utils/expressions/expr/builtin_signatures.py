"""The builtins whose arguments expr-lang checks by special rules: from the natures of arguments to that of the result, or a message."""

from __future__ import annotations

from collections.abc import Callable

from hera_utils.expressions.expr.types import ANY, FLOAT, INT, LIST, TIME, Nature, nature_named

Rule = Callable[[list[Nature]], "Nature | str"]
WIDE = "map[interface {}]interface {}"


def _text_of(nature: Nature) -> str:
    return nature.type or "%!s(<nil>)"


def _single_argument(kinds: str, result: Callable[[Nature], Nature], complaint: str) -> Rule:
    """The rule of a builtin with one argument. kinds: of number, text, list, map; an unknown type always fits."""

    def rule(natures: list[Nature]) -> Nature | str:
        if len(natures) != 1:
            return f"invalid number of arguments (expected 1, got {len(natures)})"
        nature = natures[0]
        fits = {
            "number": nature.number or nature.type in ("time.Duration", "time.Month", "time.Weekday"),
            "text": nature.type == "string",
            "list": nature.kind == "slice",
            "map": nature.kind == "map",
        }
        if nature.type == ANY or any(fits[kind] for kind in kinds.split()):
            return result(nature)
        return complaint.format(_text_of(nature))

    return rule


def _aggregate(name: str) -> Rule:
    def rule(natures: list[Nature]) -> Nature | str:
        if not natures:
            return f"not enough arguments to call {name}"
        for nature in natures:
            if nature.type == ANY or nature.kind == "slice":
                return nature_named(ANY)
            if not nature.number and nature.kind not in ("int64", "int"):
                return f"invalid argument for {name} (type {_text_of(nature)})"
        return natures[0]

    return rule


def _take(natures: list[Nature]) -> Nature | str:
    if len(natures) != 2:
        return f"invalid number of arguments (expected 2, got {len(natures)})"
    values, count = natures
    if values.type != ANY and values.kind != "slice":
        return f"cannot take from {_text_of(values)}"
    if count.type != ANY and count.kind not in ("int", "int64", "int32"):
        return f"cannot take {_text_of(count)} elements"
    return nature_named(values.type or ANY)


def _concat(natures: list[Nature]) -> Nature | str:
    if not natures:
        return "invalid number of arguments (expected at least 1, got 0)"
    for nature in natures:
        if nature.type != ANY and nature.kind != "slice":
            return f"cannot concat {_text_of(nature)}"
    return nature_named(LIST)


def _now(natures: list[Nature]) -> Nature | str:
    if not natures or (len(natures) == 1 and natures[0].type == "*time.Location"):
        return nature_named(TIME)
    return f"invalid number of arguments (expected 0, got {len(natures)})"


def _date(natures: list[Nature]) -> Nature | str:
    if not natures:
        return "invalid number of arguments (expected at least 1, got 0)"
    given = len(natures) - (natures[0].type == "*time.Location")
    if given > 3:
        return f"invalid number of arguments (expected at most 3, got {given})"
    return nature_named(TIME)


def _item(nature: Nature) -> Nature:
    if nature.type == ANY or nature.type is None:
        return nature_named(ANY)
    return nature_named(nature.type.partition("]")[2])


RULES: dict[str, Rule] = {
    "len": _single_argument("text list map", lambda nature: INT, "invalid argument for len (type {})"),
    "abs": _single_argument(
        "number", lambda nature: nature_named(nature.type or ANY), "invalid argument for abs (type {})"
    ),
    "ceil": _single_argument("number", lambda nature: FLOAT, "invalid argument for ceil (type {})"),
    "floor": _single_argument("number", lambda nature: FLOAT, "invalid argument for floor (type {})"),
    "round": _single_argument("number", lambda nature: FLOAT, "invalid argument for round (type {})"),
    "int": _single_argument("number text", lambda nature: INT, "invalid argument for int (type {})"),
    "float": _single_argument("number text", lambda nature: FLOAT, "invalid argument for float (type {})"),
    "first": _single_argument("list", _item, "cannot get first element from {}"),
    "last": _single_argument("list", _item, "cannot get last element from {}"),
    "keys": _single_argument("map", lambda nature: nature_named(LIST), "cannot get keys from {}"),
    "values": _single_argument("map", lambda nature: nature_named(LIST), "cannot get values from {}"),
    "toPairs": _single_argument("map", lambda nature: nature_named(LIST), "cannot transform {} to pairs"),
    "fromPairs": _single_argument("list", lambda nature: nature_named(WIDE), "cannot transform {} from pairs"),
    "reverse": _single_argument("list", lambda nature: nature_named(LIST), "cannot reverse {}"),
    "uniq": _single_argument("list", lambda nature: nature_named(LIST), "cannot uniq {}"),
    "flatten": _single_argument("list", lambda nature: nature_named(LIST), "cannot flatten {}"),
    "max": _aggregate("max"),
    "min": _aggregate("min"),
    "mean": _aggregate("mean"),
    "median": _aggregate("median"),
    "take": _take,
    "concat": _concat,
    "now": _now,
    "date": _date,
}
