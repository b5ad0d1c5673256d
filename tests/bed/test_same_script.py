"""The example experiment, unchanged: on this machine, and by one flag through TLS, base path and the cluster's rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "experiment"

Typed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def typed(place, local_platform, tmp_path) -> Typed:
    """Types a command in an empty folder of a user whose profile `bed` is this test's namespace of the bed."""
    settings = tmp_path / ".config" / "hera-utils"
    settings.mkdir(parents=True)
    profile = {
        "argo_server": place.bed.argo_server,
        "ca_file": place.bed.authority,
        "argo_namespace": place.name,
        "k8s_config_file": place.kubeconfig("researcher"),
        "argo_service_account": "runner",
    }
    lines = [f'{name} = "{value}"\n' for name, value in profile.items()]
    (settings / "config.toml").write_text("[profiles.bed]\n" + "".join(lines))
    credentials = settings / "credentials.toml"
    credentials.touch(mode=0o600)
    credentials.write_text(f'[profiles.bed]\nargo_token = "{place.token("researcher")}"\n')
    around = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    around |= {"HOME": str(tmp_path), "HERA_UTILS_STATE": local_platform.context.state}

    def type_(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            [sys.executable, *map(str, words)], cwd=tmp_path, env=around, capture_output=True, text=True, timeout=200
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        return answer

    return type_


def test_the_example_runs_here_and_by_one_flag_through_the_cluster(typed: Typed, place) -> None:
    here = typed(EXAMPLE / "experiment.py")
    there = typed(EXAMPLE / "experiment.py", "--profile", "bed")
    table = (place.folder("inequality") / "results" / "us" / "inequality.csv").read_text()
    assert table.count("\n") == 6
    assert here.stdout.endswith(table)
    assert there.stdout.endswith(table)


def test_it_is_the_cluster_that_decides(typed: Typed, place) -> None:
    """With the rights of a reader the same command is refused in one sentence, and nothing was created."""
    words = ("--profile", "bed", "--argo_token", place.token("reader"), "--k8s_config_file", place.kubeconfig("reader"))
    told_before = typed(EXAMPLE / "experiment.py", *words, status=2)
    told_by_the_server = typed(EXAMPLE / "experiment.py", *words, "--no_preflight", status=2)
    assert "may not create workflows.argoproj.io" in told_before.stderr
    assert "cannot create" in told_by_the_server.stderr.replace("\n", " ")
    assert "Traceback" not in told_before.stderr + told_by_the_server.stderr
    assert "inequality-" not in typed("-m", "hera_utils", "ls", "--profile", "bed").stdout
