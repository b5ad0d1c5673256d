"""A process beside a worker that only forks: its forks are the Python tasks.

A page of memory that two processes share is copied when one of them writes to it, and Python writes even to objects that it only reads.
A fork of the worker itself made the worker copy most of its memory again for each task; this process touches almost nothing between two
forks. It is a fork of the preloader, which imports packages for all workers (`preloader.py`), and is in its worker's namespaces.

It and its worker exchange packets over a socket:

    r  ready: its process id, the names of the packages that it has, and of the modules that a task finds loaded; with it, where the
       worker answers system calls of its tasks, the descriptor on which those of this process and its forks arrive
    s  start a task, with descriptors: the task (`python_process.Task`, in a file in memory: no secret comes to this process), stdin,
       stdout, stderr, its folder, and the mount namespace of its container   + the task's process id, from the task itself
                                                                              ! an error number: it did not start
                                                                              - a task's process id, how it ended, what it used
                                                                              i the name of a package that a task is importing

When this process is killed, its forks become children of the worker; when the worker is killed, the kernel kills all of them.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` would look up enum names at each call
import contextlib
import marshal
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from mmap import mmap
from typing import TYPE_CHECKING, NoReturn

from . import launch_socket, meter, python_process, root_rights, seccomp, syscalls
from .meter import Use
from .preloaded_modules import PreloadedModules

if TYPE_CHECKING:
    from .network import Network
    from .preloader import Preloader

PACKET = 1 << 17  # bytes of the first packet, which has all names
_SHORT = 4096  # bytes of every other packet
NAMES = 1 << 16  # bytes for the names of the modules that a task imported
_NAME = 256  # bytes after them, for the name of a package that a task is importing
MEMORY = NAMES + _NAME
_NEWS = signal.SIGURG  # from a task to this process; a process that does not handle it ignores it
_NEWS_NUMBER, _DEFAULT = int(_NEWS), int(signal.SIG_DFL)
_LINK, _PROC = 3, 4
_ANSWER_SECONDS = 35.0
_LONGEST_END = 1000  # milliseconds


class ForkServer:
    """Runs in the fork server's process, which is a fork of the preloader and gets the preloader's `preloaded` and `loaded`.

    descriptors: the socket to the worker, the memory in which a fork leaves the names of modules that it imported, and the worker's
    /proc. started_with: the modules of a new interpreter.
    """

    def __init__(
        self,
        descriptors: Sequence[int],
        preloaded: PreloadedModules,
        loaded: python_process.Loaded,
        started_with: frozenset[str],
    ) -> None:
        link, imported, proc = descriptors
        self._started_with, self._preloaded, self._loaded = started_with, preloaded, loaded
        self._imported = mmap(imported, MEMORY)
        os.dup2(link, _LINK, inheritable=False)
        os.dup2(proc, _PROC, inheritable=False)
        os.closerange(_PROC + 1, python_process.MOST_DESCRIPTORS)
        self._link = socket.socket(fileno=_LINK)
        self._tasks: dict[int, int] = {}
        """Descriptor of a task's process → its id."""

    def serve(self, path: Sequence[str], *, asks_network: bool) -> NoReturn:
        """Serve the worker until it ends. path: sys.path without a script's folder."""
        try:
            self._path = path
            tops = {name.partition(".")[0] for name in self._loaded.modules}
            ready = b"r" + marshal.dumps((os.getpid(), sorted(self._preloaded.top_names), sorted(tops)))
            calls = [seccomp.install([seccomp.BIND, seccomp.CONNECT])] if asks_network else []
            if not calls:
                with contextlib.suppress(OSError):  # a kernel without filters, or another processor
                    seccomp.refuse()
            socket.send_fds(self._link, [ready], calls)
            for fd in calls:
                os.close(fd)
            poll = select.poll()
            poll.register(_LINK, select.POLLIN)
            signal.signal(_NEWS, self._pass_on)
            while True:
                for fd, _ in poll.poll():
                    if fd != _LINK:
                        poll.unregister(fd)
                        self._report(fd)
                    elif (new := self._handle()) >= 0:
                        poll.register(new, select.POLLIN)
        finally:
            os._exit(0)

    def _report(self, fd: int) -> None:
        """Report how a task ended, then reap it. In this order the worker can still see the end if this process is killed in between."""
        pid = self._tasks.pop(fd)
        end = syscalls.ended_child(fd)
        self._link.send(b"-%d %d %f %d %d %d %d %d" % (pid, end.code, *meter.of_ended(_PROC, end)))
        os.waitpid(pid, 0)
        os.close(fd)

    def _handle(self) -> int:
        """Handle a packet of the worker. Gives the descriptor of the new task's process, -1 for none."""
        packet, fds, _, _ = socket.recv_fds(self._link, _SHORT, 6)
        if not packet:
            os._exit(0)
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
            _signal.signal(_NEWS_NUMBER, _DEFAULT)
            task = self._enter(fds)
            python_process.take({0: fds[1], 1: fds[2], 2: fds[3]})
            self._task, self._preloaded.tell = os.getpid(), self._tell
            root_rights.have_usual()  # last, because from here on other containers of the pod may inspect this process
            python_process.run(task, self._path, self._loaded, self._note_imports)
        finally:
            os._exit(70)  # only reached by an error of this module

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

    def _pass_on(self, *_: object) -> None:
        """Pass the name of a package that a task is importing on to the worker."""
        data = self._imported[NAMES:]
        if name := data[1 : 1 + data[0]]:
            self._link.send(b"i" + name)

    def _tell(self, name: str) -> None:
        """Called in a task that begins to import a package, so that later tasks can get it preloaded soon."""
        data = name.encode()
        if len(data) < _NAME and os.getpid() == self._task:
            self._imported[NAMES + 1 : NAMES + 1 + len(data)] = data
            self._imported[NAMES] = len(data)
            os.kill(os.getppid(), _NEWS)

    def _note_imports(self, names: list[str]) -> None:
        """Leave the names of modules that a task imported in the shared memory. names: the task's new modules."""
        new = [
            name
            for name in names
            if name not in self._started_with and self._preloaded.is_of_interpreter(sys.modules.get(name))
        ]
        text = "\n".join(new).encode()
        if new and len(text) + 4 <= NAMES:
            self._imported.seek(0)
            self._imported.write(len(text).to_bytes(4, "little") + text)


class WorkersEnd:
    """The worker's side: starts the fork server and sends it tasks. Methods raise OSError when the process has ended or does not answer.

    proc: descriptor of the worker's /proc. namespaces: descriptors of the worker's namespaces, that of process ids first; () for those of
    the preloader. network: answers system calls.
    """

    def __init__(
        self,
        preloader: Preloader,
        imported: int,
        proc: int,
        namespaces: Sequence[int] = (),
        network: Network | None = None,
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_SECONDS)
        self._link = ours
        self._pidfd = -1
        self._ends: list[tuple[int, int, Use]] = []
        self._imports: list[str] = []
        try:
            with theirs:
                asks_network = network is not None and network.is_open
                preloader.fork_server([theirs.fileno(), imported, proc, *namespaces], asks_network=asks_network)
            packet, fds, _, _ = socket.recv_fds(ours, PACKET, 1)
            for fd in fds:
                # A received descriptor is inheritable, and a program with this one could answer other tasks' calls.
                os.set_inheritable(fd, False)
            if not packet:
                raise ConnectionResetError
            self.pid, packages, loaded = marshal.loads(packet[1:])
            self.packages, self.loaded = frozenset(packages), frozenset(loaded)
            if network is not None:
                for fd in fds:
                    network.answer_also(fd)
            self._pidfd = os.pidfd_open(self.pid)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        return self._link.fileno()

    def start(self, task: python_process.Task, descriptors: Mapping[int, int], namespace: int) -> int:
        """Start a task in this process's current folder and a session of its own; gives its process id. namespace: its mount namespace's
        descriptor; -1 for this process's own.
        """
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

    def hear(self) -> tuple[list[tuple[int, int, Use]], list[str]]:
        """(ended tasks, packages that tasks are importing) since the last call, after waiting for one.

        An ended task is (process id, exit code or minus its signal, what it used).
        """
        while not (self._ends or self._imports) or launch_socket.has_more(self._link):
            self._note(self._receive())
        (ends, imports), self._ends, self._imports = (self._ends, self._imports), [], []
        return ends, imports

    def close(self) -> None:
        """Kill the process, and wait for its end: otherwise an idle worker would keep its zombie until the next pod."""
        self._link.close()
        if self._pidfd >= 0:
            with contextlib.suppress(OSError):  # it may have ended and been reaped
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                end = select.poll()
                end.register(self._pidfd, select.POLLIN)
                end.poll(_LONGEST_END)
                # WNOHANG, because a task that traces it may prevent its end.
                os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            os.close(self._pidfd)

    def _answer(self, kinds: bytes) -> bytes:
        while (packet := self._receive())[:1] not in kinds:
            self._note(packet)
        return packet

    def _note(self, packet: bytes) -> None:
        if packet[:1] == b"i":
            self._imports.append(packet[1:].decode(errors="replace"))
            return
        pid, code, cpu, *counters = packet[1:].split()
        self._ends.append((int(pid), int(code), Use(float(cpu), *map(int, counters))))

    def _receive(self) -> bytes:
        packet = self._link.recv(_SHORT)
        if not packet:
            raise ConnectionResetError
        return packet
