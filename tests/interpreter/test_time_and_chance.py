"""`now()` and random functions in expressions: of this run and this moment, and the same again when the run is restored."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from playbook import START, Play, workflow

from hera_utils.interpreter import commands as c

DRAW = "{{=sprig.uuidv4()}} {{=sprig.uuidv4()}} {{=string(sprig.now().Unix())}} {{=sprig.date('2006', 'no time')}}"
# An expression that does not use `item` has the same value for all items.
EACH = "{{=sprig.uuidv4() + ' ' + sprig.uuidv4() + ' ' + sprig.date('2006', item)}}"
TAKE = """
- name: take
  inputs: {parameters: [{name: m}]}
  container: {image: busybox, command: [echo, "{{inputs.parameters.m}}", "DRAW"]}
"""
SPECS = {
    "container": " [{name: main, container: {image: busybox, command: [echo, 'DRAW', 'DRAW']}}]",
    "input": """
- name: main
  inputs: {parameters: [{name: m, value: DRAW}, {name: n, value: DRAW}]}
  container: {image: busybox, command: ["{{inputs.parameters.m}}", "{{inputs.parameters.n}}"]}
""",
    "steps": """
- name: main
  steps:
  - - {name: a, template: take, arguments: {parameters: [{name: m, value: "DRAW"}]}}
    - {name: b, template: take, arguments: {parameters: [{name: m, value: "DRAW"}]}}
"""
    + TAKE,
    "dag": """
- name: main
  dag:
    tasks:
    - {name: a, template: take, arguments: {parameters: [{name: m, value: "DRAW"}]}}
    - {name: b, template: take, arguments: {parameters: [{name: m, value: "DRAW"}]}}
"""
    + TAKE,
    "loop": """
- name: main
  steps:
  - - {name: a, template: take, withItems: [1, 2], arguments: {parameters: [{name: m, value: "EACH"}]}}
"""
    + TAKE,
    "attempts": " [{name: main, retryStrategy: {limit: 1}, container: {image: b, command: [echo, '{{retries}}', 'DRAW', 'DRAW']}}]",
    "environment": " [{name: main, container: {image: b, command: [echo], env: [{name: A, value: 'DRAW'}, {name: B, value: 'DRAW'}]}}]",
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def play(kind: str, mode: str, uid: str = "1234") -> Play:
    spec = yaml.safe_load(f"entrypoint: main\ntemplates:{SPECS[kind]}")
    return Play(workflow(json.loads(json.dumps(spec).replace("DRAW", DRAW).replace("EACH", EACH)), uid=uid), mode)


def drawn(run: Play) -> str:
    return str([one.pod["spec"] for one in run.commands if isinstance(one, c.LaunchPod)] + [str(run.run.nodes)])


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
@pytest.mark.parametrize("kind", SPECS)
def test_every_evaluation_is_of_this_moment_and_draws_anew(kind: str, mode: str) -> None:
    specs = str([one.pod["spec"] for one in play(kind, mode).commands if isinstance(one, c.LaunchPod)])
    found = _UUID.findall(specs)
    assert len(found) == specs.count("2026") * 2 >= 4
    assert len(set(found)) == len(found)  # no random value occurs twice
    assert f"{int(START)} 2026" in specs
    assert "1970" not in specs


@pytest.mark.parametrize("kind", SPECS)
def test_runs_differ_and_a_run_that_is_played_again_does_not(kind: str) -> None:
    first, again, other = (set(_UUID.findall(drawn(play(kind, "live", uid)))) for uid in ("1", "1", "2"))
    assert first == again
    assert not first & other


LATER = """
entrypoint: main
templates:
- name: main
  steps:
  - - {name: a, template: take, arguments: {parameters: [{name: m, value: "{{=sprig.uuidv4()}}"}]}}
    - {name: b, template: take, withParam: '{{=toJson([sprig.randAlpha(5)])}}', arguments: {parameters: [{name: m, value: "{{item}}"}]}}
  - - {name: c, template: tell, arguments: {parameters: [{name: m, value: "{{=string(now().Unix())}}"}]}}
    - {name: d, template: tell, arguments: {parameters: [{name: m, value: "{{=string(sprig.now().Unix())}}"}]}}
- name: take
  inputs: {parameters: [{name: m}]}
  container: {image: busybox, command: [echo, "{{inputs.parameters.m}}"]}
- name: tell
  inputs: {parameters: [{name: m}]}
  container: {image: busybox, command: [echo, "{{inputs.parameters.m}}"]}
"""


def test_a_run_that_is_restored_draws_the_same_names_and_goes_on_in_its_own_time() -> None:
    pictures: list[Any] = []
    for mode in ("live", "restored", "naive"):
        run = Play(workflow(LATER), mode)
        for node_id in list(run.active):
            run.start(node_id)
            run.end(node_id)
        at = int(run.at)
        told = [one.pod["spec"]["containers"][0]["command"][1] for one in run.commands if isinstance(one, c.LaunchPod)]
        assert told == [str(at), str(at)]
        for node_id in list(run.active):
            run.end(node_id)
        assert run.phase == "Succeeded"
        pictures.append(run.picture())
    assert pictures[0] == pictures[1] == pictures[2]
