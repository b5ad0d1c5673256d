"""Does any value make one of the two servers fail? Every operation, with malformed names, selectors, numbers, bodies.

    python benchmarks/bombs/malicious_values.py [--seconds 60] [--seed 1]

Prints how many requests were sent, how many answers were 5xx, and each kind of these: operation, status, code, message. `500` is also what
Argo answers to some of a user's mistakes (docs/limits.md says which): what counts is that each has a message of Argo's.
"""

# ruff: noqa: E501
from __future__ import annotations

import argparse
import collections
import http.client
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from attacks import server_of

from hera_utils.argo.routes import ROUTES, address
from hera_utils.local_platform.storage.resources import RESOURCES

Json = dict[str, Any]
NAMES = [
    "known",
    "nobody",
    "UPPER",
    "a/b",
    "..",
    ".",
    "ü",
    "%00",
    "a" * 300,
    "@latest",
    "-",
    "a\nb",
    "😀",
    " ",
    "known ",
    "{name}",
]
NUMBERS = [
    "-1",
    "0",
    "1",
    "²",
    "9" * 30,
    "9" * 5000,
    "1e3",
    "0x10",
    "1_0",
    " 1",
    "NaN",
    "-9223372036854775809",
    "true",
    "",
]
SELECTORS = ["a=b", "a in (b", "a in ()", "=", "!", "a=b,,", "a==b==c", "a notin (b,c)", "ü=1", "a" * 400 + "=b", "metadata.name=known", "x" * 9000,
             "spec.startedAt>2020", "status.phase!=x", "metadata.name", "a=b;drop", "%", "(" * 500]  # fmt: skip
TIMES = [
    "2020-01-01",
    "yesterday",
    "2020-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+99:99",
    "-1",
    "",
]
REST = [
    "",
    "a",
    "(",
    "[",
    "a{9999999999}",
    "*",
    "\\",
    "main",
    "..",
    "{{x}}",
    "null",
    "\ud83d\ude00",
    "true",
    "false",
    "2",
]
SCALARS = [None, True, False, 0, -1, 1.5, 10**18, 10**30, "", "x", "ü", "\u0000", "x" * 5000, [], {}, [[]], [None], {"a": None}, [{}], "{{x}}",
           "{{=1/0}}", "{{=", "1e999", "-1", "9" * 40, {"x": {"x": {"x": 1}}}]  # fmt: skip
KEYS = [
    "metadata",
    "spec",
    "status",
    "name",
    "namespace",
    "generateName",
    "labels",
    "annotations",
    "templates",
    "entrypoint",
    "arguments",
    "parameters",
    "workflow",
    "template",
    "steps",
    "dag",
    "cronWorkflow",
    "submitOptions",
    "resourceKind",
    "resourceName",
    "createOptions",
    "dryRun",
    "limit",
    "cmName",
    "data",
    "stringData",
    "kind",
    "apiVersion",
    "container",
    "tasks",
    "nodeFieldSelector",
    "outputParameters",
    "phase",
    "schedules",
    "workflowSpec",
    "resourceVersion",
    "preconditions",
    "uid",
    "memoized",
    "restartSuccessful",
    "message",
    "ownerReferences",
    "finalizers",
    "resources",
    "requests",
    "storage",
    "activeDeadlineSeconds",
    "value",
    "withItems",
    "withParam",
    "withSequence",
    "hooks",
    "onExit",
    "type",
    "key",
    "payload",
    "body",
    "items",
    "patch",
    "path",
    "op",
    "from",
]
RAW = [b"", b"{", b"null", b"[]", b'"x"', b"1", b"\xff\xfe", b'{"a":\xff}', b"{" * 5000, b"[" * 100_000, b'{"a":1}{"b":2}', b"k8s\x00\x0a\x00",
       b'{"workflow":"x"}', b"a: &a [*a]", b"\x00" * 100, b'{"a":NaN}', b'{"a":1e999}', b'{"\\ud800":1}']  # fmt: skip
TYPES = ["application/json", "application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json",
         "application/apply-patch+yaml", "application/yaml", "text/plain", "application/vnd.kubernetes.protobuf", ""]  # fmt: skip
QUERIES = {
    "listOptions.labelSelector": SELECTORS, "listOptions.fieldSelector": SELECTORS, "labelSelector": SELECTORS, "fieldSelector": SELECTORS,
    "listOptions.limit": NUMBERS, "limit": NUMBERS, "listOptions.continue": NUMBERS, "continue": ["bnVsbA==", "x", "MQ==", "W10=", *NUMBERS],
    "listOptions.resourceVersion": NUMBERS, "resourceVersion": NUMBERS, "fields": ["-", "a,b", "..", "items.", "-items.metadata", *REST],
    "createdAfter": TIMES, "finishedBefore": TIMES, "nameFilter": REST, "namePrefix": REST, "grep": REST, "selector": SELECTORS,
    "logOptions.tailLines": NUMBERS, "logOptions.limitBytes": NUMBERS, "logOptions.sinceSeconds": NUMBERS, "logOptions.container": REST,
    "logOptions.sinceTime": TIMES, "force": REST, "deleteOptions.gracePeriodSeconds": NUMBERS, "getOptions.resourceVersion": NUMBERS, "uid": REST,
    "dryRun": REST, "fieldManager": REST, "type": REST, "namespace": NAMES, "tailLines": NUMBERS, "timestamps": REST,
}  # fmt: skip


class Draw:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        kind = self.random.random()
        if depth > 4 or kind < 0.4:
            return self.random.choice(SCALARS)
        if kind < 0.85:
            return {self.random.choice(KEYS): self.value(depth + 1) for _ in range(self.random.randrange(5))}
        return [self.value(depth + 1) for _ in range(self.random.randrange(4))]

    def body(self) -> bytes:
        if self.random.random() < 0.2:
            return self.random.choice(RAW)
        return json.dumps(
            self.spoilt(self.random.choice(GOOD)) if self.random.random() < 0.5 else self.value()
        ).encode()

    def spoilt(self, good: Any) -> Any:
        """A good body with one of its values replaced."""
        copied = json.loads(json.dumps(good))
        places = list(places_of(copied))
        holder, key = self.random.choice(places)
        holder[key] = self.value(3)
        return copied

    def query(self) -> str:
        chosen = self.random.sample(list(QUERIES), self.random.randrange(4))
        return urlencode({name: self.random.choice(QUERIES[name]) for name in chosen}, errors="surrogatepass")


def places_of(value: Any) -> Any:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places_of(value[key])


SPEC: Json = {"entrypoint": "m", "arguments": {"parameters": [{"name": "x", "value": "1"}]}, "templates": [
    {"name": "m", "steps": [[{"name": "s", "template": "t", "withItems": [1], "when": "1 == 1", "arguments": {"parameters": [{"name": "x", "value": "{{item}}"}]}}]]},
    {"name": "t", "inputs": {"parameters": [{"name": "x"}]}, "suspend": {"duration": "1"}}]}  # fmt: skip
GOOD: list[Json] = [
    {"workflow": {"metadata": {"generateName": "f-", "labels": {"a": "b"}}, "spec": SPEC}},
    {"template": {"metadata": {"name": "known"}, "spec": SPEC}},
    {"cronWorkflow": {"metadata": {"name": "known"}, "spec": {"schedules": ["0 0 1 1 *"], "suspend": True, "workflowSpec": SPEC}}},
    {"resourceKind": "WorkflowTemplate", "resourceName": "known", "submitOptions": {"parameters": ["x=1"], "labels": "a=b"}},
    {"nodeFieldSelector": "displayName=s", "outputParameters": "{}", "phase": "Succeeded", "message": "x"},
    {"memoized": True, "parameters": ["x=1"]}, {"cmName": "c", "key": "k", "limit": 1, "type": "CONFIG_MAP"},
    {"metadata": {"name": "known"}, "data": {"a": "b"}},
    {"metadata": {"name": "known"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    {"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "main", "image": "busybox", "command": ["true"]}]}},
]  # fmt: skip


def ask(server: Any, kubernetes: bool, method: str, path: str, data: bytes | None, kind: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*(server.kubernetes if kubernetes else server.argo), timeout=20)
    try:
        headers = {"Authorization": f"Bearer {server.token}", "Content-Type": kind}
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(3000).decode("utf-8", "replace") if answer.status >= 400 else ""
    finally:
        connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw, sent, failures = Draw(options.seed), 0, collections.Counter[str]()
    with tempfile.TemporaryDirectory() as folder, server_of(Path(folder)) as server:
        for path, body in zip(("workflows", "workflow-templates", "cron-workflows"), GOOD, strict=False):
            server.call("POST", f"/api/v1/{path}/default", body)
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            kubernetes = draw.random.random() < 0.35
            if kubernetes:
                resource = draw.random.choice(RESOURCES)
                if resource.kind == "Namespace":
                    continue
                root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
                path = f"{root}{'/namespaces/default' if resource.namespaced else ''}/{resource.plural}"
                method = draw.random.choice(["GET", "POST", "PUT", "PATCH", "DELETE"])
                if draw.random.random() < 0.6 or method == "DELETE":
                    path += "/" + quote(draw.random.choice(NAMES), safe="")
                operation = f"{method} {resource.plural}"
            else:
                route = draw.random.choice(ROUTES)
                if not route.supported:
                    continue
                values = {
                    part[1:-1]: quote(draw.random.choice(NAMES), safe="")
                    for part in route.segments
                    if part.startswith("{")
                }
                if "namespace" in values and draw.random.random() < 0.8:
                    values["namespace"] = "default"
                method, path = address(route.operation, **values)
                operation = route.operation
            data = draw.body() if method in ("POST", "PUT", "PATCH") else None
            try:
                status, text = ask(
                    server, kubernetes, method, f"{path}?{draw.query()}", data, draw.random.choice(TYPES)
                )
            except TimeoutError:
                status = 0 if "stream" in path or "events" in path or "log" in path or "watch" in path else 599
                text = "no answer in 20 s"
            sent += 1
            if status >= 500 and status != 501:
                failures[f"{status} {operation}: {plain(text)}"] += 1
    print(f"{sent} requests, {sum(failures.values())} answers of 5xx")
    for text, count in sorted(failures.items(), key=lambda one: -one[1]):
        print(f"{count:5} {text[:300]}")
    return 0


def plain(text: str) -> str:
    """A message without what differs from one to the next."""
    try:
        found = json.loads(text)
        text = found.get("message") or found["error"]["message"]
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return re.sub(r'"[^"]{0,400}"|[0-9]+', "#", text)[:160]


if __name__ == "__main__":
    sys.exit(main())
