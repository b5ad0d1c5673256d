"""Modules that this process has imported for tasks that it will fork. They are hidden until a task imports them, which then is instant.

`sys.modules` of a task has the modules of a new interpreter (and a few of the standard library). When the task imports a preloaded
module, that module and all modules that it imported are added to `sys.modules`, as by a normal import.
Only packages of the interpreter are preloaded, never a user's own code.
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
_ACTING = ("antigravity", "idlelib", "test", "this", "turtledemo")  # importing them has visible effects
_ACCELERATOR = re.compile(r"libcuda|libnvidia|/dev/nvidia|libamdhip|/dev/kfd")


class UnfitModule(Exception):
    """An import left something that forks must not inherit (threads, open descriptors, an accelerator, other streams), or wrote output."""


class PreloadedModules:
    """A finder of preloaded modules, to be first on sys.meta_path. Used in the preloading process and in its forks.

    It does not derive from importlib.abc.Loader: that module imports two dozen others, whose memory each fork would have.
    """

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._specs: dict[str, importlib.machinery.ModuleSpec | None] = {}
        self._imported_by: dict[str, set[str]] = {}
        """Module → the modules that it imported."""
        self._brought: dict[str, dict[str, ModuleType]] = {}
        """Package → all modules that come with it. Computed before forking: a fork copies the memory of all objects that it reads."""
        self._put_back: set[str] = set()
        self._homes = _package_folders()
        self._always = frozenset(sys.modules)
        """Modules that are visible in every task, also modules of packages."""
        self.tell: Callable[[str], None] | None = None
        """In a task: called with the name of an installed package that is being imported and is not preloaded."""

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

    # --- preloading --------------------------------------------------------------------------------------------------------

    def is_of_interpreter(self, module: ModuleType | None) -> bool:
        """Whether a module is in one of the interpreter's own folders."""
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        return isinstance(origin, str) and origin.startswith(self._homes)

    def preload(self, names: Sequence[str]) -> None:
        """Import these modules in this order, and hide them. After UnfitModule this process must not fork any more."""
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
        """Whether a module is an ordinary one in the interpreter's own folders. A task may have chosen the name, and it is imported outside
        of its pod, so the module must not be in a folder where a task can write.
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
        """Whether a module belongs to an installed package, not to the standard library."""
        return self._is_in_package(getattr(getattr(module, "__spec__", None), "origin", None))

    def _is_in_package(self, origin: object) -> bool:
        return isinstance(origin, str) and origin.startswith(self._homes) and any(part in origin for part in _PACKAGES)

    @contextlib.contextmanager
    def _recorded(self) -> Iterator[None]:
        """Record which module imports which others."""
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

    # --- importing in a task ---------------------------------------------------------------------------------------------------------

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self:
            if self.tell is not None and path is None:
                self._report(name)
            return None
        loader: Any = self
        return importlib.machinery.ModuleSpec(name, loader, is_package=hasattr(self._modules[name], "__path__"))

    def _report(self, name: str) -> None:
        tell, self.tell = self.tell, None  # find_spec may import modules, which must not be reported
        try:
            spec = importlib.machinery.PathFinder.find_spec(name)
            if tell is not None and spec is not None and self._is_in_package(spec.origin):
                tell(name)
        finally:
            self.tell = tell

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Add the modules that this module had imported; the import system has already added the module itself."""
        name = module.__spec__.name if module.__spec__ is not None else module.__name__
        module.__spec__ = self._specs[name]
        brought = self._brought.get(name) or self._with(name)
        if self._put_back:
            brought = {name: module for name, module in brought.items() if name not in self._put_back}
        sys.modules.update(brought)
        self._put_back.update(brought)
        if "numpy.random" in brought:
            sys.modules["numpy.random"].seed()  # all forks have inherited the same state

    def _with(self, name: str) -> dict[str, ModuleType]:
        """A preloaded module, and the modules that it imported."""
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
    """What all forks inherit: threads, open descriptors, whether an accelerator is in use, and the standard streams."""
    with open("/proc/self/maps") as file:
        accelerated = bool(_ACCELERATOR.search(file.read()))
    streams: list[Any] = [getattr(sys, name) for name in ("stdin", "stdout", "stderr")]
    states = tuple((id(s), s.encoding, s.errors, s.line_buffering, s.write_through) for s in streams)
    return len(os.listdir("/proc/self/task")), tuple(sorted(os.listdir("/proc/self/fd"))), accelerated, states


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Raise UnfitModule when the block writes to stdout or stderr, because then each task must import the module itself."""
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
    """Fork once, so that libraries end their threads, as OpenBLAS does before a fork; each task then starts its own."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
