"""Properties of every history: see histories.py. A long campaign by hand: HERA_UTILS_HISTORIES=100000 and this file."""

from __future__ import annotations

import os
import re
from typing import Any

import histories
import playbook
import pytest
from histories import ENDED, Telling
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_interleavings import workflows

from hera_utils.interpreter import events as e

Json = dict[str, Any]
MANY = int(os.environ.get("HERA_UTILS_HISTORIES", "0"))
QUICK = settings(max_examples=MANY or 25, deadline=None, suppress_health_check=list(HealthCheck))
ITEM_HANDLER = re.compile(r"(?<!\])\.[^.\[\]]+\(\d+:[^)]*\)\.onExit")
NUMBERS = st.lists(st.integers(0, 100_000), min_size=1, max_size=30)


@st.composite
def pausing_workflows(draw: st.DrawFn) -> Json:
    """Workflows some of whose tasks wait for a user."""
    spec: Json = draw(workflows())
    spec["templates"].append(histories.pausing(draw))
    for template in spec["templates"]:
        if "container" in template:
            declared = {"name": "made", "description": "what it is", "valueFrom": {"path": "/made"}}
            template["outputs"] = {"parameters": [declared]}
        for step in histories.calls(template):
            if draw(st.integers(0, 4)) == 0:
                step["template"] = "pause"
    return spec


@QUICK
@given(pausing_workflows(), NUMBERS, st.integers(0, 50))
def test_whatever_users_do_all_ways_to_walk_a_run_agree(spec: Json, numbers: list[int], seed: int) -> None:
    live, restored, naive = (Telling(spec, numbers, seed, mode).tell() for mode in ("live", "restored", "naive"))
    for one, two, three in zip(live.story, restored.story, naive.story, strict=False):
        assert one == two
        assert one == three
    assert len(live.story) == len(restored.story) == len(naive.story)
    assert live.refused == restored.refused == naive.refused
    assert live.play.run.finished


@QUICK
@given(pausing_workflows(), NUMBERS, st.integers(0, 50), st.integers(0, 300))
def test_replay_from_any_prefix_is_the_live_run(spec: Json, numbers: list[int], seed: int, prefix: int) -> None:
    told = Telling(spec, numbers, seed).tell()
    assert histories.replayed(spec, told.happened, prefix % len(told.happened)) == told.story[-1]


@QUICK
@given(pausing_workflows(), NUMBERS, st.integers(0, 50))
def test_every_node_ends_once(spec: Json, numbers: list[int], seed: int) -> None:
    told = Telling(spec, numbers, seed).tell()
    over: dict[str, Json] = {}
    finished = False
    for picture in told.story:
        if finished:  # a retry keeps some nodes unchanged and resets all others
            kept = {
                key: node
                for key, node in over.items()
                if picture["nodes"].get(key, {}).get("finishedAt") == node["finishedAt"]
            }
            over = {key: node for key, node in kept.items() if picture["nodes"][key]["phase"] == node["phase"]}
        finished = bool(picture["status"].get("finishedAt"))
        for key, node in over.items():
            now = picture["nodes"][key]
            told_later = (node.get("message") or "").startswith("workflow shutdown with") and now["phase"] in ENDED
            assert now["phase"] == node["phase"] or told_later, now["name"]
            assert now.get("finishedAt") == node.get("finishedAt"), now["name"]
        over.update({key: node for key, node in picture["nodes"].items() if node["phase"] in ENDED})
    for node in told.story[-1]["nodes"].values():
        assert node["phase"] in ENDED or _abandoned(told, node), node


def _abandoned(told: Telling, node: Json) -> bool:
    """Whether what is around the node ended before it did (failFast, an error, a deadline): Argo leaves it as it was."""
    nodes = told.play.run.nodes
    if told.retries and _is_replaced(nodes, node):
        return True  # in Argo a retry in place resets such an attempt but never processes it again
    above = nodes.get(node.get("boundaryID", ""))
    while above is not None and above["phase"] not in ("Failed", "Error"):
        above = nodes.get(above.get("boundaryID", ""))
    return above is not None or told.play.phase in ("Failed", "Error")


def _is_replaced(nodes: dict[str, Json], node: Json) -> bool:
    """Whether the node is an attempt of a Retry node that another attempt followed, or below one."""
    last = [
        nodes[one["children"][-1]]["name"] for one in nodes.values() if one["type"] == "Retry" and one.get("children")
    ]
    earlier = [
        nodes[key]["name"]
        for one in nodes.values()
        if one["type"] == "Retry"
        for key in one.get("children") or ()
        if key in nodes
    ]
    names = set(earlier) - set(last)
    return any(node["name"] == name or node["name"].startswith((f"{name}.", f"{name}[")) for name in names)


@QUICK
@given(pausing_workflows(), NUMBERS, st.integers(0, 50))
def test_nothing_runs_before_what_it_depends_on(spec: Json, numbers: list[int], seed: int) -> None:
    told = Telling(spec, numbers, seed, users=5).tell()
    main = spec["templates"][0]
    for picture in told.story:
        phases = {node["name"]: node["phase"] for node in picture["nodes"].values()}
        for task in (main.get("dag") or {}).get("tasks", ()):
            before = task.get("dependencies") or [one for one in _names(main) if one in task.get("depends", "")]
            if f"wf.{task['name']}" in phases and before and not task.get("depends", "").count("||") > len(before):
                assert all(phases.get(f"wf.{one}") in ENDED for one in before), task["name"]
        for number, group in enumerate(main.get("steps", ())):
            if number and any(f"wf[{number}].{step['name']}" in phases for step in group):
                assert phases[f"wf[{number - 1}]"] in ENDED
        if picture["status"].get("finishedAt"):
            break  # a retry in place keeps successful nodes but runs again nodes before them


def _names(template: Json) -> list[str]:
    return [task["name"] for task in template["dag"]["tasks"]]


def _regardless_of_order(spec: Json) -> Json:
    """The workflow without what makes its end depend on who is first: fail-fast, and hooks that look at what runs."""
    for template in spec["templates"]:
        template.pop("failFast", None)
        if "dag" in template:
            template["dag"]["failFast"] = False
        for step in histories.calls(template):
            step.pop("hooks", None)
    return spec


def _regardless_of_items(play: playbook.Play) -> Json:
    """The phases without the exit handlers of items of loops of DAGs: those not open when the last item ends never open, as in Argo."""
    return {name: phase for name, phase in play.phases().items() if not ITEM_HANDLER.search(name)}


@QUICK
@given(workflows().map(_regardless_of_order), NUMBERS, NUMBERS, st.integers(0, 50))
def test_the_order_in_which_pods_end_does_not_matter(spec: Json, one: list[int], other: list[int], seed: int) -> None:
    first, second = (Telling(spec, numbers, seed, users=0).tell() for numbers in (one, other))
    assert _regardless_of_items(first.play) == _regardless_of_items(second.play)
    assert (first.play.phase, first.play.message) == (second.play.phase, second.play.message)


HANDLER = {
    "name": "handler",
    "container": {"image": "i", "command": ["c"]},
    "outputs": {"parameters": [{"name": "made", "description": "what it is", "valueFrom": {"path": "/made"}}]},
}


def test_a_suspended_run_does_not_resume_its_suspend_nodes_by_the_clock() -> None:
    spec = {"entrypoint": "pause", "templates": [{"name": "pause", "suspend": {"duration": "3"}}]}
    for mode in ("live", "restored"):
        play = playbook.Play(playbook.workflow(spec), mode)
        play.tell(e.SuspendRequested(play.at + 1, "seed"))
        play.wait()
        assert play.phases() == {"": "Running"}
        play.tell(e.ResumeRequested(play.at + 1, "seed"))
        assert play.phase == "Succeeded"


@pytest.mark.parametrize("kind", ["named", "inline", "looped", "steps", "retried"])
@pytest.mark.parametrize("suspended", [False, True])
def test_a_pod_is_known_again_when_nothing_above_it_is_looked_at(suspended: bool, kind: str) -> None:
    """After a restart, of a suspended run or below a template that is over, a pod's outputs are still what its template declares."""
    failing = {"name": "fails", "container": {"image": "i", "command": ["c"]}}
    inline: Json = {key: value for key, value in HANDLER.items() if key != "name"}
    if kind == "retried":
        inline["retryStrategy"] = {"limit": 1}
    seen: Json = {"name": "b", "template": "handler"} if kind == "named" else {"name": "b", "inline": inline}
    if kind == "looped":
        seen["withItems"] = ["x"]
    tasks = [{"name": "a", "template": "fails"}, seen, {"name": "late", "template": "handler"}]
    main: Json = {"name": "main", "dag": {"tasks": tasks}}
    if kind == "steps":
        main = {"name": "main", "failFast": True, "steps": [tasks]}
    spec = {"entrypoint": "main", "templates": [main, failing, HANDLER], "onExit": "handler"}
    name = {"looped": "b(0:x)", "retried": "b(0)"}.get(kind, "b")
    made = {"parameters": {"made": "it"}}
    shown = []
    for mode in ("live", "restored"):
        play = playbook.Play(playbook.workflow(spec), mode)
        for one in ("a", name):
            play.start(one)
        if suspended:
            play.tell(e.SuspendRequested(play.at + 1, "seed"))
        else:
            play.end("a", 1)
        play.end(name, outputs=made)
        shown.append(play.node(name)["outputs"])
    assert shown[0] == shown[1]
    assert shown[0]["parameters"] == [{**HANDLER["outputs"]["parameters"][0], "value": "it"}]


def test_a_stopped_step_whose_steps_are_over_ends_with_the_pod_that_it_waits_for() -> None:
    """The killed pod is below steps that are over: the steps around those look at them again."""
    held = {"template": "pause", "continueOn": {"failed": True}, "onExit": "handler"}

    def seen(name: str) -> Json:
        return {"seen": {"template": "handler", "expression": f"steps['{name}'].status == 'Running'"}}

    inner = [
        [{"name": "n0", **held, "hooks": seen("n0")}],
        [{"name": "n1", **held, "withItems": ["only"], "hooks": seen("n1")}],
    ]
    spec = {
        "entrypoint": "main",
        "onExit": "handler",
        "templates": [
            {"name": "main", "steps": [[{"name": "n0", **held}], [{"name": "n1", "template": "inner"}]]},
            {"name": "inner", "steps": inner},
            {"name": "handler", "container": {"image": "i", "command": ["true"]}},
            {"name": "pause", "suspend": {}},
        ],
    }
    assert Telling(spec, [0, 3624, 10], 0).tell().play.run.finished
