"""What Kubernetes does to an object before it stores it: name, uid, times, versions, and validation with its messages. Pure.

Sources: the Kubernetes API conventions; messages of apiserver 1.34 and of Argo 4.1's controller and server.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from hera_utils.argo import claims, definitions, faults, names, timestamps
from hera_utils.argo.scalars import json_type
from hera_utils.errors import Refused
from hera_utils.local_platform.storage import services
from hera_utils.local_platform.storage.records import StoredObject
from hera_utils.local_platform.storage.resources import RESOURCES, resource_of

Json = dict[str, Any]

ARGO_KINDS = frozenset({"Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"})
"""The kinds that Argo's schema describes completely."""
_NOT_SERVED = {
    "PersistentVolume": "persistentvolumes",
    "StorageClass": "storageclasses.storage.k8s.io",
    "WorkflowArtifactGCTask": "workflowartifactgctasks.argoproj.io",
}
"""Kind that the local platform does not serve → its resource name in messages."""
CLUSTER_WIDE = frozenset(
    {"PersistentVolume", "StorageClass", *(resource.kind for resource in RESOURCES if not resource.namespaced)}
)
LARGEST_DATA = 2**20
"""Bytes of the values of a config map or a secret: Kubernetes' own bound."""
LARGEST_OBJECT = 3 * 2**20
"""Bytes of any other object except a workflow: the bound of Kubernetes' API server. All objects are kept in memory."""
MOST_CHARACTERS = 100_000_000
"""Characters of all objects except workflows and pods: with more, no object is created or changed. etcd has such a bound too, 2 GB."""
IMMUTABLE = ("uid", "creationTimestamp", "generateName", "namespace", "name")


def resource_name(kind: str) -> str:
    """The resource name of a kind in messages: workflows.argoproj.io, configmaps…"""
    resource = resource_of(kind)
    return resource.qualified if resource is not None else _NOT_SERVED.get(kind) or f"{kind.lower()}s"


def qualified(kind: str) -> str:
    """The kind as in messages about an invalid object: Workflow.argoproj.io, ConfigMap…"""
    resource = resource_of(kind)
    return f"{kind}.{resource.group}" if resource is not None and resource.group else kind


def not_found(kind: str, name: str) -> Refused:
    return faults.not_found(resource_name(kind), name)


def already_exists(kind: str, name: str) -> Refused:
    return faults.already_exists(resource_name(kind), name)


def conflict(kind: str, name: str) -> Refused:
    return faults.conflict(resource_name(kind), name)


def invalid(kind: str, name: str, complaint: str) -> Refused:
    return Refused(faults.INVALID_ARGUMENT, f'{qualified(kind)} "{name}" is invalid: {complaint}', reason="Invalid")


def check_namespace(kind: str, namespace: str, document: Json) -> None:
    """Raise Refused when the document's own namespace is not that of the request."""
    own = (document.get("metadata") or {}).get("namespace")
    if kind not in CLUSTER_WIDE and own and own != namespace:
        message = "the namespace of the provided object does not match the namespace sent on the request"
        raise Refused(faults.INVALID_ARGUMENT, message, reason="BadRequest")


def new_object(kind: str, namespace: str, document: Json, *, uid: str, at: float, seed: str) -> Json:
    """The document of a new object as it is stored: checked, named, with uid, creationTimestamp and generation. Raises Refused."""
    if kind not in CLUSTER_WIDE and not namespace:
        raise Refused(faults.INVALID_ARGUMENT, "an empty namespace may not be set during creation", reason="BadRequest")
    check_namespace(kind, namespace, document)
    requested = dict(document.get("metadata") or {})
    _check_metadata(requested)
    name = str(requested.get("name") or "")
    if not name and requested.get("generateName"):
        name = names.generated_name(str(requested["generateName"]), seed)
    _check_names(kind, {**requested, "name": name})
    metadata: Json = {"name": name}
    if requested.get("generateName"):
        metadata["generateName"] = requested["generateName"]
    if kind not in CLUSTER_WIDE:
        metadata["namespace"] = namespace
    metadata |= {"uid": uid, "resourceVersion": "", "generation": 1, "creationTimestamp": timestamps.text(at)}
    if kind not in ARGO_KINDS:
        del metadata["generation"]  # Kubernetes counts generations only of what has a spec that is reconciled
    for key in ("labels", "annotations", "ownerReferences", "finalizers", "managedFields"):
        if requested.get(key):
            metadata[key] = requested[key]
    rest = {key: value for key, value in document.items() if key != "metadata"}
    return complete_object(kind, {"metadata": metadata, **rest}, at)


def _check_metadata(metadata: Json) -> None:
    """Raise Refused for metadata whose fields have other types than Kubernetes'. null counts as absent."""
    shapes = {"name": str, "generateName": str, "namespace": str, "uid": str, "resourceVersion": str, "labels": dict,
              "annotations": dict, "ownerReferences": list, "finalizers": list}  # fmt: skip
    wrong = [key for key, shape in shapes.items() if not isinstance(metadata.get(key) or shape(), shape)]
    for key, inner in (("labels", str), ("annotations", str), ("ownerReferences", dict), ("finalizers", str)):
        if key not in wrong:
            field = metadata.get(key) or []
            values = field.values() if isinstance(field, dict) else field
            wrong += [key for value in values if not isinstance(value, inner) and value is not None]
    for key in wrong:
        text = f"json: cannot unmarshal {json_type(metadata[key])} into Go struct field ObjectMeta.metadata.{key}"
        raise Refused(faults.INVALID_ARGUMENT, text, reason="BadRequest")


def _check_names(kind: str, metadata: Json) -> None:
    """Raise Refused for invalid names, labels and the like: `Workflow.argoproj.io "Bad_Name" is invalid: metadata.name: …`."""
    wrong = names.metadata_faults(metadata, label_name=kind == "Namespace")
    if wrong:
        complaints = definitions.add_kubernetes_remark(wrong) if kind in ARGO_KINDS else wrong
        raise invalid(kind, metadata["name"], names.join_messages(complaints))


def complete_object(kind: str, document: Json, at: float) -> Json:
    """Complete a document as Kubernetes does: a secret's stringData is merged into data, claims and namespaces get a status.

    Raises Refused.
    """
    document = _complete_by_kind(kind, document)
    if kind in ("ConfigMap", "Secret") and _size_of_data(kind, document) > LARGEST_DATA:
        path = "data" if kind == "Secret" else "[]"
        complaint = f"{path}: Too long: may not be more than {LARGEST_DATA} bytes"
        raise invalid(kind, document["metadata"]["name"], complaint)
    return document


def _size_of_data(kind: str, document: Json) -> int:
    """Bytes of the values of a config map or a secret."""
    plain, encoded = ("data", "binaryData") if kind == "ConfigMap" else ("", "data")
    size = sum(len(value.encode("utf-8", "replace")) for value in (document.get(plain) or {}).values())
    return size + sum(len(value) * 3 // 4 for value in (document.get(encoded) or {}).values())


def _complete_by_kind(kind: str, document: Json) -> Json:
    name = document["metadata"]["name"]
    if kind in ARGO_KINDS:
        document.pop("apiVersion", None)
        document.pop("kind", None)
        if wrong := definitions.faults(document, kind):
            raise invalid(kind, name, names.join_messages(wrong))
    elif kind == "Secret":
        _complete_secret(document)
    elif kind == "ConfigMap":
        _check_objects(kind, document, "data", "binaryData")
        for key in [*(document.get("data") or {}), *(document.get("binaryData") or {})]:
            for fault in names.config_key_faults(key):
                raise invalid(kind, name, f'data[{key}]: Invalid value: "{key}": {fault}')
        _check_texts(kind, document.get("data") or {})
    elif kind == "PersistentVolumeClaim":
        _complete_claim(document)
    elif kind in services.KINDS:
        if wrong := services.complete(kind, document):
            raise invalid(kind, name, names.join_messages(wrong))
    elif kind == "Namespace":
        document["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        document.setdefault("spec", {"finalizers": ["kubernetes"]})
        document.setdefault("status", {"phase": "Active"})
    return document


def _check_texts(kind: str, data: Json) -> None:
    for value in data.values():
        if not isinstance(value, str):
            text = f"json: cannot unmarshal {json_type(value)} into Go struct field {kind}.data of type string"
            handled = f'{kind} in version "v1" cannot be handled as a {kind}: '
            raise Refused(faults.INVALID_ARGUMENT, handled + text, reason="BadRequest")


def _complete_secret(document: Json) -> None:
    name = document["metadata"]["name"]
    _check_objects("Secret", document, "data", "stringData")
    data = dict(document.get("data") or {})
    _check_texts("Secret", data)
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            message = f'Secret in version "v1" cannot be handled as a Secret: illegal base64 data (key {key} of {name})'
            raise Refused(faults.INVALID_ARGUMENT, message, reason="BadRequest") from error
    plain = document.pop("stringData", None) or {}
    _check_texts("Secret", plain)
    for key, value in plain.items():
        data[key] = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")
    for key in data:
        for fault in names.config_key_faults(key):
            raise invalid("Secret", name, f'data[{key}]: Invalid value: "{key}": {fault}')
    if data:
        document["data"] = data
    document.setdefault("type", "Opaque")


def _check_objects(kind: str, document: Json, *keys: str) -> None:
    """Raise Refused when one of these (dotted) fields of a document is present but not an object."""
    for key in keys:
        value: Any = document
        for part in key.split("."):
            value = value.get(part) or {}
        if not isinstance(value, dict):
            text = f"json: cannot unmarshal {json_type(value)} into Go struct field {kind}.{key}"
            raise Refused(faults.INVALID_ARGUMENT, text, reason="BadRequest")


def _complete_claim(document: Json) -> None:
    name = document["metadata"]["name"]
    _check_objects("PersistentVolumeClaim", document, "spec", "spec.resources", "spec.resources.requests")
    spec = document.setdefault("spec", {})
    if wrong := claims.claim_fault(spec):
        raise invalid("PersistentVolumeClaim", name, wrong)
    requests = spec["resources"]["requests"]
    spec.setdefault("volumeMode", "Filesystem")
    spec.setdefault("storageClassName", "local")
    spec.setdefault("volumeName", f"pvc-{document['metadata']['uid']}")
    document["status"] = {
        "phase": "Bound",
        "accessModes": spec["accessModes"],
        "capacity": {"storage": str(requests["storage"])},
    }


def check_pod_spec(kind: str, name: str, spec: object, path: str) -> Json:
    """The spec of a pod. Raises Refused (Invalid) when it has no containers, or a container has no name or image."""
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(containers, list) or not containers:
        raise invalid(kind, name, f"{path}.containers: Required value")
    for index, container in enumerate(containers):
        for field in ("name", "image"):
            if not isinstance(container, dict) or not isinstance(container.get(field), str) or not container[field]:
                raise invalid(kind, name, f"{path}.containers[{index}].{field}: Required value")
    return spec


def updated_document(kind: str, old: Json, document: Json, at: float) -> Json:
    """What an update stores: the new document with the old identity. Raises Refused (Conflict for a stale resourceVersion)."""
    new = dict(document.get("metadata") or {})
    _check_metadata(new)
    name = str(old["metadata"]["name"])
    version = str(new.get("resourceVersion") or "")
    if version and version != str(old["metadata"].get("resourceVersion", "")):
        raise conflict(kind, name)
    if new.get("uid") and new["uid"] != old["metadata"]["uid"]:
        raise conflict(kind, name)
    _check_names(kind, {**new, "name": name})
    metadata = {key: old["metadata"][key] for key in IMMUTABLE if key in old["metadata"]}
    metadata["resourceVersion"] = ""
    for key in ("labels", "annotations", "ownerReferences", "finalizers", "managedFields"):
        if new.get(key):
            metadata[key] = new[key]
    if kind in ARGO_KINDS:
        changed = document.get("spec") != old.get("spec")
        metadata["generation"] = int(old["metadata"].get("generation", 1)) + int(changed)
    rest = {key: value for key, value in document.items() if key != "metadata"}
    if kind == "Job":
        if rest.get("spec") != old["spec"]:
            raise invalid(kind, name, "spec: Invalid value: field is immutable")
        rest["status"] = old["status"]
    if kind in ("ConfigMap", "Secret") and old.get("immutable") and rest.get("data") != old.get("data"):
        raise invalid(kind, name, "data: Forbidden: field is immutable when `immutable` is set")
    return complete_object(kind, {"metadata": metadata, **rest}, at)


def check_room(characters: int) -> None:
    """Raise Refused when all objects together have more characters than MOST_CHARACTERS; objects can still be deleted."""
    if characters > MOST_CHARACTERS:
        message = "etcdserver: mvcc: database space exceeded"
        fix = "delete config maps, secrets or templates that nothing needs any more"
        raise Refused(faults.RESOURCE_EXHAUSTED, message, fix=fix)


def stored_object(kind: str, document: Json, version: int) -> StoredObject:
    """The document with a resource version, as an object to store. Raises Refused when it is larger than LARGEST_OBJECT."""
    metadata = document["metadata"]
    metadata["resourceVersion"] = str(version)
    namespace = "" if kind in CLUSTER_WIDE else str(metadata["namespace"])
    text = json.dumps(document, separators=(",", ":"))
    if kind != "Workflow" and len(text) > LARGEST_OBJECT:
        message = f"Request entity too large: limit is {LARGEST_OBJECT}"
        raise Refused(faults.RESOURCE_EXHAUSTED, message, reason="RequestEntityTooLarge")
    return StoredObject(kind, namespace, str(metadata["name"]), str(metadata["uid"]), version, text)
