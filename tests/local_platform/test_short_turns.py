"""The only writing thread does not stay with one workflow: however much that one needs, others have their turn."""

import json
import threading
import time
from collections import Counter
from types import SimpleNamespace

import toy_parts

from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.events import PodStarted, TimerFired
from hera_utils.local_platform.controller import controller, outstanding
from hera_utils.local_platform.controller.inbox import RunEvent, TurnRequest
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

POD = {"name": "t", "container": {"image": "busybox", "command": ["true"]}}


def loop(count):
    one = {"name": "s", "template": "t", "withSequence": {"count": count}}
    spec = {"entrypoint": "m", "templates": [{"name": "m", "dag": {"tasks": [one]}}, POD]}
    return {"metadata": {"generateName": "loop-"}, "spec": spec}


def nodes_of(platform, name):
    document = json.loads(platform.get("Workflow", "default", name).text)
    return document["status"].get("nodes") or {}


def test_a_large_workflow_opens_in_many_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(controller, "LONGEST_TURN", 0.0)
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        before = platform.list("Workflow")[1]
        large = platform.submit("default", loop(300)).name
        small = platform.submit("default", loop(2)).name  # this returns although the large one is not opened yet
        until(lambda: len(nodes_of(platform, large)) == 302)
        until(lambda: len(nodes_of(platform, small)) == 4)
        assert platform.list("Workflow")[1] > before + 10  # turns
    finally:
        platform.close()


class Unstarted(toy_parts.ToyRuntime):
    """A runtime that starts nothing by itself."""

    def launch(self, launch):
        pass


def test_the_status_of_few_large_pods_is_written_in_a_turn(tmp_path, monkeypatch):
    """A row is written as a whole: the ends of 700 pods of 250 kB used to be one turn, for which others waited for seconds."""
    monkeypatch.setattr(controller, "MOST_REWRITTEN", 0)
    monkeypatch.setattr(outstanding, "AT_HAND", 0)
    platform = LocalPlatform(tmp_path, advance=advance, runtime=Unstarted)
    all_have_started = threading.Event()
    try:
        run = platform.submit("default", loop(40))
        until(lambda: len(nodes_of(platform, run.name)) == 42)
        pods = [node["id"] for node in nodes_of(platform, run.name).values() if node["type"] == "Pod"]
        before = platform.list("Workflow")[1]
        platform._controller.later(lambda turn: all_have_started.wait(60))
        for pod in pods:
            platform._controller.report(run.uid, PodStarted(time.time(), "", pod))
        all_have_started.set()
        until(lambda: all(node["phase"] == "Running" for node in nodes_of(platform, run.name).values()))
        assert platform.list("Workflow")[1] >= before + 40
    finally:
        all_have_started.set()
        platform.close()


def test_a_request_does_not_wait_for_the_events_of_a_large_workflow():
    requests = [TurnRequest(lambda turn: lambda: None) for _ in range(2)]
    events = [RunEvent("run", TimerFired(0.0, "", key)) for key in "abc"]
    mixed = [events[0], requests[0], events[1], requests[1], events[2]]
    assert controller._requests_first(mixed) == [*requests, *events]


def test_events_go_on_however_many_requests_there_are():
    requests = [TurnRequest(lambda turn: lambda: None) for _ in range(3)]
    events = [RunEvent("run", TimerFired(0.0, "", key)) for key in "ab"]
    taken = []

    def postponed(items, item, waiting, rest):
        inbox = SimpleNamespace(rest=lambda: rest)
        busy = SimpleNamespace(_postponed=waiting, _inbox=inbox, _take_event=lambda turn, event: taken.append(event))
        controller.Controller._postpone(busy, None, items, item)
        return items, list(busy._postponed)

    items, later = postponed([requests[0]], requests[1], [requests[2]], events)
    assert (taken, items, later) == ([events[0]], [requests[0], events[0]], [*requests[1:], events[1]])
    items, later = postponed([events[0]], requests[0], requests[1:], [])
    assert (len(taken), items, later) == (1, [events[0]], requests)


def test_a_restart_in_between_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(controller, "LONGEST_TURN", 0.0)
    first = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    name = first.submit("default", loop(400)).name
    first.close()
    second = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        until(lambda: len(nodes_of(second, name)) == 402)
        assert all(node["startedAt"] > "2000" for node in nodes_of(second, name).values())
    finally:
        second.close()


def test_a_workflow_that_is_too_large_ends_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HERA_UTILS_MOST_NODES", "100")
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        calls = [{"name": f"s{n}", "template": "m"} for n in range(2)]
        spec = {"entrypoint": "m", "templates": [{"name": "m", "steps": [calls]}]}
        name = platform.submit("default", {"metadata": {"generateName": "r-"}, "spec": spec}).name

        def status():
            return json.loads(platform.get("Workflow", "default", name, nodes=False).text)["status"]

        until(lambda: status().get("phase") == "Error")
        assert status()["message"] == "workflow is longer than maximum allowed size. more than 100 nodes"
    finally:
        platform.close()


def test_thousands_of_timers_that_are_due_do_not_fire_in_one_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(controller, "LONGEST_TURN", 0.0)
    fired = Counter()
    fire = controller.Controller._fire

    def counted(self, turn, run, key):
        fired[turn.version] += 1
        fire(self, turn, run, key)

    monkeypatch.setattr(controller.Controller, "_fire", counted)
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        one = {"name": "s", "template": "h", "withSequence": {"count": 50}}
        spec = {
            "entrypoint": "m",
            "templates": [{"name": "m", "steps": [[one]]}, {"name": "h", "suspend": {"duration": "0"}}],
        }
        name = platform.submit("default", {"metadata": {"generateName": "r-"}, "spec": spec}).name
        until(lambda: json.loads(platform.get("Workflow", "default", name).text)["status"].get("phase") == "Succeeded")
        assert sum(fired.values()) >= 50
        assert max(fired.values()) == 1
    finally:
        platform.close()


def test_a_clock_that_is_set_forward_is_noticed(tmp_path, monkeypatch):
    assert controller.LONGEST_WAIT < 60
    monkeypatch.setattr(controller, "LONGEST_WAIT", 0.05)
    later = [0.0]
    monkeypatch.setattr(controller, "now", lambda: time.time() + later[0])
    platform = LocalPlatform(tmp_path, advance=advance, runtime=toy_parts.ToyRuntime)
    try:
        spec = {"entrypoint": "m", "templates": [{"name": "m", "suspend": {"duration": "86400"}}]}
        name = platform.submit("default", {"metadata": {"generateName": "r-"}, "spec": spec}).name
        time.sleep(0.2)
        later[0] = 100_000.0
        until(lambda: json.loads(platform.get("Workflow", "default", name).text)["status"].get("phase") == "Succeeded")
    finally:
        platform.close()
