"""get, list, create, update, patch and delete of objects, as in Kubernetes. Each is (platform, request) → (HTTP status, object)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED
from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.errors import Refused
from hera_utils.local_platform.kubernetes_api.ownership import apply, disown_changes
from hera_utils.local_platform.kubernetes_api.request import KubernetesRequest
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.watch import ObjectSelector
from hera_utils.local_platform.storage.patches import APPLY, apply_patch
from hera_utils.local_platform.storage.records import StoredObject, without_type
from hera_utils.local_platform.storage.resources import ARGO_GROUP, Resource

Json = dict[str, Any]
Answer = tuple[int, "Json | str | bytes"]
"""(HTTP status, an object or its JSON text)."""

_SHOWN_WHEN_DELETED = frozenset({"Pod", "PersistentVolumeClaim", "Namespace", "ServiceAccount"})


def object_with_type(resource: Resource, stored: StoredObject) -> Json:
    """The object, beginning with its apiVersion and kind."""
    document = json.loads(stored.text)
    return {"apiVersion": resource.group_version, "kind": resource.kind, **without_type(document)}


def text_with_type(resource: Resource, stored: StoredObject) -> str:
    """The JSON text of `object_with_type`. A workflow is not parsed for it, because it may be megabytes."""
    if resource.group == ARGO_GROUP and stored.text.startswith('{"metadata":'):
        return f'{{"apiVersion":"{resource.group_version}","kind":"{resource.kind}",{stored.text[1:]}'
    return json.dumps(object_with_type(resource, stored), separators=(",", ":"), ensure_ascii=False)


def get(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    target = request.target
    return 200, text_with_type(target.resource, platform.get(target.resource.kind, target.namespace, target.name))


def selector_of(request: KubernetesRequest) -> ObjectSelector:
    fields = field_selector(request.query.get("fieldSelector", ""))
    if request.target.name:  # an old client watches one object by its path
        fields = field_selector(f"metadata.name={request.target.name}")
    labels = label_selector(request.query.get("labelSelector", ""))
    return ObjectSelector(request.target.resource.kind, request.target.namespace, labels, fields)


def list_page(platform: LocalPlatform, request: KubernetesRequest) -> tuple[Json, list[StoredObject]]:
    """(the list's metadata, the objects of one page: `limit`, `continue`). The token names the last object, so pages need no memory."""
    resource, selector = request.target.resource, selector_of(request)
    all_objects, version = platform.list(resource.kind, request.target.namespace)
    selected = [stored for stored in all_objects if selector.names(stored) and selector.matches(stored.text)]
    after = _name_of_token(request.query.get("continue", ""))
    if after:
        selected = [stored for stored in selected if (stored.namespace, stored.name) > after]
    limit = request.number("limit")
    page = selected[:limit] if limit > 0 else selected
    head: Json = {"resourceVersion": str(version)}
    if len(page) < len(selected):
        head |= {"continue": _token(page[-1]), "remainingItemCount": len(selected) - len(page)}
    return head, page


def enumerate(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    resource = request.target.resource
    head, page = list_page(platform, request)
    begin = f'{{"apiVersion":"{resource.group_version}","kind":"{resource.kind}List","metadata":{json.dumps(head)},"items":['
    # Encoded object by object: a list may have 100 MB, and one more copy of it would cost as much.
    items = [text_with_type(resource, stored).encode("utf-8", "surrogatepass") for stored in page]
    items[:1] = [begin.encode() + item for item in items[:1]] or [begin.encode()]
    items[-1] += b"]}"
    return 200, b",".join(items)


def _token(stored: StoredObject) -> str:
    return base64.urlsafe_b64encode(json.dumps([stored.namespace, stored.name]).encode()).decode()


def _name_of_token(token: str) -> tuple[str, str] | None:
    if not token:
        return None
    try:
        namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (TypeError, ValueError, binascii.Error):
        raise Refused(INVALID_ARGUMENT, "continue key is not valid", reason="BadRequest") from None
    return str(namespace), str(name)


def create(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    resource, namespace = request.target.resource, request.target.namespace
    document = _without_managed_fields(_check_type(resource, request))
    if request.target.name:
        document.setdefault("metadata", {}).setdefault("name", request.target.name)
    return 201, text_with_type(resource, _store(platform, resource, namespace, document, request.dry_run))


def _store(platform: LocalPlatform, resource: Resource, namespace: str, document: Json, dry_run: bool) -> StoredObject:
    if resource.kind == "Workflow":
        return platform.submit(namespace, document, dry_run=dry_run)
    if resource.group == ARGO_GROUP:
        document = without_type(platform.lint(namespace, document, resource.kind))
    return platform.create(resource.kind, namespace, document, dry_run=dry_run)


def _check_type(resource: Resource, request: KubernetesRequest) -> Json:
    """The document of a request. Raises Refused when it is of another type than the path says."""
    body = request.body
    for field, right in (("kind", resource.kind), ("apiVersion", resource.group_version)):
        if body.get(field, right) != right:
            message = f"the {field} in the data ({body[field]}) does not match the expected {field} ({right})"
            raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
    if not isinstance(body.get("metadata", {}), dict):
        raise Refused(INVALID_ARGUMENT, "metadata: Invalid value: it is not an object", reason="BadRequest")
    return without_type(body)


def _without_managed_fields(document: Json) -> Json:
    """The document without managedFields, which only the server records."""
    return {**document, "metadata": {k: v for k, v in (document.get("metadata") or {}).items() if k != "managedFields"}}


def update(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    document = _without_managed_fields(_check_type(request.target.resource, request))
    name = document.setdefault("metadata", {}).setdefault("name", request.target.name)
    if name != request.target.name:
        message = f"the name of the object ({name}) does not match the name on the URL ({request.target.name})"
        raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
    return 200, text_with_type(request.target.resource, _replace(platform, request, document))


def _replace(platform: LocalPlatform, request: KubernetesRequest, document: Json) -> StoredObject:
    target = request.target
    stored = platform.get(target.resource.kind, target.namespace, target.name)
    if request.media_type != APPLY:
        document = disown_changes(json.loads(stored.text), document)
    if request.dry_run:
        metadata = {**json.loads(stored.text)["metadata"], **document["metadata"]}
        return StoredObject(stored.kind, stored.namespace, stored.name, stored.uid, stored.resource_version,
                      json.dumps({"metadata": metadata, **{k: v for k, v in document.items() if k != "metadata"}}))  # fmt: skip
    if target.resource.group == ARGO_GROUP and target.resource.kind != "Workflow":
        document = without_type(platform.lint(target.namespace, document, target.resource.kind))
    return platform.update(target.resource.kind, target.namespace, document)


def patch(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    target = request.target
    resource = target.resource
    applied = request.media_type == APPLY
    try:
        stored = platform.get(resource.kind, target.namespace, target.name)
    except Refused as error:
        if not applied or error.code != NOT_FOUND or resource.kind in ("Pod",):
            raise
        created = _apply_config(None, request)
        return 201, text_with_type(resource, _store(platform, resource, target.namespace, created, request.dry_run))
    live = without_type(json.loads(stored.text))
    document = (
        _apply_config(live, request)
        if applied
        else without_type(apply_patch(live, request.body, request.media_type, resource.kind))
    )
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") != target.name:
        raise Refused(INVALID_ARGUMENT, "metadata.name: Invalid value: field is immutable", reason="Invalid")
    if not applied:
        document = _without_managed_fields(document)
    if document == (live if applied else _without_managed_fields(live)):
        return 200, text_with_type(resource, stored)  # without a change there is no new version, as in Kubernetes
    return 200, text_with_type(resource, _replace(platform, request, document))


def _apply_config(live: Json | None, request: KubernetesRequest) -> Json:
    """The object after a server-side apply."""
    manager = request.query.get("fieldManager", "")
    if not manager:
        message = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        raise Refused(INVALID_ARGUMENT, message, reason="Invalid")
    config = _check_type(request.target.resource, request)
    config.setdefault("metadata", {}).setdefault("name", request.target.name)
    force, version = request.flag("force"), request.target.resource.group_version
    return apply(live, config, manager, force=force, at=timestamps.text(time.time()), version=version)


def delete(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    target = request.target
    stored = platform.get(target.resource.kind, target.namespace, target.name)
    if target.resource.kind == "Namespace" and target.name == "default":
        message = 'namespaces "default" is forbidden: this namespace may not be deleted'
        raise Refused(PERMISSION_DENIED, message, reason="Forbidden")
    _check_preconditions(target.resource, stored, request.part("preconditions"))
    if not request.dry_run:
        platform.delete(target.resource.kind, target.namespace, target.name)
    if target.resource.kind in _SHOWN_WHEN_DELETED:
        return 200, text_with_type(target.resource, stored)
    details: Json = {"name": stored.name, "kind": target.resource.plural, "uid": stored.uid}
    if target.resource.group:
        details["group"] = target.resource.group
    return 200, {**_status("Success"), "details": details}


def _check_preconditions(resource: Resource, stored: StoredObject, conditions: Json) -> None:
    for field, actual in (("uid", stored.uid), ("resourceVersion", str(stored.resource_version))):
        if conditions.get(field) and conditions[field] != actual:
            word = "UID" if field == "uid" else "ResourceVersion"
            message = (
                f'Operation cannot be fulfilled on {resource.qualified} "{stored.name}": the {word} in the precondition '
                f"({conditions[field]}) does not match the {word} in record ({actual})"
            )
            raise Refused(INVALID_ARGUMENT, message, reason="Conflict")


def delete_collection(platform: LocalPlatform, request: KubernetesRequest) -> Answer:
    resource, selector = request.target.resource, selector_of(request)
    for stored in platform.list(resource.kind, request.target.namespace)[0]:
        if selector.names(stored) and selector.matches(stored.text) and not request.dry_run:
            try:
                platform.delete(resource.kind, stored.namespace, stored.name)
            except Refused as error:
                if error.code != NOT_FOUND:
                    raise
    return 200, _status("Success")


def _status(status: str) -> Json:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status}
