"""Templates that need no process of their own: http, resource and data. What Argo runs in its agent or in its executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.local_platform.agents.agents import Agents, Performer

if TYPE_CHECKING:
    from hera_utils.local_platform.platform import LocalPlatform

__all__ = ["Agents", "performers"]


def performers(platform: LocalPlatform) -> dict[str, Performer]:
    """What runs each kind of template, for a platform."""
    from hera_utils.local_platform.agents.data import DataAgent
    from hera_utils.local_platform.agents.http import HttpAgent
    from hera_utils.local_platform.agents.resource import ResourceAgent

    return {"http": HttpAgent(platform), "resource": ResourceAgent(platform), "data": DataAgent(platform)}
