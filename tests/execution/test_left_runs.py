"""What a run leaves: of one whose process was killed the files that it had no time for, of one that never began nothing."""

import os
import signal
import subprocess
import sys

import pytest

from hera_utils.runs.catalogue import read_catalogue
from hera_utils.runs.record import RUN_LABEL, RunRecord, WorkflowRow, records
from waiting import until

SCRIPT = """
from hera.workflows import DAG, Container, Parameter, Task, Workflow
from hera_utils import Experiment, Inputs, grid, main


def define(environment, inputs, layout):
    with Workflow(generate_name="left-", entrypoint="dag") as w:
        nap = Container(name="nap", image="alpine:3", command=["sh", "-c"], args=["sleep 1; echo {{inputs.parameters.n}}"],
                        inputs=[Parameter(name="n")])
        with DAG(name="dag"):
            Task(name="nap", template=nap, arguments={"n": "{{item}}"}, with_items=inputs.parameters.n)
    w.entrypoint = ENTRYPOINT
    return w


ENTRYPOINT = "dag"
if __name__ == "__main__":
    main(Experiment(workflow=define, inputs=Inputs(parameters=grid(n=[1, 2]))))
"""


@pytest.fixture
def user(local_platform, tmp_path):
    (tmp_path / "naps.py").write_text(SCRIPT)
    context = local_platform.context
    environ = {**os.environ, "HOME": str(tmp_path), "HERA_UTILS_STATE": str(context.state)}
    environ["ARGO_NAMESPACE"] = str(context.argo_namespace)

    class User:
        folder, runs, client = tmp_path, tmp_path / "runs", local_platform.client

        def start(self, *words):
            return subprocess.Popen(
                [sys.executable, "naps.py", *words],
                cwd=tmp_path,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        def type(self, *words):
            script = self.start(*words)
            return script.communicate(timeout=120)[0], script.returncode

    return User()


def test_what_a_killed_process_had_no_time_to_write_is_written_when_resumed(user):
    script = user.start()
    until(user.client.list)
    script.send_signal(signal.SIGKILL)
    script.communicate(timeout=60)
    until(lambda: (user.client.list()[0].get("status") or {}).get("phase") == "Succeeded")
    (folder,) = records(user.runs)
    assert not (folder / "report.html").exists()
    said, status = user.type("--resume")
    assert (status, "nothing to run" in said) == (0, True), said
    assert f"report: runs/{folder.name}/report.html" in said
    there = {file.name for file in folder.iterdir()}
    assert {"report.html", "methods.md", "results.csv", "ro-crate-metadata.json"} <= there
    again, _ = user.type("--resume")
    assert "report:" not in again


def test_a_plan_says_that_a_run_goes_on(user):
    (user.folder / "naps.py").write_text(SCRIPT.replace("sleep 1;", "sleep 600;"))
    said, status = user.type("--detach")
    assert status == 0, said
    said, status = user.type("--plan", "--resume")
    assert (status, "\n2 are in a run that goes on\n" in said) == (0, True), said
    (workflow,) = user.client.list()
    user.client.act(workflow["metadata"]["name"], "terminate")
    until(lambda: (user.client.list()[0].get("status") or {}).get("phase") == "Failed")
    said, status = user.type("--plan", "--resume")
    assert "goes on" not in said


def test_main_in_a_script_that_a_task_imports_is_told(user):
    (user.folder / "naps.py").write_text("""
from hera.workflows import DAG, Workflow, script
from hera_utils import Experiment, grid, main

@script(image="python:3.11", constructor="runner")
def half(n: int) -> float:
    return n / 2

def define(environment, inputs, layout):
    with Workflow(generate_name="left-", entrypoint="dag") as w, DAG(name="dag"):
        half(name="half", arguments={"n": 1})
    return w

main(Experiment(workflow=define, inputs=grid(n=[1])))
""")
    said, status = user.type()
    assert status == 1
    assert "half: main: Error (exit code 2): hera-utils: a task imports this script for Hera's runner" in said
    assert 'fix: write the call below: if __name__ == "__main__":' in said


def test_a_tag_that_is_none_leaves_no_record(user):
    said, status = user.type("--tag", "a b")
    assert (status, "'a b' cannot be a tag" in said) == (2, True), said
    assert records(user.runs) == []


def test_a_workflow_that_is_refused_leaves_no_record(user):
    (user.folder / "naps.py").write_text(SCRIPT.replace('ENTRYPOINT = "dag"', 'ENTRYPOINT = "nothing"'))
    said, status = user.type("--no-preflight")
    assert (status, "nothing" in said) == (2, True), said
    assert list(user.runs.iterdir()) == []


def test_ctrl_c_before_the_first_submission_leaves_no_record(local_platform, tmp_path, monkeypatch):
    from hera_utils import ExecutionEngine, Experiment, Inputs, grid
    from hera_utils.errors import Detached
    from hera_utils.execution.dispatcher import Dispatcher

    def interrupted(*given):
        raise KeyboardInterrupt

    space = {"__name__": "naps"}
    exec(SCRIPT, space)
    local_platform.context.runs = str(tmp_path / "runs")
    monkeypatch.setattr(Dispatcher, "send", interrupted)
    with pytest.raises(Detached, match="^nothing was submitted$"):
        ExecutionEngine(local_platform.context).run(
            Experiment(workflow=space["define"], inputs=Inputs(parameters=grid(n=[1, 2])))
        )
    assert list((tmp_path / "runs").iterdir()) == []


def test_ctrl_c_while_gather_runs_leaves_nothing_to_send(local_platform, tmp_path, monkeypatch):
    from hera_utils import ExecutionEngine, Experiment, Inputs, grid
    from hera_utils.errors import Detached
    from hera_utils.execution.dispatcher import Dispatcher

    follow = Dispatcher.follow_workflow

    def interrupted(dispatcher, name, *given):
        if name.endswith("-gather"):
            raise KeyboardInterrupt
        return follow(dispatcher, name, *given)

    space = {"__name__": "naps"}
    exec(SCRIPT, space)
    local_platform.context.runs = str(tmp_path / "runs")
    monkeypatch.setattr(Dispatcher, "follow_workflow", interrupted)
    inputs = Inputs(parameters=grid(n=[1]))
    with pytest.raises(Detached, match=r"^the run continues; come back with: hera-utils watch left-"):
        ExecutionEngine(local_platform.context).run(
            Experiment(workflow=space["define"], gather=space["define"], inputs=inputs)
        )


def test_a_record_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunRecord, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RunRecord.create(tmp_path, "a", {})
    assert list(tmp_path.iterdir()) == []


def test_one_of_which_nothing_was_submitted_says_so(tmp_path):
    with RunRecord.create(tmp_path, "a", {}) as record:
        record.drive()
        assert [one.phase for one in read_catalogue([tmp_path])] == ["Running"]
    assert [one.phase for one in read_catalogue([tmp_path])] == ["NotSubmitted"]


@pytest.mark.parametrize(
    ("phases", "status"),
    [
        ({"a-1": "Succeeded", "a-2": "Succeeded"}, "Succeeded"),
        ({"a-1": "Succeeded", "a-2": "Running"}, "Running"),
        ({"a-1": "Failed", "a-2": "Succeeded"}, "Failed"),
        ({}, "Deleted"),
    ],
)
def test_a_run_that_was_left_is_as_the_platform_knows_it(tmp_path, phases, status):
    facts = {"platform": "local", "state": "/state", "namespace": "default"}
    with RunRecord.create(tmp_path, "a", facts) as record:
        for name in ("a-1", "a-2"):
            record.assign(WorkflowRow(name, "points", 1), [])
    ended = "2026-11-29T10:00:00Z"
    there = [
        {
            "metadata": {"name": name, "labels": {RUN_LABEL: "a"}},
            "status": {"phase": phase, "finishedAt": ended if phase != "Running" else None},
        }
        for name, phase in phases.items()
    ]
    (entry,) = read_catalogue([tmp_path], there, ("local", "/state", "default"))
    assert (entry.phase, entry.ended is not None) == (status, status in ("Succeeded", "Failed"))
    (entry,) = read_catalogue([tmp_path], [], ("local", "/state", "another"))  # this platform does not know the run
    assert entry.phase == "Running"
