"""The hooks and exit handlers of a DAG's tasks: which open, and whether the opened ones are over (Argo: dag.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import killed, node_hooks, progress, unopened
from hera_utils.interpreter.close_node import close
from hera_utils.interpreter.commands import EmitEvent
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame, Opened, Plan
from hera_utils.interpreter.nodes import dag_scope, dag_tasks
from hera_utils.interpreter.nodes.dag_tasks import DagState, DagTask
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def has_exit_handler(task: DagTask) -> bool:
    return node_hooks.exit_hook(task.spec, {}) is not None


class TaskHooks:
    """The hooks of the tasks in one visit of a DAG."""

    def __init__(self, context: Context, frame: Frame, state: DagState) -> None:
        self.context = context
        self.frame = frame
        self.state = state
        self.ledger = context.ledger

    def over(self, task: DagTask, node: Json) -> Opened:
        """Open the hooks whose expression is true for the task's node now; returns whether the opened hooks are over.

        A hook that fails to open is an error of its task, and of the DAG if the task has no dependents.
        """
        if not node_hooks.has_hooks(task.spec) and not has_exit_handler(task):
            return True
        if dag_tasks.is_cut_short(self.context, self.frame, self.state, task):
            return False
        target = task.spec["name"] in self.state.targets
        if not target and self._is_passed(task, node):
            return True
        if node["phase"] == phases.PENDING and not target:
            return True  # Argo processes the hooks of running tasks and of targets only
        owner = self.owner(task, node)
        try:
            done = yield from node_hooks.open_hooks(self.context, owner, task.spec.get("hooks"), node)
        except Fault as fault:
            self._end_hooks(node, fault.message)
            if node["phase"] != phases.PENDING:
                self._fail(node, fault.message)
            if target:
                raise
            return True
        last = self.may_be_last(task, node) and dag_tasks.phase(self.context, self.frame, self.state) != phases.RUNNING
        if done and phases.has_completed(node) and not last:
            done = yield from self.open_exit_handler(owner, task, node)
        if not done:
            self.look_again(owner, task, task.node_id)
        return done

    def may_be_last(self, task: DagTask, node: Json) -> bool:
        """Whether the task could not be opened and the DAG may be over with it, so that its exit handler does not begin.

        Another hook of the task would keep the DAG running.
        """
        if node["type"] != "Skipped" or not phases.has_completed(node) or task.dependents or not has_exit_handler(task):
            return False
        return not any(phases.is_hook(child) for child in self.ledger.children(node))

    def open_exit_handler(self, owner: node_hooks.HookOwner, task: DagTask, node: Json) -> Opened:
        """Open the exit handler of a node that completed. One that cannot be opened has no effect in Argo's DAGs: a warning says so."""
        try:
            return (yield from node_hooks.open_exit_handler(self.context, owner, task.spec, node))
        except Fault as fault:
            self._end_hooks(node, fault.message)
            self.context.say(EmitEvent("ExitHandlerNotRun", f"{node['name']}.onExit: {fault.message}"))
            return True

    def go_on(self, task: DagTask, node: Json) -> Plan:
        """Continue exit handlers of items that had begun, or waited for a lock, when the loop ended. In Argo these never end."""
        state = self.state
        for index, item in enumerate(self.ledger.children(node) if has_exit_handler(task) else ()):
            name = f"{item['name']}.onExit"
            handler = self.ledger.node_named(name)
            if unopened.is_begun(self.context, name) and not (handler is not None and phases.is_fulfilled(handler)):
                # After a restart the items of such a loop are not known.
                state.owners.setdefault(item["id"], task.spec["name"])
                state.order.setdefault(item["id"], (state.order[task.node_id][0], index))
                owner = self.owner(task, item)
                yield from self.open_exit_handler(owner, task, item)
                self.look_again(owner, task, item["id"])

    def owner(self, task: DagTask, node: Json) -> node_hooks.HookOwner:
        scope = dag_scope.of_task(self.context, self.frame, self.state.tasks, task.spec)
        scope.set(f"tasks.{task.spec['name']}.status", node["phase"])
        return node_hooks.HookOwner(self.frame, scope, "tasks", task.spec["name"])

    def look_again(self, owner: node_hooks.HookOwner, task: DagTask, node_id: str) -> None:
        """If a limit prevents a hook from opening, process the task again when there is room."""
        if owner.blocked:
            self.state.blocked[node_id] = task.spec["name"]
            self.context.wait(self.frame)

    def _is_passed(self, task: DagTask, node: Json) -> bool:
        """Whether all dependents of the task were over before one of its hooks opened; Argo then no longer visits the task."""
        after = (self.ledger.get(self.state.tasks[name].node_id) for name in task.dependents)
        return all(node_after is not None and phases.is_fulfilled(node_after) for node_after in after) and not any(
            phases.is_hook(child) for child in self.ledger.children(node)
        )

    def _fail(self, node: Json, message: str) -> None:
        """Make the task's node an Error, whatever its phase. Its progress no longer counts: it is over only since this event."""
        if (node["phase"], node.get("message")) == (phases.ERROR, message):
            return  # the failure was processed before
        counted = progress.parse(node.get("progress"))
        if counted is not None and node["phase"] == phases.SUCCEEDED:
            self.ledger.change(node, progress=f"0/{counted[1]}")
        if node["type"] == "Pod":  # its pod continues and will report its end
            killed.wait_for(self.context, node, exit_code=True)
        self.ledger.mark(node, phases.ERROR, message)
        frame = self.context.frames.get(node["id"])
        if frame is not None:
            close(self.context, frame)

    def _end_hooks(self, node: Json, message: str) -> None:
        """End the Retry nodes of hooks of which no attempt can be opened. In Argo the DAG would wait for them for ever."""
        for hook in self.ledger.children(node):
            left = hook["type"] == "Retry" and not phases.has_ended(hook) and hook["id"] not in self.context.frames
            if phases.is_hook(hook) and left:
                self.ledger.mark(hook, phases.ERROR, message)
