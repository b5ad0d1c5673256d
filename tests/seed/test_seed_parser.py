"""`parser()`: scripts add flags of their own, and give them on the command line, in variables and in hera.config."""

import argparse
import logging

import pytest

import hera_utils
from hera_utils.errors import SettingsError
from seed.scripts import TOKEN, output_of, run_script

EXTENDED = """
import os
from hera_utils import parser

class with_a_claim(parser):
    def __init__(self):
        super().__init__()
        self.parser.add("--k8s_volume_claim_name", type=str, default=os.environ.get("KUBEVOLUMECLAIMNAME"), help="the claim")
        self.get_parser().add_argument("--borough", default="LYON_1")
        self.parser.add("--tiles", type=int, env_var="TILES", default=1)
        group = self.parser.add_argument_group("the script's own")
        group.add("--verbose", action="store_true")
        group.add("--years", nargs="+", type=int, default=[])

args = with_a_claim().parse_args()
print(args.borough, args.tiles, args.verbose, args.years, args.k8s_volume_claim_name, args.argo_namespace, args.argo_server)
"""
FILE = "argo_server='argo.example:443'\nargo_namespace = lab\nborough = LYON_7\ntiles = 3\nverbose = true\nyears = [2009, 2012]\n"


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch, tmp_path):
    for name in ("ARGO_SERVER", "ARGO_TOKEN", "ARGO_NAMESPACE", "ARGOCONFIG", "KUBECONFIG", "KUBEVOLUMECLAIMNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERA_UTILS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_own_flags_by_default(tmp_path):
    assert output_of(run_script(tmp_path, EXTENDED)) == "LYON_1 1 False [] None default None\n"


def test_own_flags_from_the_file_and_from_a_variable(tmp_path):
    (tmp_path / "hera.config").write_text(FILE)
    answer = output_of(run_script(tmp_path, EXTENDED))
    assert answer == "LYON_7 3 True [2009, 2012] None lab https://argo.example:443\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    answer = run_script(
        elsewhere, EXTENDED, ARGOCONFIG=str(tmp_path / "hera.config"), TILES="9", KUBEVOLUMECLAIMNAME="vol"
    )
    assert output_of(answer) == "LYON_7 9 True [2009, 2012] vol lab https://argo.example:443\n"


def test_the_command_line_wins(tmp_path):
    (tmp_path / "hera.config").write_text(FILE)
    words = [
        "--borough",
        "LYON_2",
        "--tiles=4",
        "--years",
        "1999",
        "--k8s_volume_claim_name",
        "other",
        "--argo_namespace=mine",
    ]
    answer = output_of(run_script(tmp_path, EXTENDED, *words, TILES="9"))
    assert answer == "LYON_2 4 True [1999] other mine https://argo.example:443\n"


def test_config_files_are_named_strongest_first(tmp_path, monkeypatch):
    assert hera_utils.parser().get_config_files() == []
    project, named = tmp_path / "project", tmp_path / "named.config"
    project.mkdir()
    monkeypatch.chdir(project)
    for path in (tmp_path / "hera.config", project / "hera.config", named):
        path.write_text("argo_namespace = lab\n")
    monkeypatch.setenv("ARGOCONFIG", str(named))
    found = hera_utils.parser().get_config_files()
    assert found == [str(named), str(project / "hera.config"), str(tmp_path / "hera.config")]


def test_a_setting_that_the_script_cannot_do_without(capsys):
    parser = hera_utils.parser()
    parser.parser.add("--k8s_configmap_name", required=True)
    with pytest.raises(SystemExit) as ended:
        parser.parser.parse_args([])
    assert ended.value.code == 2
    assert "required: --k8s_configmap_name" in capsys.readouterr().err
    assert parser.parser.parse_args(["--k8s_configmap_name", "proxies"]).k8s_configmap_name == "proxies"


def test_a_default_of_the_scripts_own_is_weaker_than_any_file(tmp_path):
    parser = hera_utils.parser()
    parser.parser.add("--k8s_configmap_name", default="proxies")
    assert parser.parser.parse_args([]).k8s_configmap_name == "proxies"
    (tmp_path / "hera.config").write_text("k8s_configmap_name = from-the-file\n")
    assert parser.parser.parse_args([]).k8s_configmap_name == "from-the-file"


def test_a_setting_in_the_scripts_own_spelling():
    parser = hera_utils.parser().get_parser()
    parser.add("-n", "--argo_namespace", default="lab")
    parser.add("--account", dest="argo_service_account")
    parser.add_argument_group("more").add("--k8s_configmap_name", "--proxies")
    args = parser.parse_args(["-n", "mine", "--account=robot", "--proxies", "p"])
    assert (args.argo_namespace, args.argo_service_account, args.k8s_configmap_name) == ("mine", "robot", "p")
    assert parser.parse_args([]).argo_namespace == "lab"
    assert "-n" in parser.format_help()


def test_a_flag_that_means_something_else_here():
    parser = hera_utils.parser().get_parser()
    with pytest.raises(SettingsError, match="--state is a setting of hera_utils") as caught:
        parser.add("--state", default="initial")
    assert caught.value.fix == "rename the script's flag, for example to --my_state"
    parser.add("--state", dest="initial_state", default="cold")
    args = parser.parse_args(["--state", "warm"])
    assert args.initial_state == "warm"
    assert args.state.endswith("/state")
    with pytest.raises(SettingsError, match="no flag names a configuration file"):
        parser.add("--config", is_config_file=True)


@pytest.mark.parametrize("wrap", [lambda parser: parser, lambda parser: hera_utils.parser(parser)])
def test_an_existing_parser_is_extended(monkeypatch, wrap):
    existing = argparse.ArgumentParser()
    existing.add_argument("--borough", default="LYON_1")
    existing.add_argument("--argo_namespace", default="of-the-script")
    monkeypatch.setattr("sys.argv", ["script.py", "--borough", "LYON_2", "--argo_server", "https://argo.example"])
    args = hera_utils.parser(wrap(existing)).parse_args()
    assert (args.borough, args.argo_namespace, args.argo_server) == ("LYON_2", "of-the-script", "https://argo.example")


def test_what_is_no_parser():
    with pytest.raises(SettingsError, match="is of the type int"):
        hera_utils.parser(7)


def test_a_logger_is_told_the_settings_and_no_secret(caplog, monkeypatch):
    monkeypatch.setenv("ARGO_TOKEN", TOKEN)
    monkeypatch.setattr("sys.argv", ["script.py"])
    logger = logging.getLogger("of the script")
    caplog.set_level(logging.DEBUG, logger="of the script")
    for parse in (
        lambda: hera_utils.parse_arguments(logger=logger),
        lambda: hera_utils.parse_arguments(logger),
        lambda: hera_utils.parser(logger=logger).parse_args(),
    ):
        caplog.clear()
        assert parse().argo_token.reveal() == TOKEN
        assert "argo_namespace = default (default)" in caplog.messages
        assert TOKEN not in caplog.text


def test_settings_are_printed_as_json_without_the_token(tmp_path):
    text = "import json, hera_utils; print(json.dumps(hera_utils.parse_arguments().__dict__))"
    answer = output_of(run_script(tmp_path, text, ARGO_TOKEN=TOKEN))
    assert TOKEN not in answer
    assert '"argo_token": "********"' in answer
