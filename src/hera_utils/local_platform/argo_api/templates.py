"""The API of workflow templates and cluster workflow templates.

Source: Argo's server/workflowtemplate and server/clusterworkflowtemplate.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text, encode, written
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflows import check_namespace
from hera_utils.local_platform.serving.watch import ObjectSelector
from hera_utils.local_platform.storage.records import StoredObject, untyped

Json = dict[str, Any]

_LOCAL, _CLUSTER = "WorkflowTemplate", "ClusterWorkflowTemplate"


def enumerate(request: ArgoRequest) -> Reply:
    return enumerate_kind(request, _LOCAL, request.query.get("namePattern", ""))


def create(request: ArgoRequest) -> Reply:
    return create_kind(request, _LOCAL, "template", "workflow template was not found in the request body")


def lint(request: ArgoRequest) -> Reply:
    return lint_kind(request, _LOCAL, "template")


def get(request: ArgoRequest) -> Reply:
    return Text(find_kind(request, _LOCAL).text)


def update(request: ArgoRequest) -> Reply:
    return update_kind(request, _LOCAL, "template", "WorkflowTemplate is not found in Request body")


def delete(request: ArgoRequest) -> Reply:
    return delete_kind(request, _LOCAL)


def enumerate_cluster(request: ArgoRequest) -> Reply:
    return enumerate_kind(request, _CLUSTER)


def create_cluster(request: ArgoRequest) -> Reply:
    return create_kind(request, _CLUSTER, "template", "cluster workflow template was not found in the request body")


def lint_cluster(request: ArgoRequest) -> Reply:
    return lint_kind(request, _CLUSTER, "template")


def get_cluster(request: ArgoRequest) -> Reply:
    return Text(find_kind(request, _CLUSTER).text)


def update_cluster(request: ArgoRequest) -> Reply:
    return update_kind(request, _CLUSTER, "template", "ClusterWorkflowTemplate is not found in Request body")


def delete_cluster(request: ArgoRequest) -> Reply:
    return delete_kind(request, _CLUSTER)


# --- shared by templates, cron workflows and event bindings --------------------------------------------------------------------


def enumerate_kind(request: ArgoRequest, kind: str, pattern: str = "") -> Reply:
    options = request.list_options
    selector = ObjectSelector(
        kind, request.namespace, label_selector(options.label_selector), field_selector(options.field_selector)
    )
    objects, version = request.platform.list(kind, request.namespace)
    selected = [
        stored
        for stored in objects
        if pattern in stored.name and selector.names(stored) and selector.matches(stored.text)
    ]
    offset = max(whole_number(options.continue_) or 0, 0)
    page = selected[offset : offset + options.limit] if options.limit > 0 else selected[offset:]
    head: Json = {"resourceVersion": str(version)}
    if offset + len(page) < len(selected):
        head |= {"continue": str(offset + len(page)), "remainingItemCount": len(selected) - offset - len(page)}
    items = [partial(_compact, stored.text) for stored in page]
    return written({"metadata": head}, items, request.watches.threads)


def _compact(text: str) -> str:
    return encode(json.loads(text))


def create_kind(request: ArgoRequest, kind: str, key: str, missing: str) -> Reply:
    document = _checked(request, kind, _document(request, kind, key, missing))
    return Text(request.platform.create(kind, request.namespace, document).text)


def lint_kind(request: ArgoRequest, kind: str, key: str) -> Reply:
    return _checked(request, kind, _document(request, kind, key, f"{kind} is not found in Request body"))


def update_kind(request: ArgoRequest, kind: str, key: str, missing: str) -> Reply:
    """Update the object that the body names: the argo CLI leaves the name in the path empty."""
    document = _document(request, kind, key, missing)
    if request.name and isinstance(document.setdefault("metadata", {}), dict):
        document["metadata"].setdefault("name", request.name)
    document = _checked(request, kind, document)
    return Text(request.platform.update(kind, request.namespace, document).text)


def find_kind(request: ArgoRequest, kind: str) -> StoredObject:
    if not request.name:
        raise Refused(INTERNAL, "resource name may not be empty")
    return request.platform.get(kind, request.namespace, request.name)


def delete_kind(request: ArgoRequest, kind: str) -> Reply:
    request.platform.delete(kind, request.namespace, find_kind(request, kind).name)
    return {}


def _document(request: ArgoRequest, kind: str, key: str, missing: str) -> Json:
    document = request.document(key)
    if document is None:
        raise Refused(INVALID_ARGUMENT, missing)
    if kind != _CLUSTER:
        check_namespace(request.namespace, document)
    return document


def _checked(request: ArgoRequest, kind: str, document: Json) -> Json:
    """Validate a document and give it in the form in which it is stored."""
    return untyped(request.platform.lint(request.namespace, document, kind))
