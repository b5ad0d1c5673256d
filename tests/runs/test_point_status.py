"""The status of a point whose tasks did not all run."""

from typing import Any

import pytest

from hera_utils.runs.point_status import point_statuses
from hera_utils.runs.record import PointRow

TASKS = (
    {"name": "prepare", "template": "t"},
    {"name": "work-1", "template": "t", "depends": "prepare"},
    {"name": "mend-1", "template": "t", "depends": "work-1.Failed"},
    {"name": "tell-1", "template": "t", "depends": "mend-1.Succeeded"},
    {"name": "work-2", "template": "t", "depends": "prepare"},
)
ROWS = (
    PointRow("1", 0, "one", {}, tasks=(("work-1", None), ("mend-1", None), ("tell-1", None))),
    PointRow("2", 1, "two", {}, tasks=(("work-2", None),)),
)


def workflow(phase: str, **phases: str) -> dict[str, Any]:
    nodes = {
        name: {"name": f"wf.{name.replace('_', '-')}", "boundaryID": "wf", "phase": one} for name, one in phases.items()
    }
    spec = {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": list(TASKS)}}]}
    return {"metadata": {"name": "wf"}, "spec": spec, "status": {"phase": phase, "nodes": nodes}}


def test_a_task_for_failures_that_was_not_needed_leaves_its_point_done() -> None:
    """The run was told to have failed, and a resumed one computed the point again, for ever."""
    document = workflow(
        "Succeeded", prepare="Succeeded", work_1="Succeeded", mend_1="Omitted", tell_1="Omitted", work_2="Succeeded"
    )
    assert point_statuses(document, ROWS) == {"1": "Succeeded", "2": "Succeeded"}


def test_also_where_another_point_failed() -> None:
    document = workflow(
        "Failed", prepare="Succeeded", work_1="Succeeded", mend_1="Omitted", tell_1="Omitted", work_2="Failed"
    )
    assert point_statuses(document, ROWS) == {"1": "Succeeded", "2": "Failed"}


@pytest.mark.parametrize("shared", ["Failed", "Error"])
def test_a_task_that_waited_in_vain_leaves_its_point_undone(shared: str) -> None:
    document = workflow(
        "Failed", prepare=shared, work_1="Omitted", mend_1="Omitted", tell_1="Omitted", work_2="Omitted"
    )
    assert point_statuses(document, ROWS) == {"1": "Omitted", "2": "Omitted"}


def test_what_a_stopped_workflow_never_began_is_undone() -> None:
    document = workflow("Failed", prepare="Succeeded", work_1="Succeeded", work_2="Failed")
    assert point_statuses(document, ROWS)["1"] == "Omitted"
