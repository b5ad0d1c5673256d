r"""Go's regular expressions, executed by RE2, which has the same syntax, the same meaning (leftmost, first alternative first) and the same
linear time, and is by the same author.

Where RE2 and Go differ, this file gives Go's result:

| matter | RE2 | Go |
| --- | --- | --- |
| errors | `missing ): (` | ``missing closing ): `(` `` |
| `\B` within the bytes of one character | matches | does not match |
| `\C`, names of groups that are not ASCII | allowed | refused |
| names of Unicode classes (`\p{lu}`, `\p{L_u}`) | exactly as Unicode writes them | case, `_`, `-` and blanks do not count |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NoReturn

from hera_utils.expressions.values import Failure
from hera_utils.memoised import memoised

LONGEST = 10_000
"""Maximum length of a pattern. RE2 limits the memory of a compiled one to 8 MB."""

DEEPEST = 1000
"""Levels of nested groups: Go's limit (maxHeight), which RE2 does not have."""

_PHRASES = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}
"""RE2's name of an error → Go's, where they differ."""

# A quoted text, a group's name, a Unicode class or any other escape; none of these begins inside another.
_TOKEN = re.compile(r"(?s)\\Q.*?(?:\\E|\Z)|\(\?P?<([^>]*)>|\\([pP])\{(\^?)([^}]*)\}|\\.")

_BRACKET = re.compile(r"[()]|\[\^?\]?[^\]]*\]|\{(?:[1-9][0-9]{8,}(?:,[0-9]*)?|[0-9]+,[1-9][0-9]{8,})\}")
"""A bracket of a group; a class, in which brackets are literal; a repetition whose large number RE2 would read as literal text."""


class Match:
    """Where a pattern matched: `start` and `end` in characters of the text."""

    __slots__ = ("_match", "end", "start")

    def __init__(self, match: Any, start: int, end: int) -> None:
        self._match = match
        self.start = start
        self.end = end

    def group(self, which: int | str = 0) -> str:
        """The text of a group, "" when it did not match or does not exist."""
        try:
            text = self._match.group(which.encode() if isinstance(which, str) else which)
        except IndexError:
            return ""
        return _text(text) if text is not None else ""


class Pattern:
    """A compiled expression. `pattern` is its text as Go has it."""

    def __init__(self, pattern: str) -> None:
        """Raises Failure with Go's message."""
        re2 = _re2()
        if len(pattern) > LONGEST:
            _refuse("expression too large", pattern[:40] + "…")
        _check_brackets(pattern)
        options = re2.Options()
        options.log_errors = False
        self.pattern = pattern
        try:
            self._compiled = re2.compile(_bytes(_TOKEN.sub(_in_re2, pattern)), options)
        except re2.error as error:
            _refuse_as_go(_text(error.args[0]), pattern)

    def search(self, text: str) -> Match | None:
        """The leftmost match."""
        return next(self.all(text), None)

    def all(self, text: str) -> Iterator[Match]:
        """All matches in order. An empty match directly behind another does not count."""
        data = _bytes(text)
        # Positions in `data`: the start of the search, the end of the last match, and the end of the part whose characters are counted.
        at, end, counted, characters = 0, -1, 0, 0
        while at <= len(data) and (match := self._compiled.search(data, at)) is not None:
            start, at = match.span()
            if not _within_a_character(data, start) and (start != at or start != end):
                before = characters + len(_text(data[counted:start]))
                characters = before + len(_text(data[start:at]))
                end = counted = at
                yield Match(match, before, characters)
            if start == at:
                at += 1
                while _within_a_character(data, at):
                    at += 1


def _re2() -> Any:
    """The package of RE2, imported late: the import takes 10 ms, and most workflows have no regular expression. Raises Failure."""
    try:
        import re2
    except ImportError:
        raise Failure(
            "regular expressions need the package google-re2, which the server's Python does not have; hera_utils brings it "
            "for Python 3.14 and older, for a newer one: pip install google-re2"
        ) from None
    return re2


def _check_brackets(pattern: str) -> None:
    """Raise Failure for groups nested deeper, or repetitions larger, than Go allows."""
    depth = 0
    for bracket in _BRACKET.findall(_TOKEN.sub(lambda token: "(" if token[1] else "", pattern)):
        if bracket.startswith("{"):
            _refuse("invalid repeat count", bracket)
        depth += {"(": 1, ")": -1}.get(bracket, 0)
        if depth > DEEPEST:
            _refuse("expression nests too deeply", pattern)


@memoised(32)
def compile_pattern(pattern: str) -> Pattern:
    """The pattern, memoised. Raises Failure with Go's message."""
    return Pattern(pattern)


def _in_re2(token: re.Match[str]) -> str:
    """A token of Go's syntax as RE2 reads it. Raises Failure."""
    name, kind, negation, unicode_class = token.groups()
    if name is not None and not name.isascii():
        _refuse("invalid named capture", token.group())
    if token.group() == "\\C":
        _refuse("invalid escape sequence", token.group())
    if unicode_class is None:
        return token.group()
    canonical = rf"\{kind}{{{negation}{re.sub('[-_ ]', '', unicode_class).capitalize()}}}"
    return canonical if _exists(canonical) else token.group()


@lru_cache(maxsize=64)
def _exists(unicode_class: str) -> bool:
    re2 = _re2()
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(_bytes(unicode_class), options)
    except re2.error:
        return False
    return True


def _refuse_as_go(error: str, pattern: str) -> NoReturn:
    phrase, _, place = error.partition(": ")
    if phrase.startswith("pattern too large"):
        _refuse("expression too large", pattern)
    if place in ("(?<=", "(?<!"):
        # Go reads a lookbehind as a group with an illegal name.
        name, closing, _ = pattern[pattern.find(place) :].partition(">")
        _refuse("invalid named capture", name + closing)
    _refuse(_PHRASES.get(phrase, phrase), place)


def _refuse(phrase: str, place: str) -> NoReturn:
    raise Failure(f"error parsing regexp: {phrase}: `{place}`")


# Texts from JSON may contain half a surrogate pair, which is not a character.
def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _within_a_character(data: bytes, place: int) -> bool:
    return place < len(data) and data[place] & 0xC0 == 0x80
