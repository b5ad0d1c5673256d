"""Which requests a user may make about a run that has ended, and which requests an edited spec means (kubectl suspends this way). Pure."""

from __future__ import annotations

from typing import Any

from hera_utils.argo import faults, selectors
from hera_utils.errors import Refused
from hera_utils.expressions.gotext import quote
from hera_utils.interpreter.events import Event, ResumeRequested, SetRequested, ShutdownRequested, SuspendRequested
from hera_utils.interpreter.state import Run
from hera_utils.local_platform.storage.objects import invalid

Json = dict[str, Any]
_EDITABLE = ("suspend", "shutdown")


def check_alive(run: Run, event: Event) -> None:
    """Refuse requests that Argo refuses for a workflow that has ended (workflow/util/util.go)."""
    if not run.finished:
        return
    selector = getattr(event, "node_field_selector", "")
    if isinstance(event, SuspendRequested):
        raise Refused(
            faults.INVALID_ARGUMENT, "timed out waiting for the condition: cannot suspend completed workflows"
        )
    if isinstance(event, SetRequested) or (selector and isinstance(event, (ResumeRequested, ShutdownRequested))):
        selectors.node_field_selector(selector)
        text = "currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: "
        raise Refused(faults.INTERNAL, text + selector)
    if isinstance(event, ShutdownRequested):
        text = f"cannot shutdown a completed workflow: workflow: {quote(run.name)}, namespace: {quote(run.namespace)}"
        raise Refused(faults.INTERNAL, text)


def events_of(old: Json, new: Json, name: str) -> list[Event]:
    """The user's requests that change one spec into the other. Raises Refused (Invalid) for any other change."""
    changed = [field for field in {**old, **new} if old.get(field) != new.get(field) and field not in _EDITABLE]
    if changed:
        raise invalid(
            "Workflow",
            name,
            f"spec.{changed[0]}: Forbidden: a workflow that runs on the local platform cannot be rewritten",
        )
    events: list[Event] = []
    if bool(old.get("suspend")) != bool(new.get("suspend")):
        events.append(SuspendRequested(0.0) if new.get("suspend") else ResumeRequested(0.0))
    if new.get("shutdown") and new["shutdown"] != old.get("shutdown"):
        events.append(ShutdownRequested(0.0, strategy=str(new["shutdown"])))
    return events


def merge_edit(now: Json, before: Json, after: Json) -> Json:
    """The labels or annotations of a run with what a user's edit changed. The run itself may have changed others meanwhile."""
    kept = {key: value for key, value in now.items() if key in after or key not in before}
    return kept | {key: value for key, value in after.items() if before.get(key) != value}
