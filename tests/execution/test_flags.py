"""`--set` and `--inputs`: the same experiment with other values; a layout that cannot be is told before anything is sent."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hera.workflows import DAG, Workflow, script

from hera_utils import (
    ExecutionEngine,
    Experiment,
    Inputs,
    Layout,
    argument_parser,
    grid,
    latin_hypercube,
    reads,
    writes,
)
from hera_utils.errors import LayoutError, NoRun, SettingsError


class ExperimentLayout(Layout):
    @writes
    def table(self, n):
        return self.path("tables", f"{n}.csv")


def define(environment, inputs, layout):
    tasks = [
        {"name": f"n{point.n}", "template": "a", "arguments": {"parameters": [{"name": "n", "value": str(point.n)}]}}
        for point in inputs.points
    ]
    template = {
        "name": "a",
        "inputs": {"parameters": [{"name": "n"}]},
        "container": {"image": "busybox", "command": ["true"]},
    }
    return {
        "metadata": {"generateName": "asked-"},
        "spec": {"entrypoint": "dag", "templates": [{"name": "dag", "dag": {"tasks": tasks}}, template]},
    }


@script(image="python:3.11")
def show(n, city):
    print(n, city)


@pytest.fixture
def experiment():
    return Experiment(
        workflow=define, inputs=Inputs({"city": "Lyon"}, grid(n=[1, 2])), layout=ExperimentLayout, name="asked"
    )


@pytest.fixture
def engine(local_platform, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def engine_(*words):
        settings = ["--state", local_platform.context.state, "--argo_namespace", local_platform.connection.namespace]
        made = ExecutionEngine.from_command_line([*settings, *words])
        return made

    return engine_


def answer(engine, experiment):
    """A flag that asks for no run ends the script with status 0."""
    with pytest.raises(NoRun) as ending:
        engine.run(experiment)
    assert ending.value.code == 0


def test_other_values(engine, experiment, tmp_path):
    assert engine("--set", "n=3,4,5").plan(experiment).points == 3
    file = tmp_path / "other.toml"
    file.write_text("[constants]\ncity = 'Paris'\n[parameters]\nn = [7]\n")
    plan = engine("--inputs", str(file)).plan(experiment)
    assert plan.definition.inputs.constants == {"city": "Paris"}
    assert [point.n for point in plan.points_to_run()] == [7]
    plan = engine("--inputs", str(file), "--set", "n=8,9", "--set", "city=Nice").plan(experiment)
    assert [point.n for point in plan.points_to_run()] == [8, 9], "what is set wins over a file"
    assert plan.definition.inputs.constants == {"city": "Nice"}


def test_a_run_with_other_values(engine, experiment):
    run = engine("--set", "n=3").run(experiment)
    assert [row.inputs for row in run.results] == [{"n": "3"}]


def test_what_does_not_fit_is_told(engine, experiment):
    with pytest.raises(SettingsError, match=r"parameters.n\[0\]: `x` is not a whole number"):
        engine("--set", "n=x").run(experiment)
    with pytest.raises(SettingsError, match="no such input"):
        engine("--set", "m=1").plan(experiment)


def test_the_points_are_listed(engine, experiment, capsys):
    answer(engine("--points", "--set", "n=3,4"), experiment)
    assert capsys.readouterr().out == "2 points: 2 n\n  3  n=3\n  4  n=4\n"


def test_a_script_may_have_such_flags_of_its_own(experiment, monkeypatch):
    parser = argument_parser()
    parser.add_argument("--set", type=int)
    engine = ExecutionEngine.from_command_line(["--set", "3"], parser=parser)
    assert engine.context.set == 3


def test_a_layout_that_cannot_be_is_told_before_anything_is_sent(local_platform, experiment):
    class Faulty(Layout):
        @writes
        def table(self, point):
            return "one.csv"

    faulty = Experiment(workflow=define, inputs=experiment.inputs, layout=Faulty)
    with pytest.raises(LayoutError, match=r"the points 1 and 2 both write `one.csv`"):
        ExecutionEngine(local_platform.context).run(faulty)
    assert local_platform.client.list() == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("grid(n=[1, 1])", "script.py, line 2: the axis `n` has the value 1 twice"),
        ('PersistedVolume("Bad_")', "script.py, line 2: `Bad_` is not a legal name of a claim"),
        ("Inputs(parameters=grid(n=[1])).changed(['m=1'])", "script.py, line 2: m: the experiment has no such input"),
        ("Layout().path('..')", "script.py, line 2: the path part `..` would leave the volume"),
    ],
)
def test_what_an_experiments_files_say_wrongly_is_told_with_its_line(tmp_path, line, message):
    (tmp_path / "script.py").write_text(f"from hera_utils import Inputs, Layout, PersistedVolume, grid\n{line}\n")
    answer = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"hera-utils: {message}")
    assert "\n  fix: " in answer.stderr
    assert len(answer.stderr.splitlines()) == 2


DEFINES = """
from hera.workflows import DAG, Workflow, script
from hera_utils import Experiment, Inputs, grid, main

@script(image="python:3.11")
def show(x):
    print(x)

def define(environment, inputs, layout):
    with Workflow(generate_name="slip-", entrypoint="main") as w, DAG(name="main"):
        for point in inputs.points:
            show(name=NAME, arguments=point.arguments)
    return w

main(Experiment(workflow=define, inputs=Inputs(parameters=grid(x=[1, 2]))))
"""


def planned(folder, name):
    (folder / "script.py").write_text(DEFINES.replace("NAME", name))
    words = [sys.executable, "script.py", "--plan", "--platform", "local"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_a_slip_in_a_point_shows_the_users_lines_and_not_ours(tmp_path):
    answer = planned(tmp_path, "point.xx")
    assert "the point has no value `xx`; it has: x" in answer.stderr
    files = [line for line in answer.stderr.splitlines() if line.startswith("  File ")]
    assert [name for name in files if "hera_utils" in name][
        1:
    ] == []  # only the frame in which the attribute is missing
    assert sum('script.py"' in name for name in files) == 2


def test_two_tasks_of_one_name_are_a_sentence(tmp_path):
    answer = planned(tmp_path, '"same"')
    assert answer.returncode == 2
    assert answer.stderr.startswith("hera-utils: script.py, line 12: two tasks or steps have the name `same`\n  fix: ")


def test_a_sweep_that_is_filtered_away_is_told(engine, experiment):
    nothing = Experiment(workflow=define, inputs=Inputs(None, grid(n=[1, 2]).where(lambda point: point.n > 2)))
    with pytest.raises(SettingsError, match=r"no points left \(0 of \(2 n\)\)"):
        engine().plan(nothing)


def test_the_format_of_a_plan_without_a_plan_is_refused(engine, experiment):
    """It ran, and told so as text."""
    with pytest.raises(SettingsError, match="without --plan the experiment runs"):
        engine("--output", "json").run(experiment)
    answer(engine("--plan", "--output", "json"), experiment)


def test_explaining_a_run_of_every_point_is_refused(engine, experiment):
    """It ran everything and explained nothing."""
    with pytest.raises(SettingsError, match="without --resume every point runs"):
        engine("--explain").run(experiment)
    answer(engine("--plan", "--resume", "--explain"), experiment)


def test_what_a_run_does_that_may_not_be_wanted_is_said_before_it(engine, experiment, capsys):
    answer(engine("--plan", "--set", "city=Paris"), experiment)
    said = capsys.readouterr().out
    assert (
        "the constant `city` is set, and the paths of `table` do not depend on it: this run overwrites the files of"
        in said
    )
    answer(engine("--plan", "--set", "city=Lyon", "--set", "n=3,4"), experiment)
    assert "writes over" not in capsys.readouterr().out, "it is what it was"
    answer(engine("--plan"), replace(experiment, inputs=latin_hypercube(4, n=[1, 2])))
    assert "4 points were requested and 2 differ" in capsys.readouterr().out


def test_tasks_that_cannot_be_told_apart_are_told_before_the_run(engine, experiment, capsys):
    def untold(environment, inputs, layout):
        document = define(environment, inputs, layout)
        for number, task in enumerate(document["spec"]["templates"][0]["dag"]["tasks"]):
            task["arguments"]["parameters"][0]["value"] = f"value number {number}"
        return document

    engine().run(replace(experiment, workflow=untold, name="untold"))
    before, _, _ = capsys.readouterr().out.partition("asked-")
    assert "it is unknown which task belongs to which of the 2 points: no task gets the values of the point 1" in before


def test_a_text_that_an_inline_script_takes_for_a_number_is_told(engine, experiment, capsys):
    def inline(environment, inputs, layout):
        with Workflow(generate_name="asked-", entrypoint="dag") as w, DAG(name="dag"):
            for point in inputs.points:
                show(name=point.name, arguments={**point.arguments, "city": inputs.constants["city"]})
        return w

    one = replace(experiment, workflow=inline, layout=Layout)
    answer(engine("--plan"), replace(one, inputs=Inputs({"city": "Lyon"}, grid(n=["007", "1e3", "x"]))))
    said = capsys.readouterr().out
    assert "the inline script `show` reads the text '1e3' of `n` as 1000.0" in said
    assert "of `city`" not in said
    answer(engine("--plan", "--set", "city=null"), replace(one, inputs=Inputs({"city": "Lyon"}, grid(n=["007", "x"]))))
    assert "reads the text 'null' of `city` as None" in capsys.readouterr().out


def test_a_file_beside_the_script_that_is_not_there_is_told(engine, experiment, capsys):
    class Local(Layout):
        @reads(local=True)
        def mesh(self):
            return self.path("no", "mesh.txt")

    for go in (lambda one: answer(engine("--plan"), one), engine().run):
        go(replace(experiment, layout=Local))
        assert "no/mesh.txt, which the layout's `mesh` reads, does not exist" in capsys.readouterr().out


def test_a_gather_that_gives_nothing_is_called_so(engine, experiment):
    with pytest.raises(SettingsError, match="the experiment's gather function returned nothing"):
        engine("--plan").run(replace(experiment, gather=lambda *given: None))


def test_a_record_that_cannot_be_read_is_told(engine, experiment, tmp_path, capsys):
    runs = tmp_path / "runs"
    for name in ("cut", "junk"):
        (runs / name).mkdir(parents=True)
    (runs / "cut" / "run.json").write_text('{"format": 1, "ru')
    (runs / "junk" / "run.json").write_text('{"format": 1, "run": "junk", "created": 1.0}')
    (runs / "junk" / "points.sqlite").write_bytes(b"no database at all" * 100)
    engine("--resume", "--runs", str(runs)).run(experiment)
    assert "the record of cut, junk cannot be read: its points count as not done" in capsys.readouterr().out


def help_of(text, tmp_path, columns=80):
    (tmp_path / "study.py").write_text(text)
    environ = {**os.environ, "COLUMNS": str(columns)}
    told = subprocess.run(
        [sys.executable, "study.py", "--help"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    return told.stdout


def test_help_of_an_experiment_begins_with_its_inputs(tmp_path):
    study = """'''How warm rods are.'''
from dataclasses import dataclass, field
from hera_utils import Experiment, Inputs, Quantity, grid, main

@dataclass
class Mesh:
    size: Quantity = Quantity(25, "m")

@dataclass
class Constants:
    city: str = "Lyon"
    mesh: Mesh = field(default_factory=Mesh)

main(Experiment(workflow=lambda e, i, l: None, inputs=Inputs(Constants(), grid(n=range(1000), k=["a"]))))
"""
    told = help_of(study, tmp_path)
    what, inputs, options, experiment, platform = told.split("\n\n")[1:]
    assert what.strip() == "How warm rods are."
    lines = inputs.splitlines()
    assert lines[0] == "inputs, changed with --set NAME=VALUE or --inputs FILE:"
    assert [line.split() for line in lines[1:3]] == [["city=Lyon", "constant"], ["mesh.size=25", "m", "constant"]]
    assert "n=0,1,2," in inputs
    assert "swept over 1000 values" in inputs
    assert "swept over 1 value\n" in inputs + "\n"
    assert "--keep-done" in experiment
    assert "--keep_done" not in experiment
    assert platform.startswith("platform:")
    assert all(len(line) <= 80 for line in told.splitlines())
    assert len(told.splitlines()) < 70


def test_help_of_a_search_tells_what_is_searched(tmp_path):
    search = "search(9, minimize='loss', x=(0.0, 1.0))"
    told = help_of(
        f"from hera_utils import *\nmain(Experiment(workflow=lambda e, i, l: None, inputs={search}))", tmp_path
    )
    assert "x=[0.0, 1.0]  searched (search by tpe over x: minimize loss)" in " ".join(told.split("\n")).replace(
        "                ", "  "
    )
