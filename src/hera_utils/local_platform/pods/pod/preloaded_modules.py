"""Modules that this process has imported for tasks that it will fork: hidden until a task imports them, then there at once.

A task that imports nothing finds in `sys.modules` what a fresh interpreter has there (and a few of the standard library's). When it
imports a module that is kept, that module and all that it had imported come into `sys.modules`, as an import would have brought them.
Only packages of the interpreter are kept, never a user's own code.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import importlib
import importlib.machinery
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

_PACKAGES = ("/site-packages/", "/dist-packages/")
_NEVER = ("pod", "hera_utils")
_ACTING = ("antigravity", "idlelib", "test", "this", "turtledemo")  # their import does something
_ACCELERATOR = re.compile(r"libcuda|libnvidia|/dev/nvidia|libamdhip|/dev/kfd")


class UnfitModule(Exception):
    """An import left behind what a fork must not have: threads, open descriptors, an accelerator, other streams; or it wrote something."""


class PreloadedModules:
    """A finder of modules that are kept, to stand first on sys.meta_path. Used in the process that keeps them and in its forks.

    It is no importlib.abc.Loader: that module loads two dozen others, whose memory each fork would have.
    """

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._specs: dict[str, importlib.machinery.ModuleSpec | None] = {}
        self._imported_by: dict[str, set[str]] = {}
        """Module → modules that its own import asked for."""
        self._brought: dict[str, dict[str, ModuleType]] = {}
        """Package → what comes with it: found before there are forks, each of which would copy the memory of all that it looks at."""
        self._put_back: set[str] = set()
        self._homes = _package_folders()
        self._always = frozenset(sys.modules)
        """Modules that every task finds loaded, also those of packages."""
        self.tell: Callable[[str], None] | None = None
        """In a task: called with the name of an installed package that is about to be imported, and is not kept."""

    def __len__(self) -> int:
        return len(self._modules) - len(self._put_back)

    def __contains__(self, name: object) -> bool:
        return name in self._modules and name not in self._put_back

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._modules)

    @property
    def top_names(self) -> set[str]:
        return {name.partition(".")[0] for name in self._modules}

    # --- keeping --------------------------------------------------------------------------------------------------------

    def is_of_interpreter(self, module: ModuleType | None) -> bool:
        """Whether a module lies where the interpreter's own packages do."""
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        return isinstance(origin, str) and origin.startswith(self._homes)

    def preload(self, names: Sequence[str]) -> None:
        """Import these modules, in this order, and keep what comes. Raises UnfitModule; this process must then make no more forks."""
        before = _possessions()
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            with _silent(), self._recorded(), contextlib.suppress(ImportError):
                for name in names:
                    if self.may_import(name):
                        importlib.import_module(name)
        finally:
            sys.dont_write_bytecode = writes
        _fork_once()
        if _possessions() != before:
            raise UnfitModule(", ".join(names))
        for name, module in list(sys.modules.items()):
            if name not in self._always and self._is_package(module) and name.partition(".")[0] not in _NEVER:
                self._modules[name] = module
                self._specs[name] = getattr(module, "__spec__", None)
                del sys.modules[name]
        self._put_back.clear()
        self._brought = {name: self._with(name) for name in self._modules if "." not in name}

    def may_import(self, name: str) -> bool:
        """Whether it is an ordinary module of the interpreter's own packages. The name may be what a task wrote, and the import happens
        outside of its pod: it must not be of a folder where a task may write.
        """
        parts = name.split(".")
        if not all(map(str.isidentifier, parts)) or parts[0] in _ACTING or "__main__" in parts:
            return False
        if parts[0] in sys.builtin_module_names:
            return True
        spec = importlib.machinery.PathFinder.find_spec(parts[0])
        if spec is None:
            return False
        places = [*(spec.submodule_search_locations or ())] + (
            [spec.origin] if spec.has_location and spec.origin else []
        )
        return bool(places) and all(os.path.realpath(place).startswith(self._homes) for place in places)

    def _is_package(self, module: ModuleType) -> bool:
        """Whether it is an installed package's, not the standard library's."""
        return self._is_packages(getattr(getattr(module, "__spec__", None), "origin", None))

    def _is_packages(self, origin: object) -> bool:
        return isinstance(origin, str) and origin.startswith(self._homes) and any(part in origin for part in _PACKAGES)

    @contextlib.contextmanager
    def _recorded(self) -> Iterator[None]:
        """Note which module's import asks for which others."""
        original: Callable[..., Any] = builtins.__import__

        def recording(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
            module = original(name, globals, locals, fromlist, level)
            importer = (globals or {}).get("__name__")
            if importer:
                package = (globals or {}).get("__package__") or ""
                base = package.rsplit(".", level - 1)[0] if level else ""
                whole = ".".join(part for part in (base, name) if part)
                imported = self._imported_by.setdefault(importer, set())
                imported.add(whole)
                imported.update(f"{whole}.{part}" for part in fromlist or () if f"{whole}.{part}" in sys.modules)
            return module

        builtins.__import__ = recording
        try:
            yield
        finally:
            builtins.__import__ = original

    # --- giving ---------------------------------------------------------------------------------------------------------

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self:
            if self.tell is not None and path is None:
                self._look_at(name)
            return None
        loader: Any = self
        return importlib.machinery.ModuleSpec(name, loader, is_package=hasattr(self._modules[name], "__path__"))

    def _look_at(self, name: str) -> None:
        tell, self.tell = self.tell, None  # a look may import
        try:
            spec = importlib.machinery.PathFinder.find_spec(name)
            if tell is not None and spec is not None and self._is_packages(spec.origin):
                tell(name)
        finally:
            self.tell = tell

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """The import system has put it into sys.modules: put there what its import brought."""
        name = module.__spec__.name if module.__spec__ is not None else module.__name__
        module.__spec__ = self._specs[name]
        brought = self._brought.get(name) or self._with(name)
        if self._put_back:
            brought = {name: module for name, module in brought.items() if name not in self._put_back}
        sys.modules.update(brought)
        self._put_back.update(brought)
        if "numpy.random" in brought:
            sys.modules["numpy.random"].seed()  # its state is that of all forks

    def _with(self, name: str) -> dict[str, ModuleType]:
        """A kept module, and what its import brought."""
        modules: dict[str, ModuleType] = {}
        todo = [name]
        while todo:
            name = todo.pop()
            if name in modules or name not in self._modules:
                continue
            modules[name] = self._modules[name]
            if "." in name:
                todo.append(name.rpartition(".")[0])
            todo.extend(self._imported_by.get(name, ()))
        return modules


def _package_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(
        f"{folder}/" for path in dict.fromkeys(folders) for folder in dict.fromkeys((path, os.path.realpath(path)))
    )


def _possessions() -> tuple[object, ...]:
    """Threads, open descriptors, whether an accelerator is in use, and the streams, which are those of all forks."""
    with open("/proc/self/maps") as file:
        accelerated = bool(_ACCELERATOR.search(file.read()))
    streams: list[Any] = [getattr(sys, name) for name in ("stdin", "stdout", "stderr")]
    ways = tuple((id(one), one.encoding, one.errors, one.line_buffering, one.write_through) for one in streams)
    return len(os.listdir("/proc/self/task")), tuple(sorted(os.listdir("/proc/self/fd"))), accelerated, ways


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Raise UnfitModule when something is written to stdout or stderr: each task that imports it shall do so."""
    output, originals = os.memfd_create("output", os.MFD_CLOEXEC), [os.dup(1), os.dup(2)]
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        yield
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        ctypes.CDLL(None).fflush(None)
        if os.fstat(output).st_size:
            raise UnfitModule("it writes to stdout or stderr")
    finally:
        for fd, original in zip((1, 2), originals, strict=True):
            os.dup2(original, fd)
        for fd in (output, *originals):
            os.close(fd)


def _fork_once() -> None:
    """Let libraries end their threads, as OpenBLAS does before a fork: each process makes its own when it computes."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
