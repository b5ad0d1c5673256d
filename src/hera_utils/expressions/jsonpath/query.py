"""JSONPath of Argo's `jsonpath(text, path)` (evilmonkeyinc/jsonpath 0.8.1 with its default options).

A path is cut into steps (`$`, `.key`, `..`, `*`, `[0]`, `['key']`, `[0,1]`, `[0:3:1]`, `[?(filter)]`, `[(script)]`, `.length`). A step is
applied to a value and passes its results to the steps behind it. A missing key or index is an error; behind `*`, `..`, a union, a
range or a filter, results that are errors or nil are left out of the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hera_utils.expressions.expr.functions import from_json, kind
from hera_utils.expressions.jsonpath.script import Evaluate, compile_script
from hera_utils.expressions.values import Failure, Long, is_number
from hera_utils.memoised import memoised

MOST_STEPS = 200_000


class TooManySteps(Failure):
    """A path would take too long. No step may treat this as "nothing found"."""


@dataclass(frozen=True)
class Script:
    """A `(…)` within brackets."""

    evaluate: Evaluate


@dataclass(frozen=True)
class Step:
    """kind: root | current | wildcard | recursive | length | key | index | union | range | filter | script; value: its argument."""

    kind: str
    value: Any = None


def query_text(text: Any, path: Any) -> Any:
    """The result of a path in JSON text. Raises Failure."""
    return query(from_json(text), path)


def query(root: Any, path: str) -> Any:
    """The result of a path in a value. Raises Failure."""
    try:
        steps = compile_path(path)
    except Failure as failure:  # the library wraps the message twice
        once = f"invalid JSONPath selector '{path}' {failure.message}"
        raise Failure(f"invalid JSONPath selector '{path}' {once}") from None
    try:
        return _Query(root).apply(steps, 0, root)
    except RecursionError:
        raise Failure("data is nested too deeply") from None


@memoised(256)
def compile_path(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises Failure."""
    return tuple(map(_step, _split_steps(path)))


# -- applying -----------------------------------------------------------------------------------------------------------


class _Query:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.steps = 0

    def apply(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        if at >= len(steps):
            return current
        self.count()
        return _APPLY[steps[at].kind](self, steps, at, current)

    def count(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooManySteps("a JSONPath that takes too many steps")

    def apply_or_none(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        """The result of the steps; None for no result or an error."""
        try:
            return self.apply(steps, at, current)
        except TooManySteps:
            raise
        except Failure:
            return None

    def from_root(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        return self.apply(steps, at + 1, self.root)

    def from_current(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        return self.apply(steps, at + 1, current)

    def key(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        return self._key(steps[at].value, steps, at, current)

    def _key(self, key: str, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        if not isinstance(current, dict):
            raise _wrong_target("key", current, "map")
        if key not in current:
            raise Failure(f"key: invalid token key '{key}' not found")
        return self.apply(steps, at + 1, current[key])

    def index(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        return self._index(steps[at].value, steps, at, current)

    def _index(self, index: int, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        if not isinstance(current, list | tuple):
            raise _wrong_target("index", current, "array slice")
        place = len(current) + index if index < 0 else index
        if not 0 <= place < len(current):
            raise Failure("index: invalid token out of range")
        return self.apply(steps, at + 1, current[place])

    def length(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        if isinstance(current, dict):
            size = current.get("length", Long(len(current)))
        elif isinstance(current, list | tuple):
            size = Long(len(current))
        elif isinstance(current, str):
            size = Long(len(current.encode("utf-8", "surrogatepass")))
        else:
            raise _wrong_target("length", current, "array map slice string")
        return self.apply(steps, at + 1, size)

    def wildcard(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        values = _values("wildcard", current)
        if at + 1 >= len(steps):
            return values
        return [
            result for result in (self.apply_or_none(steps, at + 1, value) for value in values) if result is not None
        ]

    def recursive(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        return list(self._recursive(steps, at, current))

    def _recursive(self, steps: tuple[Step, ...], at: int, current: Any) -> Iterator[Any]:
        if current is None:
            return
        self.count()
        if at + 1 < len(steps):
            result = self.apply_or_none(steps, at + 1, current)
            if isinstance(result, list | tuple):
                yield from result
            elif result is not None:
                yield result
        else:
            yield current
        if isinstance(current, dict | list | tuple):
            for value in _values("recursive", current):
                yield from self._recursive(steps, at, value)

    def filter(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        evaluate: Evaluate = steps[at].value
        accepted = []
        for value in _values("filter", current):
            try:
                verdict = evaluate(self.root, value)
            except Failure:
                verdict = None
            if _is_true(verdict):
                accepted.append(value)
        if at + 1 >= len(steps):
            return accepted
        if steps[at + 1].kind == "index":
            return self.apply(steps, at + 1, accepted)
        return [
            result for result in (self.apply_or_none(steps, at + 1, value) for value in accepted) if result is not None
        ]

    def script(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        value = _run_script(steps[at].value, self.root, current)
        if value is None:
            raise Failure("unexpected expression result. expected [int string] got [nil]")
        if isinstance(value, str):
            return self._key(value, steps, at, current)
        index = integer(value)
        if index is None:
            raise Failure(f"unexpected expression result. expected [int string] got [{kind(value)}]")
        return self._index(index, steps, at, current)

    def union(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        keys: list[str] = []
        indices: list[int] = []
        for argument in steps[at].value:
            value = _argument("union", argument, self.root, current)
            index = integer(value)
            if isinstance(value, str):
                keys.append(value)
            elif index is not None:
                indices.append(index)
            else:
                type_name = "nil" if value is None else kind(value)
                raise Failure(f"union: invalid token argument. expected [int string] got [{type_name}]")
        if keys and indices:
            raise Failure("union: invalid token argument. expected [int] got [string]")
        if keys:
            if not isinstance(current, dict):
                raise _wrong_target("union", current, "map")
            return self.spread(steps, at, [current[key] for key in keys if key in current])
        if not isinstance(current, list | tuple):
            raise _wrong_target("union", current, "array slice")
        size = len(current)
        places = [size + index if index < 0 else index for index in indices]
        return self.spread(steps, at, [current[place] for place in places if 0 <= place < size])

    def range(self, steps: tuple[Step, ...], at: int, current: Any) -> Any:
        if not isinstance(current, list | tuple):
            raise _wrong_target("range", current, "array slice")
        size = len(current)
        limits = [self._limit(limit, current) for limit in steps[at].value]
        start, end = (
            default if limit is None else min(max(size + limit if limit < 0 else limit, 0), size)
            for limit, default in zip(limits[:2], (0, size), strict=True)
        )
        step = 1 if limits[2] is None else limits[2]
        if step == 0:
            raise Failure("range: invalid token out of range")
        places = range(start, end, step) if step > 0 else range(end - 1, start - 1, step)
        return self.spread(steps, at, [current[place] for place in places])

    def _limit(self, limit: Any, current: Any) -> int | None:
        if limit is None:
            return None
        value = _argument("range", limit, self.root, current)
        number = integer(value)
        if number is None:
            type_name = "nil" if value is None else kind(value)
            raise Failure(f"range: invalid token unexpected expression result. expected [int] got [{type_name}]")
        return number

    def spread(self, steps: tuple[Step, ...], at: int, values: list[Any]) -> Any:
        """Apply the steps behind a union or a range: an index selects one of the values, any other step is applied to each."""
        if at + 1 >= len(steps) or steps[at + 1].kind == "index":
            return self.apply(steps, at + 1, values)
        return [
            result for result in (self.apply_or_none(steps, at + 1, value) for value in values) if result is not None
        ]


_APPLY: dict[str, Callable[[_Query, tuple[Step, ...], int, Any], Any]] = {
    "root": _Query.from_root,
    "current": _Query.from_current,
    "key": _Query.key,
    "index": _Query.index,
    "length": _Query.length,
    "wildcard": _Query.wildcard,
    "recursive": _Query.recursive,
    "filter": _Query.filter,
    "script": _Query.script,
    "union": _Query.union,
    "range": _Query.range,
}


def _values(step: str, current: Any) -> list[Any]:
    if isinstance(current, dict):
        return [current[key] for key in sorted(current, key=lambda key: key.encode("utf-8", "surrogatepass"))]
    if isinstance(current, list | tuple):
        return list(current)
    raise _wrong_target(step, current, "array map slice")


def _wrong_target(step: str, current: Any, expected: str) -> Failure:
    return Failure(
        f"{step}: invalid token target. expected [{expected}] got [{'nil' if current is None else kind(current)}]"
    )


def _is_true(verdict: Any) -> bool:
    if isinstance(verdict, str) and len(verdict) > 1 and verdict[0] == verdict[-1] and verdict[0] in "'\"":
        verdict = verdict[1:-1]
    return bool(verdict)


def integer(value: Any) -> int | None:
    """The whole number of a JSON value, None for any other value."""
    if not is_number(value) or (isinstance(value, float) and not value.is_integer()):
        return None
    return int(value)


def _run_script(evaluate: Evaluate, root: Any, current: Any) -> Any:
    try:
        return evaluate(root, current)
    except Failure as failure:
        raise Failure(f"invalid expression. {failure.message}") from None


def _argument(step: str, argument: Any, root: Any, current: Any) -> Any:
    if not isinstance(argument, Script):
        return argument
    try:
        return _run_script(argument.evaluate, root, current)
    except Failure as failure:
        raise Failure(f"{step}: invalid token {failure.message}") from None


# -- cutting ------------------------------------------------------------------------------------------------------------


def _split_steps(path: str) -> list[str]:
    """The texts of the steps: `$`, `..`, `key`, `[…]`."""
    if not path:
        raise Failure("unexpected token '' at index 0")
    if path[0] not in "$@":
        raise Failure(f"unexpected token '{path[0]}' at index 0")
    if len(path) > 1 and path[1] not in ".[":
        raise Failure(f"unexpected token '{path[1]}' at index 1")
    pieces, at = [path[0]], 1
    while at < len(path):
        if path.startswith("..", at):
            pieces.append("..")
            at += 2
            continue
        start = at
        if path[at] == ".":
            start = at = at + 1
        at = _closing(path, at) if path.startswith("[", at) else _name_end(path, at)
        pieces.append(path[start:at])
    return pieces


def _name_end(path: str, at: int) -> int:
    """The end of a key without brackets. Dots and brackets within quotes or parentheses belong to it."""
    quotes = depth = 0
    while at < len(path):
        character = path[at]
        if character == "[" or (character == "." and quotes % 2 == 0 and depth == 0):
            break
        quotes += character == "'"
        depth += {"(": 1, ")": -1}.get(character, 0)
        at += 1
    return at


def _closing(path: str, at: int) -> int:
    quotes = round_depth = square_depth = 0
    while at < len(path):
        character = path[at]
        at += 1
        quotes += character == "'"
        round_depth += {"(": 1, ")": -1}.get(character, 0)
        square_depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "]" and square_depth == 0 and quotes % 2 == 0 and round_depth == 0:
            break
    return at


_SIMPLE = {
    "$": Step("root"),
    "@": Step("current"),
    "*": Step("wildcard"),
    "..": Step("recursive"),
    "length": Step("length"),
}


def _step(text: str) -> Step:
    text = text.strip()
    if text == "":
        raise Failure("invalid token. token string is empty")
    if text in _SIMPLE:
        return _SIMPLE[text]
    if not text.startswith("["):
        return Step("key", text)
    inside = text[1:-1].strip()
    if not text.endswith("]") or inside == "":
        raise _wrong_format(text)
    if inside == "*":
        return _SIMPLE["*"]
    if inside.startswith("?"):
        if not (inside.startswith("?(") and inside.endswith(")")):
            raise _wrong_format(text)
        return Step("filter", _compile(inside[2:-1].strip()))
    return _subscript(text, inside)


def _wrong_format(text: str) -> Failure:
    return Failure(f"invalid token. '{text}' does not match any token format")


def _compile(expression: str) -> Evaluate:
    return compile_script(expression, _selection)


def _selection(path: str) -> Evaluate:
    """A path in a script. Raises Failure."""
    steps = compile_path(path)
    return lambda root, current: _Query(root).apply(steps, 0, current)


_PART = re.compile(
    r"""\s*(?:(?P<single>'(?:\\'|[^'])*')|(?P<double>"(?:\\"|[^"])*")|(?P<sign>[:,])|(?P<open>\()|(?P<other>[^\s:,'"(]+(?:\s+[^\s:,'"(]+)*))\s*"""
)


def _parts(text: str, inside: str) -> list[Any]:
    """Arguments and separators between brackets: numbers, ("key", name), Script, ":" and ",", other texts."""
    parts: list[Any] = []
    at = 0
    while at < len(inside):
        part = _PART.match(inside, at)
        if part is None:
            raise _wrong_format(text)
        at = part.end()
        if part.group("open"):
            end = _end_of_parentheses(inside, part.start("open"))
            if end <= part.start("open") + 2:
                raise Failure(f"invalid expression. invalid format '{inside[part.start('open') : end]}'")
            parts.append(Script(_compile(inside[part.start("open") + 1 : end - 1])))
            at = end
            continue
        quoted = part.group("single") or part.group("double")
        if quoted:
            parts.append(("key", quoted[1:-1].replace("\\" + quoted[0], quoted[0])))
        elif part.group("sign"):
            parts.append(part.group("sign"))
        else:
            other = part.group("other")
            parts.append(int(other) if re.fullmatch("[+-]?[0-9]{1,18}", other) else ("other", other))
    return parts


def _end_of_parentheses(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    raise Failure(f"invalid expression. invalid format '{text}'")


def _subscript(text: str, inside: str) -> Step:
    parts = _parts(text, inside)
    signs = [part for part in parts if part in (":", ",")]
    if not signs:
        if len(parts) != 1:
            raise _wrong_format(text)
        return _single(text, parts[0])
    if len(set(signs)) > 1:
        raise _wrong_format(text)
    if signs[0] == ",":
        arguments = [part for part in parts if part != ","]
        if len(signs) >= len(arguments):
            raise _wrong_format(text)
        return Step("union", tuple(_union_argument(text, argument) for argument in arguments))
    return _range(text, parts, len(signs))


def _single(text: str, part: Any) -> Step:
    if isinstance(part, Script):
        return Step("script", part.evaluate)
    if isinstance(part, int):
        return Step("index", part)
    if part[0] == "key":
        return Step("key", part[1])
    raise _wrong_format(text)


def _union_argument(text: str, part: Any) -> Any:
    if isinstance(part, Script | int):
        return part
    if part[0] == "key":
        return part[1]
    raise _wrong_format(text)


def _range(text: str, parts: list[Any], colons: int) -> Step:
    if colons > 2:
        raise _wrong_format(text)
    limits: list[Any] = [None]
    for part in parts:
        if part == ":":
            limits.append(None)
        elif isinstance(part, Script | int):
            limits[-1] = part
        elif part[0] == "key":
            raise Failure(f"invalid expression. invalid format ''{part[1]}''")
        else:
            raise _wrong_format(text)
    return Step("range", (*limits, None, None)[:3])
