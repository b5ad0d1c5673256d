"""`hera-utils init`: what it writes runs, and passes its own test, for somebody who has installed hera_utils and nothing else."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from hera_utils.cli import main
from hera_utils.cli.init import FILES, text_of


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def init_(*words):
        status = main.run_command_line(["init", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return init_


def test_what_it_says_and_writes(init, tmp_path):
    status, out, _ = init("urban-heat")
    assert status == 0
    assert "cd urban-heat && python experiment.py" in out
    assert {path.name for path in (tmp_path / "urban-heat").iterdir()} == set(FILES)
    assert 'PersistedVolume("urban-heat"' in (tmp_path / "urban-heat" / "environment.py").read_text()
    assert not any("@NAME@" in path.read_text() for path in (tmp_path / "urban-heat").iterdir())


def test_what_it_says_can_be_pasted(init):
    assert "cd 'heat study' && python experiment.py" in init("heat study")[1]


def test_nothing_is_overwritten(init, tmp_path):
    mine = tmp_path / "urban-heat" / "inputs.py"
    mine.parent.mkdir()
    mine.write_text("mine")
    status, _, err = init("urban-heat")
    assert (status, mine.read_text(), len(list(mine.parent.iterdir()))) == (2, "mine", 1)
    assert "urban-heat has inputs.py already" in err
    assert "fix: choose another name" in err


def test_a_folder_with_other_files_is_taken(init, tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "notes.txt").write_text("kept")
    assert init("lab")[0] == 0
    assert (tmp_path / "lab" / "notes.txt").read_text() == "kept"


@pytest.mark.parametrize("name", ["---", "★", "x" * 41, "file"])
def test_names_that_are_refused(init, tmp_path, name):
    (tmp_path / "file").write_text("")
    status, _, err = init(name)
    assert status == 2
    assert "fix: " in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_becomes_one_that_kubernetes_takes(init, tmp_path):
    assert init("Urban Heat_2")[0] == 0
    assert 'PersistedVolume("urban-heat-2"' in (tmp_path / "Urban Heat_2" / "environment.py").read_text()


def test_its_test_passes_in_an_environment_of_its_own(init, tmp_path):
    """A new environment that sees the installed packages and nothing of this project's folder; no home, nothing configured."""
    init("circle-area")
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    Path(own.stdout.strip(), "installed.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    environment = {"HOME": str(tmp_path / "home"), "PATH": os.defpath, "TMPDIR": str(tmp_path)}
    answer = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "circle-area",
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "2 passed" in answer.stdout
    assert not (tmp_path / "circle-area" / "runs").exists()


def test_it_runs_and_is_resumed(init, tmp_path, local_platform):
    init("circle-area")
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }

    def typed(*words):
        answer = subprocess.run(
            [sys.executable, "experiment.py", *words],
            cwd=tmp_path / "circle-area",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    assert "Succeeded  6/6" in typed()
    (table,) = (tmp_path / "circle-area" / "runs").glob("*/results.csv")
    assert [line.split(",")[3] for line in table.read_text().splitlines()][:3] == ["area", "3.12", "3.08"]
    assert "6 points are done already" in typed("--plan", "--resume")


def test_the_files_are_tidy(tmp_path):
    for file in FILES:
        (tmp_path / file).write_text(text_of(file, "urban-heat"))
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--line-length",
            "120",
            "--select",
            "E,F,B,UP",
            tmp_path,
        ],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout
