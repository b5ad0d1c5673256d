"""`when`: Knetic/govaluate as Argo uses it, after the tags have been replaced.

Argo turns govaluate's variables into strings, so that `foo != bar` needs no quotes; what is left of `{{…}}`, a hyphen or a blank
then has its odd effects, and they are kept: `a-b` is a subtraction of texts, `a.b` an accessor, a text that looks like a date a
number. Theory: the text becomes tokens; each kind of token may follow only some others (_FOLLOWERS); tokens become a tree by
levels of precedence, all of them associating to the left; what stands behind a complete expression is ignored.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from hera_utils.argo.durations import SECOND
from hera_utils.errors import ExpressionError
from hera_utils.expressions.gotext import text_of
from hera_utils.expressions.gotime import LAYOUTS, Moment, parse_moment
from hera_utils.expressions.operations import power, regular_expression
from hera_utils.expressions.values import Failure, truncated


class ConditionError(ExpressionError):
    """A `when` that cannot be read or evaluated; the message is Argo's."""


@dataclass(frozen=True)
class Token:
    kind: str
    value: Any

    def shown(self) -> str:
        return f"{self.kind} [{_shown(self.value)}]"


def condition(text: str) -> bool:
    """The verdict of a `when` whose tags have been replaced; "" holds. Raises ConditionError."""
    return True if text == "" else _condition(text)


@lru_cache(maxsize=1024)
def _condition(text: str) -> bool:
    try:
        tokens = _tokens(text)
        _check_syntax(tokens)
        _plan(tokens)
    except Failure as failure:
        hint = ""
        if "Invalid token" in failure.message:
            hint = ' (hint: try wrapping the affected expression in quotes ("))'
        raise ConditionError(f"Invalid 'when' expression '{text}': {failure.message}{hint}") from None
    tokens = [Token("STRING", token.value) if token.kind == "VARIABLE" else token for token in tokens]
    try:
        _check_syntax(tokens)
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
        raise ConditionError(f"Expected boolean evaluation for '{text}'. Got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, _Clause):
        return str(ord(value))
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    return text_of(value)


class _Clause(str):
    """A parenthesis: govaluate shows it as its number."""


# -- tokens -------------------------------------------------------------------------------------------------------------

_PREFIXES = frozenset({"-", "!", "~"})
_COMPARATORS = frozenset({"==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"})
_LOGICAL = frozenset({"&&", "||"})
_TERNARY = frozenset({"?", ":", "??"})
_LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
    ("SEPARATOR", frozenset({","})),
    ("TERNARY", _TERNARY),
    ("LOGICALOP", frozenset({"||"})),
    ("LOGICALOP", frozenset({"&&"})),
    ("COMPARATOR", _COMPARATORS),
    ("MODIFIER", frozenset({"^", "&", "|"})),
    ("MODIFIER", frozenset({">>", "<<"})),
    ("MODIFIER", frozenset({"+", "-"})),
    ("MODIFIER", frozenset({"*", "/", "%"})),
    ("MODIFIER", frozenset({"**"})),
)
_MODIFIERS = frozenset().union(*(symbols for kind, symbols in _LEVELS if kind == "MODIFIER"))

_VALUES = "NUMERIC BOOLEAN VARIABLE FUNCTION ACCESSOR STRING TIME CLAUSE"
_AFTER_VALUE = "MODIFIER COMPARATOR LOGICALOP CLAUSE_CLOSE SEPARATOR"
_FOLLOWERS = {
    kind: frozenset(names.split())
    for kind, names in {
        "UNKNOWN": f"PREFIX PATTERN {_VALUES}",
        "CLAUSE": f"PREFIX PATTERN {_VALUES} CLAUSE_CLOSE",
        "CLAUSE_CLOSE": f"{_AFTER_VALUE} TERNARY NUMERIC BOOLEAN VARIABLE STRING PATTERN TIME CLAUSE",
        "NUMERIC": f"{_AFTER_VALUE} TERNARY",
        "BOOLEAN": f"{_AFTER_VALUE} TERNARY",
        "STRING": f"{_AFTER_VALUE} TERNARY",
        "VARIABLE": f"{_AFTER_VALUE} TERNARY",
        "TIME": _AFTER_VALUE,
        "PATTERN": _AFTER_VALUE,
        "MODIFIER": "PREFIX NUMERIC VARIABLE FUNCTION ACCESSOR STRING BOOLEAN CLAUSE CLAUSE_CLOSE",
        "COMPARATOR": f"PREFIX {_VALUES} CLAUSE_CLOSE PATTERN",
        "LOGICALOP": f"PREFIX {_VALUES} CLAUSE_CLOSE",
        "PREFIX": "NUMERIC BOOLEAN VARIABLE FUNCTION ACCESSOR CLAUSE CLAUSE_CLOSE",
        "TERNARY": f"PREFIX {_VALUES} SEPARATOR",
        "ACCESSOR": f"CLAUSE {_AFTER_VALUE} TERNARY",
        "SEPARATOR": f"PREFIX {_VALUES}",
    }.items()
}
_MAY_END = frozenset(["CLAUSE_CLOSE", "NUMERIC", "BOOLEAN", "STRING", "TIME", "PATTERN", "VARIABLE", "ACCESSOR"])


def _is_digit(character: str) -> bool:
    return unicodedata.category(character) == "Nd"


def _is_number(character: str) -> bool:
    return character == "." or _is_digit(character)


def _is_name(character: str) -> bool:
    return character.isalpha() or _is_digit(character) or character in "_."


def _is_symbol(character: str) -> bool:
    return not (_is_digit(character) or character.isalpha() or character in "()[]'\"")


def _is_hexadecimal(character: str) -> bool:
    return _is_digit(character) or character in "abcdefABCDEF"


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def while_(self, accept: Callable[[str], bool], *, blanks: bool = False) -> tuple[str, bool]:
        """Reads on as long as characters are accepted; (what was read, whether something else ended it).

        A backslash takes the next character as it is. A blank ends a word that has begun, unless `blanks`.
        """
        kept: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == "\\":
                if self.at >= len(self.text):
                    raise Failure("unexpected end of expression after a backslash")
                kept.append(self.text[self.at])
                self.at += 1
                continue
            if character.isspace() and not blanks:
                if kept:
                    return "".join(kept), True
                continue
            if not accept(character):
                self.at -= 1
                return "".join(kept), True
            kept.append(character)
        return "".join(kept), False


def _tokens(text: str) -> list[Token]:
    reader = _Reader(text)
    tokens: list[Token] = []
    state = "UNKNOWN"
    while True:
        while reader.at < len(text) and text[reader.at].isspace():
            reader.at += 1
        if reader.at >= len(text):
            break
        token = _token(reader, state)
        tokens.append(token)
        state = token.kind
    if sum({"CLAUSE": 1, "CLAUSE_CLOSE": -1}.get(token.kind, 0) for token in tokens):
        raise Failure("Unbalanced parenthesis")
    return tokens


def _token(reader: _Reader, state: str) -> Token:
    character = reader.text[reader.at]
    if _is_number(character):
        return _number(reader)
    if character == ",":
        reader.at += 1
        return Token("SEPARATOR", ",")
    if character == "[":
        reader.at += 1
        name, closed = reader.while_(lambda one: one != "]", blanks=True)
        if not closed:
            raise Failure("Unclosed parameter bracket")
        reader.at += 1
        return Token("VARIABLE", name)
    if character.isalpha():
        return _word(reader)
    if character in "'\"":
        reader.at += 1
        text, closed = reader.while_(lambda one: one not in "'\"", blanks=True)
        if not closed:
            raise Failure("Unclosed string literal")
        reader.at += 1
        moment = _as_time(text)
        return Token("STRING", text) if moment is None else Token("TIME", moment)
    if character in "()":
        reader.at += 1
        return Token("CLAUSE" if character == "(" else "CLAUSE_CLOSE", _Clause(character))
    symbol, _ = reader.while_(_is_symbol)
    if symbol in _PREFIXES and "PREFIX" in _FOLLOWERS[state]:
        return Token("PREFIX", symbol)
    for kind, symbols in (
        ("MODIFIER", _MODIFIERS),
        ("LOGICALOP", _LOGICAL),
        ("COMPARATOR", _COMPARATORS),
        ("TERNARY", _TERNARY),
    ):
        if symbol in symbols:
            return Token(kind, symbol)
    if symbol == "" and reader.at < len(reader.text):  # "]" alone: it would be met again and again
        raise Failure("Invalid token: ''")
    raise Failure(f"Invalid token: '{symbol}'")


def _number(reader: _Reader) -> Token:
    if reader.text.startswith("0x", reader.at) and reader.at + 2 < len(reader.text):
        reader.at += 2
        digits, _ = reader.while_(_is_hexadecimal)
        if not re.fullmatch("[0-9a-fA-F]{1,16}", digits):
            raise Failure(f"Unable to parse hex value '{digits}' to uint64\n")
        return Token("NUMERIC", float(int(digits, 16)))
    digits, _ = reader.while_(_is_number)
    if not re.fullmatch(r"[0-9]+\.?[0-9]*|\.[0-9]+", digits):
        raise Failure(f"Unable to parse numeric value '{digits}' to float64\n")
    return Token("NUMERIC", float(digits))


def _word(reader: _Reader) -> Token:
    word, _ = reader.while_(_is_name)
    if word in ("true", "false"):
        return Token("BOOLEAN", word == "true")
    if word in ("in", "IN"):
        return Token("COMPARATOR", "in")
    if word.find(".") <= 0:
        return Token("VARIABLE", word)
    if word.endswith("."):
        raise Failure(f"Hanging accessor on token '{word}'")
    parts = word.split(".")
    for part in parts[1:]:
        if part[:1].upper() != part[:1]:
            raise Failure(f"Unable to access unexported field '{part}' in token '{word}'")
    return Token("ACCESSOR", parts)


_TIMES = (
    LAYOUTS["ANSIC"],
    LAYOUTS["UnixDate"],
    LAYOUTS["RubyDate"],
    LAYOUTS["Kitchen"],
    LAYOUTS["RFC3339"],
    LAYOUTS["RFC3339Nano"],
    "2006-01-02",
    "2006-01-02 15:04",
    "2006-01-02 15:04:05",
    "2006-01-02 15:04:05-07:00",
    "2006-01-02T15Z0700",
    "2006-01-02T15:04Z0700",
    "2006-01-02T15:04:05Z0700",
    "2006-01-02T15:04:05.999999999Z0700",
)
_TIME_LIKE = re.compile(r"[A-Z][a-z]{2} |\d{4}-\d\d-\d\d|\d{1,2}:\d\d[AP]M")


def _as_time(text: str) -> Moment | None:
    """The time that a quoted text is, if it is one: it counts as its seconds since the epoch."""
    if not _TIME_LIKE.match(text):
        return None
    for layout in _TIMES:
        try:
            return parse_moment(layout, text)
        except Failure:
            continue
    return None


def _check_syntax(tokens: list[Token]) -> None:
    state, last = "UNKNOWN", Token("UNKNOWN", None)
    for token in tokens:
        if token.kind not in _FOLLOWERS[state]:
            if last.kind == "VARIABLE" and token.kind == "CLAUSE":
                raise Failure(f"Undefined function {last.value}")
            raise Failure(f"Cannot transition token types from {state} [{_shown(last.value)}] to {token.shown()}")
        state, last = token.kind, token
    if state not in _MAY_END:
        raise Failure("Unexpected end of expression")


# -- the tree -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stage:
    """An operator with its sides, or a literal (operator ""), a name without a value ("name"), a parenthesis ("(")."""

    operator: str
    left: _Stage | None = None
    right: _Stage | None = None
    value: Any = None
    prefix: bool = False


def _plan(tokens: list[Token]) -> _Stage | None:
    """The tree of tokens. Raises Failure."""
    checked = list(tokens)
    for index, token in enumerate(checked[:-1]):
        following = checked[index + 1]
        if token.kind == "COMPARATOR" and token.value in ("=~", "!~") and following.kind == "STRING":
            checked[index + 1] = Token("PATTERN", regular_expression(following.value))
    try:
        return _Planner(checked).level(0) if checked else None
    except RecursionError:
        raise Failure("nested too deeply") from None


class _Planner:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def level(self, depth: int) -> _Stage | None:
        if depth == len(_LEVELS):
            return self.value()
        kind, symbols = _LEVELS[depth]
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
        raise Failure(f"Unable to plan token kind: '{token.kind}', value: '{_shown(token.value)}'")


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
        return _prefixed(stage.operator, _evaluate(stage.right))
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
    return _applied(operator, left, right)


def _refuse(message: str, value: Any, operator: str) -> NoReturn:
    raise Failure(message.format(_shown(value), operator))


def _prefixed(operator: str, value: Any) -> Any:
    fits = isinstance(value, bool) if operator == "!" else isinstance(value, float)
    if not fits:
        _refuse("Value '{}' cannot be used with the prefix '{}'", value, operator)
    if operator == "!":
        return not value
    return -value if operator == "-" else float(~truncated(value))


def _applied(operator: str, left: Any, right: Any) -> Any:
    if operator in ("==", "!="):
        return _same(left, right) is (operator == "==")
    if operator in ("<", ">", "<=", ">="):
        return _compared(operator, left, right)
    if operator in ("&&", "||"):
        for side in (left, right):
            if not isinstance(side, bool):
                _refuse("Value '{}' cannot be used with the logical operator '{}', it is not a bool", side, operator)
        return right
    if operator in ("=~", "!~"):
        return _matched(operator, left, right)
    if operator == "in":
        if not isinstance(right, list):
            _refuse("Value '{}' cannot be used with the comparator '{}', it is not a number", right, operator)
        return any(_same(left, one) for one in right)
    if operator == ",":
        return [*left, right] if isinstance(left, list) else [left, right]
    if operator in (":", "??"):
        return right
    return _computed(operator, left, right)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and bool(left == right)


def _compared(operator: str, left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass")
    elif not (isinstance(left, float) and isinstance(right, float)):
        _refuse("Value '{}' cannot be used with the comparator '{}', it is not a number", left, operator)
    if operator == "<":
        return bool(left < right)
    if operator == ">":
        return bool(left > right)
    return bool(left <= right) if operator == "<=" else bool(left >= right)


def _matched(operator: str, left: Any, right: Any) -> bool:
    for side, kinds in ((left, (str,)), (right, (str, re.Pattern))):
        if not isinstance(side, kinds):
            _refuse("Value '{}' cannot be used with the comparator '{}', it is not a number", side, operator)
    pattern = regular_expression(right) if isinstance(right, str) else right
    return (pattern.search(left) is not None) is (operator == "=~")


def _computed(operator: str, left: Any, right: Any) -> Any:
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _shown(left) + _shown(right)
    for side in (left, right):
        if not isinstance(side, float):
            _refuse("Value '{}' cannot be used with the modifier '{}', it is not a number", side, operator)
    return _ARITHMETIC[operator](left, right)


def _divided(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or not math.isfinite(left) or math.isnan(right) else math.fmod(left, right)


def _shifted(left: float, right: float, *, up: bool) -> float:
    value, by = truncated(left) % (1 << 64), truncated(right) % (1 << 64)
    if by >= 64:
        return 0.0
    return float((value << by) % (1 << 64) if up else value >> by)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "%": _remainder,
    "**": power,
    "&": lambda left, right: float(truncated(left) & truncated(right)),
    "|": lambda left, right: float(truncated(left) | truncated(right)),
    "^": lambda left, right: float(truncated(left) ^ truncated(right)),
    "<<": lambda left, right: _shifted(left, right, up=True),
    ">>": lambda left, right: _shifted(left, right, up=False),
}
