"""Go's regular expressions (RE2): its syntax, its meaning (leftmost, first alternative first), its promise of linear time.

A pattern is parsed into a tree. Python's `re` runs it where that is known to be quick; where its backtracking could run away
(a repetition within a repetition, many open ones over a long text) a Pike machine of our own does: slower, but never exponential.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from hera_utils.expressions.regexp_syntax import (
    Alternatives,
    Assertion,
    Group,
    Leaf,
    Regex,
    Repeat,
    Series,
    nullable,
    parse,
)
from hera_utils.expressions.values import Failure

MOST_TRIES = 10_000_000  # what `re` may have to try
MOST_WORK = 2_000_000  # places that the machine may visit, a few seconds


class Found:
    """A match: spans of the whole and of the groups, in characters; (-1, -1) for a group that took no part."""

    __slots__ = ("names", "spans", "text")

    def __init__(self, text: str, spans: list[tuple[int, int]], names: dict[str, int]) -> None:
        self.text = text
        self.spans = spans
        self.names = names

    def start(self) -> int:
        return self.spans[0][0]

    def end(self) -> int:
        return self.spans[0][1]

    def group(self, which: int | str = 0) -> str:
        """The text of a group, "" when it took no part or is not there."""
        index = self.names.get(which, -1) if isinstance(which, str) else which
        if not 0 <= index < len(self.spans):
            return ""
        start, end = self.spans[index]
        return self.text[start:end] if start >= 0 else ""


class Pattern:
    """A compiled expression. `pattern` is its text as Go has it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        parsed = parse(pattern)
        self.groups = parsed.groups
        self.names = parsed.names
        self._tree = parsed.tree
        self._open, self.runs_on_machine = _risk(parsed.tree)
        self._compiled = re.compile(_python(parsed.tree))
        self._machine: _Machine | None = None

    def search(self, text: str, start: int = 0) -> Found | None:
        """The leftmost match at or behind `start`. Raises Failure when it takes too long."""
        if not self.runs_on_machine and (len(text) + 1) ** max(self._open, 1) <= MOST_TRIES:
            found = self._compiled.search(text, start)
            if found is None:
                return None
            return Found(text, [found.span(group) for group in range(self.groups + 1)], self.names)
        if self._machine is None:
            self._machine = _Machine(self._tree, self.groups)
        spans = self._machine.search(text, start)
        return Found(text, spans, self.names) if spans is not None else None

    def all(self, text: str) -> Iterator[Found]:
        """The matches one behind the other; an empty one directly behind another does not count."""
        at, end = 0, -1
        while at <= len(text):
            found = self.search(text, at)
            if found is None:
                return
            if found.start() != found.end() or found.start() != end:
                yield found
            end = found.end()
            at = end + 1 if found.start() == found.end() else end


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """The pattern, memoised. Raises Failure with Go's message."""
    try:
        return Pattern(pattern)
    except (re.error, OverflowError, RecursionError):
        raise Failure(f"error parsing regexp: expression nests too deeply: `{pattern}`") from None


def _risk(tree: Regex) -> tuple[int, bool]:
    """(open repetitions, whether one stands within another or repeats alternatives)."""
    opened, nested = 0, False
    pending = [(tree, False)]
    while pending:
        node, inside = pending.pop()
        if isinstance(node, Repeat):
            varies = node.most is None or node.most != node.least
            opened += node.most is None or node.most - node.least > 10
            nested = nested or (inside and varies) or nullable(node.body)
            pending.append((node.body, inside or varies or (node.most or 0) > 1))
        elif isinstance(node, Alternatives):
            nested = nested or inside
            pending.extend((one, inside) for one in node.parts)
        elif isinstance(node, Series):
            pending.extend((one, inside) for one in node.parts)
        elif isinstance(node, Group):
            pending.append((node.body, inside))
    return opened, nested


def _python(node: Regex) -> str:
    """The tree as a pattern of Python's."""
    if isinstance(node, Leaf | Assertion):
        return node.python
    if isinstance(node, Series):
        return "".join(map(_python, node.parts))
    if isinstance(node, Alternatives):
        return "(?:" + "|".join(map(_python, node.parts)) + ")"
    if isinstance(node, Group):
        return ("(" if node.index else "(?:") + _python(node.body) + ")"
    if node.most is None:
        count = {0: "*", 1: "+"}.get(node.least, f"{{{node.least},}}")
    else:
        count = "?" if (node.least, node.most) == (0, 1) else f"{{{node.least},{node.most}}}"
    return f"(?:{_python(node.body)}){count}{'' if node.greedy else '?'}"


# -- the machine --------------------------------------------------------------------------------------------------------

_LEAF, _SPLIT, _JUMP, _SAVE, _ASSERT, _DONE = range(6)
_Test = Callable[[str, int], object]
_Instruction = tuple[int, int, int, "_Test | None"]
_LARGEST_PROGRAM = 20_000


class _Machine:
    """Pike's: all threads go through the text together, one character at a time, the preferred first."""

    def __init__(self, tree: Regex, groups: int) -> None:
        self.slots = 2 * (groups + 1)
        self.program: list[_Instruction] = []
        self.emit(_SAVE, 0)
        self.compile(tree)
        self.emit(_SAVE, 1)
        self.emit(_DONE)

    def emit(self, kind: int, first: int = 0, second: int = 0, test: _Test | None = None) -> int:
        if len(self.program) >= _LARGEST_PROGRAM:
            raise Failure("error parsing regexp: expression too large")
        self.program.append((kind, first, second, test))
        return len(self.program) - 1

    def split(self, place: int, first: int, second: int, *, greedy: bool) -> None:
        self.program[place] = (_SPLIT, first, second, None) if greedy else (_SPLIT, second, first, None)

    def compile(self, node: Regex) -> None:
        if isinstance(node, Leaf):
            self.emit(_LEAF, test=node.test)
        elif isinstance(node, Assertion):
            self.emit(_ASSERT, test=node.test)
        elif isinstance(node, Series):
            for one in node.parts:
                self.compile(one)
        elif isinstance(node, Alternatives):
            self.alternatives(node)
        elif isinstance(node, Group):
            if node.index:
                self.emit(_SAVE, 2 * node.index)
            self.compile(node.body)
            if node.index:
                self.emit(_SAVE, 2 * node.index + 1)
        else:
            self.repeat(node)

    def alternatives(self, node: Alternatives) -> None:
        jumps = []
        for part in node.parts[:-1]:
            place = self.emit(_SPLIT)
            self.compile(part)
            jumps.append(self.emit(_JUMP))
            self.split(place, place + 1, len(self.program), greedy=True)
        self.compile(node.parts[-1])
        for place in jumps:
            self.program[place] = (_JUMP, len(self.program), 0, None)

    def repeat(self, node: Repeat) -> None:
        """Compiled as Go does it, because that decides which empty matches there are: x{2,} is xx+, x* of what may be empty (x+)?."""
        if node.most is None:
            for _ in range(node.least - 1):
                self.compile(node.body)
            optional = node.least == 0
            if optional and not nullable(node.body):
                place = self.emit(_SPLIT)
                self.compile(node.body)
                self.emit(_JUMP, place)
                self.split(place, place + 1, len(self.program), greedy=node.greedy)
                return
            before = self.emit(_SPLIT) if optional else -1
            start = len(self.program)
            self.compile(node.body)
            place = self.emit(_SPLIT)
            self.split(place, start, place + 1, greedy=node.greedy)
            if optional:
                self.split(before, start, place + 1, greedy=node.greedy)
            return
        for _ in range(node.least):
            self.compile(node.body)
        places = []
        for _ in range(node.most - node.least):
            places.append(self.emit(_SPLIT))
            self.compile(node.body)
        for place in places:
            self.split(place, place + 1, len(self.program), greedy=node.greedy)

    def search(self, text: str, start: int) -> list[tuple[int, int]] | None:
        best: tuple[int, ...] | None = None
        threads: list[tuple[int, tuple[int, ...]]] = []
        work = 0
        for at in range(start, len(text) + 1):
            seen: set[int] = set()
            current: list[tuple[int, tuple[int, ...]]] = []
            for place, saved in threads:
                self.follow(place, saved, text, at, (seen, current))
            if best is None:
                self.follow(0, (-1,) * self.slots, text, at, (seen, current))
            if not current and best is not None:
                break
            work += len(seen) + 1
            if work > MOST_WORK:
                raise Failure("a regular expression that takes too long")
            threads = []
            for place, saved in current:
                kind, _, _, test = self.program[place]
                if kind == _DONE:
                    best = saved
                    break  # the threads behind are less preferred
                if at < len(text) and test is not None and test(text, at):
                    threads.append((place + 1, saved))
        if best is None:
            return None
        return [(best[slot], best[slot + 1]) for slot in range(0, self.slots, 2)]

    def follow(
        self,
        place: int,
        saved: tuple[int, ...],
        text: str,
        at: int,
        found: tuple[set[int], list[tuple[int, tuple[int, ...]]]],
    ) -> None:
        """Adds to `found` what can be reached without reading a character, the preferred first."""
        seen, threads = found
        pending = [(place, saved)]
        while pending:
            place, saved = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            kind, first, second, test = self.program[place]
            if kind == _SPLIT:
                pending.append((second, saved))
                pending.append((first, saved))
            elif kind == _JUMP:
                pending.append((first, saved))
            elif kind == _SAVE:
                pending.append((place + 1, (*saved[:first], at, *saved[first + 1 :])))
            elif kind == _ASSERT:
                if test is not None and test(text, at):
                    pending.append((place + 1, saved))
            else:
                threads.append((place, saved))
