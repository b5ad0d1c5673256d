"""How a search stands, by its workflows alone: one of them that failed, or was stopped, says nothing of the whole."""

import pytest

from hera_utils.argo.annotations import POINTS, SEARCH
from hera_utils.runs.record import RunRecord
from hera_utils.runs.remaining import NOTHING, find_remaining
from hera_utils.watch.run_progress import progress_of_run


def workflow(phase, points="3", **annotations):
    said = {"hera-utils/run-points": "9", POINTS: points, SEARCH: "true"} | annotations
    return {"metadata": {"name": "w", "annotations": said}, "status": {"phase": phase, "finishedAt": None}}


@pytest.mark.parametrize(
    ("phases", "ended"),
    [
        (["Succeeded"], "Succeeded"),
        (["Failed", "Succeeded", "Failed"], "Succeeded"),
        (["Failed", "Error"], "Failed"),
    ],
)
def test_without_a_record(phases, ended):
    found = find_remaining([workflow(phase) for phase in phases], None, 0.0)
    assert (found.phase, found.what, found.search) == (ended, "", True)


def test_the_gather_decides():
    points = [workflow("Succeeded"), workflow("Failed")]
    assert find_remaining([*points, workflow("Failed", points="0")], None, 0.0).phase == "Failed"
    assert find_remaining([*points, workflow("Succeeded", points="0")], None, 0.0).phase == "Succeeded"


def test_while_one_runs_nothing_is_said():
    assert find_remaining([workflow("Failed"), workflow("Running")], None, 0.0) is NOTHING


def test_by_its_record(tmp_path):
    facts = {"inputs": {"search": {"points": 9}}}
    with RunRecord.create(tmp_path, "w", facts) as record:
        left = find_remaining([workflow("Failed")], record.folder, 0.0)
        assert (left.phase, left.what, left.awaited) == ("Pending", "the rest of the search", False)
        record.drive()
        assert find_remaining([workflow("Failed")], record.folder, 0.0).phase == "Running"
        record.update(ended=1.0, phase="Succeeded")
        assert find_remaining([workflow("Failed")], record.folder, 0.0).phase == "Succeeded"


def test_a_point_that_was_stopped_early_is_no_failure():
    stopped = workflow("Failed", points="1")
    stopped["status"]["message"] = "Stopped with strategy 'Stop'"
    state = progress_of_run("w", [workflow("Succeeded", points="1"), stopped], "Succeeded")
    assert (state.phase, state.failed, state.done) == ("Succeeded", 0, 2)
    stopped["metadata"]["annotations"].pop(SEARCH)
    assert progress_of_run("w", [stopped]).failed == 1
