"""Kubernetes' validation of a container's resources, with its messages. Pure.

Source: pkg/apis/core/validation of Kubernetes 1.35. Limits come before requests; names of one kind in the order in which they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from hera_utils.argo.names import invalid_value, label_key_faults
from hera_utils.argo.pod_validation.errors import check_choice, forbidden, required
from hera_utils.argo.quantities import QuantityError, quantity

Json = dict[str, Any]

_OF_CONTAINERS = ("cpu", "memory", "ephemeral-storage")
_STANDARD = (*_OF_CONTAINERS, "storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
             "persistentvolumeclaims", "services.nodeports", "services.loadbalancers")  # fmt: skip
_HUGE = "hugepages-"
_REFERENCES = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_DIVISORS = {
    "cpu": ("1m", "1"),
    "memory": ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
}


def check_requirements(resources: Json, path: str) -> Iterator[str]:
    limits = resources.get("limits") or {}
    # In Kubernetes a limit without a request is also the request.
    requests = {
        **limits,
        **(resources.get("requests") or {}),
    }
    for name, text in limits.items():
        yield from _check_amount(name, str(text), f"{path}.limits[{name}]")
    for name, text in requests.items():
        yield from _check_amount(name, str(text), f"{path}.requests[{name}]")
        yield from _check_within_limit(name, str(text), limits, path)
    huge = any(name.startswith(_HUGE) for name in (*limits, *requests))
    if huge and not {"cpu", "memory"}.intersection((*limits, *requests)):
        yield forbidden(path, "HugePages require cpu or memory")


def _check_amount(name: str, text: str, path: str) -> Iterator[str]:
    yield from _check_resource_name(name, path)
    amount = _value(text)
    if amount is None:
        return
    if amount < 0:
        yield invalid_value(path, text, "must be greater than or equal to 0")
    if "/" in name and (amount * 1000) % 1000 != 0:
        yield invalid_value(path, text, "must be an integer")
    if name.startswith(_HUGE):
        page = _value(name.removeprefix(_HUGE))
        if page and (amount <= 0 or amount % page != 0):
            yield invalid_value(path, text, f"{text} is not positive integer multiple of {name}")


def _check_resource_name(name: str, path: str) -> Iterator[str]:
    faults = label_key_faults(name)
    yield from (invalid_value(path, name, fault) for fault in faults)
    if "/" not in name and not name.startswith(_HUGE):
        if not faults and name not in _STANDARD:
            yield invalid_value(path, name, "must be a standard resource type or fully qualified")
        if name not in _OF_CONTAINERS:
            yield invalid_value(path, name, "must be a standard resource for containers")


def _check_within_limit(name: str, text: str, limits: Json, path: str) -> Iterator[str]:
    """The complaint if a request exceeds its limit, or differs from it for a resource that cannot be shared."""
    shared = "/" not in name and not name.startswith(_HUGE)
    if name not in limits:
        if not shared:
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
        return
    limit = str(limits[name])
    amount, most = _value(text), _value(limit)
    if amount is None or most is None:
        return
    if not shared and amount != most:
        yield invalid_value(f"{path}.requests", text, f"must be equal to {name} limit of {limit}")
    elif amount > most:
        yield invalid_value(f"{path}.requests", text, f"must be less than or equal to {name} limit of {limit}")


def _value(text: str) -> Fraction | None:
    try:
        return quantity(text)
    except QuantityError:
        return None  # Argo refuses the workflow


def check_resource_reference(reference: Json, path: str) -> Iterator[str]:
    """The complaints about a variable's reference to the resources of a container (`resourceFieldRef`)."""
    resource = reference.get("resource") or ""
    if not resource:
        yield required(f"{path}.resource")
        return
    if not resource.startswith((f"limits.{_HUGE}", f"requests.{_HUGE}")):
        faults = list(check_choice(f"{path}.resource", resource, *_REFERENCES))
        if faults:
            yield from faults
            return
    kind = resource.partition(".")[2]
    allowed = _DIVISORS["cpu" if kind == "cpu" else "memory"]
    divisor = _value(str(reference.get("divisor") or "1"))
    if divisor not in (0, *map(_value, allowed)):
        what = "1m and 1" if kind == "cpu" else ", ".join(allowed)
        yield invalid_value(
            f"{path}.divisor", resource, f"only divisor's values {what} are supported with the {kind} resource"
        )
