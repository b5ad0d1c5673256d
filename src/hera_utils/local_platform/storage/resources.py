"""The kinds that the local platform serves: the place of each in Kubernetes' API, and its verbs."""

from __future__ import annotations

from dataclasses import dataclass

ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ = ("get", "list", "watch")
ARGO_GROUP = "argoproj.io"


@dataclass(frozen=True)
class Resource:
    """plural: as in URLs. columns: (heading, dotted path) of what `kubectl get` shows between name and age."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL
    subresources: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in messages: configmaps, workflows.argoproj.io."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        return self.kind.lower()


def _argo(kind: str, plural: str, short: tuple[str, ...], namespaced: bool = True, **more: object) -> Resource:
    return Resource(kind, plural, ARGO_GROUP, "v1alpha1", namespaced, short, **more)  # type: ignore[arg-type]


RESOURCES: tuple[Resource, ...] = (
    Resource(
        "Namespace", "namespaces", namespaced=False, short=("ns",),
        verbs=tuple(verb for verb in ALL if verb != "deletecollection"), columns=(("Status", "status.phase"),),
    ),
    Resource("Node", "nodes", namespaced=False, short=("no",), verbs=READ, columns=(("Version", "status.nodeInfo.kubeletVersion"),)),
    Resource("ConfigMap", "configmaps", short=("cm",), columns=(("Data", "data.#"),)),
    Resource("Secret", "secrets", columns=(("Type", "type"), ("Data", "data.#"))),
    Resource(
        "PersistentVolumeClaim", "persistentvolumeclaims", short=("pvc",), subresources=("status",),
        columns=(
            ("Status", "status.phase"), ("Volume", "spec.volumeName"), ("Capacity", "status.capacity.storage"),
            ("Access Modes", "spec.accessModes"), ("StorageClass", "spec.storageClassName"),
        ),
    ),
    Resource("ServiceAccount", "serviceaccounts", short=("sa",), subresources=("token",)),
    Resource(
        "Pod", "pods", short=("po",), subresources=("log", "status"),
        columns=(("Status", "status.phase"),),
    ),
    Resource(
        "Event", "events", short=("ev",),
        columns=(("Type", "type"), ("Reason", "reason"), ("Object", "involvedObject.name"), ("Message", "message")),
    ),
    Resource(
        "Job", "jobs", "batch",
        columns=(("Completions", "spec.completions"), ("Succeeded", "status.succeeded"), ("Failed", "status.failed")),
    ),
    Resource(
        "Service", "services", short=("svc",), subresources=("status",),
        columns=(("Type", "spec.type"), ("Cluster-IP", "spec.clusterIP")),
    ),
    Resource(
        "Deployment", "deployments", "apps", short=("deploy",), subresources=("status",), columns=(("Ready", "spec.replicas"),),
    ),
    Resource(
        "StatefulSet", "statefulsets", "apps", short=("sts",), subresources=("status",), columns=(("Ready", "spec.replicas"),),
    ),
    Resource("Role", "roles", "rbac.authorization.k8s.io"),
    Resource("RoleBinding", "rolebindings", "rbac.authorization.k8s.io", columns=(("Role", "roleRef.name"),)),
    _argo(
        "Workflow", "workflows", ("wf",),
        columns=(("Status", "status.phase"), ("Progress", "status.progress"), ("Message", "status.message")),
    ),
    _argo("WorkflowTemplate", "workflowtemplates", ("wftmpl",)),
    _argo("ClusterWorkflowTemplate", "clusterworkflowtemplates", ("clusterwftmpl", "cwft"), namespaced=False),
    _argo("CronWorkflow", "cronworkflows", ("cwf", "cronwf"), columns=(("Suspended", "spec.suspend"),)),
    _argo("WorkflowEventBinding", "workfloweventbindings", ("wfeb",)),
    Resource("SelfSubjectAccessReview", "selfsubjectaccessreviews", "authorization.k8s.io", namespaced=False, verbs=("create",)),
    Resource("SubjectAccessReview", "subjectaccessreviews", "authorization.k8s.io", namespaced=False, verbs=("create",)),
    Resource("SelfSubjectRulesReview", "selfsubjectrulesreviews", "authorization.k8s.io", namespaced=False, verbs=("create",)),
    Resource("SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io", namespaced=False, verbs=("create",)),
)  # fmt: skip

STORED = tuple(resource for resource in RESOURCES if "list" in resource.verbs)
"""The resources with stored objects; the others only answer questions (reviews)."""

_BY_KIND = {resource.kind: resource for resource in RESOURCES}
_BY_ADDRESS = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}


def resource_of(kind: str) -> Resource | None:
    """The resource of a kind, None when it is not served."""
    return _BY_KIND.get(kind)


def resource_at(group: str, version: str, plural: str) -> Resource | None:
    return _BY_ADDRESS.get((group, version, plural))


def groups() -> dict[str, str]:
    """API group → its version, the core group ("") first."""
    return {resource.group: resource.version for resource in RESOURCES}
