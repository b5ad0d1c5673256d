"""Records what a script builds and submits with Hera: so that its runs can be followed, a workflow that it only builds can be submitted,
and a script can be checked without sending anything.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import NoRun
from hera_utils.platforms.hera_classes import services_of_hera
from hera_utils.settings.script_host import script_host

Wrapper = Callable[..., Any]


@dataclass
class ScriptRecording:
    """What a script did with Hera.

    built: its workflows, templates: its templates and cron workflows, the oldest first. experiments: those that its engines run.
    runs: (namespace, name) of each workflow that it submitted. submitted: ids of the workflow objects that it submitted.
    stored: (kind, name) of each template that it stored → the server's answer, None if that was a refusal.
    status: its exit status; ended: whether it called exit itself.
    sending: whether what it submits is sent; False if the script is only checked. announce: called before anything is sent.
    services: how many services of Hera it created (each workflow creates one).
    linked: whether it asked Hera for the address of a workflow's page, most likely to print it.
    look: called with each workflow and template before it is sent. waits: called before the script asks for a workflow's state.
    """

    built: list[Any] = field(default_factory=list)
    templates: list[Any] = field(default_factory=list)
    experiments: list[Any] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    submitted: set[int] = field(default_factory=set)
    stored: dict[tuple[str, str], Any] = field(default_factory=dict)
    services: int = 0
    status: int = 0
    ended: bool = False
    sending: bool = True
    linked: bool = False
    announce: Callable[[], None] = lambda: None
    look: Callable[[Any], None] = lambda workflow: None
    waits: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> list[Any]:
        """The workflows that were built and not submitted."""
        return [workflow for workflow in self.built if id(workflow) not in self.submitted]

    def add(self, namespace: str, name: str) -> None:
        """Note that the script has submitted a workflow."""
        self.runs.append((namespace, name))
        script_host().runs.append(name)

    def experiment_runs(self, engine: Any, experiment: Any) -> None:
        """An execution engine, which submits, follows and reports by itself, is about to run an experiment."""
        self.experiments.append(experiment)
        if not self.sending:
            engine.plan(experiment)
            raise NoRun(0)


@contextmanager
def record_script(recording: ScriptRecording) -> Iterator[None]:
    """Inside, everything that Hera builds and submits is recorded."""
    from hera.workflows import ClusterWorkflowTemplate, CronWorkflow, Workflow, WorkflowTemplate

    replaced: list[tuple[Any, str, Any]] = []

    def wrap(owner: Any, name: str, around: Callable[[Wrapper, ScriptRecording], Wrapper]) -> None:
        original = vars(owner).get(name)
        if original is not None:  # another version of Hera may not have it
            replaced.append((owner, name, original))
            setattr(owner, name, functools.wraps(original)(around(original, recording)))

    wrap(Workflow, "__post_init__", _record_building)
    for name in ("create", "async_create"):
        wrap(Workflow, name, _record_creation)
    for kind in (WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow):
        for name in ("create", "update"):
            wrap(kind, name, _record_storing)
    wrap(Workflow, "get_workflow_link", _record_link)
    for service in services_of_hera():
        wrap(service, "__init__", _record_service)
        for name in ("create_workflow", "submit_workflow"):
            wrap(service, name, _record_submission)
        wrap(service, "get_workflow", _record_request)
    try:
        yield
    finally:
        for owner, name, original in replaced:
            setattr(owner, name, original)


def _record_building(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def build(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = original(self, *arguments, **options)
        (recording.templates if is_stored(self) else recording.built).append(self)
        return answer

    return build


def is_stored(workflow: Any) -> bool:
    """Whether it is a template or a cron workflow, which to Hera are Workflows too. The kind of a user's subclass of Workflow is the name
    of the subclass; that is a workflow to run.
    """
    from hera.workflows import CronWorkflow, WorkflowTemplate

    stored = ("WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
    return isinstance(workflow, WorkflowTemplate | CronWorkflow) or workflow.kind in stored


def _record_creation(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def create(self: Any, *arguments: Any, **options: Any) -> Any:
        recording.submitted.add(id(self))
        recording.look(self)
        if recording.sending:
            return original(self, *arguments, **options)
        self.name = self.name or f"{self.generate_name}unsent"
        return _answer(original, self.build())

    return create


def _answer(original: Wrapper, value: Any) -> Any:
    """A value as `original` would give it: a coroutine function gives something to be awaited."""

    async def later() -> Any:
        return value

    return later() if _is_asynchronous(original) else value


def _is_asynchronous(original: Wrapper) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(original))


def _record_link(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def link(self: Any, *arguments: Any, **options: Any) -> Any:
        recording.linked = True
        return original(self, *arguments, **options)

    return link


def _record_service(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def make(self: Any, *arguments: Any, **options: Any) -> None:
        recording.services += 1
        original(self, *arguments, **options)

    return make


def _record_storing(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def store(self: Any, *arguments: Any, **options: Any) -> Any:
        name = (self.kind, self.name or "")
        recording.stored[name] = None
        recording.look(self)
        answer = recording.stored[name] = original(self, *arguments, **options) if recording.sending else self.build()
        return answer

    return store


def _record_request(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def ask(self: Any, *arguments: Any, **options: Any) -> Any:
        recording.waits()
        return original(self, *arguments, **options)

    return ask


def _record_submission(original: Wrapper, recording: ScriptRecording) -> Wrapper:
    def add(service: Any, workflow: Any) -> Any:
        recording.add(workflow.metadata.namespace or service.namespace, workflow.metadata.name)
        return workflow

    async def add_later(service: Any, answer: Any) -> Any:
        return add(service, await answer)

    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        if not recording.sending:
            return _answer(original, (arguments[0] if arguments else options["req"]).workflow)
        recording.announce()
        answer = original(self, *arguments, **options)
        return add_later(self, answer) if _is_asynchronous(original) else add(self, answer)

    return send
