"""The nodes of a run, and counts of them. Only this file changes a node.

The counts and indices are derived from the nodes: they are rebuilt when a run is restored, and updated with each change, so that no
event has to look at all nodes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from hera_utils.argo import names, phases, timestamps
from hera_utils.interpreter.faults import Oversize
from hera_utils.interpreter.progress import LEAVES, Tally, progress_of, text_of
from hera_utils.interpreter.state import Json, Run

_INNER_NAME = re.compile(r"[.(]")
"""What follows the name of a group in the name of a node in it: `[0].a`, `[0].a(0:x)`, `.a(1)`."""
_SEPARATOR = re.compile(r"^(\[\d+\])?\.")
_COUNTED = frozenset({"Pod", "Steps", "DAG"})  # Argo: node_counters.go counts these as active or unsuccessful children
_ACTIVE = frozenset({phases.PENDING, phases.RUNNING})
_WEIGHED = frozenset(
    {"phase", "progress", "resourcesDuration", "daemoned", "synchronizationStatus", "boundaryID", "type"}
)
"""The fields of a node on which the counts depend."""
_LEAVES = frozenset({"Pod", "HTTP", "Plugin", "Suspend"})


MOST_CHARACTERS = 20_000_000
"""Of all nodes' inputs and long names and messages, because the node, its pod and their stored forms all contain them."""
MOST_OUTPUT_CHARACTERS = 40_000_000
"""Of all nodes' output parameters and results."""
_ORDINARY = 256
"""Characters of a name or a message that do not count."""


def _characters(values: Json | None) -> int:
    """The number of characters of a node's inputs or outputs."""
    if not values:
        return 0
    size = len(str(values.get("result") or ""))
    size += sum(len(str(parameter.get("value") or "")) for parameter in values.get("parameters") or ())
    return size + sum(
        len(str((artifact.get("raw") or {}).get("data") or "")) for artifact in values.get("artifacts") or ()
    )


def _excess_characters(text: str | None) -> int:
    return max(0, len(text or "") - _ORDINARY)


class Ledger:
    """The nodes with their counts. now: the time of the present event (seconds since the epoch), 0 while a run is restored.

    pending_ends: the leaves whose end an event will report: pods, agents' tasks and suspend nodes that run. A daemon that is ready
    is not one of them, since nothing waits for its end. touched: the nodes that changed since their ends were last processed
    (`run.changed` has those of all events of a turn).
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.nodes = run.nodes
        self.workflow = run.name
        self.now = 0.0
        self.active_pods = 0
        self.running_pods = 0
        self.pending_ends = 0
        self.active_pods_in: dict[str, int] = defaultdict(int)
        self.active_children: dict[str, int] = defaultdict(int)
        self.unsuccessful_children: dict[str, int] = defaultdict(int)
        self.daemons: dict[str, set[str]] = defaultdict(set)
        self.touched: set[str] = set()
        self.characters = sum(
            _characters(node.get("inputs")) + _excess_characters(node["name"]) + _excess_characters(node.get("message"))
            for node in self.nodes.values()
        )
        self.output_characters = sum(_characters(node.get("outputs")) for node in self.nodes.values())
        self.tally = Tally(run.nodes)
        self.durations: dict[str, int] = run.memory.get("durations") or {}
        self._ids: dict[str, str] = {}
        self._reserved: dict[str, str] = {}
        self._children: dict[str, set[str]] = {}
        self._replaced = self._replaced_attempts()
        for node in self.nodes.values():
            self._ids[node["name"]] = node["id"]
            self._count(node, 1)

    def _replaced_attempts(self) -> frozenset[str]:
        """Attempts that a retry in place reset although others followed them (Argo: FormulateRetryWorkflow).

        They stay Running, and nothing ever ends them. Argo counts them nevertheless, so a limit waits for ever.
        """
        attempts = (
            [child for child in self.children(node) if phases.is_attempt(child)]
            for node in self.nodes.values()
            if node["type"] == "Retry"
        )
        return frozenset(attempt["id"] for tried in attempts for attempt in tried[:-1] if not phases.has_ended(attempt))

    # --- looking --------------------------------------------------------------------------------------------------
    def id_of(self, name: str) -> str:
        node_id = self._ids.get(name)
        return self._free_id(name) if node_id is None else node_id

    def _free_id(self, name: str) -> str:
        """An unused id. Argo's id is a hash of 32 bits, so some of 100,000 names collide; the second one gets another id."""
        node_id, again = names.node_id(self.workflow, name), 0
        while self._owner(node_id) not in (None, name):
            again += 1
            node_id = names.node_id(self.workflow, f"{name}#{again}")
        return node_id

    def _owner(self, node_id: str) -> str | None:
        node = self.nodes.get(node_id)
        return str(node["name"]) if node is not None else self._reserved.get(node_id)

    def reserve(self, name: str) -> str:
        """The id of a node that will be opened, now or when there is room."""
        node_id = self._ids.get(name)
        if node_id is None:
            node_id = self._ids[name] = self._free_id(name)
            self._reserved[node_id] = name
        return node_id

    def get(self, node_id: str) -> Json | None:
        return self.nodes.get(node_id)

    def node_named(self, name: str) -> Json | None:
        return self.nodes.get(self.id_of(name))

    def children(self, node: Json) -> list[Json]:
        """The children that exist, in their order."""
        return [self.nodes[child] for child in node.get("children") or () if child in self.nodes]

    # --- writing --------------------------------------------------------------------------------------------------
    def add(self, name: str, kind: str, phase: str, **fields: Any) -> Json:
        """Add a node. Its display name is its name without that of its boundary."""
        if len(self.nodes) >= self.run.most_nodes:
            raise Oversize(f"{self.run.most_nodes} nodes")
        self._grow(
            _characters(fields.get("inputs")) + _excess_characters(name) + _excess_characters(fields.get("message"))
        )
        node_id = self.reserve(name)
        self._reserved.pop(node_id, None)
        boundary = self.nodes.get(fields.get("boundaryID") or "")
        display_name = name
        if boundary is not None:
            display_name = _SEPARATOR.sub(
                "", name[len(boundary["name"]) :] if name.startswith(boundary["name"]) else name
            )
        stamp = self._stamp()
        node: Json = {
            "id": node_id,
            "name": name,
            "displayName": display_name,
            "type": kind,
            "phase": phase,
            "startedAt": stamp,
        }
        node["finishedAt"] = stamp if phase in phases.ENDED else None
        if kind in LEAVES:
            node["progress"] = "0/1"
        if self.durations:
            fields["estimatedDuration"] = self.durations.get(name[len(self.workflow) :]) or None
        node.update({key: value for key, value in fields.items() if value not in (None, "", {})})
        self.nodes[node_id] = node
        self._count(node, 1)
        self._note(node_id)
        return node

    def change(self, node: Json, **fields: Any) -> None:
        """Set fields of a node; None and empty text remove them."""
        changed = {key: value for key, value in fields.items() if (node.get(key) or None) != (value or None)}
        if not changed:
            return
        weighed = not _WEIGHED.isdisjoint(changed)
        if "outputs" in changed:
            self._check_outputs(node.get("outputs"), changed["outputs"])
        if "message" in changed:
            self._grow(_excess_characters(changed["message"]) - _excess_characters(node.get("message")))
        if weighed:
            self._count(node, -1)
        for key, value in changed.items():
            if value is None or value == "":
                node.pop(key, None)
            else:
                node[key] = value
        if weighed:
            self._count(node, 1)
        self._note(node["id"])

    def _grow(self, size: int) -> None:
        self.characters += size
        if size > 0 and self.characters > MOST_CHARACTERS:
            raise Oversize(f"{MOST_CHARACTERS} characters of names, inputs and messages")

    def _check_outputs(self, before: Json | None, after: Json | None) -> None:
        self.output_characters += _characters(after) - _characters(before)
        if self.output_characters > MOST_OUTPUT_CHARACTERS:
            raise Oversize(f"{MOST_OUTPUT_CHARACTERS} characters of outputs")

    def mark(self, node: Json, phase: str, message: str | None = None, at: float | None = None) -> Json:
        """Set the phase, and the message if given. For an ended node also set its progress and, once, the time of its end."""
        fields: Json = {"phase": phase}
        if message is not None:
            fields["message"] = message
        if phase in phases.ENDED and node["type"] in LEAVES:
            fields["progress"] = text_of(*progress_of(node, phase))
        self.change(node, **fields)
        if not node.get("finishedAt") and phases.is_fulfilled(node):
            node["finishedAt"] = self._stamp() if at is None else timestamps.text(at)
            self._note(node["id"])
        if phases.has_ended(node) and node["type"] not in LEAVES and node["type"] != "Skipped":
            sums = self.tally.below(node, self.children(node))
            self.change(node, progress=sums.text() if sums.whole else None, resourcesDuration=dict(sums.usage) or None)
        return node

    def count_again_around(self, daemons: Iterable[Json]) -> None:
        """Set the sums of the groups around daemons again, as these may go on, and end, when the groups are over."""
        groups: Json = {}
        for node in daemons:
            while (boundary := self.nodes.get(node.get("boundaryID") or "")) is not None:
                start = len(boundary["name"])
                ends = [start, *(start + found.start() for found in _INNER_NAME.finditer(node["name"][start:]))]
                groups |= {end_name: self.node_named(end_name) for end_name in (node["name"][:end] for end in ends)}
                node = boundary
        for name in sorted(groups, key=len, reverse=True):  # inner ones first
            if groups[name] is not None and groups[name]["type"] not in LEAVES and phases.has_ended(groups[name]):
                self.mark(groups[name], groups[name]["phase"])

    def _stamp(self) -> str:
        """The time of the event. While a run is restored, which is no event, it is the latest time that the nodes show."""
        if self.now:
            return timestamps.text(self.now)
        return max(
            (node.get(key) or "" for node in self.nodes.values() for key in ("startedAt", "finishedAt")), default=""
        )

    def adopt(self, parent: Json, child_id: str) -> None:
        """Append a child, only once. The child need not exist yet."""
        children = self._children.get(parent["id"])
        if children is None:
            children = self._children[parent["id"]] = set(parent.get("children") or ())
        if child_id not in children:
            children.add(child_id)
            parent.setdefault("children", []).append(child_id)
            self._note(parent["id"])

    def drop(self, node: Json) -> None:
        """Remove a node, as if it had never existed."""
        self._count(node, -1)
        del self.nodes[node["id"]]
        self._children.pop(node["id"], None)
        self.run.changed.discard(node["id"])
        self.run.removed.add(node["id"])

    def forget(self, parent: Json, child_id: str) -> None:
        """Remove a child from its parent."""
        if child_id in (parent.get("children") or ()):
            parent["children"].remove(child_id)
            self._children.pop(parent["id"], None)
            self._note(parent["id"])
            if not parent["children"]:
                del parent["children"]

    def _note(self, node_id: str) -> None:
        self.run.changed.add(node_id)
        self.touched.add(node_id)

    # --- counting -------------------------------------------------------------------------------------------------
    def _count(self, node: Json, sign: int) -> None:
        boundary = node.get("boundaryID") or ""
        kind, phase = node["type"], node["phase"]
        if kind in _COUNTED and node["id"] not in self._replaced:
            if phase in _ACTIVE:
                self.active_children[boundary] += sign
                if kind == "Pod" and phase == phases.RUNNING:
                    self.running_pods += sign
                if kind == "Pod" and not (node.get("synchronizationStatus") or {}).get("waiting"):
                    self.active_pods += sign
                    self.active_pods_in[boundary] += sign
            elif phase in phases.UNSUCCESSFUL:
                self.unsuccessful_children[boundary] += sign
        if kind in _LEAVES and phase in _ACTIVE and node["id"] not in self._replaced:
            waits = (node.get("synchronizationStatus") or {}).get("waiting")
            if not waits and not (node.get("daemoned") and phase == phases.RUNNING):
                self.pending_ends += sign
        if node.get("daemoned"):
            if sign > 0:
                self.daemons[boundary].add(node["id"])
            else:
                self.daemons[boundary].discard(node["id"])
        self.tally.count(node, sign)
