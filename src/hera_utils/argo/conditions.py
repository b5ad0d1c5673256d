"""Argo's condition SpecWarning, which lists the fields of a workflow that have no effect on its platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
SPEC_WARNING = "SpecWarning"


def add_spec_warning(status: Json, warnings: Sequence[str]) -> None:
    """Add the condition to those of a workflow, so that every client that shows conditions shows it."""
    condition = {"type": SPEC_WARNING, "status": "True", "message": "; ".join(warnings)}
    status["conditions"] = [*(status.get("conditions") or ()), condition]


def spec_warning(document: Mapping[str, Any]) -> str:
    """The message of the condition, "" if there is none."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    return "; ".join(
        condition.get("message") or "" for condition in conditions if condition.get("type") == SPEC_WARNING
    )
