"""What lies between a researcher and a server breaks: nothing is submitted twice, no line is lost, nothing hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bed.faulty_proxy import PAGE, FaultyProxy, answer, faulty_proxy
from hera_utils.argo.phases import phase_of
from hera_utils.errors import AccessError, HeraUtilsError, Refused
from hera_utils.platforms.argo_client import ArgoClient

LINES = 300
SCRIPT = f"for i in $(seq 1 {LINES}); do echo line $i; done; mkdir -p /tmp/o; head -c 200000 /dev/zero > /tmp/o/big"
OUTPUT = {"artifacts": [{"name": "big", "path": "/tmp/o/big", "archive": {"none": {}}}]}
POD = {"name": "m", "container": {"image": "busybox", "command": ["sh", "-c", SCRIPT]}, "outputs": OUTPUT}
SLOW = {
    "name": "m",
    "container": {"image": "busybox", "command": ["sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done"]},
}


def workflow(template: dict = POD, **metadata: str) -> dict:
    spec = {"entrypoint": "m", "templates": [template]}
    return {"metadata": metadata or {"generateName": "f-"}, "spec": spec}


@pytest.fixture
def between(local_platform) -> Iterator[tuple[FaultyProxy, ArgoClient, ArgoClient]]:
    """(the proxy, a client through it, a direct client). The clients are for a cluster, so they never start a server."""
    straight = local_platform.client
    with faulty_proxy(straight.connection.argo_server) as proxy:
        connection = replace(straight.connection, argo_server=proxy.url, local=False, rejoin=None)
        with ArgoClient(connection) as client:
            yield proxy, client, straight


LOST = [
    ("cut", 0),
    ("cut", 40),
    ("cut", 700),
    ("after", answer("502 Bad Gateway")),
    ("after", answer("504 Gateway Timeout")),
    ("instead", answer("429 Too Many Requests")),
    ("instead", answer("503 Service Unavailable")),
    ("instead", b""),
    ("delay", 0.5),
]


@pytest.mark.parametrize("plan", LOST, ids=lambda plan: f"{plan[0]} {str(plan[1])[:25]}")
def test_a_lost_answer_to_a_creation_makes_no_second_run(between, plan) -> None:
    proxy, client, straight = between
    before = {one["metadata"]["name"] for one in straight.list()}
    proxy.plans = [plan, plan]
    made = client.create(workflow(SLOW))["metadata"]["name"]
    after = {one["metadata"]["name"] for one in straight.list()}
    assert after - before == {made}
    straight.delete(made)


def test_a_lost_answer_to_a_submission_makes_no_second_run(between) -> None:
    proxy, client, straight = between
    straight.apply({"kind": "WorkflowTemplate", **workflow(SLOW, name="kept")})
    before = {one["metadata"]["name"] for one in straight.list()}
    proxy.plans = [("cut", 10), ("after", answer("502 Bad Gateway"))]
    made = client.submit("workflowtemplate", "kept", options={"annotations": "a=b"})["metadata"]
    assert {one["metadata"]["name"] for one in straight.list()} - before == {made["name"]}
    assert made["annotations"]["a"] == "b"
    assert made["name"].startswith("kept-")
    straight.delete(made["name"])


def test_a_run_of_somebody_else_is_not_taken_for_ours(between) -> None:
    proxy, client, straight = between
    straight.create(workflow(SLOW, name="theirs"))
    proxy.plans = [("instead", answer("502 Bad Gateway"))]
    with pytest.raises(Refused, match="already exists"):
        client.create(workflow(SLOW, name="theirs"))
    straight.delete("theirs")


def test_a_page_in_the_place_of_an_answer_is_told_as_such(between) -> None:
    proxy, client, straight = between
    before = len(straight.list())
    proxy.plans = [("instead", answer("200 OK", PAGE))]
    with pytest.raises(AccessError, match="not an Argo server"):
        client.create(workflow(SLOW))
    proxy.plans = [("instead", answer("302 Found"))]
    with pytest.raises(AccessError, match="redirects"):
        client.version()
    assert len(straight.list()) == before


@pytest.mark.parametrize(
    "plan", [("cut", 900), ("cut", 3000), ("half-close",), ("instead", answer("502 Bad Gateway"))], ids=str
)
def test_a_watch_and_a_log_survive(between, plan) -> None:
    proxy, client, straight = between
    name = straight.create(workflow(SLOW))["metadata"]["name"]
    begun = time.monotonic()
    proxy.plans = [("pass",), plan, ("pass",), plan]
    assert [phase_of(one) for _, one in client.watch(name, timeout=30)][-1] == "Succeeded"
    straight.wait(name, timeout=30)
    client.close()
    proxy.plans = [("cut", 500), ("cut", 900)]
    lines = [line for _, line in client.logs(name, follow=True)]
    assert [line for line in lines if line.isdigit()] == list("123456")
    assert time.monotonic() - begun < 40


def test_many_lines_come_once_each_and_an_artifact_whole_or_not_at_all(between) -> None:
    proxy, client, straight = between
    name = straight.create(workflow())["metadata"]["name"]
    done = straight.wait(name, timeout=30)
    assert phase_of(done) == "Succeeded", done["status"].get("message")
    proxy.plans = [("cut", 3000), ("cut", 9000), ("cut", 20000)]
    lines = [line for _, line in client.logs(name, follow=True) if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(1, LINES + 1)]
    client.close()
    proxy.plans = [("cut", 50_000)]
    with pytest.raises(HeraUtilsError):
        b"".join(client.artifact(name, name, "big"))
    client.close()
    assert b"".join(client.artifact(name, name, "big")) == bytes(200_000)
