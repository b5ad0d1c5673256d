"""The API of archived workflows. Source: Argo's server/workflowarchive, when it has a database."""

from __future__ import annotations

from functools import partial
from typing import Any

from hera_utils.argo.faults import ALREADY_EXISTS, INVALID_ARGUMENT, NOT_FOUND
from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text, encode
from hera_utils.local_platform.argo_api.lists import written
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.storage.archive import Archive
from hera_utils.local_platform.storage.records import StoredRun

Json = dict[str, Any]

_LISTED = ("phase", "startedAt", "finishedAt", "progress", "message", "estimatedDuration", "resourcesDuration")


def enumerate(request: ArgoRequest) -> Reply:
    """The archived workflows without their nodes and templates, the youngest first, by pages."""
    options = request.list_options
    labels, fields = label_selector(options.label_selector), field_selector(options.field_selector)
    prefix, namespace = request.query.get("namePrefix", ""), request.query.get("namespace", "")
    records = [record for record in request.platform.archive.records(namespace) if record.name.startswith(prefix)]
    selected: list[StoredRun] = []
    offset = max(whole_number(options.continue_ or "0") or 0, 0)
    enough = offset + options.limit + 1 if options.limit else len(records)
    if not labels.requirements and not fields.terms:
        selected, records = records[:enough], []
    for record in records:
        document = request.platform.archive.document(record.uid, nodes=False)
        if document is None or not fields.matches_document(document):
            continue
        if labels.matches(document["metadata"].get("labels")):
            selected.append(record)  # without the document, so that memory does not hold hundreds of whole runs
        if len(selected) >= enough:
            break
    page = selected[offset : offset + options.limit] if options.limit else selected[offset:]
    more = options.limit and len(selected) > offset + len(page)
    head: Json = {"continue": str(offset + len(page))} if more else {}
    items = [partial(_listed, request.platform.archive, record.uid) for record in page]
    return written({"metadata": head}, items, request.watches.threads)


def _listed(archive: Archive, uid: str) -> str | None:
    document = archive.document(uid, nodes=False)
    if document is None:
        return None
    names = ("name", "namespace", "uid", "creationTimestamp", "labels", "annotations")
    metadata = {key: document["metadata"][key] for key in names if key in document["metadata"]}
    status, spec = document.get("status") or {}, document.get("spec") or {}
    listed = {key: spec[key] for key in ("suspend", "arguments") if key in spec}
    return encode(
        {"metadata": metadata, "spec": listed, "status": {key: status[key] for key in _LISTED if key in status}}
    )


def label_keys(request: ArgoRequest) -> Reply:
    keys = {key for labels in _every_label(request) for key in labels}
    return {"items": sorted(keys)} if keys else {}


def label_values(request: ArgoRequest) -> Reply:
    key = request.list_options.label_selector.strip()
    if not key or any(character in key for character in "=!,() "):
        raise Refused(
            INVALID_ARGUMENT, "only allow 1 labelRequirement, found 0" if not key else "operation is not supported"
        )
    values = {labels[key] for labels in _every_label(request) if key in labels}
    return {"items": sorted(values)} if values else {}


def _every_label(request: ArgoRequest) -> list[Json]:
    archive = request.platform.archive
    documents = (archive.document(record.uid, nodes=False) for record in archive.records())
    return [document["metadata"].get("labels") or {} for document in documents if document is not None]


def get(request: ArgoRequest) -> Reply:
    return _find(request, request.query.get("namespace", ""), request.query.get("name", ""))


def delete(request: ArgoRequest) -> Reply:
    document = _find(request, request.query.get("namespace", ""), request.query.get("name", ""))
    request.platform.forget_archived(document["metadata"]["uid"])
    return {}


def resubmit(request: ArgoRequest) -> Reply:
    document = _find(request, request.option("namespace"), request.option("name"))
    memoized, parameters = request.switch("memoized"), request.texts("parameters")
    return Text(request.platform.run_again(document, memoized=memoized, parameters=parameters).text)


def retry(request: ArgoRequest) -> Reply:
    """Retry an archived workflow. If the workflow still exists, it is refused, as in Argo: the user must retry that one."""
    document = _find(request, request.option("namespace"), request.option("name"))
    metadata = document["metadata"]
    try:
        request.platform.get("Workflow", metadata["namespace"], metadata["name"], nodes=False)
    except Refused as refused:
        if refused.code != NOT_FOUND:
            raise
    else:
        raise Refused(ALREADY_EXISTS, "Workflow already exists on cluster, use argo retry {name} instead")
    return Text(
        request.platform.retry_archived(
            document,
            restart_successful=request.switch("restartSuccessful"),
            node_field_selector=request.option("nodeFieldSelector"),
            parameters=request.texts("parameters"),
        ).text
    )


def _find(request: ArgoRequest, namespace: str, name: str) -> Json:
    archive = request.platform.archive
    document = archive.document(archive.uid_of(namespace, name) if name else request.path.get("uid", ""))
    if document is None:
        raise Refused(NOT_FOUND, "not found")
    return document
