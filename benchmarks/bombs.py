"""What may one workflow, or one client, cost all others? Bombs of many kinds against a real server, with a second client beside it.

    python benchmarks/bombs.py                 # all of them, each followed by a look at how the server is
    python benchmarks/bombs.py loop headers    # those whose names contain one of the words
    python benchmarks/bombs.py --list
    python benchmarks/bombs.py --first         # on a machine that has other things to do

The server is a process of its own with a fresh state folder. While a bomb is under way a second client, in a process of its own,
asks for `GET /version` again and again, lists, and submits a small workflow. Printed of each bomb: what the server said, the slowest
answers that the second client got, the most memory that the server used since the last bomb, and how the workflow ended. A bomb has
LASTS seconds; a run that goes on then (many of these may: a loop of 40,000 pods is allowed) is stopped and deleted.

Ends with status 1 if a `GET /version` took more than half a second, the server more than 1 GB, or if it ended.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hera_utils.deep_folders import remove_tree

Json = dict[str, Any]
LASTS = 6.0
SLOWEST = 0.5
MOST_MEMORY = 1e9
RUNS = "/api/v1/workflows/default"
CORE = "/api/v1/namespaces/default"
TRUE = {"name": "t", "container": {"image": "busybox", "command": ["true"]}}
ECHO = {
    "name": "e",
    "inputs": {"parameters": [{"name": "x"}]},
    "container": {"image": "busybox", "command": ["true"]},
}


# --- workflows -------------------------------------------------------------------------------------------------------
def workflow(*templates: Json, **spec: Any) -> Json:
    return {"metadata": {"generateName": "bomb-"}, "spec": {"entrypoint": "m", "templates": list(templates), **spec}}


def step(**more: Any) -> Json:
    """A workflow of one step."""
    return workflow({"name": "m", "steps": [[{"name": "s", "template": "t", **more}]]}, TRUE)


def task(**more: Any) -> Json:
    """A workflow of one task."""
    return workflow({"name": "m", "dag": {"tasks": [{"name": "s", "template": "t", **more}]}}, TRUE)


def given(text: str) -> Json:
    return {"parameters": [{"name": "x", "value": text}]}


def expression(source: str, **parameters: str) -> Json:
    """A step whose argument is an expression."""
    main = {"name": "m", "steps": [[{"name": "s", "template": "e", "arguments": given("{{=" + source + "}}")}]]}
    arguments = {"parameters": [{"name": name, "value": value} for name, value in parameters.items()]}
    return workflow(main, ECHO, arguments=arguments)


def each(source: str, count: int = 500) -> Json:
    """The same expression for each item of a loop."""
    one = {"name": "s", "template": "e", "arguments": given("{{=" + source + "}}"), "withSequence": {"count": count}}
    return workflow({"name": "m", "dag": {"tasks": [one]}}, ECHO)


def doubling(levels: int) -> Json:
    """Each template hands twice its input to the next."""
    doubled = given("{{inputs.parameters.x}}{{inputs.parameters.x}}")
    templates: list[Json] = [
        {"name": "m", "steps": [[{"name": "s", "template": "t0", "arguments": given("0123456789")}]]}
    ]
    for level in range(levels):
        call = {"name": "s", "template": f"t{level + 1}", "arguments": doubled}
        templates.append({"name": f"t{level}", "inputs": {"parameters": [{"name": "x"}]}, "steps": [[call]]})
    return workflow(*templates, ECHO | {"name": f"t{levels}"})


def tree(levels: int, width: int) -> Json:
    """Loops within loops."""
    templates: list[Json] = [
        {"name": "m" if not level else f"t{level}",
         "steps": [[{"name": "s", "template": f"t{level + 1}", "withSequence": {"count": width}}]]}
        for level in range(levels)
    ]  # fmt: skip
    return workflow(*templates, TRUE | {"name": f"t{levels}"})


def itself(times: int, kind: str = "steps") -> Json:
    calls = [{"name": f"s{n}", "template": "m"} for n in range(times)]
    return workflow({"name": "m", **({"steps": [calls]} if kind == "steps" else {"dag": {"tasks": calls}})})


def many_tasks(count: int, needs: Callable[[int], list[str]]) -> Json:
    tasks = [{"name": f"t{n}", "template": "t", "dependencies": needs(n)} for n in range(count)]
    return workflow({"name": "m", "dag": {"tasks": tasks}}, TRUE)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def shell(script: str, **more: Any) -> Json:
    return workflow({"name": "m", "container": {"image": "busybox", "command": ["sh", "-c", script]}, **more})


def resource(manifest: str, **more: Any) -> Json:
    return workflow({"name": "m", "resource": {"action": "create", "manifest": manifest, **more}})


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: b-}\ndata: {a: b}\n"
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)

WORKFLOWS: dict[str, Callable[[], Json]] = {
    "loop: count 100,000": lambda: step(withSequence={"count": "100000"}),
    "loop: count 40,000 in a DAG": lambda: task(withSequence={"count": "40000"}),
    "loop: count 40,000 in steps": lambda: step(withSequence={"count": "40000"}),
    "loop: count 1e9": lambda: step(withSequence={"count": "1000000000"}),
    "loop: end 999999999": lambda: task(withSequence={"end": "999999999"}),
    "loop: count 10 to the 30": lambda: step(withSequence={"count": "1" + "0" * 30}),
    "loop: count of 5,000 digits": lambda: step(withSequence={"count": "9" * 5000}),
    "loop: from 10 to the 18 to its negative": lambda: step(withSequence={"start": "9" * 18, "end": "-" + "9" * 18}),
    "loop: format %0999999999d": lambda: step(withSequence={"count": "2", "format": "%0999999999d"}),
    "loop: format %999999d, 1,000 times": lambda: step(withSequence={"count": "1000", "format": "%999999d"}),
    "loop: format of 10,000 %d": lambda: step(withSequence={"count": "1000", "format": "%d" * 10000}),
    "loop: withParam of 2.5 million": lambda: step(withParam="[" + ",".join(["1"] * 2_500_000) + "]"),
    "loop: withParam of 200,000 objects": lambda: task(withParam=json.dumps([{"a": n} for n in range(200_000)])),
    "loop: withParam 100,000 deep": lambda: step(withParam=nested(100_000)),
    "loop: withItems of 100,000": lambda: step(withItems=list(range(100_000))),
    "loop: withItems of 20 with 3,000 keys each": lambda: step(withItems=[{f"k{n}": n for n in range(3000)}] * 20),
    "loop: one item of 5 MB, 10 times": lambda: task(withItems=["x" * 500_000] * 10),
    "loop: 300 x 300": lambda: tree(2, 300),
    "loop: 40 x 40 x 40": lambda: tree(3, 40),
    "loop: a million of which none runs": lambda: step(withSequence={"count": "1000000"}, when="false"),
    "recursion: once": lambda: itself(1),
    "recursion: twice": lambda: itself(2),
    "recursion: twice, DAG": lambda: itself(2, "dag"),
    "recursion: 50 times": lambda: itself(50),
    "recursion: a loop of itself": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "m", "withSequence": {"count": 3}}]]}
    ),
    "recursion: an exit handler of itself": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "t", "onExit": "m"}, {"name": "u", "template": "m"}]]}, TRUE
    ),
    "text: doubled 40 times": lambda: doubling(40),
    "text: doubled 24 times": lambda: doubling(24),
    "text: a parameter of 20 MB": lambda: workflow(
        ECHO | {"name": "m"}, arguments={"parameters": [{"name": "x", "value": "x" * 20_000_000}]}
    ),
    "text: 1 MB to each of 1,000 items": lambda: workflow(
        {"name": "m", "dag": {"tasks": [{"name": "s", "template": "e", "withSequence": {"count": 1000},
                                         "arguments": given("{{workflow.parameters.big}}")}]}},
        ECHO, arguments={"parameters": [{"name": "big", "value": "x" * 1_000_000}]},
    ),  # fmt: skip
    "text: 10,000 parameters": lambda: workflow(
        TRUE | {"name": "m"}, arguments={"parameters": [{"name": f"p{n}", "value": "x"} for n in range(10_000)]}
    ),
    "text: a tag of 1 million braces": lambda: step(when="{{" * 500_000),
    "text: 20,000 tags": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "e", "arguments": given("{{workflow.name}}" * 20_000)}]]}, ECHO
    ),
    "templates: 20,000": lambda: workflow(
        TRUE | {"name": "m"}, *[TRUE | {"name": f"t{n}"} for n in range(20_000)]
    ),
    "templates: 500 that call 500": lambda: workflow(
        {"name": "m", "steps": [[{"name": "s", "template": "t0"}]]},
        *[{"name": f"t{n}", "steps": [[{"name": f"s{k}", "template": f"t{n + 1}"} for k in range(20)]]} for n in range(90)],
        TRUE | {"name": "t90"},
    ),
    "tasks: 20,000": lambda: many_tasks(20_000, lambda n: []),
    "tasks: 1,500, each after all before it": lambda: many_tasks(1500, lambda n: [f"t{k}" for k in range(n)]),
    "tasks: a chain of 5,000": lambda: many_tasks(5000, lambda n: [f"t{n - 1}"] if n else []),
    "tasks: layers of 200": lambda: many_tasks(
        2000, lambda n: [f"t{k}" for k in range((n // 200 - 1) * 200, n // 200 * 200)] if n >= 200 else []
    ),
    "tasks: depends 5,000 brackets deep": lambda: workflow(
        {"name": "m", "dag": {"tasks": [{"name": "a", "template": "t"},
                                        {"name": "b", "template": "t", "depends": nested(5000, "(", ")").replace("()", "(a)")}]}},
        TRUE,
    ),  # fmt: skip
    "tasks: depends of 50,000 names": lambda: workflow(
        {"name": "m", "dag": {"tasks": [{"name": "a", "template": "t"},
                                        {"name": "b", "template": "t", "depends": " && ".join(["a"] * 50_000)}]}},
        TRUE,
    ),  # fmt: skip
    "steps: 10,000 groups": lambda: workflow(
        {"name": "m", "steps": [[{"name": f"s{n}", "template": "t", "when": "false"}] for n in range(10_000)]}, TRUE
    ),
    "expression: 1+1+… of 50,000": lambda: expression("+".join(["1"] * 50_000)),
    "expression: 1+1+… of 4,000, 500 times": lambda: each("+".join(["1"] * 4000)),
    "expression: map of map 3000 x 3000": lambda: expression("len(map(1..3000, {map(1..3000, {1})}))"),
    "expression: map of map 300 x 300, 500 times": lambda: each("len(map(1..300, {map(1..300, {1})}))"),
    "expression: 20 ranges of 900,000": lambda: expression("len([" + ",".join(["1..900000"] * 20) + "])"),
    "expression: sort of 900,000": lambda: expression("len(sort(map(1..900000, {-#})))"),
    "expression: reduce that doubles a text": lambda: expression('len(reduce(1..60, {#acc + #acc}, "xxxxxxxx"))'),
    "expression: reduce that doubles a list": lambda: expression("len(reduce(1..40, {concat(#acc, #acc)}, [1,2,3]))"),
    "expression: toJson of lists in lists": lambda: expression(
        "let a = [1,2,3,4,5,6,7,8,9,0]; " + "".join(
            f"let {chr(98 + n)} = [{','.join([chr(97 + n)] * 10)}]; " for n in range(9)) + "toJson(j)"
    ),
    "expression: 5,000 brackets": lambda: expression(nested(5000, "(", ")").replace("()", "(1)")),
    "expression: repeat 1e9": lambda: expression('repeat("a", 1000000000)'),
    "expression: repeat 1e6 of repeat 1e3": lambda: expression('repeat(repeat("a", 1000), 1000000)'),
    "expression: 100 texts of 40 million": lambda: each('len(repeat("a", 40000000))', 100),
    "expression: split of 40 million": lambda: expression('len(split(repeat("a,", 20000000), ","))'),
    "expression: replace that grows": lambda: expression(
        'len(replace(replace(replace(repeat("a", 1000), "a", repeat("b", 1000)), "b", repeat("c", 1000)), "c", "dddddd"))'
    ),
    "expression: bitshl": lambda: expression("bitshl(1, 4000000000)"),
    "expression: 10 ** 10 ** 10": lambda: expression("10 ** 10 ** 10 ** 10"),
    "expression: int of 100,000 digits": lambda: expression('int(repeat("9", 100000))'),
    "expression: fromJson of 100,000 brackets": lambda: expression('fromJSON(repeat("[", 100000) + repeat("]", 100000))'),
    "expression: fromJson of 10 MB": lambda: expression('len(fromJSON("[" + repeat("1,", 5000000) + "1]"))'),
    "sprig: repeat": lambda: expression('sprig.repeat(1000000000, "a")'),
    "sprig: until, untilStep, seq": lambda: expression(
        "len(sprig.until(100000000)) + len(sprig.untilStep(0, 100000000, 1)) + len(sprig.seq(0, 1, 100000000))"
    ),
    "sprig: indent": lambda: expression('sprig.indent(1000000000, "a")'),
    "sprig: nindent of many lines": lambda: expression('len(sprig.nindent(10000, repeat("\\n", 100000)))'),
    "sprig: wrap": lambda: expression('len(sprig.wrapWith(1, repeat("x", 100000), repeat("a", 100000)))'),
    "sprig: round to 10 to the 9 digits": lambda: expression("sprig.round(1.5, 1000000000)"),
    "sprig: randAlpha": lambda: expression("len(sprig.randAlphaNum(1000000000))"),
    "sprig: list of lists": lambda: expression("len(sprig.chunk(1, 1..900000))"),
    "sprig: uniq of 100,000": lambda: expression("len(sprig.uniq(map(1..30000, {[#]})))"),
    "sprig: semver of 100,000 digits": lambda: expression('sprig.semverCompare("^" + repeat("9", 100000), "1.2.3")'),
    "regex: (a+)+$": lambda: expression('repeat("a", 40000) + "b" matches "(a+)+$"'),
    "regex: a{1000}{1000}": lambda: expression('"a" matches "((a{1000}){1000}){1000}"'),
    "regex: 1,000 patterns": lambda: each('repeat("a", 1000) matches "(a|b|{{item}}){1,500}$"', 1000),
    "regex: findall of 10 million": lambda: expression('len(sprig.regexFindAll("a", repeat("a", 10000000), -1))'),
    "regex: replace that grows": lambda: expression(
        'len(sprig.regexReplaceAll("a", repeat("a", 100000), repeat("b", 100000)))'
    ),
    "regex: when =~": lambda: step(when="'" + "a" * 50_000 + "b' =~ '(a*)*(a*)*(a*)*$'"),
    "jsonpath: $..*..*..*..*": lambda: expression(
        'jsonpath(workflow.parameters.d, "$..*..*..*..*")', d=nested(30, '{"a":[1,2,{"b":', "}]}").replace(":}", ":1}")
    ),
    "jsonpath: of 5 MB": lambda: expression('jsonpath(workflow.parameters.d, "$..a")', d=json.dumps([{"a": 1}] * 500_000)),
    "jsonpath: a filter with a script": lambda: expression(
        'jsonpath(workflow.parameters.d, "$[?(@ == 1 || @ == 2)]")', d=json.dumps(list(range(100_000)))
    ),
    "when: 20,000 conditions": lambda: step(when=" && ".join(["1 == 1"] * 20_000)),
    "when: 10,000 brackets": lambda: step(when=nested(10_000, "(", ")").replace("()", "(1 == 1)")),
    "when: a number of 100,000 digits": lambda: step(when="9" * 100_000 + " > 1"),
    "retry: expression": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["false"]},
         "retryStrategy": {"limit": 3, "expression": "len(map(1..3000, {map(1..3000, {1})})) > 0"}}
    ),  # fmt: skip
    "retry: limit 1e9 without a pause": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["false"]}, "retryStrategy": {"limit": "1000000000"}}
    ),
    "retry: backoff to the power of 1e9": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["false"]},
         "retryStrategy": {"limit": 10**9, "backoff": {"duration": "1", "factor": "999999999", "maxDuration": "9" * 15}}}
    ),  # fmt: skip
    "hooks: 5,000": lambda: step(
        hooks={f"h{n}": {"template": "t", "expression": "steps.s.status == 'Running'"} for n in range(5000)}
    ),
    "locks: 5,000": lambda: workflow(
        TRUE | {"name": "m", "synchronization": {"mutexes": [{"name": f"m{n}"} for n in range(5000)]}}
    ),
    "metrics: 5,000": lambda: workflow(
        TRUE | {"name": "m", "metrics": {"prometheus": [
            {"name": f"m{n}", "help": "x", "counter": {"value": "1"}, "labels": [{"key": "k", "value": "{{workflow.uid}}"}]}
            for n in range(5000)]}}
    ),  # fmt: skip
    "memoize: a key of 40 million": lambda: workflow(
        ECHO | {"name": "m", "inputs": {"parameters": [{"name": "x", "value": "1"}]},
                "memoize": {"key": '{{=repeat("a", 40000000)}}', "cache": {"configMap": {"name": "c"}}}}
    ),  # fmt: skip
    "artifacts: 10,000 inputs": lambda: workflow(
        TRUE | {"name": "m", "inputs": {"artifacts": [
            {"name": f"a{n}", "path": f"/tmp/a{n}", "raw": {"data": "x"}} for n in range(10_000)]}}
    ),  # fmt: skip
    "artifacts: 10,000 outputs": lambda: workflow(
        TRUE | {"name": "m", "outputs": {"artifacts": [
            {"name": f"a{n}", "path": f"/tmp/a{n}", "optional": True} for n in range(10_000)]}}
    ),  # fmt: skip
    "pod: podSpecPatch of 100,000 aliases": lambda: workflow(TRUE | {"name": "m", "podSpecPatch": LAUGHS}),
    "pod: podSpecPatch 50,000 deep": lambda: workflow(TRUE | {"name": "m", "podSpecPatch": nested(50_000, '{"a":', "}")}),
    "pod: podSpecPatch of 3 MB YAML": lambda: workflow(
        TRUE | {"name": "m", "podSpecPatch": "containers:\n" + "- name: main\n  env: [{name: a, value: b}]\n" * 70_000}
    ),
    "pod: 20,000 variables": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["true"],
                                    "env": [{"name": f"V{n}", "value": f"$(V{n - 1})$(V{n - 1})"} for n in range(20_000)]}}
    ),  # fmt: skip
    "pod: variables that double": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["true"],
                                    "env": [{"name": f"V{n}", "value": f"$(V{n - 1})$(V{n - 1})" if n else "xxxx"} for n in range(64)]}}
    ),  # fmt: skip
    "pod: 10,000 volumes": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["true"]},
         "volumes": [{"name": f"v{n}", "emptyDir": {}} for n in range(10_000)]}
    ),  # fmt: skip
    "pod: 2,000 containers": lambda: workflow(
        {"name": "m", "containerSet": {"containers": [
            {"name": f"c{n}", "image": "busybox", "command": ["true"]} for n in range(2000)]}}
    ),  # fmt: skip
    "pod: memory 1e999999999": lambda: workflow(
        {"name": "m", "container": {"image": "busybox", "command": ["true"],
                                    "resources": {"requests": {"memory": "1e999999999", "cpu": "1" + "0" * 9000}}}}
    ),  # fmt: skip
    "pod: a deadline of 300 digits": lambda: workflow(TRUE | {"name": "m", "activeDeadlineSeconds": 10**300}),
    "metadata: 100,000 labels": lambda: step() | {
        "metadata": {"generateName": "bomb-", "labels": {f"l{n}": "x" for n in range(100_000)}}},
    "metadata: annotations of 10 MB": lambda: step() | {
        "metadata": {"generateName": "bomb-", "annotations": {"a": "x" * 10_000_000}}},
    "metadata: labelsFrom of 3,000": lambda: step() | {"spec": step()["spec"] | {
        "workflowMetadata": {"labelsFrom": {f"l{n}": {"expression": "len(map(1..1000, {1})) > 0 ? 'a' : 'b'"} for n in range(3000)}}}},
    "metadata: a name of 10 MB": lambda: step() | {"metadata": {"name": "x" * 10_000_000}},
    "claims: 5,000": lambda: workflow(
        TRUE | {"name": "m"},
        volumeClaimTemplates=[
            {"metadata": {"name": f"c{n}"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}} for n in range(5000)],
    ),  # fmt: skip
    "output: 100 MB in one line": lambda: shell("head -c 100000000 /dev/zero | tr '\\0' x"),
    "output: 3 million lines": lambda: shell("yes | head -n 3000000"),
    "output: a parameter of 100 MB": lambda: shell(
        "head -c 100000000 /dev/zero | tr '\\0' x > /tmp/p",
        outputs={"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]},
    ),
    "output: a result of 100 MB": lambda: workflow(
        {"name": "m", "steps": [[{"name": "a", "template": "t"}],
                                [{"name": "b", "template": "e", "arguments": given("{{steps.a.outputs.result}}")}]]},
        {"name": "t", "script": {"image": "busybox", "command": ["sh"], "source": "head -c 100000000 /dev/zero | tr '\\0' x"}},
        ECHO,
    ),  # fmt: skip
    "resource: YAML of aliases": lambda: resource(CONFIG_MAP + LAUGHS),
    "resource: YAML of 3 MB": lambda: resource(CONFIG_MAP + "x:\n" + "- {a: b}\n" * 300_000),
    "resource: jq without end": lambda: resource(CONFIG_MAP, successCondition="data.a == b") | {},
    "data: an expression": lambda: workflow(
        {"name": "m", "data": {"source": {"artifactPaths": {"name": "a", "raw": {"data": "x"}}},
                               "transformation": [{"expression": "map(1..3000, {map(1..3000, {1})})"}]}}
    ),  # fmt: skip
    "jq: repeat": lambda: workflow(
        {"name": "m", "resource": {"action": "get", "manifest": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-root-ca.crt}"},
         "outputs": {"parameters": [{"name": "p", "valueFrom": {"jqFilter": "[repeat(1)]"}},
                                    {"name": "q", "valueFrom": {"jqFilter": "range(1e15)"}}]}}
    ),  # fmt: skip
}  # fmt: skip


# --- requests --------------------------------------------------------------------------------------------------------
@dataclass
class Server:
    """The server under test."""

    pid: int
    argo: tuple[str, int]
    kubernetes: tuple[str, int]
    token: str

    def call(self, method: str, path: str, body: Any = None, *, kubernetes: bool = False, timeout: float = 60.0,
             headers: Any = ()) -> tuple[int, bytes]:  # fmt: skip
        connection = http.client.HTTPConnection(*(self.kubernetes if kubernetes else self.argo), timeout=timeout)
        data = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.putrequest(method, path)
            connection.putheader("Authorization", f"Bearer {self.token}")
            for name, value in headers:
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def memory(self, kind: str = "VmHWM") -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(kind))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


Attack = Callable[[Server], str]


def request(method: str, path: str, body: Callable[[], Any] = lambda: None, **how: Any) -> Attack:
    def attack(server: Server) -> str:
        return said(*server.call(method, path, body(), **how))

    return attack


def said(status: int, answer: bytes) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        answer = json.loads(answer)["message"].encode()
    return f"{status} {answer[:110].decode('utf-8', 'replace')}"


def raw(first: bytes, then: bytes = b"", times: int = 0, pause: float = 0.0) -> Attack:
    """A client that writes what it likes."""

    def attack(server: Server) -> str:
        with socket.create_connection(server.argo, timeout=10) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(first.replace(b"TOKEN", server.token.encode()))
                for _ in range(times):
                    connection.sendall(then)
                    time.sleep(pause)
            try:
                answer = connection.recv(200)
            except OSError as error:
                return f"{type(error).__name__}"
            return answer.split(b"\r\n")[0].decode("latin-1") or "closed"

    return attack


def connections(count: int, text: bytes) -> Attack:
    """Many connections that begin a request and never end it."""

    def attack(server: Server) -> str:
        held: list[socket.socket] = []
        try:
            for _ in range(count):
                with contextlib.suppress(OSError):
                    held.append(socket.create_connection(server.argo, timeout=2))
                    held[-1].sendall(text)
            time.sleep(LASTS)
            gone = 0
            for one in held:
                one.setblocking(False)
                try:
                    gone += one.recv(1, socket.MSG_PEEK) == b""
                except BlockingIOError:
                    pass
                except OSError:
                    gone += 1
            return f"{len(held)} opened, {gone} were closed by the server"
        finally:
            for one in held:
                one.close()

    return attack


def copies(server: Server) -> str:
    """A JSON patch each of whose operations doubles the document."""
    server.call(
        "POST", f"{CORE}/configmaps", {"metadata": {"name": "copied"}, "data": {"a": "x" * 1000}}, kubernetes=True
    )
    patch = [{"op": "copy", "from": "/data", "path": f"/data/b{n}"} for n in range(30)]
    return said(*server.call("PATCH", f"{CORE}/configmaps/copied", patch, kubernetes=True,
                             headers=[("Content-Type", "application/json-patch+json")]))  # fmt: skip


def at_once(count: int, function: Callable[[], None]) -> None:
    """The function in so many threads, until all have ended."""
    import threading

    threads = [threading.Thread(target=function, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def together(count: int, method: str, path: str, body: Callable[[], Any] = lambda: None) -> Attack:
    """The same request from many clients at once."""

    def attack(server: Server) -> str:
        answers: list[str] = []
        value = body()
        data = None if value is None else json.dumps(value).encode()

        def one() -> None:
            try:
                answers.append(said(*server.call(method, path, data)))
            except OSError as error:
                answers.append(type(error).__name__)

        at_once(count, one)
        return f"{len(answers)} answers, such as {answers[0] if answers else '-'}"

    return attack


def cron(name: str, **spec: Any) -> Attack:
    def attack(server: Server) -> str:
        document = {
            "metadata": {"name": name},
            "spec": {"schedules": ["* * * * *"], "workflowSpec": step()["spec"], **spec},
        }
        answer = said(*server.call("POST", "/api/v1/cron-workflows/default", {"cronWorkflow": document}))
        time.sleep(2)
        server.call("DELETE", f"/api/v1/cron-workflows/default/{name}")
        return answer

    return attack


HEAD = b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
APPLY = [("Content-Type", "application/apply-patch+yaml")]
REQUESTS: dict[str, Attack] = {
    "headers: 5,000": raw(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n"),
    "headers: 20,000": raw(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n"),
    "headers: 20,000 of one name": raw(HEAD + b"X: y\r\n" * 20_000 + b"\r\n"),
    "headers: one of 50 MB": raw(HEAD + b"X: ", b"y" * 1_000_000, 50),
    "headers: a line a second": raw(HEAD, b"X: y\r\n", 15, 1.0),
    "url: 10 MB": raw(b"GET /api/v1/version?", b"a" * 1_000_000, 10),
    "url: 50,000 query parameters": raw(HEAD.replace(b"version", b"version?" + b"a=b&" * 15_000) + b"\r\n"),
    "connections: 1,500 that begin": connections(1500, b"GET /api/v1/version HTTP/1.1\r\nHost: a\r\nX: "),
    "connections: 1,500 silent": connections(1500, b""),
    "connections: 1,000 with a body to come": connections(
        1000, b"POST /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n{"),
    "body: 60 MB of []": request("POST", RUNS, lambda: b"[" + b"[]," * 20_000_000 + b"[]]"),
    "body: 60 MB of numbers": request("POST", RUNS, lambda: b'{"workflow":{"x":[' + b"1," * 30_000_000 + b"1]}}"),
    "body: 60 MB of short keys": request(
        "POST", RUNS, lambda: json.dumps({"workflow": {"spec": {f"{n}": 1 for n in range(3_000_000)}}}).encode()),
    "body: 60 MB text": request("POST", RUNS, lambda: b'{"workflow":{"x":"' + b"x" * 60_000_000 + b'"}}'),
    "body: 60 MB of escapes": request("POST", RUNS, lambda: b'{"workflow":{"x":"' + b"\\u0041" * 10_000_000 + b'"}}'),
    "body: 100 MB": request("POST", RUNS, lambda: b" " * 100_000_000),
    "body: 1 million brackets": request("POST", RUNS, lambda: b"[" * 1_000_000),
    "body: chunks without end": raw(
        b"POST /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n", b"F4240\r\n" + b"x" * 1_000_000 + b"\r\n", 100),
    "body: chunks of one byte": raw(
        b"POST /api/v1/workflows/default HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 100_000, 10),
    "body: 20 MB, 12 clients": together(12, "POST", RUNS, lambda: {"workflow": {"x": [1] * 5_000_000}}),
    "yaml: 5 MB applied": request(
        "PATCH", f"{CORE}/configmaps/y?fieldManager=m", lambda: b"data:\n" + b"- {a: b, c: d}\n" * 330_000,
        kubernetes=True, headers=APPLY),
    "yaml: aliases": request("PATCH", f"{CORE}/configmaps/y?fieldManager=m", LAUGHS.encode, kubernetes=True, headers=APPLY),
    "yaml: 50,000 deep": request(
        "PATCH", f"{CORE}/configmaps/y?fieldManager=m", lambda: b"[" * 50_000, kubernetes=True, headers=APPLY),
    "kubernetes: a config map of 40 MB": request(
        "POST", f"{CORE}/configmaps", lambda: {"metadata": {"name": "big"}, "data": {"a": "x" * 40_000_000}}, kubernetes=True),
    "kubernetes: a patch that copies": copies,
    "kubernetes: a patch of 100,000 operations": request(
        "PATCH", f"{CORE}/configmaps/copied", lambda: [{"op": "add", "path": "/data/a", "value": "b"}] * 100_000,
        kubernetes=True, headers=[("Content-Type", "application/json-patch+json")]),
    "query: a selector of 50,000 values": request(
        "GET", f"{RUNS}?listOptions.labelSelector=a+in+(" + ",".join(["x"] * 25_000) + ")"),
    "query: 20,000 fields": request("GET", f"{RUNS}?fields=" + ",".join(["items.metadata.a"] * 3500)),
    "lint: 20,000 templates": request(
        "POST", f"{RUNS}/lint", lambda: {"workflow": WORKFLOWS["templates: 20,000"]()}),
    "lint: map of map, 30 clients": together(
        30, "POST", f"{RUNS}/lint", lambda: {"workflow": expression("len(map(1..3000, {map(1..3000, {1})}))")}),
    "submit: 200 clients": together(200, "POST", RUNS, lambda: {"workflow": step(withSequence={"count": 20})}),
    "cron: 20,000 schedules": cron("many", schedules=["* * * * *"] * 20_000),
    "cron: 30 February": cron("never", schedules=["0 0 30 2 *"]),
    "cron: a field of 1 MB": cron("wide", schedules=[",".join(["1"] * 300_000) + " * * * *"]),
    "cron: when": cron("when", when="{{= len(map(1..3000, {map(1..3000, {1})})) > 0 }}"),
    "cron: a time zone of 1 MB": cron("zone", timezone="A" * 1_000_000),
}  # fmt: skip


# --- the second client -----------------------------------------------------------------------------------------------
@dataclass
class Slowest:
    """The slowest answer of each kind, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def second_client(server: Server, pipe: Connection) -> None:
    """Ask all along; whenever something comes through the pipe, answer what was slowest since the last time."""
    slowest, turn = Slowest(), 0
    small = {
        "workflow": workflow({"name": "m", "suspend": {"duration": "1"}}, ttlStrategy={"secondsAfterCompletion": 1})
    }
    while True:
        kinds = ["version"] * 9 + (["list"] if turn % 2 else ["submit"])
        for kind in kinds:
            start = time.monotonic()
            try:
                if kind == "version":
                    status, answer = server.call("GET", "/api/v1/version", timeout=120)
                elif kind == "list":
                    status, answer = server.call(
                        "GET", f"{RUNS}?listOptions.limit=5&fields=items.metadata.name", timeout=120
                    )
                else:
                    status, answer = server.call("POST", RUNS, small, timeout=120)
                if status != 200:
                    slowest.failures.append(f"{kind}: {said(status, answer)}")
            except (OSError, http.client.HTTPException) as error:
                slowest.failures.append(f"{kind}: {type(error).__name__}")
            taken = time.monotonic() - start
            slowest.seconds[kind] = max(slowest.seconds.get(kind, 0.0), taken)
            if pipe.poll(0.02):
                if pipe.recv() == "end":
                    return
                pipe.send(slowest)
                slowest = Slowest()
        turn += 1


def come_first(server: Server, client: int) -> None:
    """What else this machine does makes their answers no slower: their threads, and those to come, are of the real-time class.

    Not so the tasks: what starts them runs before.
    """
    run(server, workflow(TRUE | {"name": "m"}))
    for process in (server.pid, client):
        for thread in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))


# --- the campaign ----------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def server_of(state: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "hera_utils", "serve"]
    environment = os.environ | {"HERA_UTILS_STATE": str(state), "HERA_UTILS_IMAGES": "stand-in"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = state / "server.json"
        while not told.exists() or "argo_server" not in told.read_text():
            if process.poll() is not None:
                raise SystemExit("the server ended at once")
            time.sleep(0.05)
        known = json.loads(told.read_text())
        argo, kubernetes = (known[name].partition("//")[2].split(":") for name in ("argo_server", "kubernetes"))
        yield Server(process.pid, (argo[0], int(argo[1])), (kubernetes[0], int(kubernetes[1])), known["token"])
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def run(server: Server, document: Json) -> str:
    """Submit a workflow and follow it for a while: what was said."""
    end = time.monotonic() + LASTS
    status, answer = server.call("POST", RUNS, {"workflow": document}, timeout=120)
    if status != 200:
        return said(status, answer)
    name = json.loads(answer)["metadata"]["name"]
    found: Json = {}
    while time.monotonic() < end:
        time.sleep(0.3)
        fields = "status.phase,status.message,status.progress"
        found = json.loads(server.call("GET", f"{RUNS}/{name}?fields={fields}", timeout=120)[1]).get("status") or {}
        if found.get("phase") not in (None, "", "Pending", "Running"):
            break
    text = f"{found.get('phase')} {found.get('progress', '')} {found.get('message', '')}".strip()
    server.call("PUT", f"{RUNS}/{name}/terminate", {}, timeout=120)
    server.call("DELETE", f"{RUNS}/{name}", timeout=120)
    return text


def main() -> int:
    import bombs_of_copies  # all of them take their means from here
    import bombs_of_objects
    import bombs_of_pairs
    import bombs_of_repetition

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument(
        "--first", action="store_true", help="server and second client before all other processes (root)"
    )
    options = parser.parse_args()
    bombs: dict[str, Attack] = {}
    more = (bombs_of_objects, bombs_of_copies, bombs_of_repetition, bombs_of_pairs)
    for name, make in [*WORKFLOWS.items(), *(one for module in more for one in module.WORKFLOWS.items())]:
        bombs[name] = lambda server, make=make: run(server, make())  # type: ignore[misc]
    bombs |= REQUESTS
    for module in more:
        bombs |= module.REQUESTS
    chosen = [name for name in bombs if not options.words or any(word in name for word in options.words)]
    if options.list:
        print("\n".join(chosen))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="bombs-"))
    broken, worst, most = [], 0.0, 0
    try:
        with server_of(folder) as server:
            here, there = multiprocessing.Pipe()
            client = multiprocessing.Process(target=second_client, args=(server, there), daemon=True)
            client.start()
            if options.first:
                come_first(server, client.pid or 0)
            for name in chosen:
                server.forget_peak()
                here.send("begin")
                here.recv()
                start = time.monotonic()
                try:
                    answer = bombs[name](server)
                except (OSError, http.client.HTTPException) as error:
                    answer = f"{type(error).__name__}: {error}"
                time.sleep(0.5)
                here.send("tell")
                slowest: Slowest = here.recv()
                try:
                    memory = server.memory()
                except (OSError, StopIteration):
                    print(f"{name}: THE SERVER ENDED  {answer}", flush=True)
                    return 1
                version = slowest.seconds.get("version", 0.0)
                worst, most = max(worst, version), max(most, memory)
                bad = version > SLOWEST or memory > MOST_MEMORY or any("version" in one for one in slowest.failures)
                broken += [name] * bad
                times = "  ".join(f"{kind} {seconds:.2f}" for kind, seconds in sorted(slowest.seconds.items()))
                print(
                    f"{'!!' if bad else '  '} {name}: {times}  {memory / 1e6:.0f} MB  {time.monotonic() - start:.0f} s",
                    end="",
                )
                print(
                    f"  {answer[:170]}" + (f"  failures {slowest.failures[:2]}" if slowest.failures else ""), flush=True
                )
            here.send("end")
            client.join(5)
    finally:
        remove_tree(folder)
    print(
        f"{len(chosen)} bombs, {len(broken)} broke a limit; slowest GET /version {worst:.2f} s, most memory {most / 1e6:.0f} MB"
    )
    return int(bool(broken))


if __name__ == "__main__":
    sys.modules["bombs"] = sys.modules["__main__"]
    sys.exit(main())
