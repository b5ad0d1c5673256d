"""The tasks of a running DAG: their unfinished dependencies, the items of loops, the open nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import depends, loops, outbound
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.ledger import Ledger
from hera_utils.interpreter.nodes import dag_phase, dag_scope
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


@dataclass
class DagTask:
    """A task that the targets need. waits_for: its dependencies that are not over. items: node id → task of each item of a loop.

    left: the items that are not over, in order. expansion, written: while the loop is expanded, the task with its values and the
    remaining items. late: whether some items are not opened yet for lack of time. over: whether the task and its hooks are over, so that
    its dependents may begin. daemon: whether it runs nevertheless.
    """

    spec: Json
    needs: depends.Dependencies
    node_id: str
    waits_for: set[str] = field(default_factory=set)
    dependents: list[str] = field(default_factory=list)
    items: dict[str, Json] = field(default_factory=dict)
    left: dict[str, None] = field(default_factory=dict)
    late: bool = False
    over: bool = False
    daemon: bool = False
    expansion: tuple[Json, Iterator[Json] | None] | None = None
    written: list[Json] = field(default_factory=list)


@dataclass
class DagState:
    """The state of a DAG. owners: node id → task, of its node and its items. order: node id → (place of the task, place of the item).

    waiting: a heap of nodes that a limit prevents from opening, by order; held: their ids. open: tasks that began and are not over.
    ready: tasks to process. blocked: node id → task of those with hooks that a limit prevents from opening. inline_loops: tasks that are
    loops of an inline template. broken: loops with an item that could not be opened in this visit. late: tasks that were over without
    being called; their hooks come after their dependents.
    """

    tasks: dict[str, DagTask]
    targets: list[str]
    owners: dict[str, str] = field(default_factory=dict)
    order: dict[str, tuple[int, int]] = field(default_factory=dict)
    waiting: list[tuple[tuple[int, int], str]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    ready: deque[str] = field(default_factory=deque)
    blocked: dict[str, str] = field(default_factory=dict)
    inline_loops: frozenset[str] = frozenset()
    broken: set[str] = field(default_factory=set)
    late: list[str] = field(default_factory=list)


def prepare(context: Context, frame: Frame) -> DagState:
    """The state with the tasks that the targets need; without a list of targets, these are the tasks that no other task needs."""
    dag = frame.template["dag"]
    specs = {task["name"]: task for task in dag.get("tasks") or ()}
    needs = {name: depends.of_task(task, specs) for name, task in specs.items()}
    if dag.get("target"):
        targets = dag["target"].split(" ")
    else:
        needed = {name for need in needs.values() for name in need.names}
        targets = sorted(name for name in specs if name not in needed)
    boundary = context.ledger.nodes[frame.node_id]["name"]
    tasks: dict[str, DagTask] = {}
    todo = list(reversed(targets))
    while todo:
        name = todo.pop()
        if name in tasks:
            continue
        if name not in specs:
            raise Fault(f"target {name} does not exist")
        tasks[name] = DagTask(
            specs[name], needs[name], context.ledger.reserve(f"{boundary}.{name}"), set(needs[name].names)
        )
        todo += reversed(needs[name].names)
    for name, task in tasks.items():
        for dependency in task.needs.names:
            tasks[dependency].dependents.append(name)
    owners = {task.node_id: name for name, task in tasks.items()}
    order = {task.node_id: (place, 0) for place, task in enumerate(tasks.values())}
    inline_loops = frozenset(
        name for name, task in tasks.items() if task.spec.get("inline") and loops.is_loop(task.spec)
    )
    return DagState(tasks, targets, owners, order, ready=deque(tasks), inline_loops=inline_loops)


def after_inline_loop(ledger: Ledger, state: DagState, name: str) -> bool:
    """Whether the task depends on a loop of an inline template with items, for whose group Argo finds no template."""
    nodes = (
        ledger.get(state.tasks[one].node_id)
        for one in state.inline_loops.intersection(dag_scope.ancestors(state.tasks, name))
    )
    return any(node is not None and node["type"] == "TaskGroup" for node in nodes)


def phase(context: Context, frame: Frame, state: DagState) -> str:
    """Running, or the final phase of the DAG."""
    ids = {name: state.tasks[name].node_id for name in state.targets}
    return dag_phase.assess(context.ledger, frame.template["dag"], context.ledger.nodes[frame.node_id], ids)


def owner(context: Context, state: DagState, child: str) -> tuple[str, str] | None:
    """(task, node id) of a changed node, which is the task's own or an item's; for a hook those of its owner."""
    if child in state.owners:
        return state.owners[child], child
    node = context.ledger.get(child)
    if node is None or not phases.is_hook(node):
        return None
    owner_id = context.ledger.id_of(outbound.hook_owner(node["name"]))
    return (state.owners[owner_id], owner_id) if owner_id in state.owners else None


def is_cut_short(context: Context, frame: Frame, state: DagState, task: DagTask) -> bool:
    """Whether nodes of the task are not opened yet for lack of time. Its hooks wait for that, as a failed hook ends the task."""
    if task.late:
        return True
    for left in context.later.values():
        below = left
        while below.parent is not None and below.parent is not frame:
            below = below.parent
        if below.parent is frame and state.owners.get(below.node_id) == task.spec["name"]:
            return True
    return False
