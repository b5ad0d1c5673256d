"""One planner per type of node: from the changes of its children it decides which to open next, or the phase of the node.

A planner is a generator: it yields the calls to open and receives their nodes. Planners do not know each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame, Plan
from hera_utils.interpreter.nodes import dag, retry, steps, workflow

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

PLANNERS: dict[str, Callable[[Context, Frame, dict[str, Fault | None]], Plan]] = {
    "Workflow": workflow.plan,
    "Steps": steps.plan,
    "DAG": dag.plan,
    "Retry": retry.plan,
}
