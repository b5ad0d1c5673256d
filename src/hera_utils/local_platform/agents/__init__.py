"""Runs templates that need no process of their own: those that Argo runs in its agent or in its executor.

Launches come in as for any runtime (`pods.runtime`), each becomes a thread of the server, and events go out. Open `agents.py` first.

agents.py     the runtime: threads, their ends, and what they need from the platform
http.py       one request; its answer is the result
resource.py   kubectl on the local platform's own objects; queries.py: paths in conditions and outputs
data.py       lists and transforms the keys of an artifact location
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from hera_utils.local_platform.agents.agents import Agents, Objects, Performer

__all__ = ["Agents", "performers"]


def performers(platform: Objects) -> dict[str, Performer]:
    """Template kind → what runs it. Each is imported when the first template of its kind runs."""
    kinds = {"http": "HttpAgent", "resource": "ResourceAgent", "data": "DataAgent"}
    return {kind: _late(kind, name, platform) for kind, name in kinds.items()}


def _late(kind: str, name: str, platform: Objects) -> Performer:
    @cache
    def performer() -> Performer:
        agent: Performer = getattr(import_module(f"{__name__}.{kind}"), name)(platform)
        return agent

    return lambda launch, stop: performer()(launch, stop)
