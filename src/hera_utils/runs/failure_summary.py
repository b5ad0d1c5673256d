"""What to tell of a run that ended: which tasks failed, why, the last lines they wrote, what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hera_utils.argo.names import pod_name
from hera_utils.errors import HeraUtilsError
from hera_utils.runs.outcome import Failure, Outcome

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

MOST_FAILURES = 5
LAST_LINES = 10
_MOST_NAMES = 5
_INLINE = '"/argo/staging/script"'
_no_module = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'")
_RETURN = "SyntaxError: 'return' outside function"  # Hera sends the body of a function without its head


def first_failures(outcome: Outcome) -> tuple[Failure, ...]:
    """The failures worth telling in full: the first ones, as the later ones often follow from them."""
    return outcome.failures[:MOST_FAILURES]


def last_lines(client: ArgoClient, workflow: str, pod: str) -> list[str] | None:
    """The last lines that a pod wrote; None when they cannot be had: no log is no reason to hide a failure."""
    try:
        lines = [line for _, line in client.logs(workflow, pod=pod, tail=LAST_LINES)]
    except HeraUtilsError:
        return None
    return [line for line in lines if "argo=true" not in line]


def last_lines_of_failures(client: ArgoClient, outcome: Outcome) -> dict[str, list[str]]:
    """Node id → the last lines that the task wrote, of the first failed tasks."""
    by_node: dict[str, list[str]] = {}
    for failure in first_failures(outcome):
        workflow = failure.workflow or outcome.name
        written = last_lines(client, workflow, pod_name(workflow, failure.node_name, failure.template, failure.node_id))
        if written is not None:
            by_node[failure.node_id] = written
    return by_node


def lines(outcome: Outcome, logs: Mapping[str, Sequence[str]], *, mark: str = "✘") -> list[str]:
    """The text for a run that did not succeed; empty for one that did.

    logs: node id → the last lines that the task wrote, for as many failures as there are.
    """
    if outcome.succeeded:
        return []
    text: list[str] = []
    # a run of one task says what the task says
    if outcome.message and outcome.message not in {failure.message for failure in first_failures(outcome)}:
        text.append(f"{outcome.name}: {outcome.message}")
    alike: dict[tuple[str, ...], list[Failure]] = {}
    for failure in first_failures(outcome):
        written = tuple(logs.get(failure.node_id, ()))  # without it, nobody knows whether the cause was the same
        alike.setdefault((failure.message, *(written or (failure.node_id, failure.task))), []).append(failure)
    for failure, *others in alike.values():
        written = tuple(logs.get(failure.node_id, ()))
        text.append(
            f"{mark} {failure.task}{_inputs_of(failure)}: {failure.message or failure.phase}{_attempts(failure)}"
        )
        text += [f"    {line}" for line in written]
        text += _hints(written)
        text += [f"  and {same_way([one.task for one in others])}"] if others else []
    left_out = len(outcome.failures) - MOST_FAILURES
    if left_out > 0:
        text.append(f"  and {left_out} more: hera-utils results {outcome.name}")
    return text


def _hints(written: Sequence[str]) -> list[str]:
    """What helps with the two surprises of Hera's inline scripts, of which only the function's body runs, away from its file."""
    if any(line.endswith(_RETURN) for line in written):
        return ['  only the body of an inline @script() runs: print the value, or write constructor="runner"']
    missing = next((found[1] for line in written if (found := _no_module.search(line))), "")
    if missing and any(_INLINE in line for line in written):
        return [
            f"  an inline @script() runs without the modules beside its file: for {missing} of your own write "
            f'constructor="runner"; a package must be in the image, or in the Python that runs the task'
        ]
    return []


def same_way(tasks: Sequence[str]) -> str:
    """`3 more in the same way: a, b, c`; the first few of many."""
    first = ", ".join(tasks[:_MOST_NAMES])
    return f"{len(tasks)} more in the same way: {first}{', …' if len(tasks) > _MOST_NAMES else ''}"


def _inputs_of(failure: Failure) -> str:
    """The inputs that tell a task of a fan-out from its brothers; an item says it already in the task's name."""
    if not failure.inputs or "(" in failure.task:
        return ""
    inputs = ", ".join(
        f"{name}={value if len(value) <= 30 else value[:29] + '…'}" for name, value in failure.inputs.items()
    )
    return f" ({inputs})"


def _attempts(failure: Failure) -> str:
    return f" ({failure.attempts} attempts)" if failure.attempts > 1 else ""
