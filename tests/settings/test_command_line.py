"""Command lines that can be pasted: whole, quoted, without a secret."""

import json
import subprocess
import sys

import pytest

from hera_utils.settings.command_line import CommandLine, place_words, remove_secrets, remove_settings, words_of
from hera_utils.settings.resolve import CLIContext


def test_the_command_is_repeated_whole_but_for_what_was_meant_once():
    words = (
        "--set",
        "city=Saint Étienne",
        "--detach",
        "--profile",
        "lab",
        "--argo_token",
        "s3cret",
        "--argo-token=s3cret",
    )
    launch = CommandLine(("hera-utils", "run"), "my study.py", words)
    assert (
        launch.with_flags("--resume")
        == "hera-utils run 'my study.py' --resume --set 'city=Saint Étienne' --profile lab"
    )
    assert launch.with_flags() == "hera-utils run 'my study.py' --set 'city=Saint Étienne' --profile lab"


@pytest.mark.parametrize("way", [["script.py"], ["-m", "script"], ["-u", "./script.py"]])
def test_how_python_was_told_to_run_a_script(way, tmp_path):
    (tmp_path / "script.py").write_text(
        "import json\nfrom hera_utils.settings.command_line import python_launch\n"
        "launch = python_launch()\nprint(json.dumps([launch.before, launch.script, launch.arguments]))\n"
    )
    said = subprocess.run(
        [sys.executable, *way, "--set", "n=1"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    before, script, arguments = json.loads(said.stdout)
    assert [*before, script] == [sys.executable, *way]
    assert arguments == ["--set", "n=1"]


def test_no_command_of_what_is_no_script():
    code = "from hera_utils.settings.command_line import python_launch; print(python_launch())"
    said = subprocess.run([sys.executable, "-c", code, "--set", "n=1"], capture_output=True, text=True, check=True)
    assert said.stdout == "None\n"


def test_settings_as_words():
    given = {"argo_token": "s3cret", "verify_tls": False, "volumes": ["a=./a", "b=./b"], "argo_namespace": "my ns"}
    assert words_of(given) == ["--argo_namespace", "my ns", "--no_verify_tls", "--volume", "a=./a", "--volume", "b=./b"]


def test_the_way_to_a_platform_is_what_no_variable_and_no_file_says():
    values = {"argo_namespace": "mine", "profile": "lab", "state": "/s", "argo_server": "https://a", "parallelism": 3}
    origins = {
        "argo_namespace": "flag --argo_namespace",
        "profile": "script",
        "state": "variable HERA_UTILS_STATE",
        "argo_server": "profile lab in /x",
        "parallelism": "flag --parallelism",
    }
    assert place_words(CLIContext(values, origins)) == ("--profile", "lab", "--argo_namespace", "mine")


def test_no_secret_is_in_a_recorded_command_line():
    words = [
        "--argo_token",
        "x",
        "--n",
        "1",
        "--argo-token=y",
        "--proxy",
        "http://me:pw@proxy:3128",
        "--proxy=http://a:b@c",
    ]
    words += [
        "--notify_command",
        "curl -u me:pw http://x",
        "--notify-command=curl",
        "--notify",
        "json://x",
        "--notify=y",
    ]
    assert remove_secrets(words) == ["--n", "1", "--proxy", "http://proxy:3128", "--proxy=http://c"]
    assert words_of({"proxy": "http://me:pw@proxy:3128"}) == ["--proxy", "http://proxy:3128"]


def test_settings_are_taken_out_of_a_command_line():
    words = [
        "--argo_server",
        "https://evil.example",
        "--n",
        "1",
        "--argo-server=x",
        "--no_verify_tls",
        "--verify-tls",
        "--set",
        "a=1",
    ]
    assert remove_settings(words, {"argo_server", "verify_tls"}) == ["--n", "1", "--set", "a=1"]
    assert remove_settings(words, ()) == words
