"""Completing command lines in a shell, and what is said of a command that is nearly one."""

import os
import subprocess
import sys

import pytest

from hera_utils.cli.main import run_command_line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell, capsys):
    assert run_command_line(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert "_HERA_UTILS_COMPLETE" in said
    assert "hera-utils" in said


def complete(folder, *words, **more):
    """The words that bash would offer for the last word; it finds files itself."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **more,
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
    assert answer.stderr == ""
    return [line.removeprefix("plain,") for line in answer.stdout.split()]


def test_commands_flags_and_runs_are_offered(tmp_path):
    (tmp_path / "runs" / "sweep-abc12").mkdir(parents=True)
    (tmp_path / "runs" / "sweep-abc12" / "run.json").write_text("{}")
    assert complete(tmp_path, "wat") == ["watch"]
    assert "--timeout" in complete(tmp_path, "watch", "--tim")
    assert complete(tmp_path, "watch", "@") == ["@latest"]
    assert complete(tmp_path, "watch", "sw") == ["sweep-abc12"]


def test_files_are_offered_where_a_command_takes_one(tmp_path):
    assert complete(tmp_path, "run", "stu") == ["file,stu"]
    assert complete(tmp_path, "lint", "stu") == ["file,stu"]
    assert complete(tmp_path, "cp", "stu") == ["file,stu"]


def test_a_flag_is_offered_in_one_spelling(tmp_path):
    assert complete(tmp_path, "ls", "--argo_s") == ["--argo_server"]
    assert complete(tmp_path, "ls", "--platform", "l") == ["local"]


def test_what_the_running_server_has(local_platform, tmp_path):
    document = {
        "metadata": {"generateName": "offered-"},
        "spec": {
            "entrypoint": "s",
            "templates": [
                {"name": "s", "steps": [[{"name": "first", "template": "t"}, {"name": "second", "template": "t"}]]},
                {"name": "t", "container": {"image": "busybox", "command": ["true"]}},
            ],
        },
    }
    run = local_platform.run(document).name
    cron = {"schedules": ["0 3 * * *"], "workflowSpec": document["spec"]}
    local_platform.client.apply({"kind": "CronWorkflow", "metadata": {"name": "offered"}, "spec": cron})
    here = {
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }
    assert complete(tmp_path, "get", "offered-", **here) == [run]
    assert sorted(complete(tmp_path, "logs", run, "", **here)) == ["first", "second"]
    assert sorted(complete(tmp_path, "logs", "@latest", "s", **here)) == ["second"]
    assert complete(tmp_path, "run", "--from", "c", **here) == ["cronwf/offered"]
    assert complete(tmp_path, "logs", "absent", "", **here) == []


def test_profiles_and_claims(tmp_path):
    state = tmp_path / "state"
    (state / "claims" / "default" / "results").mkdir(parents=True)
    folder = tmp_path / ".config" / "hera-utils"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[profiles.lab]\nargo_server = "x"\n[profiles.home]\nplatform = "local"\n')
    assert complete(tmp_path, "ls", "--profile", "l") == ["lab"]
    assert complete(tmp_path, "profile", "use", "") == ["home", "lab"]
    assert complete(tmp_path, "cp", "res", HERA_UTILS_STATE=str(state)) == ["results:", "file,res"]


def test_typing_starts_no_server_and_asks_no_cluster(tmp_path):
    assert complete(tmp_path, "get", "") == ["@latest"]
    assert complete(tmp_path, "logs", "@latest", "") == []
    assert complete(tmp_path, "get", "", ARGO_SERVER="localhost:9") == ["@latest"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_trusted_is_silent(tmp_path):
    (tmp_path / "hera-utils.toml").write_text('state = "elsewhere"\npython = "./evil"\n')
    assert complete(tmp_path, "get", "") == ["@latest"]


def test_completion_imports_no_hera(tmp_path):
    environ = {
        **os.environ,
        "_HERA_UTILS_COMPLETE": "bash_complete",
        "COMP_WORDS": "hera-utils get ",
        "COMP_CWORD": "2",
    }
    program = "import sys, atexit; atexit.register(lambda: print(sorted(sys.modules))); sys.argv[0] = 'hera-utils'"
    program += "; from hera_utils.__main__ import main; main()"
    told = subprocess.run([sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, text=True)
    for heavy in ("hera", "pydantic", "rich", "hera_utils.experiment"):
        assert f"'{heavy}'" not in told.stdout
    assert "hera_utils.cli.completion" in told.stdout


@pytest.mark.parametrize(
    ("typed", "meant"), [("lss", "ls"), ("wacth", "watch"), ("log", "logs"), ("resluts", "results"), ("inti", "init")]
)
def test_a_misspelt_command(typed, meant, capsys):
    assert run_command_line([typed]) == 2
    assert f"no such command '{typed}'; did you mean {meant}?" in capsys.readouterr().err


def test_a_command_that_is_like_none(capsys):
    assert run_command_line(["qqqq"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_the_help_of_run_names_images_and_state(capsys):
    assert run_command_line(["run", "--help"]) == 0
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
