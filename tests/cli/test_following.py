"""A run ends with its last workflow: with one that its script has not submitted yet, and gather is one."""

import threading
import time

import pytest

from hera_utils.argo.annotations import GATHER, POINTS, RUN_POINTS
from hera_utils.argo.faults import NOT_FOUND
from hera_utils.cli.following import follow_to_end
from hera_utils.errors import AccessError, Refused
from hera_utils.platforms.connection import Connection
from hera_utils.runs.record import RUN_LABEL, PointRow, RunRecord, WorkflowRow, is_driven
from hera_utils.runs.remaining import NEXT_WORKFLOW_SECONDS, NOTHING, Remaining, find_remaining


def workflow(name, *, run="sweep", points=2, seconds=0, code=0, total=2, gather=True, task="main"):
    notes = {POINTS: str(points), RUN_POINTS: str(total)} | ({GATHER: "follows"} if gather else {})
    command = ["sh", "-c", f"echo said by {name}; sleep {seconds}; exit {code}"]
    inner = {"name": "work", "container": {"image": "alpine:3", "command": command}}
    outer = {"name": "main", "dag": {"tasks": [{"name": task, "template": "work"}]}}
    return {
        "metadata": {"name": name, "labels": {RUN_LABEL: run}, "annotations": notes},
        "spec": {"entrypoint": "main", "templates": [outer, inner]},
    }


FACTS = {"gather": True, "script": "study/sweep.py", "arguments": ["--set", "a=0,1", "--detach"]}


@pytest.fixture
def record(tmp_path):
    rows = [PointRow(str(number), number, f"p{number}", {"a": number}) for number in range(2)]
    with RunRecord.create(tmp_path / "runs", "sweep", FACTS) as made:
        made.add_points(rows)
        made.assign(WorkflowRow("sweep-1", "points", 2), rows)
        yield made


def test_watch_ends_with_the_gather_that_the_script_submits_later(local_platform, typed, record):
    record.drive()
    local_platform.client.create(workflow("sweep-1"))
    local_platform.client.wait("sweep-1")

    def submit():
        time.sleep(2)
        client.create(workflow("sweep-gather", points=0, seconds=1, task="plot"))

    client = local_platform.client
    script = threading.Thread(target=submit)
    assert "Running" in typed("ls")
    script.start()
    said = typed("watch", "sweep")
    script.join()
    assert "sweep-gather" in said
    assert "sweep  ✔ Succeeded" in said
    assert "said by sweep-gather" in typed("logs", "--follow", "sweep", "plot")
    shown = typed("get", "sweep")
    assert "✔ plot" in shown
    assert "workflows/" in shown
    assert "Succeeded" in typed("ls")


def test_logs_are_followed_into_the_gather(local_platform, typed, record):
    record.drive()
    local_platform.client.create(workflow("sweep-1"))
    later = threading.Timer(2, local_platform.client.create, [workflow("sweep-gather", points=0, task="plot")])
    later.start()
    said = typed("logs", "--follow", "sweep")
    later.join()
    assert "said by sweep-gather" in said


def test_what_nobody_submits_is_said_and_not_awaited(local_platform, typed, record):
    record.close()
    local_platform.client.create(workflow("sweep-1"))
    said = typed("watch", "sweep", status=1)
    assert "sweep: gather is not submitted (no process is running the script)" in said
    assert "fix: continue with: python study/sweep.py --resume --set a=0,1" in said
    assert "gather not submitted" in typed("ls")
    assert "gather not submitted" in typed("get", "sweep")
    assert typed("ls", "--completed", "-o", "name").split() == []
    assert typed("ls", "--running", "-o", "name").split() == ["sweep"]


def test_after_a_failure_nothing_is_awaited(local_platform, typed, record):
    record.drive()
    local_platform.client.create(workflow("sweep-1", code=3))
    with record._transaction() as base:
        base.execute("update points set status = 'Failed'")
    assert "sweep-1 failed" in typed("watch", "sweep", status=1)


def test_a_run_of_which_one_part_runs_is_not_completed(local_platform, typed):
    local_platform.client.create(workflow("sweep-1", total=4, gather=False))
    local_platform.client.wait("sweep-1")
    local_platform.client.create(workflow("sweep-2", total=4, gather=False, seconds=60))
    assert typed("ls", "--completed", "-o", "name").split() == []
    assert typed("ls", "--running", "-o", "name").split() == ["sweep"]


def ended(name, *, phase="Succeeded", **options):
    document = workflow(name, **options)
    document["status"] = {"phase": phase, "finishedAt": "1970-01-01T00:16:40Z"}
    return document


def test_without_a_record_what_follows_is_awaited_for_a_minute():
    points, gather = ended("sweep-1"), ended("sweep-gather", points=0)
    assert find_remaining([points], None, 1001) == Remaining("gather", awaited=True)
    assert find_remaining([points], None, 1001 + NEXT_WORKFLOW_SECONDS) == Remaining("gather", awaited=False)
    assert find_remaining([points, gather], None, 1001) == NOTHING
    assert find_remaining([ended("sweep-1", phase="Failed")], None, 1001) == NOTHING
    assert find_remaining([ended("sweep-1", total=5)], None, 1001).what == "3 points and gather"
    assert find_remaining([ended("sweep-1", gather=False)], None, 1001) == NOTHING


def test_the_record_knows_more_than_the_workflows(record):
    points, bare = ended("sweep-1"), ended("sweep-1", gather=False)
    record.drive()
    assert is_driven(record.folder)
    assert find_remaining([bare], record.folder, 9e9) == Remaining("gather", awaited=True)
    record.close()
    assert not is_driven(record.folder)
    assert find_remaining([points], record.folder, 1001) == Remaining("gather", awaited=False)
    with RunRecord.open(record.folder) as again:
        again.update(ended=1.0, phase="Succeeded")
    assert find_remaining([points], record.folder, 1001) == NOTHING


def test_is_driven_does_not_block_the_driver(record):
    stop = threading.Event()

    def look():
        while not stop.is_set():
            is_driven(record.folder)

    record.drive()
    record.close()
    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(20):
            with RunRecord.open(record.folder) as again:
                again.drive()
    finally:
        stop.set()
        looking.join()


class Lost:
    """A client whose server ends in the midst of a run. error: what it raises then."""

    def __init__(self, error, **more):
        self.connection, self.error = Connection("https://argo.example", namespace="lyon", **more), error

    def watch(self, name, **_):
        yield "ADDED", {"metadata": {"name": name, "resourceVersion": "1"}, "status": {"phase": "Running"}}
        raise self.error


def test_a_lost_server_leaves_a_run_that_goes_on():
    with pytest.raises(AccessError) as lost:
        follow_to_end(Lost(AccessError("the token is refused", fix="put a new one into ARGO_TOKEN")), "w-1")
    again = "come back with: hera-utils watch w-1   (end it with: hera-utils stop w-1)"
    assert lost.value.fix == f"put a new one into ARGO_TOKEN; the run continues; {again}"
    with pytest.raises(Refused) as gone:
        follow_to_end(Lost(Refused(NOT_FOUND, "w-1 not found", fix="list the runs")), "w-1")
    assert gone.value.fix == "list the runs"
    with pytest.raises(AccessError) as here:
        follow_to_end(Lost(AccessError("it is stopped", fix="any command starts it"), local=True), "w-1")
    assert here.value.fix == "any command starts it"
