"""The scripts in `[?(…)]` and `[(…)]`: the engine of evilmonkeyinc/jsonpath.

It splits a text at the first position of the weakest operator outside quotes and brackets, and continues with both halves; so
`10-3-2` is `10-(3-2)`. Values are compared as numbers where both can be read as numbers, else as texts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from hera_utils.argo.whole_numbers import whole_number
from hera_utils.expressions import regexp
from hera_utils.expressions.expr import functions as builtin
from hera_utils.expressions.gotext import text_of
from hera_utils.expressions.operations import divide, power
from hera_utils.expressions.values import Failure

Evaluate = Callable[[Any, Any], Any]
"""A compiled script: (root, current) → value. Raises Failure."""
Compile = Callable[[str], Evaluate]
"""Compiles a path within a script. Raises Failure."""

_OPERATORS = (
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "=~", "!", "+", "-", "**", "*", "/", "%", "not in", "in", "@", "$",
)  # fmt: skip
_LONGEST = 4000
_NAMES: dict[str, Any] = {"nil": None, "null": None}


class _Operation:
    def __init__(self, apply: Callable[[Any, Any], Any]) -> None:
        self.apply = apply


def compile_script(expression: str, path: Compile) -> Evaluate:
    """A script as a function of (root, current). Raises Failure."""
    if len(expression) > _LONGEST:
        raise Failure("invalid expression. it is too long")
    try:
        operation = _operation(expression, 0, path)
    except RecursionError:
        raise Failure("invalid expression. it is nested too deeply") from None

    def evaluate(root: Any, current: Any) -> Any:
        if expression == "":
            raise Failure("invalid expression. is empty")
        if operation is not None:
            return operation.apply(root, current)
        if expression in _NAMES:
            return _NAMES[expression]
        for read in (_number, _boolean):
            try:
                return read(expression, root, current)
            except Failure:
                continue
        return expression

    return evaluate


def _operation(text: str, level: int, path: Compile) -> _Operation | None:
    text = text.strip()
    if text == "":
        return None
    if text.startswith("(") and text.endswith(")"):
        text, level = text[1:-1].strip(), 0
    for at in range(level, len(_OPERATORS)):
        operator = _OPERATORS[at]
        place = _find_unquoted(text, operator)
        if place < 0:
            continue
        selects = operator in ("@", "$")
        left, right = text[:place].strip(), text[place + len(operator) :].strip()
        if (right == "" and not selects) or (left == "" and not selects and operator != "!"):
            continue
        if left and (selects or operator == "!"):
            continue
        if selects:
            return _selector(path(text))
        first, second = _argument(left, at, path), _argument(right, at, path)
        return _Operation(_apply_action(_ACTIONS[operator], first, second))
    return None


def _apply_action(action: Callable[..., Any], first: Any, second: Any) -> Callable[[Any, Any], Any]:
    return lambda root, current: action(first, second, root, current)


def _argument(text: str, level: int, path: Compile) -> Any:
    operation = _operation(text, level, path)
    if operation is not None:
        return operation
    if text == "":
        return None
    if (text[0] == "[" and text[-1] == "]") or (text[0] == "{" and text[-1] == "}"):
        try:
            return json.loads(text, parse_int=float)
        except ValueError:
            return text
    return text


def _find_unquoted(text: str, operator: str) -> int:
    """The first position of the operator outside quotes and brackets, -1 without one."""
    quote, square, curved = "", 0, 0
    for at, character in enumerate(text):
        if character in "'\"" and not square and not curved:
            if not quote:
                quote = character
            elif quote == character:
                quote = ""
        elif character in "()" and not quote and not square:
            curved += 1 if character == "(" else -1
        elif character in "[]" and not quote and not curved:
            square += 1 if character == "[" else -1
        if quote or square > 0 or curved > 0:
            continue
        start = at + 1 - len(operator)
        if start >= 0 and text[start : at + 1] == operator:
            return start
    return -1


def _selector(select: Evaluate) -> _Operation:
    def apply(root: Any, current: Any) -> Any:
        value = select(root, current)
        if isinstance(value, str) and not _is_quoted(value, "'"):
            return f"'{value}'"
        return value

    return _Operation(apply)


def _is_quoted(text: str, quote: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == quote


# -- reading arguments --------------------------------------------------------------------------------------------------


def _value(argument: Any, root: Any, current: Any) -> Any:
    """The value of an argument. A text that is not a parameter stays a text."""
    if isinstance(argument, _Operation):
        argument = argument.apply(root, current)
    if isinstance(argument, str) and argument in _NAMES:
        return _NAMES[argument]
    return argument


def _refuse_nil(argument: Any) -> None:
    if argument is None:
        raise Failure("invalid argument. is nil")


def _number(argument: Any, root: Any, current: Any) -> float:
    _refuse_nil(argument)
    number = builtin.parse_float(text_of(_value(argument, root, current)))
    if number is None:
        raise Failure("invalid argument. expected number")
    return number


def _integer(argument: Any, root: Any, current: Any) -> int:
    _refuse_nil(argument)
    number = whole_number(text_of(_value(argument, root, current)))
    if number is None:
        raise Failure("invalid argument. expected integer")
    return number


def _boolean(argument: Any, root: Any, current: Any) -> bool:
    value = _value(argument, root, current)
    if value is None:
        return False
    value_text = text_of(value)
    if value_text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value_text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise Failure("invalid argument. expected boolean")


def _text(argument: Any, root: Any, current: Any) -> str:
    _refuse_nil(argument)
    value = _value(argument, root, current)
    if not isinstance(value, str):
        return text_of(value)
    return f"'{value[1:-1]}'" if _is_quoted(value, '"') else value


def _elements(argument: Any, root: Any, current: Any) -> list[Any]:
    _refuse_nil(argument)
    value = _value(argument, root, current)
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    raise Failure(
        "invalid argument. expected array, map, or slice" if value is not None else "invalid argument. is nil"
    )


# -- operators ----------------------------------------------------------------------------------------------------------


def _is_equal(first: Any, second: Any, root: Any, current: Any) -> bool:
    try:
        return _number(first, root, current) == _number(second, root, current)
    except Failure:
        return _text(first, root, current) == _text(second, root, current)


def _match(first: Any, second: Any, root: Any, current: Any) -> bool:
    text, pattern = _text(first, root, current), _text(second, root, current)
    text = text[1:-1] if _is_quoted(text, "'") else text
    pattern = pattern[1:-1] if _is_quoted(pattern, "'") else pattern
    try:
        return regexp.compile_pattern(pattern).search(text) is not None
    except Failure:
        raise Failure("invalid argument. expected a valid regexp") from None


def _contains(first: Any, second: Any, root: Any, current: Any) -> bool:
    item: Any = first
    for read in (_number, _text, _boolean):
        try:
            item = read(first, root, current)
            break
        except Failure:
            continue
    elements = _elements(second, root, current)
    return any(type(element) is type(item) and element == item for element in elements)


def _and(first: Any, second: Any, root: Any, current: Any) -> bool:
    left, right = _boolean(first, root, current), _boolean(second, root, current)
    return left and right


def _or(first: Any, second: Any, root: Any, current: Any) -> bool:
    left, right = _boolean(first, root, current), _boolean(second, root, current)
    return left or right


def _numeric(how: Callable[[float, float], Any]) -> Callable[..., Any]:
    def apply(first: Any, second: Any, root: Any, current: Any) -> Any:
        left, right = _number(first, root, current), _number(second, root, current)
        return how(left, right)

    return apply


def _remainder(first: Any, second: Any, root: Any, current: Any) -> int:
    left, right = _integer(first, root, current), _integer(second, root, current)
    if right == 0:
        raise Failure("runtime error: integer divide by zero")
    return int(math.fmod(left, right)) if abs(left) < 2**53 > abs(right) else left - right * int(left / right)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "||": _or,
    "&&": _and,
    "==": _is_equal,
    "!=": lambda *arguments: not _is_equal(*arguments),
    "<=": _numeric(lambda left, right: left <= right),
    ">=": _numeric(lambda left, right: left >= right),
    "<": _numeric(lambda left, right: left < right),
    ">": _numeric(lambda left, right: left > right),
    "=~": _match,
    "!": lambda first, second, root, current: not _boolean(second, root, current),
    "+": _numeric(lambda left, right: left + right),
    "-": _numeric(lambda left, right: left - right),
    "**": _numeric(power),
    "*": _numeric(lambda left, right: left * right),
    "/": _numeric(divide),
    "%": _remainder,
    "not in": lambda *arguments: not _contains(*arguments),
    "in": _contains,
}
