"""Kubernetes' validation of a pod's spec, with its messages and order. Pure.

Source: pkg/apis/core/validation of Kubernetes 1.35, and the answers of a real API server. A cluster refuses to create an invalid pod, and
Argo marks its node as Error with this message. Each function checks one field; the tables at the end list them in Kubernetes' order.
containers.py checks the containers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from hera_utils.argo.names import (
    invalid_value,
    join_messages,
    label_faults,
    label_key_faults,
    label_value_faults,
    subdomain_faults,
)
from hera_utils.argo.pod_validation import affinity, containers, volumes
from hera_utils.argo.pod_validation.errors import (
    LARGEST_ID,
    check_address,
    check_between,
    check_choice,
    check_optional_choice,
    required,
)

Json = dict[str, Any]
Rule = Callable[[Json, Any, str], Iterator[str]]
"""(the pod's spec, the field's value, its path) → complaints."""

_MOST_NAMESERVERS, _MOST_SEARCHES = 3, 32
_SEARCH = re.compile(r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*\Z")
_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?\Z")
_SYSCTL_MESSAGE = r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_SEARCH_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"
)


def pod_fault(pod: Json, own: containers.Executor = containers.NO_EXECUTOR) -> str:
    """The reason why the API server would refuse the pod: `Pod "x" is invalid: …`; "" if it would accept it.

    own: the containers and volumes that Argo adds before those of the template. Kubernetes counts them, but here they do not exist.
    """
    faults = list(check_spec(pod["spec"], own))
    return f'Pod "{pod["metadata"]["name"]}" is invalid: {join_messages(faults)}' if faults else ""


def check_spec(spec: Json, own: containers.Executor) -> Iterator[str]:
    mountable = set(own.volumes)
    yield from volumes.check_volumes(spec.get("volumes") or (), len(own.volumes), mountable)
    yield from containers.check_containers(spec, own, mountable)
    for field, rule in _RULES:
        if spec.get(field) is not None:
            yield from rule(spec, spec[field], f"spec.{field}")


# --- one field each -----------------------------------------------------------------------------------------------------


def _check_dns_policy(spec: Json, value: Any, path: str) -> Iterator[str]:
    if value == "None" and not spec.get("dnsConfig"):
        yield required("spec.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
    elif value:
        yield from check_choice(path, value, "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def _check_dns_config(spec: Json, value: Any, path: str) -> Iterator[str]:
    servers, searches = value.get("nameservers") or (), value.get("searches") or ()
    if len(servers) > _MOST_NAMESERVERS:
        yield invalid_value(
            f"{path}.nameservers", list(servers), f"must not have more than {_MOST_NAMESERVERS} nameservers"
        )
    for index, address in enumerate(servers):
        yield from check_address(f"{path}.nameservers[{index}]", address)
    if len(searches) > _MOST_SEARCHES:
        yield invalid_value(
            f"{path}.searches", list(searches), f"must not have more than {_MOST_SEARCHES} search paths"
        )
    for index, search in enumerate(searches):
        if not _SEARCH.match(search.removesuffix(".")):
            yield invalid_value(f"{path}.searches[{index}]", search, _SEARCH_MESSAGE)
    for index, option in enumerate(value.get("options") or ()):
        if not option.get("name"):
            yield required(f"{path}.options[{index}]", "must not be empty")


def _check_node_selector(spec: Json, value: Any, path: str) -> Iterator[str]:
    for key, wanted in value.items():
        for fault in label_key_faults(key):
            yield invalid_value(path, key, fault)
        for fault in label_value_faults(str(wanted)):
            yield invalid_value(path, str(wanted), fault)


def _check_security_context(spec: Json, value: Any, path: str) -> Iterator[str]:
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        yield from check_between(f"{path}.{field}", value.get(field), 0, LARGEST_ID)
    for index, group in enumerate(value.get("supplementalGroups") or ()):
        yield from check_between(f"{path}.supplementalGroups[{index}]", group, 0, LARGEST_ID)
    names: set[str] = set()
    for index, sysctl in enumerate(value.get("sysctls") or ()):
        name, at = sysctl.get("name") or "", f"{path}.sysctls[{index}].name"
        if not name:
            yield required(at)
        elif not _SYSCTL.match(name):
            yield invalid_value(at, name, _SYSCTL_MESSAGE)
        elif name in names:
            yield f'{at}: Duplicate value: "{name}"'
        names.add(name)
    yield from check_optional_choice(
        f"{path}.fsGroupChangePolicy", value.get("fsGroupChangePolicy"), "Always", "OnRootMismatch"
    )
    yield from containers.check_seccomp_profile(value.get("seccompProfile"), f"{path}.seccompProfile")
    yield from check_optional_choice(
        f"{path}.supplementalGroupsPolicy", value.get("supplementalGroupsPolicy"), "Merge", "Strict"
    )


def _check_shared_processes(spec: Json, value: Any, path: str) -> Iterator[str]:
    if value and spec.get("hostPID"):
        at = "spec.securityContext.shareProcessNamespace"
        yield f"{at}: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled"


def _check_topology_spread(spec: Json, value: Any, path: str) -> Iterator[str]:
    for index, constraint in enumerate(value):
        at = f"{path}[{index}]"
        if (constraint.get("maxSkew") or 0) <= 0:
            yield invalid_value(f"{at}.maxSkew", constraint.get("maxSkew") or 0, "must be greater than zero")
        if not constraint.get("topologyKey"):
            yield required(f"{at}.topologyKey", "can not be empty")
        yield from check_choice(
            f"{at}.whenUnsatisfiable", constraint.get("whenUnsatisfiable") or "", "DoNotSchedule", "ScheduleAnyway"
        )


def _check_readiness_gates(spec: Json, value: Any, path: str) -> Iterator[str]:
    for index, gate in enumerate(value):
        for fault in label_key_faults(gate.get("conditionType") or ""):
            yield invalid_value(f"{path}[{index}].conditionType", gate.get("conditionType") or "", fault)


def _check_deadline(spec: Json, value: Any, path: str) -> Iterator[str]:
    yield from check_between(path, value, 1, LARGEST_ID)


def _check_tolerations(spec: Json, value: Any, path: str) -> Iterator[str]:
    for index, toleration in enumerate(value):
        yield from _check_toleration(toleration, f"{path}[{index}]")


def _check_toleration(toleration: Json, path: str) -> Iterator[str]:
    key, operator, effect, value = (toleration.get(field) or "" for field in ("key", "operator", "effect", "value"))
    if key:
        for fault in label_key_faults(key):
            yield invalid_value(f"{path}.key", key, fault)
    elif operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid_value(f"{path}.operator", operator, why)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield invalid_value(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if operator in ("", "Equal"):
        faults = label_value_faults(value)
        if faults:
            yield invalid_value(f"{path}.operator", value, ";".join(faults))
    elif operator == "Exists":
        if value:
            yield invalid_value(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'")
    else:
        yield from check_choice(f"{path}.operator", operator, "Equal", "Exists")
    yield from check_optional_choice(f"{path}.effect", effect, "NoSchedule", "PreferNoSchedule", "NoExecute")


def _check_host_aliases(spec: Json, value: Any, path: str) -> Iterator[str]:
    for index, alias in enumerate(value):
        yield from check_address(f"{path}[{index}].ip", alias.get("ip") or "")
        for place, name in enumerate(alias.get("hostnames") or ()):
            for fault in subdomain_faults(name):
                yield invalid_value(f"{path}[{index}].hostnames[{place}]", name, fault)


def _check_label(spec: Json, value: Any, path: str) -> Iterator[str]:
    if value:
        yield from (invalid_value(path, value, fault) for fault in label_faults(value))


def _check_subdomain(spec: Json, value: Any, path: str) -> Iterator[str]:
    if value:
        yield from (invalid_value(path, value, fault) for fault in subdomain_faults(value))


def _check_restart_policy(spec: Json, value: Any, path: str) -> Iterator[str]:
    yield from check_optional_choice(path, value, "Always", "OnFailure", "Never")


def _check_operating_system(spec: Json, value: Any, path: str) -> Iterator[str]:
    if not value.get("name"):
        yield required(f"{path}.name")
    else:
        yield from check_choice(path, value["name"], "linux", "windows")


_RULES: tuple[tuple[str, Rule], ...] = (
    ("restartPolicy", _check_restart_policy),
    ("dnsPolicy", _check_dns_policy),
    ("nodeSelector", _check_node_selector),
    ("shareProcessNamespace", _check_shared_processes),
    ("securityContext", _check_security_context),
    ("affinity", lambda spec, value, path: affinity.check_affinity(value, path)),
    ("dnsConfig", _check_dns_config),
    ("readinessGates", _check_readiness_gates),
    ("topologySpreadConstraints", _check_topology_spread),
    ("nodeName", _check_subdomain),
    ("activeDeadlineSeconds", _check_deadline),
    ("hostname", _check_label),
    ("subdomain", _check_label),
    ("tolerations", _check_tolerations),
    ("hostAliases", _check_host_aliases),
    ("runtimeClassName", _check_subdomain),
    ("os", _check_operating_system),
)
