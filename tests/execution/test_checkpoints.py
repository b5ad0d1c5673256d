"""What a task saved is there for its next attempt: a retry, after a deadline, in a run that is resumed; and only there."""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hera.workflows import DAG, Container, ExistingVolume, Parameter, RetryStrategy, Script, Task, Workflow

from hera_utils import (
    Environment,
    ExecutionEngine,
    Experiment,
    Inputs,
    Layout,
    LayoutError,
    PersistedVolume,
    ResourceError,
    RunFailed,
    checkpoint,
    checkpoints,
    grid,
    listed,
)
from hera_utils.execution.checkpoint_folders import CheckpointFolders
from hera_utils.experiment.checkpoints import VARIABLE, fill_in_checkpoints
from waiting import until

ENVIRONMENT = Environment(persisted_volume=PersistedVolume("saved", mount_path="/saved"))
MOUNT = [ExistingVolume(name="saved", claim_name="saved", mount_path="/saved")]
COUNTING = """
import fcntl, sys
from hera_utils import checkpoint
folder = checkpoint()
lock = open(folder / "lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # this attempt fails for good if another attempt still holds the lock
done = folder / "steps"
before = len(done.read_text()) if done.exists() else 0
with done.open("a") as file:
    file.write("x")
open("/saved/seen", "a").write("{{inputs.parameters.n}}" + f":{before} ")
sys.exit(0 if before >= STEPS else 1)
"""


class Saved(Layout):
    @checkpoints
    def state(self, point):
        return self.path("checkpoints", point.name)


def counting(steps, **more):
    """Each attempt makes one step, and fails before the last one."""
    return Script(
        name="count", image="python:3.11", command=["python"], source=COUNTING.replace("STEPS", str(steps)),
        inputs=[Parameter(name="n"), Parameter(name="checkpoint")], volumes=MOUNT, **more,
    )  # fmt: skip


def experiment(template, n=(1, 2)):
    def define(environment, inputs, layout):
        at = layout.mounted(environment)
        with Workflow(generate_name="saved-", entrypoint="dag") as w:
            task = template()
            with DAG(name="dag", fail_fast=False):
                for point in inputs.points:
                    Task(
                        name=f"count-{point.name}",
                        template=task,
                        arguments=point.arguments | {"checkpoint": at.state(point)},
                    )
        return w

    inputs = Inputs(parameters=grid(n=list(n)))
    return Experiment(workflow=define, inputs=inputs, layout=Saved, environment=ENVIRONMENT, name="saved")


@pytest.fixture
def claim(local_platform):
    return local_platform.claim("saved")


@pytest.fixture
def engine(local_platform, tmp_path):
    local_platform.context.runs = str(tmp_path / "runs")
    return ExecutionEngine(local_platform.context)


def seen(claim):
    """What each attempt found, and nothing more is kept of what was seen before."""
    found = sorted((claim / "seen").read_text().split())
    (claim / "seen").unlink()
    return found


def kept(claim):
    return sorted(str(path.relative_to(claim)) for path in (claim / "checkpoints").rglob("steps"))


def test_a_retry_finds_it_and_it_goes_with_success(engine, claim):
    run = engine.run(experiment(lambda: counting(2, retry_strategy=RetryStrategy(limit=3))))
    assert run.succeeded
    assert seen(claim) == ["1:0", "1:1", "1:2", "2:0", "2:1", "2:2"]
    assert kept(claim) == []
    assert list((claim / "checkpoints").iterdir()) == []


def test_a_run_that_is_resumed_finds_it(engine, claim):
    template = lambda: counting(1)  # noqa: E731
    with pytest.raises(RunFailed):
        engine.run(experiment(template))
    assert seen(claim) == ["1:0", "2:0"]
    assert len(kept(claim)) == 2
    assert engine.run(experiment(template), resume=True).succeeded
    assert seen(claim) == ["1:1", "2:1"]
    assert kept(claim) == []


def test_twice_resumed(engine, claim):
    template = lambda: counting(2)  # noqa: E731
    for resume in (False, True):
        with pytest.raises(RunFailed):
            engine.run(experiment(template), resume=resume)
    assert engine.run(experiment(template), resume=True).succeeded
    assert seen(claim) == ["1:0", "1:1", "1:2", "2:0", "2:1", "2:2"]


def test_other_code_and_a_run_from_the_beginning_find_nothing(engine, claim):
    with pytest.raises(RunFailed):
        engine.run(experiment(lambda: counting(5), n=(1,)))
    with pytest.raises(RunFailed):
        engine.run(experiment(lambda: counting(5), n=(1,)))
    assert seen(claim) == ["1:0", "1:0"]
    with pytest.raises(RunFailed):
        engine.run(experiment(lambda: counting(6), n=(1,)), resume=True)
    assert seen(claim) == ["1:0"]
    with pytest.raises(RunFailed):
        engine.run(experiment(lambda: counting(6), n=(1,)), resume=True)
    assert seen(claim) == ["1:1"]


def test_a_retry_of_the_workflow_finds_it(engine, local_platform, claim):
    with pytest.raises(RunFailed):
        engine.run(experiment(lambda: counting(1), n=(1,)))
    (run,) = Path(local_platform.context.runs).iterdir()
    local_platform.client.act(run.name, "retry")
    assert local_platform.client.wait(run.name, timeout=60)["status"]["phase"] == "Succeeded"
    assert seen(claim) == ["1:0", "1:1"]
    assert len(kept(claim)) == 1, "nobody has told the record"
    engine.run(experiment(lambda: counting(1), n=(1,)), resume=True)
    assert kept(claim) == []


PYTHON_THAT_SAVES = """
import os, signal, sys, time
folder = os.environ["HERA_UTILS_CHECKPOINT"]
os.makedirs(folder, exist_ok=True)
if os.path.exists(f"{folder}/state"):
    print("taken up", open(f"{folder}/state").read())
    sys.exit(0)
def save(*_):
    time.sleep(0.5)  # less than the pod's grace period
    open(f"{folder}/state", "w").write("half")
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
while True:
    time.sleep(0.05)
"""
SHELL_THAT_SAVES = """
mkdir -p "$HERA_UTILS_CHECKPOINT"; cd "$HERA_UTILS_CHECKPOINT"
if [ -e state ]; then echo taken up $(cat state); exit 0; fi
trap 'sleep 0.5; echo half > state; exit 1' TERM
while true; do sleep 0.05; done
"""


@pytest.mark.parametrize("way", ["python", "shell"])
def test_a_deadline_gives_its_grace_to_save(engine, way):
    given = {
        "inputs": [Parameter(name="n"), Parameter(name="checkpoint")], "volumes": MOUNT, "active_deadline_seconds": 1,
        "retry_strategy": RetryStrategy(limit=1, retry_policy="Always"), "name": "count",
    }  # fmt: skip

    def template():
        if way == "python":
            return Script(image="python:3.11", command=["python"], source=PYTHON_THAT_SAVES, **given)
        return Container(image="alpine:3", command=["sh", "-c"], args=[SHELL_THAT_SAVES], **given)

    run = engine.run(experiment(template, n=(1,)))
    assert run.succeeded
    (row,) = run.results
    assert (row.attempts, row.outputs.get("result")) == (2, None)
    first = next(n for n in run.workflow["status"]["nodes"].values() if n["name"].endswith("(0)"))
    assert (first["phase"], first["message"]) == (
        "Failed",
        "Pod was active on the node longer than the specified deadline",
    )


SCRIPT = """
import sys
sys.path[:0] = {folders!r}
from test_checkpoints import SLOW, experiment
from hera_utils import main
main(experiment(SLOW, n=(1,)))
"""


def SLOW():
    source = """
import os, time
from hera_utils import checkpoint
folder = checkpoint()
done = folder / "steps"
begin = len(done.read_text()) if done.exists() else 0
open("/saved/seen", "a").write(f"{begin} ")
for step in range(begin, 5):
    with done.open("a") as file:
        file.write("x")
    while step == 2 and not os.path.exists("/saved/go"):
        time.sleep(0.05)
"""
    return Script(
        name="count", image="python:3.11", command=["python"], source=source,
        inputs=[Parameter(name="n"), Parameter(name="checkpoint")], volumes=MOUNT,
    )  # fmt: skip


@pytest.mark.parametrize("also_tasks", [False, True])
def test_after_kill_9_of_the_server(tmp_path, also_tasks):
    """Without its tasks it goes on; with them, it is resumed."""
    (tmp_path / "experiment.py").write_text(
        SCRIPT.format(folders=[str(folder) for folder in Path(__file__).parents[:2]])
    )
    environ = {
        **os.environ,
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": str(tmp_path / "state"),
        "HERA_UTILS_IMAGES": "stand-in",
    }
    claim = tmp_path / "state" / "claims" / "default" / "saved"

    def start(*words):
        command, both = [sys.executable, "experiment.py", *words], subprocess.STDOUT
        return subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=both, text=True)

    try:
        script = start()
        until(lambda: [len(path.read_text()) for path in claim.rglob("steps")] == [3])
        _kill(script.pid, tmp_path / "state", also_tasks=also_tasks)
        script.communicate()
        (claim / "go").touch()
        again = start("--resume")
        said, _ = again.communicate(timeout=60)
        assert again.returncode == 0, said
        assert (claim / "seen").read_text().split() == (["0", "3"] if also_tasks else ["0"])
        assert list(claim.rglob("steps")) == []
    finally:
        subprocess.run(
            [sys.executable, "-m", "hera_utils", "serve", "--stop"], env=environ, check=False, capture_output=True
        )


def _kill(script, state, *, also_tasks):
    server = json.loads((state / "server.json").read_text())["pid"]
    workers = [json.loads(path.read_text().splitlines()[0])["pid"] for path in state.rglob("supervisor.jsonl")]
    for pid in [script, server, *(workers if also_tasks else [])]:
        os.kill(pid, signal.SIGKILL)


def test_a_task_that_does_not_obey_is_gone_before_the_next_attempt(engine, claim):
    """The next attempt takes the lock that the first one never released."""
    stubborn = COUNTING.replace(
        "import fcntl, sys", "import fcntl, signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: None)"
    )
    stubborn = stubborn.replace("sys.exit(0 if", "while not before: time.sleep(0.01)\nsys.exit(0 if")
    template = Script(
        name="count", image="python:3.11", command=["python"], source=stubborn.replace("STEPS", "1"), volumes=MOUNT,
        inputs=[Parameter(name="n"), Parameter(name="checkpoint")], active_deadline_seconds=1,
        pod_spec_patch='{"terminationGracePeriodSeconds": 1}', retry_strategy=RetryStrategy(limit=1, retry_policy="Always"),
    )  # fmt: skip
    assert engine.run(experiment(lambda: template, n=(1,))).succeeded
    assert seen(claim) == ["1:0", "1:1"]


def test_the_page_is_carried_out(engine, local_platform, tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "page_on_checkpoints.py").write_text("\n".join(blocks))
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    page_module = importlib.import_module("page_on_checkpoints")
    signal.signal(signal.SIGTERM, before)
    run = engine.run(page_module.experiment)
    assert sorted(float(line.split()[-1]) for line in local_platform.logs(run)) == pytest.approx([0.5, 1.0])
    assert list(local_platform.claim("study").rglob("state.json")) == []


# --- the folder's name, and its absence ---------------------------------------------------------------------------------


def test_the_folder_is_of_the_point_alone():
    layout = Saved()
    first, second = listed([{"n": 1}, {"n": 2}])
    assert layout.state(first) != layout.state(second)
    document = {"spec": {"templates": [], "arguments": [layout.state(first), "--to=" + layout.state(second)]}}
    names = {first.id: "run-a", second.id: "run-b"}
    assert fill_in_checkpoints(document, names.__getitem__)["spec"]["arguments"] == [
        "checkpoints/1/run-a",
        "--to=checkpoints/2/run-b",
    ]
    with pytest.raises(LayoutError, match="without the point"):
        layout.state(1)


def test_the_variable_is_in_every_template_with_the_parameter():
    layout, (point,) = Saved(), listed([{"n": 1}])
    parameter = {"inputs": {"parameters": [{"name": "checkpoint", "value": layout.state(point)}]}}
    templates = [
        {**parameter, "container": {"image": "a"}},
        {**parameter, "containerSet": {"containers": [{"name": "a"}, {"name": "b", "env": [{"name": VARIABLE, "value": "own"}]}]}},
        {**parameter, "dag": {"tasks": []}},
        {"script": {}},
    ]  # fmt: skip
    one, two, three, four = fill_in_checkpoints({"spec": {"templates": templates}}, lambda point: "run")["spec"][
        "templates"
    ]
    variable = {"name": VARIABLE, "value": "{{inputs.parameters.checkpoint}}"}
    assert one["container"]["env"] == [variable]
    assert [container["env"] for container in two["containerSet"]["containers"]] == [
        [variable],
        [{"name": VARIABLE, "value": "own"}],
    ]
    assert three["dag"] == {"tasks": []}
    assert four == {"script": {}}


def test_without_a_folder_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ResourceError, match="this task has no folder for checkpoints"):
        checkpoint()
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "folder"))
    with pytest.raises(ResourceError, match="cannot be made .not a directory"):
        checkpoint()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "new" / "folder"))
    assert checkpoint().is_dir()


@pytest.mark.parametrize("link", [False, True])
def test_what_a_link_leads_to_is_not_removed(tmp_path, link):
    (precious := tmp_path / "precious" / "run").mkdir(parents=True)
    (volume := tmp_path / "volume" / "checkpoints").mkdir(parents=True)
    if link:
        (volume / "1").symlink_to(tmp_path / "precious")
    else:
        (volume / "1" / "run").mkdir(parents=True)
    folders = CheckpointFolders(Saved(), tmp_path / "volume", SimpleNamespace(name="run", facts={}))
    folders.remove(listed([{"n": 1}]))
    assert precious.exists()
    assert (volume / "1").exists() == link


def test_a_link_that_is_put_there_meanwhile_is_not_followed(tmp_path, monkeypatch):
    (precious := tmp_path / "precious" / "run").mkdir(parents=True)
    (volume := tmp_path / "volume" / "checkpoints").mkdir(parents=True)
    (volume / "1" / "run").mkdir(parents=True)
    remove = shutil.rmtree

    def exchanged(path, **options):
        (volume / "1").rename(volume / "away")
        (volume / "1").symlink_to(tmp_path / "precious")
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", exchanged)
    CheckpointFolders(Saved(), tmp_path / "volume", SimpleNamespace(name="run", facts={})).remove(listed([{"n": 1}]))
    assert precious.exists()
    assert not (volume / "away" / "run").exists()
