"""get, list, create, update, patch, delete of objects, as Kubernetes answers them. Functions (platform, asked) → (HTTP status, object)."""

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
from hera_utils.local_platform.kubernetes_api.ownership import apply, changed_otherwise
from hera_utils.local_platform.kubernetes_api.request import Asked
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.watch import ObjectSelector
from hera_utils.local_platform.storage.patches import APPLY, patched
from hera_utils.local_platform.storage.records import StoredObject
from hera_utils.local_platform.storage.resources import ARGO_GROUP, Resource

Json = dict[str, Any]
Answer = tuple[int, "Json | str"]
"""HTTP status, and an object or its JSON text."""

_SHOWN_WHEN_DELETED = frozenset({"Pod", "PersistentVolumeClaim", "Namespace", "ServiceAccount"})


def typed(resource: Resource, stored: StoredObject) -> Json:
    """The object with apiVersion and kind in front, whatever it was stored with."""
    document = json.loads(stored.text)
    return {"apiVersion": resource.group_version, "kind": resource.kind, **untyped(document)}


def typed_text(resource: Resource, stored: StoredObject) -> str:
    """The same as JSON text; a workflow, which may be megabytes, is not read for it."""
    if resource.group == ARGO_GROUP and stored.text.startswith('{"metadata":'):
        return f'{{"apiVersion":"{resource.group_version}","kind":"{resource.kind}",{stored.text[1:]}'
    return json.dumps(typed(resource, stored), separators=(",", ":"), ensure_ascii=False)


def untyped(document: Json) -> Json:
    return {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}


def get(platform: LocalPlatform, asked: Asked) -> Answer:
    target = asked.target
    return 200, typed_text(target.resource, platform.get(target.resource.kind, target.namespace, target.name))


def wanted(asked: Asked) -> ObjectSelector:
    fields = field_selector(asked.query.get("fieldSelector", ""))
    if asked.target.name:  # watch of one object in the old style
        fields = field_selector(f"metadata.name={asked.target.name}")
    labels = label_selector(asked.query.get("labelSelector", ""))
    return ObjectSelector(asked.target.resource.kind, asked.target.namespace, labels, fields)


def enumerate(platform: LocalPlatform, asked: Asked) -> Answer:
    """A list in pages (`limit`, `continue`). A page's token is the place after its last object, so pages need nothing kept."""
    resource, choice = asked.target.resource, wanted(asked)
    every, version = platform.list(resource.kind, asked.target.namespace)
    found = [stored for stored in every if choice.names(stored) and choice.matches(stored.text)]
    after = _place(asked.query.get("continue", ""))
    if after:
        found = [stored for stored in found if (stored.namespace, stored.name) > after]
    limit = asked.number("limit")
    page = found[:limit] if limit > 0 else found
    head: Json = {"resourceVersion": str(version)}
    if len(page) < len(found):
        head |= {"continue": _token(page[-1]), "remainingItemCount": len(found) - len(page)}
    items = ",".join(typed_text(resource, stored) for stored in page)
    return 200, (
        f'{{"apiVersion":"{resource.group_version}","kind":"{resource.kind}List","metadata":{json.dumps(head)},"items":[{items}]}}'
    )


def _token(stored: StoredObject) -> str:
    return base64.urlsafe_b64encode(json.dumps([stored.namespace, stored.name]).encode()).decode()


def _place(token: str) -> tuple[str, str] | None:
    if not token:
        return None
    try:
        namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (TypeError, ValueError, binascii.Error):
        raise Refused(INVALID_ARGUMENT, "continue key is not valid", reason="BadRequest") from None
    return str(namespace), str(name)


def create(platform: LocalPlatform, asked: Asked) -> Answer:
    resource, namespace = asked.target.resource, asked.target.namespace
    document = _unowned(_checked(resource, asked))
    if asked.target.name:
        document.setdefault("metadata", {}).setdefault("name", asked.target.name)
    return 201, typed_text(resource, _store(platform, resource, namespace, document, asked.dry_run))


def _store(platform: LocalPlatform, resource: Resource, namespace: str, document: Json, dry_run: bool) -> StoredObject:
    if resource.kind == "Workflow":
        return platform.submit(namespace, document, dry_run=dry_run)
    if resource.group == ARGO_GROUP:
        document = untyped(platform.lint(namespace, document, resource.kind))
    return platform.create(resource.kind, namespace, document, dry_run=dry_run)


def _checked(resource: Resource, asked: Asked) -> Json:
    """The document of a request, of the right type."""
    body = asked.body
    for field, right in (("kind", resource.kind), ("apiVersion", resource.group_version)):
        if body.get(field, right) != right:
            message = f"the {field} in the data ({body[field]}) does not match the expected {field} ({right})"
            raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
    if not isinstance(body.get("metadata", {}), dict):
        raise Refused(INVALID_ARGUMENT, "metadata: Invalid value: it is not an object", reason="BadRequest")
    return untyped(body)


def _unowned(document: Json) -> Json:
    """Who owns which field is the server's to say, not a client's."""
    return {**document, "metadata": {k: v for k, v in (document.get("metadata") or {}).items() if k != "managedFields"}}


def update(platform: LocalPlatform, asked: Asked) -> Answer:
    document = _unowned(_checked(asked.target.resource, asked))
    given = document.setdefault("metadata", {}).setdefault("name", asked.target.name)
    if given != asked.target.name:
        message = f"the name of the object ({given}) does not match the name on the URL ({asked.target.name})"
        raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
    return 200, typed_text(asked.target.resource, _replace(platform, asked, document))


def _replace(platform: LocalPlatform, asked: Asked, document: Json) -> StoredObject:
    target = asked.target
    known = platform.get(target.resource.kind, target.namespace, target.name)
    if asked.media_type != APPLY:
        document = changed_otherwise(json.loads(known.text), document)
    if asked.dry_run:
        metadata = {**json.loads(known.text)["metadata"], **document["metadata"]}
        return StoredObject(known.kind, known.namespace, known.name, known.uid, known.resource_version,
                      json.dumps({"metadata": metadata, **{k: v for k, v in document.items() if k != "metadata"}}))  # fmt: skip
    if target.resource.group == ARGO_GROUP and target.resource.kind != "Workflow":
        document = untyped(platform.lint(target.namespace, document, target.resource.kind))
    return platform.update(target.resource.kind, target.namespace, document)


def patch(platform: LocalPlatform, asked: Asked) -> Answer:
    target = asked.target
    resource = target.resource
    applied = asked.media_type == APPLY
    try:
        known = platform.get(resource.kind, target.namespace, target.name)
    except Refused as error:
        if not applied or error.code != NOT_FOUND or resource.kind in ("Pod",):
            raise
        born = _applied(None, asked)
        return 201, typed_text(resource, _store(platform, resource, target.namespace, born, asked.dry_run))
    live = untyped(json.loads(known.text))
    document = _applied(live, asked) if applied else _unowned(untyped(patched(live, asked.body, asked.media_type)))
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") != target.name:
        raise Refused(INVALID_ARGUMENT, "metadata.name: Invalid value: field is immutable", reason="Invalid")
    if document == (live if applied else _unowned(live)):
        return 200, typed_text(resource, known)  # nothing changes: no new version, as in Kubernetes
    return 200, typed_text(resource, _replace(platform, asked, document))


def _applied(live: Json | None, asked: Asked) -> Json:
    """The object as its appliers want it; a secret's stringData is data by then."""
    manager = asked.query.get("fieldManager", "")
    if not manager:
        message = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        raise Refused(INVALID_ARGUMENT, message, reason="Invalid")
    config = _checked(asked.target.resource, asked)
    config.setdefault("metadata", {}).setdefault("name", asked.target.name)
    force, version = asked.flag("force"), asked.target.resource.group_version
    return apply(live, config, manager, force=force, at=timestamps.text(time.time()), version=version)


def delete(platform: LocalPlatform, asked: Asked) -> Answer:
    target = asked.target
    known = platform.get(target.resource.kind, target.namespace, target.name)
    if target.resource.kind == "Namespace" and target.name == "default":
        message = 'namespaces "default" is forbidden: this namespace may not be deleted'
        raise Refused(PERMISSION_DENIED, message, reason="Forbidden")
    _check_preconditions(target.resource, known, asked.part("preconditions"))
    if not asked.dry_run:
        platform.delete(target.resource.kind, target.namespace, target.name)
    if target.resource.kind in _SHOWN_WHEN_DELETED:
        return 200, typed_text(target.resource, known)
    details: Json = {"name": known.name, "kind": target.resource.plural, "uid": known.uid}
    if target.resource.group:
        details["group"] = target.resource.group
    return 200, {**_status("Success"), "details": details}


def _check_preconditions(resource: Resource, known: StoredObject, conditions: Json) -> None:
    for field, seen in (("uid", known.uid), ("resourceVersion", str(known.resource_version))):
        if conditions.get(field) and conditions[field] != seen:
            word = "UID" if field == "uid" else "ResourceVersion"
            message = (
                f'Operation cannot be fulfilled on {resource.qualified} "{known.name}": the {word} in the precondition '
                f"({conditions[field]}) does not match the {word} in record ({seen})"
            )
            raise Refused(INVALID_ARGUMENT, message, reason="Conflict")


def delete_collection(platform: LocalPlatform, asked: Asked) -> Answer:
    resource, choice = asked.target.resource, wanted(asked)
    for stored in platform.list(resource.kind, asked.target.namespace)[0]:
        if choice.names(stored) and choice.matches(stored.text) and not asked.dry_run:
            try:
                platform.delete(resource.kind, stored.namespace, stored.name)
            except Refused as error:
                if error.code != NOT_FOUND:
                    raise
    return 200, _status("Success")


def _status(status: str) -> Json:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status}
