"""The syntax of Go's regular expressions: a text becomes a tree of single characters, assertions, series, alternatives,
groups and repetitions. Messages are regexp/syntax's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from hera_utils.expressions.values import Failure

LONGEST = 10_000
DEEPEST = 100
MOST_REPEATS = 1000


@dataclass(frozen=True)
class Leaf:
    """One character of a kind; `python` says which, as a pattern of Python's."""

    python: str

    @property
    def test(self) -> Callable[[str, int], object]:
        return _tester(self.python)


@dataclass(frozen=True)
class Assertion:
    """A place: the start or the end of the text or of a line, the edge of a word."""

    python: str

    @property
    def test(self) -> Callable[[str, int], object]:
        return _tester(self.python)


@dataclass(frozen=True)
class Series:
    parts: tuple[Regex, ...]


@dataclass(frozen=True)
class Alternatives:
    parts: tuple[Regex, ...]


@dataclass(frozen=True)
class Group:
    """index 0: it captures nothing."""

    body: Regex
    index: int = 0


@dataclass(frozen=True)
class Repeat:
    body: Regex
    least: int
    most: int | None
    greedy: bool = True


Regex = Leaf | Assertion | Series | Alternatives | Group | Repeat


@lru_cache(maxsize=2048)
def _tester(python: str) -> Callable[[str, int], object]:
    return re.compile(python).match


@dataclass
class Parsed:
    tree: Regex
    groups: int
    names: dict[str, int] = field(default_factory=dict)


def parse(pattern: str) -> Parsed:
    """The tree of a pattern. Raises Failure."""
    if len(pattern) > LONGEST:
        raise Failure(f"error parsing regexp: expression too large: `{pattern[:40]}…`")
    parser = _Parser(pattern)
    tree = parser.alternatives(0)
    if parser.at < len(pattern):
        parser.fail("unexpected )", pattern)
    return Parsed(tree, parser.groups, parser.names)


# -- kinds of characters ------------------------------------------------------------------------------------------------

Ranges = list[tuple[int, int]]

_PERL: dict[str, Ranges] = {
    "d": [(0x30, 0x39)],
    "s": [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)],
    "w": [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
}
_POSIX: dict[str, Ranges] = {
    "alnum": [(0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)],
    "alpha": [(0x41, 0x5A), (0x61, 0x7A)],
    "ascii": [(0, 0x7F)],
    "blank": [(0x09, 0x09), (0x20, 0x20)],
    "cntrl": [(0, 0x1F), (0x7F, 0x7F)],
    "digit": [(0x30, 0x39)],
    "graph": [(0x21, 0x7E)],
    "lower": [(0x61, 0x7A)],
    "print": [(0x20, 0x7E)],
    "punct": [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
    "space": [(0x09, 0x0D), (0x20, 0x20)],
    "upper": [(0x41, 0x5A)],
    "word": [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
    "xdigit": [(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
}
_LAST = 0x10FFFF


def _negated(ranges: Ranges) -> Ranges:
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    if at <= _LAST:
        found.append((at, _LAST))
    return found


_ASSIGNED = ((0, 0x33FFF), (0xE0000, 0xE0FFF))  # where Unicode has characters, private planes left out


@lru_cache(maxsize=32)
def _category(name: str) -> tuple[tuple[int, int], ...]:
    """The ranges of a general category of Unicode (`L`, `Lu`); empty when there is none of that name."""
    if not re.fullmatch("[CLMNPSZ][a-z]?", name):
        return ()
    found: Ranges = []
    for first, last in _ASSIGNED:
        for code in range(first, last + 1):
            category = unicodedata.category(chr(code))
            if not category.startswith(name) or category == "Cn":
                continue
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    if name in ("C", "Co"):
        found += [(0xF0000, 0xFFFFD), (0x100000, 0x10FFFD)]
    return tuple(found)


def _class(ranges: Ranges, *, negative: bool, fold: bool) -> str:
    """A class of Python's."""
    if not ranges:
        return r"(?s:.)" if negative else r"(?!)"
    inside = "".join(
        _character(low) if low == high else f"{_character(low)}-{_character(high)}" for low, high in ranges
    )
    python = f"[{'^' if negative else ''}{inside}]"
    return f"(?i:{python})" if fold else python


def _character(code: int) -> str:
    if 0x30 <= code <= 0x39 or 0x41 <= code <= 0x5A or 0x61 <= code <= 0x7A:
        return chr(code)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ESCAPES = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_HEXADECIMAL = re.compile(r"\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_NAMED = re.compile(r"\\([pP])(?:\{(\^?)([A-Za-z][A-Za-z_ -]*)\}|([A-Za-z]))")
_COUNT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_OPENING = re.compile(r"\(\?(?:P?<([^>]*)>|([imsU]*)(-[imsU]+)?([:)]))")


_NO_EDGE = r"(?a:(?<=\w)(?=\w)|(?<!\w)(?!\w))"  # Python's \B is not there in an empty text


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags = frozenset[str]()
        self.groups = 0
        self.names: dict[str, int] = {}

    def fail(self, message: str, shown: str) -> NoReturn:
        raise Failure(f"error parsing regexp: {message}: `{shown}`")

    def looking_at(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    # -- structure

    def alternatives(self, depth: int) -> Regex:
        if depth > DEEPEST:
            self.fail("expression nests too deeply", self.pattern)
        parts = [self.series(depth)]
        while self.looking_at("|"):
            self.at += 1
            parts.append(self.series(depth))
        return parts[0] if len(parts) == 1 else Alternatives(tuple(parts))

    def series(self, depth: int) -> Regex:
        parts: list[Regex] = []
        last_operator = ""
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            operator = self.operator()
            if operator is not None:
                least, most, text = operator
                if not parts:
                    self.fail("missing argument to repetition operator", text)
                greedy = not self.looking_at("?")
                if not greedy:
                    self.at += 1
                    text += "?"
                if last_operator:
                    self.fail("invalid nested repetition operator", last_operator + text)
                parts[-1] = self.repeated(parts[-1], (least, most), greedy, text)
                last_operator = text
                continue
            last_operator = ""
            part = self.single(depth)
            if isinstance(part, Series):  # a quoted text: an operator behind it is about its last character
                parts.extend(part.parts)
            elif part is not None:
                parts.append(part)
        return parts[0] if len(parts) == 1 else Series(tuple(parts))

    def operator(self) -> tuple[int, int | None, str] | None:
        character = self.pattern[self.at]
        if character in "*+?":
            self.at += 1
            return {"*": (0, None, "*"), "+": (1, None, "+"), "?": (0, 1, "?")}[character]
        found = _COUNT.match(self.pattern, self.at)
        if found is None:
            return None
        self.at = found.end()
        least = int(found.group(1))
        most = least if found.group(2) is None else int(found.group(3)) if found.group(3) else None
        if least > MOST_REPEATS or (most is not None and (most > MOST_REPEATS or most < least)):
            self.fail("invalid repeat count", found.group())
        return least, most, found.group()

    def repeated(self, body: Regex, count: tuple[int, int | None], greedy: bool, text: str) -> Regex:
        least, most = count
        if "U" in self.flags:
            greedy = not greedy
        if max(least, most or 0) * _size(body) > MOST_REPEATS and text.startswith("{"):
            self.fail("invalid repeat count", text)
        return Repeat(body, least, most, greedy)

    def group(self, depth: int) -> Regex | None:
        """What an opening parenthesis begins; None for flags that hold from here on."""
        if not self.looking_at("(?"):
            self.at += 1
            self.groups += 1
            return self.closed(self.groups, depth)
        found = _OPENING.match(self.pattern, self.at)
        if found is None:
            self.fail("invalid or unsupported Perl syntax", self.pattern[self.at : self.at + 3])
        self.at = found.end()
        name = found.group(1)
        if name is not None:
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                self.fail("invalid named capture", found.group())
            self.groups += 1
            self.names.setdefault(name, self.groups)
            return self.closed(self.groups, depth)
        flags = (self.flags | set(found.group(2))) - set(found.group(3) or "")
        if found.group(4) == ")":
            self.flags = flags
            return None
        return self.closed(0, depth, flags)

    def closed(self, index: int, depth: int, flags: frozenset[str] | None = None) -> Regex:
        outside = self.flags
        if flags is not None:
            self.flags = flags
        body = self.alternatives(depth + 1)
        if not self.looking_at(")"):
            self.fail("missing closing )", self.pattern)
        self.at += 1
        self.flags = outside
        return Group(body, index)

    # -- single characters

    def single(self, depth: int) -> Regex | None:
        character = self.pattern[self.at]
        if character == "(":
            return self.group(depth)
        if character == "[":
            return self.bracket()
        if character == "\\":
            return self.escape()
        self.at += 1
        if character == ".":
            return Leaf("(?s:.)" if "s" in self.flags else r"[^\n]")
        if character == "^":
            return Assertion("(?m:^)" if "m" in self.flags else r"\A")
        if character == "$":
            return Assertion("(?m:$)" if "m" in self.flags else r"\Z")
        return self.literal(ord(character))

    def literal(self, code: int) -> Leaf:
        python = _character(code)
        return Leaf(f"(?i:{python})" if "i" in self.flags else python)

    def escape(self) -> Regex:
        following = self.pattern[self.at + 1 : self.at + 2]
        assertion = {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": _NO_EDGE}.get(following)
        if assertion is not None:
            self.at += 2
            return Assertion(assertion)
        if following == "Q":
            end = self.pattern.find("\\E", self.at + 2)
            text = self.pattern[self.at + 2 : end if end >= 0 else len(self.pattern)]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            return Series(tuple(self.literal(ord(character)) for character in text))
        ranges = self.kind()
        if ranges is not None:
            return Leaf(_class(ranges, negative=False, fold="i" in self.flags))
        return self.literal(self.code())

    def kind(self) -> Ranges | None:
        r"""The characters of \d, \W, \pL, \P{Lu}… at this place, None for anything else."""
        following = self.pattern[self.at + 1 : self.at + 2]
        if following and following.lower() in _PERL:
            self.at += 2
            ranges = _PERL[following.lower()]
            return ranges if following.islower() else _negated(ranges)
        if following not in ("p", "P"):
            return None
        found = _NAMED.match(self.pattern, self.at)
        if found is None:
            self.fail("invalid character class range", self.pattern[self.at : self.at + 3])
        self.at = found.end()
        name = re.sub("[-_ ]", "", found.group(3) or found.group(4)).capitalize()
        ranges = [(0, _LAST)] if name == "Any" else list(_category(name))
        if not ranges:
            self.fail("invalid character class range", found.group())
        return _negated(ranges) if (found.group(1) == "P") != bool(found.group(2)) else ranges

    def code(self) -> int:
        """The one character that a backslash and what follows stand for."""
        following = self.pattern[self.at + 1 : self.at + 2]
        if following == "":
            self.fail("trailing backslash at end of expression", "")
        found = _HEXADECIMAL.match(self.pattern, self.at)
        if found:
            code = int(found.group(1) or found.group(2), 16)
            if code > _LAST:
                self.fail("invalid escape sequence", found.group())
            self.at = found.end()
            return code
        octal = _OCTAL.match(self.pattern, self.at)
        if octal:
            self.at = octal.end()
            return int(octal.group(1), 8)
        if following in _ESCAPES:
            self.at += 2
            return _ESCAPES[following]
        if following.isalnum() or ord(following) > 0x7F:
            self.fail("invalid escape sequence", self.pattern[self.at : self.at + 2])
        self.at += 2
        return ord(following)

    def bracket(self) -> Leaf:
        start = self.at
        self.at += 1
        negative = self.looking_at("^")
        self.at += negative
        ranges: Ranges = []
        first = True
        while first or not self.looking_at("]"):
            first = False
            if self.at >= len(self.pattern):
                self.fail("missing closing ]", self.pattern[start:])
            posix = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL).match(self.pattern, self.at)
            if posix:
                if posix.group(2) not in _POSIX:
                    self.fail("invalid character class range", posix.group())
                self.at = posix.end()
                named = _POSIX[posix.group(2)]
                ranges += _negated(named) if posix.group(1) else named
                continue
            kind = self.kind() if self.looking_at("\\") else None
            if kind is not None:
                ranges += kind
                continue
            ranges.append(self.range(start))
        self.at += 1
        return Leaf(_class(sorted(ranges), negative=negative, fold="i" in self.flags))

    def range(self, start: int) -> tuple[int, int]:
        begin = self.at
        low = self.bracketed(start)
        if not self.looking_at("-") or self.pattern[self.at + 1 : self.at + 2] in ("]", ""):
            return low, low
        self.at += 1
        high = self.bracketed(start)
        if high < low:
            self.fail("invalid character class range", self.pattern[begin : self.at])
        return low, high

    def bracketed(self, start: int) -> int:
        if self.at >= len(self.pattern):
            self.fail("missing closing ]", self.pattern[start:])
        if self.looking_at("\\"):
            return self.code()
        self.at += 1
        return ord(self.pattern[self.at - 1])


def nullable(node: Regex) -> bool:
    """Whether a tree can match the empty text."""
    if isinstance(node, Leaf):
        return False
    if isinstance(node, Series):
        return all(map(nullable, node.parts))
    if isinstance(node, Alternatives):
        return any(map(nullable, node.parts))
    if isinstance(node, Group):
        return nullable(node.body)
    return isinstance(node, Assertion) or node.least == 0 or nullable(node.body)


def _size(node: Regex) -> int:
    """How often the innermost piece of a tree may be repeated."""
    if isinstance(node, Repeat):
        return max(node.least, node.most or 1, 1) * _size(node.body)
    if isinstance(node, Series | Alternatives):
        return max((_size(one) for one in node.parts), default=1)
    return _size(node.body) if isinstance(node, Group) else 1
