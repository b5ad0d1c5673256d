"""The example experiment, unchanged: on this machine, and by one flag through TLS, base path and the cluster's rights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hera_utils.platforms.argo_client import ArgoClient

from .walks import Weather

pytestmark = pytest.mark.timeout(600)  # on a machine that may be busy

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "experiment"

if TYPE_CHECKING:
    from .conftest import Typed


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


@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("HERA_UTILS_WEATHERS", "1"))))
def test_it_arrives_through_bad_weather(typed: Typed, place, between, straight, seed) -> None:
    """Every fourth connection to the Argo server is spoiled: one run (its points, its table) all the same, and the right table."""
    weather = Weather(seed, 10**6)
    between.draw = lambda: weather() if weather.random.random() < 0.25 else ("pass",)
    # the profile's token is for the profile's server
    elsewhere = ("--argo_server", between.url, "--argo_token", place.token("researcher"))
    there = typed(EXAMPLE / "experiment.py", "--profile", "bed", *elsewhere)
    table = (place.folder("inequality") / "results" / "us" / "inequality.csv").read_text()
    assert there.stdout.endswith(table)
    with ArgoClient(straight) as client:
        names = sorted(one["metadata"]["name"] for one in client.list())
    assert names == [names[0], f"{names[0]}-gather"]
