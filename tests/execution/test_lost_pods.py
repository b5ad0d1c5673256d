"""Points that are computed again: which, because pods of theirs were lost while they ran; and how they are counted."""

from types import SimpleNamespace

import pytest

from hera_utils.execution.dispatcher import Dispatcher
from hera_utils.execution.lost_pods import LOST, find_lost_points
from hera_utils.runs.point_status import point_statuses
from hera_utils.runs.record import DONE, PointRow, RunRecord, WorkflowRow


def node(name, kind="Pod", phase="Succeeded", boundary="wf", **more):
    return {
        "id": name,
        "name": name if name == "wf" else f"wf.{name}",
        "displayName": name,
        "type": kind,
        "phase": phase,
        "boundaryID": boundary,
        **more,
    }


def asked(*nodes):
    document = {"metadata": {"name": "wf"}, "status": {"phase": "Failed", "nodes": {one["id"]: one for one in nodes}}}
    rows = [PointRow(name, n, name, {}, tasks=((name, None),)) for n, name in enumerate("abc")]
    return find_lost_points(document, rows, point_statuses(document, rows))


LOST_POD = {"phase": "Error", "message": LOST}


@pytest.mark.parametrize(
    ("nodes", "points"),
    [
        ([node("a"), node("b"), node("c")], None),
        ([node("a"), node("b", phase="Failed", message="main: Error (exit code 1)"), node("c")], None),
        ([node("a"), node("b", **LOST_POD), node("c")], {"b"}),
        ([node("a"), node("b", phase="Failed", message="main: Error (exit code 137)"), node("c")], {"b"}),
        ([node("a"), node("b", phase="Failed", message="OOMKilled (exit code 137)"), node("c")], None),
        ([node("a"), node("b", **LOST_POD)], {"b", "c"}),  # c never began because b failed
        ([node("a", phase="Failed", message="main: Error (exit code 1)"), node("b", **LOST_POD)], {"b"}),
        # Only the task after all points was lost.
        (
            [node("a"), node("b"), node("c"), node("total", **LOST_POD)],
            set(),
        ),
    ],
)
def test_points_with_lost_pods_and_their_dependents(nodes, points):
    assert asked(*nodes) == points


def test_a_pod_deep_within_a_point():
    failed = node("a", phase="Failed", message="main: Error (exit code 1)")
    outer = node("b", "DAG", "Failed", children=["r"])
    retry = {**node("r", "Retry", "Failed", "b", children=["r0"]), "name": "wf.b.r"}
    attempt = {**node("r0", **LOST_POD, boundary="b", nodeFlag={"retried": True}), "name": "wf.b.r(0)"}
    assert asked(failed, outer, retry, attempt, node("c")) == {"b"}


def test_a_retry_that_is_a_point():
    failed = node("a", phase="Failed", message="main: Error (exit code 1)")
    retry = node("b", "Retry", "Failed", children=["b0"])
    attempt = {**node("b0", **LOST_POD, nodeFlag={"retried": True}), "name": "wf.b(0)"}
    assert asked(failed, retry, attempt, node("c")) == {"b"}


def test_a_point_that_a_run_computes_again_is_counted_once(tmp_path):
    """A run of 20,000 points of which 195 ran again showed 20195/20195 points."""
    rows = [PointRow(f"p{number}", number, f"p{number}", {"n": number}) for number in range(4)]
    with RunRecord.create(tmp_path, "run", {}) as record:
        record.add_points(rows)
        record.assign(WorkflowRow("run-1", "points", 4), rows)
        record.settle("run-1", "Failed", {row.id: "Failed" if row.number == 3 else DONE for row in rows})
        record.assign(WorkflowRow("run-2", "points", 1), rows[3:])
        client = SimpleNamespace(namespace="default", connection=SimpleNamespace(local=True), get=None)
        state = Dispatcher(client, record, None, {}).progress(4)
    assert (state.total, [(row.label, row.tasks) for row in state.rows]) == (4, [("run-1", 3), ("run-2", 1)])
