"""Running what is not done: every reason for which a point runs again, and that nothing else does. On the real local platform."""

import json
import os
import shutil
import sqlite3
import sys
import venv
from types import SimpleNamespace

import pytest
from hera.workflows import DAG, Container, ExistingVolume, Parameter, Script, Task, Workflow
from hera.workflows.models import TemplateRef, ValueFrom

from hera_utils import ExecutionEngine, Experiment, Inputs, Layout, RunFailed, SettingsError, grid
from hera_utils.execution.cautions import warn_of_unusable_records
from hera_utils.execution.fingerprints import is_rest_unchanged
from hera_utils.execution.flags import RunOptions
from hera_utils.execution.reporter import ConsoleReporter
from hera_utils.execution.run_facts import script_folder
from hera_utils.experiment.declarations import reads, writes
from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.runs.failure_summary import last_lines_of_failures
from hera_utils.runs.record import DONE, RunRecord, records
from hera_utils.runs.script_places import ScriptPlaces
from hera_utils.watch.follow import follow

ENVIRONMENT = Environment(persisted_volume=PersistedVolume("sweep", mount_path="/sweep"))


class Files(Layout):
    @writes
    def square(self, n):
        return self.path("squares", n)

    @reads
    def table(self):
        return self.path("inputs", "table.txt")


def mounted(environment):
    volume = environment.persisted_volume
    return [ExistingVolume(name="sweep", claim_name=volume.claim_name, mount_path=volume.mount_path)]


def square(environment, image="alpine:3", code="mkdir -p /sweep/squares", digits=3):
    """Append a line to the point's file; a point that runs twice has two."""
    n = "{{inputs.parameters.n}}"
    return Container(
        name="square",
        image=image,
        command=["sh", "-c"],
        args=[f"test ! -e /sweep/fail-{n} || exit 3; {code}; echo $(({n} * {n})) >> /sweep/squares/{n}"],
        inputs=[Parameter(name="n"), Parameter(name="digits", value=digits)],
        volumes=mounted(environment),
    )


def loop(environment, inputs, layout, **code):
    with Workflow(generate_name="loop-", entrypoint="dag") as w:
        template = square(environment, **code)
        with DAG(name="dag", fail_fast=False):
            Task(name="square", template=template, arguments={"n": "{{item}}"}, with_items=inputs.parameters.n)
    return w


def task_a_point(environment, inputs, layout):
    with Workflow(generate_name="tasks-", entrypoint="dag") as w:
        template = square(environment)
        with DAG(name="dag", fail_fast=False):
            for point in inputs.points:
                Task(name=f"square-{point.name}", template=template, arguments=point.arguments)
    return w


def gather(environment, inputs, layout):
    with Workflow(generate_name="loop-", entrypoint="count") as w:
        Container(
            name="count",
            image="alpine:3",
            command=["sh", "-c"],
            args=["ls /sweep/squares | wc -l | tr -d ' \\n' > /tmp/total; echo >> /sweep/gathered"],
            outputs=[Parameter(name="total", value_from=ValueFrom(path="/tmp/total"))],
            volumes=mounted(environment),
        )
    return w


def experiment(define=loop, n=(1, 2, 3), **more):
    more.setdefault("name", "squares")
    return Experiment(workflow=define, inputs=Inputs(parameters=grid(n=list(n))), environment=ENVIRONMENT, **more)


@pytest.fixture
def lab(local_platform, tmp_path):
    local_platform.context.runs = str(tmp_path / "runs")
    engine = ExecutionEngine(local_platform.context)

    def ran():
        folder = local_platform.claim("sweep") / "squares"
        return {int(file.name): len(file.read_text().split()) for file in folder.iterdir()} if folder.exists() else {}

    def why(one):
        names = {point.id: point.n for point in one.inputs.points}
        return {names[point]: text for point, text in engine.plan(one, resume=True).decisions.run.items()}

    return SimpleNamespace(
        engine=engine,
        ran=ran,
        why=why,
        claim=local_platform.claim("sweep"),
        runs=tmp_path / "runs",
        client=local_platform.client,
    )


@pytest.mark.parametrize("define", [loop, task_a_point])
def test_a_value_more_runs_the_new_point_alone(lab, define):
    first = lab.engine.run(experiment(define))
    assert (first.succeeded, first.points, first.undone) == (True, 3, 0)
    assert lab.why(experiment(define, n=(1, 2, 3, 4))) == {4: "new"}
    said = lab.engine.plan(experiment(define, n=(1, 2, 3, 4)), resume=True).as_json()
    assert ([one["values"] for one in said["run"]], len(said["done"]), said["running"]) == ([{"n": 4}], 3, [])
    assert said["run"][0]["why"] == "new"
    second = lab.engine.run(experiment(define, n=(1, 2, 3, 4)), resume=True)
    assert second.succeeded
    assert lab.engine.collect().link == second.link, (
        "its page is its own, not that of the run whose points it took over"
    )
    assert lab.ran() == {1: 1, 2: 1, 3: 1, 4: 1}
    assert [point.status for point in second.results.points] == [DONE] * 4
    third = lab.engine.run(experiment(define, n=(1, 2, 3, 4)), resume=True)
    assert third.name == second.name, "nothing was left to run: it is the run before"
    lab.engine.run(experiment(define))
    assert lab.ran() == {1: 2, 2: 2, 3: 2, 4: 1}, "without resume every point runs"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ({"code": "mkdir -p /sweep/squares; true"}, "code of square changed"),
        ({"image": "alpine:3.20"}, "image of square changed"),
        ({"digits": 4}, "argument square.digits changed"),
    ],
)
def test_what_changed_is_told_and_runs_again(lab, code, why):
    lab.engine.run(experiment())

    def changed(environment, inputs, layout):
        return loop(environment, inputs, layout, **code)

    assert lab.why(experiment(changed)) == dict.fromkeys((1, 2, 3), why)
    lab.engine.run(experiment(changed), resume=True)
    assert lab.ran() == {1: 2, 2: 2, 3: 2}
    assert lab.why(experiment(changed)) == {}
    assert lab.why(experiment()) == dict.fromkeys((1, 2, 3), why), "what is there was made by the other code"


def square_file(lab, n):
    return lab.claim / "squares" / str(n)


def test_a_file_that_was_cut_or_changed_is_not_done(lab):
    made = experiment(layout=Files)
    lab.engine.run(made)
    square_file(lab, 1).write_text("")
    square_file(lab, 2).write_text("8\n")
    assert lab.why(made) == {
        1: "output changed: squares/1 (2 bytes before, 0 now)",
        2: "output changed: squares/2 (of the same size)",
    }
    lab.engine.run(made, resume=True)
    assert lab.why(made) == {}, "what ran again is known by what it wrote now"


def test_declared_files_that_no_task_wrote_are_told_when_the_run_succeeds(lab, capsys):
    def unmounted(environment, inputs, layout):
        made = loop(environment, inputs, layout)
        made.templates[0].volumes = None
        return made

    lab.engine.reporter = ConsoleReporter()
    assert lab.engine.run(experiment(layout=Files)).succeeded
    assert "output missing" not in capsys.readouterr().out
    shutil.rmtree(lab.claim / "squares")
    assert lab.engine.run(experiment(unmounted, layout=Files)).succeeded
    said = capsys.readouterr().out
    assert "output missing: squares/1 and 2 more: the layout declares it, and it is not in the claim sweep" in said
    assert "at /sweep?" in said
    assert lab.engine.run(experiment(layout=Files), resume=True).succeeded
    assert "output missing" not in capsys.readouterr().out.split("Succeeded")[-1]


def test_a_change_is_seen_though_the_time_was_set_back(lab):
    made = experiment(layout=Files)
    lab.engine.run(made)
    file = square_file(lab, 1)
    times = file.stat()
    file.write_text("8\n")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert lab.why(made) == {1: "output changed: squares/1 (of the same size)"}


def test_a_copy_of_an_output_is_the_output(lab):
    made = experiment(layout=Files, n=(1, 2, 3))
    lab.engine.run(made)
    file = square_file(lab, 1)
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    file.touch()
    assert lab.why(made) == {}
    second = lab.engine.run(experiment(layout=Files, n=(1, 2, 3, 4)), resume=True)
    with RunRecord.open(second.record) as record:
        known = record.outputs()
    assert len(known) == 4, "also of the points that were taken over"
    by_point = {point: files for point, files in known.items() if "squares/1" in files}
    (facts,) = (files["squares/1"] for files in by_point.values())
    assert facts.stamp.endswith(f":{file.stat().st_ino}"), "as it is known from now on"


def test_a_record_without_facts_of_outputs_believes_that_they_exist(lab):
    made = experiment(layout=Files)
    record = records_without_outputs(lab.engine.run(made).record)
    square_file(lab, 1).write_text("cut")
    assert lab.why(made) == {}
    square_file(lab, 1).unlink()
    assert lab.why(made) == {1: "output missing: squares/1"}
    assert record.is_dir()


def records_without_outputs(folder):
    """The record as an older version would have written it."""
    with sqlite3.connect(folder / "points.sqlite") as base:
        base.execute("drop table outputs")
    base.close()
    return folder


def test_what_an_older_record_does_not_say_is_assumed_once(lab, own_python):
    own_python("measure", "1.0")
    made, more = (python_script("import measure\nprint(measure.version)", n=n) for n in ((1, 2), (1, 2, 3)))
    old = lab.engine.run(made).record
    with sqlite3.connect(old / "points.sqlite") as base:  # an older version wrote all packages in one mapping
        for point, fingerprint in base.execute("select id, fingerprint from points").fetchall():
            parts = json.loads(fingerprint) | {"python": "of-all"}
            base.execute(
                "update points set fingerprint = ? where id = ?", (json.dumps(parts, separators=(",", ":")), point)
            )
        base.execute("insert into fingerprints values ('of-all', ?)", (json.dumps({"measure": "0.9"}),))
    base.close()
    plan = lab.engine.plan(made, resume=True)
    assert (plan.to_run, len(plan.decisions.done)) == (0, 2), "another Python's packages are not in an older record"
    assert (
        plan.lines()[-1]
        == "assumed of 2 points of older records: the Python of their tasks is of the version that it was"
    )
    assert lab.engine.run(more, resume=True).succeeded
    plan = lab.engine.plan(made, resume=True)
    assert (dict(plan.decisions.run), plan.decisions.assumed) == ({}, ()), "the next run has written it down"
    own_python("measure", "2.0")
    assert lab.why(made) == dict.fromkeys((1, 2), "python package measure changed")
    assert "  python package measure: 1.0 → 2.0 (2 points)" in lab.engine.plan(made, resume=True).lines(explain=True)


class Gathered(Files):
    @writes
    def count(self):
        return self.path("gathered")


def test_what_was_gathered_and_has_changed_is_gathered_again(lab):
    made = experiment(layout=Gathered, gather=gather)
    first = lab.engine.run(made)
    gathered = lab.claim / "gathered"
    assert gathered.read_text() == "\n"
    assert lab.engine.run(made, resume=True).name == first.name
    gathered.write_text("")
    second = lab.engine.run(made, resume=True)
    assert (second.succeeded, gathered.read_text()) == (True, "\n")
    assert lab.ran() == {1: 1, 2: 1, 3: 1}, "no point ran again"


def test_what_is_done_can_be_kept_though_its_code_changed(lab):
    (lab.claim / "fail-2").touch()
    with pytest.raises(RunFailed):
        lab.engine.run(experiment())
    (lab.claim / "fail-2").unlink()

    def mended(environment, inputs, layout):
        return loop(environment, inputs, layout, code="mkdir -p /sweep/squares; true")

    assert sorted(lab.why(experiment(mended))) == [1, 2, 3]
    lab.engine.options = RunOptions(keep_done=True)
    assert list(lab.why(experiment(mended))) == [2]
    lab.engine.run(experiment(mended), resume=True)
    assert lab.ran() == {1: 1, 2: 1, 3: 1}
    with pytest.raises(SettingsError, match="without --resume every point runs"):
        lab.engine.run(experiment(mended))
    lab.engine.options = RunOptions()
    assert sorted(lab.why(experiment(mended))) == [1, 3], "they are still the older code's"


def test_files_that_the_layout_declares(lab):
    one = experiment(layout=Files)
    (lab.claim / "inputs").mkdir()
    (lab.claim / "inputs" / "table.txt").write_text("a")
    lab.engine.run(one)
    assert lab.why(one) == {}
    (lab.claim / "squares" / "2").unlink()
    assert lab.why(one) == {2: "output missing: squares/2"}
    (lab.claim / "inputs" / "table.txt").write_text("b")
    assert lab.why(one)[1] == "input file inputs/table.txt changed"
    lab.engine.run(one, resume=True)
    assert lab.ran() == {1: 2, 2: 1, 3: 2}
    assert lab.why(one) == {}


def test_points_that_failed_run_again_and_gather_waits_for_all(lab):
    one = experiment(gather=gather)
    (lab.claim / "fail-2").touch()
    with pytest.raises(RunFailed, match="1 of 3 points are not done") as caught:
        lab.engine.run(one)
    assert "continue with: engine.run(experiment, resume=True)" in caught.value.fix, "no flag: nobody typed a command"
    assert not (lab.claim / "gathered").exists()
    assert list(lab.why(one)) == [2]
    assert "it ended as Failed in loop-" in lab.why(one)[2]
    (lab.claim / "fail-2").unlink()
    run = lab.engine.run(one, resume=True)
    assert run["count"].outputs["total"] == "3"
    assert lab.ran() == {1: 1, 2: 1, 3: 1}
    again = lab.engine.run(one, resume=True)
    assert (again.name, again["count"].outputs["total"]) == (run.name, "3")
    assert (lab.claim / "gathered").read_text() == "\n"


def test_a_gather_that_fails_is_told_with_its_last_lines_and_runs_alone_when_resumed(lab):
    def failing(environment, inputs, layout):
        with Workflow(generate_name="loop-", entrypoint="count") as w:
            Container(name="count", image="alpine:3", command=["sh", "-c"], args=["echo no table >&2; exit 4"])
        return w

    with pytest.raises(RunFailed) as caught:
        lab.engine.run(experiment(gather=failing))
    assert "gather again with: engine.run(experiment, resume=True)" in caught.value.fix
    run = lab.engine.run(experiment(gather=failing, n=(1, 2, 3, 4)), check=False)
    assert run.outcome.failures[0].workflow == f"{run.name}-gather"
    places = ScriptPlaces([run.workflow])
    assert list(last_lines_of_failures(lab.client, run.outcome, places).values()) == [["no table"]]
    before = lab.ran()
    assert lab.engine.run(experiment(gather=gather, n=(1, 2, 3, 4)), resume=True)["count"].outputs["total"] == "4"
    assert lab.ran() == before


def test_what_was_retried_by_hand_is_done(lab):
    one = experiment()
    (lab.claim / "fail-2").touch()
    run = lab.engine.run(one, check=False)
    (lab.claim / "fail-2").unlink()
    lab.client.act(run.name, "retry")
    again = lab.engine.run(one, resume=True)
    assert again.succeeded
    assert lab.ran() == {1: 1, 2: 1, 3: 1}
    assert len(records(lab.runs)) == 1, "it was the same run"


def test_plan_knows_what_ended_after_its_process(lab):
    one = experiment(layout=Files)
    (lab.claim / "fail-2").touch()
    name = lab.engine.submit(one)
    follow(lab.client, name)
    why = lab.why(one)
    assert (list(why), "it ended as Failed in" in why[2]) == ([2], True)
    with RunRecord.open(lab.runs / name) as record:
        assert record.counts_by_status() == {"Submitted": 3}, "a plan changes no record"


def test_plan_knows_what_was_retried_by_hand(lab):
    one = experiment(layout=Files)
    (lab.claim / "fail-2").touch()
    run = lab.engine.run(one, check=False)
    (lab.claim / "fail-2").unlink()
    lab.client.act(run.name, "retry")
    follow(lab.client, run.name)
    assert lab.why(one) == {}


def test_a_record_that_is_gone_means_that_all_runs(lab):
    import shutil

    lab.engine.run(experiment())
    shutil.rmtree(lab.runs)
    assert lab.why(experiment()) == dict.fromkeys((1, 2, 3), "new")


def test_records_of_another_place_are_told(lab):
    """A folder with its runs/ came from another machine, whose state folder is not ours: that all runs again must not be a riddle."""
    lab.engine.run(experiment())
    (folder,) = records(lab.runs)
    facts = json.loads((folder / "run.json").read_text())
    assert warn_of_unusable_records(lab.runs, facts) == []
    here = {**facts, "state": "/home/ours/state"}
    (told,) = warn_of_unusable_records(lab.runs, here)
    assert (
        told
        == f"1 run of this experiment in runs/ is of another place (state {facts['state']}): no point of theirs counts as done"
    )
    assert warn_of_unusable_records(lab.runs, {**here, "key": "other"}) == []


def test_a_damaged_record_is_no_record(lab):
    lab.engine.run(experiment())
    (folder,) = records(lab.runs)
    (folder / "points.sqlite").write_bytes(b"no database at all" * 100)
    assert set(lab.why(experiment())) == {1, 2, 3}
    facts = json.loads((folder / "run.json").read_text())
    assert warn_of_unusable_records(lab.runs, facts) == [
        f"the record of {folder.name} cannot be read: its points count as not done"
    ]
    lab.engine.run(experiment(), resume=True)
    assert lab.why(experiment()) == {}


def test_other_experiments_and_platforms_know_nothing_of_it(lab, local_platform):
    lab.engine.run(experiment())
    assert set(lab.why(experiment(name="another"))) == {1, 2, 3}
    local_platform.context.argo_namespace = "elsewhere"
    assert set(lab.why(experiment())) == {1, 2, 3}


def test_a_workflow_with_a_fan_in_is_resumed_but_never_split(lab, monkeypatch):
    def fan_in(environment, inputs, layout):
        with Workflow(generate_name="fan-", entrypoint="dag") as w:
            template = square(environment)
            last = Container(
                name="last",
                image="alpine:3",
                command=["sh", "-c"],
                args=["echo >> /sweep/last"],
                volumes=mounted(environment),
            )
            with DAG(name="dag"):
                Task(
                    name="square", template=template, arguments={"n": "{{item}}"}, with_items=inputs.parameters.n
                ) >> Task(name="last", template=last)
        return w

    lab.engine.run(experiment(fan_in))
    made = lab.engine.plan(experiment(fan_in, n=(1, 2, 3, 4)), resume=True)
    assert "never split: the task `last` comes after the points" in "\n".join(made.lines(explain=True))
    lab.engine.run(experiment(fan_in, n=(1, 2, 3, 4)), resume=True)
    assert lab.ran() == dict.fromkeys((1, 2, 3, 4), 1)
    assert len((lab.claim / "last").read_text()) == 2, "the fan-in runs after the new point"
    lab.engine.run(experiment(fan_in, n=(1, 2, 3, 4)), resume=True)
    assert len((lab.claim / "last").read_text()) == 2
    lab.engine.run(experiment(fan_in, n=(1, 2, 3)), resume=True)
    assert lab.ran() == dict.fromkeys((1, 2, 3, 4), 1)


def test_what_comes_after_the_points_runs_again_when_its_code_has_changed(lab):
    def fan_in(word):
        def define(environment, inputs, layout):
            with Workflow(generate_name="fan-", entrypoint="dag") as w:
                template = square(environment)
                last = Container(
                    name="last",
                    image="alpine:3",
                    command=["sh", "-c"],
                    args=[f"echo {word} >> /sweep/last"],
                    volumes=mounted(environment),
                )
                with DAG(name="dag"):
                    task = Task(
                        name="square", template=template, arguments={"n": "{{item}}"}, with_items=inputs.parameters.n
                    )
                    task >> Task(name="last", template=last)
            return w

        return experiment(define)

    lab.engine.run(fan_in("one"))
    lab.engine.run(fan_in("one"), resume=True)
    lab.engine.run(fan_in("two"), resume=True)
    assert (lab.claim / "last").read_text().split() == ["one", "two"]
    assert lab.ran() == {1: 1, 2: 1, 3: 1}, "the points themselves have not changed"


def test_the_rest_of_an_older_record_is_its_document():
    assert is_rest_unchanged("abc", "abc+def")
    assert not is_rest_unchanged("abc", "abd+def")
    assert not is_rest_unchanged("abc+def", "abc+deg")


def test_one_unit_runs_whole(lab):
    def chained(environment, inputs, layout):
        with Workflow(generate_name="chain-", entrypoint="dag") as w:
            say = Script(name="say", image="python:3.11", source=lambda n: print(n), inputs=[Parameter(name="n")])
            with DAG(name="dag"):
                first = Task(name="a", template=say, arguments={"n": 1})
                Task(name="b", template=say, arguments={"n": 2})
                sum_up = Task(name="c", template=say, arguments={"n": "{{tasks.a.outputs.result}}"})
                first >> sum_up
        return w

    one = experiment(chained, n=(1, 2))
    assert "one unit, runs as a whole: the task `c` reads the output of `a`" in lab.engine.plan(one).lines()[1]
    lab.engine.run(one)
    assert lab.why(one) == {}
    assert set(lab.why(experiment(chained, n=(1, 2, 3)))) == {1, 2, 3}


def test_points_that_failed_are_those_whose_tasks_did(lab):
    """Also where a task takes its parameters as one mapping, and where the workflow is one unit."""

    def fit(environment, inputs, layout, unit=False):
        with Workflow(generate_name="fit-", entrypoint="dag") as w:
            source = "import json; given = json.loads('{{inputs.parameters.options}}')\nassert given['depth'] != 2\nprint(given)\n"
            source += "open('/tmp/depth', 'w').write(str(given['depth']))"
            answer = Parameter(name="depth_out", value_from=ValueFrom(path="/tmp/depth"))
            template = Script(
                name="fit",
                image="python:3.11",
                command=["python"],
                source=source,
                inputs=[Parameter(name="options")],
                outputs=[answer],
            )
            with DAG(name="dag", fail_fast=False):
                tasks = [
                    Task(name=f"fit-{point.name}", template=template, arguments={"options": dict(point.arguments)})
                    for point in inputs.points
                ]
                if unit:
                    read = {"options": "{{tasks." + tasks[0].name + ".outputs.parameters.depth_out}}"}
                    tasks[0] >> Task(name="after", template=template, arguments=read, when="false")
        return w

    def one(unit):
        return Experiment(
            workflow=lambda *given: fit(*given, unit=unit),
            inputs=Inputs(parameters=grid(depth=[None, 1, 2])),
            name=f"fit{unit}",
        )

    for unit in (False, True):
        with pytest.raises(RunFailed, match=r"1 of 3 points are not done"):
            lab.engine.run(one(unit))
        run = lab.engine.collect()
        assert {point.values["depth"]: point.status for point in run.results.points} == {
            None: "Succeeded",
            1: "Succeeded",
            2: "Failed",
        }
        assert [point.outputs.get("depth_out") for point in run.results.points] == ["None", "1", None]


# --- runs of several workflows ------------------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch):
    """Workflows of at most three points, two at once."""
    from hera_utils.execution import batches

    monkeypatch.setattr(
        batches, "HERE", batches.Limits(bytes=100_000, nodes=3, in_flight=2, most=100_000, elements=1000)
    )


@pytest.mark.parametrize("define", [loop, task_a_point])
def test_a_split_run_is_one_run(lab, small_parts, define):
    one = experiment(define, n=range(10), gather=gather)
    (line,) = lab.engine.plan(one).lines()
    assert line.startswith("10 points (10 n) → 11 pods, about 4 workflows of at most ")
    run = lab.engine.run(one)
    assert run.succeeded
    assert lab.ran() == dict.fromkeys(range(10), 1)
    assert run["count"].outputs["total"] == "10"
    found = lab.client.list(selector=f"hera-utils/run={run.name}")
    assert sorted(one["metadata"]["name"] for one in found) == [
        *(f"{run.name}-{n}" for n in range(1, 5)),
        f"{run.name}-gather",
    ]
    assert len(run.results.points) == 10
    assert {point.status for point in run.results.points} == {DONE}
    assert lab.engine.collect().name == run.name


def test_a_definition_that_ignores_what_it_is_given(lab, small_parts):
    every = Inputs(parameters=grid(n=list(range(10))))

    def stubborn(environment, inputs, layout):
        return loop(environment, every, layout)

    run = lab.engine.run(experiment(stubborn, n=range(10)))
    assert run.succeeded
    assert lab.ran() == dict.fromkeys(range(10), 1)


def test_a_run_stops_after_two_failed_workflows(lab, small_parts):
    for n in range(12):
        (lab.claim / f"fail-{n}").touch()
    run = lab.engine.run(experiment(n=range(12)), check=False)
    assert not run.succeeded
    assert run.undone == 12
    assert len(lab.client.list(selector=f"hera-utils/run={run.name}")) < 4, (
        "one may have been sent when the first had ended"
    )


def test_submitted_and_followed_later(lab, small_parts, local_platform):
    one = experiment(n=range(10), gather=gather)
    name = lab.engine.submit(one)
    with RunRecord.open(lab.runs / name) as record:
        assert record.counts_by_status() == {"Submitted": 6, "": 4}
        assert record.facts["ended"] is None
    run = ExecutionEngine(local_platform.context).follow(one)
    assert (run.name, run.succeeded, run["count"].outputs["total"]) == (name, True, "10")
    assert lab.ran() == dict.fromkeys(range(10), 1)


def test_cancelled_and_resumed(lab, small_parts):
    def slow(environment, inputs, layout):
        return loop(environment, inputs, layout, code="sleep 30; mkdir -p /sweep/squares")

    name = lab.engine.submit(experiment(slow, n=range(10)))
    assert lab.engine.stop(name) == [f"{name}-1", f"{name}-2"]
    run = lab.engine.run(experiment(n=range(10)), resume=True)
    assert (run.name, run.succeeded) == (name, True)
    assert lab.ran() == dict.fromkeys(range(10), 1)


def test_a_run_that_was_left_takes_over_what_an_earlier_one_has_done(lab, small_parts):
    """A run that was begun without --resume, stopped and resumed: the points that it had not sent are done from the run before."""
    one = experiment(n=range(10), gather=gather)
    lab.engine.run(one)
    name = lab.engine.submit(one)
    run = lab.engine.run(one, resume=True)
    assert (run.name, run.succeeded, run.undone) == (name, True, 0)
    assert lab.ran() == {**dict.fromkeys(range(6), 2), **dict.fromkeys(range(6, 10), 1)}
    assert run["count"].outputs["total"] == "10"
    assert len(run.results.points) == 10


def test_what_still_runs_is_not_mixed_with_what_changed(lab, small_parts):
    def slow(environment, inputs, layout):
        return loop(environment, inputs, layout, code="sleep 3; mkdir -p /sweep/squares")

    name = lab.engine.submit(experiment(slow, n=range(10)))
    with pytest.raises(
        SettingsError, match=f"6 points of {name} are still running, and since their start: code of square changed"
    ):
        lab.engine.run(experiment(n=range(10)), resume=True)
    lab.engine.stop()


def test_one_process_drives_a_run(lab, small_parts):
    name = lab.engine.submit(experiment(n=range(10)))
    with RunRecord.open(lab.runs / name) as record:
        record.drive()
        with pytest.raises(SettingsError, match="still being run"):
            lab.engine.run(experiment(n=range(10)), resume=True)
    assert lab.engine.run(experiment(n=range(10)), resume=True).name == name


def test_parallelism_is_of_the_whole_run(lab, small_parts):
    lab.engine.context.parallelism = 4
    run = lab.engine.run(experiment(n=range(10)))
    found = lab.client.list(selector=f"hera-utils/run={run.name}")
    assert {one["spec"]["parallelism"] for one in found} == {2}


@pytest.fixture
def own_python(lab, tmp_path):
    """A Python of its own for the tasks, as HERA_UTILS_PYTHON names it; install(package, version) puts a package there."""
    venv.create(tmp_path / "venv", symlinks=True)
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"

    def install(name, version, requires=""):
        for old in packages.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        (packages / f"{name}.py").write_text(f"version = {version!r}\n")
        info = packages / f"{name}-{version}.dist-info"
        info.mkdir()
        wants = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wants}")
        (info / "RECORD").write_text(f"{name}.py,,\n")

    lab.engine.context.python = str(tmp_path / "venv" / "bin" / "python")
    return install


def python_script(source, n=(1,)):
    def define(environment, inputs, layout):
        with Workflow(generate_name="python-", entrypoint="dag") as w:
            command = ["python"]
            say = Script(name="say", image="python:3", command=command, source=source, inputs=[Parameter(name="n")])
            with DAG(name="dag"):
                for point in inputs.points:
                    Task(name=f"say-{point.name}", template=say, arguments=point.arguments)
        return w

    return experiment(define, n=n)


def test_of_the_packages_those_that_the_code_imports_count(lab, own_python):
    own_python("measure", "1.0", requires="units>=1; python_version > '3'")
    own_python("units", "1.0")
    own_python("unrelated", "1.0")
    made = python_script("import measure\nprint(measure.version)")
    run = lab.engine.run(made)
    assert [row.outputs["result"] for row in run.results] == ["1.0"], "the other Python ran it"
    own_python("unrelated", "2.0")
    own_python("more", "1.0")
    assert lab.why(made) == {}
    own_python("units", "2.0")
    assert lab.why(made) == {1: "python package units changed"}, "what an imported package requires"
    own_python("measure", "1.1", requires="units")
    plan = lab.engine.plan(made, resume=True)
    explained = plan.lines(explain=True)
    assert explained[(at := explained.index("since these were computed:")) : at + 3] == [
        "since these were computed:",
        "  python package measure: 1.0 → 1.1",
        "  python package units: 1.0 → 2.0",
    ]


def test_a_package_that_is_installed_in_place_counts_by_its_code(lab, own_python, tmp_path):
    own_python("measure", "1.0")
    own_python("units", "1.0")
    folder = tmp_path / "mine" / "lab_model"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "steps.py").write_text("import units\n\n\ndef value():\n    return 1\n")
    (folder / "unused.py").write_text("import measure\n")
    packages = next((tmp_path / "venv" / "lib").glob("python*")) / "site-packages"
    (packages / "lab_model.pth").write_text(str(tmp_path / "mine"))
    made = python_script("from lab_model.steps import value\nprint(value())")
    run = lab.engine.run(made)
    assert [row.outputs["result"] for row in run.results] == ["1"]
    (folder / "unused.py").write_text("x = 2\n")
    own_python("measure", "2.0")
    assert lab.why(made) == {}, "nobody imports it"
    own_python("units", "2.0")
    assert lab.why(made) == {1: "python package units changed"}, "what its modules import counts as well"
    (folder / "steps.py").write_text("import units  # a comment\n\n\ndef value():\n    return 2\n")
    assert lab.why(made) == {1: "code of lab_model.steps changed, python package units changed"}
    lines = lab.engine.plan(made, resume=True).lines(explain=True)
    assert ("    -    return 1" in lines, "    +    return 2" in lines) == (True, True)


def test_where_the_names_of_modules_are_computed_all_packages_count(lab, own_python):
    own_python("unrelated", "1.0")
    made = python_script("import importlib\nname = 'json'\nimportlib.import_module(name)")
    lab.engine.run(made)
    own_python("unrelated", "2.0")
    assert lab.why(made) == {1: "python package unrelated changed"}


def test_a_stored_template_that_has_changed_runs_its_points_again(lab):
    def library(word):
        lab.client.apply(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "WorkflowTemplate",
                "metadata": {"name": "library"},
                "spec": {
                    "templates": [
                        {
                            "name": "say",
                            "inputs": {"parameters": [{"name": "n"}]},
                            "container": {"image": "alpine:3", "command": ["echo", word]},
                        }
                    ]
                },
            }
        )

    def define(environment, inputs, layout):
        with Workflow(generate_name="refers-", entrypoint="dag") as w, DAG(name="dag"):
            for point in inputs.points:
                Task(
                    name=f"say-{point.name}",
                    template_ref=TemplateRef(name="library", template="say"),
                    arguments=point.arguments,
                )
        return w

    made = experiment(define, n=(1, 2))
    library("one")
    lab.engine.run(made)
    library("one")
    assert lab.why(made) == {}, "it was stored again as it was"
    library("two")
    assert lab.why(made) == dict.fromkeys((1, 2), "referenced template library/say changed")
    said = "\n".join(lab.engine.plan(made, resume=True).lines(explain=True))
    assert '-   "one"' in said
    assert '+   "two"' in said
    lab.engine.run(made, resume=True)
    assert lab.why(made) == {}


def test_modules_beside_the_script_count(tmp_path):
    from hera_utils.provenance.modules import Sources

    (tmp_path / "steps.py").write_text("import shared.tools\n")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "tools.py").write_text("x = 1\n")
    template = {"script": {"command": ["python"], "args": ["-m", "hera.workflows.runner", "-e", "steps:collect"]}}
    before = Sources(tmp_path)(template)
    assert set(before) == {"steps", "shared.tools"}
    (tmp_path / "shared" / "tools.py").write_text("x = 2\n")
    after = Sources(tmp_path)(template)
    assert after["steps"] == before["steps"]
    assert after["shared.tools"] != before["shared.tools"]
    inline = {"script": {"command": ["python"], "source": "import steps, sys\nprint(1)"}}
    assert set(Sources(tmp_path)(inline)) == {"steps", "shared.tools"}
    assert script_folder().is_dir()
    assert sys.modules["__main__"]


def test_modules_of_a_package_count_however_they_are_imported(tmp_path):
    from hera_utils.provenance.modules import Sources

    model = tmp_path / "model"
    (model / "parts").mkdir(parents=True)
    files = {
        "__init__.py": "from .constants import G\n",
        "constants.py": "G = 9.81\n",
        "steps.py": "from . import mesh\nfrom .parts.solver import solve\n",
        "mesh.py": "",
        "parts/__init__.py": "",
        "parts/solver.py": "from ..physics import law\nfrom ....outside import nothing\n",
        "physics.py": "law = 1\n",
        "unused.py": "",
    }
    for name, content in files.items():
        (model / name).write_text(content)
    found = {
        "model",
        "model.constants",
        "model.steps",
        "model.mesh",
        "model.parts",
        "model.parts.solver",
        "model.physics",
    }
    template = {"script": {"command": ["python"], "args": ["-m", "hera.workflows.runner", "-e", "model.steps:collect"]}}
    assert set(Sources(tmp_path)(template)) == found
    inline = {"script": {"command": ["python"], "source": "from model.steps import collect\ncollect()"}}
    before = Sources(tmp_path)(inline)
    assert set(before) == found
    (model / "physics.py").write_text("law = 2\n")
    after = Sources(tmp_path)(inline)
    assert {name for name in after if after[name] != before[name]} == {"model.physics"}
