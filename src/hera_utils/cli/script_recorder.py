"""What a script builds and submits with Hera, written down on the way: so that its runs can be followed, a script that builds a
workflow and stops there can be submitted, and one can be looked at without sending anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Wrapper = Callable[..., Any]


@dataclass
class Made:
    """What a script did with Hera.

    built: its workflows, templates: its templates and cron workflows, oldest first. runs: (namespace, name) of what it submitted.
    stored: how many templates it stored. status: what it ended with; ended: by an exit of its own.
    engine: whether it gave an experiment to an execution engine, which submits, follows and tells by itself.
    sending: whether what it submits is sent (not when it is only looked at). announce: called before anything is sent.
    services: how many services of Hera it made (each workflow makes one).
    linked: whether it asked Hera for the address of a workflow's page, most likely to print it.
    look: called with each workflow and template before it is sent. waits: called before the script asks how a workflow stands.
    """

    built: list[Any] = field(default_factory=list)
    templates: list[Any] = field(default_factory=list)
    experiments: list[Any] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    submitted: set[int] = field(default_factory=set)
    stored: int = 0
    services: int = 0
    status: int = 0
    ended: bool = False
    engine: bool = False
    sending: bool = True
    linked: bool = False
    announce: Callable[[], None] = lambda: None
    look: Callable[[Any], None] = lambda workflow: None
    waits: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> list[Any]:
        """The workflows that were built and not submitted."""
        return [workflow for workflow in self.built if id(workflow) not in self.submitted]


@contextmanager
def written_down(made: Made) -> Iterator[None]:
    """Notes what Hera builds and submits while it lasts."""
    from hera.workflows import ClusterWorkflowTemplate, CronWorkflow, Workflow, WorkflowsService, WorkflowTemplate

    from hera_utils.execution.execution_engine import ExecutionEngine

    replaced: list[tuple[Any, str, Any]] = []

    def wrap(owner: Any, name: str, around: Callable[[Wrapper, Made], Wrapper]) -> None:
        original = vars(owner).get(name)
        if original is not None:  # another Hera may lack it
            replaced.append((owner, name, original))
            setattr(owner, name, functools.wraps(original)(around(original, made)))

    wrap(Workflow, "__post_init__", _building)
    wrap(Workflow, "create", _creating)
    wrap(Workflow, "async_create", _creating_later)
    for kind in (WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow):
        for name in ("create", "update"):
            wrap(kind, name, _storing)
    wrap(Workflow, "get_workflow_link", _linking)
    wrap(ExecutionEngine, "run", _realizing)
    wrap(WorkflowsService, "__init__", _making_a_service)
    for name in ("create_workflow", "submit_workflow"):
        wrap(WorkflowsService, name, _submitting)
    wrap(WorkflowsService, "get_workflow", _asking)
    try:
        yield
    finally:
        for owner, name, original in replaced:
            setattr(owner, name, original)


def _building(original: Wrapper, made: Made) -> Wrapper:
    def build(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = original(self, *arguments, **options)
        (made.templates if _is_stored(self) else made.built).append(self)
        return answer

    return build


def _is_stored(workflow: Any) -> bool:
    """Templates and cron workflows are Workflows to Hera; a subclass of Workflow, whose kind is its own name, is one to be run."""
    from hera.workflows import CronWorkflow, WorkflowTemplate

    stored = ("WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")
    return isinstance(workflow, WorkflowTemplate | CronWorkflow) or workflow.kind in stored


def _creating(original: Wrapper, made: Made) -> Wrapper:
    def create(self: Any, *arguments: Any, **options: Any) -> Any:
        made.submitted.add(id(self))
        made.look(self)
        if made.sending:
            return original(self, *arguments, **options)
        self.name = self.name or f"{self.generate_name}unsent"
        return self.build()

    return create


def _linking(original: Wrapper, made: Made) -> Wrapper:
    def link(self: Any, *arguments: Any, **options: Any) -> Any:
        made.linked = True
        return original(self, *arguments, **options)

    return link


def _making_a_service(original: Wrapper, made: Made) -> Wrapper:
    def make(self: Any, *arguments: Any, **options: Any) -> None:
        made.services += 1
        original(self, *arguments, **options)

    return make


def _creating_later(original: Wrapper, made: Made) -> Wrapper:
    async def create(self: Any, *arguments: Any, **options: Any) -> Any:
        made.submitted.add(id(self))
        made.look(self)
        if not made.sending:
            return self.build()
        made.announce()
        workflow = await original(self, *arguments, **options)
        made.runs.append((workflow.metadata.namespace or self.namespace, workflow.metadata.name))
        return workflow

    return create


def _storing(original: Wrapper, made: Made) -> Wrapper:
    def store(self: Any, *arguments: Any, **options: Any) -> Any:
        made.stored += 1
        made.look(self)
        return original(self, *arguments, **options) if made.sending else self.build()

    return store


def _realizing(original: Wrapper, made: Made) -> Wrapper:
    def run(self: Any, experiment: Any = None, *arguments: Any, **options: Any) -> Any:
        made.engine = True
        experiment = experiment if experiment is not None else self.experiment
        made.experiments.append(experiment)
        if made.sending:
            return original(self, experiment, *arguments, **options)
        self.plan(experiment)
        return None

    return run


def _asking(original: Wrapper, made: Made) -> Wrapper:
    def ask(self: Any, *arguments: Any, **options: Any) -> Any:
        made.waits()
        return original(self, *arguments, **options)

    return ask


def _submitting(original: Wrapper, made: Made) -> Wrapper:
    def send(self: Any, *arguments: Any, **options: Any) -> Any:
        if not made.sending:
            return arguments[0].workflow if arguments else options["req"].workflow
        made.announce()
        workflow = original(self, *arguments, **options)
        made.runs.append((workflow.metadata.namespace or self.namespace, workflow.metadata.name))
        return workflow

    return send
