"""The command line as typed: helps, mistakes, exit statuses, what is imported."""

import json
import os
import shlex
import subprocess
import sys

import click
import pytest

from hera_utils.cli.commands import SECTIONS, commands
from hera_utils.cli.examples import EXAMPLES
from hera_utils.cli.main import print_error, run_command_line
from hera_utils.errors import SettingsError
from hera_utils.settings.fields import FIELDS

COMMANDS = [name for commands in SECTIONS.values() for name in commands]


def test_help_names_every_command(capsys):
    assert run_command_line(["--help"]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in said


@pytest.mark.parametrize(
    "words",
    # These commands only write files and texts, on any platform.
    [[name, *(["ls"] if name == "image" else [])] for name in COMMANDS if name not in ("init", "completion")],
)
def test_every_command_has_a_help_with_the_settings(words, capsys):
    assert run_command_line([*words, "--help"]) == 0
    said = capsys.readouterr().out
    assert "--argo_server" in said
    assert "--profile" in said


def test_the_help_of_settings_tells_every_flag_and_variable(capsys):
    assert run_command_line(["settings", "--help"]) == 0
    said = capsys.readouterr().out
    for field in FIELDS:
        for word in (*field.flags, *field.off, *(field.variables if field.flags else ())):
            assert word in said, word


@pytest.mark.parametrize("name", COMMANDS)
def test_o_selects_a_format_in_every_command(name):
    context = click.Context(commands)
    command = commands.get_command(context, name)
    below = list(command.commands.values()) if isinstance(command, click.Group) else []
    for parameter in (parameter for one in (command, *below) for parameter in one.params):
        record = parameter.get_help_record(context)
        if record and "-o" in record[0].replace(",", "").split():
            assert isinstance(parameter.type, click.Choice), record


@pytest.mark.parametrize("flag", ["--no-preflight", "--no_preflight"])
def test_underscores_and_hyphens_mean_the_same(flag, capsys):
    assert run_command_line(["run", flag, "absent_file.py"]) == 2
    assert "the script absent_file.py cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example(name, capsys):
    assert run_command_line([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert any(
        line.lstrip().startswith(("hera-utils " + name, "bash:  hera-utils " + name)) for line in said.splitlines()[2:]
    )


@pytest.mark.parametrize("typed", [typed for examples in EXAMPLES.values() for typed, _ in examples])
def test_an_example_is_a_command_line(typed):
    name, *words = shlex.split(typed)
    commands.get_command(click.Context(commands), name).make_context(name, words).close()


def test_the_commands_of_a_group_are_told_in_whole_sentences(capsys):
    run_command_line(["profile", "--help"])
    said = " ".join(capsys.readouterr().out.partition("Commands:")[2].split())
    assert "..." not in said
    assert "Create a profile from the settings given as flags, and from" in said


def test_a_word_that_is_missing_is_told_with_an_example(capsys):
    assert run_command_line(["get"]) == 2
    assert "fix: for example: hera-utils get @latest; see hera-utils get --help" in capsys.readouterr().err
    assert run_command_line(["ls", "--limit", "0"]) == 2
    assert "for example" not in capsys.readouterr().err


def test_help_costs_no_heavy_import():
    code = (
        "import sys; from hera_utils.cli.main import run_command_line; run_command_line(['--help'])\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    for heavy in ("hera", "pydantic", "requests", "rich", "yaml", "starlette"):
        assert f"'{heavy}'" not in modules


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (["nonsense"], "nonsense"),
        (["hello.py"], "hera-utils run hello.py"),
        (["get"], "NAME"),
        (["ls", "--output", "csv"], "csv"),
        (["settings", "--platform", "moon"], "moon"),
        (["run", "absent.py"], "absent.py"),
        (["run", "absent.yaml"], "absent.yaml"),
        (["ls", "--argo_server", "ftp://x"], "ftp"),
        (["gc", "--older-than", "soon"], "soon"),
    ],
)
def test_mistakes_are_sentences(typed, word, capsys):
    assert run_command_line(typed) == 2
    said = capsys.readouterr().err
    assert said.startswith("hera-utils: ")
    assert word in said
    assert "Traceback" not in said


def test_an_error_and_its_fix(capsys):
    print_error(SettingsError("it is wrong", fix="first do this\nthen that"))
    assert capsys.readouterr().err == "hera-utils: it is wrong\n  fix: first do this\n       then that\n"


def test_interrupted(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Group, "main", interrupted)
    assert run_command_line(["ls"]) == 130


def test_interrupted_while_it_is_imported():
    code = """
import sys
class Interrupted:
    def find_spec(self, name, *more):
        if name == "hera_utils.cli.main":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from hera_utils.__main__ import main
main()
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (130, "")


def test_which_run_made_a_pipe_is_refused(tmp_path, capsys):
    """It waited for somebody to write."""
    os.mkfifo(tmp_path / "pipe")
    assert run_command_line(["which", str(tmp_path / "pipe")]) == 2
    assert "cannot be read (it is not a regular file)" in capsys.readouterr().err


def test_settings_hide_the_token(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert (
        run_command_line(
            ["settings", "--argo_server", "argo.example.org", "--argo_token", "planted-token", "-o", "json"]
        )
        == 0
    )
    said = capsys.readouterr()
    assert "planted-token" not in said.out + said.err
    rows = {row["name"]: row for row in json.loads(said.out)}
    assert rows["argo_server"]["origin"] == "flag --argo_server"
    assert rows["platform"]["value"] == "remote"


def test_a_reader_who_leaves(tmp_path):
    command = f"{sys.executable} -m hera_utils settings | head -1"
    answer = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, cwd=tmp_path)
    assert answer.stdout.startswith("setting")
    assert "Traceback" not in answer.stderr


def test_a_terminal_that_knows_only_ascii(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-m", "hera_utils", "doctor"],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
    )
    assert b"Traceback" not in answer.stderr
    assert b"+ platform local" in answer.stdout
