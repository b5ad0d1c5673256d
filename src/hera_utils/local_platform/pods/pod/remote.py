"""Artifacts in stores on the network: a process of its own carries each one (local_platform/artifacts/transfer.py).

The process has the server's Python, with the libraries of the store, none of which this small process should load; a task's secrets
reach it by its standard input alone.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import PodFault

Json = dict[str, Any]


def fetch(job: Json, place: Json, target: str) -> None:
    """The file or folder at a place, as `target`. Raises FileNotFoundError, PodFault."""
    answer = _ask(job, {"do": "get", "place": place, "path": target})
    if answer.get("missing"):
        raise FileNotFoundError(2, answer["error"], place["key"])
    if answer.get("full"):
        raise OSError(answer["full"], answer["error"], target)
    if "error" in answer:
        raise PodFault(answer["error"])


def save(job: Json, parcels: list[tuple[Json, str]]) -> list[str]:
    """Send files or folders, (place, source) each, by one process; what was wrong with each, "" for nothing."""
    requests = [{"do": "put", "place": place, "path": source} for place, source in parcels]
    answer = _ask(job, {"requests": requests})
    answers = answer.get("answers") or [answer] * len(parcels)
    return [str(one.get("error") or "") for one in answers]


def _ask(job: Json, request: Json) -> Json:
    import subprocess  # not at the top: a fork of a bigger process takes longer

    done = subprocess.run(
        [job["python"], "-m", "hera_utils.local_platform.artifacts.transfer"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    try:
        found: Json = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError:
        return {"error": f"the transfer ended with status {done.returncode}"}
    return found
