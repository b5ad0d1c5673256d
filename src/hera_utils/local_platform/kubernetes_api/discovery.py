"""What a client reads before its first request: the version, groups, resources, and a minimal OpenAPI description."""

from __future__ import annotations

import platform as machine
from typing import Any

from hera_utils.local_platform.storage.resources import RESOURCES, Resource, groups
from hera_utils.local_platform.this_machine import KUBERNETES_VERSION

Json = dict[str, Any]


def document(path: str, host: str) -> Json | str | None:
    """The answer to a path that names no object (text for the health checks), or None."""
    path = path.rstrip("/") or "/"
    if path in ("/healthz", "/livez", "/readyz"):
        return "ok"
    if path == "/version":
        return _version()
    if path == "/":
        return {
            "paths": [
                "/api",
                "/api/v1",
                "/apis",
                *_group_paths(),
                "/healthz",
                "/livez",
                "/openapi/v3",
                "/readyz",
                "/version",
            ]
        }
    if path == "/api":
        address = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": address}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups() if name]}
    if path == "/openapi/v3":
        return {
            "paths": {
                p.lstrip("/"): {"serverRelativeURL": f"/openapi/v3{p}?hash=1"} for p in ("/api/v1", *_group_paths())
            }
        }
    for group, version in groups().items():
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        if path == root:
            return _resources(group, version)
        if path == f"/openapi/v3{root}":
            return _openapi(group, version)
        if group and path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
    return None


def _version() -> Json:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.machine(), machine.machine())
    major, minor = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
    return {
        "major": major, "minor": minor, "gitVersion": f"{KUBERNETES_VERSION}+hera-utils", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": f"python{machine.python_version()}", "compiler": "python",
        "platform": f"{machine.system().lower()}/{architecture}",
    }  # fmt: skip


def _group_paths() -> list[str]:
    return [f"/apis/{group}/{version}" for group, version in groups().items() if group]


def _group(name: str) -> Json:
    version = {"groupVersion": f"{name}/{groups()[name]}", "version": groups()[name]}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str, version: str) -> Json:
    listed: list[Json] = []
    for resource in RESOURCES:
        if (resource.group, resource.version) != (group, version):
            continue
        entry: Json = {
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
            "kind": resource.kind, "verbs": list(resource.verbs),
        }  # fmt: skip
        if resource.kind in ("Pod", "Workflow"):
            entry["categories"] = ["all"]
        if resource.short:
            entry["shortNames"] = list(resource.short)
        listed.append(entry)
        listed += [_subresource(resource, name) for name in resource.subresources]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _subresource(resource: Resource, name: str) -> Json:
    entry: Json = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if name == "token":
        return {**entry, "group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest", "verbs": ["create"]}
    return {**entry, "kind": resource.kind, "verbs": ["get"]}


def _openapi(group: str, version: str) -> Json:
    """The minimum from which kubectl sees that the server validates fields and supports dry runs."""
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    paths: Json = {}
    for resource in RESOURCES:
        if (resource.group, resource.version) != (group, version) or "patch" not in resource.verbs:
            continue
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        middle = "/namespaces/{namespace}" if resource.namespaced else ""
        operation = {
            "operationId": f"patch{resource.kind}",
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": resource.kind},
        }
        paths[f"{root}{middle}/{resource.plural}/{{name}}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "hera-utils local platform", "version": KUBERNETES_VERSION}, "paths": paths,
            "components": {"schemas": {}}}  # fmt: skip
