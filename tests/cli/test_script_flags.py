"""Whose a flag is that stands after a script's name."""

import pytest

from hera_utils.cli.script_flags import declared_flags, mark_flags_of_script

TAKES_VALUE = {
    "-o": True,
    "--output": True,
    "--detach": False,
    "--timeout": True,
    "--argo-server": True,
    "--from": True,
}
SETTINGS = {"--argo-server"}
DECLARED = frozenset({"-o", "--detach", "--argo_server", "--verbose"})


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("s.py -o json", "s.py *-o json"),
        ("s.py -o=json --timeout 1", "s.py *-o=json --timeout 1"),
        ("-o json s.py -o yaml", "-o json s.py *-o yaml"),
        ("--detach s.py --verbose --detach", "--detach s.py --verbose *--detach"),
        ("s.py --argo_server x a", "s.py *--argo_server *x --argo_server x a"),
        ("s.py --argo_server=x", "s.py *--argo_server=x --argo_server=x"),
        ("s.py --argo-server x", "s.py --argo-server x"),  # the script knows only the other spelling
        ("s.py -- -o json", "s.py -- -o json"),
        ("-- s.py -o json", "-- s.py -o json"),
        ("w.yaml -o json", "w.yaml -o json"),
        ("--from cronwf/x -o json", "--from cronwf/x -o json"),
        ("--timeout s.py w.py --output yaml", "--timeout s.py w.py --output yaml"),
        ("", ""),
    ],
)
def test_a_flag_that_the_script_declares_is_the_scripts(typed, expected):
    found = mark_flags_of_script(typed.split(), TAKES_VALUE, SETTINGS, lambda script: DECLARED)
    assert [word.replace("\0", "*") for word in found] == expected.split()


def test_what_a_script_declares_is_read_and_not_run(tmp_path):
    (tmp_path / "script.py").write_text(
        "import click, typer, arguments\n1 / 0\n@click.option('--a/--no-a', '-q')\n"
        "def f(): subprocess.run(['gcc', '-o', 'x'])\ndef g(x=typer.Option(1, '--level')): ...\n"
    )
    (tmp_path / "arguments.py").write_text("p.add_argument('-n', '--number', help='--output')\n")
    assert declared_flags(tmp_path / "script.py") == {"--a", "--no-a", "-q", "--level", "-n", "--number"}
    (tmp_path / "other.py").write_text("from hera_utils import Experiment, main\n")
    assert declared_flags(tmp_path / "other.py") == {"-h", "--help"}
    assert declared_flags(tmp_path / "absent.py") == frozenset()


OWN = """
import argparse
from hera.workflows import Container, Workflow
p = argparse.ArgumentParser(description="of the script alone")
p.add_argument("-o"); p.add_argument("--timeout")
given = p.parse_args()
with Workflow(generate_name="own-", entrypoint="say") as w:
    Container(name="say", image="busybox", command=["echo", str(given.o), str(given.timeout)])
"""


def test_a_script_gets_its_own_flags(user):
    user.file("own.py", OWN)
    assert "json never" in user.type("run", "own.py", "-o", "json", "--timeout", "never") + user.type("logs", "@latest")
    assert user.type("run", "-o", "name", "own.py", "-o", "x").count("own-") >= 1
    assert "x None" in user.type("logs", "@latest")
    assert "of the script alone" in user.type("run", "own.py", "--help")
