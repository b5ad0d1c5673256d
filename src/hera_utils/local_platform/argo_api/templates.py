"""Workflow templates and cluster workflow templates. Source: Argo's server/workflowtemplate and server/clusterworkflowtemplate."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text
from hera_utils.local_platform.argo_api.request import Call, untyped
from hera_utils.local_platform.argo_api.workflows import check_namespace
from hera_utils.local_platform.serving.http import whole_number
from hera_utils.local_platform.serving.watch import ObjectSelector
from hera_utils.local_platform.storage.records import StoredObject

Json = dict[str, Any]

_LOCAL, _CLUSTER = "WorkflowTemplate", "ClusterWorkflowTemplate"


def enumerate(call: Call) -> Reply:
    return enumerate_kind(call, _LOCAL, call.query.get("namePattern", ""))


def create(call: Call) -> Reply:
    return create_kind(call, _LOCAL, "template", "workflow template was not found in the request body")


def lint(call: Call) -> Reply:
    return lint_kind(call, _LOCAL, "template")


def get(call: Call) -> Reply:
    return Text(find_kind(call, _LOCAL).text)


def update(call: Call) -> Reply:
    return update_kind(call, _LOCAL, "template", "WorkflowTemplate is not found in Request body")


def delete(call: Call) -> Reply:
    return delete_kind(call, _LOCAL)


def enumerate_cluster(call: Call) -> Reply:
    return enumerate_kind(call, _CLUSTER)


def create_cluster(call: Call) -> Reply:
    return create_kind(call, _CLUSTER, "template", "cluster workflow template was not found in the request body")


def lint_cluster(call: Call) -> Reply:
    return lint_kind(call, _CLUSTER, "template")


def get_cluster(call: Call) -> Reply:
    return Text(find_kind(call, _CLUSTER).text)


def update_cluster(call: Call) -> Reply:
    return update_kind(call, _CLUSTER, "template", "ClusterWorkflowTemplate is not found in Request body")


def delete_cluster(call: Call) -> Reply:
    return delete_kind(call, _CLUSTER)


# --- the same for every stored kind of Argo's but workflows ------------------------------------------------------------------


def enumerate_kind(call: Call, kind: str, pattern: str = "") -> Reply:
    options = call.list_options
    wanted = ObjectSelector(
        kind, call.namespace, label_selector(options.label_selector), field_selector(options.field_selector)
    )
    every, version = call.platform.list(kind, call.namespace)
    found = [
        stored for stored in every if pattern in stored.name and wanted.names(stored) and wanted.matches(stored.text)
    ]
    offset = max(whole_number(options.continue_) or 0, 0)
    page = found[offset : offset + options.limit] if options.limit > 0 else found[offset:]
    head: Json = {"resourceVersion": str(version)}
    if offset + len(page) < len(found):
        head |= {"continue": str(offset + len(page)), "remainingItemCount": len(found) - offset - len(page)}
    return {"metadata": head, "items": [json.loads(stored.text) for stored in page] or None}


def create_kind(call: Call, kind: str, key: str, missing: str) -> Reply:
    document = _checked(call, kind, _document(call, kind, key, missing))
    return Text(call.platform.create(kind, call.namespace, document).text)


def lint_kind(call: Call, kind: str, key: str) -> Reply:
    return _checked(call, kind, _document(call, kind, key, f"{kind} is not found in Request body"))


def update_kind(call: Call, kind: str, key: str, missing: str) -> Reply:
    """The name in the body counts: the argo CLI leaves that of the path empty."""
    document = _document(call, kind, key, missing)
    if call.name and isinstance(document.setdefault("metadata", {}), dict):
        document["metadata"].setdefault("name", call.name)
    document = _checked(call, kind, document)
    return Text(call.platform.update(kind, call.namespace, document).text)


def find_kind(call: Call, kind: str) -> StoredObject:
    if not call.name:
        raise Refused(INTERNAL, "resource name may not be empty")
    return call.platform.get(kind, call.namespace, call.name)


def delete_kind(call: Call, kind: str) -> Reply:
    call.platform.delete(kind, call.namespace, find_kind(call, kind).name)
    return {}


def _document(call: Call, kind: str, key: str, missing: str) -> Json:
    document = call.document(key)
    if document is None:
        raise Refused(INVALID_ARGUMENT, missing)
    if kind != _CLUSTER:
        check_namespace(call.namespace, document)
    return document


def _checked(call: Call, kind: str, document: Json) -> Json:
    """The document as it is kept, once it was found to be valid."""
    return untyped(call.platform.lint(call.namespace, document, kind))
