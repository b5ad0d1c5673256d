"""Following a run where the server changes its mind, loses its cluster, or does not permit all of it."""

import io
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from rich.console import Console

from hera_utils.argo.phases import phase_of
from hera_utils.errors import Denied, Forbidden
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.token_sources import FileToken
from hera_utils.watch.display import display_for
from hera_utils.watch.follow import follow
from hera_utils.watch.run_progress import Share
from hera_utils.watch.stall import Stall

RUN, EVENTS = "/api/v1/workflows/lyon/run", "/api/v1/workflow-events/lyon"
LOST = 'Get "https://10.0.0.1:443/apis": dial tcp 10.0.0.1:443: connect: connection refused'
NO = {"code": 7, "message": 'workflows.argoproj.io is forbidden: User "u" cannot watch resource "workflows"'}


def run(phase="", version="1"):
    return {"metadata": {"name": "run", "resourceVersion": version}, "status": {"phase": phase} if phase else {}}


def one_state_and_no_more(exchange):
    exchange.begin_events()
    exchange.event({"result": {"type": "ADDED", "object": run("Running")}})
    exchange.end_events()


def in_turn(*answers):
    """Answers the next requests one after the other, and all others with the last."""
    left = list(answers)
    return lambda exchange: (left.pop(0) if len(left) > 1 else left[0])(exchange)


def says(document, status=200):
    return lambda exchange: exchange.reply(document, status)


def test_who_may_only_read_a_run_polls_it(double, monkeypatch):
    monkeypatch.setattr("hera_utils.platforms.argo_client._POLL_SECONDS", 0.01)
    double.on("GET", EVENTS, NO, 403)
    states = ["", "Running", "Running", "Succeeded"]
    double.on("GET", RUN, in_turn(*(says(run(phase, phase)) for phase in ["", *states])))
    with ArgoClient(double.connection) as client:
        seen = [phase_of(workflow) for _, workflow in client.watch("run", timeout=30)]
        assert seen == ["", "Running", "Succeeded"]
        double.on(
            "GET", RUN, in_turn(says(run("Running")), says(run("Running")), says({"code": 5, "message": "x"}, 404))
        )
        assert [kind for kind, _ in client.watch("run", timeout=30)] == ["MODIFIED", "DELETED"]
        double.on("GET", RUN, NO, 403)
        with pytest.raises(Forbidden):
            list(client.watch("run", timeout=30))


@pytest.mark.parametrize(("status", "code"), [(401, 16), (403, 7)])
def test_a_refused_token_that_nothing_renews_is_told_at_once(double, monkeypatch, tmp_path, status, code):
    monkeypatch.setattr("hera_utils.platforms.reconnect.MAX_SILENCE", 2.0)
    double.on("GET", EVENTS, one_state_and_no_more)
    (tmp_path / "token").write_text("t")
    renewed = replace(double.connection, fresh_token=FileToken(str(tmp_path / "token"), "x"))
    for connection, quickly in ((double.connection, True), (renewed, False)):
        double.on("GET", RUN, in_turn(says(run()), says({"code": code, "message": "no"}, status)))
        begun = len(double.seen)
        with ArgoClient(connection) as client, pytest.raises(Denied):
            list(client.watch("run", timeout=30))
        assert (len(double.seen) - begun == 3) == quickly


def test_the_cluster_behind_the_server_is_restarted(double):
    lost = says({"code": 13, "message": LOST}, 500)
    double.on("GET", RUN, in_turn(says(run()), lost, lost, says(run("Succeeded"))))

    def events(exchange):
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": run("Succeeded", "2")}})
        exchange.end_events()

    double.on("GET", EVENTS, in_turn(one_state_and_no_more, events))
    begun = time.monotonic()
    with ArgoClient(double.connection) as client:
        assert [phase_of(workflow) for _, workflow in client.watch("run", timeout=60)] == ["Running", "Succeeded"]
    assert time.monotonic() - begun < 30


def test_a_run_that_no_controller_takes_up_says_so(double, monkeypatch):
    monkeypatch.setattr("hera_utils.watch.follow.UNCLAIMED_SECONDS", 0.3)
    told = threading.Event()

    def events(exchange):
        exchange.begin_events()
        exchange.event({"result": {"type": "ADDED", "object": run()}})
        if told.wait(20):
            with suppress(OSError):  # the first of two streams has ended
                exchange.event({"result": {"type": "MODIFIED", "object": run("Succeeded", "2")}})

    def not_taken_up(workflow):
        told.set()
        return f"no controller has taken up {workflow['metadata']['name']}"

    double.on("GET", RUN, run())
    double.on("GET", EVENTS, events)
    console = Console(file=io.StringIO(), width=100)
    with ArgoClient(double.connection) as client:
        follow(client, "run", display_for(console), not_taken_up=not_taken_up)
    assert [line.split("  ")[:2] for line in console.file.getvalue().splitlines()] == [
        ["run", "Pending"],
        ["○ no controller has taken up run"],
        ["run", "✔ Succeeded"],
    ]


def test_a_run_of_several_workflows_says_what_it_waits_for(double, monkeypatch):
    monkeypatch.setattr("hera_utils.watch.stall.UNCLAIMED_SECONDS", 0.0)
    node = {"id": "a", "name": "a", "displayName": "a", "type": "Pod", "phase": "Pending"}
    pending = run("Running")
    pending["status"]["nodes"] = {
        "a": {**node, "message": "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."}
    }
    double.on("GET", RUN, pending)
    double.on("GET", RUN + "-2", run())
    shares = [Share("run", "Running", 5, 0.2), Share("run-2", "Pending", 5, 0.0)]
    with ArgoClient(double.connection) as client:
        stall = Stall(client.get, lambda workflow: "nobody")
        assert stall.reasons(shares) == {}
        assert stall.reasons(shares) == {pending["status"]["nodes"]["a"]["message"]: ["a"], "nobody": []}
        assert stall.reasons([replace(shares[0], done=0.4), shares[1]]) == {}
