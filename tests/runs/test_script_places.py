"""Where lines of inline scripts stand in the user's file: what Hera sends is run, and Python's own tracebacks are read."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from hera_utils.runs.script_places import ScriptPlaces

FILE = '''"""A study."""

from hera.workflows import DAG, Workflow, script


@script(image="python:3.11")
def simulate(beta: float, where: str, note: str = "a"):
    """What it does,

    in two paragraphs."""
    # a comment that Hera removes
    import json  # and another


    text = """several
    lines"""

    def inner(x):

        if (
            x == "inner"
        ):
            raise ValueError(
                x
            )
    inner(where)
    for _ in range(3):
        try:
            if where == "loop": raise ValueError(where)

        except KeyError:
            pass
        else:
            if where == "else":
                json.loads(
                    "{"
                )
    raise ValueError("end")


@script(name="other")
def twin_a(where: str):
    raise ValueError(where)


@script()
def twin_b(where: str):
    raise ValueError(where)


with Workflow(generate_name="s-", entrypoint="dag") as w, DAG(name="dag"):
    simulate(arguments={"beta": 1.0, "where": "end"})
    twin_a(arguments={"where": ""})
    twin_b(arguments={"where": ""})
'''


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.py"
    path.write_text(FILE)
    spec = importlib.util.spec_from_file_location("study_of_places", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["study_of_places"] = module
    spec.loader.exec_module(module)
    document = json.loads(json.dumps(module.w.to_dict()))
    document["metadata"]["annotations"] = {"hera-utils/script": str(path)}
    yield path, document
    del sys.modules["study_of_places"]


def _traceback(document, inputs, folder):
    """The task's output after Argo has filled in its inputs."""
    source = next(one["script"]["source"] for one in document["spec"]["templates"] if one["name"] == "simulate")
    for name, value in inputs.items():
        source = source.replace("{{inputs.parameters." + name + "}}", value)
    (folder / "script").write_text(source)
    said = subprocess.run([sys.executable, "script"], cwd=folder, capture_output=True, text=True).stderr
    return re.sub(r'File "[^"]*script"', 'File "/argo/staging/script"', said).splitlines()


END = 'raise ValueError("end")'


def _line_of(text, nth=0):
    return [number for number, line in enumerate(FILE.split("\n"), 1) if text in line][nth]


@pytest.mark.parametrize("note", ["b", "several\nlines\nhere"])
@pytest.mark.parametrize(("where", "line"), [
    ("inner", _line_of("raise ValueError(")), ("loop", _line_of('"loop"')), ("else", _line_of("json.loads(")),
    ("end", _line_of(END)),
])  # fmt: skip
def test_the_last_frame_in_the_script_is_found_in_the_file(study, tmp_path, where, line, note):
    path, document = study
    inputs = {"beta": "1.0", "where": where, "note": note}
    marked = ScriptPlaces([document]).add_places(_traceback(document, inputs, tmp_path), "simulate", inputs)
    frames = [one for one in marked if one.startswith("  File") and "/argo/staging" in one]
    assert frames[-1].endswith(f"  ({path}:{line})")


def test_a_changed_function_has_no_place(study, tmp_path):
    path, document = study
    inputs = {"beta": "1.0", "where": "end", "note": "a"}
    lines = _traceback(document, inputs, tmp_path)
    path.write_text(FILE.replace("range(3)", "range(4)"))
    assert ScriptPlaces([document]).add_places(lines, "simulate", inputs) == lines


def test_another_comment_changes_only_the_line(study, tmp_path):
    path, document = study
    inputs = {"beta": "1.0", "where": "end", "note": "a"}
    path.write_text(FILE.replace("# a comment", "# one\n    # a comment"))
    marked = ScriptPlaces([document]).add_places(_traceback(document, inputs, tmp_path), "simulate", inputs)
    assert f"({path}:{_line_of(END) + 1})" in "".join(marked)


def test_of_two_equal_functions_only_the_one_of_the_templates_name_has_a_place(study):
    path, document = study
    line = '  File "/argo/staging/script", line 8, in <module>'  # the frame is below seven frames of Hera
    places = ScriptPlaces([document])
    assert places.add_places([line], "twin-b", {}) == [f"{line}  ({path}:{_line_of('raise ValueError(where)', 2)})"]
    assert places.add_places([line], "other", {}) == [line]


def test_a_pipe_beside_the_script_is_not_waited_for(study, tmp_path):
    path, document = study
    os.mkfifo(path.parent / "a.py")
    (path.parent / "b.py").write_text("def (")
    inputs = {"beta": "1.0", "where": "end", "note": "a"}
    marked = ScriptPlaces([document]).add_places(_traceback(document, inputs, tmp_path), "simulate", inputs)
    assert f"({path}:{_line_of(END)})" in "".join(marked)


@pytest.mark.parametrize("script", ["x" * 5000 + ".py", "/a\0b.py", "/nowhere/a.py", "/etc/passwd", "a.py/b.py"])
def test_a_workflow_that_names_no_script_has_no_places(study, script):
    _, document = study
    document["metadata"]["annotations"]["hera-utils/script"] = script
    lines = ['  File "/argo/staging/script", line 8, in <module>', f'  File "/argo/staging/script", line {"9" * 5000}']
    places = ScriptPlaces([document])
    assert places.add_places(lines, "twin-b", {}) == lines
    assert not any(places.is_beside_script(name) for name in ("data.csv", "y" * 5000, "a\0b", "/etc/passwd"))


def test_other_lines_and_other_files_stay_as_they_are(study):
    _, document = study
    lines = ['  File "/x.py", line 5, in f', "line 5", 'File "/argo/staging/script", line 9999', ""]
    assert ScriptPlaces([document]).add_places(lines, "simulate", {}) == lines
    assert ScriptPlaces([]).add_places(lines, "simulate", {}) == lines
