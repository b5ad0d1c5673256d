"""The API of workflows: create, get, list, delete, lint. Source: Argo's server/workflow/workflow_server.go, measured on 4.1.2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT, NOT_FOUND, UNKNOWN, fault_of
from hera_utils.errors import ExpressionError, InvalidWorkflow, Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text, encode, list_reply
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflow_filter import Listed, WorkflowFilter, offset_of
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.large_answers import Item
from hera_utils.local_platform.serving.watch import metadata_of, status_of
from hera_utils.local_platform.storage.records import StoredObject, StoredRun, without_type

Json = dict[str, Any]


def create(request: ArgoRequest) -> Reply:
    document = request.document("workflow")
    if document is None:
        raise Refused(INVALID_ARGUMENT, "workflow body not specified")
    check_namespace(request.namespace, document)
    options = request.document("createOptions") or {}
    if options.get("dryRun"):
        return without_type(request.platform.admission.admit(request.namespace, document).document)
    return Text(request.platform.submit(request.namespace, document, dry_run=request.switch("serverDryRun")).text)


def check_namespace(namespace: str, document: Json) -> None:
    """Refuse a document that names another namespace than the path."""
    metadata = document.get("metadata")
    own = metadata.get("namespace") if isinstance(metadata, dict) else None
    if own and own != namespace:
        raise Refused(
            INVALID_ARGUMENT, "the namespace of the provided object does not match the namespace sent on the request"
        )


def lint(request: ArgoRequest) -> Reply:
    document = request.document("workflow")
    if document is None:
        raise Refused(UNKNOWN, "unable to get a workflow")
    check_namespace(request.namespace, document)
    try:
        return as_sent(document, without_type(request.platform.lint(request.namespace, document)))
    except (InvalidWorkflow, ExpressionError) as error:
        # Argo answers 500 for an invalid workflow, but 400 for any other kind.
        raise fault_of(error, default=UNKNOWN) from error


def as_sent(document: Json, checked: Json) -> Json:
    """The answer to a lint: Argo's server does not add the namespace of the path to the document."""
    if not (document.get("metadata") or {}).get("namespace"):
        checked["metadata"].pop("namespace", None)
    return checked


def get(request: ArgoRequest) -> Reply:
    nodes = not request.fields.will_exclude("status.nodes")
    stored = find(request.platform, request.namespace, request.name, uid=request.query.get("uid", ""), nodes=nodes)
    if not request.fields:
        return Text(stored.text)
    return request.fields.filter_workflow(json.loads(stored.text))


def find(platform: LocalPlatform, namespace: str, name: str, *, uid: str = "", nodes: bool = False) -> StoredObject:
    """A workflow by name; `@latest` is the youngest of the namespace. nodes: whether to include `status.nodes`."""
    if name == "@latest":
        runs = platform.newest_runs(namespace)[0]
        if not runs:
            raise Refused(NOT_FOUND, "no workflows found")
        by_name = sorted(runs, key=attrgetter("name"))
        name = max(by_name, key=lambda run: int(run.created)).name  # Kubernetes' timestamps have whole seconds
    if not name:
        raise Refused(INTERNAL, "resource name may not be empty")
    stored = platform.get("Workflow", namespace, name, nodes=nodes)
    if uid and stored.uid != uid:
        raise Refused(NOT_FOUND, f'workflows.argoproj.io "{name}" not found', reason="NotFound")
    return stored


def delete(request: ArgoRequest) -> Reply:
    request.platform.delete("Workflow", request.namespace, find(request.platform, request.namespace, request.name).name)
    return {}


# --- lists ---------------------------------------------------------------------------------------------------------------


def enumerate(request: ArgoRequest) -> Reply:
    options = request.list_options
    offset = offset_of(options)
    filter_ = WorkflowFilter(request, options, request.namespace)
    selected, version = _select_workflows(request, filter_)
    total = len(selected)
    page = selected[offset : offset + options.limit] if options.limit > 0 else selected[offset:]
    remaining = max(total - offset - len(page), 0)
    head: Json = {"resourceVersion": str(version)}
    if remaining:
        head["continue"] = str(offset + len(page))
    if filter_.count_remaining:
        head["remainingItemCount"] = remaining
    listed = request.fields.filter_list({"metadata": head})
    listed.pop("items", None)
    return list_reply(listed, _items(request, sorted(page, key=_age, reverse=True)), request.watches.threads)


def _items(request: ArgoRequest, page: Sequence[Listed]) -> list[Item]:
    """Functions that give the text of each run, filtered one by one, so that memory never holds thousands of whole documents."""
    nodes = not request.fields.will_exclude("items.status.nodes")

    def text(run: Listed) -> str | None:
        whole = _text(request.platform, run, nodes=nodes)
        if whole is None or not request.fields:
            return whole
        chosen = request.fields.filter_list({"items": [json.loads(whole)]})["items"]
        return encode(chosen[0]) if chosen else None

    return [partial(text, run) for run in page]


def _select_workflows(request: ArgoRequest, filter_: WorkflowFilter) -> tuple[Sequence[Listed], int]:
    """The selected workflows in Argo's order (the youngest first) and the list's resource version.

    Workflows are selected by their names, or by documents without nodes where labels or times are asked for. Whole documents are read
    only for the page that is sent.
    """
    platform, namespace = request.platform, request.namespace or filter_.namespace
    if not filter_.by_headers:
        runs, version = platform.newest_runs(namespace)
        return [run for run in runs if filter_.by_name(run)], version
    workflows, version = platform.list("Workflow", namespace, nodes=False)
    keyed = []
    for stored in workflows:
        if filter_.by_name(stored) and filter_.by_labels(stored) and filter_.by_status(status := status_of(stored)):
            keyed.append((str(status.get("startedAt") or "9"), stored.name, stored))
    keyed.sort(key=itemgetter(0, 1), reverse=True)
    return [stored for _, _, stored in keyed], version


def _text(platform: LocalPlatform, listed: Listed, *, nodes: bool) -> str | None:
    """The workflow's text, with its nodes if asked; None when it was deleted meanwhile."""
    if isinstance(listed, StoredObject) and not nodes:
        return listed.text
    try:
        whole = platform.get("Workflow", listed.namespace, listed.name, nodes=nodes)
    except Refused:
        return None
    return whole.text if whole.uid == listed.uid else None


def _age(listed: Listed) -> tuple[int, int]:
    """The key of Argo's order of a page, in whole seconds: runs in progress first, the youngest first; then by end, latest first."""
    if isinstance(listed, StoredRun):
        return (0, int(listed.finished)) if listed.finished is not None else (1, int(listed.created))
    finished = str(status_of(listed).get("finishedAt") or "")
    created = str(metadata_of(listed.text).get("creationTimestamp") or "")
    return (0, int(timestamps.seconds(finished))) if finished else (1, int(timestamps.seconds(created)))
