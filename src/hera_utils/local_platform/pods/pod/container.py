"""One container of a pod: its root file system, its command, its pipes and its state."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

from . import disk_room, program, users
from .logs import Log
from .plan import ContainerPlan
from .root_fs import Root
from .warm_python import WarmPython

Json = dict[str, Any]
# Opened before this process enters a container, whose /dev may be a volume where a task has replaced /dev/null.
_NOTHING = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
_NOWHERE = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
_FORK_SERVERS = 2  # how many fork servers may be killed before a task begins
NOT_STARTED = 64  # the exit code of Argo's emissary when it cannot start the command


class Container:
    """plan: what to run. All other attributes record what has happened."""

    def __init__(self, plan: ContainerPlan) -> None:
        self.plan = plan
        self.root: Root | None = None
        self.env = plan.env
        self.user: users.User | None = None  # the user who runs the command; None: this process's own user
        self.warning = ""
        self.pid = 0  # the process id of the command while it runs, else 0
        self.log: Log | None = None
        self.pipes: dict[int, int] = {}
        """Reading end of an output pipe → its writing end, which stays open: otherwise each pipe too would report the command's end."""
        self.up = False  # whether its command runs or has run
        self.attempts = plan.attempts
        self.retry_at = 0.0
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.code: int | None = None
        self.root_code: int | None = None  # the exit code that dependent containers get, when it differs from `code`
        self.message = ""
        self.reason = ""
        self.python = ""  # for a Python task: "warm" when it was forked, else why it was not

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
        """Send a signal to the command's process group, as Argo's emissary does."""
        if self.pid:
            with contextlib.suppress(OSError):  # the command may have just ended
                os.killpg(self.pid, number)

    def spawn(self, stdout: int, stderr: int, python: WarmPython) -> str:
        """Start the command in this process's current root. Gives "", or why it cannot start. Raises OSError when the disk is full."""
        plan = self.plan
        if plan.user is not None:
            self._choose_user(plan.user)
        try:
            path = program.look_up(plan.argv[0], self.env.get("PATH", ""))
        except OSError as error:
            return (
                f"failed to find name in PATH: exec: {json.dumps(plan.argv[0], ensure_ascii=False)}: {error.strerror}"
            )
        try:
            self._enter_working_folder()
            descriptors = {0: stdout if plan.terminal else _NOTHING, 1: stdout, 2: stderr}
            if not self._fork(path, descriptors, python):
                self.pid = self._start(path, plan.argv, descriptors)
        except (OSError, ValueError) as error:
            if disk_room.is_full(error):
                raise
            text = (getattr(error, "strerror", None) or str(error)).lower()
            return f"failed to start command: fork/exec {path}: {text}"
        self.started_at, self.up = time.time(), True
        return ""

    def _fork(self, path: str, descriptors: dict[int, int], python: WarmPython) -> bool:
        """Start a Python task as a fork where that makes no difference to it. Gives whether it was started. Raises OSError."""
        assert self.root is not None
        obstacle = self._obstacle()
        for _ in range(_FORK_SERVERS):
            obstacle = obstacle or python.obstacle(path, self.plan.argv, self.env)
            if obstacle:
                break
            with contextlib.suppress(ConnectionError):  # the fork server may be killed before the task begins
                self.pid = python.start(path, self.plan.argv, self.env, descriptors, self.root.view)
                break
        else:
            obstacle = "the fork server of its worker was killed"
        if os.path.basename(path).startswith("python"):
            self.python = f"new: {obstacle}" if obstacle else "warm"
        return not obstacle

    def _obstacle(self) -> str:
        plan = self.plan
        if plan.layers:
            return "it runs in an image's own files"
        if not self._rights().are_usual:
            return "it has a user or rights of its own"
        if plan.terminal:
            return "it has a terminal"
        # The limit would count memory that a fork has from its start.
        return "it has a limit of memory" if plan.memory_limit else ""

    def _choose_user(self, wish: users.WantedUser) -> None:
        """Look up the user in the image's own /etc/passwd and /etc/group. Raises PodFault."""
        user = users.resolve(wish, program.read_text("/etc/passwd"), program.read_text("/etc/group"))
        self.env = {"HOME": user.home, **self.plan.env}
        self.user = user

    def _enter_working_folder(self) -> None:
        plan = self.plan
        home = plan.env.get("HOME") or ""
        # HOME is not created in a volume, where it would outlive the pod.
        in_volume = any(home.startswith(f"{mount.target.rstrip('/')}/") for mount in plan.mounts)
        if home.startswith("/") and not plan.layers and not in_volume:
            with contextlib.suppress(OSError):  # HOME may be in a folder that containers see empty
                program.go_to(home, only_make=True)
        program.go_to(plan.cwd)

    def _start(self, path: str, argv: program.Argv, descriptors: dict[int, int]) -> int:
        rights = self._rights()
        try:
            return program.start(path, argv, self.env, descriptors, rights)
        except program.CannotAppear:
            assert self.user is not None
            self.warning, self.user = users.impossible(self.plan.image, self.user), None
            return program.start(path, argv, self.env, descriptors, rights._replace(user=None))

    def _rights(self) -> program.Rights:
        view = self.root.view if self.root is not None else -1
        return program.Rights(self.user, self.plan.capabilities, self.plan.gains_rights, view)

    def run(self, argv: list[str]) -> bool:
        """Run another command in this process's current root. Gives whether it exited with 0."""
        path = program.look_up(argv[0], self.env.get("PATH", ""))
        pid = self._start(path, argv, dict.fromkeys(range(3), _NOWHERE))
        return os.waitpid(pid, 0)[1] == 0

    def state(self) -> Json:
        """The fields of interpreter.events.ContainerState."""
        return {
            "name": self.plan.name,
            "exit_code": self.code,
            "reason": self.reason or ("" if self.code is None else "Completed" if self.code == 0 else "Error"),
            "message": self.message,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "init": self.plan.kind == "init",
            "image_id": self.plan.image_id,
            **({"python": self.python} if self.python else {}),
            **({"tail": self._why(self.log)} if self.code and self.log is not None else {}),
        }

    def _why(self, log: Log) -> str:
        """The end of its output; for a container that used too much memory its limit, which its output does not contain."""
        if self.reason == "OOMKilled":
            # error_lines.OVER_MEMORY; this process imports nothing of that room
            return f"used more than its memory limit of {self.plan.memory_limit / 2**20:g} MiB"
        return log.tail()


def ended_container(plan: ContainerPlan, code: int, message: str, root_code: int | None = None) -> Container:
    """A container that ended without running."""
    container = Container(plan)
    container.started_at = time.time()
    container.end(code, message)
    container.root_code = root_code
    return container
