"""A request to Kubernetes' API: its verb, resource, namespace, name, subresource and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import yaml

from hera_utils.argo import yaml_limits
from hera_utils.argo.faults import INVALID_ARGUMENT, NOT_FOUND
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import Refused
from hera_utils.local_platform.kubernetes_api import protobuf
from hera_utils.local_platform.serving.http import read_json
from hera_utils.local_platform.storage.resources import Resource, resource_at

Json = dict[str, Any]

UNKNOWN_PATH = "the server could not find the requested resource"


@dataclass(frozen=True)
class RequestTarget:
    """name: "" for the collection. subresource: log, status, token or ""."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True)
class KubernetesRequest:
    """A request: verb as in Kubernetes' rules (get, list, watch, create, update, patch, delete, deletecollection).

    body: the parsed body ({} when there is none); a JSON patch is {"patch": [operations]}.
    """

    verb: str
    target: RequestTarget
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    media_type: str = ""
    table: bool = False

    @property
    def dry_run(self) -> bool:
        option = self.body.get("dryRun") or [""]
        value = self.query.get("dryRun") or (option[0] if isinstance(option, list) else option)
        if value not in ("", "All"):
            raise Refused(INVALID_ARGUMENT, f'dryRun: Invalid value: "{value}"', reason="BadRequest")
        return value == "All"

    def number(self, name: str, default: int = 0) -> int:
        text = self.query.get(name, "")
        number = whole_number(text) if text else default
        if number is None:
            message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
            raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
        return number

    def part(self, name: str) -> Json:
        """A field of the body that is an object ({} when absent or null)."""
        value = self.body.get(name)
        if not isinstance(value or {}, dict):
            raise Refused(INVALID_ARGUMENT, f"{name}: Invalid value: it is not an object", reason="BadRequest")
        return value or {}

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "t", "true")


def target_of(raw_path: str) -> RequestTarget:
    """The target of `/api/v1/…` or `/apis/{group}/{version}/…`. Raises Refused (NotFound) for other paths."""
    parts = [unquote(part) for part in raw_path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise Refused(NOT_FOUND, UNKNOWN_PATH, reason="NotFound")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = resource_at(group, version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise Refused(NOT_FOUND, UNKNOWN_PATH, reason="NotFound")
    subresource = rest[2] if len(rest) == 3 else ""
    if subresource and subresource not in resource.subresources:
        raise Refused(NOT_FOUND, UNKNOWN_PATH, reason="NotFound")
    return RequestTarget(resource, namespace, rest[1] if len(rest) > 1 else "", subresource)


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb_of(method: str, target: RequestTarget, query: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if query.get("watch", "").lower() in ("1", "t", "true"):
            return "watch"
        return "get" if target.name else "list"
    verb = _VERBS.get(method, "")
    if verb == "delete" and not target.name:
        verb = "deletecollection"
    is_known = verb in target.resource.verbs or (target.subresource == "token" and verb == "create")
    if not is_known or (verb in ("update", "patch") and not target.name):
        raise Refused(
            INVALID_ARGUMENT,
            "the server does not allow this method on the requested resource",
            reason="MethodNotAllowed",
        )
    return verb


_TYPES = ("", "application/json", "application/yaml", "application/json-patch+json", "application/merge-patch+json",
          "application/strategic-merge-patch+json", "application/apply-patch+yaml")  # fmt: skip


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_yaml(content_type: str) -> bool:
    return _media_type(content_type).endswith("yaml")


def parse_body(data: bytes, content_type: str) -> tuple[Json, str]:
    """(body, media type) from JSON, YAML or protobuf; a JSON patch, which is a list, becomes {"patch": […]}. Raises Refused."""
    media_type = _media_type(content_type)
    if not data.strip():
        return {}, media_type
    if media_type == protobuf.MEDIA_TYPE or data.startswith(protobuf.MAGIC):
        try:
            return protobuf.decode(data), media_type
        except ValueError as error:
            message = f"the body of the request was in an unknown format: {error}"
            raise Refused(INVALID_ARGUMENT, message, reason="UnsupportedMediaType") from None
    if media_type not in _TYPES:
        accepted = ", ".join(_TYPES[1:])
        message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise Refused(INVALID_ARGUMENT, message, reason="UnsupportedMediaType")
    try:
        value = yaml_limits.parse(data) if is_yaml(content_type) else read_json(data)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise Refused(INVALID_ARGUMENT, f"the object provided is unrecognized: {reason}", reason="BadRequest") from None
    if isinstance(value, list) and media_type == "application/json-patch+json":
        return {"patch": value}, media_type
    if not isinstance(value, dict):
        raise Refused(INVALID_ARGUMENT, "the object provided is unrecognized: it is not an object", reason="BadRequest")
    return value, media_type
