"""A Kubernetes API, asked plainly: documents in, documents out. For the bed's own API server and for the local platform's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

Json = dict[str, Any]

# kind → (prefix of its API, plural, whether it is in a namespace)
KINDS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "Node": ("/api/v1", "nodes", False),
    "PersistentVolume": ("/api/v1", "persistentvolumes", False),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Secret": ("/api/v1", "secrets", True),
    "Service": ("/api/v1", "services", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "Pod": ("/api/v1", "pods", True),
    "ResourceQuota": ("/api/v1", "resourcequotas", True),
    "LimitRange": ("/api/v1", "limitranges", True),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases", True),
    "Deployment": ("/apis/apps/v1", "deployments", True),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "TokenReview": ("/apis/authentication.k8s.io/v1", "tokenreviews", False),
    "SubjectAccessReview": ("/apis/authorization.k8s.io/v1", "subjectaccessreviews", False),
}


class ApiError(Exception):
    """What the API server said no with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass
class Api:
    """server: its URL. authority: who signed its certificate. certificate: (file, key) of a user; or token."""

    server: str
    authority: str | None = None
    certificate: tuple[Path, Path] | None = None
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        if self.certificate is not None:
            self._session.cert = tuple(str(path) for path in self.certificate)
        if self.token:
            self._session.headers["Authorization"] = f"Bearer {self.token}"

    def ask(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> Any:
        data = None if body is None else json.dumps(body).encode()
        reply = self._session.request(
            method,
            self.server + path,
            data=data,
            headers={"Content-Type": kind} if data else {},
            timeout=30,
            verify=self.authority or True,
        )
        if reply.status_code >= 400:
            raise ApiError(reply.status_code, reply.text)
        return reply.json() if "json" in reply.headers.get("Content-Type", "") else reply.text

    def where(self, kind: str, namespace: str = "", name: str = "") -> str:
        prefix, plural, namespaced = KINDS[kind]
        middle = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{prefix}{middle}/{plural}" + (f"/{name}" if name else "")

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        return self.ask("GET", self.where(kind, namespace, name))

    def list(self, kind: str, namespace: str = "") -> list[Json]:
        return list(self.ask("GET", self.where(kind, namespace)).get("items") or [])

    def create(self, document: Json) -> Json:
        meta = document.get("metadata") or {}
        return self.ask("POST", self.where(document["kind"], meta.get("namespace", "")), document)

    def apply(self, document: Json) -> Json:
        """Server-side apply: made, or made so."""
        meta = document["metadata"]
        path = self.where(document["kind"], meta.get("namespace", ""), meta["name"])
        return self.ask("PATCH", f"{path}?fieldManager=bed&force=true", document, "application/apply-patch+yaml")

    def merge(self, kind: str, name: str, change: Json, namespace: str = "", part: str = "") -> Json:
        """A merge patch; of a part as `status`."""
        path = self.where(kind, namespace, name) + (f"/{part}" if part else "")
        return self.ask("PATCH", path, change, "application/merge-patch+json")

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        try:
            self.ask("DELETE", self.where(kind, namespace, name))
        except ApiError as error:
            if error.status != 404:
                raise
