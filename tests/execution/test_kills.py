"""kill -9 of everything during a sweep (the script, the server, the tasks), and --resume: no finished point is computed again."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hera_utils.runs.record import DONE, RunRecord, records
from waiting import until

SCRIPT = """
import sys
from hera.workflows import DAG, Container, ExistingVolume, Parameter, Task, Workflow
from hera_utils import Environment, ExecutionEngine, Experiment, Inputs, PersistedVolume, grid
from hera_utils.execution import batches

batches.HERE = batches.Limits(bytes=1_000_000, nodes={nodes}, in_flight=2, most=1_000_000, elements=100_000)
MOUNT = [ExistingVolume(name="out", claim_name="kills", mount_path="/out")]


def define(environment, inputs, layout):
    with Workflow(generate_name="kills-", entrypoint="dag") as w:
        work = Container(
            name="work", image="alpine:3", command=["sh", "-c"], inputs=[Parameter(name="n")], volumes=MOUNT,
            args=["echo begun >> /out/{{{{inputs.parameters.n}}}}; sleep {seconds}; echo done >> /out/{{{{inputs.parameters.n}}}}"],
        )
        with DAG(name="dag", fail_fast=False):
            Task(name="work", template=work, arguments={{"n": "{{{{item}}}}"}}, with_items=inputs.parameters.n)
    return w


def gather(environment, inputs, layout):
    with Workflow(generate_name="kills-", entrypoint="gather") as w:
        Container(name="gather", image="alpine:3", command=["sh", "-c"], args=["echo gathered >> /out/gathered"], volumes=MOUNT)
    return w


experiment = Experiment(
    workflow=define, gather=gather, inputs=Inputs(parameters=grid(n=range({points}))),
    environment=Environment(persisted_volume=PersistedVolume("kills", mount_path="/out")),
)
if __name__ == "__main__":
    run = ExecutionEngine.from_command_line().run(experiment)
    print("ended", run.phase)
"""


def below(pid):
    """A process and all its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found = {pid}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found


class Lab:
    def __init__(self, folder, points, nodes, seconds):
        self.folder, self.state = folder, folder / "state"
        self.out = self.state / "claims" / "default" / "kills"
        (folder / "experiment.py").write_text(SCRIPT.format(points=points, nodes=nodes, seconds=seconds))
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HERA_UTILS_IMAGES") if name in os.environ}
        self.environ = kept | {"HOME": str(folder), "HERA_UTILS_STATE": str(self.state), "PYTHONUTF8": "1"}

    def start(self, *words):
        return subprocess.Popen(
            [sys.executable, "experiment.py", *words],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def begun(self):
        return len(list(self.out.iterdir())) if self.out.exists() else 0

    def kill_everything(self, script):
        doomed = below(script.pid)
        said = self.state / "server.json"
        if said.exists():
            doomed |= below(json.loads(said.read_text())["pid"])
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        script.communicate(timeout=60)

    def statuses(self):
        (folder, *_) = records(self.folder / "runs")
        with RunRecord.open(folder) as record:
            return {row.name: row.status for row in record.points()}

    def stop(self):
        subprocess.run(
            [sys.executable, "-m", "hera_utils", "serve", "--stop"], env=self.environ, check=False, timeout=60
        )


@pytest.fixture
def lab(tmp_path):
    made = []

    def of(points, nodes, seconds=0.02):
        made.append(Lab(tmp_path, points, nodes, seconds))
        return made[0]

    yield of
    for one in made:
        one.stop()


SIZES = [(200, 60, 2), (120, 2000, 1)]
# `.ci/run --full` uses as many points in full workflows, and three kills.
if CAMPAIGN := int(os.environ.get("HERA_UTILS_SWEEP", "0")):
    SIZES = [(CAMPAIGN, 2000, 3)]


@pytest.mark.timeout(300 if not CAMPAIGN else 3600)
@pytest.mark.parametrize(("points", "nodes", "kills"), SIZES)
def test_no_finished_point_is_computed_again(lab, points, nodes, kills):
    here = lab(points, nodes)
    dice = random.Random(20261123)
    for turn in range(kills):
        script = here.start(*(["--resume"] if turn else []))
        goal = here.begun() + points // (kills + 2)
        deadline = time.monotonic() + 60 + points / 10
        while here.begun() < goal and script.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(dice.uniform(0.0, 0.3))
        assert script.poll() is None, script.communicate()[0]
        here.kill_everything(script)
    said = here.start("--resume").communicate(timeout=120 + points)[0]
    assert "ended Succeeded" in said, said
    assert set(here.statuses().values()) == {DONE}
    counts = {file.name: file.read_text().count("done") for file in here.out.iterdir() if file.name != "gathered"}
    assert set(counts) == {str(n) for n in range(points)}
    again = sorted(name for name, count in counts.items() if count > 1)
    # A task may be killed after its last line and before its end was seen: at most one a core and kill.
    assert len(again) <= kills * (os.cpu_count() or 1), (again, said)
    assert (here.out / "gathered").read_text() == "gathered\n"
    last = here.start("--resume").communicate(timeout=60)[0]
    assert "nothing to run" in last, last


def kill_when_begun(here, goal, pause):
    """Begin a sweep and kill everything shortly after so many of its points have begun; returns how many had begun."""
    script = here.start()
    until(lambda: here.begun() >= goal or script.poll() is not None)
    time.sleep(pause)
    assert script.poll() is None, script.communicate()[0]
    here.kill_everything(script)
    return here.begun()


MOMENTS = int(os.environ.get("HERA_UTILS_MOMENTS", "1"))  # number of random moments, each in a sweep of its own
EARLY = -1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [EARLY, *range(MOMENTS)])
@pytest.mark.parametrize("nodes", [25, 2000], ids=["many workflows", "one workflow"])
def test_everything_is_killed_and_one_resume_completes_the_run(lab, nodes, seed):
    points = 60
    # early, and slow points: the workflows that lost their tasks still go on when the run is taken up
    here, dice = lab(points, nodes, 0.6 if seed == EARLY else 0.02), random.Random(f"{nodes} {seed}")
    goal = 2 if seed == EARLY else dice.randrange(1, points)
    begun = kill_when_begun(here, goal, 0.0 if seed == EARLY else dice.uniform(0.0, 0.1))
    resumed = here.start("--resume")
    said = resumed.communicate(timeout=300)[0]
    print(f"{begun} of {points} points had begun\n{said}")
    assert resumed.returncode == 0, said
    assert "ended Succeeded" in said, said
    assert set(here.statuses().values()) == {DONE}
    counts = {file.name: file.read_text().count("done") for file in here.out.iterdir() if file.name != "gathered"}
    assert set(counts) == {str(n) for n in range(points)}
    again = sorted(name for name, count in counts.items() if count > 1)
    # They were killed after their last line, before the server saw their end.
    assert len(again) <= (os.cpu_count() or 1), (
        again,
        said,
    )
    assert (here.out / "gathered").read_text() == "gathered\n"
    last = here.start("--resume").communicate(timeout=60)[0]
    assert "nothing to run" in last, last


def test_the_script_alone_is_killed_and_joins_what_runs(lab):
    here = lab(90, 30)
    script = here.start()
    until(lambda: here.begun() >= 10)
    script.kill()
    script.communicate(timeout=60)
    said = here.start("--resume").communicate(timeout=120)[0]
    assert "ended Succeeded" in said, said
    assert {file.read_text().count("done") for file in here.out.iterdir() if file.name != "gathered"} == {1}


def test_ctrl_c_leaves_what_was_submitted_and_resume_goes_on(lab):
    here = lab(90, 30)
    script = here.start()
    until(lambda: here.begun() >= 10)
    script.send_signal(signal.SIGINT)
    said = script.communicate(timeout=60)[0]
    assert script.returncode == 130, said
    assert "go" in said
    assert "(see it with: hera-utils watch kills-" in said
    assert re.search(r"(the rest and gather follow|gather follows) with: \S*python\S* experiment.py --resume", said), (
        said
    )
    said = here.start("--resume", "--explain").communicate(timeout=120)[0]
    assert "ended Succeeded" in said, said
    assert {file.read_text().count("done") for file in here.out.iterdir() if file.name != "gathered"} == {1}
