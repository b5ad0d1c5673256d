"""Retry in place and resubmit: which nodes go, which begin again, which stay."""

from __future__ import annotations

import copy
import json
from typing import Any

import playbook
import pytest

from call_counts import calls_of
from hera_utils.argo.names import node_id
from hera_utils.argo.schema import decode
from hera_utils.errors import Refused
from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.commands import DeletePod, LaunchPod
from hera_utils.interpreter.events import (
    ContainerState,
    PodFinished,
    ResumeRequested,
    RetryRequested,
    SetRequested,
    ShutdownRequested,
    Submitted,
)
from hera_utils.interpreter.resubmit import resubmit
from hera_utils.interpreter.retry_in_place import retry
from hera_utils.interpreter.state import Run

Json = dict[str, Any]
W = "wf"


def node(name: str, kind: str, phase: str, children: tuple[str, ...] = (), boundary: str = "", **more: Any) -> Json:
    found: Json = {"id": node_id(W, name), "name": name, "displayName": name.rpartition(".")[2], "type": kind, "phase": phase,
                   "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z", **more}  # fmt: skip
    if children:
        found["children"] = [node_id(W, child) for child in children]
    if boundary:
        found["boundaryID"] = node_id(W, boundary)
    return found


def document(*nodes: Json, phase: str = "Failed") -> Json:
    return {
        "metadata": {
            "name": W, "namespace": "default", "uid": "u",
            "labels": {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": phase, "mine": "1"},
        },
        "spec": {"entrypoint": "main", "shutdown": "Stop", "arguments": {"parameters": [{"name": "p", "value": "1"}]}},
        "status": {
            "phase": phase, "message": "child failed", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z",
            "conditions": [{"type": "Completed", "status": "True"}],
            "nodes": {one["id"]: one for one in nodes},
        },
    }  # fmt: skip


def diamond(b: str = "Failed", c: str = "Succeeded", d: str = "Omitted") -> Json:
    """a → b, c → d; a DAG."""
    return document(
        node(W, "DAG", "Failed", ("wf.a",), outboundNodes=[node_id(W, "wf.d")]),
        node("wf.a", "Pod", "Succeeded", ("wf.b", "wf.c"), W, templateName="work"),
        node("wf.b", "Pod", b, ("wf.d",), W, templateName="work", message="exit code 1"),
        node("wf.c", "Pod", c, ("wf.d",), W, templateName="work"),
        node("wf.d", "Skipped", d, (), W, templateName="work"),
    )


def again(before: Json, **options: Any) -> tuple[Run, dict[str, str], list[str]]:
    """(run, name → phase, names of deleted pods)."""
    run = Run(copy.deepcopy(before))
    commands = retry(run, RetryRequested(at=60.0, **options))
    pods = [command.pod_name for command in commands if isinstance(command, DeletePod)]
    assert len(pods) == len(commands)
    return run, {one["name"]: one["phase"] for one in run.nodes.values()}, pods


def test_what_failed_goes_with_what_followed_it() -> None:
    run, phases, pods = again(diamond())
    assert phases == {W: "Running", "wf.a": "Succeeded", "wf.c": "Succeeded"}
    assert pods == [f"wf-work-{node_id(W, 'wf.b').removeprefix('wf-')}"]
    assert run.removed == {node_id(W, "wf.b"), node_id(W, "wf.d")}
    assert run.changed == {W, node_id(W, "wf.a"), node_id(W, "wf.c")}
    assert run.nodes[node_id(W, "wf.a")]["children"] == [node_id(W, "wf.c")]
    assert "outboundNodes" not in run.nodes[W]
    root = run.nodes[W]
    assert (root["startedAt"], root["finishedAt"]) == ("1970-01-01T00:01:00Z", None)


def test_the_workflow_is_open_again() -> None:
    run, _, _ = again(diamond(), parameters=("p=2", "q=3"))
    status = run.document["status"]
    assert run.phase == ""
    assert "message" not in status
    assert (status["startedAt"], status["finishedAt"]) == ("1970-01-01T00:01:00Z", None)
    assert status["conditions"] == [{"type": "Completed", "status": "False"}]
    assert "shutdown" not in run.document["spec"]
    assert "workflows.argoproj.io/completed" not in run.document["metadata"]["labels"]
    assert run.document["spec"]["arguments"]["parameters"] == [{"name": "p", "value": "2"}, {"name": "q", "value": "3"}]


def test_what_succeeded_after_a_failure_protects_it() -> None:
    _, phases, _ = again(diamond(d="Succeeded"))
    assert phases["wf.b"] == "Failed"  # the workflow continued after it because of continueOn


def test_chosen_nodes_go_even_if_they_succeeded() -> None:
    _, phases, pods = again(diamond(), restart_successful=True, node_field_selector="displayName=a")
    assert phases == {W: "Running"}  # the root's only child and its successors are removed
    assert len(pods) == 3


def test_a_succeeded_workflow_needs_a_choice() -> None:
    before = diamond(b="Succeeded", d="Succeeded")
    before["status"]["phase"] = "Succeeded"
    for options in ({}, {"restart_successful": True}, {"node_field_selector": "displayName=c"}):
        with pytest.raises(Refused) as refused:
            again(before, **options)
        assert refused.value.message == (
            "To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector"
        )
        assert refused.value.code == 3
    _, phases, _ = again(before, restart_successful=True, node_field_selector="displayName=c")
    assert phases == {W: "Running", "wf.a": "Succeeded", "wf.b": "Succeeded"}


def test_a_running_workflow_cannot_be_retried() -> None:
    before = diamond()
    before["status"]["phase"] = "Running"
    run = Run(before)
    with pytest.raises(Refused, match="Cannot retry a workflow in phase Running"):
        retry(run, RetryRequested(at=1.0))


def test_a_refused_retry_changes_nothing() -> None:
    run = Run(diamond())
    before = json.dumps(run.document)
    with pytest.raises(Refused, match="expected parameter of the form"):
        retry(run, RetryRequested(at=1.0, parameters=("p",)))
    assert json.dumps(run.document) == before


STEPS = (
    node(W, "Steps", "Failed", ("wf[0]",)),
    node("wf[0]", "StepGroup", "Failed", ("wf[0].r", "wf[0].s"), W),
    node("wf[0].r", "Retry", "Failed", ("wf[0].r(0)", "wf[0].r(1)"), W, templateName="t"),
    node("wf[0].r(0)", "Pod", "Failed", (), W, templateName="t", nodeFlag={"retried": True}),
    node("wf[0].r(1)", "Pod", "Error", (), W, templateName="t", nodeFlag={"retried": True}),
    node("wf[0].s", "Pod", "Succeeded", (), W, templateName="t"),
    node("wf.onExit", "Pod", "Succeeded", (), "", templateName="bye"),
)


def test_attempts_go_and_the_groups_above_run_again() -> None:
    _, phases, pods = again(document(*STEPS))
    assert phases == {W: "Running", "wf[0]": "Running", "wf[0].r": "Running", "wf[0].s": "Succeeded"}
    assert len(pods) == 3  # the pods of both attempts and of the exit handler


def test_suspend_nodes_wait_for_their_values_again() -> None:
    before = document(
        node(W, "Steps", "Failed", ("wf[0]",)),
        node("wf[0]", "StepGroup", "Failed", ("wf[0].s",), W),
        node("wf[0].s", "Suspend", "Failed", (), W, outputs={"parameters": [{"name": "o", "value": "1"}]}),
    )
    run, phases, _ = again(before, restart_successful=True, node_field_selector="displayName=s")
    assert "wf[0].s" not in phases
    assert run.nodes[node_id(W, "wf[0]")]["phase"] == "Running"


def test_a_run_without_its_links_is_refused() -> None:
    with pytest.raises(Refused, match="couldn't find parent node for"):
        again(document(node(W, "DAG", "Failed"), node("wf.a", "Pod", "Failed", (), W)))
    with pytest.raises(Refused, match="coudln't obtain child"):
        again(document(node(W, "DAG", "Failed", ("wf.a",))))


def test_each_of_many_failed_nodes_costs_the_same() -> None:
    def cost(count: int) -> int:
        names = [f"wf.loop({n})" for n in range(count)]
        nodes = [node(name, "Pod", "Failed", (), W, templateName="t") for name in names]
        loop = node("wf.loop", "TaskGroup", "Failed", tuple(names), W)
        run = Run(document(node(W, "DAG", "Failed", ("wf.loop",)), loop, *nodes))
        commands: list[object] = []
        calls = calls_of(lambda: commands.extend(retry(run, RetryRequested(at=1.0))))
        assert len(commands) == count
        assert set(run.nodes) == {W, node_id(W, "wf.loop")}
        return calls

    assert cost(2000) < 2.1 * cost(1000)


# --- resubmit -----------------------------------------------------------------------------------------------------


def test_resubmit() -> None:
    before = diamond()
    before["metadata"]["annotations"] = {"a": "b"}
    new = resubmit(before, at=0.0, seed="s", parameters=("p=9",))
    assert new["metadata"] == {
        "generateName": "wf-",
        "namespace": "default",
        "labels": {"mine": "1", "workflows.argoproj.io/resubmitted-from-workflow": W},
        "annotations": {"a": "b"},
    }
    assert new["spec"] == {"entrypoint": "main", "arguments": {"parameters": [{"name": "p", "value": "9"}]}}
    assert new["status"] == {"startedAt": None, "finishedAt": None}
    assert before["spec"]["shutdown"] == "Stop"


def test_resubmit_memoized() -> None:
    new = resubmit(diamond(), at=60.0, seed="s", memoized=True)
    name = new["metadata"]["name"]
    assert name.startswith("wf-")
    assert len(name) == 8
    nodes = {one["name"].removeprefix(name): one for one in new["status"]["nodes"].values()}
    assert set(nodes) == {"", ".a", ".c"}  # nodes that have to run again are left out
    assert (nodes[""]["type"], nodes[""]["phase"]) == ("DAG", "Pending")
    assert (nodes[".a"]["type"], nodes[".a"]["phase"]) == ("Skipped", "Skipped")
    assert nodes[".a"]["message"] == f"original pod: {node_id(W, 'wf.a')}"
    assert nodes[".a"]["id"] == node_id(name, f"{name}.a")
    assert nodes[".a"]["boundaryID"] == name
    assert nodes[""]["children"] == [nodes[".a"]["id"]]
    assert nodes[".a"]["children"] == [nodes[".c"]["id"]]


def test_memoized_is_for_failures() -> None:
    before = diamond()
    before["status"]["phase"] = "Succeeded"
    with pytest.raises(Refused, match="workflow must be Failed/Error to resubmit in memoized mode"):
        resubmit(before, at=0.0, seed="s", memoized=True)


# --- with the interpreter ---------------------------------------------------------------------------------------------


def carried_out(run: Run, commands: list[Any], *, failing: str = "") -> list[str]:
    """Every pod asked for ends at once; those whose name holds `failing` fail. Returns the names of the nodes that ran."""
    ran = []
    todo = list(commands)
    at = 2.0
    while todo:
        command = todo.pop(0)
        if isinstance(command, LaunchPod):
            ran.append(run.nodes[command.node_id]["displayName"])
            failed = bool(failing) and failing in ran[-1]
            state = ContainerState("main", int(failed), started_at=at, finished_at=at)
            outputs = {"result": "1", "exitCode": str(int(failed))}
            phase = "Failed" if failed else "Succeeded"
            todo += advance(run, PodFinished(at, "", command.node_id, phase, containers=(state,), outputs=outputs))
            at += 1
    return ran


LOOP: Json = {
    "metadata": {"name": W, "namespace": "default", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {"name": "main", "dag": {"tasks": [
                {"name": "a", "template": "work"},
                {"name": "l", "template": "item", "depends": "a", "withItems": [1, 2],
                 "arguments": {"parameters": [{"name": "x", "value": "{{item}}"}]}},
                {"name": "z", "template": "item", "depends": "l",
                 "arguments": {"parameters": [{"name": "x", "value": "{{tasks.a.outputs.result}}"}]}},
            ]}},
            {"name": "work", "container": {"image": "i"}},
            {"name": "item", "inputs": {"parameters": [{"name": "x"}]}, "container": {"image": "i"}},
        ],
    },
}  # fmt: skip


def failed_run() -> Run:
    run = Run(decode(LOOP, "Workflow"))
    ran = carried_out(run, advance(run, Submitted(1.0, "s")), failing="l(1:2)")
    assert (sorted(ran), run.phase) == (["a", "l(0:1)", "l(1:2)"], "Failed")
    return run


def test_a_retried_run_computes_only_what_failed() -> None:
    run = failed_run()
    ran = carried_out(run, advance(run, RetryRequested(100.0, "r")))
    assert (ran, run.phase) == (["l(1:2)", "z"], "Succeeded")


def test_a_memoized_run_computes_only_what_failed() -> None:
    new = resubmit(failed_run().document, at=100.0, seed="s", memoized=True)
    new["metadata"].update(uid="v", creationTimestamp="2026-01-01T00:01:40Z")
    run = Run(decode(new, "Workflow"))
    ran = carried_out(run, advance(run, Submitted(101.0, "t")))
    assert (ran, run.phase) == (["l(1:2)", "z"], "Succeeded")
    z = next(one for one in run.nodes.values() if one["displayName"] == "z")
    assert z["inputs"]["parameters"][0]["value"] == "1"  # an output of the old run


def test_a_retried_run_whose_config_map_is_still_missing_fails_as_before() -> None:
    """It was an Error with the name of our own exception."""
    source = {"name": "p", "valueFrom": {"configMapKeyRef": {"name": "nope", "key": "k"}}}
    spec = {**LOOP["spec"], "arguments": {"parameters": [source]}}
    run = Run(decode({**LOOP, "spec": spec}, "Workflow"))
    advance(run, Submitted(1.0, "s"))
    before = run.document["status"]["message"]
    assert before.startswith("failed to set global parameters: failed to set global parameter p from configmap")
    advance(run, RetryRequested(2.0, "t"))
    status = run.document["status"]
    assert (run.phase, status["message"], run.document["metadata"]["labels"]["workflows.argoproj.io/completed"]) == (
        "Failed", before, "true",
    )  # fmt: skip


@pytest.mark.parametrize("outer", ["steps", "dag"])
def test_a_memoized_run_keeps_what_users_set_of_its_suspend_nodes(outer: str) -> None:
    """It waits again, and a resume is enough: the value is there."""
    calls = [{"name": "s", "template": "ask"}, {"name": "b", "template": "pod"}]
    if outer == "dag":
        calls[1] |= {"depends": "s"}
    around = {"dag": {"tasks": calls}} if outer == "dag" else {"steps": [[call] for call in calls]}
    supplied = {"outputs": {"parameters": [{"name": "x", "valueFrom": {"supplied": {}}}]}}
    pod = {"name": "pod", "container": {"image": "i"}}
    templates = [{"name": "main", **around}, {"name": "ask", "suspend": {}, **supplied}, pod]
    spec = {"entrypoint": "main", "templates": templates}
    run = Run(decode({**LOOP, "spec": spec}, "Workflow"))
    commands = advance(run, Submitted(1.0, "s"))
    commands += advance(run, SetRequested(2.0, "t", "displayName=s", "Succeeded", "", {"x": "1"}))
    assert (carried_out(run, commands, failing="b"), run.phase) == (["b"], "Failed")
    new = resubmit(run.document, at=100.0, seed="s", memoized=True)
    new["metadata"].update(uid="v", creationTimestamp="2026-01-01T00:01:40Z")
    run = Run(decode(new, "Workflow"))
    assert carried_out(run, advance(run, Submitted(101.0, "t"))) == []
    ask = next(one for one in run.nodes.values() if one["displayName"] == "s")
    assert (ask["phase"], ask["outputs"]["parameters"]) == ("Running", [{"name": "x", "value": "1"}])
    assert (carried_out(run, advance(run, ResumeRequested(102.0, "u"))), run.phase) == (["b"], "Succeeded")


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
@pytest.mark.parametrize("inner", ["steps", "dag"])
@pytest.mark.parametrize("outer", ["steps", "dag"])
def test_a_replaced_attempt_that_is_taken_back_holds_nothing_up(outer: str, inner: str, mode: str) -> None:
    """Argo takes every attempt with a failed pod back, but goes on with the last: the others stay Running, and nothing waits for them."""
    calls = [{"name": "r", "template": "inner"}, {"name": "b", "template": "pod", "depends": "r.Succeeded || r.Failed"}]
    if outer == "steps":
        calls = [{"name": "r", "template": "inner", "continueOn": {"failed": True}}, {"name": "b", "template": "pod"}]
    body = {"dag": {"tasks": [{"name": "x", "template": "pod"}]}, "steps": [[{"name": "x", "template": "pod"}]]}
    whole = {"dag": {"tasks": calls}, "steps": [[call] for call in calls]}
    main = {"name": "main", outer: whole[outer], "parallelism": 1}
    retried = {"name": "inner", inner: body[inner], "retryStrategy": {"limit": 1}}
    pod = {"name": "pod", "container": {"image": "i", "command": ["c"]}}
    play = playbook.Play(playbook.workflow({"entrypoint": "main", "templates": [main, retried, pod]}), mode)
    while play.active:
        play.end(play.active[0], 1)
    assert play.phase == "Failed"
    play.launched.clear()
    play.tell(RetryRequested(play.at + 1, "seed"))
    while play.active:
        play.end(play.active[0])
    assert play.phase == "Succeeded", play.phases()
    attempts = [node["phase"] for node in play.run.nodes.values() if (node.get("nodeFlag") or {}).get("retried")]
    assert attempts == ["Running", "Succeeded"]


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_pod_that_ended_after_its_run_is_over_when_the_run_is_retried(code: int, mode: str) -> None:
    """failFast leaves a pod of an inner template behind; it ends before the run is retried in place, and the retry goes on from there."""
    inner = {"name": "inner", "steps": [[{"name": "x", "template": "pod"}]]}
    main = {
        "name": "main",
        "failFast": True,
        "steps": [[{"name": "a", "template": "pod"}, {"name": "r", "template": "inner"}]],
    }
    pod = {"name": "pod", "container": {"image": "i", "command": ["c"]}}
    play = playbook.Play(playbook.workflow({"entrypoint": "main", "templates": [main, inner, pod]}), mode)
    play.end("a", 1)
    assert play.phase == "Failed"
    assert play.node("x")["phase"] == "Pending"
    play.end("x", code)
    assert play.node("x")["phase"] == "Pending"  # a run that is over is not processed
    play.launched.clear()
    play.tell(RetryRequested(play.at + 1, "seed"))
    assert play.node("x")["phase"] == ("Failed" if code else "Succeeded")
    assert play.running() == ["[0].a"]
    play.end("a")
    assert play.phase == ("Failed" if code else "Succeeded")


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
def test_what_a_stop_left_open_below_a_retry_holds_no_retried_run_up(mode: str) -> None:
    """The Retry node failed with the stop, its attempt stays Running for ever: a DAG that is retried in place is over without it."""
    pod = {"container": {"image": "i", "command": ["c"]}}
    templates = [
        {"name": "main", "dag": {"tasks": [{"name": "a", "template": "pod"}, {"name": "r", "template": "inner"}]}},
        {"name": "inner", "retryStrategy": {}, "steps": [[{"name": "x", "template": "pod", "onExit": "bye"}]]},
        {"name": "pod", **pod},
        {"name": "bye", **pod},
    ]
    play = playbook.Play(playbook.workflow({"entrypoint": "main", "templates": templates}), mode)
    play.start("a")
    play.end("x")
    play.start("x.onExit")
    play.tell(ShutdownRequested(play.at, "seed", "Stop"))
    play.end("a", 143)
    play.end("x.onExit")
    assert (play.phase, play.node("r")["phase"], play.node("r(0)")["phase"]) == ("Failed", "Failed", "Running")
    play.launched.clear()
    play.tell(RetryRequested(play.at + 1, "seed"))
    assert len(play.launched) == 1
    play.end("a")
    assert (play.phase, play.message, play.node("a")["phase"]) == ("Failed", "", "Succeeded")


def test_a_memoized_run_connects_its_steps_again_where_one_was_skipped() -> None:
    """The skipped step is opened anew, and the group after it, which was kept, is its child, as in Argo."""
    steps = [[{"name": "a", "template": "pod", "when": "1 == 2"}], [{"name": "b", "template": "pod"}]]
    templates = [{"name": "main", "steps": steps}, {"name": "pod", "container": {"image": "i", "command": ["c"]}}]
    failed = playbook.Play(playbook.workflow({"entrypoint": "main", "templates": templates}))
    failed.start("b")
    failed.end("b", 1)
    new = resubmit(failed.run.document, at=100.0, seed="s", memoized=True)
    new["metadata"].update(uid="v", creationTimestamp=playbook.BORN)
    play = playbook.Play(new)
    (after,) = play.node("a")["children"]
    assert play.run.nodes[after]["name"].endswith("[1]")
    assert {node["phase"] for node in play.run.nodes.values() if node["type"] == "StepGroup"} == {
        "Succeeded",
        "Running",
    }


@pytest.mark.parametrize("loop", [False, True])
def test_a_memoized_run_connects_what_it_kept_of_a_dag_with_what_runs_again(loop: bool) -> None:
    """The task that failed is opened anew, and the DAG after it, which was kept, is its child: without that no retry found its parent."""
    second: Json = {"name": "b", "template": "inner", "depends": "fa.Succeeded || fa.Failed"}
    if loop:
        second["withItems"] = [1, 2]
    tasks = [{"name": "x", "template": "pod"}, {"name": "fy", "template": "pod", "depends": "x"}]
    main = {"name": "main", "dag": {"tasks": [{"name": "fa", "template": "pod"}, second]}}
    pod = {"name": "pod", "container": {"image": "i", "command": ["c"]}}
    spec = {"entrypoint": "main", "templates": [main, {"name": "inner", "dag": {"tasks": tasks}}, pod]}
    run = Run(decode({**LOOP, "spec": spec}, "Workflow"))
    carried_out(run, advance(run, Submitted(1.0, "s")), failing="f")
    new = resubmit(run.document, at=100.0, seed="s", memoized=True)
    new["metadata"].update(uid="v", creationTimestamp="2026-01-01T00:01:40Z")
    run = Run(decode(new, "Workflow"))
    times = 2 if loop else 1
    assert carried_out(run, advance(run, Submitted(101.0, "t")), failing="fy") == ["fa"] + ["fy"] * times
    first = next(one for one in run.nodes.values() if one["displayName"] == "fa")
    assert [run.nodes[child]["displayName"] for child in first["children"]] == ["b"]
    assert carried_out(run, advance(run, RetryRequested(200.0, "u"))) == ["fy"] * times
    assert run.phase == "Succeeded"


def memoized_twice(depends: str) -> tuple[Run, Run]:
    """A run in which a user lets `s` pass and the DAG `b` after it fails, and its memoized resubmission, in which `s` waits again."""
    tasks = [{"name": "s", "template": "ask"}, {"name": "b", "template": "inner", "depends": depends}]
    inner = {"name": "inner", "dag": {"tasks": [{"name": "x", "template": "pod"}, {"name": "fy", "template": "pod"}]}}
    pod = {"name": "pod", "container": {"image": "i", "command": ["c"]}}
    templates = [{"name": "main", "dag": {"tasks": tasks}}, {"name": "ask", "suspend": {}}, inner, pod]
    run = Run(decode({**LOOP, "spec": {"entrypoint": "main", "templates": templates}}, "Workflow"))
    advance(run, Submitted(1.0, "s"))
    carried_out(run, advance(run, ResumeRequested(2.0, "t")), failing="f")
    new = resubmit(run.document, at=100.0, seed="s", memoized=True)
    new["metadata"].update(uid="v", creationTimestamp="2026-01-01T00:01:40Z")
    return run, Run(decode(new, "Workflow"))


def test_what_a_memoized_run_kept_waits_for_the_tasks_before_it() -> None:
    """It began at once, beside the suspend node that it depends on."""
    old, new = memoized_twice("s")
    assert old.phase == "Failed"
    assert carried_out(new, advance(new, Submitted(101.0, "t"))) == []
    assert (carried_out(new, advance(new, ResumeRequested(102.0, "u"))), new.phase) == (["fy"], "Succeeded")


def test_what_a_memoized_run_kept_is_omitted_where_the_task_before_it_ends_otherwise() -> None:
    _, new = memoized_twice("s.Succeeded")
    advance(new, Submitted(101.0, "t"))
    advance(new, SetRequested(102.0, "u", "displayName=s", "Failed"))
    kept = next(one for one in new.nodes.values() if one["displayName"] == "b")
    assert (kept["type"], kept["phase"], kept["message"]) == (
        "Skipped", "Omitted", "omitted: depends condition not met",
    )  # fmt: skip
    assert new.phase == "Failed"
