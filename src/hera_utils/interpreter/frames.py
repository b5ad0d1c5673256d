"""The data of the walk about a node that is not over: its call, its template with values, the state of its planner.

Frames are derived data: they are rebuilt from the document when a run is restored.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import TemplateHolder


@dataclass(frozen=True, slots=True)
class TemplateCall:
    """A request to open a template under a name.

    holder: the step, task or hook that names the template. home: where the name is looked up. boundary: id of the Steps or DAG node
    that it belongs to. task, on_exit, hooked: whether it is a task of a DAG, (part of) an exit handler, a hook.
    attempt: the template of this attempt of a retried node, already filled in.
    """

    name: str
    holder: Mapping[str, Any]
    home: TemplateHolder
    arguments: Mapping[str, Any] = field(default_factory=dict)
    boundary: str = ""
    task: bool = False
    on_exit: bool = False
    hooked: bool = False
    attempt: Json | None = None

    @property
    def flag(self) -> Json:
        """The node flag of the node that the call opens."""
        return {**({"hooked": True} if self.hooked else {}), **({"retried": True} if self.attempt is not None else {})}


@dataclass(slots=True)
class Frame:
    """A node that is not over. kind: the planner's name, "" for a leaf. home: where the template's own calls are looked up.

    dirty: the children that changed since the last visit, with the fault that opening or planning them raised.
    state: the planner's data between visits.
    fresh: whether nothing of the node was started before it was opened.
    """

    call: TemplateCall
    node_id: str
    kind: str
    template: Json
    home: TemplateHolder
    parent: Frame | None = None
    depth: int = 0
    dirty: dict[str, Fault | None] = field(default_factory=dict)
    state: Any = None
    fresh: bool = False

    @property
    def on_exit(self) -> bool:
        return self.call.on_exit


Plan = Generator[TemplateCall, "Json | None", None]
"""A planner's visit: it yields the calls to open and receives their nodes (None: not now). Faults are thrown into it."""

Opened = Generator[TemplateCall, "Json | None", bool]
"""The same, returning whether the opened nodes are over, or whether the node could be opened."""
