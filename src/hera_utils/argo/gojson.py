"""Reads JSON as Go's encoding/json does, with the same error messages."""

from __future__ import annotations

import json
import re
from typing import Any

_DEPTH = 10_000
_BLANK = b" \t\r\n"
_LITERALS = {b"t"[0]: b"true", b"f"[0]: b"false", b"n"[0]: b"null"}
_DIGITS = b"0123456789"
_HEXADECIMAL = b"0123456789abcdefABCDEF"
_VALUE, _VALUE_OR_END, _KEY, _KEY_OR_END, _COLON, _AFTER, _TOP = range(7)
END = "unexpected end of JSON input"


class InvalidJson(ValueError):
    """A text is not JSON; the message is Go's."""


def _refuse_constant(constant: str) -> Any:
    raise ValueError(constant)


# Numbers stay texts, so that they keep all digits and their form.
_AS_TEXT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


def check(text: str) -> None:
    """Raise InvalidJson with Go's message unless the text is one JSON value."""
    try:
        _AS_TEXT.decode(text)
    except (ValueError, RecursionError):
        fault = json_fault(text)
        if fault:
            raise InvalidJson(fault) from None


def elements(text: str) -> list[str]:
    """The texts of the elements of a JSON list, as written. The text must have been checked."""
    return [text[start:end] for start, end in _spans(text, text.index("[") + 1)]


def members(text: str) -> dict[str, str]:
    """Key → text of the value of a JSON object; the last of equal keys counts. The text must have been checked."""
    spans = iter(_spans(text, text.index("{") + 1))
    found = {}
    for start, end in spans:
        key = json.loads(text[start:end])
        start, end = next(spans)
        found[str(key)] = text[start:end]
    return found


def texts(text: str) -> dict[str, str]:
    """A JSON object of strings (map[string]string); null is an empty one. The text must have been checked. Raises InvalidJson."""
    value = json.loads(text, parse_int=float)
    wrong = (
        [value]
        if not isinstance(value, dict | None)
        else [one for one in (value or {}).values() if not isinstance(one, str | None)]
    )
    if wrong:
        go_type = "string" if isinstance(value, dict) else "map[string]string"
        raise InvalidJson(f"json: cannot unmarshal {_kind(wrong[0])} into Go value of type {go_type}")
    return {key: one or "" for key, one in (value or {}).items()}


def _kind(value: Any) -> str:
    names = {bool: "bool", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


_BETWEEN = re.compile(r"[ \t\r\n,:]*")


def _spans(text: str, at: int) -> list[tuple[int, int]]:
    """(start, end) of the values of a list, or of the keys and values of an object. at: the position after its bracket."""
    spans: list[tuple[int, int]] = []
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        if text[at] in "]}":
            return spans
        _, end = _AS_TEXT.raw_decode(text, at)
        spans.append((at, end))
        at = end


_PIECES = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


def compact(text: str) -> str:
    """The JSON without blanks between its parts."""
    return _PIECES.sub(lambda piece: piece[1] or "", text)


# -- complaints ---------------------------------------------------------------------------------------------------------


def json_fault(text: str) -> str:
    """Go's message for a text that is not JSON; "" if it is."""
    try:
        return _Scanner(text).scan()
    except InvalidJson as error:
        return str(error)


class _Scanner:
    """Scans the bytes of a text, as Go does. Like Go it adds a blank at the end, so the message for `tru` is the same."""

    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8", "surrogatepass") + b" "
        self.at = 0
        self.open: list[bytes] = []

    def scan(self) -> str:
        state = _VALUE
        while self.at < len(self.data):
            if self.data[self.at] in _BLANK:
                self.at += 1
            else:
                state = self.step(state, self.data[self.at : self.at + 1])
        return "" if state == _TOP else END

    def step(self, state: int, letter: bytes) -> int:
        if state in (_VALUE, _VALUE_OR_END):
            if letter == b"]" and state == _VALUE_OR_END:
                return self.close()
            return self.value(letter)
        self.at += 1
        if state in (_KEY, _KEY_OR_END):
            if letter == b"}" and state == _KEY_OR_END:
                self.at -= 1
                return self.close()
            if letter != b'"':
                self.refuse("looking for beginning of object key string", -1)
            self.string()
            return _COLON
        if state == _COLON:
            return _VALUE if letter == b":" else self.refuse("after object key", -1)
        if state == _TOP:
            return self.refuse("after top-level value", -1)
        inside = self.open[-1]
        if letter == b",":
            return _KEY if inside == b"{" else _VALUE
        if letter == (b"}" if inside == b"{" else b"]"):
            self.at -= 1
            return self.close()
        return self.refuse("after object key:value pair" if inside == b"{" else "after array element", -1)

    def close(self) -> int:
        self.at += 1
        self.open.pop()
        return self.after()

    def after(self) -> int:
        return _AFTER if self.open else _TOP

    def value(self, letter: bytes) -> int:
        self.at += 1
        if letter in (b"{", b"["):
            self.open.append(letter)
            if len(self.open) > _DEPTH:
                raise InvalidJson("exceeded max depth")
            return _KEY_OR_END if letter == b"{" else _VALUE_OR_END
        if letter == b'"':
            self.string()
        elif letter[0] in _LITERALS:
            self.literal(_LITERALS[letter[0]])
        elif letter == b"-" or letter[0] in _DIGITS:
            self.number(letter)
        else:
            self.refuse("looking for beginning of value", -1)
        return self.after()

    def literal(self, word: bytes) -> None:
        for expected in word[1:]:
            if self.data[self.at] != expected:
                self.refuse(f"in literal {word.decode()} (expecting '{chr(expected)}')")
            self.at += 1

    def number(self, first: bytes) -> None:
        if first == b"-":
            first = self.data[self.at : self.at + 1]
            self.digit("in numeric literal")
        if first != b"0":
            self.digits()
        if self.data[self.at] in b".":
            self.at += 1
            self.digit("after decimal point in numeric literal")
            self.digits()
        if self.data[self.at] in b"eE":
            self.at += 1
            if self.data[self.at] in b"+-":
                self.at += 1
            self.digit("in exponent of numeric literal")
            self.digits()

    def digit(self, where: str) -> None:
        if self.data[self.at] not in _DIGITS:
            self.refuse(where)
        self.at += 1

    def digits(self) -> None:
        while self.data[self.at] in _DIGITS:
            self.at += 1

    def string(self) -> None:
        """Scan the rest of a string, after its opening quote."""
        while self.at < len(self.data):
            letter = self.data[self.at]
            if letter < 0x20:
                self.refuse("in string literal")
            self.at += 1
            if letter == b'"'[0]:
                return
            if letter == b"\\"[0]:
                self.escape()
        raise InvalidJson(END)

    def escape(self) -> None:
        letter = self.data[self.at]
        if letter not in b'bfnrtu\\/"':
            self.refuse("in string escape code")
        self.at += 1
        for _ in range(4 if letter == b"u"[0] else 0):
            if self.data[self.at] not in _HEXADECIMAL:
                self.refuse("in \\u hexadecimal character escape")
            self.at += 1

    def refuse(self, where: str, back: int = 0) -> int:
        raise InvalidJson(f"invalid character {_quote_byte(chr(self.data[self.at + back]))} {where}")


def _quote_byte(letter: str) -> str:
    """A byte in single quotes, in Go's form."""
    if letter in "'\"":
        return "'\\''" if letter == "'" else "'\"'"
    if letter in NAMED_ESCAPES:
        return f"'{NAMED_ESCAPES[letter]}'"
    if letter < " " or letter == "\x7f":
        return f"'\\x{ord(letter):02x}'"
    if "\x7f" < letter < "\xa1" or letter == "\xad":
        return f"'\\u{ord(letter):04x}'"
    return f"'{letter}'"


NAMED_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}
"""Go's escapes of special characters (strconv.Quote)."""
