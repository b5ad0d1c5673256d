"""The graph of a run for readers: a fan-out is one box, and so is a task that many workflows of the run share. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.results.task_results import TaskResult

Json = dict[str, Any]
Key = tuple[str, ...]

MOST_BOXES = 60
MOST_ALIKE = 8  # more boxes of one template with the same predecessors and successors become one box
_STRUCTURE = frozenset({"StepGroup", "TaskGroup", "DAG", "Steps", "Container"})


@dataclass
class Box:
    """One task, or all items of a fan-out. counts: status → number of tasks. seconds: the sum over all of them."""

    title: str
    template: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class RunGraph:
    """edges: pairs of indices into boxes; the second box comes after the first."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int], ...]


def build_graph(
    documents: Iterable[Json], rows: Sequence[TaskResult], *, most: int = MOST_BOXES, last: Iterable[str] = ()
) -> RunGraph:
    """The graph of a run; with more than `most` boxes, one box per template. last: names of the workflows that come after all others.

    Takes time linear in the number of nodes.
    """
    read = [_Nodes(document) for document in documents]
    owners = {nodes.workflow: nodes for nodes in read}
    keys = [owners[row.workflow].key(row.node_id) for row in rows]
    if len(set(keys)) > most:
        for row, key in zip(rows, keys, strict=True):
            owners[row.workflow].renamed[key] = (row.template,)
        keys = [(row.template,) for row in rows]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    boxes = [Box(title=".".join(key)) for key in numbers]
    final = set(last)
    ends: set[int] = set()
    for row, key in zip(rows, keys, strict=True):
        box = boxes[numbers[key]]
        box.template = row.template
        box.title = box.title or row.template or "run"
        box.counts[row.status] = box.counts.get(row.status, 0) + 1
        box.seconds += row.seconds or 0.0
        if row.workflow in final or row.task == "onExit":
            ends.add(numbers[key])
    edges: dict[tuple[int, int], None] = {}
    for nodes in read:
        for one, other in nodes.edges(set(numbers)):
            edges[numbers[one], numbers[other]] = None
    _join(edges, len(boxes), ends)
    return _merge_equal_boxes(boxes, edges)


def _join(edges: dict[tuple[int, int], None], count: int, ends: set[int]) -> None:
    """Add edges from the boxes without a successor to the first boxes of `ends`, the ones that come after all others."""
    leave, enter = {one for one, _ in edges}, {other for _, other in edges}
    firsts = sorted(ends - enter)
    for one in range(count):
        if one not in leave and one not in ends:
            for other in firsts:
                edges[one, other] = None


def _merge_equal_boxes(boxes: list[Box], edges: dict[tuple[int, int], None]) -> RunGraph:
    """Merge more than MOST_ALIKE boxes that differ only in their names: a loop in the user's Python code made them."""
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for one, other in edges:
        after.setdefault(one, []).append(other)
        before.setdefault(other, []).append(one)
    alike: dict[Any, list[int]] = {}
    for number, box in enumerate(boxes):
        around = (tuple(sorted(before.get(number, ()))), tuple(sorted(after.get(number, ()))))
        alike.setdefault((box.template, around), []).append(number)
    place: dict[int, int] = {}
    merged: list[Box] = []
    for (template, _), members in alike.items():
        for start, number in enumerate(members):
            if start and len(members) > MOST_ALIKE:
                place[number] = len(merged) - 1
                _add(merged[-1], boxes[number])
                continue
            place[number] = len(merged)
            merged.append(boxes[number])
        if len(members) > MOST_ALIKE:
            merged[-1].title = template or merged[-1].title
    return RunGraph(tuple(merged), tuple(dict.fromkeys((place[one], place[other]) for one, other in edges)))


def _add(box: Box, other: Box) -> None:
    box.seconds += other.seconds
    for status, count in other.counts.items():
        box.counts[status] = box.counts.get(status, 0) + count


class _Nodes:
    """One workflow's nodes. The key of a node is its path of task names, without items and attempts."""

    def __init__(self, document: Json) -> None:
        self.workflow = str(document["metadata"].get("name", ""))
        self.nodes: dict[str, Json] = (document.get("status") or {}).get("nodes") or {}
        self.keys: dict[str, Key] = {}
        self.renamed: dict[Key, Key] = {}

    def key(self, node_id: str) -> Key:
        chain = []
        while node_id in self.nodes and node_id not in self.keys:
            chain.append(node_id)
            node_id = str(self.nodes[node_id].get("boundaryID") or "")
        for inner_id in reversed(chain):
            node = self.nodes[inner_id]
            boundary = str(node.get("boundaryID") or "")
            above, around = self.keys.get(boundary, ()), str(self.nodes.get(boundary, {}).get("name", ""))
            name = str(node.get("name", ""))
            rest = name[len(around) :] if around and name.startswith(around) else name
            if rest.startswith("[") and node.get("type") != "StepGroup":
                rest = rest.partition("]")[2]
            word = rest.lstrip(".").partition("(")[0]
            if not boundary:
                own = name.removeprefix(f"{self.workflow}.").partition("(")[0]
                self.keys[inner_id] = () if name == self.workflow else (own,)
            else:
                self.keys[inner_id] = (*above, word)
        return self.keys.get(node_id if not chain else chain[0], ())

    def drawn_key(self, node_id: str) -> Key:
        key = self.key(node_id)
        return self.renamed.get(key, key)

    def edges(self, boxes: set[Key]) -> Iterable[tuple[Key, Key]]:
        """The edges between boxes. Structural nodes, which have no box, are skipped: their predecessors connect to their successors."""
        after: dict[Key, dict[Key, None]] = {}
        for node_id, node in self.nodes.items():
            here = self._place(node_id, node)
            for child in node.get("children") or ():
                if child in self.nodes and (there := self._place(child, self.nodes[child])) != here:
                    after.setdefault(here, {})[there] = None
        for box in (key for key in after if key in boxes):
            visited: set[Key] = {box}
            waiting = list(after[box])
            while waiting:
                place = waiting.pop()
                if place in visited:
                    continue
                visited.add(place)
                if place in boxes:
                    yield box, place
                else:
                    waiting += after.get(place, ())

    def _place(self, node_id: str, node: Json) -> Key:
        """The key of the node's box, or a unique key for a structural node; the group of a fan-out belongs to the box of its items."""
        key = self.drawn_key(node_id)
        if node.get("type") in _STRUCTURE and node.get("type") != "TaskGroup":
            return ("\0structure", node_id) if node.get("type") == "StepGroup" else ("\0inside", *self.key(node_id))
        return key
