"""Patches of Kubernetes' API as plain data: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch.

Pure. The merges themselves are argo/merge_patches.py; server-side apply is in ownership.py.
"""

from __future__ import annotations

import copy
import json
from typing import Any, cast

from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.argo.merge_patches import PatchError, merge_patch, strategic_merge
from hera_utils.errors import Refused
from hera_utils.local_platform.storage.objects import ARGO_KINDS

Json = dict[str, Any]

_MOST_OPERATIONS, _MOST_COPIED = 10_000, 3 * 2**20
"""Kubernetes' own bounds: operations of a JSON patch, and bytes that its copies may add."""

APPLY = "application/apply-patch+yaml"


def apply_patch(document: Json, patch: Json, media_type: str, kind: str) -> Json:
    """A copy of a document of that kind with the patch applied. Raises Refused."""
    if media_type == "application/json-patch+json":
        return json_patch(document, patch.get("patch"))
    if media_type == "application/merge-patch+json":
        return cast("Json", merge_patch(document, patch))
    if media_type == "application/strategic-merge-patch+json":
        group = "v1alpha1" if kind in ARGO_KINDS else "v1"
        try:
            return strategic_merge(document, patch, f"{group}.{kind}")
        except PatchError as error:
            raise _refused_patch(str(error)) from None
    raise Refused(
        INVALID_ARGUMENT,
        f"the body of the request was in an unknown format ({media_type or 'no content type'})",
        reason="UnsupportedMediaType",
    )


# --- RFC 6902 --------------------------------------------------------------------------------------------------------------


def json_patch(document: Json, operations: Any) -> Json:
    """Apply all operations or none. Raises Refused with Kubernetes' codes: 400 for a body that is no list of operations, else 422."""
    # Imported here because most servers never get a JSON patch.
    import jsonpatch

    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise Refused(INVALID_ARGUMENT, "error decoding patch: it is not a list of operations", reason="BadRequest")
    if len(operations) > _MOST_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(operations)}"
        raise Refused(INVALID_ARGUMENT, message, reason="RequestEntityTooLarge")
    result, copied = copy.deepcopy(document), 0
    try:
        for operation in operations:
            if operation.get("op") == "copy":
                source = jsonpatch.JsonPointer(str(operation.get("from"))).resolve(result, None)
                copied += len(json.dumps(source))
                if copied > _MOST_COPIED:
                    raise _refused_patch(
                        f"the accumulated size increase of copy is {copied}, exceeding the limit {_MOST_COPIED}"
                    )
            result = jsonpatch.JsonPatch([operation]).apply(result, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise _refused_patch(str(error)) from None
    if not isinstance(result, dict):
        raise _refused_patch("the patched document is not an object")
    return result


def _refused_patch(why: str) -> Refused:
    return Refused(
        INVALID_ARGUMENT,
        f"the server rejected our request due to an error in our request: the patch cannot be applied: {why}",
        reason="Invalid",
    )
