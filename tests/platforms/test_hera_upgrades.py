"""Scripts for an older Hera: what is gone is told with the version and what to write, and what is written so is there."""

import contextlib
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

import hera_utils.platforms.hera_upgrades as changes
from hera_utils.platforms.hera_errors import line_of_the_script
from hera_utils.platforms.hera_upgrades import find_change

W = "from hera.workflows import *\nfrom hera.workflows import models as m\n"

# what a script writes, since when that is gone, what the fix names
GONE = [
    ("from hera import Task", "5", "from hera.workflows import Task"),
    ("from hera import ImagePullPolicy", "5", "from hera.workflows.models import ImagePullPolicy"),
    ("from hera import GlobalConfig", "5", "from hera.shared import global_config"),
    ("from hera import WorkflowService", "5", "from hera.workflows import WorkflowsService"),
    ("from hera import set_global_token", "5", "global_config.token = …"),
    ("from hera import set_global_task_image", "5", "global_config.image = …"),
    ("from hera import get_global_host", "5", "then global_config.host"),
    ("from hera import HttpArtifact", "5", "from hera.workflows import HTTPArtifact"),
    ("import hera\nhera.Workflow", "5", "from hera.workflows import Workflow"),
    ("import hera.task", "5", "hera.workflows"),
    ("from hera.workflow_service import WorkflowService", "5", "hera.workflows"),
    ("from hera.workflows import RunnerInput", "5.17", "from hera.workflows import Input"),
    ("from hera.workflows import AzureDiskVolumeVolume", "5.24", "from hera.workflows import AzureDiskVolume"),
    ("from hera.workflows import TemplateSet", "6", "WorkflowTemplate"),
    (W + "ConfigMapEnvFrom(config_map_name='x', optional=False)", "5", "ConfigMapEnvFrom(name=…)"),
    (W + "SecretEnvFrom(secret_name='x')", "5", "SecretEnvFrom(name=…)"),
    (W + "Task('a', print)", "5", "Task(name=…, template=…)"),
    (W + "Workflow('a')", "5", "Workflow(name=…)"),
    (W + "Task(name='a', image='x')", "5", "Container(image=…)"),
    (W + "Workflow(name='a', pod_priority=3)", "6", "pod_priority_class_name"),
    (W + "WorkflowTemplate(name='a', pod_priority=3)", "6", "pod_priority_class_name"),
    (W + "Container(name='a', image='x', readinessProbe=3)", "6", "Container(readiness_probe=…)"),
    (W + "Container(name='a', image='x', colour=3)", "6", "remove it"),
    (W + "Workflow(name='a').set_entrypoint(print)", "6", "Workflow(entrypoint=…)"),
    (W + "w = Workflow(name='a')\n@w.script()\ndef f(): pass", "6", "@script() of hera.workflows"),
    (W + "Workflow(name='a').add_tasks()", "5", "with DAG(name=…)"),
    (W + "Parameter(name='a').as_name('b')", "5", "with_name"),
    (W + "S3Artifact(name='a').as_name('b')", "6", "with_name"),
    (W + "m.CronWorkflowSpec(schedule='* * * * *', workflow_spec=m.WorkflowSpec())", "7", "schedules=[…]"),
    (W + "m.IntOrString(__root__=3)", "6", "IntOrString(root=…)"),
    (W + "m.Arguments(parameters=[Parameter(name='x', value='1')])", "5", "hera.workflows.models.Parameter"),
]
OTHERS = [
    "import nothing_of_that_name",
    "from json import Task",
    "int(colour=3)",
    "def f(): pass\nf(colour=3)",
    "class Task:\n    pass\nTask().colour",
    "from hera.workflows import nothing_of_that_name",
    "import hera.workflows.nothing_of_that_name",
    W + "Task(name='a', template='b').colour",
    W + "m.Backoff(factor=object())",
    "None.script",
    "raise ValueError('x')",
]


def raised(code):
    with pytest.raises(Exception) as caught:
        exec(code, {})
    return caught.value


@pytest.mark.parametrize(("code", "since", "instead"), GONE)
def test_what_is_gone(code, since, instead):
    if int(since.partition(".")[0]) > int(version("hera").partition(".")[0]):
        pytest.skip(f"the installed Hera is older than {since}")
    change = find_change(raised(code))
    assert change is not None
    assert change.sentence().endswith(f"was removed in Hera {since}")
    assert instead in change.instead


@pytest.mark.parametrize("code", OTHERS)
def test_another_mistake_is_no_change_of_heras(code):
    assert find_change(raised(code)) is None


def test_what_is_to_be_written_instead_is_there():
    """Every name that a fix gives is one of the installed Hera's."""
    written = [
        *changes._RENAMED.values(),
        *(text for _, text in [*changes._ARGUMENTS.values(), *changes._ATTRIBUTES.values()]),
    ]
    for text in written:
        if found := re.fullmatch(r"from hera\.[\w.]+ import [\w, ]+", text):
            exec(found[0], {})
        for name in re.findall(r"\b(models\.)?([A-Z]\w+)\((\w+)=", text):
            scope = {}
            exec(
                W
                + f"import inspect\nfound = inspect.signature({name[0].replace('models', 'm')}{name[1]}.__init__).parameters",
                scope,
            )
            fields = scope["found"]
            assert name[2] in fields or name[0], text


SCRIPT = (
    "import hera_utils\nhera_utils.parse_arguments()\n"
    + W
    + "Workflow(name='x')\nConfigMapEnvFrom(config_map_name='proxies')\n"
)


@pytest.mark.parametrize("words", [["script.py"], ["-m", "hera_utils", "run", "script.py"]])
def test_one_sentence_and_no_traceback(tmp_path, monkeypatch, words):
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.setenv("HERA_UTILS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("ARGO_SERVER", "")
    try:
        answer = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    finally:
        subprocess.run(
            [sys.executable, "-m", "hera_utils", "serve", "--stop"], cwd=tmp_path, capture_output=True, timeout=120
        )
    assert answer.returncode == 2
    assert re.search(
        r"script\.py, line 6: `ConfigMapEnvFrom\(config_map_name=…\)` was removed in Hera 5\n  fix: write",
        answer.stderr,
    )
    assert "Traceback" not in answer.stderr


def test_pydantics_count_is_no_sentence():
    from hera_utils.excepthook import first_words

    error = raised(W + "m.Backoff(factor=object())")
    assert str(error).startswith("3 validation errors") or str(error)[0].isdigit()
    assert first_words(error).startswith("Backoff.factor")
    assert first_words(ValueError("one\ntwo")) == "one"
    assert first_words(ValueError()) == ""


@pytest.mark.parametrize("library", [contextlib.__file__, "/venv/lib/python3.11/site-packages/pydantic/main.py"])
def test_the_line_told_is_the_scripts_where_we_call_a_library(library):
    theirs, ours = {"__name__": "library"}, {"__name__": "hera_utils.execution"}
    exec(compile("def fail(): raise ValueError", library, "exec"), theirs)
    exec(compile("def call(called): called()", "ours.py", "exec"), ours)
    with pytest.raises(ValueError) as caught:
        ours["call"](theirs["fail"])
    assert line_of_the_script(caught.value.__traceback__).partition(", line ")[0].endswith("test_hera_upgrades.py")
