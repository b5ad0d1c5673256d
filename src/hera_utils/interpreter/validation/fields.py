"""Checks of names, arguments and artifact locations, for all parts of a document. The messages are Argo's (workflow/validate)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hera_utils.errors import InvalidWorkflow
from hera_utils.expressions.tags import PLACEHOLDER
from hera_utils.interpreter.document import location_of

_FIELD_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*\Z")
_VALUE_NAME = re.compile(r"[-a-zA-Z0-9_]+\Z")
_TAG = re.compile(r"\{\{[-a-zA-Z0-9]+(\.[-a-zA-Z0-9_]+)*\}\}")
_PLACEHOLDERS = re.compile(re.escape(PLACEHOLDER) + r"[0-9]+")
_FIELD_NAME_LENGTH = 128


def is_tag(text: str) -> bool:
    """Whether the text contains a variable in double braces."""
    return _TAG.search(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether the text is a placeholder for a value that is known only in the run."""
    return text.startswith(PLACEHOLDER)


def value_name_fault(name: str) -> str | None:
    """Argo's complaint about the name of a parameter or an artifact, "" if it is legal."""
    if _VALUE_NAME.match(name):
        return None
    return "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"


def field_name_fault(name: str) -> str | None:
    """Argo's complaint about the name of a template, a step or a task, "" if it is legal."""
    faults = []
    if len(name.encode()) > _FIELD_NAME_LENGTH:
        faults.append(f"must be no more than {_FIELD_NAME_LENGTH} characters")
    if not _FIELD_NAME.match(name):
        faults.append(
            "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character"
            " (e.g. My-name1-2, 123-NAME)"
        )
    return ";".join(faults) or None


def step_name_fault(name: str) -> str | None:
    """Like `field_name_fault`; parts of the name may be known only in the run."""
    return field_name_fault(_PLACEHOLDERS.sub("x", name))


def check_names(prefix: str, items: Sequence[Mapping[str, Any]] | None, *, values: bool) -> None:
    """Each name exists, is legal and unique. values: parameters and artifacts, whose names may have underscores."""
    names: set[str] = set()
    for index, item in enumerate(items or ()):
        name = item.get("name") or ""
        if not name:
            raise InvalidWorkflow(f"{prefix}[{index}].name is required")
        fault = value_name_fault(name) if values else field_name_fault(name)
        if fault:
            raise InvalidWorkflow(f"{prefix}[{index}].name: '{name}' is invalid: {fault}")
        if name in names:
            raise InvalidWorkflow(f"{prefix}[{index}].name '{name}' is not unique")
        names.add(name)


def check_arguments(prefix: str, arguments: Mapping[str, Any] | None, *, may_be_empty: bool) -> None:
    """Every argument has a value or a location. may_be_empty: values may come later (lint, templates)."""
    arguments = arguments or {}
    check_names(f"{prefix}parameters", arguments.get("parameters"), values=True)
    check_names(f"{prefix}artifacts", arguments.get("artifacts"), values=True)
    for parameter in arguments.get("parameters") or ():
        if not _check_argument(prefix + parameter["name"], parameter, may_be_empty):
            return
    for artifact in arguments.get("artifacts") or ():
        at = prefix + artifact["name"]
        if not artifact.get("from") and not has_location_or_key(artifact):
            raise InvalidWorkflow(f"{at}.from, artifact location, or key is required")
        if artifact.get("from") and artifact.get("fromExpression"):
            raise InvalidWorkflow(f"{at} shouldn't have both `from` and `fromExpression` in Artifact")


def _check_argument(at: str, parameter: Mapping[str, Any], may_be_empty: bool) -> bool:
    """Check one argument. False: Argo checks no argument after it (a parameter with choices but without a value)."""
    value, source = parameter.get("value"), parameter.get("valueFrom")
    if source is None and value is None and not may_be_empty:
        raise InvalidWorkflow(f"{at}.value or {at}.valueFrom is required")
    if source is not None:
        allowed = source.get("configMapKeyRef") or source.get("event") or source.get("supplied") is not None
        if not allowed or any(source.get(name) for name in ("path", "jsonPath", "parameter", "expression")):
            raise InvalidWorkflow(f"{at}.valueFrom only allows: default, configMapKeyRef and supplied")
    choices = parameter.get("enum")
    if choices is None:
        return True
    if not choices:
        raise InvalidWorkflow(f"{at}.enum should contain at least one value")
    if value is None:
        if may_be_empty:
            return False
        raise InvalidWorkflow(f"{at}.value is required")
    if value not in choices:
        raise InvalidWorkflow(f"{at}.value should be present in {at}.enum list")
    return True


# --- artifacts ------------------------------------------------------------------------------------------------------

_LOCATION_FIELDS = {
    "s3": ("endpoint", "bucket", "key"), "git": ("repo",), "artifactory": ("url", "usernameSecret"),
    "azure": ("endpoint", "container", "blob"), "hdfs": ("addresses",), "raw": (), "http": ("url",),
    "gcs": ("bucket", "key"), "oss": ("bucket", "endpoint", "key"), "plugin": ("name", "configuration", "key"),
}  # fmt: skip
_KEY_FIELDS = {"s3": "key", "azure": "blob", "hdfs": "path", "gcs": "key", "oss": "key", "plugin": "key"}


def has_location_or_key(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact has a location, at least a key in the artifact repository."""
    place = location_of(artifact)
    if place is None:
        return False
    at = artifact[place]
    if all(at.get(field) for field in _LOCATION_FIELDS[place]):
        return True
    if place in ("http", "artifactory"):
        return bool(re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*", "", at.get("url") or "").partition("?")[0])
    return bool(at.get(_KEY_FIELDS.get(place, ""), ""))


def check_location(prefix: str, artifact: Mapping[str, Any]) -> None:
    git, hdfs = artifact.get("git"), artifact.get("hdfs")
    if git is not None and not git.get("repo"):
        raise InvalidWorkflow(f"{prefix}.git.repo is required")
    if hdfs is not None:
        _check_hdfs(f"{prefix}.hdfs", hdfs)


def _check_hdfs(at: str, hdfs: Mapping[str, Any]) -> None:
    if not hdfs.get("addresses"):
        raise InvalidWorkflow(f"{at}.addresses is required")
    path = hdfs.get("path") or ""
    if not path:
        raise InvalidWorkflow(f"{at}.path is required")
    if not path.startswith("/"):
        raise InvalidWorkflow(f"{at}.path must be a absolute file path")
    cache, keytab = hdfs.get("krbCCacheSecret"), hdfs.get("krbKeytabSecret")
    if not hdfs.get("hdfsUser") and cache is None and keytab is None:
        raise InvalidWorkflow(f"either {at}.hdfsUser, {at}.krbCCacheSecret or {at}.krbKeytabSecret is required")
    principal = hdfs.get("krbServicePrincipalName") and hdfs.get("krbConfigConfigMap") is not None
    if keytab is not None and not (principal and hdfs.get("krbUsername") and hdfs.get("krbRealm")):
        raise InvalidWorkflow(
            f"{at}.krbServicePrincipalName, {at}.krbConfigConfigMap, {at}.krbUsername and {at}.krbRealm"
            f" are required with {at}.krbKeytabSecret"
        )
    if cache is not None and not principal:
        raise InvalidWorkflow(
            f"{at}.krbServicePrincipalName and {at}.krbConfigConfigMap are required with {at}.krbCCacheSecret"
        )


def check_path(at: str, artifact: Mapping[str, Any]) -> None:
    """An artifact of a container has a path without `..` that leads out of the folder before it."""
    path, name = artifact.get("path") or "", artifact.get("name", "")
    if not path:
        raise InvalidWorkflow(f"error in {at}: Artifact '{name}' did not specify a path")
    before, climbs, _ = path.partition("/../")
    safe = before if climbs else ""
    if not climbs and re.search(r"/..\Z", path):  # the dots in Argo's pattern match any two characters
        safe = path[:-3]
    cleaned = posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path)
    if safe and not (cleaned.startswith(safe + "/") and len(cleaned) > len(safe) + 1):
        raise InvalidWorkflow(
            f"error in {at}: Artifact '{name}' attempted to use a path containing '..'."
            " Directory traversal is not permitted"
        )


def check_pod_resources(at: str, resources: Mapping[str, Any] | None) -> None:
    if resources is None:
        return
    if resources.get("claims"):
        raise InvalidWorkflow(f"{at}.claims is not supported for pod-level resources")
    names: Iterable[str] = [*(resources.get("limits") or ()), *(resources.get("requests") or ())]
    for name in names:
        if name not in ("cpu", "memory") and not name.startswith("hugepages-"):
            raise InvalidWorkflow(
                f'{at}: "{name}" is not a valid pod-level resource, only cpu, memory and hugepages-* are supported'
            )


def check_hooks(hooks: Mapping[str, Any] | None, holder: str) -> None:
    """Every hook but `exit` has an expression."""
    for name, hook in (hooks or {}).items():
        if name != "exit" and not hook.get("expression"):
            raise InvalidWorkflow(f"{holder}.{name} Expression required")
