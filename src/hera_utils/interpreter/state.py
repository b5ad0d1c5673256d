"""A run: one workflow being executed. Owned by one thread and updated in place by `advance`.

Its whole state is the Argo document (metadata, spec, status with its nodes) and a small JSON `memory` of data that Argo stores
elsewhere (timers, counters that cannot be derived…). Indices and counters are derived from both when the run is restored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hera_utils.argo.phases import COMPLETED

Json = dict[str, Any]


MOST_NODES = 50_000
"""The maximum number of nodes of a workflow, unless its run sets another. Argo stores less than 1 MiB of them, compressed."""


def _never() -> bool:
    return False


class Run:
    """A run. document: the Workflow as the API shows it. memory: private state, JSON data.

    `changed` has the ids of the nodes that were added or changed since the last `settle()`, `removed` those that were removed (by a
    retry); the journal must write these. The rest of the document (the header) is small and written each time.
    """

    def __init__(self, document: Json, memory: Json | None = None) -> None:
        self.document = document
        self.memory: Json = memory if memory is not None else {}
        self.changed: set[str] = set()
        self.removed: set[str] = set()
        self.index: Any = None  # the interpreter's derived data; None: they must be rebuilt
        # Whether other runs wait, so that further nodes should open in a later event.
        self.is_late: Callable[[], bool] = _never
        self.least = 10  # minimum work of an event: small workflows open as a whole, and each event makes progress
        self.most_nodes = MOST_NODES

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.document["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        return str(self.document["metadata"]["uid"])

    @property
    def nodes(self) -> dict[str, Json]:
        """Node id → node, as in status.nodes."""
        nodes: dict[str, Json] = self.document.setdefault("status", {}).setdefault("nodes", {})
        return nodes

    @property
    def phase(self) -> str:
        """ "", Pending, Running, Succeeded, Failed or Error."""
        return str(self.document.get("status", {}).get("phase", ""))

    @property
    def finished(self) -> bool:
        return self.phase in COMPLETED

    def settle(self) -> tuple[set[str], set[str]]:
        """(changed, removed) node ids since the last call; the sets are then empty."""
        changed, removed = self.changed, self.removed
        self.changed, self.removed = set(), set()
        return changed, removed
