"""A user's requests about a run: stop, terminate, suspend, resume, retry, resubmit, set. Each becomes one event of the interpreter."""

from __future__ import annotations

from hera_utils.argo import gojson
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.interpreter.events import (
    Event,
    ResumeRequested,
    RetryRequested,
    SetRequested,
    ShutdownRequested,
    SuspendRequested,
)
from hera_utils.local_platform.argo_api.answers import Reply, Text
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflows import find

_SETTABLE = ("Succeeded", "Failed", "Error", "")


def stop(request: ArgoRequest) -> Reply:
    event = ShutdownRequested(
        0.0,
        strategy="Stop",
        message=request.option("message"),
        node_field_selector=request.option("nodeFieldSelector"),
    )
    return _act(request, event)


def terminate(request: ArgoRequest) -> Reply:
    return _act(request, ShutdownRequested(0.0, strategy="Terminate"))


def suspend(request: ArgoRequest) -> Reply:
    return _act(request, SuspendRequested(0.0))


def resume(request: ArgoRequest) -> Reply:
    return _act(request, ResumeRequested(0.0, node_field_selector=request.option("nodeFieldSelector")))


def retry(request: ArgoRequest) -> Reply:
    event = RetryRequested(
        0.0,
        restart_successful=request.switch("restartSuccessful"),
        node_field_selector=request.option("nodeFieldSelector"),
        parameters=request.texts("parameters"),
    )
    return _act(request, event)


def set(request: ArgoRequest) -> Reply:
    phase, selector = request.option("phase"), request.option("nodeFieldSelector")
    message, text = request.option("message"), request.option("outputParameters")
    find(request.platform, request.namespace, request.name)
    if phase not in _SETTABLE:
        raise Refused(INVALID_ARGUMENT, f"{phase} is an invalid phase to set to")
    parameters = _parameters(text)
    if not selector:
        raise Refused(INTERNAL, "'set' currently only targets suspend nodes, use a node field selector to target them")
    return _act(request, SetRequested(0.0, "", selector, phase, message, parameters))


def resubmit(request: ArgoRequest) -> Reply:
    name = find(request.platform, request.namespace, request.name).name
    parameters = request.texts("parameters")
    return Text(
        request.platform.resubmit(
            request.namespace, name, memoized=request.switch("memoized"), parameters=parameters
        ).text
    )


def _act(request: ArgoRequest, event: Event) -> Reply:
    name = find(request.platform, request.namespace, request.name).name
    return Text(request.platform.act(request.namespace, name, event).text)


def _parameters(text: str) -> dict[str, str]:
    """Output parameters from the text of a JSON object, which is how the request has them."""
    if not text:
        return {}
    try:
        gojson.check(text)
        return gojson.texts(text)
    except gojson.InvalidJson as error:
        raise Refused(INVALID_ARGUMENT, f"unable to parse output parameter set request: {error}") from None
