"""Reads the options of a list of workflows, stored or archived, and selects by them. Source: Argo's server/utils/list_options.go."""

from __future__ import annotations

import re
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.selectors import LabelSelector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.request import ArgoRequest, ListOptions, parse_boolean
from hera_utils.local_platform.serving.watch import metadata_of
from hera_utils.local_platform.storage.records import StoredObject, StoredRun

Json = dict[str, Any]
Listed = StoredObject | StoredRun


def offset_of(options: ListOptions) -> int:
    offset = whole_number(options.continue_ or "0")
    if offset is None:
        raise Refused(INVALID_ARGUMENT, "listOptions.continue must be int")
    if offset < 0:
        raise Refused(INVALID_ARGUMENT, "listOptions.continue must >= 0")
    return offset


class WorkflowFilter:
    """Selects the workflows of a list. The field selector accepts only what Argo's accepts.

    namespace: that of the request itself; the field selector may name one too.
    """

    def __init__(self, request: ArgoRequest, options: ListOptions, namespace: str) -> None:
        self.labels: LabelSelector = label_selector(options.label_selector)
        self.name_filter = request.query.get("nameFilter", "") or "Exact"
        self.created_after = _instant(request.query.get("createdAfter", ""))
        self.finished_before = _instant(request.query.get("finishedBefore", ""))
        self.namespace = self.name = ""
        self.other_namespace = ""
        self.started: tuple[float | None, float | None] = (None, None)
        self.count_remaining = False
        for term in filter(None, options.field_selector.split(",")):
            self._read(term, namespace)

    def _read(self, term: str, namespace: str) -> None:
        match = re.fullmatch(r"(metadata\.namespace|metadata\.name)(!=|==|=)(.*)", term)
        if match and match.group(1) == "metadata.namespace":
            self._read_namespace(match.group(2), match.group(3), namespace)
        elif match:
            self.name = match.group(3)
            if match.group(2) == "!=":
                self.name_filter = "NotEquals"
        elif term.startswith(("spec.startedAt>", "spec.startedAt<")):
            bound = _instant(term[len("spec.startedAt>") :])
            self.started = (bound, self.started[1]) if ">" in term else (self.started[0], bound)
        elif term.startswith("ext.showRemainingItemCount"):
            self.count_remaining = parse_boolean(term.removeprefix("ext.showRemainingItemCount="), code=INTERNAL)
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
        """Whether the filter needs labels or times, not only names and namespaces."""
        return bool(self.labels.requirements) or self.by_time

    def by_name(self, stored: Listed) -> bool:
        if self.other_namespace and stored.namespace == self.other_namespace:
            return False
        if not self.name:
            return True
        tests = {
            "Exact": stored.name == self.name,
            "Contains": self.name in stored.name,
            "Prefix": stored.name.startswith(self.name),
            "NotEquals": stored.name != self.name,
        }
        return tests.get(self.name_filter, True)  # Argo ignores an unknown name filter

    def by_labels(self, stored: StoredObject) -> bool:
        return not self.labels.requirements or self.labels.matches(metadata_of(stored.text).get("labels"))

    def by_status(self, status: Json) -> bool:
        after, before = self.started
        if not self.by_time:
            return True
        started, finished = _instant(status.get("startedAt") or ""), _instant(status.get("finishedAt") or "")
        earliest = max((bound for bound in (after, self.created_after) if bound is not None), default=None)
        if earliest is not None and not (started is not None and started >= earliest):
            return False
        if before is not None and not (started is not None and started <= before):
            return False
        return self.finished_before is None or (finished is not None and finished <= self.finished_before)


def _instant(text: str) -> float | None:
    if not text:
        return None
    seconds = timestamps.read(text)
    if seconds is None:
        wrong = f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        raise Refused(INTERNAL, wrong)
    return seconds
