"""The environment variables of a container: the image's, the template's and Argo's; for a stand-in also some safe ones of this machine."""

from __future__ import annotations

import re
from typing import Any

from . import python
from .errors import PodFault

Json = dict[str, Any]
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")  # any text in the parentheses is a name, also $$
_SUFFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # the PATH for an image without one
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def quantity(text: Any) -> float:
    """A Kubernetes quantity (100m, 1.5, 64Mi) as a number; 0 where it cannot be read."""
    match = re.fullmatch(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]{0,2})", str(text).strip())
    if not match or match.group(2) not in _SUFFIXES:
        return 0.0
    try:
        return float(match.group(1)) * _SUFFIXES[match.group(2)]
    except ValueError:
        return 0.0


def seconds(text: Any) -> float:
    """A Go duration (1m30s) or a plain number of seconds; 0 where it cannot be read."""
    text = str(text)
    try:
        return float(text)
    except ValueError:
        return sum(float(n) * _UNITS[u] for n, u in re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h|d)", text))


def expand(text: str, env: dict[str, str]) -> str:
    """Kubernetes' `$(NAME)`: known names are replaced, unknown ones stay, `$$` is a dollar."""

    def replacement(match: re.Match[str]) -> str:
        if match.group(0) == "$$":
            return "$"
        return env.get(match.group(1), match.group(0))

    return _REFERENCE.sub(replacement, text) if "$" in text else text


def variables(job: Json, container: Json, settings: Json, own_python: python.Interpreter | None) -> dict[str, str]:
    """All variables of one container. own_python: the interpreter that `python` means in it, None where the image decides. Raises PodFault
    for a missing config map, secret or key.
    """
    pod = job["pod"]
    env = {"PATH": _PATH} if settings.get("layers") else dict(job["environment"])
    env["HOSTNAME"] = pod["metadata"]["name"]
    if settings.get("path"):
        env["PATH"] = ":".join([*settings["path"], env["PATH"]])
    if own_python is not None:
        env.update(python.variables(own_python, env))
    env.update(settings.get("env") or {})
    if settings.get("layers") and container.get("tty"):
        env.setdefault("TERM", "xterm")
    own = template_variables(job, container, env)
    env.update(own)
    env.update(_argo(job, container))
    return env


def template_variables(job: Json, container: Json, env: dict[str, str]) -> dict[str, str]:
    own: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for kind, table in (("configMapRef", "config_maps"), ("secretRef", "secrets")):
            if ref := source.get(kind):
                data = _object(job, table, ref)
                own.update({(source.get("prefix") or "") + k: v for k, v in (data or {}).items()})
    for item in container.get("env") or []:
        if item.get("valueFrom"):
            value = _value_from(job, container, item["valueFrom"])
            if value is None:
                continue
        else:
            value = expand(str(item.get("value") or ""), {**env, **own})
        own[item["name"]] = value
    return own


def _object(job: Json, table: str, ref: Json) -> dict[str, str] | None:
    data: dict[str, str] | None = (job.get(table) or {}).get(ref.get("name"))
    if data is None and not ref.get("optional"):
        kind = "configmap" if table == "config_maps" else "secret"
        raise PodFault(f'{kind} "{ref.get("name")}" not found', "CreateContainerConfigError")
    return data


def _value_from(job: Json, container: Json, source: Json) -> str | None:
    for kind, table, word in (("configMapKeyRef", "config_maps", "ConfigMap"), ("secretKeyRef", "secrets", "Secret")):
        if ref := source.get(kind):
            data = _object(job, table, ref)
            if data is None or ref.get("key") not in data:
                if ref.get("optional"):
                    return None
                namespace = job["pod"]["metadata"].get("namespace", "")
                message = f"couldn't find key {ref.get('key')} in {word} {namespace}/{ref.get('name')}"
                raise PodFault(message, "CreateContainerConfigError")
            return data[ref["key"]]
    if ref := source.get("fieldRef"):
        return field(job, str(ref.get("fieldPath") or ""))
    if ref := source.get("resourceFieldRef"):
        return _resource(job, container, ref)
    return ""


def field(job: Json, path: str) -> str:
    """A field of the pod, as the downward API names it."""
    pod = job["pod"]
    if match := re.fullmatch(r"metadata\.(labels|annotations)(?:\['([^']+)'\])?", path):
        values = pod["metadata"].get(match.group(1)) or {}
        if match.group(2):
            return str(values.get(match.group(2), ""))
        return "\n".join(f'{k}="{v}"' for k, v in sorted(values.items()))
    fixed = {
        "status.podIP": job.get("address", "127.0.0.1"),
        "status.podIPs": job.get("address", "127.0.0.1"),
        "status.hostIP": "127.0.0.1",
        "spec.nodeName": job.get("host", ""),
    }
    if path in fixed:
        return str(fixed[path])
    value: Any = pod
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value) if value != "" else ("default" if path == "spec.serviceAccountName" else "")


def _resource(job: Json, container: Json, ref: Json) -> str:
    """A resource as in Kubernetes: a missing limit is the machine's amount, a missing request is the limit, or 0."""
    kind, _, name = str(ref.get("resource", "")).partition(".")
    resources = container.get("resources") or {}
    own, limit = (quantity((resources.get(part) or {}).get(name, 0)) for part in (kind, "limits"))
    amount = own or limit or (job.get(name, 0.0) if kind == "limits" else 0.0)
    divisor = quantity(ref.get("divisor") or 1) or 1.0
    return str(int(-(-amount // divisor)))


def _argo(job: Json, container: Json) -> dict[str, str]:
    """The variables that Argo's controller sets in every container (workflowpod.go)."""
    pod = job["pod"]
    labels = pod["metadata"].get("labels") or {}
    return {
        "ARGO_CONTAINER_NAME": str(container.get("name") or "main"),
        "ARGO_NODE_ID": job["node_id"],
        "ARGO_INCLUDE_SCRIPT_OUTPUT": "true" if job.get("include_script_output") else "false",
        "ARGO_DEADLINE": "0001-01-01T00:00:00Z",
        "ARGO_WORKFLOW_NAME": str(labels.get("workflows.argoproj.io/workflow", "")),
        "ARGO_PROGRESS_FILE": "/var/run/argo/progress",
        "ARGO_PROGRESS_PATCH_TICK_DURATION": "1m0s",
        "ARGO_PROGRESS_FILE_TICK_DURATION": "3s",
    }
