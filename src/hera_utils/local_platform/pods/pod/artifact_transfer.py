"""Transfers artifacts at web addresses (web.py) and in stores on the network.

A separate process transfers those in stores (local_platform/artifacts/object_stores.py): it uses the server's Python, with the libraries
of the store, which this small process should not load. It gets secrets only on its standard input.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from . import worker_rights
from .artifact_keys import WEB, with_key
from .errors import PodFault

Json = dict[str, Any]


class Parcel(NamedTuple):
    """A file or folder `source` to send to a place, under a key. label: the source's name in messages."""

    place: Json
    key: str
    source: str
    label: str


def fetch(python: str, place: Json, target: str, *, seconds: float | None = None) -> None:
    """Download the file or folder at a place to `target`. Raises FileNotFoundError, PodFault, OSError on a full disk.

    python: the server's interpreter. seconds: how long a store may take; None for no limit.
    """
    if place["kind"] in WEB:
        from . import web  # not at the top: a fork of a bigger process takes longer

        web.download(place, target)
        return
    answer = ask(python, {"do": "get", "place": place, "path": target}, seconds=seconds)
    if answer.get("missing"):
        raise FileNotFoundError(2, answer["error"], place["key"])
    if answer.get("full"):
        raise OSError(answer["full"], answer["error"], target)
    if "error" in answer:
        raise PodFault(answer["error"])


def save(python: str, parcels: list[Parcel]) -> list[str]:
    """Send parcels, those for stores by one process. Gives the error of each, "" for none."""
    requests = [
        {"do": "put", "place": {**parcel.place, "key": parcel.key}, "path": parcel.source}
        for parcel in parcels
        if parcel.place["kind"] not in WEB
    ]
    problems = iter(ask_all(python, requests))
    return [_upload(parcel) if parcel.place["kind"] in WEB else next(problems) for parcel in parcels]


def _upload(parcel: Parcel) -> str:
    from . import web  # not at the top: a fork of a bigger process takes longer

    place = parcel.place
    if os.path.isdir(parcel.source):
        return f"read {parcel.label}: is a directory"
    if place["kind"] == "artifactory":
        place = {**place, "at": with_key("artifactory", place["at"], parcel.key)}
    try:
        web.upload(place, parcel.source, parcel.label)
    except (OSError, PodFault) as error:
        return sentence(error)
    return ""


def sentence(error: Exception) -> str:
    """An error in Go's wording."""
    if isinstance(error, OSError) and error.filename:
        return f"open {error.filename}: {(error.strerror or '').lower()}"
    return str(error)


def ask_all(python: str, requests: list[Json], *, seconds: float | None = None) -> list[str]:
    """The error of each request, "" for none. One process handles all of them."""
    if not requests:
        return []
    answer = ask(python, {"requests": requests}, seconds=seconds)
    return [str(each.get("error") or "") for each in answer.get("answers") or [answer] * len(requests)]


def ask(python: str, request: Json, *, seconds: float | None = None) -> Json:
    """The answer of object_stores.py to a request; {"error"} when it gave none."""
    import subprocess  # not at the top: a fork of a bigger process takes longer

    try:
        # With more rights than a task has, so that a sidecar cannot read its memory.
        process = worker_rights.call(
            lambda: subprocess.run(
                [python, "-m", "hera_utils.local_platform.artifacts.object_stores"],
                input=json.dumps(request),
                capture_output=True,
                text=True,
                cwd="/",
                check=False,
                timeout=seconds,
            )
        )
    except subprocess.TimeoutExpired:
        return {"error": f"the store did not answer in {seconds:.0f} seconds"}
    except OSError as error:
        return {"error": f"the transfer could not be started: {error.strerror}"}
    try:
        answer: Json = json.loads(process.stdout.strip().rpartition("\n")[2])
    except ValueError:
        return {"error": f"the transfer ended with status {process.returncode}"}
    return answer
