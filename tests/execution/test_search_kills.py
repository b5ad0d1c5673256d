"""kill -9 of a script during a search, again and again, and --resume: no point is asked twice, and the search goes the same way."""

import os
import random
import subprocess
import sys
import time

import pytest

from hera_utils.experiment.search import SearchProgress, design_of
from hera_utils.experiment.search_design import Trial
from hera_utils.runs.record import RunRecord, records
from waiting import until

pytest.importorskip("optuna")
SCRIPT = """
from hera.workflows import DAG, Container, ExistingVolume, Parameter, Task, Workflow
from hera.workflows.models import ValueFrom
from hera_utils import Environment, Experiment, Inputs, PersistedVolume, main, search

SEARCH = search(24, at_once=3, seed=11, minimize="loss", n=range(-500, 501))


def define(environment, inputs, layout):
    mounted = [ExistingVolume(name="out", claim_name="kills", mount_path="/out")]
    with Workflow(generate_name="kills-", entrypoint="dag") as w:
        work = Container(
            name="work", image="alpine:3", command=["sh", "-c"], inputs=[Parameter(name="n")], volumes=mounted,
            outputs=[Parameter(name="loss", value_from=ValueFrom(path="/tmp/loss"))],
            args=["n={{inputs.parameters.n}}; echo $n >> /out/begun; sleep 0.1; echo $((n * n)) > /tmp/loss"],
        )
        with DAG(name="dag", fail_fast=False):
            for point in inputs.points:
                Task(name=f"work-{point.name}", template=work, arguments=point.arguments)
    return w


if __name__ == "__main__":
    environment = Environment(persisted_volume=PersistedVolume("kills", mount_path="/out"))
    run = main(Experiment(workflow=define, inputs=Inputs(parameters=SEARCH), environment=environment, name="kills"))
    print("ended", run.phase, run.best.point.n)
"""


@pytest.fixture
def script(local_platform, tmp_path):
    (tmp_path / "searching.py").write_text(SCRIPT)
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HERA_UTILS_IMAGES") if name in os.environ}
    environ = kept | {"HOME": str(tmp_path), "HERA_UTILS_STATE": local_platform.context.state, "PYTHONUTF8": "1"}
    environ["ARGO_NAMESPACE"] = local_platform.connection.namespace

    def start(*words):
        return subprocess.Popen(
            [sys.executable, "searching.py", *words],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def uninterrupted():
    """The course of the search as mathematics has it."""
    names = {}
    exec(SCRIPT.partition("def define")[0], names)
    course = SearchProgress(design_of(names["SEARCH"]))
    while points := course.next():
        course.settle([Trial(point, outputs={"loss": point.n**2}) for point in points])
    return [point.n for point in course.points.values()]


@pytest.mark.slow
def test_a_killed_search_goes_on(script, local_platform, tmp_path):
    begun, random_ = local_platform.claim("kills") / "begun", random.Random(5)

    def points():
        return [int(line) for line in begun.read_text().split()] if begun.exists() else []

    def killed_after(count, *words):
        running = script(*words)
        until(lambda: len(points()) >= count or running.poll() is not None)
        time.sleep(random_.random() * 0.2)
        running.kill()
        running.communicate()

    killed_after(1)
    killed_after(8, "--resume")
    killed_after(16, "--resume")
    last = script("--resume")
    said, _ = last.communicate(timeout=120)
    assert last.returncode == 0, said
    asked = uninterrupted()
    assert sorted(points()) == sorted(asked), "each point once"
    assert f"ended Succeeded {min(asked, key=abs)}" in said
    (folder,) = records(tmp_path / "runs")
    with RunRecord.open(folder) as record:
        rows = list(record.points())
        assert [row.values["n"] for row in rows] == asked
        assert {row.status for row in rows} == {"Succeeded"}
        assert record.facts["phase"] == "Succeeded"
