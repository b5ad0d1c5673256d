"""Changes of the case of names, as in huandu/xstrings: camelcase, snakecase, kebabcase."""

from __future__ import annotations

import re
from collections.abc import Callable

from hera_utils.expressions.expr.functions import SPACE

_SPACES = frozenset(SPACE)


def _is_connector(character: str) -> bool:
    return character in "-_" or character in _SPACES


def camelcase(value: str) -> str:
    result: list[str] = []
    rest = list(value)
    current, upper = "", False
    while rest:
        current = rest.pop(0)
        if not _is_connector(current):
            upper, current = current.isupper(), _keep_single(current.upper(), current)
            break
        result.append(current)
    if not rest:
        return "".join(result) + (current if result or current else "")
    while rest:
        previous, current = current, rest.pop(0)
        if _is_connector(current) and _is_connector(previous):
            result.append(previous)
            continue
        if _is_connector(previous):
            upper, current = current.isupper(), _keep_single(current.upper(), current)
        else:
            if upper:
                if current.isupper():
                    current = _keep_single(current.lower(), current)
                else:
                    upper = False
            result.append(previous)
    return "".join([*result, current])


def _keep_single(changed: str, character: str) -> str:
    return changed if len(changed) == 1 else character


_WORD = re.compile(
    r"(?P<connector>[\s_\-]+)|(?P<punct>[!-#%-*,-/:;?@\[-\]{}\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf]+)"
    r"|(?P<upper>[A-Z\u00c0-\u00d6\u00d8-\u00de](?:[A-Z\u00c0-\u00d6\u00d8-\u00de]*(?![a-z\u00df-\u00f6\u00f8-\u00ff])|[a-z\u00df-\u00f6\u00f8-\u00ff]*))"
    r"|(?P<alphabet>[^\W\d_A-Z\u00c0-\u00d6\u00d8-\u00de]+)|(?P<number>\d+)|(?P<other>.)",
    re.DOTALL,
)


def lower_case(connector: str) -> Callable[[str], str]:
    """The words of a name in lower case, joined by the connector (snakecase, kebabcase). A number stays with the letters behind it."""

    def convert(value: str) -> str:
        return _Joiner(value, connector).run() if value else ""

    return convert


class _Joiner:
    """Joins the words of a name. at: the next word to write."""

    def __init__(self, value: str, connector: str) -> None:
        self.words = [(str(word.lastgroup), word.group()) for word in _WORD.finditer(value)]
        self.words.append(("end", ""))
        self.connector = connector
        self.pieces: list[str] = []
        self.at = 0

    def run(self) -> str:
        while self.at < len(self.words) - 2:
            kind, word = self.words[self.at]
            if kind != "connector":
                self.write(kind, word)
            self.at += 1
            if kind == "number":
                self.numbers_and_letters()
            elif kind == "connector":
                self.write(kind, word)
            elif kind != "punct":
                self.after_letters()
        for kind, word in self.words[self.at : -1]:
            self.write(kind, word)
        return "".join(self.pieces)

    def write(self, kind: str, word: str) -> None:
        if kind == "connector":
            self.pieces.append(self.connector * len(word))
        else:
            self.pieces.append(word.lower() if kind == "upper" else word)

    def join(self) -> None:
        """Write a connector, unless a separator follows."""
        if self.words[self.at][0] not in ("end", "connector", "punct"):
            self.pieces.append(self.connector)

    def numbers_and_letters(self) -> None:
        while self.words[self.at][0] in ("alphabet", "number"):
            self.write(*self.words[self.at])
            self.at += 1
        self.join()

    def after_letters(self) -> None:
        kind, number = self.words[self.at]
        if kind != "number":
            self.join()
            return
        if self.words[self.at + 1][0] == "end":
            return
        self.at += 1
        if self.words[self.at][0] != "alphabet":
            self.pieces.append(number)
            self.join()
        else:
            self.pieces.append(self.connector + number)
            self.numbers_and_letters()
