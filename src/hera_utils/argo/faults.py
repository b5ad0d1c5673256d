"""The errors of Argo's server and of Kubernetes: their codes, reasons and bodies.

Argo's REST gateway answers a unary call with `{"code": <gRPC code>, "message": …}` and a stream with
`{"error": {"grpc_code", "http_code", "message", "http_status"}}`; Kubernetes answers with a Status object.
Measured on Argo 4.1.2 and Kubernetes 1.34; the mapping is grpc-gateway's.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from hera_utils.errors import (
    ExpressionError,
    HeraUtilsError,
    InvalidWorkflow,
    PlatformError,
    Refused,
    UnsupportedError,
)

Json = dict[str, Any]

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16

_HTTP_OF_GRPC = {
    OK: 200,
    CANCELLED: 499,
    UNKNOWN: 500,
    INVALID_ARGUMENT: 400,
    DEADLINE_EXCEEDED: 504,
    NOT_FOUND: 404,
    ALREADY_EXISTS: 409,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    FAILED_PRECONDITION: 400,
    ABORTED: 409,
    OUT_OF_RANGE: 400,
    UNIMPLEMENTED: 501,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    DATA_LOSS: 500,
    UNAUTHENTICATED: 401,
}

# The gRPC code of Argo's server for an HTTP status (of its own errors or Kubernetes'); others are mapped by their hundreds.
_GRPC_OF_HTTP = {
    408: CANCELLED,
    504: DEADLINE_EXCEEDED,
    404: NOT_FOUND,
    409: ALREADY_EXISTS,
    403: PERMISSION_DENIED,
    401: UNAUTHENTICATED,
    429: RESOURCE_EXHAUSTED,
    400: INVALID_ARGUMENT,
    501: UNIMPLEMENTED,
    500: INTERNAL,
    503: UNAVAILABLE,
}

# Kubernetes: StatusReason → HTTP code (apimachinery, api/errors).
_HTTP_OF_REASON = {
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "AlreadyExists": 409,
    "Conflict": 409,
    "Gone": 410,
    "Expired": 410,
    "Invalid": 422,
    "ServerTimeout": 500,
    "Timeout": 504,
    "TooManyRequests": 429,
    "BadRequest": 400,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "RequestEntityTooLarge": 413,
    "UnsupportedMediaType": 415,
    "InternalError": 500,
    "ServiceUnavailable": 503,
}

_FIX = "; fix: "
ON_A_SERVER = "run the workflow on an Argo server (--argo_server), or leave the field out"
"""What to do about a field that the local platform refuses."""

_not_supplied = re.compile(
    r"(?:.*\.(?:tasks|steps\[\d+\])\.(?P<task>\S+) )?templates\.(?P<template>\S+) inputs\.(?P<kind>\w+)s\.(?P<name>\S+) was not supplied"
)

_no_template = re.compile(r"template reference (?P<stored>\S+)\.(?P<template>[^.\s]+) not found")
_not_stored = re.compile(r'(?:cluster)?workflowtemplates\.argoproj\.io "(?P<stored>[^"]+)" not found')
_unfinished_name = re.compile(r'^Workflow\.argoproj\.io .*metadata\.name: Invalid value: "[^"]+-":')
_required = re.compile(r"spec\.arguments\.(?P<name>\S+)\.value or ")

_REASON_OF_GRPC = {
    INVALID_ARGUMENT: "BadRequest",
    DEADLINE_EXCEEDED: "Timeout",
    NOT_FOUND: "NotFound",
    ALREADY_EXISTS: "AlreadyExists",
    PERMISSION_DENIED: "Forbidden",
    RESOURCE_EXHAUSTED: "TooManyRequests",
    FAILED_PRECONDITION: "BadRequest",
    ABORTED: "Conflict",
    UNIMPLEMENTED: "MethodNotAllowed",
    UNAVAILABLE: "ServiceUnavailable",
    UNAUTHENTICATED: "Unauthorized",
}


def http_status(code: int) -> int:
    """The HTTP status of a gRPC code (500 for an unknown one)."""
    return _HTTP_OF_GRPC.get(code, 500)


def grpc_code(status: int) -> int:
    """The gRPC code that Argo's server gives for an HTTP status."""
    if status < 300:
        return OK
    code = _GRPC_OF_HTTP.get(status)
    if code is not None:
        return code
    return INVALID_ARGUMENT if 400 <= status < 500 else INTERNAL


def reason_status(reason: str) -> int:
    """The HTTP status of one of Kubernetes' reasons (500 for an unknown one)."""
    return _HTTP_OF_REASON.get(reason, 500)


def fault_of(error: HeraUtilsError, *, default: int = INVALID_ARGUMENT) -> Refused:
    """The refusal with which a server answers an error: code `default` for invalid workflows and expressions, else INTERNAL."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UnsupportedError):
        return Refused(UNIMPLEMENTED, error.message, fix=error.fix)
    if isinstance(error, InvalidWorkflow | ExpressionError):
        return Refused(default, error.message, fix=error.fix)
    text = f"{error.message}{_FIX}{error.fix}" if isinstance(error, PlatformError) and error.fix else error.message
    return Refused(INTERNAL, text, fix=error.fix)


def platform_fault(message: str) -> PlatformError | None:
    """The PlatformError (a full disk…) from which `fault_of` made this message on the wire; None for any other message."""
    text, marked, fix = message.partition(_FIX)
    return PlatformError(text, fix=fix) if marked else None


def fix_of(code: int, message: str) -> str | None:
    """The fix for a refusal of an Argo server, whose message says only what is wrong; None if none is known."""
    if code == NOT_FOUND and message.startswith("workflows.argoproj.io "):
        return "list the runs with: hera-utils ls; if it was deleted, its logs are gone, and hera-utils runs has what was recorded of it"
    if code == NOT_FOUND and message.startswith("namespaces "):
        return "name another with --argo_namespace or ARGO_NAMESPACE"
    if code == ALREADY_EXISTS:
        return "give it another name (or a generateName), or delete the old one with: hera-utils delete NAME"
    if "set the options restartSuccessful" in message:
        return (
            "nothing in it has failed; to run tasks of it again: --restart-successful --node-field-selector displayName=TASK, "
            "to run all of it again: hera-utils run SCRIPT"
        )
    if "cannot suspend completed workflows" in message or message.startswith("cannot shutdown a completed workflow"):
        return "it has ended; see how with: hera-utils get NAME"
    if code == UNIMPLEMENTED and " cannot be executed on this machine: " in message:
        return ON_A_SERVER
    if "etcdserver: request is too large" in message:
        return "use with_items or with_param instead of one task per point, or split it: a cluster stores 1 MiB of a workflow"
    return _fix_of_invalid(message) if code == INVALID_ARGUMENT else None


def _fix_of_invalid(message: str) -> str:
    if message.startswith("json: cannot unmarshal bool ") and message.endswith(" of type string"):
        return "quote the value: YAML reads a bare y, n, yes, no, on, off, true or false as true or false"
    if message.startswith("json: cannot unmarshal number ") and message.endswith(" of type string"):
        return "quote the value: it is a text there, not a number"
    if "name or generateName is required" in message:
        return "give it a name, or a generateName, in its metadata"
    if _unfinished_name.search(message) is not None:
        return "write generateName in place of name: the server completes a name that ends with a hyphen"
    if message == "spec.entrypoint is required":
        return "give it an entrypoint: the name of the template to begin with"
    if message.startswith("spec.arguments."):
        named = _required.match(message)
        return f"give the parameter a value: -p {named['name'] if named else 'NAME'}=VALUE, or in the workflow"
    if (missing := _no_template.search(message)) is not None:
        return f"store {missing['stored']}, with its template {missing['template']}, first: hera-utils run FILE"
    if (missing := _not_stored.search(message)) is not None:
        return f"store {missing['stored']} first: hera-utils run FILE"
    supplied = _not_supplied.fullmatch(message)
    if supplied is not None:
        who = f"give {supplied['task'] or 'its task'} the {supplied['kind']} {supplied['name']} among its arguments"
        return f"{who}, or give the template {supplied['template']} a default for it"
    return "correct the workflow; hera-utils lint checks it without running it"


def unary_body(code: int, message: str) -> Json:
    """The body of a failed unary call: {"code", "message"}."""
    return {"code": code, "message": message}


def stream_body(code: int, message: str) -> Json:
    """The body (or the last event) of a failed stream: {"error": {"grpc_code", "http_code", "message", "http_status"}}."""
    status = http_status(code)
    return {"error": {"grpc_code": code, "http_code": status, "message": message, "http_status": status_text(status)}}


def status_text(status: int) -> str:
    """Go's text of an HTTP status ("" for 499, which Go does not know)."""
    try:
        return _GO_STATUS_TEXT.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return ""


_GO_STATUS_TEXT = {413: "Request Entity Too Large", 414: "Request URI Too Long", 422: "Unprocessable Entity"}


def kubernetes_reason(refused: Refused) -> str:
    """Kubernetes' reason of a refusal: its own, or the nearest one to its code."""
    return refused.reason or _REASON_OF_GRPC.get(refused.code, "InternalError")


def kubernetes_status(refused: Refused, *, group: str = "", kind: str = "", name: str = "") -> Json:
    """Kubernetes' Status object of a refusal; `code` in it is the HTTP status to answer with.

    group, kind (the plural resource, as in Kubernetes), name: those of the object in `details`; left out if empty.
    """
    reason = kubernetes_reason(refused)
    details = {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}
    status: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refused.message,
        "reason": reason,
    }
    if details:
        status["details"] = details
    status["code"] = reason_status(reason)
    return status


def not_found(resource: str, name: str) -> Refused:
    """`workflows.argoproj.io "x" not found`, as Kubernetes says it; resource is the plural with its group."""
    return Refused(NOT_FOUND, f'{resource} "{name}" not found', reason="NotFound")


def already_exists(resource: str, name: str) -> Refused:
    """`workflows.argoproj.io "x" already exists`."""
    return Refused(ALREADY_EXISTS, f'{resource} "{name}" already exists', reason="AlreadyExists")


def conflict(resource: str, name: str) -> Refused:
    """An update of a stale version: Kubernetes' words."""
    return Refused(
        ALREADY_EXISTS,  # Argo's server maps every 409 to AlreadyExists
        f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        reason="Conflict",
    )
