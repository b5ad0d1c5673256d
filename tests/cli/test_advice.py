"""What a command says of what to do next: by the cause, as a command that can be pasted and does what it says."""

import re
import shlex

import pytest

MISSING = """
from hera.workflows import Container, Workflow
with Workflow(generate_name="missing-", entrypoint="main") as w:
    Container(name="main", image="nobody/has:it", command=["sh", "-c"], args=["echo it is there"])
"""
BROKEN = """
from hera.workflows import Container, Workflow
with Workflow(generate_name="broken-", entrypoint="main") as w:
    Container(name="main", image="alpine:3", command=["sh", "-c"], args=["echo spoilt; exit 3"])
"""
STUDY = """
from hera_utils import ExecutionEngine, Experiment, Inputs, grid
def define(environment, inputs, layout):
    tasks = [{"name": p.name, "template": "a", "arguments": {"parameters": [{"name": "n", "value": str(p.n)}]}} for p in inputs.points]
    run = {"image": "alpine:3", "command": ["sh", "-c"], "args": ["%s"]}
    return {"metadata": {"generateName": "study-"}, "spec": {"entrypoint": "dag", "templates": [
        {"name": "dag", "dag": {"tasks": tasks}}, {"name": "a", "inputs": {"parameters": [{"name": "n"}]}, "container": run}]}}
def gather(environment, inputs, layout):
    run = {"image": "alpine:3", "command": ["true"]}
    return {"metadata": {"generateName": "study-"}, "spec": {"entrypoint": "all", "templates": [{"name": "all", "container": run}]}}
experiment = Experiment(workflow=define, gather=gather, inputs=Inputs({"city": "Lyon"}, grid(n=[1, 2])), name="study")
if __name__ == "__main__":
    ExecutionEngine.from_command_line().run(experiment)
"""


@pytest.fixture
def typed(typed, monkeypatch):
    """The namespace is always given by a flag."""
    monkeypatch.delenv("ARGO_NAMESPACE")
    return typed


def here(local_platform):
    return ("--argo_namespace", local_platform.connection.namespace)


def test_an_image_that_was_missing_is_stood_in_for_by_the_retry_that_is_named(local_platform, typed, tmp_path):
    (tmp_path / "script.py").write_text(MISSING)
    said = typed("run", "script.py", "--no-preflight", *here(local_platform), status=1)
    assert '"nobody/has:it": {python: current}' in said
    _, _, retry = said.partition("images.yaml; then: hera-utils ")
    (tmp_path / "images.yaml").write_text('"nobody/has:it": {}\n')
    again = typed(*shlex.split(retry.splitlines()[0]))
    assert "Succeeded" in again


def test_after_a_mistake_in_the_code_the_run_anew_comes_first(local_platform, typed, tmp_path):
    (tmp_path / "script.py").write_text(BROKEN)
    said = typed("run", "script.py", *here(local_platform), status=1)
    anew = re.search(r"correct the workflow and run it again: hera-utils (.*)", said)[1]
    kept = re.search(r"to run the submitted workflow again: hera-utils (.*)", said)[1]
    (tmp_path / "script.py").write_text(BROKEN.replace("exit 3", "exit 0"))
    retried = typed(*shlex.split(kept), status=1)
    assert "Failed" in retried, "a retry runs what was submitted"
    assert retried.count("    spoilt") == 1, "a retry deletes the pod before it, and its log is not the task's any more"
    assert "Succeeded" in typed(*shlex.split(anew))


def test_what_follows_a_detached_run_is_the_whole_command(local_platform, typed, tmp_path):
    (tmp_path / "study.py").write_text(STUDY % "true")
    words = ("run", "study.py", "--set", "n=3,4", "--set", "city=Le Mans", "--detach", *here(local_platform))
    said = typed(*words)
    follow = re.search(r"gather follows with: hera-utils (.*)", said)[1]
    assert "--detach" not in follow
    (points,) = local_platform.client.list()
    for _ in local_platform.client.watch(points["metadata"]["name"]):
        pass
    assert typed(*shlex.split(follow)).count("✔ Succeeded") == 1, "only gather was still to run"
    (folder,) = (tmp_path / "runs").iterdir()
    assert {flow["metadata"]["name"] for flow in local_platform.client.list()} == {
        folder.name,
        f"{folder.name}-gather",
    }


@pytest.mark.parametrize("values", ["n=3,4", "n=3"])
def test_what_failed_is_resumed_with_the_whole_command(local_platform, typed, tmp_path, values):
    (tmp_path / "study.py").write_text(STUDY % "exit 3")
    said = typed("run", "study.py", "--set", values, *here(local_platform), status=1)
    assert "the points are done" not in said
    follow = re.search(r"continue with: hera-utils (.*)", said)[1]
    (tmp_path / "study.py").write_text(STUDY % "true")
    assert "✔ Succeeded" in typed(*shlex.split(follow))


def test_a_recorded_run_is_left_when_its_repetition_is_detached(local_platform, typed, tmp_path, monkeypatch):
    (tmp_path / "study.py").write_text(STUDY % "sleep ${S:-0}")
    typed("run", "study.py", *here(local_platform))
    (folder,) = (tmp_path / "runs").iterdir()
    said = typed("rerun", str(folder), "--detach", *here(local_platform))
    assert "gather follows with: hera-utils run" in said
    assert "Succeeded" not in said


def test_who_watches_a_run_is_told_the_command_that_it_was_begun_with(local_platform, typed, tmp_path):
    (tmp_path / "study.py").write_text(STUDY % "exit 3")
    typed("run", "study.py", "--set", "n=3,4", "--set", "city=Le Mans", *here(local_platform), status=1)
    (folder,) = (tmp_path / "runs").iterdir()
    said = typed("watch", folder.name, *here(local_platform), status=1)
    anew = re.search(r"correct the workflow and run it again: hera-utils (.*)", said)[1]
    assert "--resume --set n=3,4 --set 'city=Le Mans'" in anew
    (tmp_path / "study.py").write_text(STUDY % "true")
    assert "✔ Succeeded" in typed(*shlex.split(anew))
