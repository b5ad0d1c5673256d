"""`when`: Knetic/govaluate as Argo uses it, after the tags have been replaced.

Argo turns govaluate's variables into strings, so that `foo != bar` needs no quotes. Remains of `{{…}}`, hyphens and blanks have the
same odd effects as in Argo: `a-b` is a subtraction of texts, `a.b` an accessor, a text that looks like a date a number. The text
becomes tokens; each kind of token may follow only some others (_FOLLOWERS); tokens become a tree by levels of precedence, all of
which associate to the left; text behind a complete expression is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from hera_utils.argo.durations import SECOND
from hera_utils.errors import ExpressionError
from hera_utils.expressions import regexp
from hera_utils.expressions.govaluate.tokens import LEVELS, ConditionToken, check_syntax, display, tokens_of
from hera_utils.expressions.operations import divide, power
from hera_utils.expressions.values import Failure, truncate_to_int64
from hera_utils.memoised import memoised


class ConditionError(ExpressionError):
    """A `when` that cannot be read or evaluated; the message is Argo's."""


def evaluate_condition(text: str) -> bool:
    """The value of a `when` whose tags have been replaced; "" is true. Raises ConditionError."""
    return True if text == "" else _evaluate_text(text)


@memoised(1024)
def _evaluate_text(text: str) -> bool:
    try:
        tokens = tokens_of(text)
        check_syntax(tokens)
        _plan(tokens)
    except Failure as failure:
        hint = ""
        if "Invalid token" in failure.message:
            hint = ' (hint: try wrapping the affected expression in quotes ("))'
        raise ConditionError(f"Invalid 'when' expression '{text}': {failure.message}{hint}") from None
    tokens = [ConditionToken("STRING", token.value) if token.kind == "VARIABLE" else token for token in tokens]
    try:
        check_syntax(tokens)
        tree = _plan(tokens)
    except Failure as failure:
        raise ConditionError(f"Failed to parse 'when' expression '{text}': {failure.message}") from None
    try:
        value = _evaluate(tree)
    except Failure as failure:
        raise ConditionError(f"Failed to evaluate 'when' expresion '{text}': {failure.message}") from None
    except RecursionError:
        raise ConditionError(f"Failed to evaluate 'when' expresion '{text}': nested too deeply") from None
    if not isinstance(value, bool):
        raise ConditionError(f"Expected boolean evaluation for '{text}'. Got {display(value)}")
    return value


# -- the tree -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stage:
    """An operator with its sides, or a literal (operator ""), a name without a value ("name"), a parenthesis ("(")."""

    operator: str
    left: _Stage | None = None
    right: _Stage | None = None
    value: Any = None
    prefix: bool = False


def _plan(tokens: list[ConditionToken]) -> _Stage | None:
    """The tree of tokens. Raises Failure."""
    checked = list(tokens)
    for index, token in enumerate(checked[:-1]):
        following = checked[index + 1]
        if token.kind == "COMPARATOR" and token.value in ("=~", "!~") and following.kind == "STRING":
            checked[index + 1] = ConditionToken("PATTERN", regexp.compile_pattern(following.value))
    try:
        return _Planner(checked).level(0) if checked else None
    except RecursionError:
        raise Failure("nested too deeply") from None


class _Planner:
    def __init__(self, tokens: list[ConditionToken]) -> None:
        self.tokens = tokens
        self.at = 0

    def level(self, depth: int) -> _Stage | None:
        if depth == len(LEVELS):
            return self.value()
        kind, symbols = LEVELS[depth]
        left = self.level(depth + 1)
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind != kind or token.value not in symbols:
                break
            self.at += 1
            left = _Stage(token.value, left, self.level(depth + 1))
        return left

    def value(self) -> _Stage | None:
        if self.at >= len(self.tokens):
            return None
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "CLAUSE":
            inner = self.level(0)
            self.at += 1
            return _Stage("(", right=inner)
        if token.kind == "CLAUSE_CLOSE":
            self.at -= 1
            return None
        if token.kind == "PREFIX":
            return _Stage(token.value, right=self.value(), prefix=True)
        if token.kind == "ACCESSOR":
            if self.at < len(self.tokens) and self.tokens[self.at].kind == "CLAUSE":
                self.level(0)
            return _Stage("name", value=token.value[0])
        if token.kind == "VARIABLE":
            return _Stage("name", value=token.value)
        if token.kind == "TIME":
            return _Stage("", value=float(token.value.nanoseconds // SECOND))
        if token.kind in ("NUMERIC", "STRING", "PATTERN", "BOOLEAN"):
            return _Stage("", value=token.value)
        raise Failure(f"Unable to plan token kind: '{token.kind}', value: '{display(token.value)}'")


# -- evaluation ---------------------------------------------------------------------------------------------------------


def _evaluate(stage: _Stage | None) -> Any:
    if stage is None:
        return None
    if stage.operator == "":
        return stage.value
    if stage.operator == "name":
        raise Failure(f"No parameter '{stage.value}' found.")
    if stage.operator == "(":
        return _evaluate(stage.right)
    if stage.prefix:
        return _apply_prefix(stage.operator, _evaluate(stage.right))
    left = _evaluate(stage.left)
    operator = stage.operator
    if (operator == "&&" and left is False) or (operator == "||" and left is True):
        return left
    if operator in (":", "??") and left is not None:
        return left
    if operator == "?":
        if not isinstance(left, bool):
            _refuse("Value '{}' cannot be used with the ternary operator '{}', it is not a bool", left, operator)
        return _evaluate(stage.right) if left else None
    right = _evaluate(stage.right)
    return _apply_operator(operator, left, right)


def _refuse(message: str, value: Any, operator: str) -> NoReturn:
    raise Failure(message.format(display(value), operator))


def _apply_prefix(operator: str, value: Any) -> Any:
    fits = isinstance(value, bool) if operator == "!" else isinstance(value, float)
    if not fits:
        _refuse("Value '{}' cannot be used with the prefix '{}'", value, operator)
    if operator == "!":
        return not value
    return -value if operator == "-" else float(~truncate_to_int64(value))


def _apply_operator(operator: str, left: Any, right: Any) -> Any:
    if operator in ("==", "!="):
        return _is_equal(left, right) is (operator == "==")
    if operator in ("<", ">", "<=", ">="):
        return _compare(operator, left, right)
    if operator in ("&&", "||"):
        for side in (left, right):
            if not isinstance(side, bool):
                _refuse("Value '{}' cannot be used with the logical operator '{}', it is not a bool", side, operator)
        return right
    if operator in ("=~", "!~"):
        return _match(operator, left, right)
    if operator == "in":
        if not isinstance(right, list):
            _refuse("Value '{}' cannot be used with the comparator '{}', it is not a number", right, operator)
        return any(_is_equal(left, item) for item in right)
    if operator == ",":
        return [*left, right] if isinstance(left, list) else [left, right]
    if operator in (":", "??"):
        return right
    return _compute(operator, left, right)


def _is_equal(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_equal, left, right))
    return type(left) is type(right) and bool(left == right)


def _compare(operator: str, left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
    elif not (isinstance(left, float) and isinstance(right, float)):
        _refuse("Value '{}' cannot be used with the comparator '{}', it is not a number", left, operator)
    if operator == "<":
        return bool(left < right)
    if operator == ">":
        return bool(left > right)
    return bool(left <= right) if operator == "<=" else bool(left >= right)


def _match(operator: str, left: Any, right: Any) -> bool:
    for side, kinds in ((left, (str,)), (right, (str, regexp.Pattern))):
        if not isinstance(side, kinds):
            _refuse("Value '{}' cannot be used with the comparator '{}', it is not a number", side, operator)
    pattern = regexp.compile_pattern(right) if isinstance(right, str) else right
    return (pattern.search(left) is not None) is (operator == "=~")


def _compute(operator: str, left: Any, right: Any) -> Any:
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return display(left) + display(right)
    for side in (left, right):
        if not isinstance(side, float):
            _refuse("Value '{}' cannot be used with the modifier '{}', it is not a number", side, operator)
    return _ARITHMETIC[operator](left, right)


def _remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or not math.isfinite(left) or math.isnan(right) else math.fmod(left, right)


def _shift(left: float, right: float, *, up: bool) -> float:
    value, by = truncate_to_int64(left) % (1 << 64), truncate_to_int64(right) % (1 << 64)
    if by >= 64:
        return 0.0
    return float((value << by) % (1 << 64) if up else value >> by)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": divide,
    "%": _remainder,
    "**": power,
    "&": lambda left, right: float(truncate_to_int64(left) & truncate_to_int64(right)),
    "|": lambda left, right: float(truncate_to_int64(left) | truncate_to_int64(right)),
    "^": lambda left, right: float(truncate_to_int64(left) ^ truncate_to_int64(right)),
    "<<": lambda left, right: _shift(left, right, up=True),
    ">>": lambda left, right: _shift(left, right, up=False),
}
