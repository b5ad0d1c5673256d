"""What jq's operators and functions do with values. Numbers are Go's: an integer stays one, a whole result of a division becomes one."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Values = Iterator[Any]
Filter = Callable[[Any], Values]
_ORDER = ("null", "false", "true", "number", "string", "array", "object")
LONGEST = 1 << 24
"""No text or list that a filter makes is longer."""


class JqError(Exception):
    """What fails while a filter runs; `?` forgives it (`//` does not: gojq)."""


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def described(value: Any) -> str:
    shown = text(value) if not isinstance(value, str) else json.dumps(value)
    return f"{kind(value)} ({shown if len(shown) < 30 else shown[:26] + ' ...'})" if value is not None else "null"


def number(shown: str) -> int | float:
    found = float(shown)
    return int(shown) if shown.isdigit() else int(found) if found.is_integer() and abs(found) < 2**53 else found


def true(value: Any) -> bool:
    return value is not None and value is not False


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_sorted(value), separators=(",", ":"), ensure_ascii=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def unquoted(inner: str) -> str:
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        raise JqError(f"invalid escape in a text: {inner}") from None


# --- taking apart -----------------------------------------------------------------------------------------------------
def index(value: Any, key: Any) -> Any:
    if value is None and (key is None or isinstance(key, (str, int, float))):
        return None
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key)
    if isinstance(value, (list, str)) and kind(key) == "number":
        place = int(key)
        return value[place] if -len(value) <= place < len(value) else None
    if isinstance(key, str):
        raise JqError(f"expected an object but got: {described(value)}")
    raise JqError(f"cannot index {described(value)} with {described(key)}")


def piece(value: Any, start: Any, end: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, (str, list)):
        raise JqError(f"expected an array but got: {described(value)}")
    if any(one is not None and kind(one) != "number" for one in (start, end)):
        raise JqError("slice indices must be numbers")
    low = None if start is None else int(start // 1)
    high = None if end is None else int(-(-end // 1))
    return value[low:high]


def each(value: Any) -> Values:
    if isinstance(value, dict):
        return iter([value[key] for key in sorted(value)])
    if isinstance(value, list):
        return iter(value)
    raise JqError(f"cannot iterate over: {described(value)}")


def everything(value: Any) -> Values:
    yield value
    if isinstance(value, (dict, list)):
        for one in each(value):
            yield from everything(one)


# --- operators --------------------------------------------------------------------------------------------------------
def compare(left: Any, right: Any) -> int:
    """jq's order: null < false < true < numbers < texts < lists < objects."""
    ranks = [
        _ORDER.index({True: "true", False: "false"}.get(one, "") if isinstance(one, bool) else kind(one))
        for one in (left, right)
    ]
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if isinstance(left, list):
        for one, other in zip(left, right, strict=False):
            if found := compare(one, other):
                return found
        return (len(left) > len(right)) - (len(left) < len(right))
    if isinstance(left, dict):
        if found := compare(sorted(left), sorted(right)):
            return found
        return compare([left[key] for key in sorted(left)], [right[key] for key in sorted(left)])
    if left is None or isinstance(left, bool):
        return 0
    return int(left > right) - int(left < right)


def _add(left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    kinds = {kind(left), kind(right)}
    if kinds == {"number"}:
        return _whole(left + right)
    if kinds in ({"string"}, {"array"}):
        if len(left) + len(right) > LONGEST:
            raise JqError("the result is too long")
        return left + right
    if kinds == {"object"}:
        return {**left, **right}
    raise JqError(f"cannot add: {described(left)} and {described(right)}")


def _subtract(left: Any, right: Any) -> Any:
    if kind(left) == kind(right) == "number":
        return _whole(left - right)
    if isinstance(left, list) and isinstance(right, list):
        return [one for one in left if all(compare(one, other) for other in right)]
    raise JqError(f"cannot subtract: {described(left)} and {described(right)}")


def _multiply(left: Any, right: Any) -> Any:
    if kind(left) == kind(right) == "number":
        return _whole(left * right)
    if isinstance(left, dict) and isinstance(right, dict):
        return _merged(left, right)
    if {kind(left), kind(right)} == {"string", "number"}:
        return _repeated(*((left, right) if isinstance(left, str) else (right, left)))
    raise JqError(f"cannot multiply: {described(left)} and {described(right)}")


def _repeated(shown: str, times: float) -> str | None:
    if times < 0:
        return None
    if times * len(shown) > LONGEST:
        raise JqError("the result is too long")
    return shown * int(times)


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    found = dict(left)
    for key, value in right.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found


def _divide(left: Any, right: Any) -> Any:
    if kind(left) == kind(right) == "number":
        if right == 0:
            raise JqError(f"cannot divide {described(left)} by: {described(right)}")
        return (
            left // right
            if isinstance(left, int) and isinstance(right, int) and left % right == 0
            else _whole(left / right)
        )
    if isinstance(left, str) and isinstance(right, str):
        return _split(left, right)
    raise JqError(f"cannot divide: {described(left)} and {described(right)}")


def _remainder(left: Any, right: Any) -> Any:
    if not kind(left) == kind(right) == "number":
        raise JqError(f"cannot modulo: {described(left)} and {described(right)}")
    low, high = int(left), abs(int(right))
    if high == 0:
        raise JqError(f"cannot modulo: {described(left)} by: {described(right)}")
    return (abs(low) % high) * (-1 if low < 0 else 1)


def _whole(value: int | float) -> int | float:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add, "-": _subtract, "*": _multiply, "/": _divide, "%": _remainder,
    "==": lambda left, right: compare(left, right) == 0, "!=": lambda left, right: compare(left, right) != 0,
    "<": lambda left, right: compare(left, right) < 0, "<=": lambda left, right: compare(left, right) <= 0,
    ">": lambda left, right: compare(left, right) > 0, ">=": lambda left, right: compare(left, right) >= 0,
}  # fmt: skip


# --- functions: one value each ----------------------------------------------------------------------------------------
def _only(name: str, value: Any, *kinds: str) -> Any:
    if kind(value) not in kinds:
        raise JqError(f"{name} cannot be applied to: {described(value)}")
    return value


def _length(value: Any) -> Any:
    if value is None:
        return 0
    if isinstance(value, bool):
        raise JqError(f"length cannot be applied to: {described(value)}")
    return abs(value) if isinstance(value, (int, float)) else len(value)


def _keys(value: Any) -> list[Any]:
    _only("keys", value, "array", "object")
    return sorted(value) if isinstance(value, dict) else list(range(len(value)))


def _has(value: Any, key: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and kind(key) == "number":
        return bool(0 <= key < len(value))
    raise JqError(f"has({described(key)}) cannot be applied to: {described(value)}")


def _split(value: str, by: str) -> list[str]:
    return list(value) if by == "" else value.split(by) if value else []


def _join(value: Any, by: Any) -> str:
    parts = []
    for one in each(_only("join", value, "array", "object")):
        if isinstance(one, (list, dict)):
            raise JqError(f"join cannot be applied to: {described(value)}")
        parts.append("" if one is None else text(one))
    return str(_only("join", by, "string")).join(parts) if parts else ""


def _tonumber(value: Any) -> Any:
    if kind(value) == "number":
        return value
    found = re.fullmatch(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*", _only("tonumber", value, "string"))
    if found is None:
        raise JqError(f"tonumber cannot be applied to: {described(value)}")
    return int(found[1]) if found[1].lstrip("+-").isdigit() else _whole(float(found[1]))


def _tojson(value: Any) -> str:
    return json.dumps(_sorted(value), separators=(",", ":"), ensure_ascii=False)


def _fromjson(value: Any) -> Any:
    try:
        return json.loads(_only("fromjson", value, "string"))
    except ValueError:
        raise JqError(f"fromjson cannot be applied to: {described(value)}") from None


def _contains(value: Any, part: Any) -> bool:
    if isinstance(value, dict) and isinstance(part, dict):
        return all(key in value and _contains(value[key], one) for key, one in part.items())
    if isinstance(value, list) and isinstance(part, list):
        return all(any(_alike(one, wanted) and _contains(one, wanted) for one in value) for wanted in part)
    if isinstance(value, str) and isinstance(part, str):
        return part in value
    if kind(value) == kind(part):
        return compare(value, part) == 0
    raise JqError(f"cannot check contains({described(part)}): {described(value)}")


def _alike(one: Any, other: Any) -> bool:
    return kind(one) == kind(other)


def _add_all(value: Any) -> Any:
    return functools.reduce(_add, each(value), None)


_Ordered: Callable[[Any], Any] = functools.cmp_to_key(compare)


def _sort(value: Any) -> list[Any]:
    return sorted(_only("sort", value, "array"), key=_Ordered)


def _unique(value: Any) -> list[Any]:
    found: list[Any] = []
    for one in _sort(_only("unique", value, "array")):
        if not found or compare(found[-1], one):
            found.append(one)
    return found


def _extreme(value: Any, sign: int) -> Any:
    found: Any = None
    for place, one in enumerate(_only("min" if sign < 0 else "max", value, "array")):
        order = compare(one, found) if place else sign
        found = one if not place or order == sign or (order == 0 and sign > 0) else found
    return found


def _flat(value: Any) -> list[Any]:
    found: list[Any] = []
    for one in each(_only("flatten", value, "array", "object")):
        found += _flat(one) if isinstance(one, list) else [one]
    return found


def _entries(value: Any) -> list[Any]:
    _only("to_entries", value, "object", "array")
    return [{"key": key, "value": value[key]} for key in _keys(value)]


def _from_entries(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in _only("from_entries", value, "array"):
        _only("from_entries", one, "object")
        name = next((one[field] for field in ("key", "k", "name", "Name", "Key", "K") if true(one.get(field))), None)
        if not isinstance(name, str):
            raise JqError(f"expected a string for object key but got: {described(name)}")
        found[name] = next((one[field] for field in ("value", "v", "Value", "V") if field in one), None)
    return found


def _decoded(value: Any) -> str:
    shown = text(value).rstrip("=")
    try:
        return base64.b64decode(shown + "=" * (-len(shown) % 4), validate=True).decode("utf-8", "replace")
    except ValueError:
        raise JqError(f"@base64d cannot be applied to: {described(value)}") from None


def _floor(value: Any) -> Any:
    return int(_only("floor", value, "number") // 1)


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "length": _length, "keys": _keys, "type": kind, "add": _add_all, "sort": _sort, "unique": _unique, "tostring": text,
    "tonumber": _tonumber, "tojson": _tojson, "fromjson": _fromjson, "to_entries": _entries, "from_entries": _from_entries,
    "not": lambda value: not true(value), "flatten": _flat,
    "min": lambda value: _extreme(value, -1), "max": lambda value: _extreme(value, 1),
    "reverse": lambda value: _only("reverse", value, "array")[::-1],
    "any": lambda value: any(true(one) for one in each(value)), "all": lambda value: all(true(one) for one in each(value)),
    "first": lambda value: index(value, 0), "last": lambda value: index(value, -1), "floor": _floor,
    "ascii_downcase": lambda value: "".join(c.lower() if c < "\x80" else c for c in _only("ascii_downcase", value, "string")),
    "ascii_upcase": lambda value: "".join(c.upper() if c < "\x80" else c for c in _only("ascii_upcase", value, "string")),
    "@base64": lambda value: base64.b64encode(text(value).encode()).decode(), "@base64d": _decoded, "@text": text,
    "@json": _tojson,
}  # fmt: skip


# --- functions of filters ---------------------------------------------------------------------------------------------
def _select(value: Any, condition: Filter) -> Values:
    return (value for one in condition(value) if true(one))


def _by(value: Any, of: Filter) -> list[tuple[list[Any], Any]]:
    pairs = [(list(of(one)), one) for one in _only("sort_by", value, "array")]
    return sorted(pairs, key=lambda pair: _Ordered(pair[0]))


def _group_by(value: Any, of: Filter) -> Values:
    groups: list[tuple[Any, list[Any]]] = []
    for key, one in _by(value, of):
        if groups and compare(groups[-1][0], key) == 0:
            groups[-1][1].append(one)
        else:
            groups.append((key, [one]))
    return iter([[members for _, members in groups]])


def _unique_by(value: Any, of: Filter) -> Values:
    return iter([[group[0] for group in next(_group_by(value, of))]])


def _map_values(value: Any, of: Filter) -> Values:
    if isinstance(value, dict):
        firsts = {key: next(of(value[key]), _NOTHING) for key in sorted(value)}
        return iter([{key: one for key, one in firsts.items() if one is not _NOTHING}])
    return iter([[one for one in (next(of(each_), _NOTHING) for each_ in each(value)) if one is not _NOTHING]])


_NOTHING = object()


def _with_entries(value: Any, of: Filter) -> Values:
    return iter([_from_entries([out for one in _entries(value) for out in of(one)])])


def _range(value: Any, *limits: Filter) -> Values:
    low, high = (next(limits[0](value)), next(limits[1](value))) if len(limits) == 2 else (0, next(limits[0](value)))
    if kind(low) != "number" or kind(high) != "number" or high - low > LONGEST:
        raise JqError("range: bounds must be numbers, not too far apart")
    while low < high:
        yield low
        low += 1


def _failing(value: Any, message: Filter) -> Values:
    raise JqError(text(next(message(value), None)))


def _tested(name: str, holds: Callable[[str, str], bool]) -> Callable[..., Values]:
    def run(value: Any, part: Filter) -> Values:
        for one in part(value):
            if not isinstance(value, str) or not isinstance(one, str):
                raise JqError(f"{name}({described(one)}) cannot be applied to: {described(value)}")
            yield holds(value, one)

    return run


def _of_one(function: Callable[[Any, Any], Any]) -> Callable[..., Values]:
    return lambda value, argument: (function(value, one) for one in argument(value))


def _without(value: Any, part: Any, *, front: bool) -> Any:
    if not isinstance(value, str) or not isinstance(part, str):
        return value
    return value.removeprefix(part) if front else value.removesuffix(part)


FUNCTIONS: dict[tuple[str, int], Callable[..., Values]] = {
    **{(name, 0): (lambda value, function=function: iter([function(value)])) for name, function in _SIMPLE.items()},
    ("empty", 0): lambda value: iter(()),
    ("error", 1): _failing,
    ("recurse", 0): everything,
    ("values", 0): lambda value: iter([value] if value is not None else []),
    ("select", 1): _select,
    ("map", 1): lambda value, of: iter([[out for one in each(value) for out in of(one)]]),
    ("map_values", 1): _map_values,
    ("with_entries", 1): _with_entries,
    ("has", 1): _of_one(_has),
    ("contains", 1): _of_one(_contains),
    ("join", 1): _of_one(_join),
    ("split", 1): _of_one(lambda value, by: _split(_only("split", value, "string"), _only("split", by, "string"))),
    ("startswith", 1): _tested("startswith", str.startswith),
    ("endswith", 1): _tested("endswith", str.endswith),
    ("ltrimstr", 1): _of_one(functools.partial(_without, front=True)),
    ("rtrimstr", 1): _of_one(functools.partial(_without, front=False)),
    ("sort_by", 1): lambda value, of: iter([[one for _, one in _by(value, of)]]),
    ("group_by", 1): _group_by,
    ("unique_by", 1): _unique_by,
    ("min_by", 1): lambda value, of: iter([next((one for _, one in _by(value, of)), None)]),
    ("max_by", 1): lambda value, of: iter([next((one for _, one in reversed(_by(value, of))), None)]),
    ("any", 1): lambda value, of: iter([any(true(out) for one in each(value) for out in of(one))]),
    ("all", 1): lambda value, of: iter([all(true(out) for one in each(value) for out in of(one))]),
    ("first", 1): lambda value, of: iter([one for one, _ in zip(of(value), range(1), strict=False)]),
    ("range", 1): _range,
    ("range", 2): _range,
}  # fmt: skip
