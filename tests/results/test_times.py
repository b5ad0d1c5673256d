"""How long a task took: without the time for which it waited, where that is known."""

import pytest
from hera.workflows import DAG, Parameter, Workflow, script
from hera.workflows.models import ValueFrom

from hera_utils.argo.annotations import RAN
from hera_utils.interpreter.events import ContainerState, PodFinished
from hera_utils.interpreter.outcomes import ran
from hera_utils.results.results import Results

WAITED = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:10Z"}
TIMES = {"startedAt": "2026-01-01T00:00:08.250000Z", "finishedAt": "2026-01-01T00:00:09.500000Z"}


def document(**nodes):
    found = {
        name: {
            "id": name,
            "name": f"w.{name}",
            "type": "Pod",
            "phase": "Succeeded",
            "boundaryID": "w",
            "templateName": "t",
            **fields,
        }
        for name, fields in nodes.items()
    }
    root = {"id": "w", "name": "w", "type": "DAG", "phase": "Running", "templateName": "main"}
    return {"metadata": {"name": "w"}, "spec": {}, "status": {"phase": "Running", "nodes": {"w": root, **found}}}


def test_the_queue_does_not_count():
    waiting = {"phase": "Pending", "startedAt": WAITED["startedAt"], "finishedAt": None}
    rows = {row.task: row for row in Results.of([document(a={**WAITED, RAN: TIMES}, b=WAITED, c=waiting)])}
    assert (rows["a"].seconds, rows["a"].started, rows["a"].finished) == (
        1.25,
        "2026-01-01T00:00:08.250Z",
        "2026-01-01T00:00:09.500Z",
    )
    assert (rows["b"].seconds, rows["b"].started) == (10, WAITED["startedAt"])
    assert (rows["c"].seconds, rows["c"].started, rows["c"].finished) == (None, "", "")


def test_the_containers_that_do_the_work_count():
    states = [
        ContainerState("wait", exit_code=0, started_at=1.0, finished_at=9.0),
        ContainerState("main", exit_code=0, started_at=2.5, finished_at=4.0),
    ]
    assert ran(PodFinished(9.0, containers=tuple(states)), {"script": {}}) == {
        "startedAt": "1970-01-01T00:00:02.500000Z",
        "finishedAt": "1970-01-01T00:00:04.000000Z",
    }
    assert ran(PodFinished(9.0, containers=tuple(states[:1])), {"script": {}}) is None


def test_how_a_python_started():
    state = ContainerState("main", exit_code=0, started_at=2.5, finished_at=4.0, python="new: it has a terminal")
    times = ran(PodFinished(4.0, containers=(state,)), {"script": {}})
    assert times["python"] == "new: it has a terminal"
    results = Results.of([document(a={**WAITED, RAN: times}, b={**WAITED, RAN: TIMES})])
    assert [row.python for row in results] == ["new: it has a terminal", ""]
    assert "python" in results.to_csv(by="tasks").splitlines()[0].split(",")
    assert "python" not in Results.of([document(b={**WAITED, RAN: TIMES})]).to_csv(by="tasks").splitlines()[0]


@script(image="python:3.11")
def work():
    print("done")


def test_the_local_platform_knows_them(local_platform):
    with Workflow(generate_name="times-", entrypoint="main") as w, DAG(name="main"):
        work(name="work")
    run = local_platform.run(w)
    (node,) = [node for node in run.workflow["status"]["nodes"].values() if node["type"] == "Pod"]
    assert node[RAN].keys() >= {"finishedAt", "python", "startedAt", "cpuSeconds", "peakMemory"}
    assert run["work"].python == node[RAN]["python"] == "warm"
    assert "." in run["work"].started
    assert len(node["startedAt"]) == len("2026-01-01T00:00:00Z")


@script(image="python:3.11", outputs=Parameter(name="begun", value_from=ValueFrom(path="/root/begun")))
def use():
    import resource
    import time

    with open("/root/begun", "w") as file:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10, file=file)
    held = bytearray(150 << 20)
    with open("/root/file", "wb") as file:
        file.write(held[: 20 << 20])
    while time.process_time() < 0.3:
        pass


def test_what_a_fork_used_is_counted_from_its_beginning(local_platform):
    with Workflow(generate_name="used-", entrypoint="main") as w, DAG(name="main"):
        use(name="use-1") >> use(name="use-2")
    for row in local_platform.run(w).results:
        assert row.python == "warm"
        assert 0.3 <= row.used["cpu_seconds"] < 1  # the task ends shortly after its last reading of the clock
        begun_with = int(row.outputs["begun"])  # memory of the interpreter with the imports of earlier tests
        assert row.used["peak_memory"] == pytest.approx(begun_with + (170 << 20), rel=0.1)  # with a copy of 20 MB
        assert row.used["written_bytes"] == pytest.approx(20 << 20, rel=0.1)
        assert 0 <= row.used["start_delay"] <= row.seconds + 5
