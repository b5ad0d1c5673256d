"""Kubernetes' strategic merge, as Argo uses it to lay a workflow over its WorkflowTemplate and a template over its defaults.

Maps are merged; lists are replaced, save those whose elements have a key (`_KEYS`): these are merged element by element. Source of
the rules: apimachinery's strategicpatch and the patchMergeKey of Argo's and Kubernetes' types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hera_utils.argo import schema

Json = dict[str, Any]

_CONTAINERS = ("v1.Container", "v1alpha1.ScriptTemplate", "v1alpha1.UserContainer", "v1alpha1.ContainerNode")
_KEYS: dict[tuple[str, str], str] = {
    **{("v1alpha1.WorkflowSpec", name): "name" for name in ("templates", "volumes", "imagePullSecrets")},
    **{("v1alpha1.Template", name): "name" for name in ("volumes", "initContainers", "sidecars")},
    **{(f"v1alpha1.{kind}", "tolerations"): "key" for kind in ("WorkflowSpec", "Template")},
    **{(f"v1alpha1.{kind}", "hostAliases"): "ip" for kind in ("WorkflowSpec", "Template")},
    **{(f"v1alpha1.{kind}", "parameters"): "name" for kind in ("Inputs", "Outputs", "Arguments")},
    **{(f"v1alpha1.{kind}", "artifacts"): "name" for kind in ("Inputs", "Outputs", "Arguments")},
    ("v1alpha1.DAGTemplate", "tasks"): "name",
    **{(kind, "env"): "name" for kind in _CONTAINERS},
    **{(kind, "volumeMounts"): "mountPath" for kind in _CONTAINERS},
    **{(kind, "volumeDevices"): "devicePath" for kind in _CONTAINERS},
    **{(kind, "ports"): "containerPort" for kind in _CONTAINERS},
    ("v1.ObjectMeta", "ownerReferences"): "uid",
}


def merge(below: Mapping[str, Any], above: Mapping[str, Any], struct: str) -> Json:
    """`above` laid over `below`, both documents of that struct (`v1alpha1.WorkflowSpec`); neither is changed.

    Parts that only one of them has are shared with the result.
    """
    types = schema.fields(struct)
    merged = dict(below)
    for name, value in above.items():
        if value is None:
            merged.pop(name, None)
            continue
        merged[name] = _value(merged.get(name), value, struct, name, types.get(name, "any"))
    return merged


def _value(below: Any, above: Any, struct: str, name: str, declared: str) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        inner = schema.struct_of(declared)
        if inner is not None and "[" not in declared:
            return merge(below, above, inner)
        return _map(below, above, inner)
    if isinstance(below, list) and isinstance(above, list) and (struct, name) in _KEYS:
        return _list(below, above, _KEYS[struct, name], schema.struct_of(declared) or "")
    return above


def _map(below: Json, above: Json, inner: str | None) -> Json:
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif inner is not None and isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value, inner)
        else:
            merged[key] = value
    return merged


def _list(below: list[Json], above: list[Json], key: str, struct: str) -> list[Json]:
    """Elements with the same key are merged; the order is that of `above`, the others of `below` set before what followed them."""
    places = {element.get(key): index for index, element in enumerate(below)}
    wanted = {element.get(key) for element in above}
    upper = [merge(below[places[e.get(key)]], e, struct) if e.get(key) in places else e for e in above]
    lower = [element for element in below if element.get(key) not in wanted]
    ordered: list[Json] = []
    waiting = 0
    for element in upper:
        place = places.get(element.get(key), -1)
        while waiting < len(lower) and places[lower[waiting].get(key)] < place:
            ordered.append(lower[waiting])
            waiting += 1
        ordered.append(element)
    return ordered + lower[waiting:]
