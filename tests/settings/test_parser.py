import argparse
import subprocess
import sys

import pytest

from hera_utils.errors import SettingsError
from hera_utils.settings.fields import FIELDS, spellings
from hera_utils.settings.parser import argument_parser, parse_arguments


@pytest.fixture
def parser(desk):
    made = argument_parser(description="a script's own")
    made.around = desk.around
    return made


def test_the_flags_of_the_original(parser):
    args = parser.parse_args(
        [
            *("--k8s_config_file", "/k", "--k8s_configmap_name", "proxies", "--k8s_volume_claim_name", "results"),
            *("--argo_namespace", "lyon", "--argo_server", "argo.example:443"),
            *("--argo_service_account", "argo-user", "--argo_token", "planted-token"),
        ]
    )
    assert (args.k8s_config_file, args.k8s_configmap_name, args.k8s_volume_claim_name) == ("/k", "proxies", "results")
    assert (args.argo_namespace, args.argo_server) == ("lyon", "https://argo.example:443")
    assert args.argo_service_account == "argo-user"
    assert args.argo_token.reveal() == "planted-token"
    assert args.origin("argo_server") == "flag --argo_server"
    assert args.platform == "remote"


def test_every_flag_in_both_spellings(parser):
    for field in FIELDS:
        for flag in [spelling for one in field.flags for spelling in spellings(one)]:
            value = {
                "boolean": "",
                "table": "a=b" if field.name == "volumes" else "",
                "duration": "1h",
                "count": "3",
            }.get(field.kind, field.choices[0] if field.choices else "local")
            if field.name in ("images", "profile", "argo_server"):
                continue
            assert parser.parse_args([flag, value] if value else [flag]) is not None


def test_a_script_extends_it(parser, desk):
    parser.add_argument("--borough", default="LYON_1")
    parser.add("--count", type=int, default=1)
    args = parser.parse_args(["--borough", "LYON_9", "--platform", "local"])
    assert (args.borough, args.count) == ("LYON_9", 1)
    assert args.origin("borough") == "script's flag"
    assert set(vars(args)) >= {"borough", "count", "argo_server"}
    with pytest.raises(AttributeError, match="nothing"):
        _ = args.nothing
    assert not hasattr(args, "nothing")


def test_a_key_of_hera_config_may_be_a_scripts_own_flag(parser, desk):
    (desk.project / "hera.config").write_text("borough = LYON 3\ndry-run\nunknown = 1\nargo_namespace = lyon\n")
    parser.add_argument("--borough", default="LYON_1")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args([])
    assert (args.borough, args.dry_run, args.argo_namespace) == ("LYON 3", True, "lyon")
    assert parser.parse_args(["--borough", "LYON_2"]).borough == "LYON_2"


def test_defaults_that_a_script_gives_are_the_weakest(parser, desk):
    parser.set_defaults(argo_namespace="from-script", borough="b")
    assert parser.parse_args([]).argo_namespace == "from-script"
    assert parser.parse_args([]).origin("argo_namespace") == "script"
    (desk.home / "hera.config").write_text("argo_namespace = from-home")
    assert parser.parse_args([]).argo_namespace == "from-home"


def test_subcommands_and_known_args(parser):
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("collect").add_argument("--vintage")
    args = parser.parse_args(["--argo_namespace", "lyon", "collect", "--vintage", "2009"])
    assert (args.command, args.vintage, args.argo_namespace) == ("collect", "2009", "lyon")
    args, rest = argument_parser().parse_known_args(["--theirs", "1", "--platform", "local"])
    assert rest == ["--theirs", "1"]
    assert args.platform == "local"


def test_unknown_flags_and_abbreviations_are_refused(parser, capsys):
    for words in (["--nonsense"], ["--argo_serv", "x"]):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args(words)
        assert caught.value.code == 2
    assert "unrecognized" in capsys.readouterr().err


def test_a_misspelt_flag_is_named_and_what_follows_it_is_not_shown(parser, capsys):
    for words in (["--argo_tokn", "planted-token"], ["--argo_tokn=planted-token"]):
        with pytest.raises(SystemExit):
            parser.parse_args(words)
        said = capsys.readouterr().err
        assert "unrecognized arguments: --argo_tokn\n" in said
        assert "did you mean --argo_token?" in said
        assert "planted-token" not in said
        assert "usage:" not in said


def test_help_tells_the_flags_that_people_type_and_where_all_of_them_are_told(parser):
    text = parser.format_help()
    assert "--argo_server SERVER" in text
    assert "--k8s_context" not in text
    assert "hera-utils settings --help" in text
    assert isinstance(parser, argparse.ArgumentParser)


def test_help_begins_with_what_the_script_is_and_its_own_flags(monkeypatch):
    parser = argument_parser()
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", "Heat of a city,\nin 100 % of cases.\n\nIts method.\n")
    parser.add_argument("city")
    parser.add_argument("--borough", default="LYON_1", help="which part of it")
    parser.add_argument("--k8s_volume_claim_name", default="mine", help="the claim of the city")
    text = parser.format_help()
    usage, what, *_ = text.split("\n\n")
    assert usage.endswith("[FLAGS] city")
    assert what.strip() == "Heat of a city, in 100 % of cases."
    assert "Its method" not in text
    for own in ("--borough BOROUGH", "the claim of the city"):
        assert text.index(own) < text.index("platform:")


def test_a_description_stands_for_the_docstring():
    text = argument_parser(prog="city", description="collects a city", epilog="as in the paper").format_help()
    assert text.startswith("usage: city [FLAGS]\n\ncollects a city\n\n")
    assert text.endswith("\n\nas in the paper\n")


def test_parse_arguments_takes_words_and_a_parser(parser):
    parser.add_argument("--borough")
    args = parse_arguments(["--borough", "b", "--platform", "local"], parser=parser)
    assert args.borough == "b"


def test_a_script_may_set_a_value(parser):
    args = parser.parse_args([])
    args.argo_namespace = "mine"
    assert (args.argo_namespace, args.origin("argo_namespace")) == ("mine", "script")


def test_a_mistake_is_an_exception_that_a_script_may_catch(parser):
    with pytest.raises(SettingsError):
        parser.parse_args(["--argo_server", "ftp://x"])


SCRIPT = """
import signal
import hera_utils
args = hera_utils.parse_arguments()
if args.argo_namespace == "interrupted":
    from hera_utils.errors import Detached
    raise Detached("the run goes on")
if args.argo_namespace == "ctrl-c":
    signal.raise_signal(signal.SIGINT)
if args.argo_namespace == "crash":
    raise ZeroDivisionError("its own")
print(args.argo_namespace)
"""


def run_script(desk, *words):
    script = desk.project / "script.py"
    script.write_text(SCRIPT)
    environ = {"HOME": str(desk.home), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(
        [sys.executable, str(script), *words],
        cwd=desk.project,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_uncaught_mistake_is_a_sentence_its_fix_and_its_status(desk):
    said = run_script(desk, "--argo_server", "ftp://host", "--argo_token", "planted-token")
    assert said.returncode == 2
    assert said.stderr.splitlines()[0].startswith("hera-utils: `ftp://host` is not the address of an Argo server")
    assert said.stderr.splitlines()[1].startswith("  fix: ")
    assert "Traceback" not in said.stderr
    assert "planted" not in said.stderr


def test_other_errors_stay_as_they_are(desk):
    said = run_script(desk, "--argo_namespace", "crash")
    assert said.returncode == 1
    assert "Traceback" in said.stderr
    assert "ZeroDivisionError" in said.stderr


def test_detaching_is_told_and_is_status_130(desk):
    said = run_script(desk, "--argo_namespace", "interrupted")
    assert said.returncode == 130
    assert said.stderr.strip() == "the run goes on"


def test_ctrl_c_is_a_word_and_status_130_wherever_it_comes(desk):
    """It was a traceback before there was a run to come back to."""
    said = run_script(desk, "--argo_namespace", "ctrl-c")
    assert (said.returncode, said.stderr) == (130, "\ninterrupted\n")


@pytest.mark.parametrize("module", ["execution.execution_engine", "experiment.experiment", "settings.parser"])
def test_ctrl_c_while_a_script_imports_us(module):
    code = f"""
import signal, sys
class Interrupted:
    def find_spec(self, name, *more):
        if name == "hera_utils.{module}":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupted())
from hera_utils import main
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (130, "\ninterrupted\n")


def test_all_is_well(desk):
    said = run_script(desk, "--argo_namespace", "lyon")
    assert (said.returncode, said.stdout, said.stderr) == (0, "lyon\n", "")
