"""The containers of one pod as processes: started in their roots, listened to, ended. What they mean is the supervisor's affair."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import disk_room, processes, syscalls
from .container import NOT_STARTED, Container
from .discard import discard
from .logs import Log
from .plan import ContainerPlan
from .root_fs import Mount

if TYPE_CHECKING:
    from .worker import Place


class Cell:
    """folder: pods/<uid>. stopping: the server or the deadline ended the pod: nothing more may start."""

    def __init__(self, folder: str, place: Place) -> None:
        self.folder, self.place = folder, place
        self.containers: dict[str, Container] = {}
        self.stopping = False
        self.unread: dict[int, tuple[Container, int]] = {}
        """Pipes that nobody reads while the disk has no room for what comes from them: (whose, stream)."""
        self.selector = selectors.DefaultSelector()
        self.selector.register(place.wakeup, selectors.EVENT_READ, None)

    def turn(self, until: float = 0.0) -> None:
        """Wait for something to happen (at most until that time), and see to it."""
        raise NotImplementedError

    # --- starting --------------------------------------------------------------------------------------------------

    def start(self, plan: ContainerPlan, *, capture: bool) -> Container:
        """capture: keep what it writes to stdout."""
        container = Container(plan)
        container.started_at = time.time()
        container.log = Log(f"{self.folder}/logs/{plan.name}.log", capture=capture)
        try:
            container.root = self.place.roots.take(plan.hidden, self._mounts(plan))
            for path, (data, mode) in plan.written.items():
                container.root.write(path, data, mode)
            self.spawn(container)
        except OSError:
            container.log.close()
            if container.root is not None:
                container.root.discard()
            raise
        self.containers[plan.name] = container
        return container

    def _mounts(self, plan: ContainerPlan) -> list[Mount]:
        return [*(Mount(path, path, True) for path in plan.exposed), *plan.mounts]

    def spawn(self, container: Container) -> None:
        """A container with `tty` has one end of a terminal as stdin, stdout and stderr; the other end is read."""
        out = os.openpty() if container.plan.terminal else os.pipe2(os.O_CLOEXEC)
        apart = container.log and container.log.captures and not container.plan.terminal
        err = os.pipe2(os.O_CLOEXEC) if apart else out
        try:
            with self.inside(container):
                refusal = container.spawn(out[1], err[1])
        except OSError:
            for fd in {out[0], err[0]}:
                os.close(fd)
            raise
        finally:
            for fd in {out[1], err[1]}:
                os.close(fd)
        for fd, stream in dict.fromkeys([(out[0], 1), (err[0], 2)] if err != out else [(out[0], 1)]):
            os.set_blocking(fd, False)
            container.open.add(fd)
            self.selector.register(fd, selectors.EVENT_READ, (container, stream))
        if refusal:
            self._ended(container, NOT_STARTED, refusal)

    @contextlib.contextmanager
    def inside(self, container: Container) -> Iterator[None]:
        """This process sees the container's files, and afterwards the machine's again."""
        try:
            assert container.root is not None
            container.root.enter(self._mounts(container.plan))
            yield
        finally:
            syscalls.setns(self.place.namespace, syscalls.CLONE_NEWNS)

    def _ended(self, container: Container, code: int, message: str = "") -> None:
        """The command ended: so does everything else in its container."""
        container.pid = 0
        self.kill(container)
        for fd, (other, stream) in list(self.unread.items()):
            if other is container:
                self._read_again(fd, stream, container)
        for key in [k for k in self.selector.get_map().values() if k.data and k.data[0] is container]:
            self._drain(container, key.fd, key.data[1])
        if code != 0 and container.retries > 0 and not self.stopping and not message:
            container.retries -= 1
            container.retry_at = time.time() + container.plan.retry_pause
            return
        container.end(code, message)
        if container.log is not None:
            container.log.finish_lines()

    def kill(self, container: Container) -> None:
        """SIGKILL to every process of the container; those that are not its command are reaped here."""
        if any(c.pid for c in self.containers.values() if c is not container):
            for _ in range(1000):  # again, for those that were just being born
                members = processes.members(self.place.proc, container.root.namespace if container.root else "")
                for pid in members:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                if not members:
                    return
                time.sleep(0.001)
            return
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)  # process 1: everything in this namespace but itself
        if not container.pid:
            _reap_all()

    def kill_all(self) -> None:
        """Nothing of the pod may outlive it."""
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        while left := [c for c in self.containers.values() if not c.over]:
            for container in left:
                if not container.pid:
                    container.end(137)
            self.turn(time.time() + 1)
        _reap_all()

    def give_back(self) -> None:
        """After the outcome is recorded: the roots are free again. Raises OSError when that cannot be done."""
        for container in self.containers.values():
            if container.log is not None:
                container.log.close()
            if container.root is not None:
                if any(mount.source.startswith(f"{self.folder}/") for mount in container.plan.mounts):
                    container.root.leave()  # its view holds what goes with the pod
                self.place.roots.give_back(container.root)
        for name in ("inputs", "volumes", "outgoing"):
            if os.path.isdir(f"{self.folder}/{name}"):
                discard(f"{self.folder}/{name}")
        self.selector.close()

    def probe(self, container: Container, argv: list[str]) -> bool:
        with self.inside(container), contextlib.suppress(OSError, ValueError, IndexError):
            quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
            pid = os.posix_spawnp(argv[0], argv, container.plan.env, file_actions=quiet, setsid=True)
            return os.waitpid(pid, 0)[1] == 0
        return False

    # --- listening -------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for container in self.containers.values():
                if container.pid == pid:
                    code = os.waitstatus_to_exitcode(status)
                    self._ended(container, code if code >= 0 else 128 - code)

    def read(self, container: Container, fd: int, stream: int) -> None:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose other end is closed
            data = b""
        if data and container.log is not None:
            container.log.take(stream, data)
            if container.log.behind:  # the disk is full: the command waits in its next write
                self.selector.unregister(fd)
                self.unread[fd] = (container, stream)
        elif not data:
            self._forget(container, fd)

    def catch_up(self) -> OSError | None:
        """Write what logs lack, and read on what was not read for that. The error of a full disk, if that keeps it. Raises OSError."""
        for container in self.containers.values():
            if container.log is not None and container.log.behind:
                try:
                    container.log.catch_up()
                except OSError as error:
                    if not disk_room.is_full(error):
                        raise
                    return error
        for fd, (container, stream) in list(self.unread.items()):
            self._read_again(fd, stream, container)
        return None

    def _read_again(self, fd: int, stream: int, container: Container) -> None:
        del self.unread[fd]
        self.selector.register(fd, selectors.EVENT_READ, (container, stream))

    def _drain(self, container: Container, fd: int, stream: int) -> None:
        with contextlib.suppress(OSError):  # nothing left, or a terminal whose other end is closed
            while data := os.read(fd, 1 << 16):
                if container.log is not None:
                    container.log.take(stream, data)
        self._forget(container, fd)

    def _forget(self, container: Container, fd: int) -> None:
        self.selector.unregister(fd)
        os.close(fd)
        container.open.discard(fd)


def _reap_all() -> None:
    """Wait for processes that were killed."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
