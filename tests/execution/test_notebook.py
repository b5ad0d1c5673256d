"""In a notebook: cells run the experiment without blocking, show its progress in place, tables as tables, mistakes as a sentence."""

import os
import sys
import types

import pytest

from hera_utils import Experiment, Inputs, grid
from hera_utils.errors import SettingsError
from hera_utils.execution.execution_engine import ExecutionEngine
from hera_utils.execution.reporter import ConsoleReporter
from hera_utils.settings.parser import parse_arguments
from hera_utils.watch.display import display_for
from hera_utils.watch.notebook import MOST_ROWS, NotebookDisplay, html_of
from hera_utils.watch.progress import progress

CELLS = [
    """
from hera.workflows import DAG, Workflow, script
from hera_utils import ExecutionEngine, Experiment, Inputs, grid

inputs = Inputs(parameters=grid(n=[1, 2, 3]))

@script(image="python:3.11")
def double(n: int):
    print(2 * n)

def define(environment, inputs, layout):
    with Workflow(generate_name="notebook-", entrypoint="dag") as w, DAG(name="dag"):
        for point in inputs.points:
            double(name="double-" + point.name, arguments=point.arguments)
    return w

experiment = Experiment(workflow=define, inputs=inputs)
engine = ExecutionEngine.from_command_line()
inputs
""",
    "engine.plan(experiment)",
    "name = engine.submit(experiment)",  # submit returns at once
    "run = engine.follow(experiment)\nrun",
    "assert sorted(row.status for row in run.results) == ['Succeeded'] * 3; run.results",
    "inputs.changed(['n=one'])",
    "engine.run(experiment)",
]


def test_a_notebook_is_carried_out(local_platform, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.cells[5].metadata["tags"] = ["raises-exception"]
    settings = {"HERA_UTILS_STATE": local_platform.context.state, "ARGO_NAMESPACE": local_platform.connection.namespace}
    kept = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        nbclient.NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    shown_by = [
        ["".join(output.get("data", {}).get("text/html", "")) for output in cell.outputs] for cell in notebook.cells
    ]
    assert "3 points: 3 n" in shown_by[0][-1]
    assert "3 points (3 n) → 3 pods" in shown_by[1][-1]
    # No progress is asked for here: the submitted run may be over before the next cell looks.
    assert "3/3 points" in shown_by[3][-1]
    assert "<table>" in shown_by[3][-1]
    assert "<table>" in shown_by[4][-1]
    (error,) = notebook.cells[5].outputs
    assert error.traceback == [
        "SettingsError: parameters.n[0]: `one` is not a whole number",
        "  fix: give a whole number",
    ]
    bars = [html for html in shown_by[6] if "<progress" in html]
    assert len(bars) == 1, "written anew in place, not one below the other"
    assert "✔ Succeeded</span> <progress" in bars[0]


def document(phase, tasks):
    nodes = {
        "run-abcde": {"id": "run-abcde", "name": "run-abcde", "displayName": "run-abcde", "type": "DAG", "phase": phase,
                      "templateName": "dag", "children": [f"n{index}" for index in range(len(tasks))]}
    }  # fmt: skip
    for index, (name, state) in enumerate(tasks):
        nodes[f"n{index}"] = {"id": f"n{index}", "name": f"run-abcde.{name}", "displayName": name, "type": "Pod",
                              "phase": state, "templateName": "t", "boundaryID": "run-abcde", "message": "<i>why</i>"}  # fmt: skip
    dag = {"name": "dag", "dag": {"tasks": [{"name": name, "template": "t"} for name, _ in tasks]}}
    return {
        "metadata": {"name": "run-abcde", "namespace": "default"},
        "spec": {"entrypoint": "dag", "templates": [dag, {"name": "t", "container": {"image": "x"}}]},
        "status": {"phase": phase, "startedAt": "2026-11-23T10:00:00Z", "nodes": nodes},
    }


def test_progress_as_html():
    state = progress(document("Running", [("a", "Succeeded"), ("b", "Failed"), ("c", "Running")]))
    html = html_of(state, 12.0)
    assert '<progress value="2" max="3"' in html
    assert "2/3 · ✘ 1 failed · 00:12" in html
    assert "✘ b: &lt;i&gt;why&lt;/i&gt;" in html
    assert "<i>" not in html


def test_a_large_run_stays_small():
    state = progress(document("Running", [(f"t{n}", "Succeeded" if n % 2 else "Running") for n in range(2000)]))
    html = html_of(state, 1.0)
    assert len(html) < 10_000
    assert f"… {1000 - MOST_ROWS} running, 1000 done" in html


def test_the_display_is_updated_in_place_and_not_too_often(monkeypatch):
    shows = []

    class Handle:
        def update(self, content):
            shows.append(("update", content))

    def display(content, display_id):
        shows.append(("display", content))
        return Handle()

    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(HTML=str, display=display))
    now = [0.0]
    made = display_for(console=None, clock=lambda: now[0])
    assert isinstance(made, NotebookDisplay)
    running = progress(document("Running", [("a", "Running")]))
    for at in (1.0, 1.1, 1.2, 1.5):
        now[0] = at
        made.update(running)
    made.update(progress(document("Succeeded", [("a", "Succeeded")])))
    assert [kind for kind, _ in shows] == ["display", "update", "update"]
    assert "✔ Succeeded" in shows[-1][1]


def test_arguments_of_a_notebook_kernel_are_ignored(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace())
    monkeypatch.setattr(sys, "argv", ["/somewhere/ipykernel_launcher.py", "-f", "/tmp/kernel.json"])
    parse_arguments()
    monkeypatch.setattr(sys, "argv", ["script.py", "-f", "/tmp/kernel.json"])
    with pytest.raises((SystemExit, SettingsError)):
        parse_arguments()


def test_a_mistake_is_a_sentence():
    error = SettingsError("this is wrong", fix="write that")
    assert error._render_traceback_() == ["SettingsError: this is wrong", "  fix: write that"]
    assert SettingsError("this is wrong")._render_traceback_() == ["SettingsError: this is wrong"]


def test_a_plan_and_a_run_as_html(local_platform):
    template = {"name": "a", "container": {"image": "busybox", "command": ["sh", "-c", "exit {{inputs.parameters.n}}"]}}
    template["inputs"] = {"parameters": [{"name": "n"}]}

    def define(environment, inputs, layout):
        tasks = [
            {
                "name": f"t{point.n}",
                "template": "a",
                "arguments": {"parameters": [{"name": "n", "value": str(point.n)}]},
            }
            for point in inputs.points
        ]
        spec = {
            "entrypoint": "dag",
            "templates": [{"name": "dag", "dag": {"tasks": tasks, "failFast": False}}, template],
        }
        return {"metadata": {"generateName": "html-"}, "spec": spec}

    experiment = Experiment(workflow=define, inputs=Inputs(parameters=grid(n=[0, 3])))
    engine = ExecutionEngine(local_platform.context)
    assert "2 points" in engine.plan(experiment)._repr_html_()
    run = engine.run(experiment, check=False)
    html = run._repr_html_()
    assert f"<b>{run.name}</b> ✘ Failed" in html
    assert "✘ t3: " in html
    assert "<table>" in html


def test_what_belongs_together_is_one_output():
    class Cell:
        def __init__(self):
            self.outputs = []

        def print(self, text):
            self.outputs.append(text)

    cell = Cell()
    reporter = ConsoleReporter(cell)
    reporter.lines(["✘ p-2: main: Error (exit code 1)", "    Traceback", "    ValueError: \x07"])
    reporter.lines([])
    assert cell.outputs == ["✘ p-2: main: Error (exit code 1)\n    Traceback\n    ValueError: \\x07"]
