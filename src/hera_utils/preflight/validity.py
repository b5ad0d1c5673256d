"""Checks locally whether Argo would accept a document, as it may refer to templates that the server does not have yet."""

from __future__ import annotations

from typing import Any

from hera_utils.argo.schema import decode
from hera_utils.interpreter.document import Lookup
from hera_utils.interpreter.validation.workflow import validate

Json = dict[str, Any]


def check_with(document: Json, lookup: Lookup) -> None:
    """Like `argo lint --offline`. lookup: (kind, name) → the stored template, or one that will be stored with the document.

    Raises InvalidWorkflow or Refused with Argo's message.
    """

    def find(kind: str, name: str) -> Json | None:
        stored = lookup(kind, name)
        return None if stored is None else {**decode(stored, kind), "kind": kind}

    kind = document.get("kind", "Workflow")
    validate(decode(document, kind), find, kind=kind, lint=True)
