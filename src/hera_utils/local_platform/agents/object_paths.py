"""kubectl's `-o jsonpath=TEMPLATE`: text with {paths}, and {range PATH}…{end}. Pure. Source: recorded answers of kubectl's JSONPath."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from hera_utils.errors import InvalidWorkflow

Step = Callable[[list[Any]], list[Any]]
"""One step of a path: the values so far → the values that the step finds in them."""

_ACTION = re.compile(r"\{((?:[^{}'\"]|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")*)\}")
_STEP = re.compile(
    r"\s+|[@$]|(?P<deep>\.\.(?:\\.|[\w-])*)|\.?\[\?\((?P<filter>(?:[^()'\"]|'[^']*'|\"[^\"]*\")*)\)\]|\.?\[(?P<bracket>[^\]]*)\]"
    r"|\.(?P<field>(?:\\.|[^\s.,\[\]$@{}\\])*)|(?P<text>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
    r"|(?P<number>[-+]?\d+(?:\.\d+)?)|(?P<word>\w+)"
)
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)", re.DOTALL)
_OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SLICE = re.compile(r"(-?\d*)(?::(-?\d*))?(?::(-?\d*))?")
_QUOTED = re.compile(r"'([^']*)'")
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", dict: "map[string]interface {}"}
_MOST_VALUES = 100_000
_MOST = 5_000_000
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def json_path(document: Any, template: str) -> str:
    """The template with its paths replaced by what they find; a missing field gives nothing. Raises InvalidWorkflow."""
    parts: list[str] = []
    place = 0
    for action in _ACTION.finditer(template):
        parts += [template[place : action.start()], action[1].strip()]
        place = action.end()
    if "{" in template[place:] or any("{" in literal for literal in parts[::2]):
        raise InvalidWorkflow(f"error: error parsing jsonpath {template}, unclosed action")
    writer = _TemplateWriter([*parts, template[place:]])
    try:
        written, end = writer.write(0, document)
        if end <= len(parts):
            raise _PathError("not in range, nothing to end")
    except _PathError as unfit:
        message = f'error: error executing jsonpath "{template}": Error executing template: {unfit}'
        raise InvalidWorkflow(message) from None
    return written


class _PathError(Exception):
    """A path that does not fit the document, or cannot be read."""


class _TemplateWriter:
    """Writes a template. parts: literals and actions in turn, with a literal first and last."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self._left = _MOST

    def write(self, at: int, current: Any) -> tuple[str, int]:
        """Write from literal `at` to the end of the template or of the surrounding range. Gives (the text, the index after that end)."""
        pieces = [self._parts[at]]
        while at + 1 < len(self._parts):
            action, at = self._parts[at + 1], at + 2
            if action == "end":
                return "".join(pieces), at
            if action.startswith("range "):
                _, end = self.write(at, None)
                pieces += [self.write(at, item)[0] for item in self._values(current, action.removeprefix("range "))]
                at = end
            else:
                pieces.append(" ".join(map(self._text, self._values(current, action))))
            if at < len(self._parts):
                pieces.append(self._parts[at])
        return "".join(pieces), at + 1

    def _values(self, current: Any, path: str) -> list[Any]:
        values = values_of(current, path)
        self._spend(len(values) + 1)
        return values

    def _text(self, value: Any) -> str:
        text = value if isinstance(value, str) else _as_json(value)
        self._spend(len(text))
        return text

    def _spend(self, amount: int) -> None:
        """Count values and characters against the limit: ranges within ranges make a huge text from a small template."""
        self._left -= amount
        if self._left < 0:
            raise _PathError(f"it gives more than {_MOST} values and characters")


def _as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def values_of(current: Any, path: str) -> list[Any]:
    """The values that a path finds. Raises _PathError when the path does not fit the document."""
    values = [current]
    for step in _steps(path):
        values = step(values)
        if len(values) > _MOST_VALUES:
            raise _PathError(f"it finds more than {_MOST_VALUES} values")
    return values


def _steps(path: str) -> Iterator[Step]:
    place = 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            raise _PathError(f"unrecognized character in action: U+{ord(path[place]):04X} '{path[place]}'")
        place = match.end()
        kind, text = match.lastgroup, match[match.lastgroup] if match.lastgroup else ""
        if kind == "deep":
            yield lambda values: list(
                islice((descendant for value in values for descendant in _descendants(value)), _MOST_VALUES + 1)
            )
            if text != "..":
                yield _field_step(text[2:])
        elif kind == "filter":
            yield _filter_step(text)
        elif kind == "bracket":
            yield _bracket_step(text)
        elif kind == "field":
            yield _all_children if text == "*" else _field_step(text)
        elif kind == "word" and text not in ("true", "false"):
            raise _PathError(f"unrecognized identifier {text}")
        elif kind is not None:
            yield _constant_step(_literal(text))


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text[1:-1])
    return text == "true" if text in ("true", "false") else float(text) if "." in text else int(text)


def _constant_step(value: Any) -> Step:
    return lambda _: [value]


def _all_children(values: list[Any]) -> list[Any]:
    return list(islice((child for value in values for child in _children(value)), _MOST_VALUES + 1))


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []


def _descendants(value: Any) -> Iterator[Any]:
    yield value
    for child in _children(value):
        yield from _descendants(child)


def _field_step(text: str) -> Step:
    name = re.sub(r"\\(.)", r"\1", text)
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _bracket_step(text: str) -> Step:
    """[*], ['name'], [3], [1:2] and lists of them."""
    if text == "*":
        return _all_children
    branches: list[list[Step]] = []
    for part in re.findall(r"(?:'[^']*'|[^,])+", text):
        quoted, numbers = _QUOTED.fullmatch(part), _SLICE.fullmatch(part)
        if quoted:
            # kubectl treats a dot inside the quotes as one between fields.
            branches.append(list(_steps(f".{quoted[1]}")))
        elif numbers:
            branches.append([_element_step(numbers)])
        else:
            raise _PathError(f"invalid array index {text}")

    def united(values: list[Any]) -> list[Any]:
        all_found: list[Any] = []
        for steps in branches:
            branch_values = values
            for step in steps:
                branch_values = step(branch_values)
            all_found += branch_values
        return all_found

    return united


def _element_step(numbers: re.Match[str]) -> Step:
    first, last, stride = (int(text) if text else None for text in numbers.groups())

    def of(value: Any) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise _PathError(f"{_GO_TYPES.get(type(value), '')} is not array or slice")
        if ":" in numbers[0]:
            return _slice(value, slice(first, last, stride))
        if first is None or not -len(value) <= first < len(value):
            raise _PathError(f"array index out of bounds: index {first}, length {len(value)}")
        return [value[first]]

    return lambda values: [element for value in values for element in of(value)]


def _slice(value: list[Any], bounds: slice) -> list[Any]:
    if bounds.step is not None and bounds.step <= 0:
        raise _PathError("step must be > 0")
    start, stop, _ = bounds.indices(len(value))
    if start > stop:
        raise _PathError(f"starting index {start} is greater than ending index {stop}")
    return value[bounds]


def _filter_step(text: str) -> Step:
    """[?(@.x == 'y')] and [?(@.x)]."""
    match = _COMPARISON.fullmatch(text)
    if match is not None and match[2] not in _OPERATORS:
        raise _PathError(f"unrecognized filter operator {match[2]}")

    def holds(value: Any) -> bool:
        if match is None:
            return bool(values_of(value, text))
        left, right = values_of(value, match[1]), values_of(value, match[3])
        if not left or not right:
            return False
        if not _have_same_type(left[0], right[0]):
            raise _PathError("incompatible types for comparison")
        return bool(_OPERATORS[match[2]](left[0], right[0]))

    return lambda values: [item for value in values if isinstance(value, list) for item in value if holds(item)]


def _have_same_type(left: Any, right: Any) -> bool:
    """Whether both values have the same basic type: Go compares only those."""
    return type(left) is type(right) and isinstance(left, (str, bool, int, float))
