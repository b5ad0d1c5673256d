"""The result of a check. It is a value, not an exception, so that all findings can be reported together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hera_utils.errors import HeraUtilsError
from hera_utils.experiment.environment import Environment
from hera_utils.settings.resolve import CLIContext

Verdict = Literal["good", "unknown", "warning", "problem"]
MARKS = {"good": "✔", "unknown": "?", "warning": "!", "problem": "✘"}


@dataclass(frozen=True)
class Finding:
    """One result. check: its subject (`argo server`, `claim`…). message: the result in one sentence. fix: what to do, or None."""

    check: str
    verdict: Verdict
    message: str
    fix: str | None = None

    @property
    def ok(self) -> bool:
        return self.verdict != "problem"

    def line(self, marks: dict[str, str] | None = None) -> str:
        """The finding as text: mark, message, fix."""
        text = f"{(marks or MARKS)[self.verdict]} {self.message}"
        return f"{text}   → {self.fix}" if self.fix else text


@dataclass(frozen=True)
class Subject:
    """The subject of checks: the settings, and the environment of an experiment if there is one."""

    context: CLIContext
    environment: Environment | None = None


Check = Callable[[Subject], Iterable[Finding]]


def good(check: str, message: str) -> Finding:
    return Finding(check, "good", message)


def warning(check: str, message: str, fix: str | None = None) -> Finding:
    return Finding(check, "warning", message, fix)


def problem(check: str, message: str, fix: str | None = None) -> Finding:
    return Finding(check, "problem", message, fix)


def unknown(check: str, message: str, fix: str | None = None) -> Finding:
    """The finding of a check that could not be done."""
    return Finding(check, "unknown", message, fix)


def from_error(check: str, error: HeraUtilsError) -> Finding:
    """An error as a problem."""
    return problem(check, error.message, error.fix)


def findings_or_error(name: str, check: Check, subject: Subject) -> Iterator[Finding]:
    """The findings of a check. If it raises an error, that is its last finding."""
    try:
        yield from check(subject)
    except HeraUtilsError as error:
        yield from_error(name, error)


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """`{"ok": …, "problems": N, "findings": [{"check", "verdict", "message", "fix"}, …]}`."""
    found = list(findings)
    problems = sum(not finding.ok for finding in found)
    return {"ok": not problems, "problems": problems, "findings": [asdict(finding) for finding in found]}
