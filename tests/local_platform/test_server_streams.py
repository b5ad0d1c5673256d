"""Watches and logs: both wire formats, order, coalescing, and that nothing grows with a slow or disconnected reader."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests
from memory_platform import MemoryPlatform
from serving import TOKEN

from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.errors import Refused
from hera_utils.local_platform.serving import latest as latest_module
from hera_utils.local_platform.serving import watch as watch_module
from hera_utils.local_platform.serving.http import encode_in_pieces
from waiting import until

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def submit(platform: MemoryPlatform, name: str = "one", namespace: str = "argo", **labels: str) -> dict:
    spec = {"entrypoint": "m", "templates": [{"name": "m"}]}
    stored = platform.submit(namespace, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    return json.loads(stored.text)


def finish(platform: MemoryPlatform, document: dict) -> None:
    document["status"]["phase"] = "Succeeded"
    document["metadata"]["labels"]["workflows.argoproj.io/completed"] = "true"
    platform.put("Workflow", document)


class Events:
    """Reads a stream in the background."""

    def __init__(self, address: str, accept: str = "*/*") -> None:
        parts = urlsplit(address)
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        self.connection.request("GET", f"{parts.path}?{parts.query}", headers={**HEADERS, "Accept": accept})
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self.raw = b""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while chunk := self.answer.read1(1 << 16):
                self.raw += chunk

    def hang_up(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)

    @property
    def results(self) -> list[dict]:
        return [json.loads(line)["result"] for line in self.raw.split(b"\n")[:-1] if line.strip()]

    def wait(self, count: int) -> list[dict]:
        until(lambda: len(self.results) >= count)
        return self.results


def watch(url: str, query: str = "", accept: str = "*/*") -> Events:
    return Events(f"{url}/api/v1/workflow-events/argo?{query}", accept)


def test_a_watch_begins_with_the_present_state(url, platform):
    made = submit(platform)
    submit(platform, "other")
    events = watch(url, "listOptions.fieldSelector=metadata.name%3Done&listOptions.resourceVersion=0")
    assert events.answer.headers["content-type"] == "application/json"
    assert events.wait(1) == [{"type": "ADDED", "object": made}]
    finish(platform, made)
    assert events.wait(2)[1]["type"] == "MODIFIED"
    assert events.results[1]["object"]["status"]["phase"] == "Succeeded"
    platform.delete("Workflow", "argo", "one")
    assert events.wait(3)[2]["type"] == "DELETED"


def test_server_sent_events_as_argo_writes_them(url, platform):
    submit(platform)
    events = watch(url, accept="text/event-stream")
    assert events.answer.headers["content-type"].startswith("text/event-stream")
    until(lambda: events.raw)
    assert events.raw.startswith(b'data: {"result":{"type":"ADDED","object":{')
    assert events.raw.endswith(b"}} \n\n\n")


def test_a_watch_on_a_missing_workflow(url):
    address = f"{url}/api/v1/workflow-events/argo?listOptions.fieldSelector=metadata.name%3Dnobody"
    body = {
        "error": {
            "grpc_code": 5,
            "http_code": 404,
            "message": 'workflows.argoproj.io "nobody" not found',
            "http_status": "Not Found",
        }
    }
    answer = requests.get(address, headers=HEADERS, timeout=5)
    assert (answer.status_code, answer.json()) == (404, body)
    sse = requests.get(address, headers={**HEADERS, "Accept": "text/event-stream"}, timeout=5)
    assert sse.text == f"data: {json.dumps(body, separators=(',', ':'))} \n\n\n"


def test_changes_are_coalesced_and_the_last_is_never_lost(url, platform):
    made = submit(platform)
    events = watch(url)
    events.wait(1)
    began = time.monotonic()
    for number in range(2000):
        made["status"]["progress"] = f"{number}/2000"
        platform.put("Workflow", made)
    finish(platform, made)
    until(lambda: events.results[-1]["object"]["status"]["phase"] != "Running")
    took = time.monotonic() - began
    assert events.results[-1]["object"]["status"] == made["status"]
    assert len(events.results) <= 2 + took * 10


def test_the_end_of_a_large_run_is_told_at_once(url, platform, monkeypatch):
    monkeypatch.setattr(watch_module, "pause_after", lambda cost, size, watchers: 3600.0)
    made = submit(platform)
    events = watch(url)
    events.wait(1)
    finish(platform, made)
    assert events.wait(2)[1]["object"]["status"]["phase"] == "Succeeded"


def test_large_documents_are_sent_less_often_and_none_waits_for_ever():
    pauses = [watch_module.pause_after(0.0, size) for size in (1_000, 1_000_000, 10_000_000, 10**12)]
    assert pauses == sorted(pauses)
    assert pauses[0] == watch_module.SHORTEST_PAUSE
    assert pauses[-1] == watch_module.pause_after(10**6, 0) == watch_module.LONGEST_PAUSE
    # With many watchers each is served less often, so that together they leave the server time for other requests.
    many = [watch_module.pause_after(0.001, 1_000_000, watchers) for watchers in (1, 10, 200)]
    assert many[0] == many[1]
    assert many[2] == pytest.approx(200 * 0.003 / watch_module.SHARE_OF_ALL)


def test_watchers_share_what_was_put_together_and_all_get_the_last_state(url, platform, monkeypatch):
    monkeypatch.setattr(latest_module, "SHARE", 1e-9)  # a text that was built once may be used for ever
    built = []
    get = platform.get
    monkeypatch.setattr(platform, "get", lambda *place, nodes=True: (built.append(nodes), get(*place, nodes=nodes))[1])
    made = submit(platform)
    everyone = [watch(url) for _ in range(5)]
    for one in everyone:
        one.wait(1)
    assert built.count(True) == 1
    made["status"]["progress"] = "1/2"
    platform.put("Workflow", made)  # its text is not built again for this…
    assert {one.wait(2)[1]["object"]["status"].get("progress") for one in everyone} == {None}
    assert built.count(True) == 1
    finish(platform, made)  # … only for the end
    for one in everyone:
        until(lambda one=one: one.results[-1]["object"]["status"]["phase"] == "Succeeded")
    assert built.count(True) == 2


def test_a_watcher_that_was_given_an_older_state_gets_the_newest_after_it(url, platform, monkeypatch):
    monkeypatch.setattr(latest_module, "SHARE", 1e-4)  # a text may be used for some tenths of a second
    made = submit(platform)
    events = watch(url)
    events.wait(1)
    made["status"]["progress"] = "1/2"
    platform.put("Workflow", made)
    until(lambda: events.results[-1]["object"]["status"].get("progress") == "1/2")


def test_a_text_is_put_together_again_when_it_may_cost_something(platform):
    now = [0.0]
    latest = latest_module.Latest(platform, clock=lambda: now[0])
    made = submit(platform)
    place = ("Workflow", "argo", "one")
    first, changed = latest.get(place, nodes=True, at_once=False)
    assert not changed
    platform.put("Workflow", made)
    assert latest.get(place, nodes=True, at_once=False) == (first, True)
    newest, changed = latest.get(place, nodes=True, at_once=True)
    assert (newest.resource_version, changed) == (platform.version, False)
    platform.put("Workflow", made)
    now[0] = 3600.0
    assert latest.get(place, nodes=True, at_once=False)[0].resource_version == platform.version
    platform.delete("Workflow", "argo", "one")
    with pytest.raises(Refused):
        latest.get(place, nodes=True, at_once=False)


def test_selectors_fields_and_versions_of_a_watch(url, platform):
    one = submit(platform, team="a")
    submit(platform, "two", team="b")
    submit(platform, "elsewhere", namespace="default", team="a")
    version = platform.version
    labelled = watch(url, "listOptions.labelSelector=team%3Da&fields=result.object.metadata.name,result.type")
    assert [e["object"]["metadata"] for e in labelled.wait(1)] == [{"name": "one"}]
    later = watch(url, f"listOptions.resourceVersion={version}")
    one["metadata"]["labels"]["team"] = "c"
    platform.put("Workflow", one)
    assert labelled.wait(2)[1]["type"] == "DELETED"  # it no longer matches the selector
    assert [e["type"] for e in later.wait(1)] == ["MODIFIED"]
    submit(platform, "three")
    assert [e["type"] for e in later.wait(2)] == ["MODIFIED", "ADDED"]
    platform.delete("Workflow", "argo", "two")
    again = watch(url, f"listOptions.resourceVersion={version}")
    assert {(e["type"], e["object"]["metadata"]["name"]) for e in again.wait(3)} == {
        ("MODIFIED", "one"), ("ADDED", "three"), ("DELETED", "two"),
    }  # fmt: skip
    old = requests.get(f"{url}/api/v1/workflow-events/argo?listOptions.resourceVersion=3", headers=HEADERS, timeout=5)
    assert old.status_code == 400
    assert "too old resource version" in old.json()["error"]["message"]


def test_a_reader_that_leaves_is_forgotten(url, platform):
    before = len(platform.listeners["Workflow"])
    submit(platform)
    events = [watch(url) for _ in range(5)]
    for one in events:
        one.wait(1)
    assert len(platform.listeners["Workflow"]) == before + 5
    for one in events:
        one.hang_up()
    until(lambda: len(platform.listeners["Workflow"]) <= before)
    assert len(platform.listeners["Workflow"]) == before


# --- logs


@pytest.fixture
def logged(platform: MemoryPlatform) -> dict:
    made = submit(platform)
    platform.add_pod("argo", "one", "one-a", 1000)
    platform.add_pod("argo", "one", "one-b", 1001)
    platform.add_pod("argo", "other", "other-c", 1001)
    platform.lines["one-a", "main"] = [(1000.0, "a1"), (1002.5, "a2 warm"), (1004.0, "a3")]
    platform.lines["one-b", "main"] = [(1001.25, "b1"), (1003.0, "b2 warm")]
    platform.lines["other-c", "main"] = [(1001.0, "no")]
    platform.lines["one-a", "init"] = [(999.0, "set up")]
    return made


def log(url: str, query: str, path: str = "one/log") -> list[str]:
    answer = requests.get(f"{url}/api/v1/workflows/argo/{path}?{query}", headers=HEADERS, timeout=10)
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["result"]["content"] for line in answer.text.splitlines()]


def test_logs_of_a_run_in_the_order_of_time(url, logged):
    main = "logOptions.container=main"
    assert log(url, main) == ["a1", "b1", "a2 warm", "b2 warm", "a3"]
    assert log(url, f"{main}&podName=one-b") == ["b1", "b2 warm"]
    assert log(url, main, "one/one-b/log") == ["b1", "b2 warm"]
    assert log(url, f"{main}&grep=w.rm") == ["a2 warm", "b2 warm"]
    assert log(url, f"{main}&grep=zzz") == []
    assert log(url, "") == []  # the server does not choose a container
    assert log(url, "logOptions.container=init") == ["set up"]
    assert log(url, f"{main}&logOptions.tailLines=1") == ["b2 warm", "a3"]
    assert log(url, f"{main}&selector=step%3Da") == ["a1", "a2 warm", "a3"]
    assert log(url, f"{main}&logOptions.timestamps=True&podName=one-b")[0] == "1970-01-01T00:16:41.25Z b1"
    assert log(url, f"{main}&logOptions.sinceSeconds=60") == []
    assert log(url, f"{main}&logOptions.sinceTime.seconds=1003") == ["b2 warm", "a3"]
    bad = requests.get(f"{url}/api/v1/workflows/argo/one/log?grep=(", headers=HEADERS, timeout=5)
    assert bad.status_code == 500
    assert "failed to compile" in bad.json()["error"]["message"]
    missing = requests.get(f"{url}/api/v1/workflows/argo/nobody/log?{main}", headers=HEADERS, timeout=5)
    assert missing.json()["error"]["grpc_code"] == 5


def test_following_ends_with_the_run(url, platform, logged):
    platform.live = {"one-b"}
    document = json.loads(platform.get("Pod", "argo", "one-b").text)
    document["status"]["phase"] = "Running"
    platform.put("Pod", document)
    events = Events(f"{url}/api/v1/workflows/argo/one/log?logOptions.container=main&logOptions.follow=true")
    events.wait(5)
    platform.lines["one-b", "main"].append((1005.0, "b3"))
    assert events.wait(6)[5] == {"content": "b3", "podName": "one-b"}
    platform.add_pod("argo", "one", "one-d", 1006, "Running")
    platform.lines["one-d", "main"] = [(1006.0, "d1")]
    platform.put("Pod", json.loads(platform.get("Pod", "argo", "one-d").text))
    events.wait(7)
    platform.live = set()
    finish(platform, logged)
    events.thread.join(5)
    assert not events.thread.is_alive()
    assert [e["content"] for e in events.results][5:] == ["b3", "d1"]


def test_followers_have_no_threads_and_are_forgotten_with_their_clients(url, platform, logged):
    """Each follower used to have a thread for each running pod: with sixty of both no other call was answered for a minute."""
    platform.live = {"one-a", "one-b"}
    for name in platform.live:
        document = json.loads(platform.get("Pod", "argo", name).text)
        document["status"]["phase"] = "Running"
        platform.put("Pod", document)
    before, listeners = threading.active_count(), len(platform.listeners.get("Pod", ()))
    address = f"{url}/api/v1/workflows/argo/one/log?logOptions.container=main&logOptions.follow=true"
    followers = [Events(address) for _ in range(40)]
    for events in followers:
        events.wait(5)
    own = sum(events.thread.is_alive() for events in followers)
    assert threading.active_count() - own - before <= min(32, (os.cpu_count() or 1) + 4), "those of calls"
    for events in followers:
        events.hang_up()
    until(lambda: len(platform.listeners.get("Pod", ())) <= listeners)


def test_server_sent_events_breathe(url, platform, monkeypatch):
    from hera_utils.local_platform.argo_api import app

    monkeypatch.setattr(app, "KEEP_ALIVE_SECONDS", 0.2)
    submit(platform)
    events = watch(url, accept="text/event-stream")
    until(lambda: events.raw.endswith(b":\n:\n"))
    assert events.raw.endswith(b" \n\n\n:\n:\n")


def test_a_watch_may_leave_the_nodes_out(url, platform):
    made = submit(platform)
    made["status"]["nodes"] = {"n": {"id": "n", "phase": "Running"}}
    platform.put("Workflow", made)
    events = watch(url, "fields=result.object.metadata.name,result.object.status.phase")
    assert events.wait(1)[0]["object"]["status"] == {"phase": "Running", "startedAt": None, "finishedAt": None}


def test_an_event_is_sent_in_pieces_and_small_ones_together():
    texts = ["a", "ü" * 100_000, "b", "c" * 65_000, "d" * 5000, "\ud800"]
    sent = list(encode_in_pieces(texts))
    assert b"".join(sent) == "".join(texts).encode("utf-8", "surrogatepass")
    assert max(map(len, sent)) <= 2 * 2**16
    assert list(encode_in_pieces(["a", "b"])) == [b"ab"]


def test_all_who_are_given_a_text_share_its_event(platform):
    latest = latest_module.Latest(platform)
    text = '{"metadata":{}}'
    latest.enter()
    event = latest.event("MODIFIED", text)
    assert event == '{"type":"MODIFIED","object":{"metadata":{}}}'
    assert latest.event("MODIFIED", text) is event
    assert latest.event("ADDED", text).startswith('{"type":"ADDED"')
    latest.leave()
    assert latest.event("MODIFIED", text) is not event


def test_a_watcher_is_given_what_there_is_a_part_at_a_time(platform, monkeypatch):
    monkeypatch.setattr(watch_module, "_BATCH", 1000)
    for number in range(20):
        submit(platform, f"run-{number}")
    selector = watch_module.ObjectSelector("Workflow", "argo", label_selector(""), field_selector(""))
    history = watch_module.WatchHistory(platform, ["Workflow"])
    opened = watch_module.ObjectWatch(platform, history, selector, lambda change, stored: stored.text).open()
    first, _ = opened._serve()
    assert 0 < len(first) < 20
    assert sum(map(len, first[:-1])) < 1000
    others = list(iter(opened.serve_now, []))  # a watch with initial events gets all of them this way
    assert {len(part) for part in others[:-1]} == {len(first)}
    assert sum(map(len, others)) == 20 - len(first)
    opened.close()
