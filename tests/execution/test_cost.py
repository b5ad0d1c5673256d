"""What a plan says of the cost: by earlier runs of the same code, and nothing without such a run."""

import csv

import pytest
from hera.workflows import DAG, Parameter, Script, Task, Workflow

from hera_utils import ExecutionEngine, Experiment, grid
from hera_utils.execution.cost import Cost
from hera_utils.spans import processor_time

BURN = "import time\nwhile time.process_time() < SECONDS: pass\nprint({{inputs.parameters.n}})"


def experiment(n, seconds=0.2):
    def define(environment, inputs, layout):
        with Workflow(generate_name="cost-", entrypoint="dag") as w:
            source = BURN.replace("SECONDS", str(seconds))
            burn = Script(
                name="burn", image="python:3.11", command=["python"], source=source, inputs=[Parameter(name="n")]
            )
            with DAG(name="dag"):
                for point in inputs.points:
                    Task(name=f"burn-{point.name}", template=burn, arguments=point.arguments)
        return w

    return Experiment(workflow=define, inputs=grid(n=list(n)), name="cost")


def test_a_plan_says_what_it_will_cost(local_platform, tmp_path):
    local_platform.context.runs = str(tmp_path / "runs")
    engine = ExecutionEngine(local_platform.context)
    assert engine.plan(experiment(range(2))).cost is None, "there is no earlier run"
    run = engine.run(experiment(range(2)))
    table = csv.DictReader(run.results.to_csv(tmp_path / "runs" / run.name / "results.csv", by="points").splitlines())
    taken = [float(row["seconds"]) for row in table]
    plan = engine.plan(experiment(range(10)))
    assert (plan.cost.base, plan.cost.run) == (2, run.name)
    assert 0.18 <= plan.cost.cpu < 2, "a task computes for 0.2 s; a busy machine adds to it"
    assert plan.cost.seconds == pytest.approx(sum(taken) / 2)
    assert plan.as_json()["cost"]["cpu_seconds"] == pytest.approx(10 * plan.cost.cpu, rel=0.1)
    assert plan.lines()[-1] == plan.cost.line(10)
    resumed = engine.plan(experiment(range(10)), resume=True)
    assert resumed.as_json()["cost"]["cpu_seconds"] == pytest.approx(8 * plan.cost.cpu, rel=0.1), "of what will run"
    assert engine.plan(experiment(range(2), seconds=0.3)).cost is None, "of other code nothing is known"
    assert engine.plan(experiment(range(2)), resume=True).lines()[-1] == "2 points are done already"


def test_a_cost_in_words(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    line = Cost(cpu=240.0, seconds=100.0, base=12, run="study-x7k2q").line(48)
    assert line == "about 3.2 CPU-hours, 40 min on 2 cores (as 12 points of study-x7k2q with the same code)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.25, "0.25 CPU-seconds"), (90, "1.5 CPU-minutes"), (11520, "3.2 CPU-hours"), (3_600_000, "1000 CPU-hours")],
)
def test_processor_time_in_words(seconds, words):
    assert processor_time(seconds) == words
