"""The walk over a run: the only place that recurses.

A node that is not over has a frame. A planner (nodes/) reads one frame and its children and yields the calls to open; `execute`
opens them and visits the opened nodes. When a node changes, `visit_ancestors` passes each of its ancestors the changed child, so the
cost of an event depends on the depth of the tree, not on its width.
"""

from __future__ import annotations

import heapq

from hera_utils.argo import phases
from hera_utils.interpreter import limits, open_node, outbound
from hera_utils.interpreter.close_node import close
from hera_utils.interpreter.context import Context
from hera_utils.interpreter.faults import AttemptFault, Fault
from hera_utils.interpreter.frames import Frame, TemplateCall
from hera_utils.interpreter.nodes import PLANNERS
from hera_utils.interpreter.state import Json


class Walk(Context):
    """The context of a run, and the recursion over its nodes."""

    def reopen(self, node_id: str) -> None:
        """Let the caller of a waiting call open it after its answer has come. A hook is opened by its owner."""
        frame = self.held.pop(node_id, None)
        if frame is None or frame.parent is None:
            return
        parent = frame.parent
        caller = self.ledger.id_of(outbound.hook_owner(frame.call.name)) if frame.call.hooked else node_id
        parent.dirty[caller] = None
        self._visit_with_ancestors(parent)

    # --- opening and visiting -------------------------------------------------------------------------------------
    def execute(self, call: TemplateCall, parent: Frame) -> Json | None:
        """Open the node of a call, or visit it again if it is open; None when it cannot start yet.

        Raises Full, TooDeep, TimedOut, and Fault with the message for the caller's node.
        """
        node_id = self.ledger.reserve(call.name)
        node = self.ledger.get(node_id)
        if node is not None and phases.has_ended(node):
            return node
        frame = self.frames.get(node_id)
        if frame is None:
            frame = open_node.open_call(self, call, parent)
            if frame is not None and frame.kind:
                self.visit(frame)
        return self.ledger.get(node_id)

    def visit(self, frame: Frame) -> None:
        """Let the frame's planner process the changes. A fault marks its node and is raised in the caller."""
        if not self.alive(frame) or self.plans_nothing():
            return  # such a run is walked as a whole when it continues
        node = self.ledger.get(frame.node_id)
        if node is not None and phases.has_ended(node):
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
            left_open = isinstance(raised, AttemptFault) and frame.kind == "Retry"
            if left_open:
                close(self, frame)
            elif node is not None and not phases.has_ended(node):
                self.ledger.mark(node, phases.ERROR, raised.message)
            raise
        finally:
            if node is not None and phases.has_ended(node):
                close(self, frame)

    def visit_ancestors(self, node_id: str, fault: Fault | None = None) -> None:
        """Visit the ancestors of a changed node, nearest first, up to the workflow. fault: raised when the node was opened."""
        frame = self.frames.get(node_id)
        if frame is None and phases.has_ended(self.ledger.nodes[node_id]):
            # A retry asks for the lock again, and the pod of the earlier attempt has ended meanwhile.
            frame = self.held.pop(node_id, None)
        if frame is None:
            self._visit_above_orphan(node_id)
        else:
            self.visit_ancestors_of_frame(frame, fault)

    def visit_ancestors_of_frame(self, frame: Frame, fault: Fault | None) -> None:
        """As `visit_ancestors`, for a frame (which may just have been closed)."""
        node = self.ledger.nodes[frame.node_id]
        if phases.has_ended(node):
            close(self, frame)
        owner = self.frames.get(self.ledger.id_of(outbound.hook_owner(node["name"]))) if phases.is_hook(node) else None
        if owner is not None and owner.kind:  # a DAG waits for all hooks below it, including its own
            try:
                self.visit(owner)
            except Fault as raised:
                self._visit_parents(owner, raised)
        self._visit_parents(frame, fault)

    def look_again(self, node_id: str) -> None:
        """After a killed pod has reported its outputs, visit the template around it, which waited for them.

        If that template is over, the one around it waits and is visited.
        """
        node = self.ledger.nodes[node_id]
        frame = self.frames.get(node.get("boundaryID") or "")
        while (frame is None or not self.alive(frame)) and node.get("boundaryID"):
            node = self.ledger.nodes[node["boundaryID"]]
            frame = self.frames.get(node.get("boundaryID") or "")
        if frame is None or not self.alive(frame):
            self.visit(self.root)
            return
        frame.dirty[node["id"]] = None
        retry = outbound.retry_of(self.ledger, node)
        if retry is not None:
            frame.dirty[retry["id"]] = None
        self._visit_with_ancestors(frame)

    def _visit_above_orphan(self, node_id: str) -> None:
        """For a pod below a template that is over, visit only the nodes above that template."""
        above = self.root
        node = self.ledger.get(node_id)
        while node is not None and node.get("boundaryID"):
            frame = self.frames.get(node["boundaryID"])
            if frame is not None and above is self.root:
                above = frame
            elif frame is None:
                above = self.root
            node = self.ledger.get(node["boundaryID"])
        self.visit(above)
        self._visit_parents(above, None)

    def _visit_with_ancestors(self, frame: Frame) -> None:
        fault = None
        try:
            self.visit(frame)
        except Fault as raised:
            fault = raised
        self._visit_parents(frame, fault)

    def _visit_parents(self, frame: Frame, fault: Fault | None) -> None:
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
        """Whether no node above the frame is over."""
        return self._alive(frame, None)[0] is frame

    def _alive(self, frame: Frame, fault: Fault | None) -> tuple[Frame, Fault | None]:
        """The frame at which to begin, as below a node that is over nothing is planned (as in Argo)."""
        lowest = frame
        above = frame.parent
        while above is not None and above.node_id:
            if above.node_id not in self.frames:
                lowest, fault = above, None
            above = above.parent
        return lowest, fault

    def go_on(self) -> None:
        """Continue the work that the last event left for lack of time."""
        while self.later:
            node_id = next(iter(self.later))
            frame, rest = self.later.pop(node_id), dict(self.later)
            self._visit_with_ancestors(frame)
            added = {node_id: frame for node_id, frame in self.later.items() if node_id not in rest}
            if added:
                self.later = added | rest
                return

    def open_waiting(self) -> None:
        """Let the frames that wait for the workflow's parallelism try again, as there is room.

        They try in the order of their names, so that a restored run makes the same choice. Nodes that wait for a template's own
        parallelism are tried when one of its children ends, which visits its frame anyway.
        """
        if self.spec.get("parallelism") is None:
            return
        tried: list[tuple[str, str]] = []
        while self.queue and not limits.is_workflow_full(self):
            entry = heapq.heappop(self.queue)
            frame = self.waiting.get(entry[1])
            if frame is None:
                continue
            tried.append(entry)
            self._visit_with_ancestors(frame)
        for entry in tried:
            if entry[1] in self.waiting:
                heapq.heappush(self.queue, entry)
