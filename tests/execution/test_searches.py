"""Searches on the real local platform: rounds, failures, what is known when resuming, points that are stopped early, gather."""

import contextlib
import json
import threading
from dataclasses import replace

import pytest
from hera.workflows import DAG, Container, ExistingVolume, Parameter, Task, Workflow
from hera.workflows.models import ValueFrom

from hera_utils import (
    Environment,
    ExecutionEngine,
    Experiment,
    Inputs,
    Layout,
    PersistedVolume,
    RunFailed,
    SettingsError,
    UnsupportedError,
    grid,
    search,
    writes,
)
from hera_utils.execution import search_session
from hera_utils.execution.flags import RunOptions
from hera_utils.execution.run_facts import runs_folder
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.runs.record import RunRecord, records
from hera_utils.runs.whole_run import load_run
from waiting import until

pytest.importorskip("optuna")
ENVIRONMENT = Environment(persisted_volume=PersistedVolume("searched", mount_path="/out"))
LOG = "echo $n >> /out/begun; "


class Files(Layout):
    @writes
    def value(self, n):
        return self.path("values", n)


class Walk:
    """n = 0, 1, 2, … until it was told of as many as it may; it remembers the answers."""

    def __init__(self, most=99, start=0):
        self.next, self.most, self.answers = start, most, []

    def ask(self, n):
        asked = range(self.next, min(self.next + n, self.most))
        return [{"n": number} for number in asked]

    def tell(self, results):
        self.next += len(results)
        self.answers += [(result.status, dict(result.outputs)) for result in results]


def experiment(sweep, code="echo $((n * n)) > /tmp/loss", gather=None, **more):
    def define(environment, inputs, layout):
        volume = environment.persisted_volume
        with Workflow(generate_name="walk-", entrypoint="dag") as w:
            work = Container(
                name="work",
                image="alpine:3",
                command=["sh", "-c"],
                args=["n={{inputs.parameters.n}}; " + LOG + code],
                inputs=[Parameter(name="n")],
                outputs=[Parameter(name="loss", value_from=ValueFrom(path="/tmp/loss"))],
                volumes=[ExistingVolume(name="out", claim_name=volume.claim_name, mount_path=volume.mount_path)],
            )
            with DAG(name="dag", fail_fast=False):
                for point in inputs.points:
                    Task(name=f"work-{point.name}", template=work, arguments=point.arguments)
        return w

    inputs = sweep if isinstance(sweep, Inputs) else Inputs(parameters=sweep)
    return Experiment(workflow=define, gather=gather, inputs=inputs, environment=ENVIRONMENT, name="walk", **more)


class Said:
    """A reporter that stores its lines."""

    def __init__(self):
        self.said = []

    def lines(self, lines):
        self.said += lines

    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture
def lab(local_platform):
    """Runs experiments in a namespace of this test's own."""

    class Lab:
        context = local_platform.context
        reporter = Said()

        def engine(self, **options):
            self.reporter = Said()
            return ExecutionEngine(self.context, reporter=self.reporter, options=RunOptions(**options))

        def run(self, what, **more):
            return self.engine().run(what, **more)

        def begun(self):
            log = local_platform.claim("searched") / "begun"
            return sorted(int(line) for line in log.read_text().split()) if log.exists() else []

        def records(self):
            facts = {
                folder: json.loads((folder / "run.json").read_text()) for folder in records(runs_folder(self.context))
            }
            return [folder for folder, said in facts.items() if said["namespace"] == self.context.argo_namespace]

    return Lab()


def test_rounds_until_the_sampler_is_satisfied(lab):
    run = lab.run(experiment(search(30, sampler=Walk(7), at_once=3)))
    assert run.succeeded
    assert lab.begun() == list(range(7))
    assert [point.values["n"] for point in run.results.points] == list(range(7))
    assert [trial["loss"] for trial in run.trials] == [n * n for n in range(7)]
    with RunRecord.open(run.record) as record:
        assert [row.points for row in record.workflows()] == [3, 3, 1]
        assert record.facts["inputs"]["parameters"]["n"] == list(range(7))
        assert record.facts["points"] == 7
    assert "7 points" in lab.reporter.said


def test_a_round_writes_what_it_changes(lab, monkeypatch):
    written = {"add_points": 0, "keep_trials": 0}

    def counted(name):
        write = getattr(RunRecord, name)

        def count(record, rows):
            rows = dict(rows) if name == "keep_trials" else list(rows)
            written[name] += len(rows)
            write(record, rows)

        monkeypatch.setattr(RunRecord, name, count)

    counted("add_points")
    counted("keep_trials")
    run = lab.run(experiment(search(6, at_once=1, sampler=Walk(), minimize="loss", n=(0, 9))))
    assert len(run.trials) == 6
    assert written["add_points"] <= 2 * 6
    # A trial is written once with the outputs of its tasks and once with the values of the objectives.
    assert written["keep_trials"] <= 2 * 6


def test_the_best_point_is_given(lab):
    run = lab.run(experiment(search(8, at_once=4, seed=1, minimize="loss", n=range(-20, 21))))
    assert run.best["loss"] == min(trial["loss"] for trial in run.trials)
    assert any(line.startswith("best: loss ") for line in lab.reporter.said)


def test_a_point_that_fails_is_told_as_failed(lab):
    run = lab.run(experiment(search(9, sampler=Walk(6), at_once=3), "test $n != 4 || exit 3; echo 1 > /tmp/loss"))
    assert run.succeeded, "one failure is a result, too"
    assert [trial.status for trial in run.trials] == ["Succeeded"] * 4 + ["Failed", "Succeeded"]
    assert [point.status for point in run.results.points][4] == "Failed"
    assert "4 failed, and the sampler was told so: main: Error (exit code 3)" in lab.reporter.said
    assert "6 points, 1 failed" in lab.reporter.said
    with ArgoClient(connect(lab.engine().context)) as client:
        assert load_run(client, run.name, [run.record.parent]).phase == "Succeeded"


def test_a_search_without_any_result_fails_soon(lab):
    with pytest.raises(RunFailed, match="points are not done"):
        lab.run(experiment(search(50, sampler=Walk(), at_once=3), "exit 3"))
    assert len(lab.begun()) == 6


def test_a_value_that_is_no_number_counts_as_failed(lab):
    run = lab.run(
        experiment(
            search(4, at_once=4, minimize="loss", n=range(4)),
            "test $n = 2 && echo nan > /tmp/loss || echo 5 > /tmp/loss",
        )
    )
    assert run.succeeded
    assert sorted(trial.status for trial in run.trials) == ["Failed", "Succeeded", "Succeeded", "Succeeded"]
    assert any("counts as failed, because loss is nan" in line for line in lab.reporter.said)


def test_what_is_not_there_or_no_number_is_one_sentence(lab):
    with pytest.raises(SettingsError, match="has an output `cost`, which the search looks at; its outputs are: loss"):
        lab.run(experiment(search(4, minimize="cost", n=range(9))))
    with pytest.raises(SettingsError, match="`loss` of the point . is 'much', which is not a number"):
        lab.run(experiment(search(4, minimize="loss", n=range(9)), "echo much > /tmp/loss"))
    begun = len(lab.begun())
    with pytest.raises(SettingsError, match="is 'much'"):
        lab.run(experiment(search(4, minimize="loss", n=range(9)), "echo much > /tmp/loss"), resume=True)
    assert len(lab.begun()) == begun, "the answer is known"


def test_more_points_later_compute_only_these(lab):
    first = lab.run(experiment(search(6, at_once=2, seed=5, minimize="loss", n=range(-99, 100))))
    assert len(lab.begun()) == 6
    plan = lab.engine().plan(experiment(search(10, at_once=2, seed=5, minimize="loss", n=range(-99, 100))), resume=True)
    assert plan.lines()[1].startswith("8 of at most 10 points are known")
    assert plan.lines()[2].startswith("6 points are done already, 2 will run")
    assert plan.as_json()["search"]["sampler"] == "tpe"
    run = lab.run(experiment(search(10, at_once=2, seed=5, minimize="loss", n=range(-99, 100))), resume=True)
    assert run.name != first.name
    assert len(lab.begun()) == 10
    assert run.trials[:6] == first.trials
    again = lab.run(experiment(search(10, at_once=2, seed=5, minimize="loss", n=range(-99, 100))), resume=True)
    assert again.name == run.name
    assert again.best == run.best
    assert len(lab.begun()) == 10
    assert "all 10 points are done already: nothing to run" in lab.reporter.said


def test_points_of_an_ordinary_sweep_are_known(lab):
    lab.run(experiment(grid(n=[0, 1, 2])))
    run = lab.run(experiment(search(9, sampler=Walk(5), at_once=5)), resume=True)
    assert lab.begun() == list(range(5))
    assert [trial["loss"] for trial in run.trials] == [0, 1, 4, 9, 16]


def test_a_change_of_code_computes_anew(lab):
    lab.run(experiment(search(9, sampler=Walk(4), at_once=2)))
    run = lab.run(experiment(search(9, sampler=Walk(4), at_once=2), "echo $((n + 1)) > /tmp/loss"), resume=True)
    assert [trial["loss"] for trial in run.trials] == [1, 2, 3, 4]
    assert len(lab.begun()) == 8


def stopped_after(rounds, monkeypatch):
    """The next run is left as Ctrl-C leaves it, when so many rounds have been told."""
    told = []
    settle = search_session.SearchSession._settle_round

    def settled(self):
        settle(self)
        told.append(1)
        if len(told) == rounds:
            raise KeyboardInterrupt

    monkeypatch.setattr(search_session.SearchSession, "_settle_round", settled)
    return lambda: monkeypatch.setattr(search_session.SearchSession, "_settle_round", settle)


def test_a_search_that_was_left_goes_on_under_its_name(lab, monkeypatch):
    go_on = stopped_after(2, monkeypatch)
    what = experiment(search(30, sampler=Walk(9), at_once=2), "test $n != 1 || exit 3; echo 1 > /tmp/loss")
    with contextlib.suppress(BaseException):
        lab.run(what)
    go_on()
    assert len(lab.begun()) == 4
    plan = lab.engine().plan(what, resume=True)
    assert plan.lines()[1].startswith("6 of at most 30 points are known")
    assert plan.to_run == 2, "the point that failed is known"
    run = lab.run(what, resume=True)
    assert len(lab.records()) == 1
    assert lab.begun() == list(range(9)), "also the point that failed, as its sampler was told, is not asked twice"
    assert run.succeeded
    assert [trial.status for trial in run.trials][:3] == ["Succeeded", "Failed", "Succeeded"]


def test_rounds_that_are_one_unit_go_on_too(lab, monkeypatch):
    what = experiment(search(30, sampler=Walk(7), at_once=2), "test $n != 1 || exit 3; echo 1 > /tmp/loss")
    define = what.workflow

    def unit(environment, inputs, layout):
        document = define(environment, inputs, layout).to_dict()
        (dag,) = (template for template in document["spec"]["templates"] if template.get("dag"))
        read = f"{{{{tasks.{dag['dag']['tasks'][0]['name']}.outputs.parameters.loss}}}}"
        dag["outputs"] = {"parameters": [{"name": "first", "valueFrom": {"parameter": read}}]}
        return document

    what = replace(what, workflow=unit)
    assert lab.engine().plan(what).estimate.ownership.unit_reason.startswith("the workflow answers")
    go_on = stopped_after(2, monkeypatch)
    with contextlib.suppress(BaseException):
        lab.run(what)
    go_on()
    assert lab.begun() == [0, 1, 2, 3]
    run = lab.run(what, resume=True)
    assert run.succeeded
    assert lab.begun() == list(range(7))
    assert [trial.status for trial in run.trials] == ["Succeeded", "Failed", *["Succeeded"] * 5]


def test_a_sampler_that_asks_otherwise_is_another_run(lab, monkeypatch):
    go_on = stopped_after(2, monkeypatch)
    with contextlib.suppress(BaseException):
        lab.run(experiment(search(30, sampler=Walk(9), at_once=2)))
    go_on()
    (left,) = lab.records()
    run = lab.run(experiment(search(30, sampler=Walk(9, start=2), at_once=2)), resume=True)
    assert run.record != left
    assert any(
        f"{left.name} stays unfinished, because its sampler asks for other points" in line for line in lab.reporter.said
    )
    assert lab.begun() == list(range(9)), "what the other run computed is known"
    assert json.loads((left / "run.json").read_text())["phase"] == "Failed"


def test_gather_has_the_points_that_gave_a_result(lab):
    def gather(environment, inputs, layout):
        with Workflow(generate_name="walk-", entrypoint="sum") as w:
            numbers = " ".join(str(point.n) for point in inputs.points)
            Container(name="sum", image="alpine:3", command=["sh", "-c"], args=[f"echo {numbers} > /tmp/all"],
                      outputs=[Parameter(name="all", value_from=ValueFrom(path="/tmp/all"))])  # fmt: skip
        return w

    what = experiment(search(9, sampler=Walk(5), at_once=2), "test $n != 3 || exit 3; echo 1 > /tmp/loss", gather)
    run = lab.run(what)
    assert run["sum"].outputs["all"] == "0 1 2 4"
    assert lab.run(what, resume=True).succeeded, "the point that failed runs again when the run is over"
    assert lab.begun() == [0, 1, 2, 3, 3, 4]


SLOW = "for s in 0 1 2 3 4 5 6 7 8 9; do echo hera-utils: step $s value $((n * 10 + 9 - s)) >&2; sleep 0.15; done; echo $n > /tmp/loss"


class Stops(Walk):
    """Points with a large n are not worth their end."""

    def prune(self, point, steps):
        return point.n >= 3 and max(steps) >= 2


def test_points_that_promise_too_little_are_stopped(lab):
    run = lab.run(experiment(search(9, sampler=Stops(5), at_once=5), SLOW, layout=None))
    assert run.succeeded
    assert [trial.status for trial in run.trials] == ["Succeeded"] * 3 + ["Pruned"] * 2
    assert [max(trial.steps) for trial in run.trials] == [9, 9, 9, 2, 2]
    assert [point.status for point in run.results.points] == ["Succeeded"] * 3 + ["Pruned"] * 2
    assert run.results.failures == ()
    assert "5 points, 2 pruned" in lab.reporter.said
    again = lab.run(experiment(search(9, sampler=Stops(6), at_once=5), SLOW), resume=True)
    assert lab.begun() == list(range(6)), "a point that was stopped is known"
    assert [trial.status for trial in again.trials] == ["Succeeded"] * 3 + ["Pruned"] * 3


def test_a_search_that_somebody_stops_ends(lab, local_platform):
    what = experiment(search(30, sampler=Walk(20), at_once=2), "test $n -lt 4 || sleep 60; echo 1 > /tmp/loss")
    runs = []
    running = threading.Thread(target=lambda: runs.append(lab.engine().run(what, check=False)))
    running.start()
    until(lambda: len(lab.begun()) >= 6)
    (record,) = lab.records()
    local_platform.client.act(f"{record.name}-3", "stop")
    running.join(60)
    (run,) = runs
    assert run.phase == "Failed"
    assert len(run.trials) == 4, "the sampler was not told of what was stopped"
    assert lab.begun() == list(range(6))
    assert f"{record.name}-3 was stopped, so the search ends here" in lab.reporter.said


def test_what_is_one_unit_cannot_be_stopped_point_by_point(lab):
    what = experiment(search(9, sampler=Stops(5), at_once=5))
    define = what.workflow

    def unit(environment, inputs, layout):
        w = define(environment, inputs, layout)
        document = w.to_dict()
        for task in document["spec"]["templates"][-1]["dag"]["tasks"]:
            task.pop("arguments")
        return document

    with pytest.raises(UnsupportedError, match="cannot be stopped one by one"):
        lab.engine(no_preflight=True).run(replace(what, workflow=unit))


def test_a_test_of_its_user_plays_the_tasks(local_platform):
    seen = []

    def work(n, **_):
        seen.append(int(n))
        return {"loss": str((int(n) - 3) ** 2)}

    run = local_platform.run(experiment(search(12, at_once=4, minimize="loss", n=range(12))), replace={"work": work})
    assert run.succeeded
    assert run.best.point.n == 3
    assert len(seen) == len(set(seen)) == len(run.trials)


def test_it_can_be_left_and_followed(lab):
    what = experiment(search(30, sampler=Walk(5), at_once=2))
    name = lab.engine().submit(what)
    run = lab.engine().follow(what)
    assert run.name == name
    assert lab.begun() == list(range(5))
