"""What a user does to a run: stop, terminate, suspend, resume, retry, resubmit, set. Each becomes one event of the interpreter."""

from __future__ import annotations

from hera_utils.argo import gojson
from hera_utils.argo.faults import INVALID_ARGUMENT
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
from hera_utils.local_platform.argo_api.request import Call
from hera_utils.local_platform.argo_api.workflows import find

_SETTABLE = ("Succeeded", "Failed", "Error", "")


def stop(call: Call) -> Reply:
    event = ShutdownRequested(
        0.0,
        strategy="Stop",
        message=call.option("message"),
        node_field_selector=call.option("nodeFieldSelector"),
    )
    return _act(call, event)


def terminate(call: Call) -> Reply:
    return _act(call, ShutdownRequested(0.0, strategy="Terminate"))


def suspend(call: Call) -> Reply:
    return _act(call, SuspendRequested(0.0))


def resume(call: Call) -> Reply:
    return _act(call, ResumeRequested(0.0, node_field_selector=call.option("nodeFieldSelector")))


def retry(call: Call) -> Reply:
    event = RetryRequested(
        0.0,
        restart_successful=call.switch("restartSuccessful"),
        node_field_selector=call.option("nodeFieldSelector"),
        parameters=call.texts("parameters"),
    )
    return _act(call, event)


def set(call: Call) -> Reply:
    phase = call.option("phase")
    if phase not in _SETTABLE:
        raise Refused(INVALID_ARGUMENT, f"{phase} is an invalid phase to set to")
    event = SetRequested(
        0.0,
        node_field_selector=call.option("nodeFieldSelector"),
        phase=phase,
        message=call.option("message"),
        output_parameters=_parameters(call.option("outputParameters")),
    )
    return _act(call, event)


def resubmit(call: Call) -> Reply:
    name = find(call.platform, call.namespace, call.name).name
    parameters = call.texts("parameters")
    return Text(
        call.platform.resubmit(call.namespace, name, memoized=call.switch("memoized"), parameters=parameters).text
    )


def _act(call: Call, event: Event) -> Reply:
    name = find(call.platform, call.namespace, call.name).name
    return Text(call.platform.act(call.namespace, name, event).text)


def _parameters(text: str) -> dict[str, str]:
    """Output parameters arrive as a JSON object written into a text."""
    if not text:
        return {}
    try:
        gojson.check(text)
        return gojson.texts(text)
    except gojson.NotJson as error:
        raise Refused(INVALID_ARGUMENT, f"unable to parse output parameter set request: {error}") from None
