"""DAGs: a task opens when those that it depends on are over, and its `depends` holds (Argo: dag.go)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hera_utils.interpreter import cache, depends, graph, hooks, limits, loops, outputs, phases, substitution
from hera_utils.interpreter.faults import Fault, Full, Missing, TimedOut, TooDeep
from hera_utils.interpreter.frames import Call, Frame, Plan
from hera_utils.interpreter.nodes import dag_phase, dag_scope
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from collections.abc import Generator

    from hera_utils.interpreter.walk import Walk

_STRICT = ("tasks", "steps")


@dataclass
class Task:
    """A task that the targets need. waits_for: its dependencies that are not over. items: node id → task of each item of a loop.

    left: how many items are not over.
    """

    spec: Json
    needs: depends.Dependencies
    node_id: str
    waits_for: set[str] = field(default_factory=set)
    dependents: list[str] = field(default_factory=list)
    items: dict[str, Json] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    over: bool = False


@dataclass
class State:
    """owners: node id → task, for its node, its items. waiting: (task, node id) that a limit holds back. stuck: tasks whose
    references have no value yet. open: tasks that began and are not over.
    """

    tasks: dict[str, Task]
    targets: list[str]
    owners: dict[str, str] = field(default_factory=dict)
    waiting: deque[tuple[str, str]] = field(default_factory=deque)
    stuck: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)


def plan(walk: Walk, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Look at the tasks that changed, open what became ready, and see whether the DAG is over."""
    node = walk.ledger.nodes[frame.node_id]
    if limits.failing_fast(walk, frame) and phases.ended(node):
        return
    ready: deque[str] = deque()
    if frame.state is None:
        frame.state = _prepare(walk, frame)
        ready.extend(frame.state.tasks)
    state: State = frame.state
    ready.extend(sorted(state.stuck))
    for child, fault in dirty.items():
        name = _owner(walk, state, child)
        if name is not None:
            yield from _changed(walk, frame, state, name, child, fault, ready)
    while ready:
        name = ready.popleft()
        if not state.tasks[name].waits_for:
            yield from _start(walk, frame, state, name, ready)
    yield from _open_waiting(walk, frame, state, ready)
    while ready:
        name = ready.popleft()
        if not state.tasks[name].waits_for:
            yield from _start(walk, frame, state, name, ready)
    stopped = bool(limits.shutdown(walk)) and not frame.on_exit
    if (stopped and _exits_done(walk, state)) or (not state.open and not state.waiting):
        _conclude(walk, frame, state, stopped)


def _prepare(walk: Walk, frame: Frame) -> State:
    """The tasks that the targets need, each with what it waits for."""
    dag = frame.template["dag"]
    specs = {task["name"]: task for task in dag.get("tasks") or ()}
    needs = {name: depends.of_task(task, specs) for name, task in specs.items()}
    if dag.get("target"):
        targets = dag["target"].split(" ")
    else:
        needed = {name for one in needs.values() for name in one.names}
        targets = sorted(name for name in specs if name not in needed)
    boundary = walk.ledger.nodes[frame.node_id]["name"]
    tasks: dict[str, Task] = {}
    todo = list(reversed(targets))
    order = []
    while todo:
        name = todo.pop()
        if name in tasks:
            continue
        if name not in specs:
            raise Fault(f"target {name} does not exist")
        tasks[name] = Task(specs[name], needs[name], walk.ledger.id_of(f"{boundary}.{name}"), set(needs[name].names))
        order.append(name)
        todo += reversed(needs[name].names)
    for name in order:
        for dependency in needs[name].names:
            tasks[dependency].dependents.append(name)
    state = State(tasks, targets)
    state.owners = {task.node_id: name for name, task in tasks.items()}
    return state


def _owner(walk: Walk, state: State, child: str) -> str | None:
    """The task that a changed node belongs to; a hook belongs to the task of its node."""
    if child in state.owners:
        return state.owners[child]
    node = walk.ledger.get(child)
    if node is None or not phases.hooked(node):
        return None
    name = node["name"]
    owner = name[: -len(".onExit")] if name.endswith(".onExit") else name.rpartition(".hooks.")[0]
    return state.owners.get(walk.ledger.id_of(owner))


def _changed(
    walk: Walk, frame: Frame, state: State, name: str, child: str, fault: Fault | None, ready: deque[str]
) -> Plan:
    task = state.tasks[name]
    if fault is not None:
        _mark_fault(walk, walk.ledger.nodes[child], fault)
    if walk.ledger.get(child) is None or child in walk.answered:
        if (name, child) in state.waiting:
            return
        item = task.items.get(child, task.spec)
        yield from _open_one(walk, frame, state, name, item, child)
    yield from _settle(walk, frame, state, name, ready, child)


def _mark_fault(walk: Walk, node: Json, fault: Fault) -> None:
    if isinstance(fault, TimedOut):
        walk.ledger.mark(node, phases.FAILED, fault.message)
    else:
        walk.ledger.mark(node, phases.ERROR, f"task '{node['name']}' errored: {fault.message}")


def _start(walk: Walk, frame: Frame, state: State, name: str, ready: deque[str]) -> Plan:
    """Everything that the task waits for is over: open it, skip it or omit it."""
    task = state.tasks[name]
    ledger = walk.ledger
    node = ledger.get(task.node_id)
    if task.over or (name in state.open and name not in state.stuck):
        return
    state.stuck.discard(name)
    if node is None and task.needs.logic:
        results = {}
        for dependency in task.needs.names:
            other = ledger.nodes[state.tasks[dependency].node_id]
            results[dependency] = depends.results_of(other, ledger.children(other))
        try:
            runs = depends.holds(task.needs.logic, results)
        except Fault as fault:
            return (yield from _shut(walk, frame, state, name, phases.ERROR, fault.message, ready))
        if not runs:
            reason = "omitted: depends condition not met"
            return (yield from _shut(walk, frame, state, name, phases.OMITTED, reason, ready))
    if node is not None and phases.ended(node):
        return (yield from _settle(walk, frame, state, name, ready, task.node_id))
    state.open.add(name)
    try:
        resolved, several = _expand(walk, frame, state, task)
    except Missing:
        state.stuck.add(name)
        return
    except Fault as fault:
        return (yield from _shut(walk, frame, state, name, phases.ERROR, fault.message, ready))
    if several is None:
        yield from _open_one(walk, frame, state, name, resolved, task.node_id)
    elif not several:
        return (yield from _shut(walk, frame, state, name, phases.SKIPPED, "Skipped, empty params", ready))
    else:
        yield from _open_group(walk, frame, state, name, several)
    yield from _settle(walk, frame, state, name, ready, task.node_id)


def _expand(walk: Walk, frame: Frame, state: State, task: Task) -> tuple[Json, list[Json] | None]:
    """(the task with its references filled in, its items when it is a loop)."""
    scope = dag_scope.of_task(walk, frame, state.tasks, task.spec)
    resolved = outputs.resolve_references(walk, task.spec, scope, _STRICT)
    if not loops.looped(task.spec):
        return resolved, None
    return resolved, loops.expand(resolved, scope.parameters(walk.variables))


def _shut(
    walk: Walk, frame: Frame, state: State, name: str, phase: str, reason: str, ready: deque[str]
) -> Generator[Call, Json | None, None]:
    """A task that never runs has a Skipped node."""
    task = state.tasks[name]
    if walk.ledger.get(task.node_id) is None:
        _skip(walk, frame, state, name, task.spec, task.node_id, (phase, reason))
    yield from _settle(walk, frame, state, name, ready, task.node_id)


def _skip(walk: Walk, frame: Frame, state: State, name: str, spec: Json, node_id: str, why: tuple[str, str]) -> None:
    task = state.tasks[name]
    _connect(walk, frame, state, task, node_id)
    boundary = walk.ledger.nodes[frame.node_id]["name"]
    walk.ledger.add(
        f"{boundary}.{spec['name']}", "Skipped", why[0], templateName=task.spec.get("template"),
        templateRef=task.spec.get("templateRef"), templateScope=str(frame.home), boundaryID=frame.node_id, message=why[1],
        nodeFlag={},
    )  # fmt: skip


def _connect(walk: Walk, frame: Frame, state: State, task: Task, node_id: str) -> None:
    """Hang a new node below the last nodes of what it depended on; an item of a loop below its group."""
    ledger = walk.ledger
    group = ledger.get(task.node_id)
    if group is not None and group["type"] == "TaskGroup" and node_id != task.node_id:
        ledger.adopt(group, node_id)
    elif not task.needs.names:
        ledger.adopt(ledger.nodes[frame.node_id], node_id)
    else:
        for dependency in task.needs.names:
            for last in graph.outbound(ledger, ledger.nodes[state.tasks[dependency].node_id]):
                ledger.adopt(ledger.nodes[last], node_id)


def _open_group(walk: Walk, frame: Frame, state: State, name: str, several: list[Json]) -> Plan:
    """A loop: a TaskGroup node, and its items below it."""
    task = state.tasks[name]
    ledger = walk.ledger
    boundary = ledger.nodes[frame.node_id]["name"]
    if ledger.get(task.node_id) is None:
        _connect(walk, frame, state, task, task.node_id)
        ledger.add(
            f"{boundary}.{name}", "TaskGroup", phases.RUNNING, templateName=task.spec.get("template"),
            templateRef=task.spec.get("templateRef"), templateScope=str(frame.home), boundaryID=frame.node_id, nodeFlag={},
        )  # fmt: skip
    full = False
    for item in several:
        item_id = ledger.id_of(f"{boundary}.{item['name']}")
        task.items[item_id] = item
        task.left.add(item_id)
        state.owners[item_id] = name
        if full and ledger.get(item_id) is None:
            state.waiting.append((name, item_id))
        else:
            full = not (yield from _open_one(walk, frame, state, name, item, item_id)) or full
    for item_id in list(task.left):
        yield from _settle_item(walk, frame, state, task, item_id)


def _open_one(
    walk: Walk, frame: Frame, state: State, name: str, item: Json, node_id: str
) -> Generator[Call, Json | None, bool]:
    """Open a task or an item; False when a limit held it back (then it waits)."""
    task = state.tasks[name]
    ledger = walk.ledger
    if ledger.get(node_id) is None:
        try:
            runs = substitution.should_run(item.get("when"))
        except Fault as fault:
            _skip(walk, frame, state, name, item, node_id, (phases.ERROR, fault.message))
            return True
        if not runs:
            _skip(walk, frame, state, name, item, node_id, (phases.SKIPPED, f"when '{item['when']}' evaluated false"))
            return True
    fresh = ledger.get(node_id) is None
    node_name = f"{ledger.nodes[frame.node_id]['name']}.{item['name']}"
    arguments = item.get("arguments") or {}
    call = Call(node_name, item, frame.home, arguments, boundary=frame.node_id, task=True, on_exit=frame.on_exit)
    try:
        yield call
    except Full:
        if ledger.get(node_id) is None:
            state.waiting.append((name, node_id))
            return False
    except TooDeep:
        pass
    except Fault as fault:
        opened = ledger.get(node_id)
        if opened is not None:
            _mark_fault(walk, opened, fault)
    if fresh and ledger.get(node_id) is not None:
        _connect(walk, frame, state, task, node_id)
    return True


def _open_waiting(walk: Walk, frame: Frame, state: State, ready: deque[str]) -> Plan:
    """Try those that a limit held back, in order, until it does again."""
    for _ in range(len(state.waiting)):
        name, node_id = state.waiting.popleft()
        task = state.tasks[name]
        item = task.items.get(node_id)
        if item is None:
            item = _expand(walk, frame, state, task)[0]
        if not (yield from _open_one(walk, frame, state, name, item, node_id)):
            state.waiting.appendleft(state.waiting.pop())
            break
        yield from _settle(walk, frame, state, name, ready, node_id)
    if state.waiting:
        walk.waiting[frame.node_id] = frame
    else:
        walk.waiting.pop(frame.node_id, None)


def _settle_item(walk: Walk, frame: Frame, state: State, task: Task, item_id: str) -> Plan:
    """Look at one item of a loop: its exit handler, and whether it is over."""
    node = walk.ledger.get(item_id)
    if node is None or not phases.fulfilled(node):
        return
    if phases.completed(node) and hooks.exit_hook(task.spec, {}) is not None:
        owner = _hook_owner(walk, frame, state, task, node)
        if not (yield from hooks.on_exit(walk, owner, task.spec, node)):
            return
    task.left.discard(item_id)


def _settle(walk: Walk, frame: Frame, state: State, name: str, ready: deque[str], child: str) -> Plan:
    """Look at a task: its items, its hooks, and whether those that wait for it may go on."""
    task = state.tasks[name]
    ledger = walk.ledger
    node = ledger.get(task.node_id)
    if task.items and child != task.node_id:
        owner_id = child if child in task.items else _item_of_hook(walk, child)
        if owner_id in task.items:
            yield from _settle_item(walk, frame, state, task, owner_id)
    if node is None:
        return
    if node["type"] == "TaskGroup" and not phases.ended(node) and task.items and not task.left:
        phase = phases.SUCCEEDED
        for item_id in task.items:
            if phases.unsuccessful(ledger.nodes[item_id]):
                phase = ledger.nodes[item_id]["phase"]
        ledger.mark(node, phase)
    if task.over:
        return
    state.open.add(name)
    if hooks.has_hooks(task.spec) or hooks.exit_hook(task.spec, {}) is not None:
        owner = _hook_owner(walk, frame, state, task, node)
        if not (yield from hooks.lifecycle(walk, owner, task.spec.get("hooks"), node)):
            return
        if phases.completed(node) and not (yield from hooks.on_exit(walk, owner, task.spec, node)):
            return
    if not phases.fulfilled(node) or not graph.hooks_done(ledger, node):
        return
    task.over = True
    state.open.discard(name)
    for dependent in task.dependents:
        waiting = state.tasks[dependent].waits_for
        waiting.discard(name)
        if not waiting:
            ready.append(dependent)


def _item_of_hook(walk: Walk, child: str) -> str:
    name = walk.ledger.nodes[child]["name"] if child in walk.ledger.nodes else ""
    return walk.ledger.id_of(name[: -len(".onExit")]) if name.endswith(".onExit") else ""


def _hook_owner(walk: Walk, frame: Frame, state: State, task: Task, node: Json) -> hooks.Owner:
    scope = dag_scope.of_task(walk, frame, state.tasks, task.spec)
    scope.values[f"tasks.{task.spec['name']}.status"] = node["phase"]
    return hooks.Owner(frame, scope, "tasks", task.spec["name"])


def _exits_done(walk: Walk, state: State) -> bool:
    """Whether no exit handler of a target task is still at work."""
    for name in state.targets:
        node = walk.ledger.get(state.tasks[name].node_id)
        if node is not None and phases.completed(node):
            handler = walk.ledger.named(f"{node['name']}.onExit")
            if handler is not None and not phases.fulfilled(handler):
                return False
    return True


def _conclude(walk: Walk, frame: Frame, state: State, stopped: bool) -> None:
    """Nothing of the DAG is at work: how did it end?"""
    node = walk.ledger.nodes[frame.node_id]
    target_ids = {name: state.tasks[name].node_id for name in state.targets}
    phase = phases.FAILED if stopped else dag_phase.assess(walk.ledger, frame.template["dag"], node, target_ids)
    if phase == phases.RUNNING:
        return
    if phase in phases.UNSUCCESSFUL:
        dag_phase.set_outbound(walk.ledger, node, list(target_ids.values()))
        walk.ledger.mark(node, phase)
        return
    scope = dag_scope.of_dag(walk, frame, state.tasks)
    outputs.set_template_outputs(walk, frame, node, scope)
    dag_phase.set_outbound(walk.ledger, node, list(target_ids.values()))
    walk.ledger.mark(node, phases.SUCCEEDED)
    cache.save(walk, node)
