"""Templates that need no process of their own: what Argo runs in its agent or in its executor.

Launches come in as to any runtime (`pods.runtime`), each becomes a thread of the server, and events go out. Open `agents.py` first.

agents.py     the runtime: threads, their ends, and what they ask of the platform
http.py       one request; its answer is the result
resource.py   kubectl on the local platform's own objects; queries.py: what conditions and outputs ask of an object
data.py       the keys of an artifact location, transformed
"""

from __future__ import annotations

from hera_utils.local_platform.agents.agents import Agents, Objects, Performer

__all__ = ["Agents", "performers"]


def performers(platform: Objects) -> dict[str, Performer]:
    """What runs each kind of template, for a platform."""
    from hera_utils.local_platform.agents.data import DataAgent
    from hera_utils.local_platform.agents.http import HttpAgent
    from hera_utils.local_platform.agents.resource import ResourceAgent

    return {"http": HttpAgent(platform), "resource": ResourceAgent(platform), "data": DataAgent(platform)}
