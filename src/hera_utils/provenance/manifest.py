"""The manifest of a run as JSON-LD: an RO-Crate (https://w3id.org/ro/crate/1.1) in the profile Provenance Run Crate
(https://w3id.org/ro/wfrun/provenance/0.5), or in Workflow Run Crate if no task began. Pure.

The main entity is the script, and the submitted workflows are its parts; if no script is known, it is the first workflow.
One CreateAction describes the run, one each workflow (if there are several, or a script), and one each task (task_actions.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.experiment.author import Author
from hera_utils.provenance.task_actions import (
    ENDED,
    MOST_TASKS,
    SECONDS,
    TaskActions,
    TaskRun,
    WorkflowRun,
    control_action,
    ending,
    organize_action,
)
from hera_utils.provenance.task_actions import id_of as _id
from hera_utils.provenance.task_actions import word as _word

Json = dict[str, Any]

NAME = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
OF_TASKS = {"https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5")}
TERMS = "https://w3id.org/ro/terms/workflow-run#"
# The terms of https://w3id.org/ro/terms/workflow-run/context that are used here, written out so that readers need no network.
CONTEXT = [
    f"{CRATE}/context",
    {
        name: TERMS + name
        for name in ("ContainerImage", "containerImage", "environment", "registry", "resourceUsage", "sha256", "tag")
    },
]
ARGO = "https://argoproj.github.io/workflows"
PYTHON = "https://www.python.org"
RESOURCE_DURATION = "https://argo-workflows.readthedocs.io/en/latest/resource-duration/"
SPDX = "https://spdx.org/licenses/"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
MOST_VALUES = 1000
_DIGEST = re.compile(r"@sha256:([0-9a-f]{64})$")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@dataclass(frozen=True)
class CrateFile:
    """A file of the crate. path: relative to the crate. size: in bytes. sha256: of its content. kind: its media type."""

    path: str
    size: int
    sha256: str
    kind: str
    about: str = ""
    role: str = ""


@dataclass(frozen=True)
class KnownFile:
    """A file outside the crate that the run read or wrote. path: in the experiment's layout. size: in bytes."""

    path: str
    size: int
    sha256: str
    written: bool


@dataclass(frozen=True)
class Execution:
    """A workflow that ran. path: its document in the crate. earlier: whether an earlier run ran it and this run uses its results."""

    name: str
    path: str
    started: str
    finished: str
    phase: str
    message: str = ""
    earlier: bool = False


@dataclass(frozen=True)
class ManifestContent:
    """The content of a manifest.

    script: the main source's path in the crate, "" for none; arguments: of its command line; origin: the path relative to the crate
    where the script was; module: its name if it ran as one of a package. inputs: name → value (an axis: the list of its values).
    outputs: names. versions: software → version. images: name → the description of its stand-in, "" for none. facts: name → text
    (commit, platform…). usage: resource → amount. agent: the name of the person who ran it. authors: of the crate. license: an SPDX
    identifier, an address, or words. tasks: those that began. outside: files outside the crate.
    """

    run: str
    experiment: str
    published: str
    phase: str
    executions: Sequence[Execution]
    files: Sequence[CrateFile]
    script: str = ""
    origin: str = ""
    arguments: Sequence[str] | None = None
    module: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    agent: str = ""
    outside: Sequence[KnownFile] = ()
    authors: Sequence[Author] = ()
    license: str = ""
    tasks: Sequence[TaskRun] = ()

    @property
    def main(self) -> str:
        """The path of the main entity."""
        return self.script or self.executions[0].path

    @property
    def engine(self) -> str:
        """The id of the program that executes the workflows."""
        name = "hera_utils" if self.facts.get("platform") == "local" or "Argo" not in self.versions else "Argo"
        return _home(name, self.versions.get(name, ""))


def metadata(content: ManifestContent) -> Json:
    """The content of ro-crate-metadata.json."""
    main = content.main
    tasks = _task_actions(content)
    profiles = PROFILES | (OF_TASKS if tasks.entities else {})
    people = [person for author in _people(content) for person in _person(author)]
    root: Json = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Run {content.run}" + (f" of {content.experiment}" if content.experiment else ""),
        "description": _description(content),
        "datePublished": content.published,
        "license": _id(_license_id(content.license)),
        "author": _ids(_person_id(author) for author in content.authors or _people(content)),
        "conformsTo": _ids(profiles),
        "mainEntity": _id(main),
        "hasPart": _ids(file.path for file in content.files),
        "mentions": _ids(
            [*_actions(content), *tasks.actions, *(entity["@id"] for entity in _describe_script(content, tasks))]
        ),
    }
    graph = [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "conformsTo": _ids((CRATE, WORKFLOW_CRATE)),
            "about": _id("./"),
        },
        {name: value for name, value in root.items() if value != []},
        *(
            {"@id": address, "@type": "CreativeWork", "name": name, "version": version}
            for address, (name, version) in {
                **profiles,
                BIOSCHEMAS: ("Bioschemas ComputationalWorkflow", "1.0-RELEASE"),
            }.items()
        ),
        *_files(content, tasks),
        *_parameters(content),
        *_runs(content, main),
        *tasks,
        *_describe_script(content, tasks),
        *_software(content),
        *_images(content.images),
        _license(content.license),
        *people,
    ]
    return {"@context": CONTEXT, "@graph": [_single(entity) for entity in graph]}


def _task_actions(content: ManifestContent) -> TaskActions:
    own = set(_actions(content))
    workflows = [
        WorkflowRun(
            execution.name,
            execution.path,
            f"#run-{execution.name}" if f"#run-{execution.name}" in own else "#run",
            content.engine,
            execution.phase,
        )
        for execution in content.executions
    ]
    table = next((file.path for file in content.files if file.role == "results"), "")
    version = content.facts.get("commit", "")[:12] or next(iter(content.versions.values()), "")
    agent = _person_id(_agent(content)) if content.agent else ""
    return TaskActions(workflows, content.tasks[:MOST_TASKS], version, table, agent)


def _steps_of_script(content: ManifestContent, tasks: TaskActions) -> list[str]:
    """The names of the workflows, which are the steps of the script; [] without a script or without tasks."""
    if not content.script or not tasks.entities:
        return []
    return [execution.name for execution in content.executions]


def _describe_script(content: ManifestContent, tasks: TaskActions) -> list[Json]:
    """The steps of a script, the ControlActions of these steps, and the OrganizeAction of hera_utils as their engine."""
    names, paths = (
        _steps_of_script(content, tasks),
        {execution.name: execution.path for execution in content.executions},
    )
    if not names:
        return []
    phases = {execution.name: execution.phase for execution in content.executions}
    steps = [
        {
            "@id": f"#step-{_word(name)}",
            "@type": "HowToStep",
            "name": f"The workflow {name}",
            "position": str(position),
            "workExample": _id(paths[name]),
        }
        for position, name in enumerate(names, 1)
    ]
    controls = [
        control_action(content.run, name, str(step["@id"]), [f"#run-{name}"], phases[name])
        for name, step in zip(names, steps, strict=True)
    ]
    engine = _home("hera_utils", content.versions.get("hera_utils", ""))
    ids = [control["@id"] for control in controls]
    return [*steps, *controls, organize_action("script", engine, ids, "#run", content.phase)]


def _single(entity: Json) -> Json:
    """Replace lists of one value by the value, as RO-Crate requires."""
    return {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in entity.items()}


def _description(content: ManifestContent) -> str:
    count = len(content.executions)
    how = (
        "succeeded"
        if content.phase == "Succeeded"
        else "did not succeed"
        if content.phase in ENDED
        else "had not ended"
    )
    return (
        f"A run of {'one Argo workflow' if count == 1 else f'{count} Argo workflows'} that {how}: "
        "its code, inputs, results, software and timings."
    )


def _actions(content: ManifestContent) -> list[str]:
    parts = (
        [f"#run-{execution.name}" for execution in content.executions]
        if len(content.executions) > 1 or content.script
        else []
    )
    return ["#run", *parts]


def _files(content: ManifestContent, tasks: TaskActions) -> Iterable[Json]:
    workflows = {file.path for file in content.executions}
    for file in content.files:
        entity: Json = {
            "@id": file.path,
            "@type": "File",
            "name": file.about or file.path,
            "encodingFormat": file.kind,
            "contentSize": str(file.size),
            "sha256": file.sha256,
        }
        if file.role == "results" and file.path in _outputs(content).values():
            entity["exampleOfWork"] = _ids(f"#output-{_word(name)}" for name in _outputs(content))
        if file.path in workflows:
            entity |= _properties_of_code(content, tasks, file, "#argo") | tasks.parts(file.path)
        elif file.path == content.main or file.role == "source":
            entity |= _properties_of_code(content, tasks, file, "#python")
        if file.path == content.main:
            entity |= _properties_of_main(content, tasks)
        yield entity


def _properties_of_code(content: ManifestContent, tasks: TaskActions, file: CrateFile, language: str) -> Json:
    """The additional properties of a file that is a script, a module of it or a workflow."""
    is_main = file.path == content.main
    is_module = file.role == "source" and not is_main
    has_steps = bool(tasks.parts(file.path)) or (is_main and bool(_steps_of_script(content, tasks)))
    types = ["File", "SoftwareSourceCode"]
    # A workflow of which no task began has no tools.
    if is_main or (not is_module and (has_steps or not tasks.entities)):
        types += ["ComputationalWorkflow", *(["HowTo"] if has_steps else [])]
    entity: Json = {
        "@type": types,
        "version": content.facts.get("commit") or file.sha256[:12],
        "programmingLanguage": _id(language),
    }
    return entity | ({"isPartOf": _id(content.main)} if is_module else {})


def _properties_of_main(content: ManifestContent, tasks: TaskActions) -> Json:
    main, workflows = content.main, [file.path for file in content.executions]
    entity: Json = {
        "description": f"What was run as {content.run}",
        "conformsTo": _id(BIOSCHEMAS),
        "input": _ids(f"#input-{_word(name)}" for name in content.inputs),
        "output": _ids(f"#output-{_word(name)}" for name in _outputs(content)),
        "softwareRequirements": _ids(_software_ids(content)),
    }
    parts = tasks.parts(main).get("hasPart", []) + _ids(path for path in workflows if path != main)
    steps = tasks.parts(main).get("step", []) + _ids(
        f"#step-{_word(name)}" for name in _steps_of_script(content, tasks)
    )
    entity |= {"hasPart": parts, "step": steps}
    if content.facts.get("repository"):
        entity["codeRepository"] = content.facts["repository"]
    return {name: value for name, value in entity.items() if value != []}


def _outputs(content: ManifestContent) -> dict[str, str]:
    """Output parameters and the results table: name → id of its example, which is the table."""
    table = next((file.path for file in content.files if file.role == "results"), "")
    return {**{name: table for name in content.outputs}, **({"results": table} if table else {})} if table else {}


def _parameters(content: ManifestContent) -> Iterable[Json]:
    for name, value in content.inputs.items():
        listed = isinstance(value, list)
        yield {
            "@id": f"#input-{_word(name)}",
            "@type": "FormalParameter",
            "name": name,
            "additionalType": _type(value[0] if listed and value else value),
            "valueRequired": "True",
            "multipleValues": str(listed),
            "workExample": _id(f"#value-{_word(name)}"),
        }
        yield {
            "@id": f"#value-{_word(name)}",
            "@type": "PropertyValue",
            "name": name,
            "value": [_numbers_as_text(item) for item in value[:MOST_VALUES]] if listed else _numbers_as_text(value),
            "exampleOfWork": _id(f"#input-{_word(name)}"),
        }
    for name, example in _outputs(content).items():
        yield {
            "@id": f"#output-{_word(name)}",
            "@type": "FormalParameter",
            "name": name,
            "additionalType": "File" if name == "results" else "PropertyValue",
            "workExample": _id(example),
        }


def _runs(content: ManifestContent, main: str) -> Iterable[Json]:
    facts, usage, outside = list(_fact_entities(content)), list(_usage(content)), list(_outside(content))
    results = _ids(file.path for file in content.files if file.role == "results")
    agent = {"agent": _id(_person_id(_agent(content)))} if content.agent else {}
    action = _action("#run", _execution_of_all(content, main)) | agent
    read = [f"#file-{_word(file.path)}" for file in content.outside if not file.written]
    written = [f"#file-{_word(file.path)}" for file in content.outside if file.written]
    action["object"] = _ids([*(f"#value-{_word(name)}" for name in content.inputs), *read])
    action["result"] = _ids([*(file.path for file in content.files if file.role in ("results", "report")), *written])
    action["environment"] = _ids(fact["@id"] for fact in facts)
    action["resourceUsage"] = _ids(entity["@id"] for entity in usage)
    action["containerImage"] = _ids(f"#image-{_word(image)}" for image in content.images)
    yield {name: value for name, value in action.items() if value != []}
    yield from (*facts, *usage, *outside)
    for name, execution in zip(_actions(content)[1:], content.executions, strict=False):
        yield _action(name, execution) | agent | ({"result": results} if results else {})


def _execution_of_all(content: ManifestContent, main: str) -> Execution:
    """All workflows that this run submitted, as one execution."""
    own = [execution for execution in content.executions if not execution.earlier]
    return Execution(
        content.run,
        main,
        min((execution.started for execution in own if execution.started), default=""),
        max((execution.finished for execution in own), default="") if content.phase in ENDED else "",
        content.phase,
        next((execution.message for execution in own if execution.message), ""),
    )


def _fact_entities(content: ManifestContent) -> Iterable[Json]:
    for name, value in _facts(content).items():
        yield {"@id": f"#fact-{_word(name)}", "@type": "PropertyValue", "name": name, "value": value}


def _usage(content: ManifestContent) -> Iterable[Json]:
    for name, amount in content.usage.items():
        yield {
            "@id": f"#usage-{_word(name)}",
            "@type": "PropertyValue",
            "name": name,
            "value": str(amount),
            "unitText": "s × request",
            "unitCode": SECONDS,
            "propertyID": f"{RESOURCE_DURATION}#{_word(name)}",
        }


def _outside(content: ManifestContent) -> Iterable[Json]:
    """Files outside the crate, identified by their SHA-256."""
    for file in content.outside:
        yield {
            "@id": f"#file-{_word(file.path)}",
            "@type": "PropertyValue",
            "name": file.path,
            "description": f"{'Written' if file.written else 'Read'} by the run, {file.size} bytes: its SHA-256",
            "propertyID": f"{TERMS}sha256",
            "value": file.sha256,
        }


def _facts(content: ManifestContent) -> dict[str, str]:
    facts = dict(content.facts)
    if content.origin:
        facts["script"] = content.origin
    if content.module:
        facts["module"] = content.module
    if content.arguments is not None:
        facts["arguments"] = json.dumps(list(content.arguments), ensure_ascii=False)
    return facts


def _action(name: str, execution: Execution) -> Json:
    return {
        "@id": name,
        "@type": "CreateAction",
        "name": f"Run {execution.name}",
        "description": f"The execution of {execution.path} as {execution.name}: {execution.phase or 'Pending'}",
        "instrument": _id(execution.path),
        **ending(execution.phase, execution.started, execution.finished, execution.message),
    }


def _software(content: ManifestContent) -> Iterable[Json]:
    languages = {"#argo": ("Argo Workflows", ARGO, "Argo"), "#python": ("Python", PYTHON, "Python")}
    for name, (title, address, software) in languages.items():
        language: Json = {
            "@id": name,
            "@type": "ComputerLanguage",
            "name": title,
            "identifier": address,
            "url": address,
        }
        if content.versions.get(software):
            language["version"] = content.versions[software]
        yield language
    for software, version in content.versions.items():
        yield {
            "@id": _home(software, version),
            "@type": "SoftwareApplication",
            "name": software,
            "url": _home(software, version),
            "softwareVersion": version,
        }


def _software_ids(content: ManifestContent) -> list[str]:
    return [_home(software, version) for software, version in content.versions.items()]


def _home(software: str, version: str) -> str:
    """The address of this version of a program."""
    if software == "Python":
        return f"{PYTHON}/downloads/release/python-{version.replace('.', '')}/"
    if software == "Argo":
        return f"https://github.com/argoproj/argo-workflows/releases/tag/{version}"
    return f"https://pypi.org/project/{software.lower().replace('_', '-')}/{version}/"


def _images(images: Mapping[str, str]) -> Iterable[Json]:
    for image, stand_in in images.items():
        digest = _DIGEST.search(image)
        name = image[: digest.start()] if digest else image
        head, slash, rest = name.partition("/")
        registry = head if slash and ("." in head or ":" in head or head == "localhost") else "docker.io"
        path = rest if registry == head else name
        path, _, tag = path.partition(":")
        entity: Json = {
            "@id": f"#image-{_word(image)}",
            "@type": "ContainerImage",
            "additionalType": _id(f"{TERMS}DockerImage"),
            "name": path,
            "registry": registry,
            "tag": tag or ("" if digest else "latest"),
        }
        if digest:
            entity["sha256"] = digest[1]
        if stand_in:
            entity["description"] = f"Not run itself, stood in for on the machine of the run: {stand_in}"
        yield {key: value for key, value in entity.items() if value}


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"


def _numbers_as_text(value: Any) -> Any:
    """Numbers become strings, because 1.0 and 1 are the same number in JSON-LD."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _agent(content: ManifestContent) -> Author:
    """The person who ran it: the author of the same name if there is one."""
    same = (author for author in content.authors if author.name.casefold() == content.agent.casefold())
    return next(same, Author(content.agent))


def _people(content: ManifestContent) -> list[Author]:
    return list(dict.fromkeys([*content.authors, *([_agent(content)] if content.agent else [])]))


def _person_id(author: Author) -> str:
    return author.orcid or f"#person-{_word(author.name)}"


def _person(author: Author) -> Iterable[Json]:
    where = f"#organization-{_word(author.affiliation)}" if author.affiliation else ""
    yield {"@id": _person_id(author), "@type": "Person", "name": author.name} | (
        {"affiliation": _id(where)} if where else {}
    )
    if where:
        yield {"@id": where, "@type": "Organization", "name": author.affiliation}


def _license_id(license: str) -> str:
    if not license:
        return "#license"
    return license if "://" in license else f"{SPDX}{license}" if _IDENTIFIER.fullmatch(license) else "#license"


def _license(license: str) -> Json:
    if not license:
        description = "No licence is given with this run; ask its author"
        return {"@id": "#license", "@type": "CreativeWork", "name": "No licence", "description": description}
    return {
        "@id": _license_id(license),
        "@type": "CreativeWork",
        "name": license,
        "description": f"The licence {license}",
    }


def _ids(addresses: Iterable[str]) -> list[Json]:
    return [_id(address) for address in addresses]
