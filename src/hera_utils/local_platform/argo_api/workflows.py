"""The API of workflows: create, get, list, delete, lint. Source: Argo's server/workflow/workflow_server.go, measured on 4.1.2."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT, NOT_FOUND, UNKNOWN, fault_of
from hera_utils.argo.selectors import LabelSelector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import ExpressionError, InvalidWorkflow, Refused
from hera_utils.local_platform.argo_api.answers import Reply, Text, encode
from hera_utils.local_platform.argo_api.lists import written
from hera_utils.local_platform.argo_api.request import ArgoRequest, ListOptions
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.large_answers import Item
from hera_utils.local_platform.serving.watch import metadata_of, status_of
from hera_utils.local_platform.storage.records import StoredObject, StoredRun, untyped

Json = dict[str, Any]


def create(request: ArgoRequest) -> Reply:
    document = request.document("workflow")
    if document is None:
        raise Refused(INVALID_ARGUMENT, "workflow body not specified")
    check_namespace(request.namespace, document)
    options = request.document("createOptions") or {}
    if options.get("dryRun"):
        return untyped(request.platform.lint(request.namespace, document))
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
        return untyped(request.platform.lint(request.namespace, document))
    except (InvalidWorkflow, ExpressionError) as error:
        # Argo answers 500 for an invalid workflow, but 400 for any other kind.
        raise fault_of(error, default=UNKNOWN) from error


def get(request: ArgoRequest) -> Reply:
    nodes = not request.fields.will_exclude("status.nodes")
    stored = find(request.platform, request.namespace, request.name, uid=request.query.get("uid", ""), nodes=nodes)
    if not request.fields:
        return Text(stored.text)
    return request.fields.workflow(json.loads(stored.text))


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
    offset = _offset(options)
    filter_ = _WorkflowFilter(request, options)
    selected, version = _selected(request, filter_)
    total = len(selected)
    page = selected[offset : offset + options.limit] if options.limit > 0 else selected[offset:]
    remaining = max(total - offset - len(page), 0)
    head: Json = {"resourceVersion": str(version)}
    if remaining:
        head["continue"] = str(offset + len(page))
    if filter_.count_remaining:
        head["remainingItemCount"] = remaining
    listed = request.fields.workflow_list({"metadata": head})
    listed.pop("items", None)
    return written(listed, _items(request, sorted(page, key=_age, reverse=True)), request.watches.threads)


def _items(request: ArgoRequest, page: Sequence[Listed]) -> list[Item]:
    """Functions that give the text of each run, filtered one by one, so that memory never holds thousands of whole documents."""
    nodes = not request.fields.will_exclude("items.status.nodes")

    def text(run: Listed) -> str | None:
        whole = _text(request.platform, run, nodes=nodes)
        if whole is None or not request.fields:
            return whole
        chosen = request.fields.workflow_list({"items": [json.loads(whole)]})["items"]
        return encode(chosen[0]) if chosen else None

    return [partial(text, run) for run in page]


Listed = StoredObject | StoredRun


def _selected(request: ArgoRequest, filter_: _WorkflowFilter) -> tuple[Sequence[Listed], int]:
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


def _offset(options: ListOptions) -> int:
    offset = whole_number(options.continue_ or "0")
    if offset is None:
        raise Refused(INVALID_ARGUMENT, "listOptions.continue must be int")
    if offset < 0:
        raise Refused(INVALID_ARGUMENT, "listOptions.continue must >= 0")
    return offset


class _WorkflowFilter:
    """Selects the workflows of a list. The field selector accepts only what Argo's accepts (server/utils/list_options.go)."""

    def __init__(self, request: ArgoRequest, options: ListOptions) -> None:
        self.labels: LabelSelector = label_selector(options.label_selector)
        self.name_filter = request.query.get("nameFilter", "") or "Exact"
        self.created_after = _instant(request.query.get("createdAfter", ""))
        self.finished_before = _instant(request.query.get("finishedBefore", ""))
        self.namespace = self.name = ""
        self.other_namespace = ""
        self.started: tuple[float | None, float | None] = (None, None)
        self.count_remaining = False
        for term in filter(None, options.field_selector.split(",")):
            self._read(term, request.namespace)

    def _read(self, term: str, namespace: str) -> None:
        found = re.fullmatch(r"(metadata\.namespace|metadata\.name)(!=|==|=)(.*)", term)
        if found and found.group(1) == "metadata.namespace":
            self._read_namespace(found.group(2), found.group(3), namespace)
        elif found:
            self.name = found.group(3)
            if found.group(2) == "!=":
                self.name_filter = "NotEquals"
        elif term.startswith(("spec.startedAt>", "spec.startedAt<")):
            bound = _instant(term[len("spec.startedAt>") :])
            self.started = (bound, self.started[1]) if ">" in term else (self.started[0], bound)
        elif term.startswith("ext.showRemainingItemCount"):
            self.count_remaining = term.removeprefix("ext.showRemainingItemCount=").lower() in ("1", "t", "true")
        else:
            raise Refused(INVALID_ARGUMENT, f"unsupported requirement {term}")

    def _read_namespace(self, operator: str, value: str, namespace: str) -> None:
        if operator == "!=":
            self.other_namespace = value
        elif namespace and value != namespace:
            raise Refused(
                INVALID_ARGUMENT,
                f"'namespace' query param (\"{namespace}\") and fieldselector 'metadata.namespace' (\"{value}\") "
                "are both specified and contradict each other",
            )
        else:
            self.namespace = value

    @property
    def by_time(self) -> bool:
        return any(bound is not None for bound in (*self.started, self.created_after, self.finished_before))

    @property
    def by_headers(self) -> bool:
        """Whether selecting needs more than names."""
        return bool(self.labels.requirements) or self.by_time

    def by_name(self, stored: Listed) -> bool:
        if self.other_namespace and stored.namespace == self.other_namespace:
            return False
        if not self.name:
            return True
        tests = {
            "Contains": self.name in stored.name,
            "Prefix": stored.name.startswith(self.name),
            "NotEquals": stored.name != self.name,
        }
        return tests.get(self.name_filter, stored.name == self.name)

    def by_labels(self, stored: StoredObject) -> bool:
        return not self.labels.requirements or self.labels.matches(metadata_of(stored.text).get("labels"))

    def by_status(self, status: Json) -> bool:
        after, before = self.started
        if not self.by_time:
            return True
        started, finished = _instant(status.get("startedAt") or ""), _instant(status.get("finishedAt") or "")
        earliest = max((bound for bound in (after, self.created_after) if bound is not None), default=None)
        if earliest is not None and not (started is not None and started > earliest):
            return False
        if before is not None and not (started is not None and started < before):
            return False
        return self.finished_before is None or (finished is not None and finished < self.finished_before)


def _instant(text: str) -> float | None:
    if not text:
        return None
    seconds = timestamps.read(text)
    if seconds is None:
        wrong = f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        raise Refused(INTERNAL, wrong)
    return seconds
