"""What is seen of a run's points while its workflows run."""

from types import SimpleNamespace

from hera_utils.execution import dispatcher
from hera_utils.execution.dispatcher import Dispatcher, InFlight, SubmitOptions
from hera_utils.runs.record import PointRow, RunRecord, WorkflowRow

PHASES = ["Succeeded", "Failed", "Running", "Error"]


class Client:
    """Argo's answers about one workflow, which is over at its third poll."""

    namespace = "default"
    connection = SimpleNamespace(local=True)
    rejoin = None

    def __init__(self):
        self.polls, self.whole = 0, []

    def get(self, name, *, fields=None):
        if fields == "status.phase,status.progress":
            self.polls += 1
            return {"status": {"phase": "Failed" if self.polls > 3 else "Running", "progress": f"{self.polls}/4"}}
        self.whole.append(fields)
        over = fields is None
        phases = [phase if not over or phase != "Running" else "Succeeded" for phase in PHASES]
        nodes = {
            f"t{n}": {"id": f"t{n}", "name": f"{name}.t{n}", "type": "Pod", "boundaryID": name, "phase": phase}
            for n, phase in enumerate(phases)
        }
        return {"metadata": {"name": name}, "status": {"phase": "Failed" if over else "Running", "nodes": nodes}}


def test_a_point_that_failed_before_its_workflow_was_retried_is_counted_once(tmp_path):
    rows = [PointRow(f"p{number}", number, f"p{number}", {}) for number in range(4)]
    with RunRecord.create(tmp_path, "run", {}) as record:
        record.add_points(rows)
        row = WorkflowRow("run-1", "points", 4)
        record.assign(row, rows)
        record.settle("run-1", "Failed", {row.id: "Failed" for row in rows})
        again = Dispatcher(Client(), record, None, {})
        flight = again.in_flight["run-1"] = InFlight(row, "Running", 0.5, joined=True)
        assert again.progress(4).failed == 4
        flight.failed = 1
        assert again.progress(4).failed == 1


def test_points_that_have_failed_are_counted_while_their_workflow_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatcher, "_FIRST_COUNT", 0.0)
    monkeypatch.setattr(dispatcher, "_COUNT_PAUSE", 0.0)
    rows = [PointRow(f"p{number}", number, f"p{number}", {}, tasks=((f"t{number}", None),)) for number in range(4)]
    seen = []
    display = SimpleNamespace(update=lambda progress: seen.append((progress.phase, progress.failed)))
    with RunRecord.create(tmp_path, "run", {}) as record:
        record.add_points(rows)
        row = WorkflowRow("run-1", "points", 4)
        record.assign(row, rows)
        client = Client()
        options = SubmitOptions(stamp=dict, check=lambda document: None, in_flight=1)
        running = Dispatcher(client, record, options, {})
        running.pruned = {"p3"}
        running.in_flight["run-1"] = InFlight(row)
        running.carry_out([], display, total=4)
    assert seen[:3] == [("Running", 1)] * 3
    assert client.whole.count("metadata.name,status.nodes") == 3


def test_points_that_were_done_before_a_run_is_taken_up_are_not_counted_in_its_rate(tmp_path):
    rows = [PointRow(f"p{number}", number, f"p{number}", {}) for number in range(4)]
    with RunRecord.create(tmp_path, "run", {}) as record:
        record.add_points(rows)
        record.assign(WorkflowRow("run-1", "points", 4), rows)
        client = Client()
        client.polls = 1
        later = Dispatcher(client, record, None, {})
        later.join()
        state = later.progress(4)
    assert (state.done, state.done_before) == (2, 2)
