"""Following one workflow to its end and updating a display with each state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from hera_utils.argo.phases import phase_of
from hera_utils.errors import RunFailed
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.watch.display import Display
from hera_utils.watch.progress import progress

Json = dict[str, Any]

UNCLAIMED_SECONDS = 30.0
"""A controller gives a new workflow a phase within a second or two; a new leader takes up to a quarter of a minute."""
_UNCLAIMED = "UNCLAIMED"
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 15.0  # seconds
_NODES_A_SECOND = 1500


class Watching(Protocol):
    """The part of platforms.argo_client.ArgoClient that this module uses."""

    def watch(
        self, name: str, *, timeout: float | None = None, rest: Callable[[Json], float] | None = None
    ) -> Iterator[tuple[str, Json]]: ...


def follow(
    client: Watching,
    name: str,
    display: Display | None = None,
    *,
    deadline: Deadline = NEVER,
    not_taken_up: Callable[[Json], str] | None = None,
) -> Json:
    """Wait for the workflow and return it. `display` is updated with each state and closed at the end, also after an exception.

    not_taken_up: what to show of a workflow that no controller gives a phase within UNCLAIMED_SECONDS; None where that cannot be.
    Raises RunFailed if the workflow is deleted meanwhile, WaitTimeout at the deadline. KeyboardInterrupt passes through; the run
    continues.
    """
    latest: Json | None = None
    unclaimed: dict[str, list[str]] = {}
    try:
        for kind, workflow in _states(client, name, deadline, brief=not_taken_up is not None):
            if kind == "DELETED":
                raise RunFailed(f"{name} was deleted before it finished", fix="run it again")
            latest = workflow
            state = progress(workflow)
            if kind == _UNCLAIMED and not_taken_up is not None:
                unclaimed = {not_taken_up(workflow): []}
            if unclaimed and not phase_of(workflow):
                state = replace(state, waiting=unclaimed)
            if display is not None:
                display.update(state)
            if state.is_over:
                return workflow
    finally:
        if display is not None:
            display.close()
    deadline.check(name)
    if latest is None:
        raise RunFailed(f"no status of {name} was received", fix=f"try again with: hera-utils watch {name}")
    return latest


def _states(client: Watching, name: str, deadline: Deadline, *, brief: bool) -> Iterator[tuple[str, Json]]:
    """As `Watching.watch`. brief: first for UNCLAIMED_SECONDS only, after which a workflow without a phase comes as _UNCLAIMED: a
    workflow to which nothing happens has no further states.
    """
    if brief and (deadline.seconds_left is None or deadline.seconds_left > UNCLAIMED_SECONDS):
        workflow: Json | None = None
        for kind, workflow in client.watch(name, timeout=UNCLAIMED_SECONDS, rest=pause):
            yield kind, workflow
        if workflow is not None and not phase_of(workflow):
            yield _UNCLAIMED, workflow
    yield from client.watch(name, timeout=deadline.seconds_left, rest=pause)


def pause(workflow: Json) -> float:
    """Seconds to wait before the next state of the workflow is read. Its end is read at once.

    Every state is the whole workflow, and decoding each state of a run of thousands of tasks would take the cores that its tasks
    need. States that arrive during the pause are skipped, so the newest is read and following takes some hundredths of a core.
    """
    nodes = len((workflow.get("status") or {}).get("nodes") or ())
    return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, nodes / _NODES_A_SECOND))
