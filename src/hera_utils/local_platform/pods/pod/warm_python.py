"""Python tasks as forks of the worker: the interpreter has started already, and has what earlier tasks imported.

A task is forked when its command is `python FILE ...` with the very interpreter that this worker runs in, and nothing asks for another
start: options, variables that the interpreter or a library reads when it starts, a terminal, a limit of memory, a module beside the file
that is called as one that is loaded. Everything else starts a new process, and so does a worker that has seen secrets: a fork has its
memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from . import python_process, root_rights
from .preloaded_modules import PreloadedModules

_NAMES = 1 << 16  # bytes for the names of the modules that a task imported
_MOST_NAMES = 10_000  # entries of a folder that are compared with modules
_PATIENCE = 30.0  # seconds for the imports between two pods
_MOST_MEMORY = 512 << 20  # bytes of a worker that imports no more
_READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_")
_SAME = ("LANG", "LANGUAGE", "HOME")
_SWITCH = "HERA_UTILS_WARM_PYTHON"  # off, as a variable of the server or of a template: every task has a new process
_OF_THE_POD = (
    "ARGO_",
    "HERA_UTILS_",
    "HOSTNAME",
    "PATH",
    "TZ",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
)
"""Variables that every pod has, and that no library reads while it is imported."""


class WarmPython:
    """Of one worker. started_with: the modules of an interpreter that has just started."""

    def __init__(self, started_with: frozenset[str]) -> None:
        self._started_with = started_with
        self._environment = dict(os.environ)
        self._path = [entry for entry in sys.path[1:] if entry]
        self._preloaded = PreloadedModules()
        self._executable = os.path.realpath(sys.executable)
        self._folder = os.path.dirname(sys.executable)
        self._imported = mmap.mmap(-1, _NAMES)
        self.fit = os.environ.get(_SWITCH) != "off" and None not in (sys.stdin, sys.stdout, sys.stderr)
        """Whether this process may still be forked for tasks."""
        sys.meta_path.insert(0, self._preloaded)

    def may_start(self, program: str, argv: Sequence[str], env: Mapping[str, str]) -> bool:
        """Whether a fork means the same as a new process. program: the file that the command names, in the root of the container."""
        if (
            not self.fit
            or env.get(_SWITCH) == "off"
            or len(argv) < 2
            or argv[1].startswith("-")
            or os.path.dirname(program) != self._folder
        ):
            return False
        if os.path.realpath(program) != self._executable or not os.path.isfile(argv[1]):
            return False
        if any(env.get(name) != self._environment.get(name) for name in _SAME):
            return False
        for name in env.keys() | {name for name in self._environment if name.startswith("LC_")}:
            if (
                name.startswith(_READ_AT_START)
                and name != "PYTHONPATH"
                and env.get(name) != self._environment.get(name)
            ):
                return False
            if (
                len(self._preloaded)
                and not name.startswith(_OF_THE_POD)
                and env.get(name) != self._environment.get(name)
            ):
                return False
        return not self._is_shadowed([os.path.dirname(os.path.realpath(argv[1])), *_python_path(env)])

    def _is_shadowed(self, folders: Sequence[str]) -> bool:
        """Whether a file there would be imported instead of a module that is loaded, or at the start."""
        loaded = (
            {name.partition(".")[0] for name in sys.modules}
            | self._preloaded.top_names
            | {"usercustomize", "sitecustomize"}
        )
        for folder in folders:
            with contextlib.suppress(OSError):
                names = os.listdir(folder or ".")
                if len(names) > _MOST_NAMES or any(name.partition(".")[0] in loaded for name in names):
                    return True
        return False

    def start(self, program: str, argv: Sequence[str], env: Mapping[str, str], descriptors: Mapping[int, int]) -> int:
        """Fork. descriptors: of the task → of this process. The process id."""
        self._imported.seek(0)
        self._imported.write(bytes(4))
        pid = os.fork()
        if pid:
            return pid
        self._become(program, argv, env, descriptors)

    def _become(
        self, program: str, argv: Sequence[str], env: Mapping[str, str], descriptors: Mapping[int, int]
    ) -> NoReturn:
        try:
            os.setsid()
            _take(descriptors)
            root_rights.have_usual()
            for name in [n for n in sys.modules if n.partition(".")[0] == "pod"]:
                del sys.modules[name]
            python_process.run_file(argv, program, env, [*_python_path(env), *self._path], self._note_imports)
        finally:
            os._exit(70)  # this line is never reached but by a fault of ours

    def _note_imports(self) -> None:
        """Leave the names of what the task imported for the worker."""
        names = [
            name
            for name, module in list(sys.modules.items())
            if name not in self._started_with and self._preloaded.is_of_interpreter(module)
        ]
        text = "\n".join(names).encode()
        if len(text) + 4 <= _NAMES:
            self._imported.seek(0)
            self._imported.write(len(text).to_bytes(4, "little") + text)

    def learn(self) -> None:
        """Between two pods: import what the last task imported. A process that is not fit afterwards makes no more forks."""
        self._imported.seek(0)
        size = int.from_bytes(self._imported.read(4), "little")
        names = self._imported.read(size).decode().split("\n") if self.fit and size else []
        new = [name for name in names if name not in sys.modules and name not in self._preloaded]
        self._imported.seek(0)
        self._imported.write(bytes(4))
        if not new or _resident() > _MOST_MEMORY:
            return
        try:
            with _limited(_PATIENCE):
                self._preloaded.preload(new)
        except BaseException:  # noqa: BLE001 - whatever a module does at its import: this process imports and forks no more
            self.fit = False


def _python_path(env: Mapping[str, str]) -> list[str]:
    return env["PYTHONPATH"].split(":") if env.get("PYTHONPATH") else []


def _take(descriptors: Mapping[int, int]) -> None:
    """Only these stay open."""
    last = max(descriptors)
    copies = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, last + 1) for number, fd in descriptors.items()}
    for number, copy in copies.items():
        os.dup2(copy, number)
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


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
