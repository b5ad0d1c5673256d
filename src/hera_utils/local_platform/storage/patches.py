"""Patches of Kubernetes' API as plain data: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch.

Pure. The kinds served here have few lists with a merge key; these are in `_MERGE_KEYS`. Server-side apply is in ownership.py.
"""

from __future__ import annotations

import copy
from typing import Any, cast

from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"

_MERGE_KEYS = {
    "ownerReferences": "uid",
    "secrets": "name",
    "imagePullSecrets": "name",
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "conditions": "type",
}
_SETS = frozenset({"finalizers"})


def patched(document: Json, patch: Json, media_type: str) -> Json:
    """The document after a patch of that media type; the one given is left alone. Raises Refused."""
    if media_type == "application/json-patch+json":
        return json_patch(document, patch["patch"])
    if media_type == "application/merge-patch+json":
        return cast("Json", merge_patch(document, patch))
    if media_type == "application/strategic-merge-patch+json":
        return cast("Json", strategic_merge(document, patch))
    raise Refused(
        INVALID_ARGUMENT,
        f"the body of the request was in an unknown format ({media_type or 'no content type'})",
        reason="UnsupportedMediaType",
    )


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge(target: Any, patch: Any, name: str = "") -> Any:
    """Like a merge patch, but lists with a merge key are merged by it; understands $patch and $deleteFromPrimitiveList."""
    if isinstance(patch, list):
        return _merge_list(target if isinstance(target, list) else [], patch, name)
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key == "$patch" or key.startswith(("$setElementOrder/", "$retainKeys")):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            merged[field] = [one for one in merged.get(field) or [] if one not in value]
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge(merged.get(key), value, key)
    return merged


def _merge_list(target: list[Any], patch: list[Any], name: str) -> list[Any]:
    if name in _SETS:
        return target + [item for item in patch if item not in target]
    key = _MERGE_KEYS.get(name)
    if key is None:
        return copy.deepcopy([item for item in patch if item != {"$patch": "replace"}])
    if {"$patch": "replace"} in patch:
        return [copy.deepcopy(item) for item in patch if item != {"$patch": "replace"}]
    merged = list(target)
    for item in patch:
        at = next((i for i, known in enumerate(merged) if known.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(copy.deepcopy(item))
        else:
            merged[at] = strategic_merge(merged[at], item)
    return merged


# --- RFC 6902 --------------------------------------------------------------------------------------------------------------


def json_patch(document: Json, operations: Any) -> Json:
    """Apply all operations, or none. Raises Refused, as Kubernetes answers: 400 for what is no list of operations, 422 for the rest."""
    # here: most servers never meet a JSON patch
    import jsonpatch

    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise Refused(INVALID_ARGUMENT, "error decoding patch: it is no list of operations", reason="BadRequest")
    try:
        result = jsonpatch.JsonPatch(operations).apply(document)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise _rejected(str(error)) from None
    if not isinstance(result, dict):
        raise _rejected("the patched document is no object")
    return result


def _rejected(why: str) -> Refused:
    return Refused(
        INVALID_ARGUMENT,
        f"the server rejected our request due to an error in our request: the patch cannot be applied: {why}",
        reason="Invalid",
    )
