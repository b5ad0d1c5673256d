"""Compares the quotas and limit ranges of the namespace with what the workflow's pods request. Kubernetes refuses a pod that breaks one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from hera_utils.platforms.cluster_messages import ClusterRequest
from hera_utils.preflight.finding import Finding, good, problem, unknown, warning
from hera_utils.preflight.inquiry import Target
from hera_utils.preflight.needs import PodSize, amount

Json = dict[str, Any]

_OF_CONTAINERS = ("cpu", "memory", "ephemeral-storage")


def check_quotas(target: Target) -> Iterator[Finding]:
    """The findings of ResourceQuotas and LimitRanges, which are read at the same time."""
    assert target.asker is not None
    counted, ranges = target.asker(
        ClusterRequest("GET", target.core("resourcequotas")), ClusterRequest("GET", target.core("limitranges"))
    )
    limits = [limit for item in (ranges.body.get("items") or [] if ranges.ok else []) for limit in _limits_of(item)]
    unseen = [word for word, answer in (("quotas", counted), ("limit ranges", ranges)) if not answer.ok]
    if unseen:
        yield unknown("quota", f"the {' and '.join(unseen)} of the namespace cannot be read (permission is missing)")
    if ranges.ok:
        yield from _check_limit_ranges(target, limits)
    if not counted.ok:
        return
    items = counted.body.get("items") or []
    troubles = [trouble for item in items for trouble in _check_quota(target, item, limits)]
    yield from troubles
    if not troubles:
        yield good(
            "quota",
            f"{len(items)} quotas leave room" if len(items) > 1 else "the quota leaves room" if items else "no quota",
        )


# --- quotas --------------------------------------------------------------------------------------------------------------


def _check_quota(target: Target, item: Json, limits: list[Json]) -> Iterator[Finding]:
    """A problem if a single pod does not fit, a warning if pods do not fit together, as they would wait."""
    name = str(item["metadata"]["name"])
    scoped = bool((item.get("spec") or {}).get("scopes") or (item.get("spec") or {}).get("scopeSelector"))
    blocks = warning if scoped else problem  # a scope (priority, termination…) may exclude the run's pods
    status = item.get("status") or {}
    hard, used = status.get("hard") or (item.get("spec") or {}).get("hard") or {}, status.get("used") or {}
    at_once = target.needs.pods_at_once.count
    fix = (
        f"free some (hera-utils ls; hera-utils delete NAME), see {target.kubectl(f'describe quota {name}')}, "
        "or ask the cluster's owner for more"
    )
    for resource, text in hard.items():
        left = amount(text) - amount(used.get(resource, "0"))
        largest, unset = _largest_request(target, resource, limits)
        if unset:
            message = f'quota "{name}" counts {resource}, and {unset[0]} requests none: its pod would be refused'
            yield blocks(
                "quota", message, f"set its resources ({_words(resource)}), or ask for a limit range with defaults"
            )
        elif largest is None or largest == 0:
            continue
        elif largest > amount(text):
            message = f'quota "{name}" is too small: {text} {resource} in all, one needs {_short(largest)}'
            yield blocks("quota", message, fix)
        elif largest > left:
            usage = f"{used.get(resource, '0')} of {text} {resource} are used"
            if resource.startswith("count/workflows"):
                yield blocks("quota", f'quota "{name}" is exhausted: {usage}', fix)
            else:  # Argo retries the creation of a pod that exceeds a quota (util/errors, transient)
                yield warning("quota", f'quota "{name}" is exhausted: {usage}; pods wait until some are released', fix)
        elif largest * at_once > left and not resource.startswith("count/workflows"):
            runs = int(left / largest)
            message = (
                f'quota "{name}" lets {runs} of {at_once} pods run at the same time ({resource}: {_short(left)} left)'
            )
            yield warning("quota", message, "the others wait; set parallelism, or ask the cluster's owner for more")


def _largest_request(target: Target, resource: str, limits: list[Json]) -> tuple[Fraction | None, list[str]]:
    """(the largest request of a pod for a resource, the containers that do not state it)."""
    if resource in ("pods", "count/pods"):
        return Fraction(1), []
    if resource == "count/workflows.argoproj.io":
        return Fraction(1), []
    kind, _, what = resource.rpartition(".")
    if not kind and resource in _OF_CONTAINERS:
        kind, what = "requests", resource
    if kind not in ("requests", "limits") or what not in _OF_CONTAINERS:
        return None, []
    unset: list[str] = []
    largest = Fraction(0)
    for size in target.needs.sizes:
        total = Fraction(0)
        for path, *_ in size.containers:
            value = amount_of(size, path, kind, what, limits)
            if value is None:
                unset.append(path)
            total += value or 0
        largest = max(largest, total)
    return largest, unset


def amount_of(size: PodSize, path: str, kind: str, what: str, limits: list[Json]) -> Fraction | None:
    """A container's request. If it states none, Kubernetes uses its limit, then the default of a LimitRange."""
    requests, own_limits = next((requests, limits) for at, requests, limits in size.containers if at == path)
    amount_text = (requests if kind == "requests" else own_limits).get(what)
    if amount_text is None and kind == "requests":
        amount_text = own_limits.get(what)
    if amount_text is None:
        field = "defaultRequest" if kind == "requests" else "default"
        amount_text = next(
            (
                limit[field][what]
                for limit in limits
                if limit.get("type") == "Container" and what in (limit.get(field) or {})
            ),
            None,
        )
    return None if amount_text is None else amount(amount_text)


# --- limit ranges --------------------------------------------------------------------------------------------------------


def _limits_of(item: Json) -> list[Json]:
    name = str((item.get("metadata") or {}).get("name"))
    return [{**limit, "name": name} for limit in (item.get("spec") or {}).get("limits") or []]


def _check_limit_ranges(target: Target, limits: list[Json]) -> Iterator[Finding]:
    troubles = list(dict.fromkeys(trouble for limit in limits for trouble in _check_limit_range(target, limit, limits)))
    yield from troubles
    if not troubles and limits:
        yield good("limit range", "the limit ranges accept its pods")


def _check_limit_range(target: Target, limit_range: Json, limits: list[Json]) -> Iterator[Finding]:
    kind = str(limit_range.get("type"))
    if kind == "Container":
        for size in target.needs.sizes:
            for path, *_ in size.containers:
                for what in _OF_CONTAINERS:
                    request, limit = (amount_of(size, path, side, what, limits) for side in ("requests", "limits"))
                    yield from _check_bounds(target, limit_range, what, path, request, limit)
    elif kind == "Pod":
        for size in target.needs.sizes:
            for what in _OF_CONTAINERS:
                sums = [_sum_of_containers(size, side, what, limits) for side in ("requests", "limits")]
                yield from _check_bounds(target, limit_range, what, f"template {size.template}", *sums)
    elif kind == "PersistentVolumeClaim":
        for volume in target.environment.volumes:
            yield from _check_bounds(
                target, limit_range, "storage", f"claim {volume.claim_name}", amount(volume.size), None
            )


def _sum_of_containers(size: PodSize, kind: str, what: str, limits: list[Json]) -> Fraction | None:
    values = [amount_of(size, path, kind, what, limits) for path, *_ in size.containers]
    return None if not values or None in values else sum((value for value in values if value is not None), Fraction(0))


def _check_bounds(
    target: Target, limit_range: Json, what: str, who: str, request: Fraction | None, limit: Fraction | None
) -> Iterator[Finding]:
    most, least = (limit_range.get("max") or {}).get(what), (limit_range.get("min") or {}).get(what)
    fix = (
        f"change it, or see {target.kubectl('describe limitrange ' + limit_range['name'])} and ask the cluster's owner"
    )
    name = f'limit range "{limit_range["name"]}"'
    largest = max((value for value in (request, limit) if value is not None), default=None)
    if most is not None and largest is not None and largest > amount(most):
        yield problem("limit range", f"{name} allows at most {most} {what}, {who} requests {_short(largest)}", fix)
    smallest = request if request is not None else limit
    if least is not None and smallest is not None and smallest < amount(least):
        yield problem("limit range", f"{name} requires at least {least} {what}, {who} requests {_short(smallest)}", fix)


def _words(resource: str) -> str:
    kind, _, what = resource.rpartition(".")
    return f"{kind or 'requests'}: {{{what}: …}}"


def _short(value: Fraction) -> str:
    """A quantity for display: 4Gi, 500m, 2."""
    if value < 1:
        return f"{int(value * 1000)}m"
    for size, suffix in ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
        if value >= size:
            return f"{float(value / size):.4g}{suffix}"
    return f"{float(value):.4g}"
