"""A process of a worker's that does nothing but fork: its forks are the Python tasks.

A page of memory that two processes share is copied when one of them writes to it, and Python writes wherever it looks. A fork of the
worker itself made the worker copy most of its memory again for each task; this process touches next to nothing between two forks.

It and its worker talk over a socket, a packet each:

    s  beside it descriptors: the task (`python_process.Task`, in a file in memory: no secret comes to this process), stdin,
       stdout, stderr, its folder, and the mount namespace of its container   + the task's process id, from the task itself
                                                                              ! an error number: it did not start
    l  names of modules, which it shall import and keep                       l the names of all that is loaded
                                                                              u the import left something that a fork must not have
                                                                              - a task's process id and how it ended

Whoever is killed leaves nothing undecided: when this process ends, its forks are the worker's; when the worker ends, the kernel ends all.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from mmap import mmap
from typing import NoReturn

from . import python_process, root_rights, syscalls
from .preloaded_modules import PreloadedModules

PACKET = 1 << 17  # bytes
NAMES = 1 << 16  # bytes for the names of the modules that a task imported
_LINK = 3
_PATIENCE = 30.0  # seconds for an import
_MOST_MEMORY = 512 << 20  # bytes of a process that imports no more


class ForkServer:
    """In the process itself. started_with: the modules of a new interpreter. path: sys.path without a script's folder.
    imported: memory in which a fork leaves the names of what it imported.
    """

    def __init__(self, link: socket.socket, started_with: frozenset[str], path: Sequence[str], imported: mmap) -> None:
        self._started_with, self._path, self._imported = started_with, list(path), imported
        self._preloaded = PreloadedModules()
        os.dup2(link.fileno(), _LINK, inheritable=False)
        os.closerange(_LINK + 1, python_process.MOST_DESCRIPTORS)
        link.detach()
        self._link = socket.socket(fileno=_LINK)
        self._tasks: dict[int, int] = {}
        """Descriptor of a task's process → its id."""
        self._own = list(sys.modules.values())  # of its own code, which a task must not find

    def serve(self) -> NoReturn:
        try:
            os.chdir("/")
            python_process.reset_signals()
            for name in [name for name in sys.modules if name.partition(".")[0] == "pod"]:
                del sys.modules[name]
            sys.meta_path.insert(0, self._preloaded)
            sys.path[:] = self._path
            self._settle()
            poll = select.poll()
            poll.register(_LINK, select.POLLIN)
            while True:
                for fd, _ in poll.poll():
                    if fd != _LINK:
                        poll.unregister(fd)
                        self._report(fd)
                    elif (new := self._obey()) >= 0:
                        poll.register(new, select.POLLIN)
        finally:
            os._exit(0)

    def _settle(self) -> None:
        """What is here now is nobody's garbage, and what a task finds loaded."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._loaded = python_process.Loaded(frozenset(sys.modules), self._preloaded.names)

    def _report(self, fd: int) -> None:
        """Tell how a task ended before its process is gone for good: if this one is killed in between, the worker sees it itself."""
        pid = self._tasks.pop(fd)
        end = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOWAIT)
        if end is not None:
            code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
            self._link.send(b"-%d %d" % (pid, code))
        os.waitpid(pid, 0)
        os.close(fd)

    def _obey(self) -> int:
        """Do what the worker asks for. The descriptor of a new task's process, -1 for none."""
        packet, fds, _, _ = socket.recv_fds(self._link, PACKET, 6)
        if not packet:
            os._exit(0)
        if packet[:1] == b"l":
            self._learn(packet[1:].decode().split("\n"))
            return -1
        pid = os.fork()
        if pid == 0:
            self._become_task(fds)
        for fd in fds:
            os.close(fd)
        fd = os.pidfd_open(pid)
        self._tasks[fd] = pid
        return fd

    def _become_task(self, fds: list[int]) -> NoReturn:
        try:
            task = self._enter(fds)
            python_process.take({0: fds[1], 1: fds[2], 2: fds[3]})
            root_rights.have_usual()  # last: from here on other containers of the pod may look into it
            python_process.run(task, self._path, self._loaded, self._note_imports)
        finally:
            os._exit(70)  # this line is never reached but by a fault of ours

    def _enter(self, fds: list[int]) -> python_process.Task:
        try:
            if len(fds) > 5:
                syscalls.setns(fds[5], syscalls.CLONE_NEWNS)
            os.fchdir(fds[4])
            os.setsid()
            task = python_process.Task(*marshal.loads(os.pread(fds[0], os.fstat(fds[0]).st_size, 0)))
        except OSError as error:
            self._link.send(b"!%d" % (error.errno or 0))
            os._exit(70)
        self._link.send(b"+%d" % os.getpid())
        return task

    def _note_imports(self, names: list[str]) -> None:
        """Leave the names of what a task imported for the worker. names: of modules that are new."""
        new = [
            name
            for name in names
            if name not in self._started_with and self._preloaded.is_of_interpreter(sys.modules.get(name))
        ]
        text = "\n".join(new).encode()
        if new and len(text) + 4 <= NAMES:
            self._imported.seek(0)
            self._imported.write(len(text).to_bytes(4, "little") + text)

    def _learn(self, names: list[str]) -> None:
        new = [name for name in names if name not in sys.modules and name not in self._preloaded]
        if new and _resident() <= _MOST_MEMORY:
            try:
                with _limited(_PATIENCE):
                    self._preloaded.preload(new)
            except BaseException:  # noqa: BLE001 - whatever a module does at its import: no task shall be a fork of that
                self._link.send(b"u")
                os._exit(0)
            self._settle()
        self._link.send(b"l" + "\n".join({*self._preloaded.top_names}).encode())


class WorkersEnd:
    """The worker's end: it makes the process, and asks it. Everything here raises OSError when the process has gone, or does not answer.

    namespace: the worker's, of mounts; -1: the process keeps the one that it is made in.
    """

    _PATIENCE = _PATIENCE + 5

    def __init__(self, namespace: int, started_with: frozenset[str], path: Sequence[str], imported: mmap) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ours.close()
                if namespace >= 0:
                    syscalls.setns(namespace, syscalls.CLONE_NEWNS)
                ForkServer(theirs, started_with, path, imported).serve()
            finally:
                os._exit(70)
        theirs.close()
        self._pidfd = os.pidfd_open(self.pid)
        ours.settimeout(self._PATIENCE)
        self._link = ours
        self._ends: list[tuple[int, int]] = []

    def fileno(self) -> int:
        return self._link.fileno()

    def start(self, task: python_process.Task, descriptors: Mapping[int, int], namespace: int) -> int:
        """The process id of the task, which leads a session, in this process's folder. namespace: of its mounts; -1: as this process's."""
        file = os.memfd_create("task", os.MFD_CLOEXEC)
        folder = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            data = marshal.dumps(tuple(task))
            while data:
                data = data[os.write(file, data) :]
            fds = [
                file,
                *(descriptors[number] for number in range(3)),
                folder,
                *([namespace] if namespace >= 0 else []),
            ]
            socket.send_fds(self._link, [b"s"], fds)
        finally:
            os.close(folder)
            os.close(file)
        answer = self._answer(b"+!")
        if answer[:1] == b"!":
            raise OSError(int(answer[1:]), os.strerror(int(answer[1:])))
        return int(answer[1:])

    def learn(self, names: Sequence[str]) -> set[str] | None:
        """The names of what is loaded then; None: the import left something that no fork must have, and the process has ended."""
        self._link.send(b"l" + "\n".join(names).encode())
        answer = self._answer(b"lu")
        return None if answer[:1] == b"u" else set(answer[1:].decode().split("\n"))

    def ends(self) -> list[tuple[int, int]]:
        """Which tasks have ended since the last time, and how: process id, exit code (negative: by that signal)."""
        while not self._ends or _has_more(self._link):
            self._note(self._receive())
        ends, self._ends = self._ends, []
        return ends

    def close(self) -> None:
        """End the process."""
        self._link.close()
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)

    def _answer(self, kinds: bytes) -> bytes:
        while (packet := self._receive())[:1] not in kinds:
            self._note(packet)
        return packet

    def _note(self, packet: bytes) -> None:
        pid, _, code = packet[1:].partition(b" ")
        self._ends.append((int(pid), int(code)))

    def _receive(self) -> bytes:
        packet = self._link.recv(PACKET)
        if not packet:
            raise ConnectionResetError
        return packet


def _has_more(link: socket.socket) -> bool:
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(0))


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when it takes longer."""

    def late(*_: object) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
