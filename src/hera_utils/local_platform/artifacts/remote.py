"""Artifacts that are elsewhere, for the server: downloads, lists of keys, removal. Pods fetch and send theirs themselves.

A process of its own carries what is in a store (pods/pod/remote.py, object_stores.py), so that the server loads no store's library and
a store that hangs holds up nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hera_utils.argo import faults
from hera_utils.errors import PlatformError, Refused
from hera_utils.local_platform.pods.pod import remote
from hera_utils.local_platform.pods.pod.artifact_keys import WEB
from hera_utils.local_platform.pods.pod.errors import PodFault

Json = dict[str, Any]
SECONDS = 600.0
"""A transfer for the server takes no longer."""


def fetch(place: Json, target: Path) -> None:
    """The file or folder at a place, as `target`. Raises Refused (not there), PlatformError."""
    try:
        remote.fetch(sys.executable, place, str(target), seconds=SECONDS)
    except FileNotFoundError as error:
        raise Refused(faults.NOT_FOUND, str(error.strerror)) from None
    except (PodFault, OSError) as error:
        raise PlatformError(str(getattr(error, "strerror", None) or error)) from None


def keys(place: Json) -> list[str] | None:
    """The keys below a place, sorted; None when it is an object of s3, and no folder. Raises PlatformError."""
    answer = remote.ask(sys.executable, {"do": "list", "place": place}, seconds=SECONDS)
    if "error" in answer:
        raise PlatformError(answer["error"])
    listed: list[str] | None = answer["keys"]
    return listed


def remove(places: list[Json]) -> list[str]:
    """What kept the artifact of each place from being removed, "" when it is gone. One process removes them all."""
    requests = [{"do": "remove", "place": place} for place in places if place["kind"] not in WEB]
    problems = iter(remote.ask_all(sys.executable, requests, seconds=SECONDS))
    refusal = "delete is not supported for this artifact storage type"
    return [refusal if place["kind"] in WEB else next(problems) for place in places]
