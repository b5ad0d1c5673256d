"""One container of a pod: its root, its command, its pipes, and its state."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import Any

from . import disk_room
from .logs import Log
from .plan import ContainerPlan
from .root_fs import Root

Json = dict[str, Any]
NOT_STARTED = 64  # Argo's emissary exits so when it cannot start the command
_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ)


class Container:
    """plan: what to run. Everything else is what has happened."""

    def __init__(self, plan: ContainerPlan) -> None:
        self.plan = plan
        self.root: Root | None = None
        self.pid = 0  # of the command, while it runs
        self.log: Log | None = None
        self.open: set[int] = set()
        self.up = False  # its command runs, or ran
        self.retries = plan.retries
        self.retry_at = 0.0
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.code: int | None = None
        self.message = ""
        self.reason = ""

    @property
    def over(self) -> bool:
        return self.code is not None

    def end(self, code: int, message: str = "") -> None:
        self.pid, self.up = 0, True
        self.finished_at = time.time()
        self.code, self.message = code, message
        if not message and self.root is not None:
            self.message = (self.root.text("/argo/termination-log", 4096) or b"").decode(errors="replace")

    def signal(self, number: int) -> None:
        """To the command's process group, as Argo's emissary does."""
        if self.pid:
            with contextlib.suppress(OSError):  # it has just ended
                os.killpg(self.pid, number)

    def spawn(self, stdout: int, stderr: int) -> str:
        """Start the command in the root that this process is in; "", or why it cannot start. Raises OSError on a full disk."""
        plan = self.plan
        try:
            program = look_up(plan.argv[0], plan.env.get("PATH", ""))
        except OSError as error:
            return (
                f"failed to find name in PATH: exec: {json.dumps(plan.argv[0], ensure_ascii=False)}: {error.strerror}"
            )
        try:
            if not os.path.isdir(plan.cwd):
                os.makedirs(plan.cwd)
            if (home := plan.env.get("HOME")) and not os.path.isdir(home):
                with contextlib.suppress(OSError):  # it lies where a container has its own, empty folders
                    os.makedirs(home)
            os.chdir(plan.cwd)
            self.pid = os.posix_spawn(
                program,
                plan.argv,
                plan.env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, stdout, 0)
                    if plan.terminal
                    else (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, stdout, 1),
                    (os.POSIX_SPAWN_DUP2, stderr, 2),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
        except (OSError, ValueError) as error:
            if disk_room.is_full(error):
                raise
            text = (getattr(error, "strerror", None) or str(error)).lower()
            return f"failed to start command: fork/exec {program}: {text}"
        self.started_at, self.up = time.time(), True
        return ""

    def state(self) -> Json:
        """As interpreter.events.ContainerState."""
        return {
            "name": self.plan.name,
            "exit_code": self.code,
            "reason": self.reason or ("" if self.code is None else "Completed" if self.code == 0 else "Error"),
            "message": self.message,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "init": self.plan.kind == "init",
        }


def ended_container(plan: ContainerPlan, code: int, message: str) -> Container:
    """A container that never ran."""
    container = Container(plan)
    container.started_at = time.time()
    container.end(code, message)
    return container


def look_up(name: str, path: str) -> str:
    """Where the program is, by Go's rules (exec.LookPath). Raises OSError whose strerror is Go's text."""
    if "/" in name:
        try:
            mode = os.stat(name).st_mode
        except OSError as error:
            raise OSError(error.errno, f"stat {name}: {(error.strerror or '').lower()}") from error
        if (mode & 0o170000) == 0o040000:
            raise OSError(21, "is a directory")
        if not os.access(name, os.X_OK):
            raise OSError(13, "permission denied")
        return name
    for folder in path.split(":"):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    raise OSError(2, "executable file not found in $PATH")
