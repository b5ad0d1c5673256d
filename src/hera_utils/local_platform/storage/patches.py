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
        return target + [one for one in patch if one not in target]
    key = _MERGE_KEYS.get(name)
    if key is None:
        return copy.deepcopy([one for one in patch if one != {"$patch": "replace"}])
    if {"$patch": "replace"} in patch:
        return [copy.deepcopy(one) for one in patch if one != {"$patch": "replace"}]
    merged = list(target)
    for one in patch:
        at = next((i for i, known in enumerate(merged) if known.get(key) == one.get(key)), None)
        if one.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(copy.deepcopy(one))
        else:
            merged[at] = strategic_merge(merged[at], one)
    return merged


# --- RFC 6902 --------------------------------------------------------------------------------------------------------------


def json_patch(document: Json, operations: list[Any]) -> Json:
    """Apply all operations, or none (Refused)."""
    result: Any = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise _fault("an operation needs `op` and `path`")
        result = _apply(result, operation)
    if not isinstance(result, dict):
        raise _fault("the patched document is no object")
    return result


def _apply(document: Any, operation: Json) -> Any:
    kind, path = operation.get("op"), _pointer(operation["path"])
    if kind == "add":
        return _add(document, path, copy.deepcopy(_value(operation)))
    if kind == "remove":
        return _remove(document, path)
    if kind == "replace":
        _get(document, path)
        return _add(_remove(document, path), path, copy.deepcopy(_value(operation))) if path else _value(operation)
    if kind in ("move", "copy"):
        source = _pointer(str(operation.get("from", "")))
        value = copy.deepcopy(_get(document, source))
        return _add(_remove(document, source) if kind == "move" else document, path, value)
    if kind == "test":
        if _get(document, path) != _value(operation):
            raise _fault(f"testing value {operation['path']} failed", reason="Invalid")
        return document
    raise _fault(f"unexpected kind: {kind}")


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise _fault(f"{operation.get('op')} operation does not contain a value")
    return operation["value"]


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise _fault(f'the path "{text}" does not begin with a slash')
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = _child(document, part)
    return document


def _child(document: Any, part: str) -> Any:
    if isinstance(document, dict) and part in document:
        return document[part]
    if isinstance(document, list) and part.isdigit() and int(part) < len(document):
        return document[int(part)]
    raise _fault(f"the document has no value at {part}", reason="Invalid")


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and (last == "-" or (last.isdigit() and int(last) <= len(parent))):
        parent.insert(len(parent) if last == "-" else int(last), value)
    else:
        raise _fault(f"nothing can be added at {last}", reason="Invalid")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise _fault("the whole document cannot be removed")
    _get(document, path)
    parent, last = _get(document, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _fault(message: str, reason: str = "BadRequest") -> Refused:
    return Refused(INVALID_ARGUMENT, f"the patch cannot be applied: {message}", reason=reason)
