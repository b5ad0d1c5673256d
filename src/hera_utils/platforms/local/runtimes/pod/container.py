"""The first process of a container (process id 1 of its namespace): builds the view, starts the command, reaps, collects outputs.

It tells its supervisor by lines of JSON through a pipe:
    {"is": "started", "at"}                       the command runs
    {"is": "ended", "at", "code", "message"}      the command ended (Argo's emissary: 64 when it could not be started)
    {"is": "collected", "parameters", "artifacts", "errors"}
    {"is": "fault", "message"}                    the container could not be made
SIGTERM is passed on to the command's process group, SIGUSR1 kills everything in the container but this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import Any, NamedTuple, NoReturn

from . import outputs, system, view
from .base import Base
from .plan import ContainerPlan

Json = dict[str, Any]
NOT_STARTED = 64  # Argo's emissary exits so when it cannot start the command


class Pipes(NamedTuple):
    """File descriptors that the first process writes to."""

    stdout: int
    stderr: int
    report: int


class Setting(NamedTuple):
    """What the supervisor hands to each first process. store: the artifact store's folder on this machine."""

    job: Json
    folder: str
    state: str
    base: Base
    store: str
    mount_paths: list[str]


class _FirstProcess:
    def __init__(self, plan: ContainerPlan, setting: Setting, pipes: Pipes, collects: bool) -> None:
        self.plan, self.setting, self.pipes, self.collects = plan, setting, pipes, collects
        self.command = 0
        self.stopped = 0

    def tell(self, **message: Any) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.pipes.report, data) :]

    def was_stopped(self) -> bool:
        return self.stopped != 0

    def on_term(self, number: int, _: object) -> None:
        self.stopped = self.stopped or number
        if self.command:
            _signal_group(self.command, signal.SIGTERM)

    def on_kill(self, number: int, _: object) -> None:
        self.stopped = signal.SIGKILL
        _kill_others()  # wait() reaps them

    def run(self) -> None:
        system.die_with_parent()
        signal.signal(signal.SIGTERM, self.on_term)
        signal.signal(signal.SIGUSR1, self.on_kill)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        store = os.open(self.setting.store, os.O_PATH | os.O_DIRECTORY) if self.collects else -1
        self.enter()
        code, message = 0, ""
        if self.plan.argv:
            code, message = self.attempts()
            self.tell(**{"is": "ended"}, at=time.time(), code=code, message=message or _termination_message())
            _kill_others()
            _reap_others()
        if self.collects:
            found = outputs.collect(self.setting.job, f"/proc/self/fd/{store}", self.setting.mount_paths)
            self.tell(
                **{"is": "collected"}, parameters=found.parameters, artifacts=found.artifacts, errors=found.errors
            )

    def enter(self) -> None:
        plan, setting = self.plan, self.setting
        files = f"{setting.folder}/files/{plan.kind}-{plan.name}"
        os.makedirs(files)
        view.enter(
            view.View(files, plan.mounts, plan.written, plan.hidden, plan.exposed, setting.state),
            setting.base,
        )

    def attempts(self) -> tuple[int, str]:
        """Run the command, again as often as a containerSet's retryStrategy says."""
        left = self.plan.retries
        while True:
            code, message = self.attempt()
            if code == 0 or left <= 0 or self.stopped:
                return code, message
            left -= 1
            time.sleep(self.plan.retry_pause)

    def attempt(self) -> tuple[int, str]:
        plan = self.plan
        try:
            program = look_up(plan.argv[0], plan.env.get("PATH", ""))
        except OSError as error:
            return NOT_STARTED, f'failed to find name in PATH: exec: "{plan.argv[0]}": {error.strerror}'
        if self.was_stopped():
            return 128 + self.stopped, ""
        try:
            os.makedirs(plan.cwd, exist_ok=True)
            os.chdir(plan.cwd)
            self.command = self.spawn(program)
        except (OSError, ValueError) as error:
            text = (getattr(error, "strerror", None) or str(error)).lower()
            return NOT_STARTED, f"failed to start command: fork/exec {program}: {text}"
        if self.was_stopped():  # a signal may have come in between
            _signal_group(self.command, signal.SIGTERM)
        self.tell(**{"is": "started"}, at=time.time())
        return self.wait(), ""

    def spawn(self, program: str) -> int:
        pipes = self.pipes
        return os.posix_spawn(
            program,
            self.plan.argv,
            self.plan.env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, pipes.stdout, 1),
                (os.POSIX_SPAWN_DUP2, pipes.stderr, 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ),
        )

    def wait(self) -> int:
        """Reap everything until the command itself ends; its exit code, 128 + n when signal n ended it."""
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == self.command:
                self.command = 0
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code


def main(plan: ContainerPlan, setting: Setting, pipes: Pipes, collects: bool) -> NoReturn:
    """Be the first process of a container; never returns. collects: whether outputs are taken from this container."""
    first = _FirstProcess(plan, setting, pipes, collects)
    status = 0
    try:
        first.run()
    except BaseException as error:  # noqa: BLE001 - whatever went wrong must reach the supervisor
        status = 1
        first.tell(**{"is": "fault"}, message=_explain(error))
    finally:
        os._exit(status)


def look_up(name: str, path: str) -> str:
    """Where the program is, by Go's rules (exec.LookPath). Raises OSError whose strerror is Go's text."""
    if "/" in name:
        try:
            mode = os.stat(name).st_mode
        except OSError as error:
            raise OSError(error.errno, f"stat {name}: {(error.strerror or '').lower()}") from error
        if not os.access(name, os.X_OK) or (mode & 0o170000) == 0o040000:
            raise OSError(13, "permission denied" if (mode & 0o170000) != 0o040000 else "is a directory")
        return name
    for folder in path.split(":"):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    raise OSError(2, "executable file not found in $PATH")


def _termination_message() -> str:
    """What the command left in /dev/termination-log: Kubernetes shows it as the container's message."""
    try:
        with open("/argo/termination-log", "rb") as file:
            return file.read(4096).decode(errors="replace")
    except OSError:
        return ""


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):  # it has just ended
        os.killpg(pid, number)


def _kill_others() -> None:
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)  # process 1 of the namespace: all processes of the container, not this one


def _reap_others() -> None:
    while True:
        try:
            os.waitpid(-1, 0)
        except OSError:
            return


def _explain(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (1, 13) and "/root" in str(error.filename):
        return (
            f"this machine's kernel refuses private mounts ({error.strerror}, {error.filename}): allow unprivileged user namespaces, "
            "for example with sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run the server as root"
        )
    return f"the container could not be made: {error}"
