"""The walk over a run: the only place that recurses.

A node that is not over has a frame. Planners (nodes/) look at one frame and its children and say which calls they want opened;
`execute` opens them, and visits what was opened in turn. When a node changes, `rise` visits its ancestors, each of which is told
which child changed: so an event costs as much as the tree is deep, not as much as it is wide.
"""

from __future__ import annotations

import heapq
from typing import Any

from hera_utils.argo import phases, timestamps
from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter import commands, limits, locks, metrics, new_nodes, open_node, outbound
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame, TemplateCall
from hera_utils.interpreter.ledger import Ledger
from hera_utils.interpreter.nodes import PLANNERS
from hera_utils.interpreter.state import Json, Run
from hera_utils.interpreter.substitution import Variables
from hera_utils.interpreter.templates import TemplateHolder, Templates


class Walk:
    """Everything derived of a run, kept between its events.

    spec: the one that is executed, `workflow.*` substituted. variables: `workflow.*`. waiting: frames with children that the
    workflow's parallelism holds back. held: node id → the frame of a call that waits for a lock or a cache before it opens.
    timers: those that are set and have not fired.
    """

    def __init__(self, run: Run, spec: Json, variables: Variables) -> None:
        self.run = run
        self.document = run.document
        self.spec = spec
        self.variables = variables
        self.ledger = Ledger(run)
        self.templates = Templates(spec, run.document, run.memory.get("templates") or ())
        self.config_maps: dict[str, dict[str, str]] = run.memory.get("config_maps") or {}
        self.frames: dict[str, Frame] = {}
        self.waiting: dict[str, Frame] = {}
        self._queue: list[tuple[str, str]] = []
        self.commands: list[commands.Command] = []
        self.cache: dict[Any, Any] = {}
        self.held: dict[str, Frame] = {}
        self.answers: dict[str, Any] = {}
        self.timers: set[str] = set()
        local = "" if run.document["spec"].get("workflowTemplateRef") else run.name
        self.home = TemplateHolder("local", local)
        self.root = Frame(TemplateCall("", {}, self.home), "", "Workflow", {}, self.home)

    # --- one event ------------------------------------------------------------------------------------------------
    def begin(self, at: float, seed: str) -> None:
        """Start a step of the interpreter at that time, with that seed for random choices."""
        self.ledger.now = at
        self.variables.entropy = Entropy(at, seed)
        self.commands = []

    def entropy_of(self, what: str, name: str, since: Json | None) -> Entropy:
        """What expressions in a part of a node (`what`) draw on. since: the node that says when that part was worked out first.

        The same whenever it is worked out again: a run that was restored, and one that was not, have the same names and values.
        """
        stamp = (since or {}).get("startedAt") or timestamps.text(self.variables.entropy.at)
        return Entropy(timestamps.seconds(stamp), f"{self.run.uid}/{what}/{name}/{stamp}")

    def say(self, command: commands.Command) -> None:
        self.commands.append(command)

    def timer(self, key: str, at: float) -> None:
        self.timers.add(key)
        self.say(commands.SetTimer(key, at))

    def ask(self, key: str, command: commands.Command) -> None:
        """Say something that will be answered, once."""
        requests = self.run.memory.setdefault("asked", {})
        if key not in requests:
            requests[key] = True
            self.say(command)

    def reopen(self, node_id: str) -> None:
        """What a call waited for was answered: let its caller open it. Who opens a hook is the node that it belongs to."""
        frame = self.held.pop(node_id, None)
        if frame is None or frame.parent is None:
            return
        parent = frame.parent
        caller = self.ledger.id_of(outbound.hook_owner(frame.call.name)) if frame.call.hooked else node_id
        parent.dirty[caller] = None
        fault = None
        try:
            self.visit(parent)
        except Fault as raised:
            fault = raised
        self._rise(parent, fault)

    # --- opening and visiting -------------------------------------------------------------------------------------
    def execute(self, call: TemplateCall, parent: Frame) -> Json | None:
        """Open what the call names, or look again at what it opened before; None when it cannot start yet.

        Raises Full, TooDeep, TimedOut, and Fault with the message that the caller's node shows.
        """
        node_id = self.ledger.id_of(call.name)
        node = self.ledger.get(node_id)
        if node is not None and phases.ended(node):
            return node
        frame = self.frames.get(node_id)
        if frame is None:
            frame = open_node.open_call(self, call, parent)
            if frame is not None and frame.kind:
                self.visit(frame)
        return self.ledger.get(node_id)

    def visit(self, frame: Frame) -> None:
        """Let the frame's planner look at what changed. A fault marks its node and goes on to the caller."""
        if not self.alive(frame) or self.spec.get("suspend"):
            return  # a suspended run is walked as a whole when it is resumed
        node = self.ledger.get(frame.node_id)
        if node is not None and phases.ended(node):
            return
        dirty, frame.dirty = frame.dirty, {}
        plan = PLANNERS[frame.kind](self, frame, dirty)
        try:
            answer: Json | None = None
            fault: Fault | None = None
            while True:
                try:
                    call = plan.throw(fault) if fault is not None else plan.send(answer)
                except StopIteration:
                    break
                answer = fault = None
                try:
                    answer = self.execute(call, frame)
                except Fault as raised:
                    fault = raised
        except Fault as raised:
            if node is not None and not phases.ended(node):
                self.ledger.mark(node, phases.ERROR, raised.message)
            raise
        finally:
            if node is not None and phases.ended(node):
                self.close(frame)

    def rise(self, node_id: str, fault: Fault | None = None) -> None:
        """A node changed: visit its ancestors, nearest first, up to the workflow. fault: what opening it raised."""
        frame = self.frames.get(node_id)
        if frame is None:
            self._rise_from_orphan(node_id)
        else:
            self.rise_from(frame, fault)

    def rise_from(self, frame: Frame, fault: Fault | None = None) -> None:
        """The same, of a frame that is at hand (it may just have been closed)."""
        node = self.ledger.nodes[frame.node_id]
        if phases.ended(node):
            self.close(frame)
        owner = self.frames.get(self.ledger.id_of(outbound.hook_owner(node["name"]))) if phases.hooked(node) else None
        if owner is not None and owner.kind:  # a DAG waits for the hooks below it, its own included
            try:
                self.visit(owner)
            except Fault as raised:
                self._rise(owner, raised)
        self._rise(frame, fault)

    def _rise_from_orphan(self, node_id: str) -> None:
        """A pod below a template that is over already: only what stands above that template is interested."""
        above = self.root
        node = self.ledger.get(node_id)
        while node is not None and node.get("boundaryID"):
            found = self.frames.get(node["boundaryID"])
            if found is not None and above is self.root:
                above = found
            elif found is None:
                above = self.root
            node = self.ledger.get(node["boundaryID"])
        self.visit(above)
        self._rise(above, None)

    def _rise(self, frame: Frame, fault: Fault | None) -> None:
        frame, fault = self._alive(frame, fault)
        child, parent = frame.node_id, frame.parent
        while parent is not None:
            parent.dirty[child] = fault
            fault = None
            try:
                self.visit(parent)
            except Fault as raised:
                fault = raised
            child, parent = parent.node_id, parent.parent

    def alive(self, frame: Frame) -> bool:
        """Whether nothing above the frame is over."""
        return self._alive(frame, None)[0] is frame

    def _alive(self, frame: Frame, fault: Fault | None) -> tuple[Frame, Fault | None]:
        """The frame from which to rise: below a node that is over nothing is planned any more (Argo does not look there)."""
        lowest = frame
        above = frame.parent
        while above is not None and above.node_id:
            if above.node_id not in self.frames:
                lowest, fault = above, None
            above = above.parent
        return lowest, fault

    def close(self, frame: Frame) -> None:
        """The frame's node is over: forget it, end the daemons that it started, give back its locks."""
        if self.frames.pop(frame.node_id, None) is None:
            return
        self.waiting.pop(frame.node_id, None)
        locks.release(self, frame.node_id)
        if frame.call.attempt is None and frame.template.get("metrics"):
            metrics.of_node(self, frame.template, self.ledger.nodes[frame.node_id])
        if frame.kind in ("Steps", "DAG"):
            self.kill_daemons(frame.node_id)

    def open_waiting(self) -> None:
        """Room was made: let the frames that wait for the workflow's parallelism try again.

        They try in the order of their names, so that a restored run chooses alike. What a template's own parallelism holds back is
        tried when one of its children ends, which visits its frame anyway.
        """
        if self.spec.get("parallelism") is None:
            return
        tried: list[tuple[str, str]] = []
        while self._queue and not limits.workflow_full(self):
            entry = heapq.heappop(self._queue)
            frame = self.waiting.get(entry[1])
            if frame is None:
                continue
            tried.append(entry)
            fault = None
            try:
                self.visit(frame)
            except Fault as raised:
                fault = raised
            self._rise(frame, fault)
        for entry in tried:
            if entry[1] in self.waiting:
                heapq.heappush(self._queue, entry)

    def wait(self, frame: Frame, holds: bool = True) -> None:
        """Note that a limit holds back what the frame wants to open, or (holds=False) that nothing is held back any more."""
        if not holds:
            self.waiting.pop(frame.node_id, None)
        elif frame.node_id not in self.waiting:
            self.waiting[frame.node_id] = frame
            heapq.heappush(self._queue, (frame.call.name, frame.node_id))

    def kill_daemons(self, boundary: str | None) -> None:
        """End the daemons of a boundary, or all of them (None)."""
        ledger = self.ledger
        boundaries = [boundary] if boundary is not None else list(ledger.daemons)
        for one in boundaries:
            for node_id in sorted(ledger.daemons.get(one) or ()):
                node = ledger.nodes[node_id]
                if node["type"] == "Pod":
                    self.say(commands.KillPod(node_id, new_nodes.pod_name(self, node)))
                ledger.mark(node, phases.SUCCEEDED)
                ledger.change(node, daemoned=None)
                frame = self.frames.get(node_id)
                if frame is not None:
                    self.close(frame)
