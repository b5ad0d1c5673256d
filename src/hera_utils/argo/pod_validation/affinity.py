"""Kubernetes' validation of a pod's affinity, with its messages. Pure. Source: pkg/apis/core/validation of Kubernetes 1.35."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hera_utils.argo.names import invalid_value, label_key_faults
from hera_utils.argo.pod_validation.errors import forbidden, required

Json = dict[str, Any]

_REQUIRED, _PREFERRED = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))
_HEAVIEST = 100


def check_affinity(affinity: Json, path: str) -> Iterator[str]:
    nodes = affinity.get("nodeAffinity") or {}
    at = f"{path}.nodeAffinity"
    if nodes.get(_REQUIRED) is not None:
        terms = nodes[_REQUIRED].get("nodeSelectorTerms") or ()
        if not terms:
            yield required(f"{at}.{_REQUIRED}.nodeSelectorTerms", "must have at least one node selector term")
        for index, term in enumerate(terms):
            yield from _check_node_term(term, f"{at}.{_REQUIRED}.nodeSelectorTerms[{index}]")
    for index, weighted in enumerate(nodes.get(_PREFERRED) or ()):
        yield from _check_weight(weighted, f"{at}.{_PREFERRED}[{index}]")
        yield from _check_node_term(weighted.get("preference") or {}, f"{at}.{_PREFERRED}[{index}].preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind) or {}
        for index, term in enumerate(pods.get(_REQUIRED) or ()):
            yield from _check_pod_term(term, f"{path}.{kind}.{_REQUIRED}[{index}]")
        for index, weighted in enumerate(pods.get(_PREFERRED) or ()):
            yield from _check_weight(weighted, f"{path}.{kind}.{_PREFERRED}[{index}]")
            yield from _check_pod_term(
                weighted.get("podAffinityTerm") or {}, f"{path}.{kind}.{_PREFERRED}[{index}].podAffinityTerm"
            )


def _check_weight(weighted: Json, path: str) -> Iterator[str]:
    weight = weighted.get("weight") or 0
    if not 1 <= weight <= _HEAVIEST:
        yield invalid_value(f"{path}.weight", weight, f"must be in the range 1-{_HEAVIEST}")


def _check_node_term(term: Json, path: str) -> Iterator[str]:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        yield from _check_expression(expression, f"{path}.matchExpressions[{index}]")


def _check_expression(expression: Json, path: str) -> Iterator[str]:
    yield from _check_values(expression, path, of_numbers=True)
    for fault in label_key_faults(expression.get("key") or ""):
        yield invalid_value(f"{path}.key", expression.get("key") or "", fault)


def _check_values(expression: Json, path: str, *, of_numbers: bool) -> Iterator[str]:
    """Complaints about an operator and its number of values. of_numbers: whether labels (those of nodes) may be compared as numbers."""
    operator, values = expression.get("operator") or "", expression.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif of_numbers and operator in ("Gt", "Lt"):
        if len(values) != 1:
            yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        yield invalid_value(f"{path}.operator", operator, "not a valid selector operator")


def _check_pod_term(term: Json, path: str) -> Iterator[str]:
    for index, expression in enumerate((term.get("labelSelector") or {}).get("matchExpressions") or ()):
        yield from _check_values(expression, f"{path}.labelSelector.matchExpressions[{index}]", of_numbers=False)
    key = term.get("topologyKey") or ""
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    for fault in label_key_faults(key):
        yield invalid_value(f"{path}.topologyKey", key, fault)
