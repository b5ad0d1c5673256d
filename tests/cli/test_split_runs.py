"""A run of several workflows is one thing for the commands: its name means all of them."""

import json

from hera_utils.argo.annotations import POINTS
from hera_utils.cli.ls import join_workflows_of_runs
from hera_utils.runs.record import RUN_LABEL
from hera_utils.watch.progress_text import UNICODE, headline
from hera_utils.watch.run_progress import follow_workflows, progress_of_run


def part(run, name, *, seconds=0, code=0, points=2):
    return {
        "metadata": {"name": name, "labels": {RUN_LABEL: run}, "annotations": {POINTS: str(points)}},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {
                    "name": "main",
                    "container": {
                        "image": "alpine:3",
                        "command": ["sh", "-c"],
                        "args": [f"echo said by {name}; sleep {seconds}; exit {code}"],
                    },
                }
            ],
        },
    }


def started(platform, *documents):
    for document in documents:
        platform.client.create(document)
    return [document["metadata"]["name"] for document in documents]


def test_its_tasks_are_shown_where_they_are_few(local_platform, typed):
    for name in started(local_platform, part("loop", "loop"), part("loop", "loop-gather")):
        local_platform.client.wait(name)
    shown = typed("get", "loop")
    assert "    ✔ loop-gather" in shown
    assert shown.count("/workflows/") == 2
    for name in started(local_platform, *(part("loop", f"loop-{number}") for number in range(3))):
        local_platform.client.wait(name)
    assert "its tasks: hera-utils results loop --tasks;" in typed("get", "loop")
    assert typed("results", "loop", "--tasks").count("Succeeded") == 5


def test_looking_at_it(local_platform, typed):
    names = started(
        local_platform, part("sweep", "sweep-1"), part("sweep", "sweep-2", points=3), part("alone", "alone")
    )
    for name in names:
        local_platform.client.wait(name)
    assert "sweep  ✔ Succeeded  5/5 points" in typed("watch", "sweep")
    shown = typed("get", "sweep")
    assert "sweep  ✔ Succeeded  5/5 points" in shown
    assert "✔ sweep-2 3/3" in shown
    assert [one["metadata"]["name"] for one in json.loads(typed("get", "sweep", "-o", "json"))] == [
        "sweep-1",
        "sweep-2",
    ]
    assert "sweep-2" in typed("get", "sweep-2")
    assert "sweep-1" not in typed("get", "sweep-2")
    logs = typed("logs", "sweep")
    assert "said by sweep-1" in logs
    assert "said by sweep-2" in logs
    assert typed("logs", "sweep", "sweep-2") == "said by sweep-2\n"
    assert "has no task `nobody`" in typed("logs", "sweep", "nobody", status=2)
    listed = [line.split() for line in typed("ls").splitlines()[1:]]
    assert {line[0] for line in listed} == {"sweep", "alone"}
    assert "2 workflows" in typed("ls")
    assert typed("ls", "-o", "name").split() == [line[0] for line in listed]
    assert typed("ls", "--limit", "1", "-o", "name").split() == [listed[0][0]]


def test_steering_it(local_platform, typed):
    started(
        local_platform,
        part("sweep", "sweep-1"),
        part("sweep", "sweep-2", seconds=60),
        part("sweep", "sweep-3", seconds=60),
    )
    local_platform.client.wait("sweep-1")
    assert typed("stop", "sweep").splitlines() == ["sweep-2 is being stopped", "sweep-3 is being stopped"]
    shown = typed("watch", "sweep", status=1)
    assert "2 failed" in shown
    # a run that is being stopped may still be told as Running, in a line that names no workflow
    named = [line.split()[2] for line in shown.splitlines() if line.split()[1:] != ["Running"]]
    assert named[:3] == ["sweep-1", "sweep-2", "sweep-3"]
    assert "none of the run's 3 workflows can be changed (stop)" in typed("stop", "sweep", status=1)
    assert typed("delete", "sweep").count("deleted") == 3
    assert local_platform.client.list() == []


def test_failures_are_told_of_each(local_platform, typed):
    started(local_platform, part("sweep", "sweep-1", code=3), part("sweep", "sweep-2"))
    said = typed("watch", "sweep", status=1)
    assert "said by sweep-1" in said
    assert "hera-utils: sweep-1 failed" in said


def document(name, phase, progress="", points=""):
    annotations = {POINTS: points} if points else {}
    status = {"phase": phase, "progress": progress, "startedAt": "2026-01-01T00:00:00Z"}
    return {"metadata": {"name": name, "namespace": "default", "annotations": annotations}, "status": status}


def test_workflows_put_together():
    found = [
        document("a", "Succeeded", "10/10", "10"),
        document("b", "Running", "4/8", "4"),
        document("c", "", points="6"),
    ]
    state = progress_of_run("run", found)
    assert (state.phase, state.done, state.total, state.unit) == ("Running", 12, 20, "points")
    assert [row.phase for row in state.rows] == ["Succeeded", "Running", "Pending"]
    turns = iter([found, [document("a", "Succeeded", "10/10", "10"), document("b", "Failed", "8/8", "4")]])
    ended = follow_workflows("run", lambda: next(turns))
    assert (ended.phase, ended.failed, ended.done) == ("Failed", 1, 14)
    assert headline(ended, 3.0, UNICODE) == "run  ✘ Failed  14/14 points  ✘ 1 workflow failed  3 s"


def test_it_is_as_old_as_its_first_workflow():
    days = {"loop-2": "2026-03-02", "loop-1": "2026-03-01", "loop-3": "2026-03-03"}
    parts = [part("loop", name) for name in days]
    for one in parts:
        one["metadata"]["creationTimestamp"] = f"{days[one['metadata']['name']]}T00:00:00Z"
    (run,) = join_workflows_of_runs(parts)
    assert run.document["metadata"]["creationTimestamp"] == "2026-03-01T00:00:00Z"
