"""The part of a manifest that describes each task: the profile Provenance Run Crate (https://w3id.org/ro/wfrun/provenance/0.5). Pure.

A workflow has a step for each template that ran; the template is the tool of that step. Each task is a CreateAction of its tool, with its
values; a ControlAction links a step to its tasks, an OrganizeAction links the workflow to the engine that executed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.digests import short_digest

Json = dict[str, Any]

MOST_TASKS = 5000  # at most this many tasks of a run are described; the tables contain all
_LONGEST_VALUE = 1000  # characters
SECONDS, BYTES = "https://qudt.org/vocab/unit/SEC", "https://qudt.org/vocab/unit/BYTE"
_MEASURED = {"cpu_seconds": ("ru_utime and ru_stime", SECONDS), "peak_memory": ("ru_maxrss", BYTES)}
_RUSAGE = "https://man7.org/linux/man-pages/man2/getrusage.2.html"
ENDED = {"Succeeded": "CompletedActionStatus", "Failed": "FailedActionStatus", "Error": "FailedActionStatus"}


@dataclass(frozen=True)
class TaskRun:
    """A task that began. name: its path in the workflow. image: its name in the manifest, "" for none.

    used: its measurements, with the names of runs/measurements.py.
    """

    workflow: str
    name: str
    node_id: str
    template: str
    phase: str
    started: str
    finished: str = ""
    message: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    used: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkflowRun:
    """A workflow of which tasks ran. path: of its document. action: the id of its CreateAction. engine: the id of the executing program."""

    name: str
    path: str
    action: str
    engine: str
    phase: str


@dataclass
class TaskActions:
    """The entities of all tasks. table: the file with the results, used as the result of tasks without outputs.

    agent: the id of the person who ran them, "" if unknown.
    """

    workflows: Sequence[WorkflowRun]
    tasks: Sequence[TaskRun]
    version: str
    table: str = ""
    agent: str = ""
    entities: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for workflow in self.workflows:
            by_template: dict[str, list[TaskRun]] = {}
            for task in self.tasks:
                if task.workflow == workflow.name:
                    by_template.setdefault(task.template or "task", []).append(task)
            for position, (template, tasks) in enumerate(by_template.items(), 1):
                self._add_step(workflow, template, tasks, position)
            if by_template:
                controls = [control_id(workflow.name, template) for template in by_template]
                self._add(organize_action(workflow.name, workflow.engine, controls, workflow.action, workflow.phase))

    def parts(self, path: str) -> Json:
        """The steps and tools of a workflow's entity; {} for a workflow of which no task began."""
        steps = [
            key for key, entity in self.entities.items() if entity["@type"] == "HowToStep" and entity["_of"] == path
        ]
        tools = [key for key, entity in self.entities.items() if entity.get("_tool_of") == path]
        return {"hasPart": [id_of(key) for key in tools], "step": [id_of(key) for key in steps]} if steps else {}

    @property
    def actions(self) -> list[str]:
        """The ids of the actions that the crate mentions: those of tasks and those of engines."""
        kinds = ("CreateAction", "OrganizeAction")
        return [key for key, entity in self.entities.items() if entity["@type"] in kinds]

    def __iter__(self) -> Iterator[Json]:
        for entity in self.entities.values():
            yield {name: value for name, value in entity.items() if not name.startswith("_") and value != []}

    def _add(self, entity: Json) -> str:
        self.entities.setdefault(str(entity["@id"]), entity)
        return str(entity["@id"])

    def _add_step(self, workflow: WorkflowRun, template: str, tasks: Sequence[TaskRun], position: int) -> None:
        tool = f"{workflow.path}#{word(template)}"
        step = f"#step-{word(workflow.name)}-{word(template)}"
        inputs = list(dict.fromkeys(name for task in tasks for name in task.inputs))
        outputs = list(dict.fromkeys(name for task in tasks for name in task.outputs))
        parameters = {
            kind: {name: self._parameter(tool, kind, name) for name in names}
            for kind, names in (("input", inputs), ("output", outputs))
        }
        self._add(
            {
                "@id": tool,
                "@type": "SoftwareApplication",
                "name": template,
                "description": f"The template {template} of {workflow.path}",
                "softwareVersion": self.version,
                "input": [id_of(key) for key in parameters["input"].values()],
                "output": [id_of(key) for key in parameters["output"].values()],
                "_tool_of": workflow.path,
            }
        )
        self._add(
            {
                "@id": step,
                "@type": "HowToStep",
                "name": f"{template} of {workflow.name}",
                "position": str(position),
                "workExample": id_of(tool),
                "_of": workflow.path,
            }
        )
        single = [self._task(tool, task, parameters) for task in tasks]
        phases = {task.phase for task in tasks}
        phase = "Succeeded" if phases == {"Succeeded"} else "Failed" if phases & {"Failed", "Error"} else ""
        self._add(control_action(workflow.name, template, step, single, phase))

    def _parameter(self, tool: str, kind: str, name: str) -> str:
        return self._add(
            {
                "@id": f"#{kind}-{short_digest(f'{tool} {name}'.encode())}",
                "@type": "FormalParameter",
                "name": name,
                "additionalType": "Text",
                "valueRequired": "True",
            }
        )

    def _task(self, tool: str, task: TaskRun, parameters: Mapping[str, Mapping[str, str]]) -> str:
        inputs = [self._value(parameters["input"][name], name, value) for name, value in task.inputs.items()]
        answers = [self._value(parameters["output"][name], name, value) for name, value in task.outputs.items()]
        action: Json = {
            "@id": f"#task-{word(task.node_id)}",
            "@type": "CreateAction",
            "name": task.name,
            "description": f"The task {task.name} of {task.workflow}: {task.phase}",
            "instrument": id_of(tool),
            **ending(task.phase, task.started, task.finished, task.message),
            "object": [id_of(key) for key in inputs],
            "result": [id_of(key) for key in answers] or ([id_of(self.table)] if self.table else []),
            "resourceUsage": [id_of(self._used(task, name)) for name in _MEASURED if name in task.used],
        }
        if self.agent:
            action["agent"] = id_of(self.agent)
        if task.image:
            action["containerImage"] = id_of(f"#image-{word(task.image)}")
        return self._add(action)

    def _used(self, task: TaskRun, name: str) -> str:
        """Add a measurement of the kernel and return its id."""
        source, unit = _MEASURED[name]
        return self._add(
            {
                "@id": f"#{word(name)}-{word(task.node_id)}",
                "@type": "PropertyValue",
                "name": name,
                "description": f"As the kernel counts it ({source})",
                "propertyID": f"{_RUSAGE}#{name}",
                "unitCode": unit,
                "value": f"{task.used[name]:g}" if name == "cpu_seconds" else str(int(task.used[name])),
            }
        )

    def _value(self, parameter: str, name: str, value: str) -> str:
        short = value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"
        return self._add(
            {
                "@id": f"#value-{short_digest(f'{parameter} {value}'.encode('utf-8', 'surrogatepass'))}",
                "@type": "PropertyValue",
                "name": name,
                "value": short,
                "exampleOfWork": id_of(parameter),
            }
        )


def control_action(workflow: str, name: str, step: str, actions: Iterable[str], phase: str) -> Json:
    """The ControlAction that links a step to its actions."""
    return {
        "@id": control_id(workflow, name),
        "@type": "ControlAction",
        "name": f"{name} of {workflow}",
        "instrument": id_of(step),
        "object": [id_of(action) for action in actions],
        **_action_status(phase),
    }


def control_id(workflow: str, name: str) -> str:
    return f"#control-{word(workflow)}-{word(name)}"


def organize_action(name: str, engine: str, controls: Iterable[str], action: str, phase: str) -> Json:
    """The OrganizeAction that links a workflow's actions to the program that executed it."""
    return {
        "@id": f"#engine-{word(name)}",
        "@type": "OrganizeAction",
        "name": f"The run of {name} by its engine",
        "instrument": id_of(engine),
        "object": [id_of(control) for control in controls],
        "result": id_of(action),
        **_action_status(phase),
    }


def ending(phase: str, started: str, finished: str, message: str) -> Json:
    """The status of an action, its times, and the reason of its failure."""
    facts = {"actionStatus": f"http://schema.org/{ENDED.get(phase, 'ActiveActionStatus')}"}
    if started:
        facts["startTime"] = time(started)
    if finished:
        facts["endTime"] = time(finished)
    if message and phase in UNSUCCESSFUL:
        facts["error"] = message
    return facts


def _action_status(phase: str) -> Json:
    return {"actionStatus": f"http://schema.org/{ENDED[phase]}"} if phase in ENDED else {}


def word(text: str) -> str:
    """A text as the end of a local identifier. Special characters become their code points, so different texts stay different."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else f"_{ord(c):x}_" for c in text)


def time(text: str) -> str:
    return text.replace("Z", "+00:00")


def id_of(address: str) -> Json:
    return {"@id": address}
