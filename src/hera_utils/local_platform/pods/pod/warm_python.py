"""Python tasks as forks: the interpreter has started already, and has what earlier tasks imported.

A task is forked when its command is `python FILE ...` or `python -c CODE ...` with the very interpreter that this worker runs in, and
nothing asks for another start: options, variables that the interpreter or a library reads when it starts, a terminal, a limit of memory, a
module beside the file that is called as one that is loaded. Everything else starts a new process.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence

from .fork_server import MEMORY, WorkersEnd
from .meter import Use
from .network import Network
from .preloader import Preloader
from .python_process import Task

_MOST_NAMES = 10_000  # entries of a folder that are compared with modules
_MOST_CODE = 1 << 16  # bytes of a program that are looked at
_LONGEST_WAIT, _TICK = 0.3, 0.001  # seconds
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


_AT_START = {"usercustomize", "sitecustomize"}


class WarmPython:
    """Of one worker. proc: descriptor of its /proc. namespaces: the worker's, that of process ids first; none: tasks are in those of the
    preloader. network: answers system calls of tasks.
    """

    def __init__(
        self, preloader: Preloader, proc: int, namespaces: Sequence[int] = (), network: Network | None = None
    ) -> None:
        self._preloader, self._proc, self._namespaces, self._network = preloader, proc, namespaces, network
        self._environment = dict(os.environ)
        self._for_a_start = {name for name in self._environment if name.startswith((*_SAME, "LC_"))}
        self._executable = os.path.realpath(sys.executable)
        self._folder = os.path.dirname(sys.executable)
        self._own_file: tuple[int, int, int] = (0, 0, 0)
        """The interpreter's, as a container sees it."""
        self._memory = os.memfd_create("imported", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, MEMORY)
        self._imported = mmap.mmap(self._memory, MEMORY)
        self._told_names: set[str] = set()
        """Modules that the preloader was told of."""
        self._server: WorkersEnd | None = None
        self._version = -1
        self._awaited: set[str] = set()
        """What was waited for in vain."""
        self._place = ("", "")
        """The script that was looked at last, and its folder."""
        self._is_used = False
        self._is_wanted = True
        self.is_cut_off = False
        """Whether the preloader of this worker has gone, or has what no longer is: only a new worker can have Python tasks forked."""
        self._is_on = os.environ.get(_SWITCH) != "off" and None not in (sys.stdin, sys.stdout, sys.stderr)

    @property
    def server(self) -> WorkersEnd | None:
        """The fork server, while there is one."""
        return self._server

    @property
    def pid(self) -> int:
        """The fork server's process id, 0 when there is none."""
        return self._server.pid if self._server is not None else 0

    def was_server(self, pid: int) -> bool:
        """Whether a child of this process that has ended was the fork server, and no task."""
        return self._server is not None and self._server.pid == pid

    def obstacle(self, program: str, argv: Sequence[str], env: Mapping[str, str]) -> str:
        """Why a fork would not mean the same as a new process; "" when it does. program: the file that the command names, in the root of
        the container, in which this process is.
        """
        if not self._is_on or env.get(_SWITCH) == "off":
            return f"{_SWITCH} is off"
        if os.path.dirname(program) != self._folder or not self._is_own(program):
            return f"its interpreter is not {sys.executable}"
        # later ones treat the code in ways of their own
        is_code = len(argv) > 2 and argv[1] == "-c" and sys.version_info < (3, 13)
        if not is_code and (len(argv) < 2 or argv[1].startswith("-")):
            return "its command is not `python FILE` or `python -c CODE`"
        if not is_code and not os.path.isfile(argv[1]):
            return f"{argv[1]} is no file"
        if self._preloader.is_outdated:
            self.is_cut_off = True
            return "packages were installed or removed since its worker began"
        self._await(argv, is_code)
        try:
            server = self._newest()
        except OSError as error:
            self.is_cut_off = True
            return f"no process can be forked ({error})"
        folder = os.getcwd() if is_code else os.path.dirname(os.path.realpath(argv[1]))
        self._place = ("", "") if is_code else (os.path.abspath(argv[1]), folder)
        return self._different_variable(server, env) or _shadow(server, [folder, *_path(env)])

    def _is_own(self, program: str) -> bool:
        """Whether it is the file that this process runs."""
        status = os.stat(program)
        identity = status.st_dev, status.st_ino, status.st_mtime_ns
        if identity != self._own_file and os.path.realpath(program) == self._executable:
            self._own_file = identity
        return identity == self._own_file

    def _different_variable(self, server: WorkersEnd, env: Mapping[str, str]) -> str:
        for name in env.keys() | self._for_a_start:
            if env.get(name) == self._environment.get(name) or name == "PYTHONPATH":
                continue
            if name in _SAME or name.startswith(_READ_AT_START):
                return f"the variable {name} counts for a start of Python"
            if server.packages and not name.startswith(_OF_THE_POD):
                return f"packages that are loaded may have read the variable {name}"
        return ""

    def start(
        self,
        program: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        descriptors: Mapping[int, int],
        namespace: int = -1,
    ) -> int:
        """Fork what `obstacle` has looked at last, in this process's folder. descriptors: of the task → of this process. namespace: of its
        mounts. The process id. Raises OSError; ConnectionError: the fork server was killed before the task began.
        """
        script, folder = self._place
        changed = {name: value for name, value in env.items() if self._environment.get(name) != value}
        task = Task(
            argv=tuple(argv),
            program=program,
            set_variables={os.fsencode(name): os.fsencode(value) for name, value in changed.items()},
            removed_variables=tuple(map(os.fsencode, self._environment.keys() - env.keys())),
            script=script,
            folder=folder,
            path=tuple(_path(env)),
        )
        if self._server is None:
            raise ConnectionResetError
        self._is_used = True
        try:
            return self._server.start(task, descriptors, namespace)
        except ConnectionError:
            self.end()
            raise

    def prepare(self) -> None:
        """Have the fork server made that the next task needs, while there is nothing else to do; not for a worker whose pods need none."""
        if self._is_on and self._is_wanted and not self._preloader.is_outdated:
            with contextlib.suppress(OSError):  # the next task finds out
                self._newest()

    def _await(self, argv: Sequence[str], is_code: bool) -> None:
        """If a package that this program names is being preloaded: wait for it, since that costs less than another import."""
        until = 0.0
        while (packages := self._preloader.importing) and packages != self._awaited:
            if not until:
                code = argv[2].encode() if is_code else _beginning(argv[1])
                if not any(re.search(rb"\b%b\b" % re.escape(name.encode()), code) for name in packages):
                    return
                until = time.monotonic() + _LONGEST_WAIT
            elif time.monotonic() > until:
                self._awaited = packages
            time.sleep(_TICK)

    def _newest(self) -> WorkersEnd:
        """The fork server, a new one when the preloader has more than it. Raises OSError."""
        version = self._preloader.version
        if self._server is not None and version != self._version:
            self.end()
        if self._server is None:
            self._server = WorkersEnd(self._preloader, self._memory, self._proc, self._namespaces, self._network)
            self._version = version
        return self._server

    def end(self) -> None:
        """The fork server has gone, or shall go."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def hear(self) -> list[tuple[int, int, Use]]:
        """Which tasks have ended, as the fork server tells; the preloader hears what others are importing. Raises OSError."""
        if self._server is None:
            raise ConnectionResetError
        ends, packages = self._server.hear()
        self._tell(packages)
        return ends

    def learn(self) -> bool:
        """Between two pods: tell the preloader what the last task imported. Whether there was anything new."""
        self._is_wanted = self._is_used
        if not self._is_used:
            self.end()  # with a process that goes on, what a pod leaves is found less easily
        self._imported.seek(0)
        size = int.from_bytes(self._imported.read(4), "little")
        # by a task's word: `PreloadedModules.may_import` looks at them
        names = self._imported.read(size).decode(errors="replace").split("\n") if size else []
        self._imported.seek(0)
        self._imported.write(bytes(4))
        return self._tell(names)

    def _tell(self, names: Sequence[str]) -> bool:
        new = [name for name in names if name not in self._told_names]
        if new:
            with contextlib.suppress(OSError):  # it has gone: so has this worker's part in it
                self._preloader.learn(new)
                self._told_names.update(new)
        return bool(new)


def _beginning(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST_CODE)


def _shadow(server: WorkersEnd, folders: Sequence[str]) -> str:
    """Whether a file there would be imported instead of a module that is loaded, or at the start."""
    loaded = server.loaded | server.packages | _AT_START
    for folder in folders:
        with contextlib.suppress(OSError):
            names = os.listdir(folder or ".")
            if len(names) > _MOST_NAMES:
                return f"{folder} has too many files to look at"
            for name in names:
                if name.partition(".")[0] in loaded:
                    return f"{folder}/{name} is called as a module that is loaded"
    return ""


def _path(env: Mapping[str, str]) -> list[str]:
    return env["PYTHONPATH"].split(":") if env.get("PYTHONPATH") else []
