"""The core: `advance(run, event) -> commands`. It applies an event to the document, then plans again what the event touches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hera_utils.argo import phases, timestamps
from hera_utils.argo.annotations import RAN
from hera_utils.argo.template_calls import calls_of
from hera_utils.interpreter import (
    answers,
    arguments,
    cache,
    deadlines,
    events,
    finish,
    gc,
    killed,
    outcomes,
    outputs,
    progress,
    start,
    stop,
    user_events,
)
from hera_utils.interpreter.close_node import kill_daemons
from hera_utils.interpreter.commands import Command
from hera_utils.interpreter.document import with_template_defaults
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.nodes import leaves
from hera_utils.interpreter.state import Json, Run
from hera_utils.interpreter.substitution import Variables
from hera_utils.interpreter.templates import TemplateHolder
from hera_utils.interpreter.walk import Walk


def advance(run: Run, event: events.Event) -> list[Command]:
    """Apply an event to a run and return the commands to carry out, in order.

    The run is updated in place; `run.changed` gets the ids of the changed nodes. Events for nodes that are over, and
    timers that are obsolete, change nothing.
    """
    if isinstance(event, events.Submitted):
        return start.submit_run(run, event)
    if isinstance(event, events.RetryRequested):
        return start.retry_run(run, event, _pods_ended_since)
    if run.finished:
        _keep_late_pod(run, event)
        return []
    walk = start.restore_walk(run, event)
    if isinstance(event, events.PodFinished) and event.start is not None:
        if walk.reacts_to_starts():
            begun, end = replace(event.start, seed=event.seed), replace(event, start=None)
            return [*walk.commands, *advance(run, begun), *advance(run, end)]
        _mark_running(walk, event.start)
    apply = _HANDLERS[type(event)]
    apply(walk, event)
    if walk.ledger.touched and not isinstance(event, _PARTS_OF_A_LOOK):
        finish.note_pods(walk)
    start.settle(walk)
    return walk.commands


def _keep_late_pod(run: Run, event: events.Event) -> None:
    """Store in `memory["late"]` the end of a pod that a failed template left running and that outlived the run.

    A retry in place needs it, because Argo's controller would check the pod then.
    """
    if isinstance(event, events.PodFinished):
        node = run.nodes.get(event.node_id)
        if node is not None and not phases.has_ended(node):
            run.memory.setdefault("late", {})[event.node_id] = events.to_json(event)


def _pods_ended_since(walk: Walk) -> None:
    """Process the ends of pods that ended after the run and whose nodes a retry in place has kept."""
    for late_pod in (walk.run.memory.pop("late", None) or {}).values():
        event = events.from_json(late_pod)
        if isinstance(event, events.PodFinished):
            _pod_finished(walk, event)


def _pod_started(walk: Walk, event: events.PodStarted) -> None:
    if _mark_running(walk, event):
        walk.visit_ancestors(event.node_id)


def _mark_running(walk: Walk, event: events.PodStarted) -> bool:
    """Mark the node of a started pod. Gives False if it is over, or does not exist."""
    node = walk.ledger.get(event.node_id)
    if node is None or phases.has_ended(node):
        return False
    fields: Json = {
        "message": None,
        "hostNodeName": event.host or None,
        RAN: {"startedAt": timestamps.micro_time(event.at)},
    }
    if _template_of(walk, node).get("daemon"):
        fields.update(daemoned=True, podIP=event.ip)
    walk.ledger.change(node, phase=phases.RUNNING, **fields)
    # All containers of a set start with their pod; one that depends on others waits in Argo's emissary.
    for container in _container_nodes(walk, node):
        if container["phase"] == phases.PENDING:
            walk.ledger.mark(container, phases.RUNNING)
    if node.get("daemoned"):
        node.setdefault("finishedAt", None)
        boundary = walk.ledger.get(node.get("boundaryID") or "")
        if boundary is not None and phases.has_ended(boundary):
            kill_daemons(walk, boundary["id"])  # the event came late, and nothing else would end the pod
    return True


def _template_of(walk: Walk, node: Json) -> Json:
    """The template of a pod's node, with its values filled in.

    A restored run has no frames below a template that is over, and none while it is suspended. Then the template is filled in again
    from the inputs of the node ({} if the template no longer exists).
    """
    frame = walk.frames.get(node["id"])
    if frame is not None:
        return frame.template
    scope, _, name = str(node.get("templateScope") or "").partition("/")
    holder = {"template": node.get("templateName"), "templateRef": node.get("templateRef")}
    try:
        if not any(holder.values()):
            holder = _inline(walk, node)
        _, template = walk.templates.resolve(holder, TemplateHolder(scope, name))
        template = with_template_defaults(template, walk.spec.get("templateDefaults"))
        local = Variables({"node.name": node["name"]}, walk.entropy_of("template", node["name"], node))
        return arguments.resolve_inputs(template, node.get("inputs") or {}, walk.variables, local, walk.config_maps)
    except Fault:
        return {}


def _inline(walk: Walk, node: Json) -> Json:
    """The step or task of an inline template, found by the node's name in the template around it.

    Raises Fault if there is none.
    """
    boundary = walk.ledger.get(node.get("boundaryID") or "")
    if boundary is not None:
        # BOUNDARY.NAME, BOUNDARY[1].NAME; an item of a loop and an attempt add a part in parentheses.
        name = node["name"][len(boundary["name"]) :].partition(".")[2]
        around = _template_of(walk, boundary)
        for step in calls_of(around):
            if step.get("inline") and (name == step["name"] or name.startswith(f"{step['name']}(")):
                return step
    raise Fault(f"no inline template for {node['name']}")


def _pod_progressed(walk: Walk, event: events.PodProgressed) -> None:
    node = walk.ledger.get(event.node_id)
    if node is None or phases.has_ended(node):
        return
    if event.progress:
        walk.ledger.change(node, progress=event.progress)
        if node.get("daemoned"):
            walk.ledger.count_again_around([node])
    _containers(walk, node, event.containers)


def _pod_waiting(walk: Walk, event: events.PodWaiting) -> None:
    node = walk.ledger.get(event.node_id)
    if node is not None and node["phase"] == phases.PENDING:  # the pod may have started since
        walk.ledger.change(node, message=event.message or None)


def _pod_finished(walk: Walk, event: events.PodFinished) -> None:
    node = walk.ledger.get(event.node_id)
    if node is None:
        return
    if phases.has_ended(node):
        _killed_pod_finished(walk, event, node)
        return
    template = _template_of(walk, node)
    if event.reason == events.REJECTED:
        # The pod could not even be created, which for Argo is an error of the calling template.
        fault = Fault(event.message)
        for container in _container_nodes(walk, node):
            walk.ledger.drop(container)
            walk.ledger.forget(node, container["id"])
        walk.ledger.mark(node, phases.ERROR, fault.message)
        walk.visit_ancestors(event.node_id, fault)
        return
    outcome, daemoned = outcomes.of_pod(event, template), node.get("daemoned")
    collected = outcomes.outputs(event, template)
    if not outcomes.is_progress_reported(event.containers):
        walk.ledger.change(node, progress=progress.initial_progress(template.get("metadata")))
    failed = event.phase != "Succeeded"
    _containers(walk, node, event.containers, failed=failed)
    if event.message == events.POD_DELETED:
        for child in _container_nodes(walk, node):
            walk.ledger.mark(child, phases.ERROR, "container deleted")
    for child in walk.ledger.children(node):
        if child["type"] == "Container" and not phases.has_ended(child):
            walk.ledger.mark(child, outcome.phase, outcome.message)
    message = outcome.message or (node.get("message") if node["phase"] != phases.PENDING else "") or ""
    walk.ledger.change(
        node,
        outputs=collected or None,
        daemoned=None,
        resourcesDuration=outcomes.usage(event.containers, template),
        **{RAN: outcomes.ran(event, template) or node.get(RAN)},
    )
    outputs.publish(walk, collected)
    unkept = cache.key_fault(node) if outcome.phase == phases.SUCCEEDED else ""
    phase, message = (phases.ERROR, unkept) if unkept else (outcome.phase, message)
    walk.ledger.mark(node, phase, message, outcomes.finished_at(event.containers, event.at))
    cache.save(walk, node)
    gc.pod_ended(walk, node)
    if daemoned:
        walk.ledger.count_again_around([node])
    walk.visit_ancestors(event.node_id)


def _killed_pod_finished(walk: Walk, event: events.PodFinished, node: Json) -> None:
    """A pod that was killed has ended: its outputs count, and the workflow may be over now.

    Phase and message of its node stay unless the pod's own end counts (`killed.determines_phase`); the time of its end stays.
    """
    noted = killed.take_ended(walk.run, event.node_id)
    if noted is None:
        return
    template = _template_of(walk, node)
    gathered = outcomes.outputs(event, template)
    determines_phase = killed.determines_phase(walk, node, noted, event)
    if not noted["exitCode"] or (not determines_phase and killed.ignored_sigterm(event)):
        gathered.pop("exitCode", None)
    ran = outcomes.ran(event, template) or node.get(RAN)
    walk.ledger.change(node, outputs=gathered or None, **{RAN: ran})
    if determines_phase:
        outcome = outcomes.of_pod(event, template)
        _containers(walk, node, event.containers, failed=outcome.phase != phases.SUCCEEDED, anew=True)
        walk.ledger.mark(node, outcome.phase, outcome.message or None)
        cache.save(walk, node)
    outputs.publish(walk, gathered)
    gc.pod_ended(walk, node)
    walk.look_again(event.node_id)


def _containers(walk: Walk, node: Json, states: Any, *, failed: bool = False, anew: bool = False) -> None:
    """Update the nodes of the containers of a set. anew: also those that are over."""
    node_by_container = {child["name"].rpartition(".")[2]: child for child in _container_nodes(walk, node)}
    for state in states:
        child = node_by_container.get(state.name)
        outcome = outcomes.of_container(state, failed)
        if child is not None and (anew or not phases.has_ended(child)):
            walk.ledger.mark(child, outcome.phase, (outcome.message or None) if anew else outcome.message)


def _container_nodes(walk: Walk, node: Json) -> list[Json]:
    nodes: list[Json] = []
    todo = [node]
    while todo:
        for child in walk.ledger.children(todo.pop()):
            if child["type"] == "Container" and child.get("boundaryID") == node["id"] and child not in nodes:
                nodes.append(child)
                todo.append(child)
    return nodes


def _pods_are_late(walk: Walk, key: str, node_id: str) -> bool:
    """Process a timer that ends pods, even in a suspended run; returns whether it was such a timer."""
    if key == "deadline":
        deadlines.workflow_deadline(walk)
    elif key == "attempt":
        deadlines.attempt_too_long(walk, node_id)
    elif key == killed.TIMER:
        killed.give_up(walk)
        if not walk.run.memory.get("ending"):
            start.walk_again(walk)
    else:
        return False
    return True


def _timer_fired(walk: Walk, event: events.TimerFired) -> None:
    walk.timers.discard(event.key)
    key, _, node_id = event.key.partition(":")
    if _pods_are_late(walk, key, node_id):
        return
    if walk.run.memory.get("ending"):
        if key == start.GO_ON:
            stop.go_on(walk)
        return
    if walk.spec.get("suspend"):
        return  # Argo processes no node of a suspended workflow; due timers are processed when it is resumed
    if key in ("timeout", "pendingTimeout") and node_id in walk.held:  # it waits for a lock
        walk.reopen(node_id)
        return
    if key == start.GO_ON:
        walk.go_on()
        return
    frame = walk.frames.get(node_id)
    node = walk.ledger.get(node_id)
    if frame is None or node is None or not walk.alive(frame):
        if key == "suspend" and node is not None and phases.is_suspended(node):
            # Its template has failed fast, and the DAG that called the template waits for it.
            walk.ledger.mark(node, phases.SUCCEEDED)
            walk.visit_ancestors(node_id)
        return
    fault: Fault | None = None
    try:
        if key == "retry":
            walk.visit(frame)
        elif key == "suspend":
            leaves.resume_suspended(walk, frame)
        elif key in ("timeout", "pendingTimeout"):
            deadlines.pending_too_long(walk, frame, node)
    except Fault as raised:
        fault = raised
        if not phases.has_ended(node):
            walk.ledger.mark(node, phases.ERROR, fault.message)
    walk.visit_ancestors_of_frame(frame, fault)


_PARTS_OF_A_LOOK = (events.LockAnswered, events.ObjectRead)
"""Argo asks for what these answer while it looks at a workflow."""

_HANDLERS: dict[type[events.Event], Callable[[Walk, Any], None]] = {
    events.PodStarted: _pod_started,
    events.PodProgressed: _pod_progressed,
    events.PodWaiting: _pod_waiting,
    events.PodFinished: _pod_finished,
    events.TimerFired: _timer_fired,
    events.ShutdownRequested: user_events.shutdown,
    events.SuspendRequested: user_events.suspend,
    events.ResumeRequested: user_events.resume,
    events.SetRequested: user_events.set_node,
    events.LockAnswered: answers.lock_answered,
    events.ObjectRead: answers.object_read,
}
