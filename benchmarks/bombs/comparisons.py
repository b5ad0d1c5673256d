"""Bombs of a fifth kind: what is compared with everything else, and what comes or is taken drop by drop. Patches of long lists, selectors of
watchers, servers that answer without end, folders that are listed, copied and removed.
"""

# ruff: noqa: E501
from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from attacks import (
    ARCHIVED,
    CORE,
    LASTS,
    RUNS,
    TEMPLATES,
    Attack,
    Server,
    at_once,
    large_run,
    raw,
    request,
    run,
    said,
    together,
    unread,
)
from workflows import ECHO, HOLD, SHELL, SHORT, TRUE, Json, each, expression, given, loop, step, workflow

JSON_PATCH = [("Content-Type", "application/json-patch+json")]
STRATEGIC = [("Content-Type", "application/strategic-merge-patch+json")]
MERGE = [("Content-Type", "application/merge-patch+json")]
CONFIG = f"{CORE}/configmaps"


# --- patches ---------------------------------------------------------------------------------------------------------
def patched(kind: str, document: Json, *patches: tuple[list[tuple[str, str]], Any]) -> Attack:
    """An object that is made, then patched."""

    def attack(server: Server) -> str:
        path = f"{CORE}/{kind}"
        answers = [said(*server.call("POST", path, document, kubernetes=True))[:40]]
        for headers, patch in patches:
            start = time.monotonic()
            answer = said(
                *server.call("PATCH", f"{path}/{document['metadata']['name']}", patch, kubernetes=True, headers=headers)
            )
            answers.append(f"{answer[:60]} after {time.monotonic() - start:.1f} s")
        name = document["metadata"]["name"]
        server.call("PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}}, kubernetes=True, headers=MERGE)
        server.call("DELETE", f"{path}/{name}", kubernetes=True)
        return "; ".join(answers)

    return attack


FINALIZERS = [f"a.b/{n}" for n in range(100_000)]
VARIABLES = [{"name": f"V{n}", "value": "x"} for n in range(50_000)]


def pod_of(variables: list[Json]) -> Json:
    return {"metadata": {"name": "wide"}, "spec": {"containers": [
        {"name": "main", "image": "busybox", "command": ["sleep", "60"], "env": variables}]}}  # fmt: skip


def containers(**more: Any) -> Json:
    return {"spec": {"containers": [{"name": "main", **more}]}}


# --- connections -----------------------------------------------------------------------------------------------------
def sipped(count: int, path: str, *, kubernetes: bool = False, meanwhile: Callable[[Server], object] = lambda _: None,
           accept: str = "*/*") -> Attack:  # fmt: skip
    """Clients that take some bytes of their stream now and then, while something happens."""

    def attack(server: Server) -> str:
        taken, closed = 0, 0
        with unread(server, count, path, kubernetes=kubernetes, accept=accept) as held:
            for one in held:
                one.setblocking(False)
            happening = threading.Thread(target=meanwhile, args=(server,), daemon=True)
            happening.start()
            end = time.monotonic() + LASTS
            while time.monotonic() < end:
                for one in held:
                    with contextlib.suppress(OSError):
                        got = len(one.recv(64))
                        taken, closed = taken + got, closed + (not got)
                time.sleep(0.1)
            happening.join(60)
        return f"{taken} bytes, {closed} ends"

    return attack


def runs_large(server: Server) -> None:
    name = large_run(server)
    server.call("DELETE", f"{RUNS}/{name}", timeout=120)


def kept_asking(count: int, text: bytes) -> Attack:
    """Connections that send the same bytes, read what comes, and open anew when they are closed."""

    def attack(server: Server) -> str:
        data, end, ends = text.replace(b"TOKEN", server.token.encode()), time.monotonic() + LASTS, [0, 0]

        def one() -> None:
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(server.argo, timeout=5) as connection:
                    connection.sendall(data)
                    while got := connection.recv(65536):
                        ends[1] += len(got)
                ends[0] += 1

        at_once(count, one)
        return f"{ends[0]} connections, {ends[1]} bytes"

    return attack


def applied_again(count: int, text: bytes) -> Attack:
    """The same YAML, applied by many, one time after the other."""

    def attack(server: Server) -> str:
        end, answers = time.monotonic() + LASTS, list[str]()
        apply = [("Content-Type", "application/apply-patch+yaml")]

        def one() -> None:
            while time.monotonic() < end:
                answers.append(
                    said(*server.call("PATCH", f"{CONFIG}/y?fieldManager=m", text, kubernetes=True, headers=apply))
                )

        at_once(count, one)
        return f"{len(answers)} answers, such as {answers[0]}"

    return attack


# --- servers that http templates ask ----------------------------------------------------------------------------------
ZIPPED = gzip.compress(bytes(1_000_000), 9) * 500


class _Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with contextlib.suppress(OSError):
            getattr(self, self.path.strip("/").split("/")[0])()

    def circle(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.path + "/x")
        self.end_headers()

    def headers_only(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(1_000_000):
            self.wfile.write(b"X-%d: y\r\n" % n)
        self.wfile.write(b"\r\n")

    def drops(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(int(LASTS * 20)):
            self.wfile.write(b"x")
            time.sleep(0.05)

    def zipped(self) -> None:
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(ZIPPED)))
        self.end_headers()
        self.wfile.write(ZIPPED)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def other_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{other.server_port}"
        finally:
            other.shutdown()


def asked(path: str, count: int) -> Attack:
    """Many http templates that ask a server which answers so."""

    def attack(server: Server) -> str:
        with other_server() as address:
            return run(server, loop({"name": "w", "http": {"url": f"{address}/{path}", "timeoutSeconds": 20}}, count))

    return attack


# --- stored objects --------------------------------------------------------------------------------------------------
def updated(count: int, size: int) -> Attack:
    """A template that is stored again and again, each time whole, while 50 watch and do not read."""

    def attack(server: Server) -> str:
        argument = {"parameters": [{"name": "x", "value": "x" * size}]}
        document: Json = {
            "metadata": {"name": "again"},
            "spec": workflow(TRUE | {"name": "m"}, arguments=argument)["spec"],
        }
        server.call("POST", TEMPLATES, {"template": document})
        watch = "/apis/argoproj.io/v1alpha1/namespaces/default/workflowtemplates?watch=true"
        answers = set()
        with unread(server, 50, watch, kubernetes=True):
            for n in range(count):
                document["metadata"] |= {"labels": {"n": str(n)}}
                answers.add(server.call("PUT", f"{TEMPLATES}/again", {"template": document})[0])
        server.call("DELETE", f"{TEMPLATES}/again")
        return str(answers)

    return attack


def collection(count: int, kind: str, document: Callable[[int], Json], query: str = "") -> Attack:
    """So many objects, listed as a table with a selector by ten at once, and deleted in one request."""

    def attack(server: Server) -> str:
        path = f"{CORE}/{kind}"
        answers = {server.call("POST", path, document(n), kubernetes=True)[0] for n in range(count)}
        listed: list[int] = []
        table = [("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")]
        at_once(10, lambda: listed.append(server.call("GET", path + query, kubernetes=True, headers=table)[0]))
        start = time.monotonic()
        status = server.call("DELETE", path, kubernetes=True, timeout=120)[0]
        return f"{answers}, {set(listed)}, {status} after {time.monotonic() - start:.1f} s"

    return attack


def owned(count: int) -> Attack:
    """One object that owns all others, and goes."""

    def attack(server: Server) -> str:
        uid = json.loads(server.call("POST", CONFIG, {"metadata": {"name": "owner"}}, kubernetes=True)[1])["metadata"][
            "uid"
        ]
        owner = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]
        for n in range(count):
            server.call("POST", CONFIG, {"metadata": {"name": f"owned-{n}", "ownerReferences": owner}}, kubernetes=True)
        start = time.monotonic()
        status = server.call("DELETE", f"{CONFIG}/owner", kubernetes=True, timeout=120)[0]
        return f"{status} after {time.monotonic() - start:.1f} s"

    return attack


def schedules(count: int, each_has: int) -> Attack:
    """Cron workflows each of which has so many schedules of long lists."""

    def attack(server: Server) -> str:
        path, answers = "/api/v1/cron-workflows/default", set()
        lists = ",".join(map(str, range(60)))
        for n in range(count):
            spec: Json = {"schedules": [f"{lists} {k % 24} {k % 28 + 1} 2 *" for k in range(each_has)], "timezone": "Europe/Berlin",
                          "workflowSpec": workflow(SHORT | {"name": "m"})["spec"]}  # fmt: skip
            answers.add(
                said(*server.call("POST", path, {"cronWorkflow": {"metadata": {"name": f"lists-{n}"}, "spec": spec}}))[
                    :40
                ]
            )
        time.sleep(LASTS)
        for n in range(count):
            server.call("DELETE", f"{path}/lists-{n}")
        return str(sorted(answers)[:2])

    return attack


def with_status(nodes: int) -> Attack:
    """A workflow that comes with a status of so many nodes, and is replaced by one with as many."""

    def attack(server: Server) -> str:
        known = {
            f"n-{n}": {"id": f"n-{n}", "name": "m", "type": "Pod", "phase": "Running", "children": ["x"] * 3}
            for n in range(nodes)
        }
        document = workflow(HOLD | {"name": "m"}) | {"status": {"phase": "Running", "nodes": known}}
        path = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows"
        status, answer = server.call("POST", path, document, kubernetes=True, timeout=120)
        if status != 201:
            return said(status, answer)
        name = json.loads(answer)["metadata"]["name"]
        changed = said(
            *server.call("PATCH", f"{path}/{name}", {"status": {"nodes": known}}, kubernetes=True, headers=MERGE)
        )
        server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return f"{status}; {changed}"

    return attack


# --- files -----------------------------------------------------------------------------------------------------------
FOLDER = {"name": "d", "path": "/tmp/d", "archive": {"none": {}}}
MANY_FILES = "mkdir -p /tmp/d; cd /tmp/d; seq {} | xargs touch"


def made(script: str) -> Json:
    return {"name": "g", "container": SHELL | {"args": [script]}, "outputs": {"artifacts": [FOLDER]}}


def then(count: int, template: Json, files: int = 20_000) -> Json:
    """A folder of many files, which so many tasks take."""
    source = {"artifacts": [{"name": "d", "from": "{{steps.g.outputs.artifacts.d}}"}]}
    user = {"name": "u", "template": "u", "withSequence": {"count": count}, "arguments": source}
    main = {"name": "m", "steps": [[{"name": "g", "template": "g"}], [user]]}
    return workflow(main, made(MANY_FILES.format(files)), template | {"name": "u"})


TAKES = {
    "inputs": {"artifacts": [{"name": "d", "path": "/tmp/i"}]},
    "container": {"image": "busybox", "command": ["true"]},
}


def listed_folder(files: int, count: int) -> Attack:
    """The page of a folder with many files, by many."""

    def attack(server: Server) -> str:
        document = workflow(made(MANY_FILES.format(files)) | {"name": "m"})
        name = json.loads(server.call("POST", RUNS, {"workflow": document})[1])["metadata"]["name"]
        for _ in range(300):
            found = json.loads(server.call("GET", f"{RUNS}/{name}?fields=status.phase")[1]).get("status") or {}
            if found.get("phase") not in (None, "", "Pending", "Running"):
                break
            time.sleep(0.1)
        answers: list[str] = []
        page = f"/artifact-files/default/workflows/{name}/{name}/outputs/d/"
        at_once(count, lambda: answers.append(f"{(answer := server.call('GET', page))[0]}, {len(answer[1])} bytes"))
        server.call("DELETE", f"{RUNS}/{name}", timeout=120)
        return f"{found.get('phase')}: {answers[:1]}"

    return attack


def filled_claim(script: str) -> Attack:
    """A claim in which a task makes much, and that is deleted."""

    def attack(server: Server) -> str:
        claim = {
            "metadata": {"name": "full"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        server.call("POST", f"{CORE}/persistentvolumeclaims", claim, kubernetes=True)
        mounts = [{"name": "v", "mountPath": "/v"}]
        text = run(server, workflow({"name": "m", "container": SHELL | {"args": [script], "volumeMounts": mounts}},
                                    volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "full"}}]))  # fmt: skip
        start = time.monotonic()
        status = server.call("DELETE", f"{CORE}/persistentvolumeclaims/full", kubernetes=True, timeout=120)[0]
        return f"{text}; {status} after {time.monotonic() - start:.1f} s"

    return attack


DEEP = "cd /{}; for n in $(seq 3000); do mkdir d; cd d; touch 1 2 3; done"

WORKFLOWS: dict[str, Callable[[], Json]] = {
    "pods: 200 with an input folder of 20,000 files": lambda: then(200, TAKES),
    "data: 200 that list a folder of 20,000 files": lambda: then(200, {
        "inputs": {"artifacts": [{"name": "d", "path": "/tmp/i"}]},
        "data": {"source": {"artifactPaths": {"name": "d", "from": "{{inputs.artifacts.d}}"}}, "transformation": [{"expression": "filter(data, {# endsWith '7'})"}]}}),
    "pods: 300 that leave a deep tree": lambda: loop({"name": "p", "container": SHELL | {"args": [DEEP.format("tmp")]}}, 300),
    "pods: 300 of 300 sidecars": lambda: loop(TRUE | {"name": "p", "sidecars": [
        {"name": f"s{n}", "image": "busybox", "command": ["sleep", "100"]} for n in range(300)]}, 300),
    "memoize: 5,000 caches": lambda: loop(
        {"name": "c", "inputs": {"parameters": [{"name": "x"}]}, "container": {"image": "busybox", "command": ["true"]},
         "memoize": {"key": "k", "cache": {"configMap": {"name": "cache-{{inputs.parameters.x}}"}}}}, 5000),
    "hooks: exit handlers of 300 steps that are loops of 300": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "h", "withSequence": {"count": 300}, "hooks": {"exit": {"template": "x"}}}]]},
        SHORT, {"name": "x", "steps": [[{"name": "y", "template": "h", "withSequence": {"count": 300}}]]}),
    "expression: lets that double a list": lambda: expression(
        "let a = [1,2,3,4,5,6,7,8]; " + "".join(f"let {chr(98 + n)} = [{','.join([chr(97 + n)] * 20)}]; " for n in range(10)) + "len(flatten(k))"),
    "expression: toPairs, groupBy and join of 300,000": lambda: each(
        "len(join(map(toPairs(groupBy(1..300000, {string(# % 1000)})), {#[0]}), repeat(',', 1000)))", 50),
    "expression: text that is compared with each other": lambda: each(
        "len(uniq(map(1..2000, {repeat('x', 20000) + string(#)})))", 50),
    "expression: trim, lastIndexOf and splitAfter of 10 million": lambda: each(
        "lastIndexOf(repeat('a', 10000000), repeat('a', 5000000) + 'b') + len(trimSuffix(repeat('ab', 5000000), repeat('ab', 100)))", 50),
    "sprig: dictionaries in dictionaries": lambda: each(
        "len(toJSON(sprig.merge(" + ", ".join(f"sprig.dict('a{n}', repeat('x', 100000))" for n in range(100)) + ")))", 100),
    "sprig: pluck, cat and plural of 100,000": lambda: each(
        "len(sprig.cat(" + ", ".join(["repeat('x', 100000)"] * 100) + ")) + len(sprig.trunc(1000000, sprig.b32enc(repeat('x', 5000000))))", 50),
    "sprig: unicode that is put in order": lambda: each(
        "len(sprig.title(repeat('\u01c6\u0301\u0323 ', 500000))) + len(sprig.swapcase(repeat('\ufdfa', 1000000))) + len(sprig.abbrev(1000000, repeat('\U0001f600', 1000000)))", 50),
    "regex: of 1 MB in each of 500 conditions": lambda: step(when=" || ".join(["'a' =~ '" + "(a|b)?" * 500 + "'"] * 190)),
    "regex: matches of 200,000 characters with 5,000 groups": lambda: each(
        "repeat('ab', 100000) matches '^" + "(a|b)?" * 5000 + "$'", 100),
    "outputs: 300 that read a default of 1 MB": lambda: loop(
        {"name": "p", "container": {"image": "busybox", "command": ["true"]},
         "outputs": {"parameters": [{"name": f"p{n}", "valueFrom": {"path": "/nowhere", "default": "x" * 50_000}} for n in range(20)]}}, 300),
    "tasks: 2,000 whose arguments name 2,000 outputs": lambda: workflow(
        {"name": "m", "dag": {"tasks": [{"name": f"t{n}", "template": "o"} for n in range(1000)] + [
            {"name": f"u{n}", "template": "e", "dependencies": [f"t{k}" for k in range(0, 1000, 10)],
             "arguments": given("".join(f"{{{{tasks.t{k}.outputs.parameters.p}}}}" for k in range(0, 1000, 10)))} for n in range(1000)]}},
        ECHO, SHORT | {"name": "o", "outputs": {"parameters": [{"name": "p", "value": "x" * 100}]}}),
    "numbers: of 300 digits everywhere": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "n", "withItems": [10**300, -(10**300), 1e300, 10**300]}]]},
        TRUE | {"name": "n", "retryStrategy": {"limit": 10**300}, "parallelism": 10**300, "priority": 10**300}, parallelism=10**300),
    "podSpecPatch: 20,000 variables, in 300 pods": lambda: loop(TRUE | {"name": "p", "podSpecPatch": json.dumps(
        {"containers": [{"name": "main", "env": [{"name": f"V{n}", "value": "$(V0)"} for n in range(20_000)]}]})}, 300),
    "affinity: 20,000 terms in 300 pods": lambda: loop(TRUE | {"name": "p", "affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": f"k{n}", "operator": "In", "values": ["a", "b"]}]} for n in range(20_000)]}}}}, 300),
}  # fmt: skip

REQUESTS: dict[str, Attack] = {
    "kubernetes: 100,000 finalizers, all deleted by a patch": patched(
        "configmaps", {"metadata": {"name": "final", "finalizers": FINALIZERS}},
        (STRATEGIC, {"metadata": {"$deleteFromPrimitiveList/finalizers": [f"c.d/{n}" for n in range(100_000)]}})),
    "kubernetes: 50,000 variables, all deleted by a patch": patched(
        "pods", pod_of(VARIABLES), (STRATEGIC, containers(env=[{"$patch": "delete", "name": f"W{n}"} for n in range(100_000)]))),
    "kubernetes: 50,000 variables in another order": patched(
        "pods", pod_of(VARIABLES), (STRATEGIC, containers(**{"$setElementOrder/env": [{"name": f"V{n}"} for n in range(49_999, 0, -1)],
                                                             "env": [{"name": f"V{n}", "value": "y"} for n in range(0, 50_000, 2)]}))),
    "kubernetes: 50,000 keys retained": patched(
        "configmaps", {"metadata": {"name": "keys"}, "data": {f"k{n}": "" for n in range(50_000)}},
        (STRATEGIC, {"data": {"$retainKeys": [f"k{n}" for n in range(50_000)], **{f"k{n}": "x" for n in range(50_000)}}})),
    "kubernetes: a patch that moves 10,000 times in a list of 100,000": patched(
        "configmaps", {"metadata": {"name": "moved", "finalizers": FINALIZERS}},
        (JSON_PATCH, [{"op": "move", "from": "/metadata/finalizers/0", "path": "/metadata/finalizers/99998"}] * 10_000)),
    "kubernetes: a patch that tests 10,000 times": patched(
        "configmaps", {"metadata": {"name": "tested", "finalizers": FINALIZERS[:20_000]}},
        (JSON_PATCH, [{"op": "add", "path": "/metadata/annotations", "value": {}},
                      {"op": "copy", "from": "/metadata/finalizers", "path": "/metadata/x"},
                      *[{"op": "test", "path": "/metadata/finalizers", "value": FINALIZERS[:2]},
                        {"op": "test", "path": "/metadata/finalizers/0", "value": "a.b/0"}] * 4000])),
    "kubernetes: 3,000 config maps, deleted in one request": collection(
        3000, "configmaps", lambda n: {"metadata": {"name": f"c-{n}"}, "data": {"a": "b"}},
        "?labelSelector=" + ",".join(f"a{n}!=b" for n in range(150))),
    "kubernetes: 2,000 claims, deleted in one request": collection(
        2000, "persistentvolumeclaims", lambda n: {"metadata": {"name": f"c-{n}"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    "kubernetes: 3,000 pods of nobody": collection(
        3000, "pods", lambda n: {"metadata": {"name": f"p-{n}"}, "spec": {"restartPolicy": "Never", "containers": [
            {"name": "c", "image": "busybox", "command": ["sleep", "100"]}]}}),
    "owners: one of 5,000": owned(5000),
    "stored: a template of 2 MB, 200 times": updated(200, 2_000_000),
    "submit: with a status of 50,000 nodes": with_status(50_000),
    "cron: 100 of 200 schedules": schedules(100, 200),
    "watch: 300 with 190 requirements of fields": sipped(
        300, "/api/v1/workflow-events/default?listOptions.fieldSelector=" + ",".join(f"metadata.name!=x{n}" for n in range(190)),
        meanwhile=runs_large),
    "watch: 300 with 190 requirements of labels": sipped(
        300, "/api/v1/workflow-events/default?listOptions.labelSelector=" + ",".join(f"a{n}!=b" for n in range(190)), meanwhile=runs_large),
    "watch: 900 that sip": sipped(900, "/api/v1/workflow-events/default", meanwhile=runs_large, accept="text/event-stream"),
    "watch: 300 of pods that sip": sipped(300, f"{CORE}/pods?watch=true", kubernetes=True, meanwhile=runs_large),
    "headers: HTTP/1.0, 100 clients": kept_asking(
        100, b"GET /api/v1/workflows/default HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n\r\n"),
    "headers: HTTP/0.9 and nonsense, 100 clients": kept_asking(100, b"GET /\r\n\x00\xff\r\n\r\n" * 1000),
    "headers: 900 lines, 100 clients": kept_asking(
        100, b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"X: y\r\n" * 900 + b"Authorization: Bearer TOKEN\r\n\r\n"),
    "headers: both lengths": raw(
        b"POST /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nxxxxx\r\n", 1000),
    "query: 100 lists by a field with 190 requirements": together(
        100, "GET", f"{ARCHIVED}&listOptions.fieldSelector=" + ",".join(f"status.phase!=x{n}" for n in range(190))),
    "body: a number of 30 million digits": request("POST", RUNS, lambda: b'{"workflow":{"x":' + b"9" * 30_000_000 + b"}}"),
    "body: one key 400,000 times": request("POST", RUNS, lambda: b'{"workflow":{' + b'"x":{},' * 400_000 + b'"x":1}}'),
    "yaml: merge keys": request(
        "PATCH", f"{CONFIG}/y?fieldManager=m", lambda: (
            "a: &a {" + ", ".join(f"k{n}: v" for n in range(1000)) + "}\ndata:\n" + "".join(f"  m{n}: {{<<: *a}}\n" for n in range(190))).encode(),
        kubernetes=True, headers=[("Content-Type", "application/apply-patch+yaml")]),
    "yaml: 60 kB, 30 clients": applied_again(30, b"data: {" + b"a: [{b: c}], " * 4500 + b"}"),
    "http: redirects without end, 300": asked("circle", 300),
    "http: a million headers, 50": asked("headers_only", 50),
    "http: drop by drop, 500": asked("drops", 500),
    "http: 500 MB packed in 500 kB, 50": asked("zipped", 50),
    "artifacts: the page of 30,000 files, 20 clients": listed_folder(30_000, 20),
    "claims: one with 40,000 files goes": filled_claim("cd /v; for n in 1 2 3 4; do mkdir $n; (cd $n; seq 10000 | xargs touch); done"),
    "claims: one with a deep tree goes": filled_claim(DEEP.format("v")),
}  # fmt: skip
