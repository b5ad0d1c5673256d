"""The API of archived workflows. Source: Argo's server/workflowarchive, when it has a database."""

from __future__ import annotations

from functools import partial
from typing import Any

from hera_utils.argo.faults import ALREADY_EXISTS, INVALID_ARGUMENT, NOT_FOUND
from hera_utils.argo.selectors import label_selector
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text, encode, list_reply
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflow_filter import WorkflowFilter, offset_of
from hera_utils.local_platform.storage.archive import Archive
from hera_utils.local_platform.storage.records import StoredRun

Json = dict[str, Any]

_LISTED = ("phase", "startedAt", "finishedAt", "progress", "message", "estimatedDuration", "resourcesDuration")


def enumerate(request: ArgoRequest) -> Reply:
    """The archived workflows without their nodes and templates, the youngest first, by pages."""
    options, namespace = request.list_options, request.query.get("namespace", "")
    offset, filter_ = offset_of(options), WorkflowFilter(request, options, namespace)
    prefix = request.query.get("namePrefix", "")
    records = request.platform.archive.records(namespace or filter_.namespace)
    named = [record for record in records if record.name.startswith(prefix) and filter_.by_name(record)]
    limit = max(options.limit, 0)
    enough = offset + limit + 1 if limit and not filter_.count_remaining else len(named)
    selected = _select_records(request.platform.archive, filter_, named, enough)
    page = selected[offset : offset + limit] if limit else selected[offset:]
    remaining = max(len(selected) - offset - len(page), 0)
    head: Json = {}
    if limit and remaining:
        head["continue"] = str(offset + len(page))
    if limit and filter_.count_remaining:
        head["remainingItemCount"] = remaining
    items = [partial(_text_in_list, request.platform.archive, record.uid) for record in page]
    return list_reply({"metadata": head}, items, request.watches.threads)


def _select_records(
    archive: Archive, filter_: WorkflowFilter, records: list[StoredRun], enough: int
) -> list[StoredRun]:
    """The first records that the filter selects, at most `enough`."""
    if not filter_.by_headers:
        return records[:enough]
    selected: list[StoredRun] = []
    for record in records:
        document = archive.document(record.uid, nodes=False)
        if document is None or not filter_.labels.matches(document["metadata"].get("labels")):
            continue
        if filter_.by_status(document.get("status") or {}):
            selected.append(record)  # without the document, so that memory does not hold hundreds of whole runs
        if len(selected) >= enough:
            break
    return selected


def _text_in_list(archive: Archive, uid: str) -> str | None:
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
    requirements = label_selector(request.list_options.label_selector).requirements
    if len(requirements) != 1:
        raise Refused(INVALID_ARGUMENT, f"only allow 1 labelRequirement, found {len(requirements)}")
    (requirement,) = requirements
    if requirement.operator != "exists":
        raise Refused(INVALID_ARGUMENT, f"operation {requirement.operator} is not supported")
    values = {labels[requirement.key] for labels in _every_label(request) if requirement.key in labels}
    return {"items": sorted(values)} if values else {}


def _every_label(request: ArgoRequest) -> list[Json]:
    archive = request.platform.archive
    documents = (archive.document(record.uid, nodes=False) for record in archive.records())
    return [document["metadata"].get("labels") or {} for document in documents if document is not None]


def get(request: ArgoRequest) -> Reply:
    """Get an archived workflow by its uid, or by its name if the path has no uid."""
    uid = request.path.get("uid", "")
    return _find(request, uid, request.query.get("namespace", ""), "" if uid else request.query.get("name", ""))


def delete(request: ArgoRequest) -> Reply:
    document = _by_name_or_uid(request, request.query.get("namespace", ""), request.query.get("name", ""))
    request.platform.forget_archived(document["metadata"]["uid"])
    return {}


def resubmit(request: ArgoRequest) -> Reply:
    document = _by_name_or_uid(request, request.option("namespace"), request.option("name"))
    memoized, parameters = request.switch("memoized"), request.texts("parameters")
    return Text(request.platform.run_again(document, memoized=memoized, parameters=parameters).text)


def retry(request: ArgoRequest) -> Reply:
    """Retry an archived workflow. If the workflow still exists, it is refused, as in Argo: the user must retry that one."""
    document = _by_name_or_uid(request, request.option("namespace"), request.option("name"))
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


def _by_name_or_uid(request: ArgoRequest, namespace: str, name: str) -> Json:
    """Find a record by its name, or by its uid if the request has no name."""
    return _find(request, "" if name else request.path.get("uid", ""), namespace, name)


def _find(request: ArgoRequest, uid: str, namespace: str, name: str) -> Json:
    archive = request.platform.archive
    if not uid and not (name and namespace):
        raise Refused(INVALID_ARGUMENT, "both name and namespace are required if uid is not specified")
    document = archive.document(uid or archive.uid_of(namespace, name))
    if document is None:
        raise Refused(NOT_FOUND, "not found")
    return document
