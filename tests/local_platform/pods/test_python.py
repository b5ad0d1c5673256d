"""Tasks in Python: the submitting script's interpreter, and Hera's runner with functions of that script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, uid

from hera_utils.image_policies import policy_for_all
from hera_utils.images.table import ImageTable
from hera_utils.local_platform.pods.pod import python as python_of_tasks
from hera_utils.local_platform.pods.runtime import Launch

pytest.importorskip("hera")


@pytest.fixture(scope="session")
def images() -> ImageTable:
    """This machine's Python stands in for images; an image's own Python is tested in test_image_roots.py."""
    return ImageTable(policy_for_all("stand-in"))


def annotations(script: Path, python: str = sys.executable) -> dict[str, str]:
    return {"hera-utils/python": python, "hera-utils/script": str(script), "hera-utils/directory": str(script.parent)}


def python(stage: Stage, source: str, **more: Any) -> Launch:
    return stage.pod({"image": "python:3.11", "command": ["python", "-c", source]}, **more)


def test_python_is_the_submitting_scripts(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "env"
    venv.create(folder, symlinks=True)
    own = str(folder / "bin" / "python")
    script = tmp_path / "script.py"
    source = "import sys, os, shutil; print(sys.prefix, os.environ['VIRTUAL_ENV'], shutil.which('python3'), shutil.which('python'))"
    pod = python(stage, source, annotations=annotations(script, own))
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert stage.log(pod) == [f"{folder} {folder} {folder}/bin/python3 {folder}/bin/python"]


def test_python_without_annotations_is_the_servers(stage: Stage) -> None:
    pod = python(stage, "import sys; print(sys.executable == sys._base_executable, sys.version_info[:2])")
    stage.run(pod)
    assert stage.log(pod)[0].endswith(str(tuple(sys.version_info[:2])))


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no Python of the system")
def test_an_interpreter_whose_folder_lacks_the_name_python(stage: Stage, tmp_path: Path) -> None:
    pod = python(
        stage, "import sys; print(sys.argv, sys.prefix)", annotations=annotations(tmp_path / "x.py", "/usr/bin/python3")
    )
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert stage.log(pod) == ["['-c'] /usr"]


def test_an_interpreter_that_is_gone(stage: Stage, tmp_path: Path) -> None:
    end = stage.run(python(stage, "", annotations=annotations(tmp_path / "x.py", "/no/bin/python")))
    assert "/no/bin/python, does not exist" in end.message


def hera_task(
    stage: Stage, script: Path, function: str, inputs: dict[str, Any] | None = None, entry: str = "", **more: Any
) -> Launch:
    """A launch as Hera submits it for a runner script."""
    given = json.dumps([{"name": k, "value": str(v)} for k, v in (inputs or {}).items()])
    command = ["python", "-m", "hera.workflows.runner", "-e", entry or f"{script.stem}:{function}"]
    pod = stage.pod({"image": "python:3.11", "command": command, "args": ["/argo/staging/script"]}, **more)
    pod.template["script"] = {**pod.template.pop("container"), "source": given}
    return pod


SCRIPT = """
from hera.workflows import Workflow, WorkflowsService, script, Steps
import neighbour

@script(constructor="runner")
def double(x: int):
    return neighbour.times(x, 2)

with Workflow(generate_name="w-", entrypoint="s", namespace="n", workflows_service=WorkflowsService(host="http://127.0.0.1:1")) as w:
    with Steps(name="s"):
        double(arguments={"x": 1})
w.create()
raise SystemExit("not reached in a task")
"""


@pytest.mark.parametrize("entry", ["", "__main__:double", "sub.dir.experiment:double"])
def test_a_function_of_the_script_that_was_run_is_found(stage: Stage, tmp_path: Path, entry: str) -> None:
    folder = tmp_path / "sub" / "dir"
    folder.mkdir(parents=True)
    script = folder / "experiment.py"
    script.write_text(SCRIPT)
    (folder / "neighbour.py").write_text("def times(a, b):\n    return a * b\n")
    pod = hera_task(
        stage, script, "double", {"x": 21}, entry, annotations=annotations(script), include_script_output=True
    )
    end = stage.run(pod)
    assert end.phase == "Succeeded", stage.log(pod)
    assert end.outputs["result"] == "42"


def test_a_script_that_says_no_namespace_submits_nothing_in_its_task(stage: Stage, tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(
        SCRIPT.replace(', namespace="n"', "").replace("import neighbour", "").replace("neighbour.times(x, 2)", "2 * x")
    )
    pod = hera_task(stage, script, "double", {"x": 21}, annotations=annotations(script), include_script_output=True)
    assert stage.run(pod).outputs["result"] == "42", stage.log(pod)


def test_a_function_of_an_installed_module_is_found_without_annotations(stage: Stage, tmp_path: Path) -> None:
    pod = hera_task(stage, tmp_path / "x.py", "dumps", {"obj": 3}, "json:dumps", include_script_output=True)
    end = stage.run(pod)
    assert end.outputs["result"] == '"3"', stage.log(pod)


def test_a_module_that_cannot_be_found_names_the_fix(stage: Stage, tmp_path: Path) -> None:
    pod = hera_task(stage, tmp_path / "nowhere.py", "f", {})
    assert stage.run(pod).containers[0].exit_code == 1
    (line,) = stage.log(pod)
    assert line.startswith('hera-utils: the task\'s function "f" is in the module "nowhere", which')
    assert "hera-utils run" in line


def test_a_python_without_hera_names_the_fix(stage: Stage, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    pod = hera_task(
        stage,
        tmp_path / "x.py",
        "f",
        {},
        annotations=annotations(tmp_path / "x.py", str(tmp_path / "env" / "bin" / "python")),
    )
    assert stage.run(pod).containers[0].exit_code == 1
    (line,) = stage.log(pod)
    assert "cannot import Hera" in line


def test_an_editable_package_below_tmp_is_found(stage: Stage, tmp_path: Path) -> None:
    """/tmp is empty in a task, except for the files that the interpreter needs."""
    if not str(tmp_path).startswith("/tmp/"):
        pytest.skip("the tests' folder is not below /tmp")
    venv.create(tmp_path / "env", symlinks=True)
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "mine.py").write_text("value = 5\n")
    own = tmp_path / "env" / "bin" / "python"
    site = subprocess.run(
        [own, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(site) / "mine.pth").write_text(f"{tmp_path}/checkout\n")
    pod = python(stage, "import mine; print(mine.value)", annotations=annotations(tmp_path / "x.py", str(own)))
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert stage.log(pod) == ["5"]
    assert uid(pod)


def wheel(folder: Path) -> Path:
    """A minimal package."""
    path = folder / "tiny_thing-1.0-py3-none-any.whl"
    about = "tiny_thing-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_thing.py", "WORD = 'here'\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def installs(stage: Stage, own: str, pip: str, wheels: Path, **image: Any) -> tuple[str, list[str]]:
    """(phase, log) of a task that installs a package with `pip` and imports it."""
    install = f"{pip} install -q --no-index --disable-pip-version-check /wheels/{wheel(wheels).name}"
    command = f"{install} && python -c 'import tiny_thing as t; print(t.WORD)'"
    pod = stage.pod(
        {
            "image": "python:3.11", "command": ["sh", "-c", command],
            "volumeMounts": [{"name": "w", "mountPath": "/wheels"}], **image,
        },
        spec={"volumes": [{"name": "w", "hostPath": {"path": str(wheels)}}]},
        annotations=annotations(wheels / "script.py", own),
    )  # fmt: skip
    end = stage.run(pod, timeout=60)
    return end.phase, stage.log(pod)


@pytest.fixture
def environment() -> Iterator[Path]:
    """A folder for a virtual environment that tasks can change in their own view: not below /tmp, where it would be read-only to them."""
    with tempfile.TemporaryDirectory(prefix=".hera-utils-test-", dir=Path.home()) as folder:
        yield Path(folder) / "env"


@pytest.mark.parametrize(("pip", "with_pip"), [("pip", False), ("python3 -m pip", False), ("pip3", True)])
def test_pip_is_that_of_the_python_of_the_task(
    stage: Stage, tmp_path: Path, environment: Path, pip: str, with_pip: bool
) -> None:
    """Also in a virtual environment without pip, although another pip is on PATH."""
    folder = environment
    venv.create(folder, symlinks=True, with_pip=with_pip)
    phase, log = installs(stage, str(folder / "bin" / "python"), pip, tmp_path)
    assert (phase, log[-1]) == ("Succeeded", "here"), log
    assert not list(folder.glob("lib/*/site-packages/tiny_thing*"))  # it was installed in the task, not on this machine


def test_a_pip_of_another_interpreter_in_the_same_folder_is_not_taken(
    stage: Stage, tmp_path: Path, environment: Path
) -> None:
    folder = environment
    venv.create(folder, symlinks=True)
    other = folder / "bin" / "pip"
    other.write_text("#!/usr/bin/env other-python\nexit 7\n")
    other.chmod(0o755)
    phase, log = installs(stage, str(folder / "bin" / "python"), "pip", tmp_path)
    assert (phase, log[-1]) == ("Succeeded", "here"), log


def test_a_python_without_any_pip_says_what_to_do(stage: Stage, tmp_path: Path) -> None:
    """Such as Debian's Python without the package python3-venv."""
    folder = tmp_path / "env"
    venv.create(folder, symlinks=True)
    lent = f"{Path(python_of_tasks.__file__).parent}/pip_of_task.py"
    hidden = "import sysconfig, runpy; sysconfig.get_path = lambda name: '/nowhere'; sysconfig.get_config_var = lambda name: None; "
    done = subprocess.run(
        [folder / "bin" / "python", "-c", f"{hidden} runpy.run_path({lent!r})"],
        capture_output=True, text=True, check=False, env={"PATH": str(folder / "bin")},
    )  # fmt: skip
    assert done.returncode == 1
    assert "has no pip\n  fix: install what the task needs before the run" in done.stderr
    assert "Traceback" not in done.stderr
