"""The Kubernetes side of a platform: config maps, claims, secrets, service accounts of a namespace. The same for every platform."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hera_utils.argo import faults
from hera_utils.errors import Forbidden, HeraUtilsError, Refused, ResourceError, UnsupportedError
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest
from hera_utils.platforms.connection import Connection
from hera_utils.settings.secret import mask

if TYPE_CHECKING:
    from hera_utils.platforms.kubernetes_http import KubernetesHttp

Json = dict[str, Any]

UNCHECKED = "no kubeconfig: the claims, config maps and secrets of the environment are not checked"
_CORE, _RBAC = "api/v1", "apis/rbac.authorization.k8s.io/v1"
# kind → (the root of its API group, its plural)
_RESOURCES = {
    "ConfigMap": (_CORE, "configmaps"),
    "PersistentVolumeClaim": (_CORE, "persistentvolumeclaims"),
    "Secret": (_CORE, "secrets"),
    "ServiceAccount": (_CORE, "serviceaccounts"),
    "Role": (_RBAC, "roles"),
    "RoleBinding": (_RBAC, "rolebindings"),
    "Pod": (_CORE, "pods"),
    "Namespace": (_CORE, "namespaces"),
}


class Cluster:
    """Kubernetes objects of one namespace, as plain documents. Errors as in `ArgoClient`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.namespace = connection.namespace

    def __repr__(self) -> str:
        try:
            where = "this machine" if self.local else self.kubeconfig() or "the cluster of this pod"
        except HeraUtilsError:
            where = "no kubeconfig"
        return f"{type(self).__name__}({where}, namespace {self.namespace})"

    @property
    def local(self) -> bool:
        return self.connection.local

    @cached_property
    def http(self) -> KubernetesHttp:
        """The client of its API. Raises SettingsError or AccessError if the kubeconfig cannot be used."""
        from hera_utils.platforms.kubernetes_http import KubernetesHttp

        return KubernetesHttp(self.connection)

    # --- how it is reached -----------------------------------------------------------------------------------------

    def leads_somewhere(self) -> bool:
        """Whether there is a kubeconfig (or a pod's own account)."""
        if self.connection.kubernetes:
            return True
        from hera_utils.platforms.cluster_access import is_named

        return is_named(self.connection)

    def kubeconfig(self) -> str | None:
        """The kubeconfig files, as in KUBECONFIG; None inside a pod, which uses its own account."""
        from hera_utils.platforms.cluster_access import kubeconfig_of

        return kubeconfig_of(self.connection)

    def check(self) -> None:
        """Raise an error unless the cluster answers, accepts the credential and has the namespace."""
        try:
            self.get("Namespace", self.namespace)
        except Forbidden:
            pass  # the cluster answered; few users may read the namespace object itself
        except Refused as error:
            if error.reason != "NotFound":
                raise
            raise self.no_namespace() from None

    def check_if_named(self) -> None:
        """As `check`, if there is a kubeconfig (or a pod's account). A user who only has the address and token of an Argo server can run
        workflows; only requests to the cluster itself raise AccessError.
        """
        if self.leads_somewhere():
            self.check()

    def no_namespace(self) -> ResourceError:
        """The error for a namespace that does not exist."""
        where = "on this machine" if self.local else "in the cluster"
        return ResourceError(
            f"there is no namespace `{self.namespace}` {where}",
            fix="name another with --argo_namespace or ARGO_NAMESPACE, or: kubectl create namespace " + self.namespace,
        )

    def version(self) -> str:
        """The version of Kubernetes, e.g. `v1.36.2`; "" if the cluster does not say."""
        return str(self.http.send(ClusterRequest("GET", "version")).body.get("gitVersion") or "")

    # --- objects ---------------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Json:
        return self._document(ClusterRequest("GET", self.path(kind, name)))

    def list(self, kind: str, *, selector: Mapping[str, str] | None = None) -> list[Json]:
        """The objects of a kind. selector: of labels."""
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items())} if selector else {}
        return list(self._document(ClusterRequest("GET", self.path(kind), query)).get("items") or ())

    def exists(self, kind: str, name: str) -> bool:
        try:
            self.get(kind, name)
        except Refused as error:
            if error.reason == "NotFound":
                return False
            raise
        return True

    def create(self, document: Json) -> Json:
        """Create an object; returns it as stored. document: with its `kind`."""
        return self._document(ClusterRequest("POST", self.path(str(document.get("kind"))), body=document))

    def delete(self, kind: str, name: str) -> None:
        self._document(ClusterRequest("DELETE", self.path(kind, name)))

    def token(self, service_account: str, *, seconds: int = 3600) -> tuple[str, str]:
        """(token, when it expires in RFC 3339) of a service account. Kubernetes may give it a shorter life than requested."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [], "expirationSeconds": seconds},
        }
        path = self.path("ServiceAccount", service_account) + "/token"
        status = self._document(ClusterRequest("POST", path, body=body))["status"]
        return str(status["token"]), str(status["expirationTimestamp"])

    def path(self, kind: str, name: str = "") -> str:
        """The API path of an object, or of all of its kind. Raises UnsupportedError for a kind that an experiment does not need."""
        if kind not in _RESOURCES:
            raise UnsupportedError(
                f"{kind} is not a kind of object that an experiment needs", fix=f"one of: {', '.join(_RESOURCES)}"
            )
        root, plural = _RESOURCES[kind]
        within = "" if kind == "Namespace" else f"namespaces/{quote(self.namespace, safe='')}/"
        return f"{root}/{within}{plural}" + (f"/{quote(name, safe='')}" if name else "")

    def _document(self, request: ClusterRequest) -> Json:
        reply = self.http.send(request)
        if not reply.ok:
            raise self.refusal(reply)
        return reply.body

    def refusal(self, reply: ClusterReply) -> HeraUtilsError:
        """The error for a refused request. A token in the cluster's message is masked."""
        message = mask(reply.message, [self.connection.token])
        if reply.status == 401:
            return self.http.credential_refused()
        if reply.status == 403:
            return Forbidden(
                f"the Kubernetes cluster forbids this: {message}", fix="ask the cluster's owner for that permission"
            )
        if reply.status == 404 and f'namespaces "{self.namespace}" not found' in message:
            return self.no_namespace()
        return Refused(faults.grpc_code(reply.status), message, reason=reply.reason)
