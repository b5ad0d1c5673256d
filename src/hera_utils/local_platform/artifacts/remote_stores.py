"""Artifacts in stores on the network, for the server: downloads, lists of keys, removal. Pods transfer their artifacts themselves.

A separate process transfers the data (pods/pod/artifact_transfer.py, object_stores.py), so that the server loads no store's library, and
a store that hangs delays nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hera_utils.argo import faults
from hera_utils.errors import PlatformError, Refused
from hera_utils.local_platform.pods.pod import artifact_transfer
from hera_utils.local_platform.pods.pod.artifact_keys import WEB
from hera_utils.local_platform.pods.pod.errors import PodFault

Json = dict[str, Any]
SECONDS = 600.0
"""The time limit of one transfer."""


def fetch(place: Json, target: Path) -> None:
    """Download the file or folder at a place to `target`. Raises Refused when it does not exist, PlatformError."""
    try:
        artifact_transfer.fetch(sys.executable, place, str(target), seconds=SECONDS)
    except FileNotFoundError as error:
        raise Refused(faults.NOT_FOUND, str(error.strerror)) from None
    except (PodFault, OSError) as error:
        raise PlatformError(str(getattr(error, "strerror", None) or error)) from None


def keys(place: Json) -> list[str] | None:
    """The keys below a place, sorted; None when the place is an object of s3 and no folder. Raises PlatformError."""
    answer = artifact_transfer.ask(sys.executable, {"do": "list", "place": place}, seconds=SECONDS)
    if "error" in answer:
        raise PlatformError(answer["error"])
    listed: list[str] | None = answer["keys"]
    return listed


def remove(places: list[Json]) -> list[str]:
    """Remove the artifacts at these places, all by one process. Gives for each the error, "" when it is removed."""
    requests = [{"do": "remove", "place": place} for place in places if place["kind"] not in WEB]
    problems = iter(artifact_transfer.ask_all(sys.executable, requests, seconds=SECONDS))
    refusal = "delete is not supported for this artifact storage type"
    return [refusal if place["kind"] in WEB else next(problems) for place in places]
