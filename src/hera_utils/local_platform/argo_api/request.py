"""One request to Argo's REST API in the form that handlers get: path values, query, body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from hera_utils.argo import gojson
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.fields import FieldFilter, field_filter
from hera_utils.argo.scalars import json_type
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.http import read_json
from hera_utils.local_platform.serving.watch import WatchHistory

Json = dict[str, Any]


@dataclass(frozen=True)
class ListOptions:
    """Kubernetes' list options as they are in a query (`listOptions.…`)."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""


_GO_TYPES = {
    "workflow": "v1alpha1.Workflow", "cronWorkflow": "v1alpha1.CronWorkflow", "submitOptions": "v1alpha1.SubmitOpts",
    "createOptions": "v1.CreateOptions",
}  # fmt: skip


@dataclass(frozen=True)
class ArgoRequest:
    """path: values of the placeholders. query: the last value of each name. body: parsed JSON ({} when there was none).

    headers: lower-case name → all values. data: the unparsed body, for a call that takes any JSON value.
    message: Go's name of the request's type, which Argo's error messages contain. kind: of the objects of the operation's service.
    """

    platform: LocalPlatform
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    raw_path: str = ""
    history: WatchHistory | None = None
    headers: Mapping[str, list[str]] = field(default_factory=dict)
    data: bytes = b""
    message: str = ""
    kind: str = ""

    @property
    def namespace(self) -> str:
        return self.path.get("namespace", "")

    @property
    def name(self) -> str:
        return self.path.get("name", "")

    @property
    def fields(self) -> FieldFilter:
        return field_filter(self.query.get("fields", ""))

    @property
    def list_options(self) -> ListOptions:
        return ListOptions(
            label_selector=self.query.get("listOptions.labelSelector", ""),
            field_selector=self.query.get("listOptions.fieldSelector", ""),
            limit=self.number("listOptions.limit"),
            continue_=self.query.get("listOptions.continue", ""),
            resource_version=self.query.get("listOptions.resourceVersion", ""),
        )

    @property
    def watches(self) -> WatchHistory:
        """The history of changes, which all watches and followers share."""
        if self.history is None:
            raise Refused(INTERNAL, "this server keeps no history of changes")
        return self.history

    def flag(self, name: str) -> bool:
        """A boolean of the query, with the spellings that Go accepts (Hera writes `True`)."""
        text = self.query.get(name, "")
        return bool(text) and parse_boolean(text)

    def number(self, name: str, default: int = 0) -> int:
        text = self.query.get(name, "")
        if text == "":
            return default
        number = whole_number(text)
        if number is None:
            raise _unreadable(text, "ParseInt")
        return number

    def option(self, name: str) -> str:
        """A text field of the body ("" when absent or null)."""
        value = self.body.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong_type(value, name, "string")
        return value

    def switch(self, name: str) -> bool:
        """A boolean field of the body."""
        value = self.body.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self._wrong_type(value, name, "bool")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A field of the body that is a list of texts."""
        value = self.body.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self._wrong_type(value, name, "[]string")
        return tuple(value)

    def document(self, key: str) -> Json | None:
        """The object under a key of the body (`workflow`, `template`, `cronWorkflow`), or None."""
        value = self.body.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            kind = "ClusterWorkflowTemplate" if "Cluster" in self.message else "WorkflowTemplate"
            raise self._wrong_type(value, key, _GO_TYPES.get(key, f"v1alpha1.{kind}"))
        return value

    def _wrong_type(self, value: object, name: str, go_type: str) -> Refused:
        field = f"{self.message.rpartition('.')[2]}.{name}"
        text = f"json: cannot unmarshal {json_type(value)} into Go struct field {field} of type {go_type}"
        return Refused(INVALID_ARGUMENT, text)


_NUMBERS = frozenset(
    ("deleteOptions.gracePeriodSeconds", "listOptions.limit", "listOptions.timeoutSeconds", "logOptions.limitBytes",
     "logOptions.sinceSeconds", "logOptions.sinceTime.seconds", "logOptions.tailLines")
)  # fmt: skip
_FLAGS = frozenset(
    ("deleteOptions.orphanDependents", "force", "listOptions.allowWatchBookmarks", "listOptions.watch", "logOptions.follow",
     "logOptions.insecureSkipTLSVerifyBackend", "logOptions.previous", "logOptions.timestamps")
)  # fmt: skip
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


def check_query(query: Mapping[str, str]) -> Mapping[str, str]:
    """The query. Raises Refused when a number or flag in it is invalid, whether this call needs it or not."""
    for name, text in query.items():
        if name in _NUMBERS:
            if whole_number(text) is None:
                raise _unreadable(text, "ParseInt")
        elif name in _FLAGS:
            parse_boolean(text)
        elif name == "logOptions.sinceTime":
            raise Refused(INVALID_ARGUMENT, "field type *v1.Time is not supported in query parameters")
    return query


def parse_boolean(text: str, *, code: int = INVALID_ARGUMENT) -> bool:
    """A boolean as Go reads it. code: the code of the refusal if the text is not a boolean."""
    if text in _FALSE:
        return False
    if text in _TRUE:
        return True
    raise _unreadable(text, "ParseBool", code)


def _unreadable(text: str, function: str, code: int = INVALID_ARGUMENT) -> Refused:
    why = "value out of range" if re.fullmatch("[+-]?[0-9]+", text) else "invalid syntax"
    return Refused(code, f'strconv.{function}: parsing "{text}": {why}')


def parse_body(data: bytes, message: str = "") -> Json:
    """The JSON object of a request; {} for an empty body or null. Raises Refused with Go's error message.

    message: Go's name of the request's type.
    """
    value = parse_value(data)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(
            INVALID_ARGUMENT, f"json: cannot unmarshal {json_type(value)} into Go value of type {message or 'object'}"
        )
    return cast("Json", value)


def parse_value(data: bytes) -> Any:
    """The JSON value of a request, of any type; None for an empty body. Raises Refused."""
    if not data.strip():
        return None
    try:
        return read_json(data)
    except json.JSONDecodeError as error:
        raise Refused(INVALID_ARGUMENT, _syntax_fault(error)) from None
    except ValueError as error:
        raise Refused(INVALID_ARGUMENT, str(error)) from None
    except RecursionError:
        raise Refused(INVALID_ARGUMENT, "exceeded max depth") from None


def _syntax_fault(error: json.JSONDecodeError) -> str:
    """Go's message for a syntax error. Go reads a body as a stream, and its message for an early end differs from that for a text."""
    if error.pos >= len(error.doc.rstrip()):
        return "unexpected EOF"
    fault = gojson.json_fault(error.doc) or str(error)
    return "unexpected EOF" if fault == gojson.END else fault
