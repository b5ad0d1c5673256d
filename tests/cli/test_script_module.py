"""Scripts that are named as modules: `hera-utils run -m PACKAGE.MODULE`."""

import os
import subprocess
import sys

import pytest

from hera_utils.cli.script_module import find_module
from hera_utils.errors import SettingsError

STUDY = """
import argparse, sys
from hera.workflows import Container, Workflow
from .words import word
parser = argparse.ArgumentParser()
parser.add_argument("-m", "--timeout")
print(parser.parse_args().timeout, __name__, __spec__.name)
with Workflow(generate_name="module-", entrypoint="say") as w:
    Container(name="say", image="busybox", command=["echo"], args=[word])
"""
EXPERIMENT = """
from hera.workflows import DAG, Workflow, script
from hera_utils import Experiment, grid, main
from .words import word
@script(image="python:3.11")
def say(n: int):
    print(n)
def define(environment, inputs, layout):
    with Workflow(generate_name="points-", entrypoint="points") as w, DAG(name="points"):
        for point in inputs.points:
            say(name=f"say-{point.name}", arguments=point.arguments)
    return w
if __name__ == "__main__":
    main(Experiment(workflow=define, inputs=grid(n=[1, 2])))
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "pkg" / "sub").mkdir(parents=True)
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "words.py").write_text("word = 'hello'")
    (tmp_path / "pkg" / "study.py").write_text(STUDY)
    (tmp_path / "pkg" / "points.py").write_text(EXPERIMENT)
    (tmp_path / "pkg" / "sub" / "__main__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pkg"


@pytest.fixture
def typed(local_platform, package):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    environment = kept | {
        "HOME": str(package.parent),
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }

    def type_(*words, status=0, folder=package.parent):
        answer = subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        return answer

    return type_


def test_a_module_is_found_as_an_import_finds_it_and_not_imported(package):
    (package / "__init__.py").write_text("1 / 0")
    assert find_module("pkg.study") == ("pkg.study", package / "study.py")
    assert find_module("pkg.sub") == ("pkg.sub.__main__", package / "sub" / "__main__.py")
    assert find_module("json.tool")[1].name == "tool.py"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pkg.absent", "no module pkg.absent in"),
        ("pkg.study.more", "no module"),
        ("pkg", "no module pkg.__main__"),
        ("pkg/study.py", "no module"),
        ("..", "no module"),
        ("math", "no Python source"),  # a file in some Pythons, built in in others
        ("sys", "no Python source"),
    ],
)
def test_a_module_that_is_not_there(package, name, said):
    with pytest.raises(SettingsError, match=said):
        find_module(name)


def test_a_module_runs_as_python_runs_it(typed, package):
    """Relative imports worked by no way but changing them."""
    answer = typed("hera_utils", "run", "--timeout", "1m", "-m", "pkg.study", "-m", "5")
    assert answer.stdout.splitlines()[0] == "5 __main__ pkg.study"
    assert "✔ Succeeded" in answer.stdout
    typed("hera_utils", "run", "-m", "pkg.sub", status=3)
    assert "leave one of them out" in typed("hera_utils", "run", "-m", "pkg.sub", "--from", "cronwf/x", status=2).stderr
    said = typed("hera_utils", "run", "pkg/study.py", status=2).stderr
    assert f"fix: run it as a module of its package: cd {package.parent} && hera-utils run -m pkg.study" in said


def test_a_run_of_a_module_is_repeated_as_a_module(typed, package):
    """The repetition ran its file, which found no package."""
    typed("pkg.points", "--set", "n=3,4")
    (record,) = (package / "runs").iterdir()
    assert "✔ Succeeded  2/2" in typed("hera_utils", "rerun", str(record), folder="/").stdout
    (record / "ro-crate-metadata.json").write_text(
        (record / "ro-crate-metadata.json").read_text().replace('"pkg.points"', '"a.b.c"')
    )
    assert "run -m pkg.points" in typed("hera_utils", "rerun", str(record), status=2).stderr
