"""Argo's condition SpecWarning: what of a workflow has no effect on the platform that took it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
SPEC_WARNING = "SpecWarning"


def add_spec_warning(status: Json, warnings: Sequence[str]) -> None:
    """Put the condition beside those that a workflow has: every client that shows conditions shows it."""
    condition = {"type": SPEC_WARNING, "status": "True", "message": "; ".join(warnings)}
    status["conditions"] = [*(status.get("conditions") or ()), condition]


def spec_warning(document: Mapping[str, Any]) -> str:
    """The message of the condition, "" without one."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    return "; ".join(one.get("message") or "" for one in conditions if one.get("type") == SPEC_WARNING)
