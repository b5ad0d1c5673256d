"""Starting a run exactly once, though answers can be lost: it gets its name here, and a mark by which it is known again.

A server that names a run itself (generateName) cannot be asked again when its answer is lost: that would be a second run. With a name
of ours the second try meets the first one ("already exists"), and the mark tells it from a run of somebody else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.annotations import SUBMISSION
from hera_utils.argo.names import generated_name

Json = dict[str, Any]


@dataclass(frozen=True)
class Submission:
    """A run that is asked for: the name that it must have ("" for any), else the beginning of its name, and its mark."""

    namespace: str
    name: str
    prefix: str
    mark: str

    def new_name(self) -> str:
        """A name as the server would make it; "" when the document names neither (the server says so in its words)."""
        return generated_name(self.prefix, secrets.token_hex(8)) if self.prefix else ""


def mark() -> str:
    return secrets.token_hex(16)


def marked(document: Json, name: str, mark: str) -> Json:
    """The workflow with its name and its mark."""
    metadata = dict(document.get("metadata") or {})
    if name:
        metadata["name"] = name
    metadata["annotations"] = {**(metadata.get("annotations") or {}), SUBMISSION: mark}
    return {**document, "metadata": metadata}


def marked_options(options: Json, name: str, mark: str) -> Json:
    """Argo's SubmitOpts with the same; its annotations are one text, `a=b,c=d`."""
    annotations = ",".join(filter(None, [str(options.get("annotations") or ""), f"{SUBMISSION}={mark}"]))
    return {**options, **({"name": name} if name else {}), "annotations": annotations}


def is_marked(workflow: Json, mark: str) -> bool:
    annotations = (workflow.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get(SUBMISSION) == mark)
