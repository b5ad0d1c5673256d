"""Completing command lines in a shell, and what is said of a command that is nearly one."""

import os
import subprocess
import sys

import pytest

from hera_utils.cli.main import enter


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell, capsys):
    assert enter(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert "_HERA_UTILS_COMPLETE" in said
    assert "hera-utils" in said


def complete(folder, *words):
    """What bash would offer for the last of the words."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "_HERA_UTILS_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("hera-utils", *words)),
        "COMP_CWORD": str(len(words)),
    }
    program = "import sys; sys.argv[0] = 'hera-utils'; from hera_utils.__main__ import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [line.partition(",")[2] for line in answer.stdout.splitlines()]


def test_commands_flags_and_runs_are_offered(tmp_path):
    (tmp_path / "runs" / "sweep-abc12").mkdir(parents=True)
    (tmp_path / "runs" / "sweep-abc12" / "run.json").write_text("{}")
    assert complete(tmp_path, "wat") == ["watch"]
    assert "--timeout" in complete(tmp_path, "watch", "--tim")
    assert complete(tmp_path, "watch", "@") == ["@latest"]
    assert complete(tmp_path, "watch", "sw") == ["sweep-abc12"]


@pytest.mark.parametrize(
    ("typed", "meant"), [("lss", "ls"), ("wacth", "watch"), ("log", "logs"), ("resluts", "results")]
)
def test_a_misspelt_command(typed, meant, capsys):
    assert enter([typed]) == 2
    assert f"no such command '{typed}'; did you mean {meant}?" in capsys.readouterr().err


def test_a_command_that_is_like_none(capsys):
    assert enter(["qqqq"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_the_help_of_run_names_images_and_state(capsys):
    assert enter(["run", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--images" in said
    assert "--state" in said


def test_names_of_images(tmp_path):
    (tmp_path / "files").mkdir()
    complete_in = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    for name in ("lab/tool:1", "lab/tool:2", "python:3.13"):
        command = [sys.executable, "-m", "hera_utils", "image", "import", "files", "--name", name]
        subprocess.run(command, cwd=tmp_path, env=complete_in, check=True, capture_output=True)
    assert complete(tmp_path, "image", "rm", "lab/") == ["lab/tool:1", "lab/tool:2"]
    assert complete(tmp_path, "image", "inspect", "py") == ["python:3.13"]
