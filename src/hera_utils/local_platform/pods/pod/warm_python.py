"""Python tasks as forks: the interpreter has started already, and has what earlier tasks imported.

A task is forked when its command is `python FILE ...` or `python -c CODE ...` with the very interpreter that this worker runs in, and
nothing asks for another start: options, variables that the interpreter or a library reads when it starts, a terminal, a limit of memory, a
module beside the file that is called as one that is loaded. Everything else starts a new process. A worker that has seen secrets makes no
fork server any more: that would have its memory.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Mapping, Sequence

from .fork_server import NAMES, WorkersEnd
from .python_process import Task

_MOST_NAMES = 10_000  # entries of a folder that are compared with modules
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
    """Of one worker. started_with: the modules of an interpreter that has just started. namespace: of the worker's mounts; -1: a task
    has this process's.
    """

    def __init__(self, started_with: frozenset[str], namespace: int = -1) -> None:
        self._started_with, self._namespace = started_with, namespace
        self._environment = dict(os.environ)
        self._path = [entry for entry in sys.path[1:] if entry]
        self._executable = os.path.realpath(sys.executable)
        self._folder = os.path.dirname(sys.executable)
        self._imported = mmap.mmap(-1, NAMES)
        self._loaded: set[str] = set()
        self._packages: set[str] = set()
        """Packages that the fork server has imported for tasks."""
        self._requested: set[str] = set()
        """Modules that it was asked to import."""
        self._refused: set[str] = set()
        """Modules whose import left what no fork must have."""
        self._server: WorkersEnd | None = None
        self._is_on = os.environ.get(_SWITCH) != "off" and None not in (sys.stdin, sys.stdout, sys.stderr)
        self._has_secrets = False

    @property
    def server(self) -> WorkersEnd | None:
        """The fork server, while there is one."""
        return self._server

    def note_secrets(self) -> None:
        """From now on this process's memory has secrets: no fork server is made any more, an earlier one goes on."""
        self._has_secrets = True

    def obstacle(self, program: str, argv: Sequence[str], env: Mapping[str, str]) -> str:
        """Why a fork would not mean the same as a new process; "" when it does. program: the file that the command names, in the root of
        the container, in which this process is.
        """
        if not self._is_on or env.get(_SWITCH) == "off":
            return f"{_SWITCH} is off"
        if os.path.dirname(program) != self._folder or os.path.realpath(program) != self._executable:
            return f"its interpreter is not {sys.executable}"
        is_code = (
            len(argv) > 2 and argv[1] == "-c" and sys.version_info < (3, 13)
        )  # later ones treat the code in ways of their own
        if not is_code and (len(argv) < 2 or argv[1].startswith("-")):
            return "its command is not `python FILE` or `python -c CODE`"
        if not is_code and not os.path.isfile(argv[1]):
            return f"{argv[1]} is no file"
        if self._server is None and self._has_secrets:
            return "an earlier task of its worker had secrets"
        folder = os.getcwd() if is_code else os.path.dirname(os.path.realpath(argv[1]))
        return self._different_variable(env) or self._shadow([folder, *_path(env)])

    def _different_variable(self, env: Mapping[str, str]) -> str:
        for name in env.keys() | {name for name in self._environment if name.startswith((*_SAME, "LC_"))}:
            if env.get(name) == self._environment.get(name) or name == "PYTHONPATH":
                continue
            if name in _SAME or name.startswith(_READ_AT_START):
                return f"the variable {name} counts for a start of Python"
            if self._packages and not name.startswith(_OF_THE_POD):
                return f"packages that are loaded may have read the variable {name}"
        return ""

    def _shadow(self, folders: Sequence[str]) -> str:
        """Whether a file there would be imported instead of a module that is loaded, or at the start."""
        loaded = (self._loaded if self._server is not None else _top_names()) | self._packages | _AT_START
        for folder in folders:
            with contextlib.suppress(OSError):
                names = os.listdir(folder or ".")
                if len(names) > _MOST_NAMES:
                    return f"{folder} has too many files to look at"
                for name in names:
                    if name.partition(".")[0] in loaded:
                        return f"{folder}/{name} is called as a module that is loaded"
        return ""

    def start(
        self,
        program: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        descriptors: Mapping[int, int],
        namespace: int = -1,
    ) -> int:
        """Fork, in this process's folder. descriptors: of the task → of this process. namespace: of its mounts. The process id. Raises
        OSError; ConnectionError: there is no fork server, and nothing was started.
        """
        task = Task(
            argv=tuple(argv),
            program=program,
            set_variables={name: value for name, value in env.items() if self._environment.get(name) != value},
            removed_variables=tuple(self._environment.keys() - env.keys()),
            path=tuple(_path(env)),
        )
        for is_last in (self._has_secrets, True):
            try:
                return self._running().start(task, descriptors, namespace)
            except ConnectionError:  # it was killed before the task began
                self.end()
                if is_last:
                    raise
        raise AssertionError

    def _running(self) -> WorkersEnd:
        if self._server is None:
            self._loaded = _top_names()
            self._server = WorkersEnd(self._namespace, self._started_with, self._path, self._imported)
        return self._server

    def end(self) -> None:
        """The fork server has gone, or shall go."""
        if self._server is not None:
            self._server.close()
        self._server = None
        self._packages, self._requested = set(), set()

    def learn(self) -> None:
        """Between two pods: have imported what the last task imported."""
        self._imported.seek(0)
        size = int.from_bytes(self._imported.read(4), "little")
        names = self._imported.read(size).decode().split("\n") if size else []
        self._imported.seek(0)
        self._imported.write(bytes(4))
        new = [name for name in names if name not in self._requested and name not in self._refused]
        if not new or self._server is None:
            return
        self._requested.update(new)
        try:
            packages = self._server.learn(new)
        except OSError:
            packages = None
        if packages is None:
            self._refused.update(new)
            self.end()
        else:
            self._packages = packages


def _top_names() -> set[str]:
    """What a fork server that is made now has loaded."""
    return {name.partition(".")[0] for name in sys.modules} - {"pod"}


def _path(env: Mapping[str, str]) -> list[str]:
    return env["PYTHONPATH"].split(":") if env.get("PYTHONPATH") else []
