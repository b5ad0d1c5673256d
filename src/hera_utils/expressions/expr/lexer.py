"""expr-lang's lexer: a text becomes tokens, with their positions (in characters) for messages."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from hera_utils.errors import ExpressionError

IDENTIFIER, NUMBER, STRING, BYTES, OPERATOR, BRACKET, EOF = (
    "Identifier", "Number", "String", "Bytes", "Operator", "Bracket", "EOF",
)  # fmt: skip

_WORD_OPERATORS = frozenset({"in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"})
_AFTER_NOT = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
FAULT = "Fault"  # unreadable text: an error when the parser reaches it
LONGEST = 1 << 20  # maximum length of an expression


class CompileError(ExpressionError):
    """An expression cannot be compiled: wrong syntax, an unknown name, types that do not fit."""


def with_place(message: str, source: str, place: int) -> str:
    """The message in expr-lang's form: with line and column, and the line itself below."""
    before = source[:place]
    line = before.count("\n") + 1
    column = place - (before.rfind("\n") + 1)
    line_text = source.split("\n")[line - 1].replace("\t", " ")
    if not line_text:
        return message
    mark = "".join("." for _ in range(column)) + "^"
    return f"{message} ({line}:{column + 1})\n | {line_text}\n | {mark}"


@dataclass(frozen=True)
class Token:
    kind: str
    value: str
    start: int
    data: bytes = b""

    def display(self) -> str:
        """The token's name in messages: Operator("+"), EOF."""
        if not self.value:
            return self.kind
        from hera_utils.expressions.gotext import quote

        return f"{self.kind}({quote(self.value)})"


def is_word_character(character: str) -> bool:
    return character == "_" or character == "$" or character.isalpha() or unicodedata.category(character) == "Nd"


_SPACE = re.compile(r"[ \t\n\r\v\f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_DIGITS = {"x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}
_DECIMAL = "0123456789_"
_DOUBLE = {"&": "&=*", "!": "&=*", "=": "&=*", "*": "&=*", "<": "&=*", ">": "&=*"}
_SIMPLE_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}


def tokenize(source: str) -> list[Token]:
    """The tokens of an expression; the last is EOF, or FAULT with the message about unreadable text."""
    lexer = _Lexer(source)
    try:
        if len(source) > LONGEST:
            raise CompileError("expression is too long")
        return lexer.run()
    except CompileError as error:
        return [*lexer.tokens, Token(FAULT, error.message, lexer.at)]


class _Lexer:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.tokens: list[Token] = []

    def run(self) -> list[Token]:
        source, length = self.source, len(self.source)
        while True:
            space = _SPACE.match(source, self.at)
            if space:
                self.at = space.end()
            if self.at >= length:
                self.tokens.append(Token(EOF, "", max(length - 1, 0)))
                return self.tokens
            self.token(source[self.at])

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.source[place] if place < len(self.source) else ""

    def emit(self, kind: str, start: int) -> None:
        self.tokens.append(Token(kind, self.source[start : self.at], start))

    def fail(self, message: str, place: int | None = None) -> NoReturn:
        raise CompileError(with_place(message, self.source, max(self.at - 1, 0) if place is None else place))

    def token(self, first: str) -> None:
        start = self.at
        if first in "'\"":
            self.string(start)
        elif first == "`":
            self.raw_string(start)
        elif first in "bB" and self.peek(1) in ("'", '"'):
            self.at += 1
            self.string(start, binary=True)
        elif first in "0123456789":
            self.number(start)
        elif first == ".":
            if self.peek(1) and self.peek(1) in "0123456789":
                self.number(start)
            else:
                self.at += 2 if self.peek(1) == "." else 1
                self.emit(OPERATOR, start)
        elif first == "/" and self.peek(1) in ("/", "*"):
            self.comment()
        elif first == "#":
            self.pointer(start)
        elif first in "([{)]}":
            self.at += 1
            self.emit(BRACKET, start)
        elif self.operator(first):
            self.emit(OPERATOR, start)
        elif is_word_character(first):
            self.word(start)
        else:
            self.at += 1
            self.fail(f"unrecognized character: U+{ord(first):04X}" + (f" '{first}'" if first.isprintable() else ""))

    def operator(self, first: str) -> bool:
        if first == "?":
            second = ".?"
        elif first in "|:":
            second = first
        elif first in ",;%+-^/":
            second = ""
        elif first in _DOUBLE:
            second = _DOUBLE[first]
        else:
            return False
        self.at += 1
        if self.peek() and self.peek() in second:
            self.at += 1
        return True

    def comment(self) -> None:
        if self.peek(1) == "/":
            end = self.source.find("\n", self.at)
            self.at = len(self.source) if end < 0 else end + 1
            return
        end = self.source.find("*/", self.at + 2)
        if end < 0:
            self.at = len(self.source)
            self.fail("unclosed comment", len(self.source))
        self.at = end + 2

    def pointer(self, start: int) -> None:
        self.at += 2 if self.peek(1) == "#" else 1
        self.emit(OPERATOR, start)
        start = self.at
        while self.peek() and is_word_character(self.peek()):
            self.at += 1
        if self.at > start:
            self.emit(IDENTIFIER, start)

    def word(self, start: int) -> None:
        while self.peek() and is_word_character(self.peek()):
            self.at += 1
        word = self.source[start : self.at]
        if word != "not":
            self.emit(OPERATOR if word in _WORD_OPERATORS else IDENTIFIER, start)
            return
        self.emit(OPERATOR, start)
        while self.peek() == " ":
            self.at += 1
        start = end = self.at
        while end < len(self.source) and is_word_character(self.source[end]):
            end += 1
        if self.source[start:end] in _AFTER_NOT:
            self.at = end
            self.emit(OPERATOR, start)

    def number(self, start: int) -> None:
        digits = _DECIMAL
        if self.peek() == "0":
            self.at += 1
            if self.peek() and self.peek() in "xXoObB":
                digits = _DIGITS[self.peek().lower()]
                self.at += 1
        self.run_of(digits)
        if self.peek() == "." and self.peek(1) != ".":
            self.at += 1
            self.run_of(digits)
        elif self.peek() == ".":  # the range operator
            self.emit(NUMBER, start)
            return
        if self.peek() and self.peek() in "eE":
            self.at += 1
            if self.peek() and self.peek() in "+-":
                self.at += 1
            self.run_of(digits)
        if self.peek() and is_word_character(self.peek()):
            self.at += 1
            self.fail(f'bad number syntax: "{self.source[start : self.at]}"')
        self.emit(NUMBER, start)

    def run_of(self, characters: str) -> None:
        while self.peek() and self.peek() in characters:
            self.at += 1

    def raw_string(self, start: int) -> None:
        self.at += 1
        parts = []
        while True:
            end = self.source.find("`", self.at)
            if end < 0:
                self.at = len(self.source)
                self.fail("literal not terminated", len(self.source))
            parts.append(self.source[self.at : end])
            self.at = end + 1
            if self.peek() != "`":
                break
            parts.append("`")
            self.at += 1
        self.tokens.append(Token(STRING, "".join(parts), start))

    def string(self, start: int, *, binary: bool = False) -> None:
        quote = self.peek()
        self.at += 1
        content = bytearray()
        while True:
            character = self.peek()
            if not character or character == "\n":
                self.at += 1
                self.fail("literal not terminated")
            self.at += 1
            if character == quote:
                break
            if character == "\\":
                content += self.escape(quote, binary)
            elif binary and ord(character) > 0x7F:
                self.fail("unable to unescape string")
            else:
                content += character.encode("utf-8", "surrogatepass")
        data = bytes(content)
        if binary:
            self.tokens.append(Token(BYTES, data.decode("latin-1"), start, data))
        else:
            self.tokens.append(Token(STRING, data.decode("utf-8", "replace"), start))

    def escape(self, quote: str, binary: bool) -> bytes:
        character = self.peek()
        self.at += 1
        if character in _SIMPLE_ESCAPES and character != "" and (character not in "'\"" or character == quote):
            return bytes([_SIMPLE_ESCAPES[character]])
        if character and character in "01234567":
            code = self.hexadecimal(3, 8, character)
            return bytes([code]) if binary and code < 256 else _rune(self, code)
        if character == "x":
            code = self.hexadecimal(2, 16)
            return bytes([code]) if binary else _rune(self, code)
        if character == "u" and self.peek() == "{":
            end = self.source.find("}", self.at)
            digits = self.source[self.at + 1 : end] if end >= 0 else ""
            if not re.fullmatch("[0-9a-fA-F]{1,6}", digits):
                self.fail("invalid char escape")
            self.at = end + 1
            return _rune(self, int(digits, 16))
        if character in ("u", "U"):
            return _rune(self, self.hexadecimal(4 if character == "u" else 8, 16))
        self.fail("invalid char escape")

    def hexadecimal(self, count: int, radix: int, first: str = "") -> int:
        digits = first + self.source[self.at : self.at + count - len(first)]
        try:
            if len(digits) != count or "_" in digits or not digits.isalnum():
                raise ValueError
            code = int(digits, radix)
        except ValueError:
            self.fail("invalid char escape")
        self.at += count - len(first)
        return code


def _rune(lexer: _Lexer, code: int) -> bytes:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        lexer.fail("unable to unescape string")
    return chr(code).encode("utf-8")
