"""Modules that Hera imports and that few scripts use: each is imported at its first use instead (decision 47).

While Hera is imported, `sys.modules` has a stand-in in place of such a module. It answers for the few names that Hera asks for at that
time; whatever else is asked of it, then or later, comes from the module itself, which is imported for it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from hera_utils.installed import may_have_entry_points, version_by_folder

_ABSENT = object()
_PLUGINS = "pydantic"  # the group of entry points of pydantic's plugins


class DeferredModule(ModuleType):
    """Stands in for a module until something is asked of it that `names` does not have."""

    def __init__(self, name: str, names: Mapping[str, Any]) -> None:
        super().__init__(name)
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for __path__ and __file__
            raise AttributeError(name)
        given = self._names.get(name, _ABSENT)
        return getattr(_import_itself(self.__name__), name) if given is _ABSENT else given

    def forget_names(self) -> None:
        """From now on every name is the module's own."""
        self._names = {}


def _import_itself(name: str) -> ModuleType:
    """The module itself, from now on in `sys.modules` as well."""
    if isinstance(sys.modules.get(name), DeferredModule):
        del sys.modules[name]
    return importlib.import_module(name)


class _DeferredClass(type):
    """The class of stand-ins for classes. Nothing is an instance or a subclass of a class that nobody has imported."""

    def __new__(cls, module: str, name: str) -> _DeferredClass:
        return super().__new__(cls, name, (), {"__module__": module, "__slots__": ()})

    def __init__(cls, module: str, name: str) -> None:
        super().__init__(name, (), {})

    def _itself(cls) -> Any:
        return getattr(_import_itself(cls.__module__), cls.__name__)

    def _is_imported(cls) -> bool:
        module = sys.modules.get(cls.__module__)
        return module is not None and not isinstance(module, DeferredModule)

    def __instancecheck__(cls, instance: object) -> bool:
        return cls._is_imported() and isinstance(instance, cls._itself())

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or (cls._is_imported() and issubclass(subclass, cls._itself()))

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        return cls._itself()(*arguments, **options)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):  # pydantic and typing ask every class for these
            raise AttributeError(name)
        return getattr(cls._itself(), name)


@contextlib.contextmanager
def deferred_modules() -> Iterator[None]:
    """Inside, an import gives a stand-in for these modules. Afterwards it gives the modules; who has a stand-in keeps it.

    Plugins of pydantic are imported with Hera. As they may use the modules in every way, there are no stand-ins then.
    """
    if may_have_entry_points(_PLUGINS):
        yield
        return
    stand_ins = [
        DeferredModule(name, names)
        for name, names in (
            ("requests", {name: _DeferredClass("requests", name) for name in ("Response", "Session")}),
            ("asyncio", {}),
            ("pydantic.v1", {"BaseModel": _DeferredClass("pydantic.v1", "BaseModel")}),
            (
                "hera.workflows.io.v1",
                {name: _DeferredClass("hera.workflows.io.v1", name) for name in ("Input", "Output")},
            ),
            ("importlib.metadata", {"version": _version, "entry_points": _entry_points}),
        )
        if name not in sys.modules
    ]
    for module in stand_ins:
        sys.modules[module.__name__] = module
        _add_to_parent(module)
    try:
        yield
    finally:
        for module in stand_ins:
            module.forget_names()
            if sys.modules.get(module.__name__) is module:
                del sys.modules[module.__name__]
                _add_to_parent(module)


def _add_to_parent(module: ModuleType) -> None:
    """Let a package that was imported have its module as an attribute, as it would after the module's import."""
    package, _, name = module.__name__.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).setdefault(name, module)


def _version(distribution: str) -> Any:
    return version_by_folder(distribution) or _import_itself("importlib.metadata").version(distribution)


def _entry_points(*, group: str) -> Any:
    """Those of a group. There is no plugin where there are stand-ins; importlib.metadata would parse the entry points of all groups."""
    return () if group == _PLUGINS else _import_itself("importlib.metadata").entry_points(group=group)
