"""What the phases say: the two meanings of "over", and which belongs to what."""

from __future__ import annotations

import pytest

from hera_utils.argo import phases
from hera_utils.interpreter.state import Run


@pytest.mark.parametrize(
    ("phase", "ended", "completed", "unsuccessful"),
    [
        ("", False, False, False),
        ("Pending", False, False, False),
        ("Running", False, False, False),
        ("Succeeded", True, True, False),
        ("Failed", True, True, True),
        ("Error", True, True, True),
        ("Skipped", True, False, False),
        ("Omitted", True, False, False),
    ],
)
def test_a_node_may_end_without_having_run(phase: str, ended: bool, completed: bool, unsuccessful: bool) -> None:
    node = {"phase": phase}
    assert phases.has_ended(node) is phases.is_fulfilled(node) is (phase in phases.ENDED) is ended
    assert phases.has_completed(node) is (phase in phases.COMPLETED) is completed
    assert phases.is_unsuccessful(node) is (phase in phases.UNSUCCESSFUL) is unsuccessful
    assert (phase in phases.NEVER_RAN) is (ended and not completed)


def test_a_daemon_that_is_ready_is_waited_for_no_more() -> None:
    assert phases.is_fulfilled({"phase": "Running", "daemoned": True})
    assert not phases.is_fulfilled({"phase": "Pending", "daemoned": True})
    assert not phases.has_ended({"phase": "Running", "daemoned": True})


@pytest.mark.parametrize("phase", ["", "Pending", "Running", "Succeeded", "Failed", "Error"])
def test_a_workflow_is_over_in_three_phases(phase: str) -> None:
    run = Run({"metadata": {"name": "w"}, "status": {"phase": phase}})
    assert run.finished is (phase in phases.COMPLETED)


def test_the_phase_of_an_entry_node_is_one_that_a_workflow_knows() -> None:
    assert set(phases.WORKFLOW_PHASES.values()) == {"Pending", "Running", *phases.COMPLETED}
    assert {phase for phase, whole in phases.WORKFLOW_PHASES.items() if whole in phases.COMPLETED} == phases.ENDED
