"""Findings as people read them: by group, aligned, as wide as the terminal; in a pipe one line a finding. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hera_utils.preflight.finding import MARKS, Finding, Verdict

# What belongs together, in the order of a run's way: there, who I am, what is in the namespace, what is sent.
GROUPS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "this machine",
        frozenset({"platform", "state folder", "private mounts", "python", "images", "local platform", "clock"}),
    ),
    ("server", frozenset({"argo server", "token", "version", "controller", "instance id", "cluster"})),
    ("rights", frozenset({"rights", "account rights", "service account"})),
    (
        "namespace",
        frozenset({"namespace", "claim", "config map", "secret", "pull secret", "registry", "quota", "limit range"}),
    ),
    ("workflow", frozenset({"limits", "workflow", "template", "programs", "packages", "ports", "size"})),
)


@dataclass(frozen=True)
class Line:
    """One line. verdict: of the finding that it belongs to, None for a heading. indent: of what follows the mark.

    mark: how many of its first characters are the mark. fix: whether it says what to do.
    """

    text: str
    verdict: Verdict | None = None
    mark: int = 0
    fix: bool = False


def grouped(findings: Iterable[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    left = list(findings)
    for heading, checks in GROUPS:
        these = [one for one in left if one.check in checks]
        left = [one for one in left if one.check not in checks]
        if these:
            yield heading, these
    if left:
        yield "more", left


def lines(findings: Sequence[Finding], width: int, marks: dict[str, str] | None = None) -> list[Line]:
    """For a terminal of so many columns: a heading a group, each finding wrapped beside its mark, its fix below it."""
    marks = marks or MARKS
    text_lines: list[Line] = []
    for heading, these in grouped(findings):
        text_lines.append(Line(heading))
        for one in these:
            lead = f"  {marks[one.verdict]} "
            text_lines += _wrapped(lead, one.message, width, one.verdict, mark=len(lead) - 1)
            if one.fix:
                text_lines += _wrapped("    → ", one.fix, width, one.verdict, fix=True)
    return text_lines


def _wrapped(lead: str, text: str, width: int, verdict: Verdict, *, mark: int = 0, fix: bool = False) -> Iterator[Line]:
    """A command is never broken within a word: it is copied from the screen."""
    room = max(width - len(lead), 20)
    parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    if fix and _command(text):
        parts = [text]  # the terminal wraps it, and copies it whole
    for index, part in enumerate(parts):
        yield Line((lead if index == 0 else " " * len(lead)) + part, verdict, mark if index == 0 else 0, fix)


def _command(text: str) -> bool:
    return text.startswith(("kubectl ", "echo ", "export ", "pip ", "sudo ", "chmod "))


def summary(findings: Sequence[Finding]) -> str:
    problems = sum(not one.ok for one in findings)
    warnings = sum(one.verdict == "warning" for one in findings)
    unknown = sum(one.verdict == "unknown" for one in findings)
    parts = [f"{problems or 'no'} problem{'' if problems == 1 else 's'}"]
    if warnings:
        parts.append(f"{warnings} warning{'' if warnings == 1 else 's'}")
    if unknown:
        parts.append(f"{unknown} unknown")
    return ", ".join(parts)
