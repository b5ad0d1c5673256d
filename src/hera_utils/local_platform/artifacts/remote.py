"""Artifacts in stores on the network from the server's side: downloads, lists of keys, removal.

Each is done by a process of its own (transfer.py), so that the server loads no store's library and a hanging store holds up nobody else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hera_utils.argo import faults
from hera_utils.errors import PlatformError, Refused
from hera_utils.interpreter.archiving import STORES, repository_location
from hera_utils.local_platform.artifacts import locations
from hera_utils.local_platform.pods.pod import web
from hera_utils.local_platform.pods.pod.errors import PodFault

Json = dict[str, Any]
SECONDS = 600.0
"""A transfer for the server takes no longer."""


def archive_of(document: Json, template_name: str) -> Json | None:
    """The archive location that holds for a template of a workflow, None when there is none."""
    status: Json = document.get("status") or {}
    spec: Json = {**(status.get("storedWorkflowTemplateSpec") or {}), **(document.get("spec") or {})}
    declared = [*(spec.get("templates") or ()), *(status.get("storedTemplates") or {}).values()]
    for template in declared:
        own = template.get("archiveLocation") or {}
        if template.get("name") == template_name and any(own.get(kind) is not None for kind in STORES):
            return dict(own)
    repository = (status.get("artifactRepositoryRef") or {}).get("artifactRepository") or {}
    return repository_location(repository) or None


def place_of(artifact: Json, archive: Json | None, secret: locations.SecretValue) -> Json | None:
    """As places.place_of. Raises PlatformError when a secret is missing."""
    try:
        return locations.place_of(artifact, archive, secret)
    except LookupError as error:
        raise PlatformError(str(error.args[0])) from None


def fetch(place: Json, target: Path) -> None:
    """The file or folder at a place, as `target`. Raises Refused (not there), PlatformError."""
    if place["kind"] in locations.WEB:
        try:
            web.download(place, str(target))
        except FileNotFoundError as error:
            raise Refused(faults.NOT_FOUND, str(error.strerror)) from None
        except PodFault as error:
            raise PlatformError(str(error)) from None
        return
    answer = ask({"do": "get", "place": place, "path": str(target)})
    if answer.get("missing"):
        raise Refused(faults.NOT_FOUND, answer["error"])
    if "error" in answer:
        raise PlatformError(answer["error"])


def keys(place: Json) -> list[str]:
    """The keys below a place, sorted. Raises PlatformError."""
    answer = ask({"do": "list", "place": place})
    if "error" in answer:
        raise PlatformError(answer["error"])
    return list(answer["keys"])


def ask(request: Json) -> Json:
    """What transfer.py answers."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hera_utils.local_platform.artifacts.transfer"],
            input=json.dumps(request), capture_output=True, text=True, cwd="/", check=False, timeout=SECONDS,
        )  # fmt: skip
        found: Json = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        return {"error": f"the store did not answer in {SECONDS:.0f} seconds"}
    except (OSError, ValueError) as error:
        return {"error": f"the transfer could not be made: {type(error).__name__}"}
    return found
