"""Plans and runs as HTML for a notebook, without scripts or styles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.runs.outcome import Outcome

_MOST_FAILURES = 5


def html_of_plan(lines: Sequence[str]) -> str:
    """The lines of a plan."""
    return "".join(f"<div>{escape(line)}</div>" for line in lines)


def html_of_run(name: str, outcome: Outcome, *, points: str, link: str, table: str) -> str:
    """The state of the run, its first failures, and its table of results. points: `3/5 points`, "" for a single one. link: of its page."""
    failed = outcome.failures or outcome.phase in UNSUCCESSFUL
    mark = "✔" if outcome.succeeded else "✘" if failed else "●"
    address = f'<a href="{escape(link)}">{escape(link)}</a>' if link.startswith(("http://", "https://")) else ""
    state = " · ".join(filter(None, (f"<b>{escape(name)}</b> {mark} {escape(outcome.phase)}", points, address)))
    parts = [f"<div>{state}</div>"]
    for failure in outcome.failures[:_MOST_FAILURES]:
        parts.append(f"<div>✘ {escape(failure.task)}: {escape(failure.why)}</div>")
    if len(outcome.failures) > _MOST_FAILURES:
        parts.append(f"<div>and {len(outcome.failures) - _MOST_FAILURES} more</div>")
    return "".join(parts) + table
