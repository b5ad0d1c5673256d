"""Refuses pods that are too large for a cluster; the messages are answers of a real API server and its etcd. Pure.

    JSON of the request             3 MiB      Request entity too large: limit is 3145728
    protocol buffers of the pod     1.5 MiB    etcdserver: request is too large
    Argo's config map for the pod   1 MiB      ConfigMap "NAME" is invalid: []: Too long: may not be more than 1048576 bytes

Argo passes a template of more than 128 KiB to its executor in a config map, and so it does with longer arguments of a container.
"""

from __future__ import annotations

import json
from typing import Any

from hera_utils.interpreter.faults import Fault

Json = dict[str, Any]

LONGEST_VARIABLE = 131_072
"""Bytes of a template, or of a container's arguments, that are part of the pod itself."""
_MOST_BESIDE, _MOST_STORED, _MOST_SENT = 2**20, 3 * 2**19, 3 * 2**20
_OFTEN_SMALLER = 8
"""The factor by which a pod in JSON may exceed its size in protocol buffers, which contain no names of fields."""


def check_config_map(pod: Json, template: str) -> None:
    """Refuse a pod whose config map would be too large. template: its JSON. Raises Fault."""
    long_template = _bytes(template) if len(template) > LONGEST_VARIABLE // 4 else 0
    if long_template <= LONGEST_VARIABLE:
        long_template = 0
    if long_template + _long_arguments(pod) > _MOST_BESIDE:
        name = pod["metadata"]["name"]
        raise Fault(f'ConfigMap "{name}" is invalid: []: Too long: may not be more than {_MOST_BESIDE} bytes')


def check(pod: Json) -> None:
    """Refuse a pod that the API server or etcd would refuse. Raises Fault."""
    whole = _stored_size(pod)
    if whole * _OFTEN_SMALLER <= _MOST_SENT:  # true for most pods, whose exact size need not be computed
        return
    stored = whole - _long_arguments(pod)
    if stored * _OFTEN_SMALLER > _MOST_SENT and len(json.dumps(pod, separators=(",", ":"))) > _MOST_SENT:
        raise Fault(f"Request entity too large: limit is {_MOST_SENT}")
    if stored > _MOST_STORED:
        raise Fault("etcdserver: request is too large")


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _long_arguments(pod: Json) -> int:
    """Bytes, as JSON, of the first arguments that are too long to be part of the pod; 0 when none are."""
    for container in pod["spec"]["containers"]:
        arguments = container.get("args") or ()
        if sum(len(argument) for argument in arguments if isinstance(argument, str)) > LONGEST_VARIABLE // 6:
            size = len(
                json.dumps(arguments, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
            )
            if size > LONGEST_VARIABLE:
                return size
    return 0


def _stored_size(value: Any) -> int:
    """Bytes in protocol buffers, at least: each value has a tag, and a length or a number."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return 2 + sum(map(_stored_size, value.values()))
    if isinstance(value, list):
        return sum(map(_stored_size, value))
    return 2
