"""Merges of one document into another: JSON merge patch (RFC 7386), and Kubernetes' strategic merge patch.

A strategic merge goes by the schema. Maps are merged; a list is replaced, unless its field has a merge key (`_MERGE_KEYS`): then its
elements are merged one by one, in the order of the patch, and an element that only the document has stays before its successor. A patch
may contain directives: `$patch: delete` and `$patch: replace` (of a map, or of an element of a list), `$retainKeys`,
`$setElementOrder/FIELD`, `$deleteFromPrimitiveList/FIELD`. Source: apimachinery's strategicpatch/patch.go, and the tags patchStrategy
and patchMergeKey of Kubernetes' and Argo's types. The arguments are not changed; the result may share parts with them.
"""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import Any

from hera_utils.argo import schema

Json = dict[str, Any]

_CONTAINERS = (
    "v1.Container", "v1.EphemeralContainer", "v1alpha1.ScriptTemplate", "v1alpha1.UserContainer", "v1alpha1.ContainerNode",
)  # fmt: skip
_MERGE_KEYS: dict[tuple[str, str], str] = {
    **{("v1alpha1.WorkflowSpec", name): "name" for name in ("templates", "volumes", "imagePullSecrets")},
    **{("v1alpha1.Template", name): "name" for name in ("volumes", "initContainers", "sidecars")},
    **{(f"v1alpha1.{kind}", "tolerations"): "key" for kind in ("WorkflowSpec", "Template")},
    **{(f"v1alpha1.{kind}", "hostAliases"): "ip" for kind in ("WorkflowSpec", "Template")},
    **{(f"v1alpha1.{kind}", "parameters"): "name" for kind in ("Inputs", "Outputs", "Arguments")},
    **{(f"v1alpha1.{kind}", "artifacts"): "name" for kind in ("Inputs", "Outputs", "Arguments")},
    ("v1alpha1.DAGTemplate", "tasks"): "name",
    ("v1.ServiceSpec", "ports"): "port",
    **{(kind, "env"): "name" for kind in _CONTAINERS},
    **{(kind, "volumeMounts"): "mountPath" for kind in _CONTAINERS},
    **{(kind, "volumeDevices"): "devicePath" for kind in _CONTAINERS},
    **{(kind, "ports"): "containerPort" for kind in _CONTAINERS},
    **{("v1.PodSpec", name): "name" for name in ("containers", "initContainers", "ephemeralContainers", "volumes")},
    **{("v1.PodSpec", name): "name" for name in ("imagePullSecrets", "resourceClaims", "schedulingGates")},
    ("v1.PodSpec", "hostAliases"): "ip",
    ("v1.PodSpec", "topologySpreadConstraints"): "topologyKey",
    **{(f"v1.{kind}Status", "conditions"): "type" for kind in ("Pod", "Job", "Namespace", "PersistentVolumeClaim")},
    **{("v1.PodStatus", name): "ip" for name in ("hostIPs", "podIPs")},
    ("v1.ServiceAccount", "secrets"): "name",
    ("v1.ObjectMeta", "ownerReferences"): "uid",
    ("v1.ObjectMeta", "finalizers"): "",
}
"""(struct, field) → the merge key of a list; "" for a list of plain values, which is merged as a set."""

_POD = {"metadata": "v1.ObjectMeta", "spec": "v1.PodSpec"}
_FIELDS: dict[str, dict[str, str]] = {
    "v1.Pod": {**_POD, "status": "v1.PodStatus"},
    "v1.PodTemplateSpec": _POD,
    "v1.PodSpec": {
        **dict.fromkeys(("containers", "initContainers"), "[]v1.Container"),
        "ephemeralContainers": "[]v1.EphemeralContainer",
    },
    "v1.PodStatus": {},
    "v1.EphemeralContainer": {},
    "v1.Job": {"metadata": "v1.ObjectMeta", "spec": "v1.JobSpec", "status": "v1.JobStatus"},
    "v1.JobSpec": {"template": "v1.PodTemplateSpec"},
    **dict.fromkeys(("v1.Deployment", "v1.StatefulSet"), {"metadata": "v1.ObjectMeta", "spec": "v1.SetSpec", "status": "v1.SetStatus"}),
    "v1.SetSpec": {"template": "v1.PodTemplateSpec"},
    "v1.Service": {"metadata": "v1.ObjectMeta", "spec": "v1.ServiceSpec", "status": "v1.ServiceStatus"},
    **{f"v1.{kind}": {"metadata": "v1.ObjectMeta", "status": f"v1.{kind}Status"} for kind in ("Namespace", "PersistentVolumeClaim")},
}  # fmt: skip
"""The fields with structs inside, for structs that Argo's schema does not contain."""

_ORDER, _DELETED = "$setElementOrder/", "$deleteFromPrimitiveList/"


class PatchError(ValueError):
    """A patch cannot be applied; the message is Kubernetes'."""


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7386: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge(document: Mapping[str, Any], patch: Mapping[str, Any], struct: str) -> Json:
    """The document with the patch merged into it, both of that struct (`v1alpha1.WorkflowSpec`, `v1.PodSpec`, `v1.ConfigMap`).

    Raises PatchError.
    """
    return _merge_map(document, patch, struct)


def _merge_map(document: Mapping[str, Any], patch: Mapping[str, Any], go_type: str) -> Json:
    directive = patch.get("$patch")
    if directive == "replace":
        return _without_directives(patch)
    if directive == "delete":
        return {}
    if "$patch" in patch:
        raise PatchError(f"unknown patch type: {directive} in map: {_go_text(patch)}")
    merged = _with_retained_keys(document, patch)
    for key, value in patch.items():
        if key.startswith(_ORDER):
            field = key.removeprefix(_ORDER)
            if field not in patch and isinstance(merged.get(field), list):
                merged[field] = _sort_by_order(merged[field], value, merged[field], _merge_key(go_type, field) or "")
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge_map(merged[key], value, _type_of(go_type, key))
        elif isinstance(value, list):
            merged[key] = _merge_field(merged.get(key), value, go_type, key, patch.get(_ORDER + key))
        elif _is_directive(value):
            merged.pop(key, None)
        else:
            merged[key] = _value_of_new_field(value)
    for key, value in patch.items():
        field = key.removeprefix(_DELETED)
        if key.startswith(_DELETED) and isinstance(merged.get(field), list) and isinstance(value, list):
            deleted = _set_of(value)
            merged[field] = [element for element in merged[field] if _hashable_form(element) not in deleted]
    return merged


def _with_retained_keys(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """The document with only the keys in `$retainKeys`, if the patch has it."""
    if "$retainKeys" not in patch:
        return dict(document)
    keys = _set_of(patch["$retainKeys"]) if isinstance(patch["$retainKeys"], list) else frozenset()
    if any(key not in keys for key, value in patch.items() if value is not None and not key.startswith("$")):
        raise PatchError("invalid patch format of retainKeys")
    return {key: value for key, value in document.items() if key in keys}


def _set_of(values: list[Any]) -> frozenset[Any]:
    """The values as a set, for fast comparisons."""
    return frozenset(map(_hashable_form, values))


def _hashable_form(value: Any) -> Any:
    """A hashable form of a value that equals no text unless the value is that text."""
    return (json.dumps(value, sort_keys=True),) if isinstance(value, (dict, list)) else value


def _merge_field(document: Any, patch: list[Any], struct: str, field: str, order: Any) -> list[Any]:
    """Merge a list. order: that of `$setElementOrder`."""
    key = _merge_key(struct, field)
    merged: list[Any]
    if not isinstance(document, list):
        merged = _value_of_new_field(patch)
    elif key is None:
        merged = _strip_directives(patch)
    else:
        merged = _merge_list(document, patch, key, _type_of(struct, field))
    if order is None:
        return merged
    return _sort_by_order(merged, order, document if isinstance(document, list) else [], key or "")


def _merge_list(document: list[Any], patch: list[Any], key: str, go_type: str) -> list[Any]:
    both = [*document, *patch]
    if any(isinstance(element, list) for element in both):
        raise PatchError("lists of lists are not supported")
    if len({isinstance(element, dict) for element in both}) > 1:
        raise PatchError(f"list element types are not identical: {_go_text([document, patch])}")
    if not key:
        return _sort_by_order(
            list({_hashable_form(element): element for element in both}.values()), patch, document, ""
        )
    document, patch = _apply_directives(document, patch, key)
    merged = list(document)
    places = {_hashable_form(element.get(key)): place for place, element in reversed(list(enumerate(merged)))}
    for element in patch:
        if key not in element:
            raise _no_merge_key(element, key)
        name = _hashable_form(element[key])
        place = places.get(name)
        if place is None:
            places[name] = len(merged)
            merged.append(_strip_directives(element))
        else:
            merged[place] = _merge_map(merged[place], element, go_type)
    return _sort_by_order(merged, patch, document, key)


def _apply_directives(document: list[Json], patch: list[Json], key: str) -> tuple[list[Json], list[Json]]:
    """(the document without the elements that the patch deletes or replaces, the elements of the patch to merge)."""
    elements = [element for element in patch if "$patch" not in element]
    replaced, deleted = False, list[Any]()
    for element in patch:
        directive = element.get("$patch")
        if directive == "replace":
            replaced = True
        elif directive == "delete":
            if key not in element:
                raise _no_merge_key(element, key)
            deleted.append(element[key])
        elif directive == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch")
        elif "$patch" in element:
            raise PatchError(f"unknown patch type: {directive} in map: {_go_text(element)}")
    if replaced:
        return _strip_directives(elements), []
    gone = _set_of(deleted)
    return [element for element in document if _hashable_form(element.get(key)) not in gone], elements


def _sort_by_order(merged: list[Any], order: Any, before: list[Any], key: str) -> list[Any]:
    """The elements in `order` in that order; each other element stands before its successor in the list `before`."""

    if not isinstance(order, list):
        raise PatchError("invalid patch format of setElementOrder list")

    def identity(element: Any) -> Any:
        return _hashable_form(element.get(key) if key and isinstance(element, dict) else element)

    def places_in(elements: list[Any]) -> dict[Any, int]:
        return {identity(element): place for place, element in reversed(list(enumerate(elements)))}

    ranks, places = places_in(order), places_in(before)
    upper = [element for element in merged if identity(element) in ranks]
    upper.sort(key=lambda element: ranks[identity(element)])
    lower = [element for element in merged if identity(element) not in ranks]
    lower.sort(key=lambda element: places.get(identity(element), len(places)))
    ordered: list[Any] = []
    rest = deque(lower)
    for element in upper:
        place = places.get(identity(element), -1)
        while rest and places.get(identity(rest[0]), len(places)) < place:
            ordered.append(rest.popleft())
        ordered.append(element)
    return [*ordered, *rest]


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and "$patch" in value


def _value_of_new_field(value: Any) -> Any:
    """The value of a new field; directives in it delete the map or element that contains them."""
    if isinstance(value, dict):
        fields = {key: inner for key, inner in value.items() if inner is not None and not key.startswith("$")}
        return {key: _value_of_new_field(inner) for key, inner in fields.items() if not _is_directive(inner)}
    if isinstance(value, list):
        return [_value_of_new_field(element) for element in value if not _is_directive(element)]
    return value


def _strip_directives(value: Any) -> Any:
    """A value without its directives, which have no effect here: Kubernetes drops them when it reads the result."""
    if isinstance(value, dict):
        return _without_directives(value)
    return [_strip_directives(element) for element in value] if isinstance(value, list) else value


def _without_directives(value: Mapping[str, Any]) -> Json:
    return {
        key: _strip_directives(inner) for key, inner in value.items() if inner is not None and not key.startswith("$")
    }


# --- the schema ---------------------------------------------------------------------------------------------------------
def _merge_key(go_type: str, field: str) -> str | None:
    """The merge key of a list; None if the list is replaced, "" if its elements are plain values."""
    return None if schema.is_map(go_type) else _MERGE_KEYS.get((_struct_name(go_type), field))


def _type_of(go_type: str, field: str) -> str:
    """The Go type of a field, or of the values if the type is a map; "" if unknown."""
    return _struct_name(go_type) if schema.is_map(go_type) else _field_types(_struct_name(go_type)).get(field, "")


def _struct_name(go_type: str) -> str:
    return schema.struct_of(go_type) or ("" if schema.is_map(go_type) else go_type.lstrip("*[]"))


@cache
def _field_types(struct: str) -> dict[str, str]:
    if struct in schema.type_names():
        return schema.fields(struct)
    if struct in _FIELDS:
        return _FIELDS[struct]
    return {"metadata": "v1.ObjectMeta"} if struct.startswith("v1.") else {}


def _no_merge_key(element: Json, key: str) -> PatchError:
    return PatchError(f"map: {_go_text(element)} does not contain declared merge key: {key}")


def _go_text(value: Any) -> str:
    """Format a value like Go's %v."""
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go_text, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
