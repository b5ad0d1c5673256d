"""Kubernetes' validation of a pod's containers, with its messages and order. Pure.

Source: pkg/apis/core/validation of Kubernetes 1.35, and the answers of a real API server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.names import config_key_faults, invalid_value, label_faults, subdomain_faults
from hera_utils.argo.pod_validation import resources, volumes
from hera_utils.argo.pod_validation.errors import (
    LARGEST_ID,
    check_between,
    check_choice,
    check_optional_choice,
    forbidden,
    required,
)
from hera_utils.argo.pod_validation.references import check_field_reference

Json = dict[str, Any]

_LARGEST_PORT = 65535
_LONGEST_PORT_NAME = 15
_VARIABLE = re.compile(r"[ -<>-~]+\Z")
_HEADER = re.compile(r"[-A-Za-z0-9]+\Z")
_HEADER_MESSAGE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is "
    "'[-A-Za-z0-9]+')"
)
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ONLY_ALWAYS = "may not be set for init containers without restartPolicy=Always"


@dataclass(frozen=True)
class Executor:
    """Argo's additions to a pod before those of the template: the names of its containers, init containers and volumes."""

    containers: tuple[str, ...] = ()
    inits: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


NO_EXECUTOR = Executor()
ARGO = Executor(("wait",), ("init",), ("var-run-argo", "tmp-dir-argo"))


def check_containers(spec: Json, own: Executor, mountable: set[str]) -> Iterator[str]:
    """The complaints about all containers. mountable: the names of valid volumes."""
    containers, inits = spec.get("containers") or (), spec.get("initContainers") or ()
    if own.containers:  # the executor mounts what the main container does
        for container in containers:
            if container.get("name") == "main":
                yield from _check_mounts(
                    {"volumeMounts": container.get("volumeMounts")}, "spec.containers[0]", mountable, mirrored=True
                )
    names = set(own.containers)
    for index, container in enumerate(containers, start=len(own.containers)):
        path = f"spec.containers[{index}]"
        yield from _check_common_fields(container, path, mountable)
        yield from _check_unique_name(container, path, names)
        yield from _check_lifecycle(container.get("lifecycle") or {}, f"{path}.lifecycle")
        yield from _check_probes(container, path)
        yield from check_optional_choice(
            f"{path}.restartPolicy", container.get("restartPolicy"), "Always", "Never", "OnFailure"
        )
    yield from _check_port_conflicts(containers, len(own.containers))
    for index, name in enumerate(own.inits):
        yield from _check_unique_name({"name": name}, f"spec.initContainers[{index}]", names)
    for index, container in enumerate(inits, start=len(own.inits)):
        yield from _check_init_container(container, f"spec.initContainers[{index}]", names, mountable)
    if spec.get("hostNetwork"):
        yield from _check_host_network(containers, len(own.containers))
    for group, listed, before in (("containers", containers, own.containers), ("initContainers", inits, own.inits)):
        for index, container in enumerate(listed, start=len(before)):
            image = container.get("image") or ""
            if image != image.strip():
                yield invalid_value(
                    f"spec.{group}[{index}].image", image, "must not have leading or trailing whitespace"
                )


def _check_init_container(container: Json, path: str, names: set[str], mountable: set[str]) -> Iterator[str]:
    yield from _check_common_fields(container, path, mountable)
    yield from check_optional_choice(
        f"{path}.restartPolicy", container.get("restartPolicy"), "Always", "Never", "OnFailure"
    )
    yield from _check_unique_name(container, path, names)
    if container.get("restartPolicy") == "Always":
        yield from _check_lifecycle(container.get("lifecycle") or {}, f"{path}.lifecycle")
        yield from _check_probes(container, path)
        return
    for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(field) is not None:
            yield forbidden(f"{path}.{field}", _ONLY_ALWAYS)


def _check_unique_name(container: Json, path: str, names: set[str]) -> Iterator[str]:
    name = container.get("name") or ""
    if name in names:
        yield f'{path}.name: Duplicate value: "{name}"'
    names.add(name)


def _check_common_fields(container: Json, path: str, mountable: set[str]) -> Iterator[str]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    else:
        yield from (invalid_value(f"{path}.name", name, fault) for fault in label_faults(name))
    if not container.get("image"):
        yield required(f"{path}.image")
    policy = container.get("terminationMessagePolicy")
    yield from check_optional_choice(f"{path}.terminationMessagePolicy", policy, "File", "FallbackToLogsOnError")
    yield from _check_ports(container.get("ports") or (), f"{path}.ports")
    for index, variable in enumerate(container.get("env") or ()):
        yield from _check_variable(variable, f"{path}.env[{index}]")
    for index, source in enumerate(container.get("envFrom") or ()):
        yield from _check_variable_source(source, f"{path}.envFrom", index)
    yield from _check_mounts(container, path, mountable)
    yield from check_optional_choice(
        f"{path}.imagePullPolicy", container.get("imagePullPolicy"), "Always", "IfNotPresent", "Never"
    )
    yield from resources.check_requirements(container.get("resources") or {}, f"{path}.resources")
    yield from _check_security_context(container.get("securityContext") or {}, f"{path}.securityContext")


# --- ports --------------------------------------------------------------------------------------------------------------


def _check_ports(ports: Sequence[Json], path: str) -> Iterator[str]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"{path}[{index}]", port.get("name") or ""
        faults = list(_check_port_name(name)) if name else []
        yield from (invalid_value(f"{at}.name", name, fault) for fault in faults)
        if not faults and name in names:
            yield f'{at}.name: Duplicate value: "{name}"'
        if name and not faults:
            names.add(name)
        if not port.get("containerPort"):
            yield required(f"{at}.containerPort")
        else:
            yield from check_between(f"{at}.containerPort", port["containerPort"], 1, _LARGEST_PORT)
        if port.get("hostPort"):
            yield from check_between(f"{at}.hostPort", port["hostPort"], 1, _LARGEST_PORT)
        yield from check_optional_choice(f"{at}.protocol", port.get("protocol"), "SCTP", "TCP", "UDP")


def _check_port_name(name: str) -> Iterator[str]:
    if len(name) > _LONGEST_PORT_NAME:
        yield f"must be no more than {_LONGEST_PORT_NAME} characters"
    if not re.match(r"[-a-z0-9]+\Z", name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search(r"[a-z]", name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
    if name[:1] == "-" or name[-1:] == "-":
        yield "must not begin or end with a hyphen"


def _check_port_conflicts(containers: Sequence[Json], before: int) -> Iterator[str]:
    used: set[str] = set()
    for index, container in enumerate(containers, start=before):
        for place, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort"):
                key = f"{port.get('protocol') or 'TCP'}/{port.get('hostIP') or ''}/{port['hostPort']}"
                if key in used:
                    yield f'spec.containers[{index}].ports[{place}].hostPort: Duplicate value: "{key}"'
                used.add(key)


def _check_host_network(containers: Sequence[Json], before: int) -> Iterator[str]:
    for index, container in enumerate(containers, start=before):
        for place, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort") and port["hostPort"] != port.get("containerPort"):
                at = f"spec.containers[{index}].ports[{place}].hostPort"
                yield invalid_value(at, port["hostPort"], "must match `containerPort` when `hostNetwork` is true")


# --- variables ----------------------------------------------------------------------------------------------------------


def _check_variable_name(name: str, path: str) -> Iterator[str]:
    if not _VARIABLE.match(name):
        yield invalid_value(
            path,
            name,
            "a valid environment variable name must consist only of printable ASCII characters other than '='",
        )


def _check_variable(variable: Json, path: str) -> Iterator[str]:
    name = variable.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    else:
        yield from _check_variable_name(name, f"{path}.name")
    source = variable.get("valueFrom")
    if source is None:
        return
    at = f"{path}.valueFrom"
    sources = [field for field in _SOURCES if source.get(field) is not None]
    if "fieldRef" in sources:
        yield from check_field_reference(source["fieldRef"], f"{at}.fieldRef")
    if "resourceFieldRef" in sources:
        yield from resources.check_resource_reference(source["resourceFieldRef"], f"{at}.resourceFieldRef")
    for field in ("configMapKeyRef", "secretKeyRef"):
        if field in sources:
            yield from _check_key_reference(source[field], f"{at}.{field}")
    if not sources:
        listed = ", ".join(f"`{field}`" for field in _SOURCES[:-1])
        yield invalid_value(at, "", f"must specify one of: {listed} or `{_SOURCES[-1]}`")
    elif variable.get("value"):
        yield invalid_value(at, "", "may not be specified when `value` is not empty")
    elif len(sources) > 1:
        yield invalid_value(at, "", "may not have more than one field specified at a time")


def _check_key_reference(reference: Json, path: str) -> Iterator[str]:
    name, key = reference.get("name") or "", reference.get("key") or ""
    yield from (invalid_value(f"{path}.name", name, fault) for fault in subdomain_faults(name))
    if not key:
        yield required(f"{path}.key")
    else:
        yield from (invalid_value(f"{path}.key", key, fault) for fault in config_key_faults(key))


def _check_variable_source(source: Json, path: str, index: int) -> Iterator[str]:
    if source.get("prefix"):
        yield from _check_variable_name(source["prefix"], f"{path}[{index}].prefix")
    sources = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
    for field in sources:
        if not source[field].get("name"):
            yield required(f"{path}[{index}].{field}.name")
    if not sources:
        yield invalid_value(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(sources) > 1:
        yield invalid_value(path, "", "may not have more than one field specified at a time")


# --- mounts -------------------------------------------------------------------------------------------------------------


def _check_mounts(container: Json, path: str, mountable: set[str], *, mirrored: bool = False) -> Iterator[str]:
    """The complaints about mounts. mirrored: whether they are the executor's copies of these mounts, below another folder."""
    places: set[str] = set()
    privileged = (container.get("securityContext") or {}).get("privileged")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        at, name = f"{path}.volumeMounts[{index}]", mount.get("name") or ""
        if not name:
            yield required(f"{at}.name")
        if name not in mountable:
            yield f'{at}.name: Not found: "{name}"'
        place = mount.get("mountPath") or ""
        if not place and not mirrored:
            yield required(f"{at}.mountPath")
        if place in places:
            yield invalid_value(f"{at}.mountPath", place, "must be unique")
        places.add(place)
        yield from _check_mount(mount, at, f"{path}.volumeMounts", privileged=bool(privileged))


def _check_mount(mount: Json, at: str, path: str, *, privileged: bool) -> Iterator[str]:
    """The complaints about one mount. path: that of the list of mounts, which Kubernetes names for some fields."""
    within, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    if within:
        yield from volumes.check_descending_path(within, f"{path}.subPath")
    if expression:
        if within:
            yield invalid_value(f"{at}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        yield from volumes.check_descending_path(expression, f"{path}.subPathExpr")
    propagation = mount.get("mountPropagation") or ""
    yield from check_optional_choice(
        f"{path}.mountPropagation", propagation, "Bidirectional", "HostToContainer", "None"
    )
    if propagation == "Bidirectional" and not privileged:
        why = "Bidirectional mount propagation is available only to privileged containers"
        yield forbidden(f"{path}.mountPropagation", why)
    recursive = mount.get("recursiveReadOnly") or ""
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            yield forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true")
        if propagation not in ("", "None"):
            why = "may only be specified when mountPropagation is None or not specified"
            yield forbidden(f"{path}.recursiveReadOnly", why)
    else:
        yield from check_optional_choice(f"{path}.recursiveReadOnly", recursive, "Disabled", "Enabled", "IfPossible")


# --- probes -------------------------------------------------------------------------------------------------------------


def _check_lifecycle(lifecycle: Json, path: str) -> Iterator[str]:
    for field in ("postStart", "preStop"):
        if lifecycle.get(field) is not None:
            yield from _check_handler(lifecycle[field], f"{path}.{field}")


def _check_probes(container: Json, path: str) -> Iterator[str]:
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(field)
        if probe is None:
            continue
        at = f"{path}.{field}"
        yield from _check_probe(probe, at)
        grace, successes = probe.get("terminationGracePeriodSeconds"), probe.get("successThreshold")
        if field == "readinessProbe":
            if grace is not None:
                yield invalid_value(f"{at}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
        elif successes not in (None, 0, 1):
            yield invalid_value(f"{at}.successThreshold", successes, "must be 1")


def _check_probe(probe: Json, path: str) -> Iterator[str]:
    yield from _check_handler(probe, path)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if (probe.get(field) or 0) < 0:
            yield invalid_value(f"{path}.{field}", probe[field], "must be greater than or equal to 0")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid_value(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def _check_handler(handler: Json, path: str) -> Iterator[str]:
    given = [kind for kind in _HANDLERS if handler.get(kind) is not None]
    if not given:
        yield required(path, "must specify a handler type")
        return
    yield from _ACTIONS.get(given[0], _check_nothing)(handler[given[0]], f"{path}.{given[0]}")
    for kind in given[1:]:
        yield forbidden(f"{path}.{kind}", "may not specify more than 1 handler type")


def _check_nothing(action: Json, path: str) -> Iterator[str]:
    return iter(())


def _check_command(action: Json, path: str) -> Iterator[str]:
    if not action.get("command"):
        yield required(f"{path}.command")


def _check_http_get(action: Json, path: str) -> Iterator[str]:
    yield from _check_port(action, path)
    yield from check_optional_choice(f"{path}.scheme", action.get("scheme"), "HTTP", "HTTPS")
    for header in action.get("httpHeaders") or ():
        if not _HEADER.match(header.get("name") or ""):
            yield invalid_value(f"{path}.httpHeaders", header.get("name") or "", _HEADER_MESSAGE)


def _check_port(action: Json, path: str) -> Iterator[str]:
    port = action.get("port", 0)
    if isinstance(port, str):
        yield from (invalid_value(f"{path}.port", port, fault) for fault in _check_port_name(port))
    else:
        yield from check_between(f"{path}.port", port or 0, 1, _LARGEST_PORT)


_ACTIONS: dict[str, Callable[[Json, str], Iterator[str]]] = {
    "exec": _check_command,
    "httpGet": _check_http_get,
    "tcpSocket": _check_port,
}


# --- security -----------------------------------------------------------------------------------------------------------


def _check_security_context(context: Json, path: str) -> Iterator[str]:
    for field in ("runAsUser", "runAsGroup"):
        yield from check_between(f"{path}.{field}", context.get(field), 0, LARGEST_ID)
    yield from check_optional_choice(f"{path}.procMount", context.get("procMount"), "Default", "Unmasked")
    yield from check_seccomp_profile(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        yield f"{path}: Invalid value: {_as_go_json(context)}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
    armor = context.get("appArmorProfile")
    if armor is not None:
        yield from check_choice(
            f"{path}.appArmorProfile.type", armor.get("type") or "", "Localhost", "RuntimeDefault", "Unconfined"
        )


def _as_go_json(context: Json) -> str:
    """The context in Go's JSON, with all fields under Go's names."""
    names = ("Capabilities", "Privileged", "SELinuxOptions", "WindowsOptions", "RunAsUser", "RunAsGroup", "RunAsNonRoot",
             "ReadOnlyRootFilesystem", "AllowPrivilegeEscalation", "ProcMount", "SeccompProfile", "AppArmorProfile")  # fmt: skip
    own = {"SELinuxOptions": "seLinuxOptions"}
    fields = {name: context.get(own.get(name, name[0].lower() + name[1:])) for name in names}
    return json.dumps(fields, separators=(",", ":"))


def check_seccomp_profile(profile: Json | None, path: str) -> Iterator[str]:
    if profile is None:
        return
    kind, place = profile.get("type") or "", profile.get("localhostProfile")
    yield from check_choice(f"{path}.type", kind, "Localhost", "RuntimeDefault", "Unconfined")
    if kind == "Localhost":
        if place is None:
            yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
        else:
            yield from volumes.check_descending_path(place, f"{path}.localhostProfile")
    elif place is not None:
        whole = {"Type": kind, "LocalhostProfile": place}
        yield invalid_value(f"{path}.localhostProfile", whole, "can only be set when seccomp type is Localhost")
