"""Receives events: each matching WorkflowEventBinding of the namespace submits its template. Source: Argo's server/event."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INTERNAL
from hera_utils.errors import ExpressionError, HeraUtilsError, Refused
from hera_utils.expressions import cost
from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter import event_binding
from hera_utils.local_platform.argo_api.answers import Reply
from hera_utils.local_platform.argo_api.request import ArgoRequest, parse_value
from hera_utils.local_platform.argo_api.templates import enumerate_kind
from hera_utils.local_platform.clock import now, seed

Json = dict[str, Any]

_KIND = "WorkflowEventBinding"


def bindings(request: ArgoRequest) -> Reply:
    return enumerate_kind(request, _KIND)


def receive(request: ArgoRequest) -> Reply:
    """Try every binding, then raise Refused with the faults of those that failed."""
    payload = parse_value(request.data)
    event = event_binding.environment(
        request.namespace, request.path.get("discriminator", ""), request.headers, payload
    )
    faults: list[str] = []
    with cost.limit_steps():
        for stored in request.platform.list(_KIND, request.namespace)[0]:
            binding = json.loads(stored.text)
            try:
                _dispatch(request, binding, event)
            except HeraUtilsError as error:
                faults.append(str(error))
                _record(request, binding, f"failed to dispatch event: {error}")
    if faults:
        raise Refused(INTERNAL, f"failed to dispatch event: [{' '.join(faults)}]")
    return {}


def _dispatch(request: ArgoRequest, binding: Json, event: Json) -> None:
    reference = event_binding.reference(binding)
    entropy = Entropy(now(), seed())
    if not event_binding.matches(binding, event, entropy) or reference is None:
        return
    namespace = binding["metadata"]["namespace"]
    try:
        template = json.loads(request.platform.get(reference[0], namespace, reference[1]).text)
    except Refused as refused:
        raise ExpressionError(f"failed to get workflow template: {refused}") from None
    workflow = event_binding.workflow(binding, template, event, entropy)
    try:
        request.platform.submit(namespace, workflow)
    except HeraUtilsError as error:
        raise ExpressionError(f"failed to create workflow: {error}") from None


def _record(request: ArgoRequest, binding: Json, message: str) -> None:
    """Create a warning event for the binding."""
    metadata, at = binding["metadata"], timestamps.text(now())
    involved = {"apiVersion": "argoproj.io/v1alpha1", "kind": _KIND}
    involved |= {key: metadata[key] for key in ("namespace", "name", "uid")}
    document = {
        "metadata": {"name": f"{metadata['name']}.{seed()}"}, "involvedObject": involved, "reason": "WorkflowEventBindingError",
        "message": message, "type": "Warning", "count": 1, "firstTimestamp": at, "lastTimestamp": at,
        "source": {"component": "argo-server"},
    }  # fmt: skip
    with contextlib.suppress(HeraUtilsError):
        request.platform.create("Event", metadata["namespace"], document)
