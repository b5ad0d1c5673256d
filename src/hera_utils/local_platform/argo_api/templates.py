"""The API of workflow templates, cluster workflow templates and cron workflows: one function per verb, the request says the kind.

Source: Argo's server/workflowtemplate, server/clusterworkflowtemplate and server/cronworkflow.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text, encode, list_reply
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflows import as_sent, check_namespace
from hera_utils.local_platform.serving.watch import ObjectSelector
from hera_utils.local_platform.storage.records import StoredObject, without_type

Json = dict[str, Any]

_WORDS = {
    "WorkflowTemplate": "workflow template",
    "ClusterWorkflowTemplate": "cluster workflow template",
    "CronWorkflow": "cron workflow",
}


def enumerate(request: ArgoRequest) -> Reply:
    pattern = request.query.get("namePattern", "") if request.kind == "WorkflowTemplate" else ""
    return enumerate_kind(request, request.kind, pattern)


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
    return list_reply({"metadata": head}, items, request.watches.threads)


def _compact(text: str) -> str:
    return encode(json.loads(text))


def create(request: ArgoRequest) -> Reply:
    document = _check(request, _document(request, f"{_WORDS[request.kind]} was not found in the request body"))
    return Text(request.platform.create(request.kind, request.namespace, document).text)


def lint(request: ArgoRequest) -> Reply:
    document = _document(request, f"{request.kind} is not found in Request body")
    return as_sent(document, _check(request, document))


def get(request: ArgoRequest) -> Reply:
    return Text(_find(request).text)


def update(request: ArgoRequest) -> Reply:
    """Update the object that the body names: the argo CLI leaves the name in the path empty."""
    is_cron = request.kind == "CronWorkflow"
    missing = (
        "cron workflow was not found in the request body" if is_cron else f"{request.kind} is not found in Request body"
    )
    document = _document(request, missing)
    if request.name and isinstance(document.setdefault("metadata", {}), dict):
        document["metadata"].setdefault("name", request.name)
    document = _check(request, document)
    return Text(request.platform.update(request.kind, request.namespace, document).text)


def delete(request: ArgoRequest) -> Reply:
    request.platform.delete(request.kind, request.namespace, _find(request).name)
    return {}


def suspend(request: ArgoRequest) -> Reply:
    return _set_suspended(request, True)


def resume(request: ArgoRequest) -> Reply:
    return _set_suspended(request, False)


def _set_suspended(request: ArgoRequest, suspended: bool) -> Reply:
    document = json.loads(_find(request).text)
    document["spec"].pop("suspend", None)
    if suspended:
        document["spec"]["suspend"] = True
    return Text(request.platform.update(request.kind, request.namespace, document).text)


def _find(request: ArgoRequest) -> StoredObject:
    if not request.name:
        raise Refused(INTERNAL, "resource name may not be empty")
    return request.platform.get(request.kind, request.namespace, request.name)


def _document(request: ArgoRequest, missing: str) -> Json:
    document = request.document("cronWorkflow" if request.kind == "CronWorkflow" else "template")
    if document is None:
        raise Refused(INVALID_ARGUMENT, missing)
    if request.kind != "ClusterWorkflowTemplate":
        check_namespace(request.namespace, document)
    return document


def _check(request: ArgoRequest, document: Json) -> Json:
    """Validate a document and give it in the form in which it is stored."""
    return without_type(request.platform.lint(request.namespace, document, request.kind))
