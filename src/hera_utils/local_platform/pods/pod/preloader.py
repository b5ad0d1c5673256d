"""A process that imports packages once for the tasks of all workers: each worker's fork server is a fork of it.

    server ──▶ spawner ──clone──▶ worker            asks for a fork server when it needs one, and reports which packages a task imported
                  └──fork──▶ preloader ──fork──▶ the fork server, in the worker's namespaces ──fork──▶ a task

It imports in a fork of itself, which replaces it if the import left nothing that forks must not inherit. So it can answer meanwhile, and
a package whose import ends or hangs the process only ends that fork. It never sees a pod, so its forks inherit no secrets.

All workers send their requests over one socket, a packet each:

    f  start a fork server; with descriptors of its socket (see `fork_server.py`), of memory for the names of imported modules, of the
       worker's /proc, and of the worker's namespaces (process ids first; none: those of this process). fn: system calls of the fork
       server are answered, as those of the worker (`network.py`)
    l  names of modules that a task has imported
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import marshal
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from mmap import mmap
from typing import NoReturn

from . import python_process, root_rights, syscalls
from .fork_server import ForkServer
from .preloaded_modules import PreloadedModules

_PACKET = 1 << 17  # bytes
_MOST_DESCRIPTORS = 8
_IMPORT_SECONDS = 30.0
_MOST_MEMORY = 512 << 20  # bytes of a process that imports no more
_LINK = 3
_PAGE = 4096
_WORTH_IT = 16 * _PAGE  # one page fault maps so much at once
_OF_HERAS_SCRIPTS = ("json",)  # each `@script()` task imports it first


class Preloader:
    """Starts the process and sends it requests. started_with: the modules of a new interpreter.

    version: a number that changes whenever the process has finished an import, with or without success.
    importing: the packages that it is importing now.
    """

    def __init__(self, started_with: frozenset[str]) -> None:
        self._started_with = started_with
        self._board = _Board()
        self._link: socket.socket | None = None
        self._folders = [
            os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in sys.path if _has_packages(path)
        ]
        self._folder_times = self._changes()

    @property
    def is_outdated(self) -> bool:
        """Whether packages were installed or removed since this process started, so that a new interpreter would find others."""
        return self._changes() != self._folder_times

    def _changes(self) -> list[int]:
        return [os.fstat(folder).st_mtime_ns for folder in self._folders]

    @property
    def version(self) -> int:
        return self._board.version

    @property
    def importing(self) -> set[str]:
        return self._board.importing

    def ensure(self, *others: socket.socket) -> None:
        """Start the process if there is none. others: open sockets of this process that the new one must close. Raises OSError."""
        if self._link is not None and not _is_closed(self._link):
            return
        self.close()
        self._board.begin(set())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            try:
                for other in (ours, *others):
                    other.close()
                _Process(theirs, self._started_with, self._board).serve()
            finally:
                os._exit(70)
        theirs.close()
        ours.setblocking(False)
        self._link = ours

    def fork_server(self, descriptors: Sequence[int], *, asks_network: bool) -> None:
        """Request a fork server. Raises OSError. If it cannot be started, its socket, the first descriptor, is closed."""
        self._send(b"fn" if asks_network else b"f", descriptors)

    def learn(self, names: Sequence[str]) -> None:
        """Request that these modules are imported soon. Raises OSError."""
        self._send(b"l" + "\n".join(names).encode(), ())

    def close(self) -> None:
        """Close the socket; the process ends when all its users have done so."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _send(self, packet: bytes, descriptors: Sequence[int]) -> None:
        if self._link is None:
            raise ConnectionResetError("there is no process that preloads")
        socket.send_fds(self._link, [packet], list(descriptors))


class _Board:
    """Shared memory in which the process publishes its state, so that workers need not ask for it."""

    def __init__(self) -> None:
        self._memory = mmap(-1, _PAGE)

    @property
    def version(self) -> int:
        return int.from_bytes(self._memory[:8], "little")

    def count(self) -> None:
        """Record the end of an import: increase the version, and clear `importing`."""
        self._memory[8:10] = bytes(2)
        self._memory[:8] = ((self.version + 1) % (1 << 63)).to_bytes(8, "little")

    @property
    def importing(self) -> set[str]:
        size = int.from_bytes(self._memory[8:10], "little")
        return set(self._memory[10 : 10 + size].decode().split("\n")) if size else set()

    def begin(self, packages: set[str]) -> None:
        """Record that these packages are being imported."""
        text = "\n".join(packages).encode()
        if len(text) <= _PAGE - 10:
            self._memory[10 : 10 + len(text)] = text
            self._memory[8:10] = len(text).to_bytes(2, "little")


class _Process:
    """Runs in the process itself."""

    def __init__(self, link: socket.socket, started_with: frozenset[str], board: _Board) -> None:
        self._started_with, self._board = started_with, board
        os.dup2(link.fileno(), _LINK, inheritable=False)
        os.closerange(_LINK + 1, python_process.MOST_DESCRIPTORS)
        link.detach()
        self._link = socket.socket(fileno=_LINK)
        self._preloaded = PreloadedModules()
        self._asked_for: set[str] = set()
        """Modules that were requested, with or without success."""
        self._waiting: list[list[str]] = []
        self._next: tuple[socket.socket, int] | None = None
        """(socket, process id) of the fork that is importing and may replace this process."""
        self._own = list(sys.modules.values())  # modules of this program stay alive, but must not be visible to tasks

    def serve(self) -> NoReturn:
        try:
            os.setsid()
            os.chdir("/")
            python_process.reset_signals()
            root_rights.limit(root_rights.USUAL)
            self._path = [entry for entry in sys.path[1:] if entry]
            for name in [name for name in sys.modules if name.partition(".")[0] == "pod"]:
                del sys.modules[name]
            sys.meta_path.insert(0, self._preloaded)
            sys.path[:] = self._path
            for name in _OF_HERAS_SCRIPTS:
                importlib.import_module(name)
            python_process.make_streams()
            self._settle()
            while True:
                ready = select.select([self._link, *([self._next[0]] if self._next else [])], [], [])[0]
                if self._next is not None and self._next[0] in ready:
                    self._hear_next()
                elif self._link in ready:
                    self._handle()
        finally:
            os._exit(0)

    def _settle(self) -> None:
        """Exempt all present objects from garbage collection, and record the modules that a task finds loaded."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._loaded = python_process.Loaded(frozenset(sys.modules), self._preloaded.names)
        with contextlib.suppress(OSError):  # a kernel may refuse it; then forks cost more
            _make_tables_copied()

    def _handle(self) -> None:
        packet, fds, _, _ = socket.recv_fds(self._link, _PACKET, _MOST_DESCRIPTORS)
        if not packet:
            os._exit(0)
        if packet[:1] == b"l":
            self._waiting.append(packet[1:].decode().split("\n"))
            self._learn()
            return
        try:
            self._fork_server(fds, asks_network=packet == b"fn")
        except OSError:  # the worker has ended, or notices the closed socket
            pass
        finally:
            for fd in fds:
                os.close(fd)

    # --- forking --------------------------------------------------------------------------------------------------------

    def _fork_server(self, fds: list[int], *, asks_network: bool) -> None:
        own, namespaces = fds[:3], fds[3:]
        read_end, write_end = os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                try:
                    for namespace in namespaces[:1]:
                        # In a fork and only for its children: without root's rights this process could not return to its own namespace.
                        syscalls.setns(namespace, syscalls.CLONE_NEWPID)
                    if inside := os.fork():
                        os.waitpid(inside, 0)
                        os._exit(0)
                    for namespace in namespaces[1:]:
                        syscalls.setns(namespace, 0)
                    if os.fork() == 0:  # becomes a child of the worker when its parent ends
                        os.close(write_end)
                        os.read(read_end, 1)  # waits until the parents have been reaped, so that no task sees them
                        os.setsid()
                        server = ForkServer(own, self._preloaded, self._loaded, self._started_with)
                        server.serve(self._path, asks_network=asks_network)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
        finally:
            os.close(write_end)
            os.close(read_end)

    # --- importing ------------------------------------------------------------------------------------------------------

    def _learn(self) -> None:
        """Import waiting modules in a fork, one request after the other."""
        while self._waiting and self._next is None:
            names = [
                name
                for name in self._waiting.pop(0)
                if name not in self._asked_for and name not in sys.modules and name not in self._preloaded
            ]
            self._asked_for.update(names)
            if not names or _resident() > _MOST_MEMORY:
                continue
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._take_over(theirs, names)
                continue
            theirs.close()
            self._next = (ours, pid)
            self._board.begin({name.partition(".")[0] for name in names})

    def _take_over(self, before: socket.socket, names: list[str]) -> None:
        """Runs in the fork: import, and then replace the parent process. The fork ends if the import fails."""
        try:
            with _limited(_IMPORT_SECONDS):
                self._preloaded.preload(names)
        except BaseException:  # noqa: BLE001 - after any error at its import, no task may be a fork of this process
            os._exit(1)
        self._settle()
        try:
            before.send(b"+")
            if waiting := before.recv(_PACKET):
                self._waiting = marshal.loads(waiting)
        except OSError:  # the parent was killed, so this process is the only one
            pass
        before.close()
        self._board.count()

    def _hear_next(self) -> None:
        """Handle the fork's message: it has imported, and this process ends; or it has ended, and this process continues."""
        assert self._next is not None
        link, pid = self._next
        if link.recv(1):
            while len(waiting := marshal.dumps(self._waiting)) > _PACKET:
                self._waiting.pop()
            link.send(waiting)
            os._exit(0)
        link.close()
        os.waitpid(pid, 0)
        self._next = None
        self._board.count()
        self._learn()


def _make_tables_copied() -> None:
    """Make fork copy the page tables of programs and large libraries, which saves the forks many page faults.

    The kernel copies the tables of a mapped file only if one of its pages was written to. For small files this costs more than it saves.
    """
    with open("/proc/self/maps") as maps:
        places = [line.split(None, 5) for line in maps]
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for place, mode, *_, path in (words for words in places if len(words) == 6):
            if mode[0] == "r" and mode[3] == "p" and path.startswith("/"):
                start, end = (int(number, 16) for number in place.split("-"))
                if end - start < _WORTH_IT:
                    continue
                memory.seek(start)
                byte = memory.read(1)
                memory.seek(start)
                memory.write(byte)


def _has_packages(path: str) -> bool:
    return os.path.basename(path) in ("site-packages", "dist-packages") and os.path.isdir(path)


def _is_closed(link: socket.socket) -> bool:
    """Whether the other end is closed."""
    poll = select.poll()
    poll.register(link, 0)
    return bool(poll.poll(0))


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError when the block takes longer."""

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
