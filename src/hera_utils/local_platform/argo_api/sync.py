"""Limits of semaphores, kept in config maps. Source: Argo's server/sync (sync_server.go, sync_cm.go)."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.argo.faults import ALREADY_EXISTS, INVALID_ARGUMENT, NOT_FOUND
from hera_utils.errors import Refused
from hera_utils.local_platform.argo_api.answers import Reply
from hera_utils.local_platform.argo_api.request import Call

Json = dict[str, Any]


def create(call: Call) -> Reply:
    limit, name, key = _request(call, call.option("key"))
    try:
        config_map = _config_map(call, name)
    except Refused as error:
        if error.code != NOT_FOUND:
            raise
        call.platform.create(
            "ConfigMap",
            call.namespace,
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: str(limit)}},
        )
        return _limit(call, name, key, limit)
    if key in (config_map.get("data") or {}):
        raise Refused(ALREADY_EXISTS, "sync limit cannot be created as it already exists")
    return _store(call, config_map, key, limit)


def get(call: Call) -> Reply:
    _check_type(call.query.get("type", ""))
    name, key = call.query.get("cmName", ""), call.path["key"]
    config_map = _config_map(call, name)
    value = (config_map.get("data") or {}).get(key)
    if value is None:
        raise Refused(NOT_FOUND, f"key {key} not found in configmap {call.namespace}/{name}")
    try:
        return _limit(call, name, key, int(value))
    except ValueError:
        raise Refused(
            INVALID_ARGUMENT, f"invalid limit format for key {key} in configmap {call.namespace}/{name}"
        ) from None


def update(call: Call) -> Reply:
    limit, name, key = _request(call, call.path["key"])
    config_map = _config_map(call, name)
    if key not in (config_map.get("data") or {}):
        raise Refused(NOT_FOUND, f"key {key} not found in configmap {call.namespace}/{name} - please create it first")
    return _store(call, config_map, key, limit)


def delete(call: Call) -> Reply:
    _check_type(call.query.get("type", ""))
    config_map = _config_map(call, call.query.get("cmName", ""))
    (config_map.get("data") or {}).pop(call.path["key"], None)
    call.platform.update("ConfigMap", call.namespace, config_map)
    return {}


def _request(call: Call, key: str) -> tuple[int, str, str]:
    limit = call.body.get("limit") or 0
    if not isinstance(limit, int) or limit <= 0:
        raise Refused(INVALID_ARGUMENT, "limit must be greater than zero")
    _check_type(call.body.get("type") or "")
    return limit, call.option("cmName"), key


def _check_type(kind: object) -> None:
    if kind not in ("", 0, "0", "CONFIGMAP"):
        raise Refused(INVALID_ARGUMENT, f"unsupported sync config type: {'DATABASE' if kind in (1, '1') else kind}")


def _config_map(call: Call, name: str) -> Json:
    found = json.loads(call.platform.get("ConfigMap", call.namespace, name).text)
    return found if isinstance(found, dict) else {}


def _store(call: Call, config_map: Json, key: str, limit: int) -> Reply:
    config_map.setdefault("data", {})[key] = str(limit)
    call.platform.update("ConfigMap", call.namespace, config_map)
    return _limit(call, config_map["metadata"]["name"], key, limit)


def _limit(call: Call, name: str, key: str, limit: int) -> Json:
    return {"cmName": name, "namespace": call.namespace, "key": key, "limit": limit}
