"""Steps: groups of steps one after the other, the steps of a group side by side (Argo: steps.go)."""

from __future__ import annotations

import bisect
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import cache, hooks, limits, locks, loops, outbound, outputs, substitution, unopened
from hera_utils.interpreter.faults import Fault, Full, TimedOut, TooDeep
from hera_utils.interpreter.frames import Frame, Plan, TemplateCall
from hera_utils.interpreter.scope import Scope
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import NO_TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Generator

    from hera_utils.interpreter.context import Context

_STRICT = ("steps", "tasks")
_PLACE = re.compile(r"\[(\d+)\]\.(.+)", re.DOTALL)


@dataclass
class Group:
    """steps: node id → step of each child of the group that does not skip. open: those not over yet, hooks included.

    waiting: those that a limit holds back, in order; blocked: those with hooks that it holds back. opened: the first visit is done.
    places: node id → the place of its step, by which they wait.
    """

    node: Json
    steps: dict[str, Json] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    waiting: deque[str] = field(default_factory=deque)
    blocked: set[str] = field(default_factory=set)
    opened: bool = False
    places: dict[str, int] = field(default_factory=dict)


@dataclass
class StepsState:
    scope: Scope
    index: int = 0
    group: Group | None = None


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Work on the present group; when it is done, on the next; after the last one the node succeeded."""
    state = _state(context, frame)
    node = context.ledger.nodes[frame.node_id]
    if limits.failing_fast(context, frame) and phases.ended(node):
        return
    groups = frame.template["steps"]
    _look_back(context, frame, state, dirty)
    while state.index < len(groups):
        group = state.group
        if group is None:
            group = state.group = _begin(context, frame, state.index)
        if not phases.ended(group.node) or not group.opened:
            yield from _advance(context, frame, state, dirty)
        if not phases.ended(group.node):
            return
        if phases.unsuccessful(group.node):
            _set_outbound(context, frame, node)
            context.ledger.mark(node, phases.FAILED, group.node.get("message") or "")
            return
        _remember(context, frame, state, groups[state.index])
        state.index += 1
        state.group = None
        dirty = {}
    _set_outbound(context, frame, node)
    outputs.set_template_outputs(context, frame, node, state.scope)
    context.ledger.mark(node, phases.SUCCEEDED)
    cache.save(context, node)


def _look_back(context: Context, frame: Frame, state: StepsState, dirty: dict[str, Fault | None]) -> None:
    """A daemon of an earlier group ended: that group is looked at again, for its exit handlers and for how it ended.

    Those after it are not looked at until it is over (Argo looks at all groups whenever it looks at the steps).
    """
    node = context.ledger.nodes[frame.node_id]
    for child_id in dirty:
        child = context.ledger.get(child_id)
        found = _PLACE.match(child["name"][len(node["name"]) :]) if child is not None else None
        if child is None or found is None or phases.hooked(child) or not phases.completed(child):
            continue
        if int(found[1]) < state.index:
            state.index = int(found[1])
            state.group = Group(context.ledger.nodes[context.ledger.id_of(f"{node['name']}[{found[1]}]")])


def _state(context: Context, frame: Frame) -> StepsState:
    if frame.state is None:
        frame.state = StepsState(Scope(frame.template, context.variables.entropy))
    frame.state.scope.at(context.variables.entropy).add_workflow_outputs(context.document["status"].get("outputs"))
    state: StepsState = frame.state
    return state


def _begin(context: Context, frame: Frame, index: int) -> Group:
    """The node of the group, hung below what came before it."""
    ledger = context.ledger
    node = ledger.nodes[frame.node_id]
    name = f"{node['name']}[{index}]"
    group_node = ledger.node_named(name)
    if group_node is not None:
        return Group(group_node, opened=phases.ended(group_node) and _all_over(context, group_node))
    group_node = ledger.add(
        name, "StepGroup", phases.RUNNING, templateScope=str(frame.home), boundaryID=frame.node_id, nodeFlag={}
    )
    if index == 0:
        ledger.adopt(node, group_node["id"])
        return Group(group_node)
    before = ledger.nodes[ledger.id_of(f"{node['name']}[{index - 1}]")]
    if not before.get("children"):
        ledger.adopt(before, group_node["id"])
    for child in ledger.children(before):
        for last in outbound.outbound(ledger, child):
            ledger.adopt(ledger.nodes[last], group_node["id"])
    return Group(group_node)


def _all_over(context: Context, group: Json) -> bool:
    """Whether no child of a group that was done can change any more (a daemon can)."""
    return all(phases.ended(child) for child in context.ledger.children(group))


def _advance(context: Context, frame: Frame, state: StepsState, dirty: dict[str, Fault | None]) -> Plan:
    """Open what can be opened of the group and look at what changed."""
    group = state.group
    assert group is not None
    try:
        if not group.opened:
            yield from _open_all(context, frame, state, group)
        else:
            for child, fault in dirty.items():
                if fault is not None:
                    _raise_child(context, child, fault)
                if child in group.waiting:
                    group.waiting.remove(child)
                    yield from _open(context, frame, group, child)
                yield from _settle(context, frame, state, group, _owner(context, group, child))
            blocked, group.blocked = sorted(group.blocked), set()
            for child in blocked:
                yield from _settle(context, frame, state, group, child)
            yield from _open_waiting(context, frame, state, group)
    except (TimedOut, Fault) as fault:
        if not phases.ended(group.node):
            phase = phases.FAILED if isinstance(fault, TimedOut) else phases.ERROR
            context.ledger.mark(group.node, phase, fault.message)
        return
    if group.open or group.waiting:
        if group.node["phase"] == phases.SUCCEEDED:  # the exit handler of a daemon that ended
            context.ledger.mark(group.node, phases.RUNNING)
    elif not phases.unsuccessful(group.node):
        _conclude(context, group)


def _open_all(context: Context, frame: Frame, state: StepsState, group: Group) -> Plan:
    """The first visit: resolve what the steps refer to, expand loops, open every step."""
    steps = frame.template["steps"][state.index]
    try:
        resolved = [_resolve(context, group, step, state.scope) for step in steps]
    except Fault as fault:
        raise Fault(f"failed to resolve references: {fault.message}") from None
    expanded = []
    for step in resolved:
        if not loops.looped(step):
            expanded.append(step)
            continue
        state.scope.at(context.entropy_of("items", _name(group, step), group.node))
        several = loops.expand(step, state.scope.parameters(context.variables))
        if not several:
            _skip(context, frame, group, step, "Skipped, empty params")
        expanded += several
    group.opened = True
    full = False
    for step in expanded:
        child = _name(group, step)
        try:
            runs = substitution.should_run(step.get("when"))
        except Fault as fault:
            _skip(context, frame, group, step, fault.message, phases.ERROR)
            raise
        if not runs:
            _skip(context, frame, group, step, f"when '{step['when']}' evaluated false")
            continue
        child_id = context.ledger.id_of(child)
        group.steps[child_id] = step
        group.places[child_id] = len(group.places)
        if full and context.ledger.get(child_id) is None:
            group.waiting.append(child_id)
            locks.release_without_room(context, child_id)
        else:
            full = not (yield from _open(context, frame, group, child_id)) or full
    for child_id in list(group.steps):
        yield from _settle(context, frame, state, group, child_id)
    if group.waiting:
        context.wait(frame)


def _name(group: Group, step: Json) -> str:
    return f"{group.node['name']}.{step['name']}"


def _open(context: Context, frame: Frame, group: Group, child_id: str) -> Generator[TemplateCall, Json | None, bool]:
    """Open one step; False when a limit held it back (then it waits)."""
    step = group.steps[child_id]
    name = _name(group, step)
    call = TemplateCall(
        name, step, frame.home, step.get("arguments") or {}, boundary=frame.node_id, on_exit=frame.on_exit
    )
    try:
        node = yield call
    except Full:
        if context.ledger.get(child_id) is None:
            before = bisect.bisect_left(group.waiting, group.places[child_id], key=group.places.__getitem__)
            group.waiting.insert(before, child_id)
            return False
    except TooDeep:
        pass
    except TimedOut:
        raise
    except Fault as fault:
        context.ledger.adopt(group.node, child_id)
        raise Fault(f"step group deemed errored due to child {name} error: {fault.message}") from None
    else:
        if node is None:
            group.open.add(child_id)
            return True
    context.ledger.adopt(group.node, child_id)
    group.open.add(child_id)
    return True


def _raise_child(context: Context, child: str, fault: Fault) -> None:
    node = context.ledger.nodes[child]
    if isinstance(fault, TimedOut):
        raise fault
    raise Fault(f"step group deemed errored due to child {node['name']} error: {fault.message}")


def _owner(context: Context, group: Group, child: str) -> str:
    """The step that a changed node belongs to: itself, or what it is a hook of."""
    if child in group.steps:
        return child
    node = context.ledger.get(child)
    if node is not None and phases.hooked(node):
        return context.ledger.id_of(outbound.hook_owner(node["name"]))
    return child


def _settle(context: Context, frame: Frame, state: StepsState, group: Group, child_id: str) -> Plan:
    """Look at one step: its hooks, and whether it is over."""
    step = group.steps.get(child_id)
    if step is None or child_id in group.waiting:
        return
    node = context.ledger.get(child_id)
    if node is None or unopened.waits(context.run, child_id):
        yield from _open(context, frame, group, child_id)
        node = context.ledger.get(child_id)
        if node is None:
            return
        context.ledger.adopt(group.node, child_id)
    if step.get("hooks") or step.get("onExit"):
        scope = state.scope
        scope.values[f"steps.{node['displayName']}.status"] = node["phase"]
        owner = hooks.Owner(frame, scope, "steps", step["name"])
        done = yield from hooks.lifecycle(context, owner, step.get("hooks"), node)
        if done and phases.completed(node):
            done = yield from hooks.on_exit(context, owner, step, node)
        if owner.blocked:
            group.blocked.add(child_id)
            context.wait(frame)
        if not done:
            group.open.add(child_id)
            return
    if phases.fulfilled(node):
        group.open.discard(child_id)


def _open_waiting(context: Context, frame: Frame, state: StepsState, group: Group) -> Plan:
    while group.waiting:
        child_id = group.waiting.popleft()
        if not (yield from _open(context, frame, group, child_id)):
            context.wait(frame)
            return
        yield from _settle(context, frame, state, group, child_id)
    if not group.blocked:
        context.wait(frame, False)


def _conclude(context: Context, group: Group) -> None:
    """All children are over: the group failed if one did and nobody minds."""
    for child in context.ledger.children(group.node):
        step = group.steps.get(child["id"]) or {}
        if phases.unsuccessful(child) and not goes_on(step, child["phase"]):
            context.ledger.mark(group.node, phases.FAILED, f"child '{child['id']}' failed")
            return
    context.ledger.mark(group.node, phases.SUCCEEDED)


def goes_on(step: Json, phase: str) -> bool:
    """Whether the step's continueOn covers how it ended."""
    allowed = step.get("continueOn") or {}
    return bool(
        allowed.get("error") if phase == phases.ERROR else allowed.get("failed") if phase == phases.FAILED else False
    )


def _skip(context: Context, frame: Frame, group: Group, step: Json, reason: str, phase: str = phases.SKIPPED) -> None:
    name = _name(group, step)
    if context.ledger.node_named(name) is None:
        context.ledger.add(
            name, "Skipped", phase, templateName=step.get("template"), templateRef=step.get("templateRef"),
            templateScope=str(frame.home), boundaryID=frame.node_id, message=reason, nodeFlag={},
        )  # fmt: skip
        context.ledger.adopt(group.node, context.ledger.id_of(name))


def _resolve(context: Context, group: Group, step: Json, scope: Scope) -> Json:
    """The step with references to earlier steps replaced; one whose `when` says no is left as it is."""
    scope.at(context.entropy_of("arguments", _name(group, step), group.node))
    return outputs.resolve_references(context, step, scope, _STRICT, wrap="unable to resolve references: ")


def _remember(context: Context, frame: Frame, state: StepsState, steps: list[Json]) -> None:
    """Put the outputs of a group that is done into scope."""
    group = state.group
    assert group is not None
    ledger = context.ledger
    for step in steps:
        name = _name(group, step)
        child = ledger.node_named(name)
        if child is None:
            items = [
                one
                for one in ledger.children(group.node)
                if one["name"].startswith(name + "(") and one["type"] != "Skipped"
            ]
            if items and step.get("inline"):
                raise Fault(NO_TEMPLATE)
            if items:
                outputs.add_aggregate(state.scope, "steps", step["name"], items)
            state.scope.add_node("steps", step["name"], group.node)
            continue
        state.scope.add_node("steps", step["name"], outbound.last_attempt(ledger, child))
        state.scope.add_skipped(
            "steps", step["name"], child, outputs.declared(context, step, frame, child), artifacts=True
        )


def _set_outbound(context: Context, frame: Frame, node: Json) -> None:
    """What follows the steps is hung below the last nodes of the last group that was begun."""
    groups = (
        context.ledger.node_named(f"{node['name']}[{index}]") for index in reversed(range(len(frame.template["steps"])))
    )
    group = next((one for one in groups if one is not None), None)
    if group is not None:
        found = [last for child in context.ledger.children(group) for last in outbound.outbound(context.ledger, child)]
        context.ledger.change(node, outboundNodes=found)
