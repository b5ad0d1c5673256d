"""The progress of a run, `done/all` over its leaves, and the resources that it has used.

Argo adds these up over all nodes at each update (workflow/progress, util/resource); here the sums are updated when nodes change. A
node that is not a leaf shows its sums only when it is over, as writing the row of a wide node at each event would take quadratic time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hera_utils.argo import phases

Json = dict[str, Any]

LEAVES = frozenset({"Pod", "HTTP", "Plugin", "Container", "Suspend"})
_IN_FULL = frozenset({phases.SUCCEEDED, phases.SKIPPED, phases.OMITTED})
_PROGRESS = re.compile(r"[0-9]{1,18}/[0-9]{1,18}\Z")


_ANNOTATION = "workflows.argoproj.io/progress"


def initial_progress(metadata: Json | None) -> str:
    """The initial progress of a pod, from the metadata of its template or pod (Argo: createWorkflowPod)."""
    text = ((metadata or {}).get("annotations") or {}).get(_ANNOTATION)
    return str(text) if parse(text) else "0/1"


def parse(text: object) -> tuple[int, int] | None:
    """(done, all) of a text such as 3/10; None when it is not one (Argo: 0 <= N <= M, M > 0)."""
    return _parse(text) if isinstance(text, str) else None


@lru_cache(maxsize=64)
def _parse(text: str) -> tuple[int, int] | None:
    if not _PROGRESS.match(text):
        return None
    done, whole = (int(part) for part in text.split("/"))
    return (done, whole) if 0 <= done <= whole and whole > 0 else None


@lru_cache(maxsize=64)
def text_of(done: int, whole: int) -> str:
    """The text of a progress, cached because thousands of nodes have the same one."""
    return f"{done}/{whole}"


def progress_of(node: Json, phase: str | None = None) -> tuple[int, int]:
    """The progress of a leaf, in its own phase or `phase`; a leaf that succeeded counts in full."""
    done, whole = parse(node.get("progress")) or (0, 1)
    return (whole, whole) if (phase or node["phase"]) in _IN_FULL else (done, whole)


@dataclass
class Sum:
    done: int = 0
    whole: int = 0
    usage: dict[str, int] = field(default_factory=dict)

    def add(self, progress: tuple[int, int], usage: Mapping[str, Any], sign: int = 1) -> None:
        self.done += sign * progress[0]
        self.whole += sign * progress[1]
        for resource, seconds in usage.items():
            self.usage[resource] = self.usage.get(resource, 0) + sign * int(seconds)

    def text(self) -> str:
        return text_of(self.done, self.whole)


class Tally:
    """The sums of the workflow, and of each node that is a boundary."""

    def __init__(self, nodes: Mapping[str, Json]) -> None:
        self._nodes = nodes
        self.whole = Sum()
        self._inside: dict[str, Sum] = defaultdict(Sum)

    def count(self, node: Json, sign: int) -> None:
        """Add a leaf, or subtract it before it changes."""
        if node["type"] not in LEAVES:
            return
        progress = progress_of(node)
        usage = node.get("resourcesDuration") or {}
        self.whole.add(progress, usage, sign)
        boundary = node.get("boundaryID")
        while boundary:
            self._inside[boundary].add(progress, usage, sign)
            above = self._nodes.get(boundary)
            boundary = above.get("boundaryID") if above is not None else None

    def below(self, node: Json, children: Iterable[Json]) -> Sum:
        """The sum of a node that is not a leaf. children: of a group, which is not a boundary."""
        if node["type"] in ("Steps", "DAG"):
            return self._inside[node["id"]]
        sums = Sum()
        for child in children:
            if child["type"] != "StepGroup":
                progress = progress_of(child) if child["type"] in LEAVES else parse(child.get("progress")) or (0, 0)
                sums.add(progress, child.get("resourcesDuration") or {})
        return sums
