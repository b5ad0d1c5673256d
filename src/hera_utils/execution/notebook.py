"""Plans and runs as HTML for a notebook, without scripts or styles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hera_utils.execution.run import Run

_MOST_FAILURES = 5


def html_of_plan(lines: Sequence[str]) -> str:
    """The lines of a plan."""
    return "".join(f"<div>{escape(line)}</div>" for line in lines)


def html_of_run(run: Run) -> str:
    """The state of the run, its first failures, and its table of results."""
    outcome = run.outcome
    mark = "✔" if run.succeeded else "✘" if outcome.failures or run.phase in ("Failed", "Error") else "●"
    points = f" · {run.points - run.undone}/{run.points} points" if run.points > 1 else ""
    link = (
        f' · <a href="{escape(run.link)}">{escape(run.link)}</a>'
        if run.link.startswith(("http://", "https://"))
        else ""
    )
    parts = [f"<div><b>{escape(run.name)}</b> {mark} {escape(run.phase)}{points}{link}</div>"]
    for failure in outcome.failures[:_MOST_FAILURES]:
        parts.append(f"<div>✘ {escape(failure.task)}: {escape(failure.why)}</div>")
    if len(outcome.failures) > _MOST_FAILURES:
        parts.append(f"<div>and {len(outcome.failures) - _MOST_FAILURES} more</div>")
    return "".join(parts) + run.results._repr_html_()
