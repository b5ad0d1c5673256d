"""Random workflows, random orders of what happens: the incremental walk, the restored run and the naive walk tell the same story."""

from __future__ import annotations

import hashlib
from typing import Any

import playbook
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e
from hera_utils.interpreter import start as begin

Json = dict[str, Any]


def _pod(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "inputs": {"parameters": [{"name": "x", "default": "d"}]},
        "container": {"image": "i", "command": ["true"]},
        **more,
    }


@st.composite
def _retry(draw: st.DrawFn) -> Json | None:
    if not draw(st.booleans()):
        return None
    strategy: Json = {"limit": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        strategy["retryPolicy"] = draw(st.sampled_from(["Always", "OnFailure", "OnError"]))
    if draw(st.integers(0, 3)) == 0:
        strategy["backoff"] = {"duration": "2", "factor": 2}
    return strategy


@st.composite
def _step(draw: st.DrawFn, name: str, templates: list[str], before: list[str], prefix: str) -> Json:
    step: Json = {"name": name, "template": draw(st.sampled_from(templates))}
    kind = draw(st.integers(0, 6))
    if kind == 0:
        step["withItems"] = draw(st.lists(st.sampled_from(["a", "b", 3]), max_size=3)) or ["only"]
        step["arguments"] = {"parameters": [{"name": "x", "value": "{{item}}"}]}
    elif kind == 1:
        step["when"] = draw(st.sampled_from(["1 == 1", "1 == 2"]))
    elif kind == 2 and before:
        step["when"] = f"{{{{{prefix}.{before[-1]}.status}}}} == Succeeded"
    if draw(st.integers(0, 4)) == 0:
        step["continueOn"] = {"failed": True}
    if draw(st.integers(0, 5)) == 0:
        step["onExit"] = "handler"
    if draw(st.integers(0, 5)) == 0:
        step["hooks"] = {"seen": {"template": "handler", "expression": f"{prefix}['{name}'].status == 'Running'"}}
    return step


@st.composite
def _template(draw: st.DrawFn, name: str, below: list[str]) -> Json:
    template: Json = {"name": name, "inputs": {"parameters": [{"name": "x", "default": "d"}]}}
    names = [f"n{index}" for index in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):
        groups, known = [], []
        for one in names:
            step = draw(_step(one, below, known, "steps"))
            if groups and draw(st.booleans()):
                if "steps." in step.get("when", ""):
                    del step["when"]
                groups[-1].append(step)
            else:
                groups.append([step])
                known = [each["name"] for group in groups[:-1] for each in group]
        template["steps"] = groups
    else:
        tasks: list[Json] = []
        for index, one in enumerate(names):
            before = [names[number] for number in range(index) if draw(st.booleans())]
            task = draw(_step(one, below, before, "tasks"))
            if before and draw(st.booleans()):
                word = draw(st.sampled_from(["Succeeded", "Failed", "Omitted", "Skipped"]))
                joint = draw(st.sampled_from([" && ", " || "]))
                task["depends"] = joint.join(f"({other}.{word} || {other})" for other in before)
                task.pop("continueOn", None)
            elif before:
                task["dependencies"] = before
            tasks.append(task)
        for task in tasks:
            if any("dependencies" in other for other in tasks) and "depends" in task:
                text = task.pop("depends")
                task["dependencies"] = [one for one in names if one in text]
        template["dag"] = {"tasks": tasks}
        if draw(st.integers(0, 3)) == 0:
            template["dag"]["failFast"] = False
    if draw(st.integers(0, 3)) == 0:
        template["parallelism"] = draw(st.integers(1, 2))
    if draw(st.integers(0, 5)) == 0:
        template["failFast"] = True
    retry = draw(_retry())
    if retry and draw(st.booleans()):
        template["retryStrategy"] = retry
    return template


@st.composite
def workflows(draw: st.DrawFn) -> Json:
    pods = [_pod("plain"), _pod("again")]
    retry = draw(_retry())
    if retry:
        pods[1]["retryStrategy"] = retry
    inner = draw(_template("inner", ["plain", "again"]))
    main = draw(_template("main", ["plain", "again", "inner"]))
    spec: Json = {"entrypoint": "main", "templates": [main, inner, *pods, _pod("handler")]}
    if draw(st.integers(0, 3)) == 0:
        spec["onExit"] = "handler"
    if draw(st.integers(0, 4)) == 0:
        spec["parallelism"] = draw(st.integers(1, 3))
    return spec


def _fails(name: str, seed: int) -> int:
    """The exit code of a node's pod, the same in every replay."""
    return 1 if hashlib.sha256(f"{name}/{seed}".encode()).digest()[0] < 60 else 0


def _tell(play: playbook.Play, choice: int, seed: int, started: set[str]) -> str:
    """One thing that could happen now happens; "" when nothing can."""
    timers = sorted(key for key in play.timers)
    possible = sorted(play.active) + timers
    if not possible:
        return ""
    due = [key for key in timers if play.timers[key] <= play.at + 2]  # timers that are due must fire first
    chosen = due[0] if due else possible[choice % len(possible)]
    if chosen in timers:
        play.wait(chosen)
    elif chosen not in started:
        started.add(chosen)
        play.start(chosen)
    else:
        play.end(chosen, _fails(play.run.nodes[chosen]["name"], seed))
    return chosen


def _history(spec: Json, choices: list[int], seed: int, mode: str, stop_after: int) -> tuple[playbook.Play, list[Any]]:
    play = playbook.Play(playbook.workflow(spec), mode)
    started: set[str] = set()
    story: list[Any] = [play.picture()]
    index = 0
    while not play.run.finished and index < 400:
        if index == stop_after:
            play.at += 1
            play.tell(e.ShutdownRequested(play.at, "seed", "Stop"))
            for command in play.commands:
                awaited = play.run.memory.get("killed") or {}
                if isinstance(command, c.KillPod) and command.node_id in play.active and command.node_id not in awaited:
                    play.active.remove(command.node_id)
            story.append(play.picture())
            index += 1
            continue
        if not _tell(play, choices[index % len(choices)], seed, started):
            break
        story.append(play.picture())
        index += 1
    return play, story


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows(), st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(0, 50), st.integers(0, 200))
def test_incremental_restored_and_naive_agree(spec: Json, choices: list[int], seed: int, stop_after: int) -> None:
    live, story = _history(spec, choices, seed, "live", stop_after)
    restored, restored_story = _history(spec, choices, seed, "restored", stop_after)
    naive, naive_story = _history(spec, choices, seed, "naive", stop_after)
    assert live.run.finished, live.phases()
    for one, two, three in zip(story, restored_story, naive_story, strict=False):
        assert one == two
        assert one == three
    assert len(story) == len(restored_story) == len(naive_story)
    assert sorted(live.launched) == sorted(restored.launched) == sorted(naive.launched)


def _short_pods(spec: Json, choices: list[int], seed: int, mode: str, *, together: bool) -> list[Json]:
    """The story of a run in which each pod ends before anything else happens. together: its start is reported with its end."""
    play = playbook.Play(playbook.workflow(spec), mode)
    story: list[Json] = []
    for index in range(400):
        timers = sorted(play.timers)
        possible = [key for key in timers if play.timers[key] <= play.at + 3][:1] or sorted(play.active) + timers
        if play.run.finished or not possible:
            break
        chosen = possible[choices[index % len(choices)] % len(possible)]
        if chosen in timers:
            play.wait(chosen)
        else:
            code = _fails(play.run.nodes[chosen]["name"], seed)
            if together:
                play.start_and_end(chosen, code)
            else:
                play.start(chosen)
                play.end(chosen, code)
        story.append(play.picture())
    assert play.run.finished
    return story


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows(), st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(0, 50))
def test_a_start_that_is_reported_with_the_end_changes_nothing_else(spec: Json, choices: list[int], seed: int) -> None:
    story = _short_pods(spec, choices, seed, "live", together=False)
    for mode in ("live", "restored", "hurried"):
        if mode != "hurried" or not _limited(spec):
            assert _short_pods(spec, choices, seed, mode, together=True) == story, mode


def _without_pod_running(picture: Json) -> Json:
    """A run that ends in its first look has no such condition, and when it is looked at once more it has."""
    conditions = [one for one in picture["status"].get("conditions") or () if one["type"] != "PodRunning"]
    return {**picture, "status": {**picture["status"], "conditions": conditions}}


def _limited(spec: Json) -> bool:
    return any("parallelism" in one or one.get("failFast") for one in [spec, *spec["templates"]])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows(), st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(0, 50), st.integers(0, 200))
def test_a_run_that_others_interrupt_tells_the_same_story(
    spec: Json, choices: list[int], seed: int, stop_after: int
) -> None:
    """What an event has no time for is done in the next ones, a node at a time. Under a limit the order of the nodes may differ."""
    live, story = _history(spec, choices, seed, "live", stop_after)
    for mode in ("hurried", "hurried, restored"):
        hurried, hurried_story = _history(spec, choices, seed, mode, stop_after)
        assert hurried.run.finished, hurried.phases()
        assert begin.GO_ON not in hurried.run.memory
        if not _limited(spec):
            for one, two in zip(story, hurried_story, strict=True):
                assert _without_pod_running(one) == _without_pod_running(two)
            assert sorted(live.launched) == sorted(hurried.launched)


FAILING = {"seen": {"template": "plain", "expression": "no.such == 'value'"}}
INNER = {"name": "inner", "steps": [[{"name": "x", "template": "plain"}, {"name": "y", "template": "plain"}]]}
HOOKED = {
    "steps": {"steps": [[{"name": "a", "template": "plain", "hooks": FAILING}, {"name": "b", "template": "plain"}]]},
    "steps within": {"steps": [[{"name": "a", "template": "inner", "hooks": FAILING}]]},
    "steps of a task": {"dag": {"tasks": [{"name": "a", "template": "inner", "hooks": FAILING}]}},
    "loop": {"dag": {"tasks": [{"name": "a", "template": "plain", "withItems": [1, 2, 3], "hooks": FAILING}]}},
    "workflow": {"steps": [[{"name": "a", "template": "inner"}]]},
}


@pytest.mark.parametrize("kind", HOOKED)
def test_a_hook_that_fails_ends_nothing_that_is_still_opening(kind: str) -> None:
    """In Argo all that is ready has opened when a hook is looked at."""
    spec = {"entrypoint": "main", "templates": [{"name": "main", **HOOKED[kind]}, INNER, _pod("plain")]}
    if kind == "workflow":
        spec["hooks"] = FAILING
    live, story = _history(spec, [3], 0, "live", 100)
    assert len(live.launched) > 1
    for mode in ("restored", "naive", "hurried", "hurried, restored"):
        assert _history(spec, [3], 0, mode, 100)[1] == story, mode


def _abandoned(play: playbook.Play, node: Json) -> bool:
    """Whether the template around the node failed before the node was over (failFast, an error): Argo leaves it as it was."""
    above = play.run.nodes.get(node.get("boundaryID", ""))
    while above is not None and above["phase"] not in ("Failed", "Error"):
        above = play.run.nodes.get(above.get("boundaryID", ""))
    return above is not None or play.phase in ("Failed", "Error")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows(), st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(0, 50))
def test_every_node_ends_and_no_task_runs_before_its_dependencies(spec: Json, choices: list[int], seed: int) -> None:
    play, _ = _history(spec, choices, seed, "live", 10_000)
    assert play.run.finished
    ends = {"Succeeded", "Failed", "Error", "Skipped", "Omitted"}
    for node in play.run.nodes.values():
        assert node["phase"] in ends or _abandoned(play, node), node
        if node["phase"] in ends:
            assert node["finishedAt"], node
    main = spec["templates"][0]
    for task in main.get("dag", {}).get("tasks", ()):
        mine = play.run.nodes.get(play.run.index.ledger.id_of(f"wf.{task['name']}"))
        for other in task.get("dependencies", ()):
            before = play.run.nodes.get(play.run.index.ledger.id_of(f"wf.{other}"))
            if mine is not None:
                assert before is not None
                assert mine["startedAt"] >= before["finishedAt"]
