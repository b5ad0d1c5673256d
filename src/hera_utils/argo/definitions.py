"""Kubernetes' checks by Argo's resource definitions, after Argo's server has accepted a document. Pure.

Source: the full definitions (manifests/base/crds/full of Argo 4.1), which an installation of Argo 4 has: patterns, choices, minima and
maxima of fields, required fields, names that must be unique in a list, and rules about a whole object. Their maximum lengths of lists (200
templates, 200 tasks, 500 parameters, 100 metrics) are not checked here; preflight/size_limits.py checks them for workflows that are sent
to a cluster. The messages are those of apiextensions-apiserver.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from hera_utils.argo import schema

Json = dict[str, Any]
Rule = Callable[[str, Any], Iterator[str]]
"""(path, value) → complaints."""

_NAME = r"^[a-zA-Z0-9][-a-zA-Z0-9]*$"
_METRIC = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
_LONGEST_NAME = 128
_MOST_FAULTS = 10


def _must_match(pattern: str, longest: int = 0) -> Rule:
    matches = re.compile(pattern.removesuffix("$") + r"\Z").match

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, str):
            return
        if longest and len(value) > longest:
            yield f"{path}: Too long: may not be more than {longest} bytes"
        if not matches(value):
            yield f"{path}: Invalid value: {_quote(value)}: {path} in body should match '{pattern}'"

    return check


def _must_be_one_of(*choices: str) -> Rule:
    supported = ", ".join(f'"{choice}"' for choice in choices)

    def check(path: str, value: Any) -> Iterator[str]:
        if isinstance(value, str) and value not in choices:
            yield f"{path}: Unsupported value: {_quote(value)}: supported values: {supported}"

    return check


def _must_be_between(least: int, largest: int | None = None) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            return
        if value < least:
            yield f"{path}: Invalid value: {value}: {path} in body should be greater than or equal to {least}"
        elif largest is not None and value > largest:
            yield f"{path}: Invalid value: {value}: {path} in body should be less than or equal to {largest}"

    return check


def _must_have_length(least: int, largest: int = 0) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if isinstance(value, str) and len(value) < least:
            yield f"{path}: Invalid value: {_quote(value)}: {path} in body should be at least {least} chars long"
        elif isinstance(value, str) and largest and len(value) > largest:
            yield f"{path}: Too long: may not be more than {largest} bytes"

    return check


def _must_not_be_empty(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, list) and not value:
        yield f"{path}: Invalid value: 0: {path} in body should have at least 1 items"


def _must_have_unique_items(*keys: str) -> Rule:
    """A list whose elements must differ in these fields."""

    def check(path: str, value: Any) -> Iterator[str]:
        keys_before: set[str] = set()
        for index, element in enumerate(value if isinstance(value, list) else ()):
            own = {key: element[key] for key in keys if isinstance(element, dict) and key in element}
            text = json.dumps(own, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
            if text in keys_before:
                yield f"{path}[{index}]: Duplicate value: {text}"
            keys_before.add(text)

    return check


_LOCATIONS = ("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")


def _several_locations_fault(artifact: Json) -> str:
    several = sum(artifact.get(place) is not None for place in _LOCATIONS) > 1
    return "at most one artifact location can be specified" if several else ""


def _two_manifests_fault(resource: Json) -> str:
    several = bool(resource.get("manifest")) and resource.get("manifestFrom") is not None
    return "only one of manifest or manifestFrom can be specified" if several else ""


# Required fields, which Argo's server writes as null if they are missing.
_REQUIRED: dict[str, tuple[str, ...]] = {
    "v1alpha1.Cache": ("configMap",),
    "v1alpha1.ContainerSetRetryStrategy": ("retries",),
    "v1alpha1.Data": ("transformation",),
    "v1alpha1.Gauge": ("realtime",),
    "v1alpha1.Histogram": ("buckets",),
    "v1alpha1.ManifestFrom": ("artifact",),
    "v1alpha1.Memoize": ("cache",),
    "v1alpha1.Metrics": ("prometheus",),
    "v1.NodeSelector": ("nodeSelectorTerms",),
}
_WHOLE: dict[str, Callable[[Json], str]] = {
    "v1alpha1.Artifact": _several_locations_fault,
    "v1alpha1.ResourceTemplate": _two_manifests_fault,
}
"""Rules about a whole object; they return "" if it keeps them. Kubernetes checks them unless other faults make the object unreadable."""
_UNREADABLE = ("Required value", "Unsupported value", "Too long")
NOT_CHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)

_CONTAINERS = ("v1.Container", "v1alpha1.UserContainer", "v1alpha1.ScriptTemplate", "v1alpha1.ContainerNode")
_RULES: dict[tuple[str, str], Rule] = {
    **{(f"v1alpha1.{kind}", "parallelism"): _must_be_between(1) for kind in ("WorkflowSpec", "Template")},
    **{
        (f"v1alpha1.{kind}", "name"): _must_match(_NAME, _LONGEST_NAME)
        for kind in ("Template", "WorkflowStep", "DAGTask")
    },
    ("v1alpha1.Parameter", "name"): _must_match("^[-a-zA-Z0-9_]+$"),
    ("v1alpha1.Parameter", "enum"): _must_not_be_empty,
    ("v1alpha1.Artifact", "name"): _must_match("^[-a-zA-Z0-9_{}.]+$"),
    ("v1alpha1.Artifact", "mode"): _must_be_between(0, 511),
    ("v1alpha1.Template", "steps"): _must_not_be_empty,
    ("v1alpha1.DAGTemplate", "tasks"): _must_not_be_empty,
    ("v1alpha1.ResourceTemplate", "action"): _must_be_one_of("get", "create", "apply", "delete", "replace", "patch"),
    ("v1alpha1.ResourceTemplate", "mergeStrategy"): _must_be_one_of("strategic", "merge", "json"),
    ("v1alpha1.RetryStrategy", "retryPolicy"): _must_be_one_of("Always", "OnFailure", "OnError", "OnTransientError"),
    ("v1alpha1.PodGC", "strategy"): _must_be_one_of(
        "", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"
    ),
    ("v1alpha1.ArtifactGC", "strategy"): _must_be_one_of("", "OnWorkflowCompletion", "OnWorkflowDeletion", "Never"),
    ("v1alpha1.S3Bucket", "addressingStyle"): _must_be_one_of("", "path", "virtual-hosted"),
    ("v1alpha1.Prometheus", "name"): _must_match(_METRIC),
    ("v1alpha1.Prometheus", "help"): _must_have_length(1),
    ("v1alpha1.MetricLabel", "key"): _must_match(_METRIC),
    ("v1alpha1.Counter", "value"): _must_have_length(1, 256),
    ("v1alpha1.Gauge", "value"): _must_have_length(1, 256),
    ("v1alpha1.Gauge", "operation"): _must_be_one_of("Set", "Add", "Sub"),
    ("v1alpha1.Histogram", "value"): _must_have_length(1, 256),
    **{(kind, "env"): _must_have_unique_items("name") for kind in _CONTAINERS},
    **{(kind, "volumeMounts"): _must_have_unique_items("mountPath") for kind in _CONTAINERS},
    **{(kind, "ports"): _must_have_unique_items("containerPort", "protocol") for kind in _CONTAINERS},
}


def faults(document: Json, kind: str) -> list[str]:
    """The complaints about the spec of an Argo object of that kind; [] if it is valid."""
    complaints: list[str] = []
    broken: list[str] = []
    found = _find_faults(document.get("spec") or {}, schema.fields(f"v1alpha1.{kind}").get("spec", ""), "spec", broken)
    for fault in found:
        complaints.append(fault)
        if len(complaints) == _MOST_FAULTS:
            break
    remarked = add_kubernetes_remark(complaints)
    return remarked if NOT_CHECKED in remarked else remarked + broken


def add_kubernetes_remark(complaints: list[str]) -> list[str]:
    """The complaints, with Kubernetes' remark if they prevent the check of the rules about whole objects."""
    unreadable = any(complaint.partition(": ")[2].startswith(_UNREADABLE) for complaint in complaints)
    return [*complaints, NOT_CHECKED] if unreadable else complaints


def _find_faults(value: Any, go_type: str, path: str, broken: list[str]) -> Iterator[str]:
    """The complaints about a value and its content. broken: receives those about whole objects."""
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _find_faults(element, go_type, f"{path}[{index}]", broken)
        return
    if not isinstance(value, dict):
        return
    struct = schema.struct_of(go_type)
    if struct is None:
        return
    if schema.is_map(go_type):
        for key, element in value.items():
            yield from _find_faults(element, struct, f"{path}.{key}", broken)
        return
    checks = _checks_of_struct(struct)
    for field in checks.required:
        if value.get(field) in (None, []):
            yield f"{path}.{field}: Required value"
    for rule in checks.whole:
        if wrong := rule(value):
            broken.append(f"{path}: Invalid value: {wrong}")
    for field, inner in value.items():
        below = f"{path}.{field}"
        if field in checks.rules:
            yield from checks.rules[field](below, inner)
        if inner is not None and field in checks.types:
            yield from _find_faults(inner, checks.types[field], below, broken)


@dataclass(frozen=True)
class _Checks:
    """The checks of a struct: field → Go type, for fields with checks inside; field → its rule; the required fields; the rules about
    the whole."""

    types: dict[str, str]
    rules: dict[str, Rule]
    required: tuple[str, ...]
    whole: tuple[Callable[[Json], str], ...]


@cache
def _checks_of_struct(struct: str) -> _Checks:
    own = [struct]
    for name in own:
        own += schema.embedded_structs(name)
    rules = {field: rule for (kind, field), rule in _RULES.items() if kind in own}
    types = {field: kind for field, kind in schema.fields(struct).items() if _has_rules(schema.struct_of(kind) or "")}
    required = tuple(field for kind in own for field in _REQUIRED.get(kind, ()))
    return _Checks(types, rules, required, tuple(_WHOLE[kind] for kind in own if kind in _WHOLE))


@cache
def _has_rules(struct: str) -> bool:
    """Whether a struct, or one inside of it, has rules."""
    todo, visited = [struct] if struct else [], {struct}
    while todo:
        name = todo.pop()
        inside = [
            *schema.embedded_structs(name),
            *(schema.struct_of(kind) or "" for kind in schema.fields(name).values()),
        ]
        if name in _REQUIRED or name in _WHOLE or any(kind == name for kind, _ in _RULES):
            return True
        todo += [one for one in inside if one and one not in visited]
        visited.update(inside)
    return False


def _quote(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
