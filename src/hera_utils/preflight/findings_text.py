"""Findings as text: grouped, aligned, as wide as the terminal; in a pipe one line per finding. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hera_utils.preflight.finding import MARKS, Finding, Verdict
from hera_utils.wording import counted

# Groups of checks, in the order in which a run depends on them: machine, server, permissions, namespace, workflow.
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
    """One line of text. verdict: of its finding, None for a heading. mark: number of characters of the mark at its beginning.

    fix: whether the line says what to do.
    """

    text: str
    verdict: Verdict | None = None
    mark: int = 0
    fix: bool = False


def group_findings(findings: Iterable[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    left = list(findings)
    for heading, checks in GROUPS:
        these = [finding for finding in left if finding.check in checks]
        left = [finding for finding in left if finding.check not in checks]
        if these:
            yield heading, these
    if left:
        yield "more", left


def lines_of_findings(findings: Sequence[Finding], width: int, marks: dict[str, str] | None = None) -> list[Line]:
    """The lines for a terminal of `width` columns: a heading per group, each finding wrapped beside its mark, its fix below."""
    marks = marks or MARKS
    text_lines: list[Line] = []
    for heading, these in group_findings(findings):
        text_lines.append(Line(heading))
        for finding in these:
            lead = f"  {marks[finding.verdict]} "
            text_lines += _wrap_lines(lead, finding.message, width, finding.verdict, mark=len(lead) - 1)
            if finding.fix:
                text_lines += _wrap_lines("    → ", finding.fix, width, finding.verdict, fix=True)
    return text_lines


def _wrap_lines(
    lead: str, text: str, width: int, verdict: Verdict, *, mark: int = 0, fix: bool = False
) -> Iterator[Line]:
    """The lines of a wrapped text. Words are never broken: a reader copies commands from the screen."""
    room = max(width - len(lead), 20)
    parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    if fix and _command(text):
        parts = [text]  # the terminal wraps the command, and copies it whole
    for index, part in enumerate(parts):
        yield Line((lead if index == 0 else " " * len(lead)) + part, verdict, mark if index == 0 else 0, fix)


def _command(text: str) -> bool:
    return text.startswith(("kubectl ", "echo ", "export ", "pip ", "sudo ", "chmod "))


def summarize(findings: Sequence[Finding]) -> str:
    problems = sum(not finding.ok for finding in findings)
    warnings = sum(finding.verdict == "warning" for finding in findings)
    unknown = sum(finding.verdict == "unknown" for finding in findings)
    parts = [counted(problems, "problem") if problems else "no problems"]
    if warnings:
        parts.append(counted(warnings, "warning"))
    if unknown:
        parts.append(f"{unknown} unknown")
    return ", ".join(parts)
