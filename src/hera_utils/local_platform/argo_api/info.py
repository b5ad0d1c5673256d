"""The server's version, and calls of Argo's user interface that have no effect here."""

from __future__ import annotations

import platform as machine

from hera_utils.local_platform.argo_api.answers import VERSION, Reply
from hera_utils.local_platform.argo_api.request import ArgoRequest

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def version(request: ArgoRequest) -> Reply:
    """The version of Argo that this server behaves like: clients compare it with their own. `gitCommit` names the real server."""
    architecture = _ARCHITECTURES.get(machine.machine(), machine.machine())
    return {
        "version": VERSION,
        "buildDate": "2026-01-01T00:00:00Z",
        "gitCommit": "hera-utils",
        "gitTag": VERSION,
        "gitTreeState": "clean",
        "goVersion": f"python{machine.python_version()}",
        "compiler": machine.python_implementation().lower(),
        "platform": f"{machine.system().lower()}/{architecture}",
    }


def info(request: ArgoRequest) -> Reply:
    return {"modals": {"feedback": True, "firstTimeUser": True, "newVersion": True}}


def empty_answer(request: ArgoRequest) -> Reply:
    """The answer to questions about the user, and to reports of what the user does."""
    return {}
