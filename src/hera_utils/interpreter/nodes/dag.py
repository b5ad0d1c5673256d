"""DAGs: a task opens when those that it depends on are over, and its `depends` holds (Argo: dag.go)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import (
    cache,
    depends,
    killed,
    limits,
    lock_requests,
    loops,
    outbound,
    outputs,
    substitution,
    unopened,
)
from hera_utils.interpreter.commands import EmitEvent
from hera_utils.interpreter.faults import Fault, Full, TimedOut, TooDeep
from hera_utils.interpreter.frames import Frame, Opened, Plan, TemplateCall
from hera_utils.interpreter.nodes import dag_hooks, dag_phase, dag_scope, dag_tasks
from hera_utils.interpreter.nodes.dag_hooks import TaskHooks
from hera_utils.interpreter.nodes.dag_tasks import DagState, DagTask
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import NO_TEMPLATE

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_STRICT = ("tasks", "steps")
_OVER: Json = {}
"""Replaces an item whose node is over, as it is never opened again."""

_PLANNED = ("Steps", "DAG", "Retry")
_KEPT = ("Steps", "DAG", "Retry", "TaskGroup", "Suspend")


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Process the changed tasks, open those that became ready, and determine whether the DAG is over."""
    if limits.is_failing_fast(context, frame, dirty) and phases.has_ended(context.ledger.nodes[frame.node_id]):
        return
    if frame.state is None:
        frame.state = dag_tasks.prepare(context, frame)
    visit = _DagVisit(context, frame, frame.state)
    yield from visit.changes(dirty)
    yield from visit.open_ready()
    yield from visit.end_broken_loops()
    yield from visit.open_waiting()
    yield from visit.open_ready()
    if frame.state.blocked:  # a task that ended in this visit may have made room for an earlier exit handler
        yield from visit.settle_blocked()
        yield from visit.open_ready()
        visit.note_waiting()
    if (yield from visit.settle_late()):
        yield from visit.open_ready()
    visit.conclude()
    limits.is_failing_fast(context, frame)  # nodes opened in this visit may have failed, and Argo checks again at once


class _DagVisit:
    """One visit of a DAG."""

    def __init__(self, context: Context, frame: Frame, state: DagState) -> None:
        self.context = context
        self.frame = frame
        self.state = state
        self.ledger = context.ledger
        self.boundary = context.ledger.nodes[frame.node_id]
        self.hooks = TaskHooks(context, frame, state)

    # --- what changed ---------------------------------------------------------------------------------------------
    def changes(self, dirty: dict[str, Fault | None]) -> Plan:
        yield from self.settle_blocked()
        for child, fault in dirty.items():
            place = dag_tasks.owner(self.context, self.state, child)
            if place is None:
                continue
            name, node_id = place
            task = self.state.tasks[name]
            if fault is not None:
                self._mark_fault(self.ledger.nodes[child], fault)
            again = child == node_id and not self._is_opened(child)  # not for hooks, which `_settle` opens
            if again and self._is_item_of_ended(task, child):
                unopened.forget(self.context, child)
            elif again and child not in self.state.held:
                yield from self._open_one(name, task.items.get(child) or self._expand(task)[0], child)
            yield from self._settle(name, node_id)

    def _is_opened(self, node_id: str) -> bool:
        return self.ledger.get(node_id) is not None and not unopened.waits(self.context.run, node_id)

    def _is_item_of_ended(self, task: DagTask, node_id: str) -> bool:
        """Whether the loop of an item is over because a hook failed or another item could not be opened; the item then never opens."""
        group = self.ledger.get(task.node_id)
        return node_id != task.node_id and group is not None and phases.has_ended(group)

    def settle_blocked(self) -> Plan:
        """Try again the hooks that a limit prevented from opening."""
        blocked, self.state.blocked = self.state.blocked, {}
        for node_id, name in sorted(blocked.items(), key=lambda pair: self.state.order[pair[0]]):
            yield from self._settle(name, node_id)

    def _mark_fault(self, node: Json, fault: Fault) -> None:
        if isinstance(fault, TimedOut):
            self.ledger.mark(node, phases.FAILED, fault.message)
        else:
            self.ledger.mark(node, phases.ERROR, f"task '{node['name']}' errored: {fault.message}")

    # --- opening --------------------------------------------------------------------------------------------------
    def open_ready(self) -> Plan:
        """Open the tasks without unfinished dependencies; tasks that are skipped at once make others ready.

        A task that has begun continues even if it has dependencies: it may have begun after a daemon whose exit handler runs now.
        """
        later_names = []
        while self.state.ready:
            if self.context.is_out_of_time():
                self.context.later[self.frame.node_id] = self.frame
                break
            name = self.state.ready.popleft()
            task = self.state.tasks[name]
            if task.waits_for and not self._is_begun(task.node_id):
                continue
            if not self.context.opens and not self._is_begun(task.node_id):
                later_names.append(name)
            elif not (yield from self._start(name)):
                self.state.ready.appendleft(name)
        if later_names:
            self.state.ready.extend(later_names)
            self.context.later[self.frame.node_id] = self.frame

    def _is_begun(self, node_id: str) -> bool:
        return not _is_new(self.ledger.get(node_id)) or unopened.waits(self.context.run, node_id)

    def _start(self, name: str) -> Opened:
        """Open, skip or omit a task whose dependencies are over. Returns False if its loop is not completely expanded yet."""
        task, state = self.state.tasks[name], self.state
        if task.over or name in state.open:
            return True
        node = self.ledger.get(task.node_id)
        if node is not None and phases.has_ended(node):
            yield from self._take_up_items(name, node)
            yield from self._settle_new(name)
            return True
        if self.state.inline_loops and dag_tasks.after_inline_loop(self.ledger, self.state, name):
            yield from self._close_unopened(name, phases.ERROR, NO_TEMPLATE)
            raise Fault(NO_TEMPLATE)
        try:
            if not self._is_begun(task.node_id) and not self._is_target(task):
                yield from self._close_unopened(name, phases.OMITTED, "omitted: depends condition not met")
                return True
            if task.expansion is None:
                task.expansion = self._expand(task)
            resolved, several = task.expansion
            if several is not None and not self._expand_items(task, several):
                return False
            state.open.add(name)
        except Fault as fault:
            state.open.add(name)
            yield from self._close_unopened(name, phases.ERROR, fault.message)
            if name in self.state.targets:
                self._check_scope(task)
            return True
        task.expansion = None
        if several is None:
            yield from self._open_one(name, resolved, task.node_id)
        elif task.written:
            yield from self._open_group(name, task.written)
            task.written = []
        else:
            yield from self._close_unopened(name, phases.SKIPPED, "Skipped, empty params")
            return True
        yield from self._settle_new(name)
        return True

    def _expand_items(self, task: DagTask, several: Iterator[Json]) -> bool:
        """Expand the items of a loop as far as this event has time; returns whether all are expanded."""
        for item in several:
            task.written.append(item)
            if loops.may_pause(self.context, len(task.written)):
                return False
        return True

    def _check_scope(self, task: DagTask) -> None:
        """Raise Fault, which becomes an error of the DAG, if a loop before a target has results that are not JSON."""
        dag_scope.of_task(self.context, self.frame, self.state.tasks, task.spec)

    def _is_target(self, task: DagTask) -> bool:
        """Whether the task runs, given the results of the tasks before it."""
        if not task.needs.logic:
            return True
        results = {}
        for dependency in task.needs.names:
            node = self.ledger.nodes[self.state.tasks[dependency].node_id]
            results[dependency] = depends.results_of(node, self.ledger.children)
        return depends.is_true(task.needs.logic, results)

    def _expand(self, task: DagTask) -> tuple[Json, Iterator[Json] | None]:
        """(the task with its references filled in, its items if it is a loop)."""
        scope = dag_scope.of_task(self.context, self.frame, self.state.tasks, task.spec)
        name, node = f"{self.boundary['name']}.{task.spec['name']}", self.ledger.get(task.node_id)
        scope.at(self.context.entropy_of("arguments", name, node))
        resolved = outputs.resolve_references(self.context, task.spec, scope, _STRICT)
        if not loops.is_loop(task.spec):
            return resolved, None
        scope.at(self.context.entropy_of("items", name, node))
        return resolved, loops.expand(
            resolved, scope.parameters(self.context.variables), self.context.run.most_nodes, task=True
        )

    def _close_unopened(self, name: str, phase: str, reason: str) -> Plan:
        """Create a Skipped node for a task that never runs."""
        task = self.state.tasks[name]
        node = self.ledger.get(task.node_id)
        if node is None:
            self._skip(task, task.spec["name"], phase, reason)
        elif _is_new(node):
            self.ledger.change(node, type="Skipped")
            self.ledger.mark(node, phase, reason)
        yield from self._settle_new(name)

    def _skip(self, task: DagTask, name: str, phase: str, reason: str) -> None:
        full_name = f"{self.boundary['name']}.{name}"
        self._connect(task, self.ledger.id_of(full_name))
        self._add(task, full_name, "Skipped", phase, reason)

    def _add(self, task: DagTask, name: str, kind: str, phase: str, message: str = "") -> None:
        self.ledger.add(
            name, kind, phase, templateName=task.spec.get("template"), templateRef=task.spec.get("templateRef"),
            templateScope=str(self.frame.home), boundaryID=self.frame.node_id, message=message, nodeFlag={},
        )  # fmt: skip

    def _connect(self, task: DagTask, node_id: str) -> None:
        """Make a new node the child of the last nodes of its dependencies; an item of a loop the child of its group."""
        ledger = self.ledger
        group = ledger.get(task.node_id)
        if group is not None and group["type"] == "TaskGroup" and node_id != task.node_id:
            ledger.adopt(group, node_id)
        elif not task.needs.names:
            ledger.adopt(self.boundary, node_id)
        else:
            for dependency in task.needs.names:
                for last in outbound.outbound(ledger, ledger.nodes[self.state.tasks[dependency].node_id]):
                    ledger.adopt(ledger.nodes[last], node_id)

    def _open_group(self, name: str, several: list[Json]) -> Plan:
        """Create the TaskGroup node of a loop and open its items below it."""
        task = self.state.tasks[name]
        group = self.ledger.get(task.node_id)
        if _is_new(group):
            self._connect(task, task.node_id)
        if group is None:
            self._add(task, f"{self.boundary['name']}.{name}", "TaskGroup", phases.RUNNING)
        elif group["phase"] == phases.PENDING:
            self.ledger.mark(group, phases.RUNNING)
        full = False
        place = self.state.order[task.node_id][0]
        for index, item in enumerate(several):
            item_id = self.ledger.reserve(f"{self.boundary['name']}.{item['name']}")
            task.items[item_id] = item
            task.left[item_id] = None
            self.state.owners[item_id] = name
            self.state.order[item_id] = (place, index)
            if full and self.ledger.get(item_id) is None:
                self._hold(item_id)
            else:
                full = not (yield from self._open_one(name, item, item_id)) or full or name in self.state.broken
        if not dag_hooks.has_exit_handler(task):  # items with exit handlers are processed after the hooks of the loop
            yield from self._settle_items(task)

    def _take_up_items(self, name: str, group: Json) -> Plan:
        """After a restart, continue the running items of a loop that a hook ended."""
        left = {
            child["id"]
            for child in self.ledger.children(group)
            if not (phases.is_hook(child) or phases.has_ended(child))
        }
        if group["type"] != "TaskGroup" or not left:
            return
        task = self.state.tasks[name]
        for index, item in enumerate(self._expand(task)[1] or ()):
            item_id = self.ledger.id_of(f"{self.boundary['name']}.{item['name']}")
            if item_id in left:
                task.items[item_id] = item
                place = self.state.order[task.node_id][0]
                self.state.owners[item_id], self.state.order[item_id] = name, (place, index)
                yield from self._open_one(name, item, item_id)

    def end_broken_loops(self) -> Plan:
        """Process loops with an item that could not be opened: in Argo later items open at the next visit unless the loop is over."""
        broken, self.state.broken = sorted(self.state.broken), set()
        for name in broken:
            dag_tasks.phase(self.context, self.frame, self.state)
            yield from self._settle(name, self.state.tasks[name].node_id)

    def _open_one(self, name: str, item: Json, node_id: str) -> Opened:
        """Open a task or an item; returns False if a limit prevents it, so that it waits."""
        task, ledger = self.state.tasks[name], self.ledger
        fresh, unconnected = ledger.get(node_id) is None, _is_new(ledger.get(node_id))
        if fresh and not self.context.opens and not unopened.waits(self.context.run, node_id):
            self.context.later[self.frame.node_id] = self.frame
            self._hold(node_id)
            return False
        if fresh:
            try:
                runs = substitution.should_run(item.get("when"))
            except Fault as fault:
                self._skip(task, item["name"], phases.ERROR, fault.message)
                return True
            if not runs:
                self._skip(task, item["name"], phases.SKIPPED, f"when '{item['when']}' evaluated false")
                return True
        call = TemplateCall(
            f"{self.boundary['name']}.{item['name']}", item, self.frame.home, item.get("arguments") or {},
            boundary=self.frame.node_id, task=True, on_exit=self.frame.on_exit,
        )  # fmt: skip
        try:
            yield call
        except Full:
            if ledger.get(node_id) is None or unopened.waits(self.context.run, node_id):
                self._hold(node_id)
                return False
        except TooDeep:
            pass
        except Fault as fault:
            opened = ledger.get(node_id)
            if opened is not None:
                self._mark_fault(opened, fault)
            if node_id in task.items:
                self.state.broken.add(name)
        if unconnected and ledger.get(node_id) is not None:
            self._connect(task, node_id)
        return True

    def _hold(self, node_id: str) -> None:
        self.state.held.add(node_id)
        self.state.tasks[self.state.owners[node_id]].late = self.frame.node_id in self.context.later
        lock_requests.release_without_room(self.context, node_id)
        heapq.heappush(self.state.waiting, (self.state.order[node_id], node_id))

    def open_waiting(self) -> Plan:
        """Open waiting tasks in order, until a limit prevents it again."""
        waiting = self.state.waiting
        while waiting:
            node_id = heapq.heappop(waiting)[1]
            self.state.held.discard(node_id)
            name = self.state.owners[node_id]
            task = self.state.tasks[name]
            if self._is_item_of_ended(task, node_id):
                continue
            item = task.items.get(node_id) or self._expand(task)[0]
            opened = yield from self._open_one(name, item, node_id)
            if opened:
                task.late = task.late and bool(waiting) and self.state.owners[waiting[0][1]] == name
            yield from self._settle(name, node_id)
            if not opened:
                break
            yield from self.end_broken_loops()
        self.note_waiting()

    def note_waiting(self) -> None:
        self.context.wait(self.frame, bool(self.state.waiting or self.state.blocked))

    # --- what is over ---------------------------------------------------------------------------------------------
    def _settle_items(self, task: DagTask, changed: str = "") -> Plan:
        """Process the items of a loop (without exit handlers only the changed one): their exit handlers, and whether they are over.

        Argo processes them in order, and none after one whose exit handler runs.
        """
        handled = dag_hooks.has_exit_handler(task)
        for item_id in [changed] if changed and not handled else list(task.left):
            node = self.ledger.get(item_id)
            if node is None or not phases.is_fulfilled(node) or killed.awaits_outputs(self.context, node):
                continue
            if handled and phases.has_completed(node):
                owner = self.hooks.owner(task, node)
                if not (yield from self.hooks.open_exit_handler(owner, task, node)):
                    self.hooks.look_again(owner, task, item_id)
                    return
            if not handled or phases.has_ended(
                node
            ):  # not for a running daemon, whose exit handler begins when it ends
                task.left.pop(item_id, None)
            if phases.has_ended(node):
                task.items[item_id] = _OVER

    def _settle_new(self, name: str) -> Plan:
        """Process a task that was just opened. If it was over at once, its hooks open after its dependents, as in Argo."""
        task = self.state.tasks[name]
        node = self.ledger.get(task.node_id)
        if node is not None and self.hooks.may_be_last(task, node):
            self.state.open.add(name)
            self.state.late.append(name)
            return
        if node is None or not task.dependents or not self._is_without_call(task, node):
            yield from self._settle(name, task.node_id)
            return
        if node["type"] == "TaskGroup" and not phases.has_ended(node):
            self._end_group(task, node)
        self._mark_over(name)
        task.daemon = True  # to be settled once more
        self.state.late.append(name)

    def _is_without_call(self, task: DagTask, node: Json) -> bool:
        """Whether the task, or each of its items, has a node but was never called, so that no hook begins."""
        below = self.ledger.children(node)
        if any(phases.is_hook(child) for child in below):
            return False
        if node["type"] != "TaskGroup":
            return bool(node["type"] == "Skipped")
        written = [item_id for item_id in task.items if self.ledger.get(item_id) is None]
        return bool(below) and not written and all(child["type"] == "Skipped" for child in below)

    def settle_late(self) -> Opened:
        """Process the hooks of tasks that were over at once; returns whether there were any."""
        if self.state.ready:
            return False  # this event has no time for their dependents, which come first
        late, self.state.late = self.state.late, []
        for name in late:
            yield from self._settle(name, self.state.tasks[name].node_id)
        return bool(late)

    def _end_group(self, task: DagTask, node: Json) -> None:
        """End a loop whose items are all over. For Argo it is over regardless of exit handlers; those not open by now never open."""
        self.ledger.mark(node, dag_phase.phase_of_loop(map(self.ledger.nodes.__getitem__, task.items)))
        left = map(self.ledger.nodes.__getitem__, task.left)
        names = [item["name"] for item in left if phases.has_completed(item)]
        lost = sum(self.ledger.node_named(f"{name}.onExit") is None for name in names)
        task.left.clear()
        if lost:
            text = f"the loop {node['name']} was over before the exit handlers of {lost} of its items could begin, as in Argo"
            self.context.say(EmitEvent("ExitHandlerNotRun", text))

    def _settle(self, name: str, changed: str) -> Plan:
        """Process a task: the changed item, the hooks, and whether its dependents may begin."""
        task, ledger = self.state.tasks[name], self.ledger
        node = ledger.get(task.node_id)
        if node is None or killed.awaits_outputs(self.context, node):
            return
        if name in self.state.broken:
            self.state.open.add(name)  # Argo does not process its hooks before it knows whether the loop is over
            return
        if node["type"] == "TaskGroup" and not phases.has_ended(node):
            handled = dag_hooks.has_exit_handler(task)
            if changed in task.items and not handled:
                yield from self._settle_items(task, changed)
            over = yield from self.hooks.over(task, node)
            if not phases.has_ended(node):  # after a failed hook the node has ended, and further items never open
                if over and handled:
                    yield from self._settle_items(task)
                if not over or self._has_items_left(task):
                    self.state.open.add(name)
                    return
                self._end_group(task, node)
        if node["type"] == "TaskGroup":
            yield from self.hooks.go_on(task, node)
        if task.over and not (task.daemon and phases.has_ended(node)):
            return
        self._begin_again(name)
        if not (yield from self.hooks.over(task, node)):
            return
        if phases.is_fulfilled(node) and outbound.hooks_done(ledger, node):
            self._mark_over(name)

    def _has_items_left(self, task: DagTask) -> bool:
        """Whether an item of the loop runs, or has no node yet.

        For Argo an item that is no pod is over when it is processed, so that its exit handler opens.
        """
        for node in map(self.ledger.get, task.left):
            if node is None or not phases.is_fulfilled(node) or killed.awaits_outputs(self.context, node):
                return True
            if node["type"] in _PLANNED and self.ledger.node_named(f"{node['name']}.onExit") is None:
                return True
        return not task.items

    def _begin_again(self, name: str) -> None:
        """Reset the task of a daemon that has ended: its hooks may open now, and dependents without a node wait for it again."""
        task, state = self.state.tasks[name], self.state
        state.open.add(name)
        if not task.over:
            return
        task.over = False
        for dependent in task.dependents:
            after = state.tasks[dependent]
            after.waits_for.add(name)
            if self.ledger.get(after.node_id) is None:
                state.open.discard(dependent)
                state.held.discard(after.node_id)
        state.waiting = [entry for entry in state.waiting if entry[1] in state.held]
        heapq.heapify(state.waiting)

    def _mark_over(self, name: str) -> None:
        task = self.state.tasks[name]
        task.over, task.daemon = True, not phases.has_ended(self.ledger.nodes[task.node_id])
        self.state.open.discard(name)
        for dependent in self.state.tasks[name].dependents:
            waits_for = self.state.tasks[dependent].waits_for
            waits_for.discard(name)
            if not waits_for:
                self.state.ready.append(dependent)

    def conclude(self) -> None:
        """Set the phase of the DAG if nothing of it runs any longer."""
        stopped = (
            bool(limits.shutdown(self.context))
            and not self.frame.on_exit
            and dag_phase.are_exit_handlers_over(
                self.ledger, [self.state.tasks[name].node_id for name in self.state.targets]
            )
        )
        if stopped and self.context.is_cut_short(self.frame):
            return  # Argo also opens nodes that a stop ends at once, and these do not exist yet
        if not stopped and (self.state.open or self.state.waiting or self.state.ready):
            return
        node = self.boundary
        phase = phases.FAILED if stopped else dag_tasks.phase(self.context, self.frame, self.state)
        if phase == phases.RUNNING:
            return
        if phase == phases.SUCCEEDED:
            scope = dag_scope.of_dag(self.context, self.frame, self.state.tasks)
            outputs.set_template_outputs(self.context, self.frame, node, scope)
        dag_phase.set_outbound(self.ledger, node, [self.state.tasks[name].node_id for name in self.state.targets])
        self.ledger.mark(node, phase)
        cache.save(self.context, node)


def _is_new(node: Json | None) -> bool:
    """Whether a task has not begun: it has no node, or only one that a memoized resubmission copied for memoized nodes below it."""
    if node is None:
        return True
    kept = node["phase"] == phases.PENDING and node["type"] in _KEPT
    return kept and not node.get("synchronizationStatus")
