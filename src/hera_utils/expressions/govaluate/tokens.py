"""govaluate's lexer: a `when` becomes tokens; each kind may follow only some others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hera_utils.expressions import regexp
from hera_utils.expressions.gotext import text_of
from hera_utils.expressions.gotime import LAYOUTS, Moment, parse_moment
from hera_utils.expressions.values import Failure


@dataclass(frozen=True)
class ConditionToken:
    kind: str
    value: Any

    def display(self) -> str:
        return f"{self.kind} [{display(self.value)}]"


def display(value: Any) -> str:
    if isinstance(value, Clause):
        return str(ord(value))
    if isinstance(value, regexp.Pattern):
        return value.pattern
    return text_of(value)


class Clause(str):
    """A parenthesis; govaluate shows it as a number."""


# -- tokens -------------------------------------------------------------------------------------------------------------

_PREFIXES = frozenset({"-", "!", "~"})
_COMPARATORS = frozenset({"==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"})
_LOGICAL = frozenset({"&&", "||"})
_TERNARY = frozenset({"?", ":", "??"})
LEVELS: tuple[tuple[str, frozenset[str]], ...] = (
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
_MODIFIERS = frozenset().union(*(symbols for kind, symbols in LEVELS if kind == "MODIFIER"))

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

    def read_while(self, accept: Callable[[str], bool], *, blanks: bool = False) -> tuple[str, bool]:
        """Read as long as characters are accepted; returns (the text, whether another character ended it).

        A character behind a backslash is always read. A blank ends a word that has begun, unless `blanks`.
        """
        characters: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == "\\":
                if self.at >= len(self.text):
                    raise Failure("unexpected end of expression after a backslash")
                characters.append(self.text[self.at])
                self.at += 1
                continue
            if character.isspace() and not blanks:
                if characters:
                    return "".join(characters), True
                continue
            if not accept(character):
                self.at -= 1
                return "".join(characters), True
            characters.append(character)
        return "".join(characters), False


def tokens_of(text: str) -> list[ConditionToken]:
    reader = _Reader(text)
    tokens: list[ConditionToken] = []
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


def _token(reader: _Reader, state: str) -> ConditionToken:
    character = reader.text[reader.at]
    if _is_number(character):
        return _number(reader)
    if character == ",":
        reader.at += 1
        return ConditionToken("SEPARATOR", ",")
    if character == "[":
        reader.at += 1
        name, closed = reader.read_while(lambda one: one != "]", blanks=True)
        if not closed:
            raise Failure("Unclosed parameter bracket")
        reader.at += 1
        return ConditionToken("VARIABLE", name)
    if character.isalpha():
        return _word(reader)
    if character in "'\"":
        reader.at += 1
        text, closed = reader.read_while(lambda one: one not in "'\"", blanks=True)
        if not closed:
            raise Failure("Unclosed string literal")
        reader.at += 1
        moment = _as_time(text)
        return ConditionToken("STRING", text) if moment is None else ConditionToken("TIME", moment)
    if character in "()":
        reader.at += 1
        return ConditionToken("CLAUSE" if character == "(" else "CLAUSE_CLOSE", Clause(character))
    symbol, _ = reader.read_while(_is_symbol)
    if symbol in _PREFIXES and "PREFIX" in _FOLLOWERS[state]:
        return ConditionToken("PREFIX", symbol)
    for kind, symbols in (
        ("MODIFIER", _MODIFIERS),
        ("LOGICALOP", _LOGICAL),
        ("COMPARATOR", _COMPARATORS),
        ("TERNARY", _TERNARY),
    ):
        if symbol in symbols:
            return ConditionToken(kind, symbol)
    if symbol == "" and reader.at < len(reader.text):  # a single "]" would be read again and again
        raise Failure("Invalid token: ''")
    raise Failure(f"Invalid token: '{symbol}'")


def _number(reader: _Reader) -> ConditionToken:
    if reader.text.startswith("0x", reader.at) and reader.at + 2 < len(reader.text):
        reader.at += 2
        digits, _ = reader.read_while(_is_hexadecimal)
        if not re.fullmatch("[0-9a-fA-F]{1,16}", digits):
            raise Failure(f"Unable to parse hex value '{digits}' to uint64\n")
        return ConditionToken("NUMERIC", float(int(digits, 16)))
    digits, _ = reader.read_while(_is_number)
    if not re.fullmatch(r"[0-9]+\.?[0-9]*|\.[0-9]+", digits):
        raise Failure(f"Unable to parse numeric value '{digits}' to float64\n")
    return ConditionToken("NUMERIC", float(digits))


def _word(reader: _Reader) -> ConditionToken:
    word, _ = reader.read_while(_is_name)
    if word in ("true", "false"):
        return ConditionToken("BOOLEAN", word == "true")
    if word in ("in", "IN"):
        return ConditionToken("COMPARATOR", "in")
    if word.find(".") <= 0:
        return ConditionToken("VARIABLE", word)
    if word.endswith("."):
        raise Failure(f"Hanging accessor on token '{word}'")
    parts = word.split(".")
    for part in parts[1:]:
        if part[:1].upper() != part[:1]:
            raise Failure(f"Unable to access unexported field '{part}' in token '{word}'")
    return ConditionToken("ACCESSOR", parts)


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
    """The time of a quoted text, None if it is not one. It counts as its seconds since the epoch."""
    if not _TIME_LIKE.match(text):
        return None
    for layout in _TIMES:
        try:
            return parse_moment(layout, text)
        except Failure:
            continue
    return None


def check_syntax(tokens: list[ConditionToken]) -> None:
    state, last = "UNKNOWN", ConditionToken("UNKNOWN", None)
    for token in tokens:
        if token.kind not in _FOLLOWERS[state]:
            if last.kind == "VARIABLE" and token.kind == "CLAUSE":
                raise Failure(f"Undefined function {last.value}")
            raise Failure(f"Cannot transition token types from {state} [{display(last.value)}] to {token.display()}")
        state, last = token.kind, token
    if state not in _MAY_END:
        raise Failure("Unexpected end of expression")
