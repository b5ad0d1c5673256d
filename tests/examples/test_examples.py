"""Each example as a user runs it, in a process of its own, on a private local platform."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def typed(local_platform, tmp_path):
    """Runs a command line in an empty folder with only the private platform configured; returns its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    environment = kept | {
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }

    def type_(*words, status=0):
        answer = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        return answer.stdout

    return type_


def run(typed, name, *arguments, status=0):
    return typed("-m", "hera_utils", "run", EXAMPLES / name, *arguments, status=status)


def logs(typed, *words):
    return typed("-m", "hera_utils", "logs", "@latest", *words).splitlines()


def test_hello_world(typed):
    assert "✔ Succeeded  1/1" in run(typed, "hello_world.py")
    assert logs(typed, "--no-prefix") == ["hello world"]


def test_hello_world_as_a_script_of_its_own(typed, local_platform):
    link = typed(EXAMPLES / "hello_world.py").strip()
    assert link.startswith(f"{local_platform.connection.argo_server}/workflows/")
    typed("-m", "hera_utils", "watch", "@latest")


def test_coin_flip(typed):
    assert "✔ Succeeded" in run(typed, "coin_flip.py")
    assert logs(typed, "--no-prefix")[-1] == "it was heads"


def test_print_environment(typed):
    run(typed, "print_environment.py")
    said = logs(typed, "--no-prefix")
    assert said[0].startswith("hello from Python 3.")
    assert "EXPERIMENT=print-environment" in said
    assert f"interpreter: {sys.executable}" in said, "a task of a script runs with the Python of the script"


def test_plain_hera(typed):
    text = (EXAMPLES / "plain_hera.py").read_text()
    assert "import hera_utils" not in text
    assert "✔ Succeeded  5/5" in run(typed, "plain_hera.py")
    assert logs(typed, "total", "--no-prefix") == ["25"]


def test_volumes(typed, local_platform):
    for count in (1, 2):
        run(typed, "volumes.py")
        assert logs(typed, "read") == ["one more line"] * count
    assert (local_platform.claim("notes") / "note.txt").read_text() == "one more line\n" * 2


def test_config_map_pip_proxy(typed):
    run(typed, "config_map_pip_proxy.py")
    assert logs(typed, "--no-prefix") == [
        "http goes through http://proxy.example.org:3128",
        "https goes through http://proxy.example.org:3128",
    ]


def test_a_claim_may_be_a_folder_of_ones_own(typed, tmp_path):
    run(typed, "volumes.py", "--volume", f"notes={tmp_path}/mine")
    assert (tmp_path / "mine" / "note.txt").read_text() == "one more line\n"
