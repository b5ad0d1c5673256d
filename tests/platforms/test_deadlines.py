"""A time limit is kept: whatever the server does, or does not."""

import threading
import time
from dataclasses import replace

import pytest

from hera_utils.errors import AccessError, HeraUtilsError, RunFailed
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection

SLOW = {
    "kind": "Workflow",
    "metadata": {"generateName": "slow-"},
    "spec": {
        "entrypoint": "m",
        "templates": [{"name": "m", "container": {"image": "alpine:3", "command": ["sleep", "60"]}}],
    },
}


def late(client, name, seconds, expected=RunFailed):
    begun = time.monotonic()
    with pytest.raises(expected) as caught:
        client.wait(name, timeout=seconds)
    return time.monotonic() - begun - seconds, str(caught.value)


def test_of_a_run_that_goes_on(local_platform):
    client = local_platform.client
    name = client.create(SLOW)["metadata"]["name"]
    for seconds in (0.3, 1.0, 2.5):
        over, said = late(client, name, seconds)
        assert over < 20  # seconds; the run takes 60
        assert f"{name} is not finished after {seconds:g} s (Running)" in said
    begun = time.monotonic()
    assert [kind for kind, _ in client.watch(name, timeout=1, rest=lambda _: 0.0)] != []
    assert time.monotonic() - begun < 20
    client.act(name, "terminate")
    assert client.wait(name, timeout=30)["status"]["phase"] == "Failed"


def test_through_tls_and_a_cluster(place):
    connection = Connection(
        place.bed.argo_server, namespace=place.name, token=place.token(), ca_file=str(place.bed.authority)
    )
    with ArgoClient(connection) as client:
        name = client.create(SLOW)["metadata"]["name"]
        over, _ = late(client, name, 1.5)
        assert over < 20
        client.act(name, "terminate")
        assert client.wait(name, timeout=30)["status"]["phase"] == "Failed"


def test_of_a_server_that_is_silent(double):
    """It takes the question and says nothing: neither to the reading before the watch nor to the watch."""
    over = threading.Event()
    double.on("GET", "/api/v1/workflows/lyon/run", lambda exchange: over.wait(60))
    with ArgoClient(double.connection) as client:
        late_by, _ = late(client, "run", 1.0, HeraUtilsError)
    over.set()
    assert late_by < 20  # seconds; the server is silent for 60
    over.clear()
    double.on("GET", "/api/v1/workflows/lyon/run", {"metadata": {"name": "run"}})

    def keeps_alive(exchange):
        exchange.begin_events()
        for _ in range(1200):
            exchange.raw(b": keepalive\n\n")
            if over.wait(0.05):
                break

    double.on("GET", "/api/v1/workflow-events/lyon", keeps_alive)
    with ArgoClient(double.connection) as client:
        late_by, said = late(client, "run", 1.0)
    over.set()
    assert late_by < 20  # seconds; it would continue for 60
    assert "not seen" in said


def test_of_no_server_at_all(double):
    nobody = replace(double.connection, argo_server="http://127.0.0.1:9")
    with ArgoClient(nobody) as client:
        over, _ = late(client, "run", 2.0, AccessError)
        assert over < 20
