"""Steps: groups run one after the other, the steps of a group in parallel (Argo: steps.go)."""

from __future__ import annotations

import bisect
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import (
    cache,
    finish,
    killed,
    limits,
    lock_requests,
    loops,
    node_hooks,
    outbound,
    outputs,
    substitution,
    unopened,
)
from hera_utils.interpreter.faults import ExitHandlerFault, Fault, Full, TimedOut, TooDeep
from hera_utils.interpreter.frames import Frame, Opened, Plan, TemplateCall
from hera_utils.interpreter.scope import Scope
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import NO_TEMPLATE

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_STRICT = ("steps", "tasks")
_PLACE = re.compile(r"\[(\d+)\]\.(.+)", re.DOTALL)


@dataclass
class Group:
    """A group. steps: node id → step of each child that is not skipped. open: those not over yet, including their hooks.

    waiting: those that a limit prevents from opening, in order; blocked: those with such hooks. opened: whether the first visit is done.
    places: node id → the place of its step, the order of waiting. expansion: the remaining steps, until all loops are expanded into
    `expanded`. unsettled: those that opened or changed, to be processed. cut_short: whether the last event had no time to open all.
    """

    node: Json
    steps: dict[str, Json] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    waiting: deque[str] = field(default_factory=deque)
    blocked: set[str] = field(default_factory=set)
    opened: bool = False
    places: dict[str, int] = field(default_factory=dict)
    expansion: Iterator[Json] | None = None
    expanded: list[Json] = field(default_factory=list)
    unsettled: deque[str] = field(default_factory=deque)
    cut_short: bool = False
    held: set[str] = field(default_factory=set)

    def hold(self, child_id: str) -> None:
        """Let a step that a limit prevents from opening wait, in the order of the steps."""
        before = bisect.bisect_left(self.waiting, self.places[child_id], key=self.places.__getitem__)
        self.waiting.insert(before, child_id)
        self.held.add(child_id)

    def next_waiting(self) -> str:
        child_id = self.waiting.popleft()
        self.held.discard(child_id)
        return child_id


@dataclass
class StepsState:
    scope: Scope
    index: int = 0
    group: Group | None = None


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Process the present group and, when it is done, the next; after the last one the node has succeeded."""
    if limits.is_failing_fast(context, frame, dirty) and phases.has_ended(context.ledger.nodes[frame.node_id]):
        return
    if frame.state is None:
        frame.state = StepsState(Scope(frame.template, context.variables.entropy))
        yield from _StepsVisit(context, frame, frame.state).take_up_later_groups()
    visit = _StepsVisit(context, frame, frame.state)
    visit.revisit_earlier_group(dirty)
    while visit.has_group():
        yield from visit.advance(dirty)
        if not visit.is_group_over():
            # Nodes opened in this visit may have failed, and Argo checks again at once.
            limits.is_failing_fast(context, frame)
            return
        visit.next_group()
        dirty = {}
        context.opened += 1
        if visit.has_group() and context.is_out_of_time():  # thousands of groups may be over at once
            context.later[frame.node_id] = frame
            return
    visit.conclude()


class _StepsVisit:
    """One visit of the steps."""

    def __init__(self, context: Context, frame: Frame, state: StepsState) -> None:
        self.context = context
        self.frame = frame
        self.state = state
        self.ledger = context.ledger
        self.boundary = context.ledger.nodes[frame.node_id]
        self.scope = state.scope
        self.scope.at(context.variables.entropy).add_workflow_outputs(context.document["status"].get("outputs"))

    # --- groups ---------------------------------------------------------------------------------------------------
    @property
    def group(self) -> Group:
        """The present group; the first visit creates its node."""
        if self.state.group is None:
            self.state.group = self._begin(self.state.index)
        return self.state.group

    def has_group(self) -> bool:
        return self.state.index < len(self.frame.template["steps"])

    def revisit_earlier_group(self, dirty: dict[str, Fault | None]) -> None:
        """If a daemon of an earlier group ended, process that group again, for its exit handlers and its phase.

        Later groups are not processed until it is over (Argo processes all groups at each visit of the steps).
        """
        for child_id in dirty:
            child = self.ledger.get(child_id)
            match = _PLACE.match(child["name"][len(self.boundary["name"]) :]) if child is not None else None
            if child is None or match is None or phases.is_hook(child) or not phases.has_completed(child):
                continue
            if int(match[1]) < self.state.index:
                self.state.index = int(match[1])
                self.state.group = Group(self.ledger.nodes[self.ledger.id_of(f"{self.boundary['name']}[{match[1]}]")])

    def take_up_later_groups(self) -> Plan:
        """After a restart with a reopened group (`revisit_earlier_group`), continue the steps of later groups that have begun."""
        names = (f"{self.boundary['name']}[{index}]" for index in range(len(self.frame.template["steps"])))
        begun_groups = [
            node for node in map(self.ledger.node_named, names) if node is not None and node["phase"] != phases.PENDING
        ]
        again = next(
            (index for index, node in enumerate(begun_groups[:-1]) if not phases.has_ended(node)), len(begun_groups)
        )
        if again == len(begun_groups):
            return
        for index in range(len(begun_groups)):
            self.state.index, self.state.group = index, None
            if index > again:
                yield from self._resume_steps()
            for step in self.frame.template["steps"][index]:
                self._add_outputs(step)
        # A group must not see its own outputs or later ones; these are added again when the groups are over.
        self.state.scope = Scope(self.frame.template, self.context.variables.entropy)
        self.state.index, self.state.group = 0, None

    def _resume_steps(self) -> Plan:
        """Call again the steps of a group that had begun, and no others."""
        try:
            for step in self._expand(self.frame.template["steps"][self.state.index]):
                child_id = self.ledger.reserve(self._name(step))
                node = self.ledger.get(child_id)
                begun = node is not None and node["type"] != "Skipped"
                # It asks again when its group is visited.
                if unopened.waits(self.context.run, child_id):
                    begun = lock_requests.awaits_answer(self.context, child_id)
                if begun:
                    self.group.steps[child_id] = step
                    yield from self._open_one(child_id)
        except (TimedOut, Fault):
            pass  # the group reports it at its own visit

    def _begin(self, index: int) -> Group:
        """Create the node of a group; its parents are the last nodes of the group before it."""
        ledger, boundary = self.ledger, self.boundary
        name = f"{boundary['name']}[{index}]"
        node = ledger.node_named(name)
        if node is not None and node["phase"] != phases.PENDING:
            return Group(node, opened=phases.has_ended(node) and self._are_children_over(node))
        if node is not None:  # a resubmitted workflow has the node already, but its parents may have changed
            ledger.mark(node, phases.RUNNING)
        else:
            node = ledger.add(
                name,
                "StepGroup",
                phases.RUNNING,
                templateScope=str(self.frame.home),
                boundaryID=self.frame.node_id,
                nodeFlag={},
            )
        if index == 0:
            ledger.adopt(boundary, node["id"])
            return Group(node)
        before = ledger.nodes[ledger.id_of(f"{boundary['name']}[{index - 1}]")]
        if not before.get("children"):
            ledger.adopt(before, node["id"])
        for child in ledger.children(before):
            for last in outbound.outbound(ledger, child):
                ledger.adopt(ledger.nodes[last], node["id"])
        return Group(node)

    def _are_children_over(self, group_node: Json) -> bool:
        """Whether no child of an ended group can still change (a daemon can)."""
        return all(phases.has_ended(child) for child in self.ledger.children(group_node))

    def advance(self, dirty: dict[str, Fault | None]) -> Plan:
        """Open the steps of the group that can open, and process the changed ones."""
        group = self.group
        if phases.has_ended(group.node) and group.opened:
            return
        try:
            if not group.opened:
                if not self._expand_loops():
                    self.context.later[self.frame.node_id] = self.frame
                    return
                yield from self._open_all()
                if not self.context.has_no_time():
                    yield from self._open_waiting()  # steps that ended in this visit may have made room
            else:
                yield from self._process_changes(dirty)
                yield from self._open_waiting()
        except (TimedOut, Fault) as fault:
            if not phases.has_ended(group.node):
                phase = phases.FAILED if isinstance(fault, TimedOut) else phases.ERROR
                self.ledger.mark(group.node, phase, fault.message)
            if isinstance(fault, ExitHandlerFault) and self._is_run_over():
                finish.fail(self.context, fault.message)
            return
        if group.open or group.waiting:
            if group.node["phase"] == phases.SUCCEEDED:  # the exit handler of an ended daemon runs
                self.ledger.mark(group.node, phases.RUNNING)
        elif not phases.is_unsuccessful(group.node):
            self._conclude_group()

    def _is_run_over(self) -> bool:
        """Whether the run is over with this group; Argo then uses the group of the entry's steps as its entry node (executeSteps)."""
        spec = self.context.spec
        after = spec.get("hooks") or spec.get("onExit") or killed.is_awaiting_pods(self.context.run)
        entry = self.boundary["name"] == self.context.run.name
        return entry and not after and all(map(phases.is_fulfilled, self.ledger.children(self.group.node)))

    def is_group_over(self) -> bool:
        """Whether the next group may begin. If none may, this ends the steps with the group's phase."""
        node = self.group.node
        if not phases.has_ended(node) or self.context.run.finished:
            return False
        if phases.is_unsuccessful(node):
            self._set_outbound()
            self.ledger.mark(self.boundary, phases.FAILED, node.get("message") or "")
            return False
        return True

    def next_group(self) -> None:
        """Add the outputs of the ended group to the scope and continue with the next group."""
        for step in self.frame.template["steps"][self.state.index]:
            self._add_outputs(step)
        self.state.index += 1
        self.state.group = None

    def _conclude_group(self) -> None:
        """Set the phase of a group whose children are all over: it failed if one failed and its continueOn does not allow that."""
        group = self.group
        for child in self.ledger.children(group.node):
            step = group.steps.get(child["id"]) or {}
            if phases.is_unsuccessful(child) and not _continues_on(step, child["phase"]):
                self.ledger.mark(group.node, phases.FAILED, f"child '{child['id']}' failed")
                return
        self.ledger.mark(group.node, phases.SUCCEEDED)

    # --- what changed ---------------------------------------------------------------------------------------------
    def _process_changes(self, dirty: dict[str, Fault | None]) -> Plan:
        group = self.group
        for child, fault in dirty.items():
            if fault is not None:
                self._raise_child(child, fault)
            if child in group.held:
                group.waiting.remove(child)
                group.held.discard(child)
                yield from self._open_one(child)
            group.unsettled.append(self._owner(child))
        if not group.cut_short:
            yield from self._settle_opened()
            yield from self._settle_blocked()

    def _settle_blocked(self) -> Plan:
        """Try again the hooks that a limit prevented from opening."""
        blocked, self.group.blocked = sorted(self.group.blocked), set()
        for child in blocked:
            yield from self._settle(child)

    def _raise_child(self, child: str, fault: Fault) -> None:
        if isinstance(fault, TimedOut):
            raise fault
        name = self.ledger.nodes[child]["name"]
        raise Fault(f"step group deemed errored due to child {name} error: {fault.message}")

    def _owner(self, child: str) -> str:
        """The step of a changed node: the node itself, or the owner of the hook."""
        if child in self.group.steps:
            return child
        node = self.ledger.get(child)
        if node is not None and phases.is_hook(node):
            return self.ledger.id_of(outbound.hook_owner(node["name"]))
        return child

    # --- opening --------------------------------------------------------------------------------------------------
    def _open_all(self) -> Plan:
        """The first visit of a group: resolve the references of the steps, expand loops, open every step."""
        group = self.group
        group.opened = True
        full = False
        for step in group.expanded:
            try:
                runs = substitution.should_run(step.get("when"))
            except Fault as fault:
                self._skip(step, fault.message, phases.ERROR)
                raise
            if not runs:
                self._skip(step, f"when '{step['when']}' evaluated false")
                continue
            child_id = self.ledger.reserve(self._name(step))
            group.steps[child_id] = step
            group.places[child_id] = len(group.places)
            if full and self.ledger.get(child_id) is None:
                group.waiting.append(child_id)
                group.held.add(child_id)
                lock_requests.release_without_room(self.context, child_id)
            else:
                full = not (yield from self._open_one(child_id)) or full
        group.unsettled = deque(group.steps)
        yield from self._settle_opened()
        if group.waiting:
            self.context.wait(self.frame)

    def _expand_loops(self) -> bool:
        """Expand the loops of the group as far as this event has time; returns whether all are expanded."""
        group = self.group
        if group.expansion is None:
            if not self.context.opens and not group.node.get("children"):
                return False
            group.expansion = self._expand(self.frame.template["steps"][self.state.index])
        for step in group.expansion:
            group.expanded.append(step)
            if loops.may_pause(self.context, len(group.expanded)):
                return False
        return True

    def _expand(self, steps: list[Json]) -> Iterator[Json]:
        """The steps with their references filled in, and of a loop its items."""
        try:
            resolved = [self._resolve(step) for step in steps]
        except Fault as fault:
            raise Fault(f"failed to resolve references: {fault.message}") from None
        for step in resolved:
            if not loops.is_loop(step):
                yield step
                continue
            self.scope.at(self.context.entropy_of("items", self._name(step), self.group.node))
            empty = True
            for item_step in loops.expand(
                step, self.scope.parameters(self.context.variables), self.context.run.most_nodes
            ):
                empty = False
                yield item_step
            if empty:
                self._skip(step, "Skipped, empty params")

    def _resolve(self, step: Json) -> Json:
        """The step with references to earlier steps replaced; if its `when` is false, only those in `when`."""
        self.scope.at(self.context.entropy_of("arguments", self._name(step), self.group.node))
        return outputs.resolve_references(
            self.context, step, self.scope, _STRICT, wrap="unable to resolve references: "
        )

    def _name(self, step: Json) -> str:
        return f"{self.group.node['name']}.{step['name']}"

    def _skip(self, step: Json, reason: str, phase: str = phases.SKIPPED) -> None:
        name = self._name(step)
        if self.ledger.node_named(name) is None:
            self.ledger.add(
                name, "Skipped", phase, templateName=step.get("template"), templateRef=step.get("templateRef"),
                templateScope=str(self.frame.home), boundaryID=self.frame.node_id, message=reason, nodeFlag={},
            )  # fmt: skip
            self.ledger.adopt(self.group.node, self.ledger.id_of(name))

    def _open_one(self, child_id: str) -> Opened:
        """Open one step; returns False if a limit prevents it, so that it waits."""
        group, frame = self.group, self.frame
        step = group.steps[child_id]
        name = self._name(step)
        try:
            node = yield TemplateCall(
                name, step, frame.home, step.get("arguments") or {}, boundary=frame.node_id, on_exit=frame.on_exit
            )
        except Full:
            if self.ledger.get(child_id) is None or unopened.waits(self.context.run, child_id):
                group.hold(child_id)
                return False
        except TooDeep:
            pass
        except TimedOut:
            raise
        except Fault as fault:
            self.ledger.adopt(group.node, child_id)
            raise Fault(f"step group deemed errored due to child {name} error: {fault.message}") from None
        else:
            if node is None:
                group.open.add(child_id)
                return True
        self.ledger.adopt(group.node, child_id)
        group.open.add(child_id)
        return True

    def _open_waiting(self) -> Plan:
        """Open waiting steps in order, until a limit prevents it again."""
        group, full = self.group, False
        while group.waiting and not full:
            child_id = group.next_waiting()
            full = not (yield from self._open_one(child_id))
            group.unsettled.append(child_id)
        yield from self._settle_opened()
        if full:
            self.context.wait(self.frame)
            return
        if group.blocked:  # nodes that ended in this visit may have made room
            yield from self._settle_blocked()
        if not group.blocked:
            self.context.wait(self.frame, False)

    # --- what is over ---------------------------------------------------------------------------------------------
    def _settle_opened(self) -> Plan:
        """Process the opened and changed steps, once none is left unopened for lack of time, as a failed hook ends the group."""
        group = self.group
        hooked = any(step.get("hooks") or step.get("onExit") for step in self.frame.template["steps"][self.state.index])
        late = self.context.later
        group.cut_short = self.context.is_cut_short(self.frame) if hooked else self.frame.node_id in late
        while group.unsettled and not group.cut_short:
            yield from self._settle(group.unsettled.popleft())

    def _settle(self, child_id: str) -> Plan:
        """Process one step: its hooks, and whether it is over."""
        group = self.group
        step = group.steps.get(child_id)
        if step is None or child_id in group.held:
            return
        node = self.ledger.get(child_id)
        if node is None or unopened.waits(self.context.run, child_id):
            yield from self._open_one(child_id)
            node = self.ledger.get(child_id)
            if node is None:
                return
            self.ledger.adopt(group.node, child_id)
        if killed.awaits_outputs(self.context, node):
            group.open.add(child_id)
            return
        if (step.get("hooks") or step.get("onExit")) and not (yield from self._open_hooks(step, node)):
            group.open.add(child_id)
        elif phases.is_fulfilled(node):
            group.open.discard(child_id)

    def _open_hooks(self, step: Json, node: Json) -> Opened:
        """Open the hooks whose expression is true for the step's node now; returns whether the opened hooks are over."""
        self.scope.set(f"steps.{node['displayName']}.status", node["phase"])
        owner = node_hooks.HookOwner(self.frame, self.scope, "steps", step["name"])
        done = yield from node_hooks.open_hooks(self.context, owner, step.get("hooks"), node)
        if done and phases.has_completed(node):
            try:
                done = yield from node_hooks.open_exit_handler(self.context, owner, step, node)
            except Fault as fault:
                raise ExitHandlerFault(fault.message) from None
        if owner.blocked:
            self.group.blocked.add(node["id"])
            self.context.wait(self.frame)
        return done

    def _add_outputs(self, step: Json) -> None:
        """Add the outputs of a step to the scope."""
        scope, ledger, group_node = self.scope, self.ledger, self.group.node
        name = self._name(step)
        child = ledger.node_named(name)
        if child is not None:
            scope.add_node("steps", step["name"], outbound.last_attempt(ledger, child))
            declared = outputs.template_of_skipped(self.context, step, self.frame, child)
            scope.add_skipped("steps", step["name"], child, declared, artifacts=True)
            return
        items = [
            one
            for one in ledger.children(group_node)
            if one["name"].startswith(f"{name}(") and one["type"] != "Skipped"
        ]
        if items and step.get("inline"):
            raise Fault(NO_TEMPLATE)
        if items:
            outputs.add_aggregate(scope, "steps", step["name"], items)
        scope.add_node("steps", step["name"], group_node)

    def conclude(self) -> None:
        """Mark the steps as succeeded after the last group."""
        self._set_outbound()
        outputs.set_template_outputs(self.context, self.frame, self.boundary, self.scope)
        self.ledger.mark(self.boundary, phases.SUCCEEDED)
        cache.save(self.context, self.boundary)

    def _set_outbound(self) -> None:
        """Set the parents of the successors: the last nodes of the last group that was begun."""
        names = (f"{self.boundary['name']}[{index}]" for index in reversed(range(len(self.frame.template["steps"]))))
        group = next((node for node in map(self.ledger.node_named, names) if node is not None), None)
        if group is not None:
            last = [end for child in self.ledger.children(group) for end in outbound.outbound(self.ledger, child)]
            self.ledger.change(self.boundary, outboundNodes=last)


def _continues_on(step: Json, phase: str) -> bool:
    """Whether the step's continueOn allows this phase."""
    allowed = step.get("continueOn") or {}
    return bool(
        allowed.get("error") if phase == phases.ERROR else allowed.get("failed") if phase == phases.FAILED else False
    )
