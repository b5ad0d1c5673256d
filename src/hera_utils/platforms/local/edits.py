"""What a change of a workflow's spec means for its run: kubectl suspends and stops a workflow by editing it. Pure."""

from __future__ import annotations

from typing import Any

from hera_utils.interpreter.events import Event, ResumeRequested, ShutdownRequested, SuspendRequested
from hera_utils.platforms.local.objects import invalid

Json = dict[str, Any]
_EDITABLE = ("suspend", "shutdown")


def events_of(old: Json, new: Json, name: str) -> list[Event]:
    """The users' events that lead from one spec to the other. Raises Refused (Invalid) for any other change."""
    changed = [field for field in {**old, **new} if old.get(field) != new.get(field) and field not in _EDITABLE]
    if changed:
        raise invalid(
            "Workflow",
            name,
            f"spec.{changed[0]}: Forbidden: a workflow that runs on the local platform cannot be rewritten",
        )
    found: list[Event] = []
    if bool(old.get("suspend")) != bool(new.get("suspend")):
        found.append(SuspendRequested(0.0) if new.get("suspend") else ResumeRequested(0.0))
    if new.get("shutdown") and new["shutdown"] != old.get("shutdown"):
        found.append(ShutdownRequested(0.0, strategy=str(new["shutdown"])))
    return found
