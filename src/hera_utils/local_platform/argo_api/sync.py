"""The API of semaphores' limits, which are stored in config maps. Source: Argo's server/sync (sync_server.go, sync_cm.go)."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.argo.faults import ALREADY_EXISTS, INVALID_ARGUMENT, NOT_FOUND
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply
from hera_utils.local_platform.argo_api.request import ArgoRequest

Json = dict[str, Any]


def create(request: ArgoRequest) -> Reply:
    limit, name, key = _request(request, request.option("key"))
    try:
        config_map = _config_map(request, name)
    except Refused as error:
        if error.code != NOT_FOUND:
            raise
        request.platform.create(
            "ConfigMap",
            request.namespace,
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: str(limit)}},
        )
        return _limit(request, name, key, limit)
    if key in (config_map.get("data") or {}):
        raise Refused(ALREADY_EXISTS, "sync limit cannot be created as it already exists")
    return _store(request, config_map, key, limit)


def get(request: ArgoRequest) -> Reply:
    _check_type(request.query.get("type", ""))
    name, key = request.query.get("cmName", ""), request.path["key"]
    config_map = _config_map(request, name)
    value = (config_map.get("data") or {}).get(key)
    if value is None:
        raise Refused(NOT_FOUND, f"key {key} not found in configmap {request.namespace}/{name}")
    try:
        return _limit(request, name, key, int(value))
    except ValueError:
        raise Refused(
            INVALID_ARGUMENT, f"invalid limit format for key {key} in configmap {request.namespace}/{name}"
        ) from None


def update(request: ArgoRequest) -> Reply:
    limit, name, key = _request(request, request.path["key"])
    config_map = _config_map(request, name)
    if key not in (config_map.get("data") or {}):
        raise Refused(
            NOT_FOUND, f"key {key} not found in configmap {request.namespace}/{name} - please create it first"
        )
    return _store(request, config_map, key, limit)


def delete(request: ArgoRequest) -> Reply:
    _check_type(request.query.get("type", ""))
    config_map = _config_map(request, request.query.get("cmName", ""))
    (config_map.get("data") or {}).pop(request.path["key"], None)
    request.platform.update("ConfigMap", request.namespace, config_map)
    return {}


def _request(request: ArgoRequest, key: str) -> tuple[int, str, str]:
    limit = request.body.get("limit") or 0
    if not isinstance(limit, int) or limit <= 0:
        raise Refused(INVALID_ARGUMENT, "limit must be greater than zero")
    _check_type(request.body.get("type") or "")
    return limit, request.option("cmName"), key


def _check_type(kind: object) -> None:
    if kind not in ("", 0, "0", "CONFIGMAP"):
        raise Refused(INVALID_ARGUMENT, f"unsupported sync config type: {'DATABASE' if kind in (1, '1') else kind}")


def _config_map(request: ArgoRequest, name: str) -> Json:
    config_map = json.loads(request.platform.get("ConfigMap", request.namespace, name).text)
    return config_map if isinstance(config_map, dict) else {}


def _store(request: ArgoRequest, config_map: Json, key: str, limit: int) -> Reply:
    config_map.setdefault("data", {})[key] = str(limit)
    request.platform.update("ConfigMap", request.namespace, config_map)
    return _limit(request, config_map["metadata"]["name"], key, limit)


def _limit(request: ArgoRequest, name: str, key: str, limit: int) -> Json:
    return {"cmName": name, "namespace": request.namespace, "key": key, "limit": limit}
