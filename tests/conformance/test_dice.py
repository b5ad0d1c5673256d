"""Loaded dice of the recorded cases: what a task drew is drawn again, by its own program."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hera_utils.argo.names import node_id

CONFORMANCE = Path(__file__).parents[2] / "conformance"
sys.path.insert(0, str(CONFORMANCE))
import dice  # noqa: E402  of the folder that was just named
import suites  # noqa: E402

FLIP = {"name": "flip", "script": {"command": ["python"], "source": "import random\nprint(random.choice('ht'))\n"}}
FAIL = {
    "name": "fail",
    "container": {"command": ["python", "-c"], "args": ["import random, sys; sys.exit(random.randint(0, 3))"]},
}


def node(template: str, **more: object) -> dict:
    return {"name": f"<wf>.{template}", "type": "Pod", "templateName": template, "t": [0, 3], **more}


@pytest.mark.parametrize("face", ["h", "t"])
def test_a_seed_gives_the_recorded_result(face: str) -> None:
    recorded = {"nodes": [node("flip", exitCode="0", result=face)]}
    (line,) = dice._lines(recorded, {("", "flip"): FLIP})
    name, seed, seconds = line.rstrip("\n").split("\t")
    assert (name, seconds) == ("<wf>.flip", "0")
    assert random.Random(int(seed)).choice("ht") == face


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_seed_gives_the_recorded_exit_code(code: int) -> None:
    (line,) = dice._lines({"nodes": [node("fail", exitCode=str(code))]}, {("", "fail"): FAIL})
    assert random.Random(int(line.split("\t")[1])).randint(0, 3) == code


def test_a_template_of_a_stored_object_throws_dice_too() -> None:
    stored = {**node("x", exitCode="2"), "templateName": None, "templateRef": {"name": "shared", "template": "fail"}}
    other = {**FAIL, "container": {"command": ["sh"], "args": ["exit 0"]}}
    (line,) = dice._lines({"nodes": [stored]}, {("shared", "fail"): FAIL, ("", "fail"): other})
    assert random.Random(int(line.split("\t")[1])).randint(0, 3) == 2


def test_of_two_that_ended_at_once_the_recorded_order_is_kept() -> None:
    def exporting(name: str, end: int) -> dict:
        return {**node(name), "t": [0, end], "outputArtifacts": [{"globalName": f"g-{name}"}]}

    recorded = {
        "outputs": {"artifacts": ["g-b", "g-a", "g-c"]},
        "nodes": [exporting("a", 3), exporting("b", 3), exporting("c", 5)],
    }
    assert [line.split("\t")[0] for line in dice._lines(recorded, {})] == ["<wf>.a"]


@pytest.fixture
def throw(tmp_path: Path):
    """Runs a command as a task of the run case-abcde."""
    loaded = tmp_path / "loaded"
    shutil.copytree(CONFORMANCE / "loaded", loaded)
    (loaded / "case-").write_text("<wf>\t3\t0\n<wf>.flip\t7\t0\n<wf>.late\t-\t0.2\n")
    shell = tmp_path / "sh"
    shell.write_text(f"#!/bin/sh\nloaded='{loaded}' shell=/bin/sh\n{(loaded / 'sh').read_text()}")
    shell.chmod(0o755)

    def run(task: str, *command: str, workflow: str = "case-abcde") -> str:
        known = {"ARGO_WORKFLOW_NAME": workflow, "ARGO_NODE_ID": node_id(workflow, f"{workflow}{task}")}
        environment = {**os.environ, **known, "PYTHONPATH": str(loaded), "RANDOM": "unset"}
        program = str(shell) if command[0] == "sh" else command[0]
        done = subprocess.run([program, *command[1:]], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


def test_python_starts_from_the_seed_of_its_node(throw) -> None:
    program = "import random; print(random.random())"
    assert throw(".flip", sys.executable, "-c", program) == str(random.Random(7).random())
    assert throw("", sys.executable, "-c", program) == str(random.Random(3).random())
    free = {
        throw(".other", sys.executable, "-c", program),
        throw(".flip", sys.executable, "-c", program, workflow="b-abcde"),
    }
    assert len(free) == 2
    assert str(random.Random(7).random()) not in free


def test_a_shell_starts_from_the_seed_of_its_node(throw) -> None:
    assert throw(".flip", "sh", "-c", "echo $RANDOM $0 $1", "a b", "c") == "7 a b c"
    assert throw("", "sh", "-c", "echo $RANDOM") == "3"
    assert throw(".late", "sh", "-c", "echo $RANDOM") == "unset"
    assert throw(".flip", "sh", "-c", "echo $RANDOM", workflow="other-abcde") == "unset"


def test_artifacts_that_are_recorded_by_their_names_alone_have_no_order() -> None:
    recorded = {
        "outputs": {"artifacts": ["a"]},
        "nodes": [node("flip", exitCode="0", result="h", outputArtifacts=["a"])],
    }
    assert len(dice._lines(recorded, {("", "flip"): FLIP})) == 1


def test_draws_and_suites_are_those_of_all_the_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, case in (("one", "first"), ("two", "second")):
        suite = tmp_path / folder / f"suite-{folder}"
        suite.mkdir(parents=True)
        document = {"metadata": {"generateName": f"{case}-"}, "spec": {"templates": [FLIP]}}
        recorded = {"outcome": "completed", "nodes": [node("flip", exitCode="0", result="h")]}
        (suite / f"{case}.yaml").write_text(yaml.safe_dump(document))
        (suite / f"{case}.json").write_text(json.dumps(recorded))
        (suite / "refused.yaml").write_text(yaml.safe_dump({**document, "metadata": {"generateName": "refused-"}}))
        (suite / "refused.json").write_text(json.dumps({"outcome": "rejected", "submit": {"status": 400}}))
    folders = [tmp_path / "one", tmp_path / "two"]
    (tmp_path / "loaded").mkdir()
    dice.load(folders, tmp_path / "loaded")
    assert sorted(file.name for file in (tmp_path / "loaded").iterdir()) == ["first-", "second-"]
    suites.main(tmp_path / "apart", folders)
    assert capsys.readouterr().out.split() == [str(tmp_path / "one/suite-one"), str(tmp_path / "two/suite-two")]
