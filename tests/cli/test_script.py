"""Somebody's script, run as `__main__`: what it sees, what is written down, how its mistakes are told."""

import os
import sys

import pytest

from hera_utils.cli.script import build_document, error_of_script, execute
from hera_utils.cli.script_recorder import ScriptRecording
from hera_utils.errors import HeraUtilsError, InvalidWorkflow, ResourceError, SettingsError


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return path


BUILT = """
from hera.workflows import Container, Workflow, WorkflowTemplate
with Workflow(generate_name="a-", entrypoint="c") as w:
    Container(name="c", image="busybox")
with WorkflowTemplate(name="t", entrypoint="c") as t:
    Container(name="c", image="busybox")
"""


def test_a_script_runs_as_with_python(tmp_path, capsys):
    (tmp_path / "neighbour.py").write_text("answer = 42")
    text = "import sys, neighbour\nprint(__name__, __file__, sys.argv[1:], neighbour.answer, sys.modules['__main__'].__file__)"
    path = script(tmp_path, text)
    made = execute(path, ["--mine", "3"])
    assert capsys.readouterr().out == f"__main__ {path} ['--mine', '3'] 42 {path}\n"
    assert (made.status, made.built, made.runs) == (0, [], [])


def test_built_workflows_are_recorded_without_templates(tmp_path):
    made = execute(script(tmp_path, BUILT), [])
    assert [workflow.generate_name for workflow in made.built] == ["a-"]
    assert made.waiting == made.built


def test_create_is_only_recorded_without_sending(tmp_path):
    made = execute(
        script(tmp_path, BUILT + "w.create(wait=False)\nprint(w.name)"), [], recording=ScriptRecording(sending=False)
    )
    assert len(made.built) == 1
    assert made.waiting == []


def test_a_module_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError) as error:
        execute(script(tmp_path, "import nosuchmodule.part"), [])
    assert error.value.fix == f"install what provides `nosuchmodule` for {sys.executable}, or correct the import"


def test_a_module_whose_package_has_another_name(tmp_path):
    from hera_utils.cli.script import _fix_of

    error = ModuleNotFoundError("No module named 'skimage.io'", name="skimage.io")
    assert _fix_of(error, tmp_path / "s.py", None) == f"{sys.executable} -m pip install scikit-image"


def test_a_script_that_asks_a_server_itself(tmp_path):
    with pytest.raises(SettingsError) as error:
        execute(script(tmp_path, "import requests\nrequests.get('http://127.0.0.1:9/api/v1/info')"), [])
    assert "workflow.workflows_service.host" in error.value.fix


def test_a_module_in_a_folder_above(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "sites.py").write_text("lyon = 1")
    with pytest.raises(SettingsError) as error:
        execute(script(tmp_path / "study", "from study.sites import lyon"), [])
    assert error.value.fix == f"`study` is in {tmp_path}: run it with PYTHONPATH={tmp_path}"


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (
            '"https://" + os.getenv("ARGO_SERVER")',
            "variable ARGO_SERVER, which the script reads; this platform's: eval",
        ),
        ("os.environ['DATA']", "variable DATA, which the script reads"),
    ],
)
def test_a_variable_that_is_not_set(tmp_path, monkeypatch, code, fix):
    monkeypatch.delenv("ARGO_SERVER", raising=False)
    with pytest.raises(SettingsError) as error:
        execute(script(tmp_path, f"import os\n{code}"), [])
    assert fix in error.value.fix


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("None", 0), ("3", 3), ("'no such city'", 1)])
def test_a_script_that_exits(tmp_path, capsys, code, status):
    made = execute(script(tmp_path, f"import sys\nsys.exit({code})"), [])
    assert made.status == status
    assert ("no such city" in capsys.readouterr().err) == (code == "'no such city'")


def test_a_script_that_raises_is_told_without_our_frames(tmp_path, capsys):
    path = script(tmp_path, "def collect():\n    return 1 / 0\n\ncollect()\n")
    with pytest.raises(SettingsError) as error:
        execute(path, [])
    said = capsys.readouterr().err
    assert "return 1 / 0" in said
    assert "hera_utils" not in said
    assert f"{path}, line 4 raised ZeroDivisionError: division by zero" in str(error.value)


def test_a_script_that_is_no_python(tmp_path):
    with pytest.raises(SettingsError, match="line 1"):
        execute(script(tmp_path, "if:"), [])
    with pytest.raises(SettingsError, match="cannot be read"):
        execute(tmp_path / "absent.py", [])
    (tmp_path / "cells.ipynb").write_text('{"cells": null}')
    with pytest.raises(SettingsError, match="is a notebook") as notebook:
        execute(tmp_path / "cells.ipynb", [])
    assert notebook.value.fix == f"make a script of it: jupyter nbconvert --to script {tmp_path}/cells.ipynb"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="is a pipe"):
        execute(tmp_path / "pipe", [])
    (tmp_path / "null.py").write_bytes(b"a\x00b")
    with pytest.raises(SettingsError):
        execute(tmp_path / "null.py", [])


def test_a_workflow_that_hera_cannot_build_is_told_as_the_scripts(tmp_path, capsys):
    from hera.workflows import Workflow

    with pytest.raises(SettingsError, match="raised TypeError: Invalid argument type"):
        build_document(Workflow(name="a", entrypoint="c", arguments=5), tmp_path / "a.py")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        ("Workflow(name='w', arguments={'artifacts': {'data': S3Artifact(name='data', key='k')}}).to_dict()",
         "the argument `artifacts` of `w` is a list or dictionary with an artifact (S3Artifact)", '{"NAME": S3Artifact(…)}'),
        ("Workflow(name='w', arguments={'x': {1.5j}}).to_dict()", "`x` of `w` is or has a value of the type", "artifacts"),
        ("ExistingVolume(name='v', mount_path='/v', claim_name=None)._build_volume()",
         "the volume `v` lacks the name of its claim", "ExistingVolume(claim_name="),
        ("m.Volume(name='v', persistent_volume_claim={})", "a volume lacks the name of its claim", "ExistingVolume(claim_name="),
        ("Volume(name='v', mount_path='/v')", "the volume `v` lacks the size of its new claim", 'Volume(size="1Gi"'),
    ],
)  # fmt: skip
def test_what_hera_cannot_build_is_told_in_a_sentence(tmp_path, capsys, code, message, fix):
    """These were Hera's tracebacks, with the fix "correct the script"."""
    path = script(tmp_path, f"from hera.workflows import *\nfrom hera.workflows import models as m\n{code}")
    with pytest.raises(InvalidWorkflow) as error:
        execute(path, [])
    assert f"{path}, line 3: " in str(error.value)
    assert message in str(error.value)
    assert fix in error.value.fix
    assert capsys.readouterr().err == ""


def test_our_own_errors_pass_unchanged(tmp_path):
    text = "from hera_utils.errors import ResourceError\nraise ResourceError('no claim', fix='make one')"
    with pytest.raises(HeraUtilsError, match="no claim"):
        execute(script(tmp_path, text), [])


def test_what_the_server_answered_is_told_in_a_sentence(tmp_path):
    from hera.exceptions import BadRequest

    error = error_of_script(
        BadRequest("Server returned status code 400 with message: `template name 'nope' undefined`"), tmp_path
    )
    assert isinstance(error, InvalidWorkflow)
    assert str(error) == "the Argo server refuses the workflow: template name 'nope' undefined"


@pytest.mark.parametrize(
    ("kind", "message", "fix"),
    [
        ("BadRequest", "templates.main.tasks.a template reference tools.fit not found", "store tools"),
        ("NotImplemented", "spec.templates[0].plugin cannot be executed on this machine: why", "--argo_server"),
    ],
)
def test_the_fix_for_a_refusal_that_is_no_fault_of_the_script(tmp_path, kind, message, fix):
    import hera.exceptions

    error = error_of_script(getattr(hera.exceptions, kind)(f"… with message: `{message}`"), tmp_path)
    assert fix in error.fix


def test_a_namespace_that_is_not_there_is_no_fault_of_the_script(tmp_path):
    from hera.exceptions import NotFound

    error = error_of_script(
        NotFound('Server returned status code 404 with message: `namespaces "lyon" not found`'), tmp_path
    )
    assert isinstance(error, ResourceError)
    assert error.fix is not None
    assert "--argo_namespace" in error.fix
