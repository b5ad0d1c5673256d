"""Starts, reads, watches and ends the containers of one pod; the supervisor decides which and when."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import struct
import sys
import time
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import NamedTuple

from . import disk_room, file_trees, processes, syscalls
from .container import NOT_STARTED, Container
from .errors import PodFault
from .fork_server import WorkersEnd
from .logs import Log
from .meter import Meter, Use
from .mount_points import Mount
from .network import Network
from .plan import ContainerPlan
from .pod_folder import PodFolder
from .root_fs import Roots
from .warm_python import WarmPython
from .worker_state import WorkerState

_TICK = 0.5  # seconds between two calls of `watch`
_MEMORY_TICK = 0.1  # seconds between two calls when a container has a memory limit
KILL_SECONDS = 10.0  # seconds to wait for killed processes to end
_RETRY_PAUSE = 0.5  # seconds between two attempts to start a command on a full disk
_UNLOCK_TERMINAL, _OTHER_END = 0x40045431, 0x5441  # TIOCSPTLCK, TIOCGPTPEER
_TERMINAL = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


class Sandbox(NamedTuple):
    """What a worker provides to each of its pods. state: the state folder. proc: the worker's own /proc. namespace: descriptor of its
    mount namespace. wakeup: a pipe on which its signals arrive as bytes. python: forks for Python tasks. own: the worker's own state,
    which a pod may not change. meter: measures what a pod uses.
    """

    state: str
    roots: Roots
    network: Network
    proc: str
    namespace: int
    wakeup: int
    python: WarmPython
    own: WorkerState
    meter: Meter


class Containers:
    """The containers of one pod. stopping: the server or the deadline ended the pod, so that no command is retried.

    unendable: a process is left that even SIGKILL does not end, because it waits in the kernel. Then the pod's files are not touched:
    reading where that process writes could wait for ever too.
    """

    def __init__(self, files: PodFolder, sandbox: Sandbox) -> None:
        self._files, self._sandbox = files, sandbox
        self.by_name: dict[str, Container] = {}
        self.stopping = self.unendable = False
        self._unread: dict[int, tuple[Container, int]] = {}
        """Pipes that are not read while the disk has no room for their data: descriptor → (container, stream)."""
        self._fork_ends: list[tuple[int, int, Use]] = []
        self.meter = sandbox.meter
        self.meter.begin()
        self._newest = b""
        """The newest process id of the namespace when all other processes had last ended."""
        self._watched: WorkersEnd | None = None
        """The fork server whose messages this selector waits for."""
        self._watched_fd = -1
        self._selector = selectors.DefaultSelector()
        self._selector.register(sandbox.wakeup, selectors.EVENT_READ, None)

    @property
    def live(self) -> list[Container]:
        return [container for container in self.by_name.values() if not container.over]

    # --- starting --------------------------------------------------------------------------------------------------

    def start(self, plan: ContainerPlan, *, capture: bool) -> Container:
        """Start a container. capture: keep its standard output."""
        container = Container(plan)
        container.started_at = time.time()
        container.log = Log(self._files.log(plan.name), capture=capture)
        try:
            container.root = self._sandbox.roots.take(plan.hidden, self._mounts(plan), plan.layers)
            container.root.name(plan.env.get("HOSTNAME", ""))
            for path, (data, mode) in plan.written.items():
                container.root.write(path, data, mode)
            self._spawn(container)
        except (OSError, PodFault):
            container.log.close()
            if container.root is not None:
                container.root.discard()
            raise
        self.by_name[plan.name] = container
        return container

    def _mounts(self, plan: ContainerPlan) -> list[Mount]:
        return [*plan.exposed, *plan.mounts]

    def _spawn(self, container: Container) -> None:
        """Start the command. With `tty`, stdin, stdout and stderr are one end of a terminal, and this process reads the other end."""
        out = _open_terminal(self._sandbox.roots.devices) if container.plan.terminal else os.pipe2(os.O_CLOEXEC)
        separate = container.log and container.log.captures and not container.plan.terminal
        err = os.pipe2(os.O_CLOEXEC) if separate else out
        self.meter.before_start()
        try:
            with self.inside(container):
                refusal = container.spawn(out[1], err[1], self._sandbox.python)
        except (OSError, PodFault):
            for fd in {*out, *err}:
                os.close(fd)
            raise
        finally:
            self._watch_fork_server()
        for (fd, other), stream in [(out, 1)] if err == out else [(out, 1), (err, 2)]:
            os.set_blocking(fd, False)
            container.pipes[fd] = other
            self._selector.register(fd, selectors.EVENT_READ, (container, stream))
        if refusal:
            self._ended(container, NOT_STARTED, refusal)

    @contextlib.contextmanager
    def inside(self, container: Container) -> Iterator[None]:
        """Enter the container's files for the block, and leave them afterwards. Meanwhile nothing is imported from an image's files."""
        finders = list(sys.meta_path)
        try:
            assert container.root is not None
            container.root.enter(self._mounts(container.plan))
            if container.plan.layers:
                sys.meta_path[:] = [finder for finder in finders if finder is not PathFinder]
            yield
        finally:
            sys.meta_path[:] = finders
            syscalls.setns(self._sandbox.namespace, syscalls.CLONE_NEWNS)

    def _ended(self, container: Container, code: int, message: str = "") -> None:
        """End the container after its command: kill its other processes, and plan a retry if attempts are left."""
        dead, container.pid = container.pid, 0
        self.kill(container, dead)
        self._read_to_its_end(container)
        container.attempts -= 1
        if code != 0 and container.attempts > 0 and not self.stopping and not message:
            container.retry_at = time.monotonic() + container.plan.retry_pause
            return
        container.end(code, message)
        if container.log is not None:
            container.log.finish_lines()

    def _read_to_its_end(self, container: Container) -> None:
        for fd, (other, stream) in list(self._unread.items()):
            if other is container:
                self._read_again(fd, stream, container)
        for key in [
            k for k in self._selector.get_map().values() if isinstance(k.data, tuple) and k.data[0] is container
        ]:
            self._drain(container, key.fd, key.data[1])

    def kill(self, container: Container, dead: int = 0) -> None:
        """Send SIGKILL to every process of the container, and reap those that are not its command. dead: the process id of its command, if
        that has ended.
        """
        if any(c.pid for c in self.by_name.values() if c is not container):
            for _ in range(1000):  # repeated, because processes may be started meanwhile
                members = processes.members(
                    self._sandbox.proc, _namespace(container), self._other_namespaces(container)
                )
                for pid in members:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                if not members:
                    return
                time.sleep(0.001)
        elif container.pid:
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)  # this is process 1, so this kills all other processes of the namespace
        else:
            self._end_others(dead)

    def _other_namespaces(self, container: Container) -> set[str]:
        return {_namespace(other) for other in self.by_name.values() if other is not container}

    def give_up(self) -> None:
        """Leave processes that SIGKILL did not end to the kernel, which ends them when it can."""
        self.unendable = True
        for container in self.live:
            self._read_to_its_end(container)
            container.end(137)

    def kill_all(self) -> None:
        """Kill all processes of the pod, and wait for their end."""
        if self.live:
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)
        until = time.monotonic() + KILL_SECONDS
        while left := self.live:
            for container in left:
                if not container.pid:
                    container.end(137)
            self.listen(1.0)
            self.reap()
            if time.monotonic() >= until:
                self.give_up()
        if not self.unendable:
            self._end_others()

    def _end_others(self, dead: int = 0) -> None:
        if self._newest and self._newest == processes.newest():  # no process was started since the last time
            return
        if processes.end_others(self._sandbox.proc, self._sandbox.python.pid, dead, KILL_SECONDS, self._reap_others):
            self._newest = processes.newest()
        else:
            self.unendable = True

    def _reap_others(self) -> bool:
        try:
            while self.meter.reap(self._sandbox.python.was_server):
                pass
        except ChildProcessError:
            return True
        return False

    def give_back(self) -> None:
        """Release logs, roots and temporary folders, after the outcome is recorded. Raises OSError when that fails."""
        for container in self.by_name.values():
            if container.log is not None:
                container.log.close()
            if container.root is not None:
                if any(mount.source.startswith(f"{self._files.path}/") for mount in container.plan.mounts):
                    container.root.leave()  # its mounts refer to files that are removed with the pod
                self._sandbox.roots.give_back(container.root)
        for name in ("inputs", "volumes", "outgoing"):
            file_trees.remove(f"{self._files.path}/{name}")
        self._selector.close()

    def run_in(self, container: Container, argv: list[str]) -> bool:
        """Run another command in a container. Gives whether it exited with 0."""
        with self.inside(container), contextlib.suppress(OSError, ValueError, IndexError):
            return container.run(argv)
        return False

    # --- watching --------------------------------------------------------------------------------------------------

    def watch(self, now: float) -> None:
        """Check what no signal reports: memory limits, the pod's use of resources, and commands that are due for a retry."""
        self.meter.look(now, (1, self._sandbox.python.pid))
        for container in self.live:
            self._watch_memory(container)
            if container.retry_at and self.stopping:
                container.end(143)
            elif container.retry_at and now >= container.retry_at:
                self._retry(container, now)

    def _watch_memory(self, container: Container) -> None:
        limit = container.plan.memory_limit
        if not limit or not container.pid or container.root is None:
            return
        others = self._other_namespaces(container)
        if processes.resident(self._sandbox.proc, _namespace(container), others) > limit:
            container.reason = "OOMKilled"
            self.kill(container)

    def _retry(self, container: Container, now: float) -> None:
        container.retry_at = 0.0
        try:
            self._spawn(container)
        except OSError as error:
            if not disk_room.is_full(error):
                raise
            container.retry_at = now + _RETRY_PAUSE

    def next_watch(self, now: float) -> float:
        """The latest time for the next call of `watch`."""
        live = self.live
        pause = _MEMORY_TICK if any(c.plan.memory_limit for c in live) else _TICK
        return min([now + pause, self.meter.look_at, *(c.retry_at for c in live if c.retry_at)])

    # --- listening -------------------------------------------------------------------------------------------------

    def listen(self, seconds: float) -> bytes:
        """Wait at most so long for output or signals, and read the output. Gives the received signals; if there are any, call `reap`."""
        signals = b""
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                signals += os.read(self._sandbox.wakeup, 4096)
            elif key.data is self._watched:
                signals += self._hear_fork_server()
            else:
                container, stream = key.data
                self._read(container, stream, key.fd)
        return signals

    def _watch_fork_server(self) -> None:
        server = self._sandbox.python.server
        if server is self._watched:
            return
        if self._watched is not None:
            self._selector.unregister(self._watched_fd)
        if server is not None:
            self._watched_fd = server.fileno()
            self._selector.register(self._watched_fd, selectors.EVENT_READ, server)
        self._watched = server

    def _hear_fork_server(self) -> bytes:
        """Record which of the fork server's tasks have ended. Gives SIGCHLD, so that the caller calls `reap`."""
        assert self._watched is not None
        try:
            self._fork_ends += self._sandbox.python.hear()
        except OSError:  # the fork server was killed, and its tasks became children of this process
            self._sandbox.python.end()
            self._watch_fork_server()
        return bytes([signal.SIGCHLD])

    def reap(self) -> None:
        """Handle the commands that have ended."""
        ends, self._fork_ends = self._fork_ends, []
        for pid, code, use in ends:
            self.meter.add(use)
            self._command_ended(pid, code)
        with contextlib.suppress(ChildProcessError):
            while (end := self.meter.reap(self._sandbox.python.was_server)) is not None:
                self._command_ended(*end)

    def _command_ended(self, pid: int, code: int) -> None:
        """code: the exit code, or minus the number of the signal that ended the command."""
        for container in self.by_name.values():
            if container.pid == pid:
                self._ended(container, code if code >= 0 else 128 - code)

    def _read(self, container: Container, stream: int, fd: int) -> None:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return
        except OSError:  # the other end of the terminal is closed
            data = b""
        if data and container.log is not None:
            container.log.take(stream, data)
            if container.log.has_unwritten_output:  # the disk is full; the command then blocks when its pipe is full
                self._selector.unregister(fd)
                self._unread[fd] = (container, stream)
        elif not data:
            self._forget(container, fd)

    @property
    def has_unwritten_output(self) -> bool:
        """Whether output is missing in the logs because the disk was full."""
        return bool(self._unread) or any(
            c.log is not None and c.log.has_unwritten_output for c in self.by_name.values()
        )

    def catch_up(self) -> OSError | None:
        """Write the missing output to the logs, and read the pipes again. Gives the error of a disk that is still full; raises others."""
        for container in self.by_name.values():
            if container.log is not None and container.log.has_unwritten_output:
                try:
                    container.log.catch_up()
                except OSError as error:
                    if not disk_room.is_full(error):
                        raise
                    return error
        for fd, (container, stream) in list(self._unread.items()):
            self._read_again(fd, stream, container)
        return None

    def _read_again(self, fd: int, stream: int, container: Container) -> None:
        del self._unread[fd]
        self._selector.register(fd, selectors.EVENT_READ, (container, stream))

    def _drain(self, container: Container, fd: int, stream: int) -> None:
        with contextlib.suppress(OSError):  # there is no more output, or the other end of the terminal is closed
            while data := os.read(fd, 1 << 16):
                if container.log is not None:
                    container.log.take(stream, data)
        self._forget(container, fd)

    def _forget(self, container: Container, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)
        os.close(container.pipes.pop(fd))


def _namespace(container: Container) -> str:
    """The container's mount namespace, as /proc names it."""
    return container.root.namespace if container.root is not None else ""


def _open_terminal(devices: str) -> tuple[int, int]:
    """(this process's end, the container's end) of a new terminal. devices: the worker's own /dev, so that no task can read
    the terminals of this machine. Raises OSError.
    """
    ours = os.open(f"{devices}/pts/ptmx", _TERMINAL)
    try:
        fcntl.ioctl(ours, _UNLOCK_TERMINAL, struct.pack("i", 0))
        return ours, fcntl.ioctl(ours, _OTHER_END, _TERMINAL)
    except OSError:
        with contextlib.suppress(OSError):
            os.close(ours)
        raise
