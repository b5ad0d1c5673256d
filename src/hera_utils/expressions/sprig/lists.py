"""sprig's functions of lists, maps, types and JSON."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from hera_utils.errors import ExpressionError
from hera_utils.expressions.expr import functions as builtin
from hera_utils.expressions.gotext import to_json
from hera_utils.expressions.gotime import Moment
from hera_utils.expressions.operations import deep_equal
from hera_utils.expressions.sprig.defaults import empty
from hera_utils.expressions.sprig.numbers import whole
from hera_utils.expressions.sprig.texts import Table, text
from hera_utils.expressions.values import Failure, ListOfLists, NilSlice, Strings, go_type


def _items(value: Any, verb: str) -> list[Any]:
    if value is None:
        raise Failure("runtime error: invalid memory address or nil pointer dereference")
    if not isinstance(value, list | tuple | bytes):
        raise Failure(f"Cannot {verb} type {builtin.kind(value)}")
    return value if isinstance(value, list) else list(value)


def _contains(values: list[Any], value: Any) -> bool:
    return value in values if type(value) is str else any(deep_equal(value, item) for item in values)


_MOST_COMPARED = 1_000_000


def _unique(value: Any) -> list[Any]:
    unique_values: list[Any] = []
    for place, item in enumerate(_items(value, "find uniq on")):
        if place * len(unique_values) > _MOST_COMPARED:
            raise Failure("memory budget exceeded")
        if not _contains(unique_values, item):
            unique_values.append(item)
    return unique_values


def _without(value: Any, *omitted: Any) -> list[Any]:
    return [item for item in _items(value, "find without on") if not _contains(list(omitted), item)]


def _has(needle: Any, value: Any) -> bool:
    return value is not None and _contains(_items(value, "find has on"), needle)


def _end(index: int, verb: str) -> Callable[[Any], Any]:
    def pick(value: Any) -> Any:
        items = _items(value, f"find {verb} on")
        return items[index] if items else None

    return pick


def _rest(value: Any) -> list[Any]:
    items = _items(value, "find rest on")
    return items[1:] if items else NilSlice()


def _initial(value: Any) -> list[Any]:
    items = _items(value, "find initial on")
    return items[:-1] if items else NilSlice()


def _chunk(size: int, value: Any) -> ListOfLists:
    items = _items(value, "chunk")
    count = math.floor((len(items) - 1) / size) + 1 if size else -1
    if count < 0:
        raise Failure("runtime error: makeslice: len out of range")
    if size < 0:  # sprig's formula then finds one chunk, or none, or one of a negative length
        if count and len(items) % -size == 0:
            raise Failure("runtime error: makeslice: len out of range")
        return ListOfLists([list(items)] if count else [])
    return ListOfLists([items[start : start + size] for start in range(0, len(items), size)])


def _slice(value: Any, *indices: Any) -> Any:
    if value is not None and not isinstance(value, list | tuple):
        raise Failure(f"list should be type of slice or array but {builtin.kind(value)}")
    items = _items(value, "slice")
    if not items:
        return None
    start = whole(indices[0]) if indices else 0
    end = whole(indices[1]) if len(indices) > 1 else len(items)
    if not 0 <= start <= end <= len(items):
        raise Failure("reflect.Value.Slice: slice index out of bounds")
    return type(value)(items[start:end]) if isinstance(value, list) else items[start:end]


def _concat(*lists: Any) -> list[Any]:
    result: list[Any] = []
    for one in lists:
        if one is not None and not isinstance(one, list | tuple):
            raise Failure(f"Cannot concat type {builtin.kind(one)} as list")
        result.extend(_items(one, "concat"))
    return result or NilSlice()


def _dict(*values: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for index in range(0, len(values), 2):
        result[text(values[index])] = values[index + 1] if index + 1 < len(values) else ""
    return result


def _set(where: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    where[key] = value
    return where


def _unset(where: dict[str, Any], key: str) -> dict[str, Any]:
    where.pop(key, None)
    return where


def _merge(target: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
    for source in sources:
        _merge_maps(target, source, overwrite=False)
    return target


def _merge_overwrite(target: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
    for source in sources:
        _merge_maps(target, source, overwrite=True)
    return target


def _merge_maps(target: dict[str, Any], source: dict[str, Any], *, overwrite: bool) -> None:
    for key, value in source.items():
        present = target.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge_maps(present, value, overwrite=overwrite)
        elif overwrite or key not in target or empty(present):
            target[key] = value


def _dig(*arguments: Any) -> Any:
    if len(arguments) < 3:
        raise Failure("dig needs at least three arguments")
    *keys, fallback, where = arguments
    for key in keys:
        if not isinstance(key, str):
            type_name = "nil" if key is None else go_type(key)
            raise Failure(f"interface conversion: interface {{}} is {type_name}, not string")
        if go_type(where) != "map[string]interface {}":
            raise Failure(f"interface conversion: interface {{}} is {go_type(where)}, not map[string]interface {{}}")
        if key not in where:
            return fallback
        where = where[key]
    return where


def _from_json(value: str) -> Any:
    try:
        return builtin.from_json(value)
    except Failure:
        return None


def _to_json(**form: Any) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        try:
            return to_json(value, **form)
        except ExpressionError:
            return ""

    return write


def _must_json(**form: Any) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        try:
            return to_json(value, **form)
        except ExpressionError as error:
            raise Failure(error.message) from None

    return write


def _clone(value: Any) -> Any:
    return value if isinstance(value, Moment) else copy.deepcopy(value)


def _pick(where: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: where[key] for key in keys if key in where}


def _omit(where: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in where.items() if key not in keys}


def _keys(*maps: dict[str, Any]) -> Strings:
    return Strings([key for mapping in maps for key in mapping])


def _push(value: Any, item: Any) -> list[Any]:
    return [*_items(value, "push on"), item]


def _prepend(value: Any, item: Any) -> list[Any]:
    return [item, *_items(value, "prepend on")]


def _compact(value: Any) -> list[Any]:
    return [item for item in _items(value, "compact on") if not empty(item)]


def _reverse(value: Any) -> list[Any]:
    return _items(value, "find reverse on")[::-1]


def _list(*values: Any) -> list[Any]:
    return list(values)


LISTS: Table = {
    "tuple": ("a*", _list),
    "list": ("a*", _list),
    "append": ("aa", _push),
    "push": ("aa", _push),
    "mustAppend": ("aa", _push),
    "mustPush": ("aa", _push),
    "prepend": ("aa", _prepend),
    "mustPrepend": ("aa", _prepend),
    "first": ("a", _end(0, "first")),
    "mustFirst": ("a", _end(0, "first")),
    "last": ("a", _end(-1, "last")),
    "mustLast": ("a", _end(-1, "last")),
    "rest": ("a", _rest),
    "mustRest": ("a", _rest),
    "initial": ("a", _initial),
    "mustInitial": ("a", _initial),
    "reverse": ("a", _reverse),
    "mustReverse": ("a", _reverse),
    "uniq": ("a", _unique),
    "mustUniq": ("a", _unique),
    "without": ("aa*", _without),
    "mustWithout": ("aa*", _without),
    "has": ("aa", _has),
    "mustHas": ("aa", _has),
    "slice": ("aa*", _slice),
    "mustSlice": ("aa*", _slice),
    "compact": ("a", _compact),
    "mustCompact": ("a", _compact),
    "concat": ("a*", _concat),
    "chunk": ("ia", _chunk),
    "mustChunk": ("ia", _chunk),
    "dict": ("a*", _dict),
    "get": ("ms", lambda where, key: where.get(key, "")),
    "set": ("msa", _set),
    "unset": ("ms", _unset),
    "hasKey": ("ms", lambda where, key: key in where),
    "pluck": ("sm*", lambda key, *maps: [mapping[key] for mapping in maps if key in mapping]),
    "keys": ("m*", _keys),
    "pick": ("ms*", _pick),
    "omit": ("ms*", _omit),
    "merge": ("mm*", _merge),
    "mustMerge": ("mm*", _merge),
    "mergeOverwrite": ("mm*", _merge_overwrite),
    "mustMergeOverwrite": ("mm*", _merge_overwrite),
    "values": ("m", lambda where: list(where.values())),
    "dig": ("a*", _dig),
    "deepCopy": ("a", _clone),
    "mustDeepCopy": ("a", _clone),
    "fromJson": ("s", _from_json),
    "mustFromJson": ("s", builtin.from_json),
    "toJson": ("a", _to_json()),
    "toPrettyJson": ("a", _to_json(indent="  ")),
    "toRawJson": ("a", _must_json(html=False)),
    "mustToJson": ("a", _must_json()),
    "mustToPrettyJson": ("a", _must_json(indent="  ")),
    "mustToRawJson": ("a", _must_json(html=False)),
    "typeOf": ("a", go_type),
    "typeIs": ("sa", lambda name, value: name == go_type(value)),
    "typeIsLike": ("sa", lambda name, value: go_type(value) in (name, "*" + name)),
    "kindOf": ("a", builtin.kind),
    "kindIs": ("sa", lambda name, value: name == builtin.kind(value)),
    "deepEqual": ("aa", deep_equal),
}
