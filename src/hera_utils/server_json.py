"""server.json of a state folder: which process is the local platform's server, and how to reach it. A broken file names no server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_server_json(state: str | Path) -> dict[str, Any]:
    """The content; empty if the file is missing, cannot be read or is no JSON object."""
    try:
        content = json.loads((Path(state) / "server.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_server_alive(server: Mapping[str, Any]) -> bool:
    """Whether the process that server.json names exists and is this user's: the file of a killed server stays."""
    try:
        os.kill(int(server["pid"]), 0)
    except (OSError, KeyError, ValueError, TypeError, OverflowError):
        return False
    return True
