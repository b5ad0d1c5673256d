"""Watches of workflows and of their Kubernetes events."""

from __future__ import annotations

import json

from hera_utils.argo.fields import FieldFilter
from hera_utils.argo.selectors import field_selector, label_selector
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.local_platform.argo_api.answers import Reply, Stream, encode
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflows import find
from hera_utils.local_platform.serving.latest import Latest
from hera_utils.local_platform.serving.watch import ObjectSelector, ObjectWatch, Render
from hera_utils.local_platform.storage.records import StoredObject


def workflows(request: ArgoRequest) -> Reply:
    """Watch workflows. Without a resource version, or with 0, the stream begins with the current state. A named workflow must exist."""
    options = request.list_options
    fields = field_selector(options.field_selector)
    name = fields.required_value("metadata.name")
    if name:
        stored = find(request.platform, request.namespace, name)
        fields = field_selector(f"metadata.name={stored.name}")
    nodes = not request.fields.without_prefix("result.object.").will_exclude("status.nodes")
    selector = ObjectSelector("Workflow", request.namespace, label_selector(options.label_selector), fields, nodes)
    return _stream(request, selector, _workflow(request.fields, request.watches.latest))


def events(request: ArgoRequest) -> Reply:
    options = request.list_options
    selector = ObjectSelector(
        "Event", request.namespace, label_selector(options.label_selector), field_selector(options.field_selector)
    )
    return _stream(request, selector, lambda change, stored: stored.text if change != "DELETED" else None)


def _workflow(fields: FieldFilter, latest: Latest) -> Render:
    below = fields.without_prefix("result.object.")

    def render(change: str, stored: StoredObject) -> str:
        text = stored.text or "{}"
        if fields:
            return f'{{"type":"{change}","object":{encode(below.filter_workflow(json.loads(text)))}}}'
        return latest.event(change, text)

    return render


def _stream(request: ArgoRequest, selector: ObjectSelector, render: Render) -> Reply:
    version = whole_number(request.list_options.resource_version) or 0
    since = version if version > 0 else None
    watch = ObjectWatch(request.platform, request.watches, selector, render).open(since)
    return Stream(watch.batches())
