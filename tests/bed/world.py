"""What stands in the bed's cluster, as documents: Argo's kinds, an Argo installation, a namespace and who may do what there.

Argo's kinds are written from its documented API: group, version, names and scope; what is inside an object is not looked at.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NODE = "bed"
USERS = ("owner", "researcher", "reader", "nobody")
RUNNER = "runner"
CONTROLLER = "workflow-controller"
SERVER = "argo-server"
SERVER_PORT = 2746
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete", "deletecollection"]
_ARGO = ["workflows", "workflowtemplates", "cronworkflows"]

# kind, plural, short names, whether it is of the whole cluster
_KINDS = (
    ("Workflow", "workflows", ["wf"], False),
    ("WorkflowTemplate", "workflowtemplates", ["wftmpl"], False),
    ("ClusterWorkflowTemplate", "clusterworkflowtemplates", ["clusterwftmpl", "cwft"], True),
    ("CronWorkflow", "cronworkflows", ["cwf", "cronwf"], False),
    ("WorkflowTaskSet", "workflowtasksets", ["wfts"], False),
    ("WorkflowTaskResult", "workflowtaskresults", [], False),
    ("WorkflowArtifactGCTask", "workflowartifactgctasks", ["wfat"], False),
    ("WorkflowEventBinding", "workfloweventbindings", ["wfeb"], False),
)


def named(kind: str, version: str, name: str, namespace: str = "", **more: Any) -> Json:
    metadata: Json = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def definitions() -> list[Json]:
    """Argo's resource definitions."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
    made = []
    for kind, plural, short, whole in _KINDS:
        names = {
            "kind": kind,
            "plural": plural,
            "singular": kind.lower(),
            "listKind": f"{kind}List",
            "shortNames": short,
        }
        spec = {
            "group": "argoproj.io",
            "names": names,
            "scope": "Cluster" if whole else "Namespaced",
            "versions": [version],
        }
        made.append(named("CustomResourceDefinition", "apiextensions.k8s.io/v1", f"{plural}.argoproj.io", spec=spec))
    return made


def node() -> Json:
    return named("Node", "v1", NODE)


def node_status(port: int) -> Json:
    """Where the API server finds the kubelet: at a loopback address."""
    return {
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Bed", "message": "it stands"}],
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "500"},
            "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "500"},
        }
    }


def namespace(name: str) -> Json:
    return named("Namespace", "v1", name)


def pod(
    name: str, where: str, *, labels: Json | None = None, port: int | None = None, containers: Any = ("main",)
) -> Json:
    made = [{"name": one, "image": "none"} for one in containers]
    if port is not None:
        made[0]["ports"] = [{"name": "web", "containerPort": port}]
    spec = {"nodeName": NODE, "automountServiceAccountToken": False, "containers": made}
    return named("Pod", "v1", name, where, metadata={"labels": labels or {}}, spec=spec)


def pod_status(containers: Any = ("main",)) -> Json:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    states = [
        {
            "name": one,
            "ready": True,
            "restartCount": 0,
            "image": "none",
            "imageID": "none",
            "state": {"running": {"startedAt": now}},
        }
        for one in containers
    ]
    return {
        "status": {
            "phase": "Running",
            "podIP": "10.1.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": states,
        }
    }


# --- an Argo installation -----------------------------------------------------------------------------------------------


def argo(where: str) -> list[Json]:
    """Server and controller as clients can see them; their pods are made by `Bed`, the lease is renewed by the keeper."""
    labels = {"app": SERVER}
    ports = [{"name": "web", "port": SERVER_PORT, "targetPort": SERVER_PORT}]
    return [
        namespace(where),
        named("ServiceAccount", "v1", SERVER, where),
        named("ServiceAccount", "v1", "argo", where),
        named("ConfigMap", "v1", "workflow-controller-configmap", where, data={}),
        _deployment(SERVER, where),
        _deployment(CONTROLLER, where),
        named("Service", "v1", SERVER, where, metadata={"labels": labels}, spec={"selector": labels, "ports": ports}),
        lease(where),
        # It asks who a token is, and what its bearer may do.
        binding("ClusterRoleBinding", f"{where}-argo-server", "system:auth-delegator", accounts=[(where, SERVER)]),
        binding("ClusterRoleBinding", f"{where}-argo-server-view", "view", accounts=[(where, SERVER)]),
        binding("ClusterRoleBinding", f"{where}-argo-server-bridge", "bed-bridge", accounts=[(where, SERVER)]),
        *_seen_by_users(where),
    ]


def cluster_roles() -> list[Json]:
    """bed-bridge: what the front copies to the local platform. bed-templates: Argo's cluster-wide templates, for readers."""
    bridge = [rule("", ["secrets", "persistentvolumes"], _READ)]
    templates = [rule("argoproj.io", ["clusterworkflowtemplates"], _READ)]
    subjects = [{"kind": "User", "name": name, "apiGroup": _RBAC} for name in USERS if name != "nobody"]
    reference = {"kind": "ClusterRole", "name": "bed-templates", "apiGroup": _RBAC}
    return [
        named("ClusterRole", f"{_RBAC}/v1", "bed-bridge", rules=bridge),
        named("ClusterRole", f"{_RBAC}/v1", "bed-templates", rules=templates),
        named("ClusterRoleBinding", f"{_RBAC}/v1", "bed-templates", subjects=subjects, roleRef=reference),
    ]


def _deployment(name: str, where: str) -> Json:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "image": f"{name}:v4.1.2"}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return named("Deployment", "apps/v1", name, where, spec=spec)


def lease(where: str, renewed: datetime | None = None) -> Json:
    """The controller's leader election. Renewed by the keeper as long as it has the label `bed/renewed`."""
    at = (renewed or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": f"{CONTROLLER}-bed", "leaseDurationSeconds": 15, "renewTime": at, "acquireTime": at}
    labels = {"bed/renewed": "true"}
    return named("Lease", "coordination.k8s.io/v1", CONTROLLER, where, metadata={"labels": labels}, spec=spec)


def _seen_by_users(where: str) -> list[Json]:
    rules = [
        rule("", ["services", "pods", "endpoints"], _READ),
        rule("", ["pods/portforward"], ["create", "get"]),
        rule("apps", ["deployments"], _READ),
        rule("coordination.k8s.io", ["leases"], _READ),
    ]
    return [
        role("argo-seen", where, rules),
        role_binding("argo-seen", where, ["owner", "researcher"], all_accounts=True),
    ]


# --- a researcher's namespace -------------------------------------------------------------------------------------------


def rights(where: str) -> list[Json]:
    """Roles of a namespace and who has them: each user by certificate, and the service account of the same name.

    owner: everything in the namespace. researcher: what running experiments takes. reader: looks. nobody: is known, no more.
    """
    looks = [
        rule("argoproj.io", [*_ARGO, "workfloweventbindings", "workflowtaskresults"], _READ),
        rule("", ["pods", "pods/log", "events", "configmaps", "persistentvolumeclaims", "serviceaccounts"], _READ),
        rule("", ["resourcequotas", "limitranges"], _READ),
    ]
    runs = [
        *looks,
        rule("argoproj.io", _ARGO, _WRITE),
        rule("", ["secrets"], _READ),
        {**rule("", ["serviceaccounts/token"], ["create"]), "resourceNames": [RUNNER, "researcher"]},
    ]
    owns = [
        *runs,
        rule("argoproj.io", ["*"], [*_READ, *_WRITE]),
        rule("", ["*"], [*_READ, *_WRITE]),
        rule(_RBAC, ["roles", "rolebindings"], [*_READ, *_WRITE]),
    ]
    made = [named("ServiceAccount", "v1", name, where) for name in (*USERS, RUNNER)]
    for name, rules in (("reader", looks), ("researcher", runs), ("owner", owns)):
        made += [role(name, where, rules), role_binding(name, where, [name], accounts=[name])]
    reports = [rule("argoproj.io", ["workflowtaskresults"], ["create", "patch"])]
    return [*made, role(RUNNER, where, reports), role_binding(RUNNER, where, [], accounts=[RUNNER])]


def things(where: str, volumes: Path, secret: str) -> list[Json]:
    """Claims, config map, secrets, quota, limits. secret: the value of `credentials`.

    Claims: `inequality` (many writers) and `single` (one node) are bound to static volumes; `pending` never is.
    """
    registry = json.dumps({"auths": {"registry.example.org": {"auth": base64.b64encode(b"a:b").decode()}}})
    return [
        *volume("inequality", where, volumes, "ReadWriteMany"),
        *volume("single", where, volumes, "ReadWriteOnce"),
        named("PersistentVolumeClaim", "v1", "pending", where, spec=_claim("ReadWriteMany", "missing", "")),
        named("ConfigMap", "v1", "cluster", where, data={"HTTP_PROXY": "", "site": "bed"}),
        named("Secret", "v1", "credentials", where, stringData={"password": secret}),
        named(
            "Secret",
            "v1",
            "registry",
            where,
            type="kubernetes.io/dockerconfigjson",
            stringData={".dockerconfigjson": registry},
        ),
        named(
            "ResourceQuota",
            "v1",
            "runs",
            where,
            spec={"hard": {"pods": "200", "persistentvolumeclaims": "10", "count/workflows.argoproj.io": "500"}},
        ),
        named(
            "LimitRange",
            "v1",
            "containers",
            where,
            spec={"limits": [{"type": "Container", "max": {"cpu": "8", "memory": "16Gi"}, "default": {"cpu": "100m"}}]},
        ),
    ]


def volume(claim: str, where: str, volumes: Path, mode: str, size: str = "1Gi") -> list[Json]:
    """A static volume, which is a folder of this machine, and the claim that it is for."""
    name = f"{where}-{claim}"
    spec = {
        "capacity": {"storage": size},
        "accessModes": [mode],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(volumes / where / claim)},
    }
    return [
        named("PersistentVolume", "v1", name, spec=spec),
        named("PersistentVolumeClaim", "v1", claim, where, spec=_claim(mode, "", name, size)),
    ]


def _claim(mode: str, storage_class: str, bound_to: str, size: str = "1Gi") -> Json:
    spec: Json = {
        "accessModes": [mode],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
    }
    return {**spec, "volumeName": bound_to} if bound_to else spec


# --- rights -------------------------------------------------------------------------------------------------------------


def rule(group: str, resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def role(name: str, where: str, rules: list[Json]) -> Json:
    return named("Role", f"{_RBAC}/v1", name, where, rules=rules)


def role_binding(name: str, where: str, users: list[str], *, accounts: Any = (), all_accounts: bool = False) -> Json:
    subjects = [{"kind": "User", "name": user, "apiGroup": _RBAC} for user in users]
    subjects += [{"kind": "ServiceAccount", "name": account, "namespace": where} for account in accounts]
    if all_accounts:
        subjects.append({"kind": "Group", "name": "system:serviceaccounts", "apiGroup": _RBAC})
    reference = {"kind": "Role", "name": name, "apiGroup": _RBAC}
    return named("RoleBinding", f"{_RBAC}/v1", name, where, subjects=subjects, roleRef=reference)


def binding(kind: str, name: str, role_name: str, *, accounts: list[tuple[str, str]]) -> Json:
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": where} for where, account in accounts]
    reference = {"kind": "ClusterRole", "name": role_name, "apiGroup": _RBAC}
    return named(kind, f"{_RBAC}/v1", name, subjects=subjects, roleRef=reference)
