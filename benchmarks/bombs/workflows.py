"""Parts of workflows that the bombs are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
TRUE = {"name": "t", "container": {"image": "busybox", "command": ["true"]}}
ECHO = {
    "name": "e",
    "inputs": {"parameters": [{"name": "x"}]},
    "container": {"image": "busybox", "command": ["true"]},
}


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

HOLD = {"name": "h", "suspend": {"duration": "600"}}
"""A node that stays open and needs no process."""


def loop(template: Json, count: int, main: Json | None = None, **spec: Any) -> Json:
    """A template for each number below count."""
    name = template["name"]
    call: Json = {"name": "s", "template": name, "withSequence": {"count": count}, **(main or {})}
    if (template.get("inputs") or {}).get("parameters"):
        call["arguments"] = given("{{item}}")
    return workflow({"name": "m", "steps": [[call]]}, template, **spec)


SHELL: Json = {"image": "busybox", "command": ["sh", "-c"]}
PARAMETERS = {"workflows.argoproj.io/configmap-type": "Parameter"}
SHORT = HOLD | {"suspend": {"duration": "0"}}
