"""Which programs a shell script calls, as far as its text says so. Pure.

Builtins, functions of the script and words with an expansion (`$TOOL`, `{{inputs.parameters.tool}}`) are left out, because the text does
not name a program there. This is not a full shell parser: it skips what it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache

_NAMES_OF_BUILTINS = """
. : alias bg break cd command continue declare eval exec exit export false fg getopts hash jobs let local read readonly return set shift
source times trap true type ulimit umask unalias unset wait
"""
_BUILTINS = frozenset(_NAMES_OF_BUILTINS.split())
_BEFORE_A_COMMAND = ("if", "then", "else", "elif", "do", "while", "until", "!", "{", "time")
_CLOSING = ("fi", "done", "esac", "}")
_RUN_ANOTHER = ("command", "env", "exec", "nice", "nohup", "setsid", "timeout", "xargs")
_NAME = re.compile(r"[A-Za-z0-9_\[./][\w.+\[/-]*\Z")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_DURATION = re.compile(r"[\d.]+[smhd]?\Z")
_OPERATORS = (";;", "&&", "||", "|&", ";", "&", "|", "(", ")", "\n")
_END = re.compile(r"[\s;&|()<>]")

_MOST_CHARACTERS, _MOST_SCRIPTS = 100_000, 50
"""How many characters of a script are read, and how many scripts inside of it."""

_Piece = tuple[str, str]
"""(`word`, its text, "" when it has an expansion) | (`operator`, its text) | (`inner`, a script inside of this one)."""


@lru_cache(maxsize=256)
def programs(script: str) -> frozenset[str]:
    """The names and paths of the programs that a script calls, scripts inside of it (`$(…)`) included."""
    called: set[str] = set()
    functions: set[str] = set()
    waiting, read = [script[:_MOST_CHARACTERS]], 0
    while waiting and read < _MOST_SCRIPTS:
        pieces, read = list(_pieces(waiting.pop())), read + 1
        waiting += [text for kind, text in pieces if kind == "inner"]
        words = [piece for piece in pieces if piece[0] != "inner"]
        functions |= set(_functions(words))
        called |= set(_commands(words))
    return frozenset(name for name in called if name not in functions and name not in _BUILTINS and _NAME.match(name))


def _functions(pieces: list[_Piece]) -> Iterator[str]:
    for index, (kind, text) in enumerate(pieces):
        if kind == "word" and pieces[index + 1 : index + 3] == [("operator", "("), ("operator", ")")]:
            yield text
        if (kind, text) == ("word", "function") and index + 1 < len(pieces):
            yield pieces[index + 1][1]


class _Expect(Enum):
    """What the next word is, by the words before it."""

    COMMAND = "the first word of a command"
    RUN = "the command after a program that runs another one, its options and a duration"
    ARGUMENT = "an argument, up to the next operator"
    CASE = "the word that a `case` compares, up to `in`"
    PATTERN = "a pattern of a `case`, up to `)`"
    FUNCTION = "the name of a function, up to `{`"


def _commands(pieces: list[_Piece]) -> Iterator[str]:
    """The words that stand where a command is expected."""
    expect, cases = _Expect.COMMAND, 0
    for kind, text in pieces:
        if kind == "operator":
            in_pattern = text != ")" if expect is _Expect.PATTERN else text == ";;" and cases > 0
            expect = _Expect.PATTERN if in_pattern else _Expect.COMMAND
        elif expect is _Expect.PATTERN:
            if text == "esac":
                expect, cases = _Expect.ARGUMENT, cases - 1
        elif expect is _Expect.CASE:
            expect = _Expect.PATTERN if text == "in" else expect
        elif expect is _Expect.FUNCTION:
            expect = _Expect.COMMAND if text == "{" else expect
        elif expect is _Expect.ARGUMENT or _precedes_a_command(text, expect):
            continue
        elif text in _CLOSING:
            cases -= text == "esac"
        elif text in _HEADS:
            expect, cases = _HEADS[text], cases + (text == "case")
        else:
            yield text
            expect = _Expect.RUN if text in _RUN_ANOTHER else _Expect.ARGUMENT


_HEADS = {
    "case": _Expect.CASE,
    "for": _Expect.ARGUMENT,
    "select": _Expect.ARGUMENT,
    "function": _Expect.FUNCTION,
}


def _precedes_a_command(text: str, expect: _Expect) -> bool:
    if expect is _Expect.RUN and (text.startswith("-") or _DURATION.match(text)):
        return True
    return text in _BEFORE_A_COMMAND or bool(_ASSIGNMENT.match(text))


def _pieces(script: str) -> Iterator[_Piece]:
    """Words and operators of a script, without comments, targets of redirections and here-documents."""
    at, redirected = 0, ""
    here_documents: list[tuple[str, bool]] = []
    while at < len(script):
        operator = next((sign for sign in _OPERATORS if script.startswith(sign, at)), "")
        if script[at].isspace() and script[at] != "\n":
            at += 1
        elif script.startswith("\\\n", at):
            at += 2
        elif script[at] == "#":
            end = script.find("\n", at)
            at = len(script) if end < 0 else end
        elif operator:
            at += len(operator)
            if operator == "\n":
                for end_line, indented in here_documents:
                    at = _after_here_document(script, at, end_line, indented)
                here_documents = []
            yield "operator", operator
        elif script[at] in "<>":
            redirected = re.match(r"<<-|<<<|<<|[<>]&|>>|>\||[<>]", script[at:])[0]  # type: ignore[index]
            at += len(redirected)
        else:
            at, text, inner = _word(script, at)
            yield from (("inner", text) for text in inner)
            if redirected in ("<<", "<<-"):
                here_documents.append((text, redirected == "<<-"))
            elif not redirected and not (text.isdecimal() and script[at : at + 1] in ("<", ">")):
                yield "word", text
            redirected = ""


def _position_after(script: str, end: str, at: int) -> int:
    """The position after the next `end`; the script's end when there is none."""
    place = script.find(end, at)
    return len(script) if place < 0 else place + len(end)


def _after_here_document(script: str, at: int, end_line: str, indented: bool) -> int:
    while at < len(script):
        after = _position_after(script, "\n", at)
        line = script[at:after].rstrip("\n")
        at = after
        if (line.lstrip("\t") if indented else line) == end_line:
            break
    return at


def _word(script: str, at: int) -> tuple[int, str, list[str]]:
    """(the position after a word, its text or "" when it has an expansion, the scripts inside of it)."""
    text: list[str] = []
    inner: list[str] = []
    expanded = in_quotes = False
    while at < len(script):
        character = script[at]
        if character == '"':
            in_quotes, at = not in_quotes, at + 1
        elif character == "\\":
            text.append(script[at + 1 : at + 2])
            at += 2
        elif character == "'" and not in_quotes:
            after = _position_after(script, "'", at + 1)
            text.append(script[at + 1 : after - 1])
            at = after
        elif character in "$`":
            expanded = True
            at = _expansion(script, at, inner)
        elif script.startswith("{{", at):
            expanded, at = True, _position_after(script, "}}", at)
        elif not in_quotes and _END.match(character):
            break
        else:
            text.append(character)
            at += 1
    return at, "" if expanded else "".join(text), inner


def _expansion(script: str, at: int, inner: list[str]) -> int:
    """The position after an expansion that begins here; the script of a command substitution is added to `inner`."""
    if script[at] == "`":
        after = _position_after(script, "`", at + 1)
        inner.append(script[at + 1 : after - 1])
        return after
    opening = script[at + 1 : at + 2]
    if opening not in ("(", "{"):
        return at + 1
    after = _after_closing(script, at + 2, opening, ")" if opening == "(" else "}")
    if opening == "(" and not script.startswith("((", at + 1):
        inner.append(script[at + 2 : after - 1])
    return after


def _after_closing(script: str, at: int, opening: str, closing: str) -> int:
    depth, quote = 1, ""
    while at < len(script) and depth:
        character = script[at]
        if character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
        at += 1
    return min(at, len(script))
