"""A run from its rows: what the interpreter goes on with after a restart, or when a finished run is asked to go on again."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.interpreter.state import Run
from hera_utils.local_platform.controller.turn import Active, Children, marks
from hera_utils.local_platform.storage.journal import Journal, encode
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredRun

Json = dict[str, Any]


def restored(journal: Journal, read_model: ReadModel, record: StoredRun) -> Active | None:
    """The run of a record, whole; None when it is not in the journal any more."""
    full = read_model.load(record.uid)
    if full is None:
        return None
    status: Json = {**json.loads(full.status), **json.loads(full.kept)}
    nodes: Json = {node: json.loads(text) for node, text in full.nodes.items()}
    status["nodes"] = nodes
    document: Json = {"metadata": json.loads(full.metadata), "spec": json.loads(full.spec), "status": status}
    memory: Json = json.loads(journal.read("run_memory", record.uid)[0][0])
    active = Active(Run(document, memory), full, {node: place for place, node in enumerate(full.nodes)})
    active.following = int(journal.read("last_node", record.uid)[0][0]) + 1
    active.spec_mark, active.kept_mark = marks(document)
    for node in {row[0] for row in journal.read("run_children", record.uid)}:
        children = nodes[node]["children"]
        active.children[node] = Children(len(children), children[0], children[-1], encode(children)[1:-1])
    return active
