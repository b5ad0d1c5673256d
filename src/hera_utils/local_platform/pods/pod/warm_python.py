"""Starts Python tasks as forks of an interpreter that has started already and has imported what earlier tasks imported.

A task is forked when its command is `python FILE ...` or `python -c CODE ...` with the interpreter that this worker runs in, unless
something makes its start different: options, variables that the interpreter or a library reads when it starts, a terminal, a memory limit,
or a module beside the file with the name of a loaded one. All other tasks start a new process.
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

_MOST_NAMES = 10_000  # entries of a folder that are compared with module names
_MOST_CODE = 1 << 16  # bytes of a program that are searched for package names
_LONGEST_WAIT, _TICK = 0.3, 0.001  # seconds
_READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_")
_SAME = ("LANG", "LANGUAGE", "HOME")
_SWITCH = "HERA_UTILS_WARM_PYTHON"  # "off", in the environment of the server or of a template, starts every task as a new process
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
"""Variables that every pod has and that no library reads when it is imported."""


_AT_START = {"usercustomize", "sitecustomize"}


class WarmPython:
    """The forks of one worker. proc: descriptor of its /proc. namespaces: descriptors of the worker's, that of process ids first; (): tasks
    are in the preloader's namespaces. network: answers system calls of tasks.
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
        """(device, inode, time) of the interpreter's file as a container sees it."""
        self._memory = os.memfd_create("imported", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, MEMORY)
        self._imported = mmap.mmap(self._memory, MEMORY)
        self._reported_names: set[str] = set()
        """Modules that were reported to the preloader."""
        self._server: WorkersEnd | None = None
        self._version = -1
        self._awaited: set[str] = set()
        """Packages for which `_await` has waited in vain."""
        self._place = ("", "")
        """(script, its folder) of the last call of `obstacle`."""
        self._is_used = False
        self._is_wanted = True
        self.is_cut_off = False
        """Whether this worker's preloader has ended or is outdated, so that only a new worker can fork Python tasks."""
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
        """Whether an ended child of this process was the fork server, not a task."""
        return self._server is not None and self._server.pid == pid

    def obstacle(self, program: str, argv: Sequence[str], env: Mapping[str, str]) -> str:
        """Why a fork could behave differently from a new process; "" when it cannot. program: the file that the command names, in the
        container's root, which this process has entered.
        """
        if not self._is_on or env.get(_SWITCH) == "off":
            return f"{_SWITCH} is off"
        if os.path.dirname(program) != self._folder or not self._is_own(program):
            return f"its interpreter is not {sys.executable}"
        # Python 3.13 and later change the code of -c before they run it.
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
        """Whether it is the interpreter that this process runs."""
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
        """Fork the task for which `obstacle` was called last, in this process's folder, and give its process id.

        descriptors: the task's → this process's. namespace: its mount namespace's descriptor. Raises OSError; ConnectionError when the fork
        server was killed before the task began.
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
        """Start the fork server for the next task while the worker is idle, unless this worker's last pod did not use one."""
        if self._is_on and self._is_wanted and not self._preloader.is_outdated:
            with contextlib.suppress(OSError):  # the next task tries again
                self._newest()

    def _await(self, argv: Sequence[str], is_code: bool) -> None:
        """Wait if a package that this program names is being preloaded, because importing it again would take longer."""
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
        """The fork server, replaced by a new one if the preloader has imported more since. Raises OSError."""
        version = self._preloader.version
        if self._server is not None and version != self._version:
            self.end()
        if self._server is None:
            self._server = WorkersEnd(self._preloader, self._memory, self._proc, self._namespaces, self._network)
            self._version = version
        return self._server

    def end(self) -> None:
        """End the fork server, if there is one."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def hear(self) -> list[tuple[int, int, Use]]:
        """The tasks that have ended, as the fork server reports. Imports that it reports are passed on to the preloader. Raises OSError."""
        if self._server is None:
            raise ConnectionResetError
        ends, packages = self._server.hear()
        self._report(packages)
        return ends

    def learn(self) -> bool:
        """Report to the preloader, between two pods, what the last task imported. Gives whether there was anything new."""
        self._is_wanted = self._is_used
        if not self._is_used:
            self.end()  # without it, processes that a pod left are easier to find
        self._imported.seek(0)
        size = int.from_bytes(self._imported.read(4), "little")
        # A task wrote these names, so `PreloadedModules.may_import` checks them.
        names = self._imported.read(size).decode(errors="replace").split("\n") if size else []
        self._imported.seek(0)
        self._imported.write(bytes(4))
        return self._report(names)

    def _report(self, names: Sequence[str]) -> bool:
        new = [name for name in names if name not in self._reported_names]
        if new:
            with contextlib.suppress(OSError):  # the preloader has ended
                self._preloader.learn(new)
                self._reported_names.update(new)
        return bool(new)


def _beginning(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST_CODE)


def _shadow(server: WorkersEnd, folders: Sequence[str]) -> str:
    """Why files in these folders could be imported instead of loaded modules, or at the interpreter's start; "" when none could."""
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
