"""Extends Hera's classes so that the active bindings adapt every workflow before it is sent, and every service that is created.

Hera's own hooks are not enough: Hera finds them by the exact class, so a subclass of Workflow has none; `global_config.reset()` removes
them; and there are none for a service that a script creates itself. Only public names of Hera are replaced (Hera 6 and 7).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from hera_utils.argo.annotations import OF_A_STAMP

Method = Callable[..., Any]
_MARK = "asks_the_bindings"


class Binding(Protocol):
    """What a binding does with Hera's objects. insist: it replaces the server, token and namespace that the script sets."""

    insist: bool

    @property
    def namespace(self) -> str: ...

    def prepare(self, workflow: Any) -> None: ...

    def new_session(self) -> Any: ...

    def is_own_token(self, token: Any) -> bool: ...

    def prepare_service(self, service: Any) -> None: ...

    def prepare_request(self, request: Any) -> None: ...

    def place(self, namespace: str) -> str: ...

    def notify_replacements(self) -> None: ...


IN_FORCE: list[Binding] = []
"""The active bindings, the oldest first."""


def extend_hera() -> None:
    """Extend the classes that are not extended yet, or that somebody has restored."""
    from hera.workflows import ClusterWorkflowTemplate, CronWorkflow, Workflow, WorkflowTemplate

    _extend(Workflow, "__post_init__", _adding_a_namespace)
    _extend(ClusterWorkflowTemplate, "__post_init__", _removing_the_namespace)
    for kind in (Workflow, WorkflowTemplate, CronWorkflow):
        _extend(kind, "build", _building)
    _extend(Workflow, "to_yaml", _writing)
    for service in services_of_hera():
        _extend(service, "__init__", _making_a_service)
        for name, method in list(vars(service).items()):
            if not name.startswith("_") and inspect.isfunction(method) and name != "close":
                _extend(service, name, _calling)


def services_of_hera() -> Iterator[type]:
    import hera.workflows

    for name in ("WorkflowsService", "AsyncWorkflowsService"):
        service = getattr(hera.workflows, name, None)  # Hera 6 does not have the second
        if service is not None:
            yield service


def _extend(owner: type, name: str, around: Callable[[Method], Method]) -> None:
    original = vars(owner).get(name)
    if original is None or getattr(original, _MARK, False):
        return
    extended = functools.wraps(original)(around(original))
    setattr(extended, _MARK, True)
    setattr(owner, name, extended)


def _parameters(method: Method) -> tuple[str, ...]:
    code: Any = inspect.unwrap(method).__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names


def _adding_a_namespace(original: Method) -> Method:
    def replacement(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = original(self, *arguments, **options)
        if self.namespace is None and IN_FORCE and not is_cluster_wide(self):
            self.namespace = IN_FORCE[-1].namespace  # Hera refuses a workflow without one before `build` is called
        return answer

    return replacement


def _removing_the_namespace(original: Method) -> Method:
    """Hera gives a ClusterWorkflowTemplate the global namespace, and then refuses it because it has one."""

    def replacement(self: Any, *arguments: Any, **options: Any) -> Any:
        from hera.shared import global_config

        namespace = global_config.namespace
        if not IN_FORCE:
            return original(self, *arguments, **options)
        global_config.namespace = None
        try:
            return original(self, *arguments, **options)
        finally:
            global_config.namespace = namespace

    return replacement


def is_cluster_wide(workflow: Any) -> bool:
    from hera.workflows import ClusterWorkflowTemplate

    return isinstance(workflow, ClusterWorkflowTemplate)


def _building(original: Method) -> Method:
    def build(self: Any, *arguments: Any, **options: Any) -> Any:
        for binding in tuple(IN_FORCE):
            binding.prepare(self)
        return original(self, *arguments, **options)

    return build


def _writing(original: Method) -> Method:
    """What a script writes or prints may be for a cluster, or for everybody: it says nothing of this machine."""

    def to_yaml(self: Any, *arguments: Any, **options: Any) -> Any:
        annotations, bindings = self.annotations, IN_FORCE[:]
        self.annotations = {name: text for name, text in (annotations or {}).items() if name not in OF_A_STAMP} or None
        IN_FORCE.clear()
        try:
            return original(self, *arguments, **options)
        finally:
            self.annotations, IN_FORCE[:] = annotations, bindings

    return to_yaml


def _making_a_service(original: Method) -> Method:
    names = _parameters(original)
    index = names.index("session") - 1 if "session" in names else 0

    def replacement(self: Any, *arguments: Any, **options: Any) -> None:
        if IN_FORCE and len(arguments) < index and not inspect.iscoroutinefunction(type(self).close):
            options["session"] = options.get("session") or IN_FORCE[-1].new_session()
        with _without_generators_of_the_script():
            original(self, *arguments, **options)
        for binding in tuple(IN_FORCE):
            binding.prepare_service(self)

    return replacement


@contextlib.contextmanager
def _without_generators_of_the_script() -> Iterator[None]:
    """Inside, Hera calls no token generator that a binding replaces anyway: it may need Argo's command, or a cluster."""
    from hera.shared import global_config

    held = vars(global_config).get("_token")
    replaced = callable(held) and any(binding.insist and not binding.is_own_token(held) for binding in IN_FORCE)
    if not replaced:
        yield
        return
    global_config.token = None
    try:
        yield
    finally:
        global_config.token = held


def _calling(original: Method) -> Method:
    """Wraps a method of a service, so that it uses the namespace of the run, whichever namespace the script names."""
    names = _parameters(original)
    index = names.index("namespace") - 1 if "namespace" in names else len(names)

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        for binding in IN_FORCE:
            if not binding.insist:
                continue
            if len(arguments) > index and arguments[index]:
                arguments = (*arguments[:index], binding.place(arguments[index]), *arguments[index + 1 :])
            elif options.get("namespace"):
                options = {**options, "namespace": binding.place(options["namespace"])}
            binding.prepare_request(arguments[0] if arguments else options.get("req"))
            binding.notify_replacements()
        return original(self, *arguments, **options)

    return call
