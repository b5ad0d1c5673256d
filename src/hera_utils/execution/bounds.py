"""The fields of a template that limit where, how long, how often and with which resources its tasks run, not what they compute.

A user who raises a limit runs only the point that failed for lack of memory again: the points that are done stay done. Pure.
"""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

_OF_TEMPLATE = frozenset({
    "activeDeadlineSeconds", "affinity", "failFast", "metrics", "nodeSelector", "parallelism", "priority", "priorityClassName",
    "retryStrategy", "schedulerName", "synchronization", "timeout", "tolerations",
})  # fmt: skip
_OF_CONTAINER = frozenset({"resources"})
_CONTAINERS = ("initContainers", "sidecars")


def differs_only_in_bounds(before: str, after: str) -> bool:
    """Whether two JSON texts, of templates or of what all templates share, differ only in their bounds. False if one is not JSON."""
    try:
        old, new = json.loads(before), json.loads(after)
    except ValueError:
        return False
    return isinstance(old, dict) and isinstance(new, dict) and without_bounds(old) == without_bounds(new)


def without_bounds(template: Json) -> Json:
    """A template, or a spec's `templateDefaults`, without its bounds and without fields that are empty."""
    bare = {key: value for key, value in template.items() if key not in _OF_TEMPLATE}
    for key in ("container", "script"):
        if isinstance(bare.get(key), dict):
            bare[key] = _container(bare[key])
    for key in _CONTAINERS:
        if isinstance(bare.get(key), list):
            bare[key] = [_container(container) for container in bare[key]]
    if isinstance(bare.get("containerSet"), dict):
        group = {key: value for key, value in bare["containerSet"].items() if key not in _OF_TEMPLATE}
        bare["containerSet"] = {
            **group,
            "containers": [_container(container) for container in group.get("containers") or ()],
        }
    if isinstance(bare.get("templateDefaults"), dict):
        bare["templateDefaults"] = without_bounds(bare["templateDefaults"])
    return {key: value for key, value in bare.items() if value not in ({}, [], None)}


def _container(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    return {key: value for key, value in container.items() if key not in _OF_CONTAINER}
