"""Writes the JSON text that a worker gets for a pod: the launch, and facts about this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from . import server_variables
from .runtime import Launch

Json = dict[str, Any]
_LARGE, _OBJECTS = ("pod", "template"), ("config_maps", "secrets")
_UNSENT = ("pull_secrets", "again", "whole")
_SMALL = tuple(field.name for field in fields(Launch) if field.name not in (*_LARGE, *_OBJECTS, *_UNSENT))


class LaunchTexts:
    """state: the state folder. host: the machine's name. cores, memory (bytes): what pods share."""

    def __init__(self, state: Path, host: str, *, cores: float, memory: float) -> None:
        self._state = state
        self._machine = _members(
            {
                "environment": server_variables.of_tasks(),
                "state": str(state),
                "python": sys.executable,
                "host": host,
                "cpu": cores,
                "memory": memory,
            }
        )

    def of(self, launch: Launch, **more: Any) -> bytes:
        """The text for a launch. more: further fields, all JSON data."""
        namespace = launch.pod["metadata"].get("namespace") or "default"
        small = {
            **{name: getattr(launch, name) for name in _SMALL},  # asdict would copy everything
            "store": f"{self._state}/artifacts/{namespace}",
            **more,
        }
        large = {name: json.dumps(getattr(launch, name)) for name in _LARGE}
        objects = {name: _json(_texts(getattr(launch, name))) for name in _OBJECTS}
        return _json({**large, **objects}, self._machine, _members(small)).encode()


def _json(values: dict[str, str], *members: str) -> str:
    """A JSON object of values that are JSON already, and of further members. Encoding megabytes in one call would block all threads."""
    return "{" + ",".join([*members, *(f"{json.dumps(name)}:{text}" for name, text in values.items())]) + "}"


def _members(values: Json) -> str:
    """The members of a JSON object, without its braces."""
    return json.dumps(values)[1:-1]


def _texts(tables: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: json.dumps(table) for name, table in tables.items()}
