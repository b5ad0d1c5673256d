"""How far a run is: `done/all` over its leaves, and the resources that it has used.

Argo sums these anew over all nodes at each update (workflow/progress, util/resource); here the sums are kept as nodes change.
"""

from __future__ import annotations

import re

from hera_utils.interpreter import phases
from hera_utils.interpreter.state import Json, Run

LEAVES = frozenset({"Pod", "HTTP", "Plugin", "Container", "Suspend"})
_PROGRESS = re.compile(r"\d+/\d+\Z")


def parse(text: object) -> tuple[int, int] | None:
    """(done, all) of a text such as 3/10; None when it is not one (Argo: 0 <= N <= M, M > 0)."""
    if not isinstance(text, str) or not _PROGRESS.match(text):
        return None
    done, whole = (int(part) for part in text.split("/"))
    return (done, whole) if 0 <= done <= whole and whole > 0 else None


def of(node: Json) -> tuple[int, int]:
    """What a leaf counts for; one that succeeded counts in full."""
    done, whole = parse(node.get("progress")) or (0, 1)
    return (whole, whole) if node["phase"] in (phases.SUCCEEDED, phases.SKIPPED, phases.OMITTED) else (done, whole)


class Tally:
    """The sums of the workflow and of each node that is a boundary."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.done = 0
        self.whole = 0
        self.usage: dict[str, int] = {}

    def count(self, node: Json, sign: int) -> None:
        if node["type"] in LEAVES:
            done, whole = of(node)
            self.done += sign * done
            self.whole += sign * whole
        for resource, seconds in (node.get("resourcesDuration") or {}).items() if node["type"] == "Pod" else ():
            self.usage[resource] = self.usage.get(resource, 0) + sign * int(seconds)

    def text(self) -> str:
        return f"{self.done}/{self.whole}"
