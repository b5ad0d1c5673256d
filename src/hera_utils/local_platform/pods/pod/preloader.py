"""A process that imports packages for the tasks of all workers, once: each worker's fork server is a fork of it.

    server ──▶ spawner ──clone──▶ worker            asks for a fork server when it needs one, and tells which packages a task imported
                  └──fork──▶ preloader ──fork──▶ the fork server, in the worker's namespaces ──fork──▶ a task

It imports in a fork of itself, which takes its place when nothing is left behind that a fork must not have: it answers meanwhile, and a
package that ends or hangs the process at its import ends that fork only. It never sees a pod, so none of its forks has what was secret.

It takes one packet for each wish, from all workers over one socket:

    f  beside it descriptors: of what is said to the fork server (see `fork_server.py`), of memory for the names of imported modules, of
       the worker's /proc, and of its namespaces (process ids first; none: those of this process). fn: the fork server has system
       calls of its own answered, as the worker has (`network.py`)
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
_PATIENCE = 30.0  # seconds for an import
_MOST_MEMORY = 512 << 20  # bytes of a process that imports no more
_LINK = 3
_PAGE = 4096
_WORTH_IT = 16 * _PAGE  # a page fault maps so much at once
_OF_HERAS_SCRIPTS = ("json",)  # each `@script()` task begins with it


class Preloader:
    """How the process is asked. started_with: the modules of a new interpreter.

    version: a number that changes when the process has imported something, or found that it must not.
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
        """Whether packages were installed or removed since this process began: a new interpreter would find others."""
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
        """Make the process, if there is none. others: what this process has open and that one must not keep. Raises OSError."""
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
        """Have one made. Raises OSError; when it cannot be made, the first descriptor is closed."""
        self._send(b"fn" if asks_network else b"f", descriptors)

    def learn(self, names: Sequence[str]) -> None:
        """Have these modules imported, as soon as it can be. Raises OSError."""
        self._send(b"l" + "\n".join(names).encode(), ())

    def close(self) -> None:
        """The process ends when nobody can ask it any more."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _send(self, packet: bytes, descriptors: Sequence[int]) -> None:
        if self._link is None:
            raise ConnectionResetError("there is no process that preloads")
        socket.send_fds(self._link, [packet], list(descriptors))


class _Board:
    """Memory in which the process tells all workers what they would have to ask for."""

    def __init__(self) -> None:
        self._memory = mmap(-1, _PAGE)

    @property
    def version(self) -> int:
        return int.from_bytes(self._memory[:8], "little")

    def count(self) -> None:
        """Another version, and nothing is imported any more."""
        self._memory[8:10] = bytes(2)
        self._memory[:8] = ((self.version + 1) % (1 << 63)).to_bytes(8, "little")

    @property
    def importing(self) -> set[str]:
        size = int.from_bytes(self._memory[8:10], "little")
        return set(self._memory[10 : 10 + size].decode().split("\n")) if size else set()

    def begin(self, packages: set[str]) -> None:
        """To import these."""
        text = "\n".join(packages).encode()
        if len(text) <= _PAGE - 10:
            self._memory[10 : 10 + len(text)] = text
            self._memory[8:10] = len(text).to_bytes(2, "little")


class _Process:
    """The process itself."""

    def __init__(self, link: socket.socket, started_with: frozenset[str], board: _Board) -> None:
        self._started_with, self._board = started_with, board
        os.dup2(link.fileno(), _LINK, inheritable=False)
        os.closerange(_LINK + 1, python_process.MOST_DESCRIPTORS)
        link.detach()
        self._link = socket.socket(fileno=_LINK)
        self._preloaded = PreloadedModules()
        self._asked_for: set[str] = set()
        """Modules that were asked for: imported, or not to be."""
        self._waiting: list[list[str]] = []
        self._next: tuple[socket.socket, int] | None = None
        """The fork that imports, which may take this one's place, and its process id."""
        self._own = list(sys.modules.values())  # modules of this program, which a task must not find

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
                    self._obey()
        finally:
            os._exit(0)

    def _settle(self) -> None:
        """What is here now is nobody's garbage, and what a task finds loaded."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._loaded = python_process.Loaded(frozenset(sys.modules), self._preloaded.names)
        with contextlib.suppress(OSError):  # a kernel may refuse it: then forks cost more
            _have_tables_copied()

    def _obey(self) -> None:
        packet, fds, _, _ = socket.recv_fds(self._link, _PACKET, _MOST_DESCRIPTORS)
        if not packet:
            os._exit(0)
        if packet[:1] == b"l":
            self._waiting.append(packet[1:].decode().split("\n"))
            self._learn()
            return
        try:
            self._fork_server(fds, asks_network=packet == b"fn")
        except OSError:  # the worker has gone, or sees that nothing comes
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
                        # of the forks of this process: it could not come back where it is an ordinary user's
                        syscalls.setns(namespace, syscalls.CLONE_NEWPID)
                    if inside := os.fork():
                        os.waitpid(inside, 0)
                        os._exit(0)
                    for namespace in namespaces[1:]:
                        syscalls.setns(namespace, 0)
                    if os.fork() == 0:  # a child of the worker, as soon as this one has ended
                        os.close(write_end)
                        os.read(read_end, 1)  # until it has gone for good: no task shall see it
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
        """Import in a fork, one after the other."""
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
        """In the fork: import, and go on in the place of the process that it is a fork of. Else it ends."""
        try:
            with _limited(_PATIENCE):
                self._preloaded.preload(names)
        except BaseException:  # noqa: BLE001 - whatever a module does at its import: no task shall be a fork of that
            os._exit(1)
        self._settle()
        try:
            before.send(b"+")
            if waiting := before.recv(_PACKET):
                self._waiting = marshal.loads(waiting)
        except OSError:  # that one was killed: this is the only one
            pass
        before.close()
        self._board.count()

    def _hear_next(self) -> None:
        """The fork has imported and takes this process's place, or it has ended."""
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


def _have_tables_copied() -> None:
    """Let forks begin with all pages of programs and large libraries that this process has, instead of a fault for each few of them: the
    kernel copies the tables of a mapped file only when a page of it was written to. A small one costs more than it saves.
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
    """Whether the other end is."""
    poll = select.poll()
    poll.register(link, 0)
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
