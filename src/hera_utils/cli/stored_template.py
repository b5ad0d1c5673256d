"""`--from KIND/NAME`: a workflow made of what is stored on the platform, as `argo submit --from` makes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hera_utils.errors import Refused, ResourceError, SettingsError
from hera_utils.interpreter.document import resource_of
from hera_utils.interpreter.submission import submitted_kind, workflow_from

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]

_FIX = "write workflowtemplate/NAME, clusterworkflowtemplate/NAME or cronwf/NAME"


def workflow_of(client: ArgoClient, reference: str) -> Json:
    """The workflow that KIND/NAME means, before parameters are given. SettingsError, ResourceError say what is wrong."""
    word, slash, name = reference.partition("/")
    if not (word and slash and name):
        raise SettingsError(f"`{reference}` names no stored template", fix=_FIX)
    try:
        kind = submitted_kind(word.lower())
    except Refused:
        raise SettingsError(f"`{word}` is not a kind of stored template", fix=_FIX) from None
    stored = client.template(kind, name)
    if stored is None:
        raise ResourceError(
            f'{resource_of(kind)} "{name}" not found in namespace {client.namespace}',
            fix="store it with: hera-utils run FILE",
        )
    workflow = workflow_from(stored, kind, at=time.time())
    workflow.pop("status", None)
    return {"kind": "Workflow", **workflow}
