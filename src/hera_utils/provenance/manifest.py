"""The manifest of a run: an RO-Crate (https://w3id.org/ro/crate/1.1) after the profile Workflow Run Crate
(https://w3id.org/ro/wfrun/workflow/0.5), as JSON-LD. Pure.

The main entity is the script, of which the submitted workflows are parts; where no script is known, the (first) workflow itself.
A CreateAction describes the run as a whole; where there are several workflows, another describes each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

NAME = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
TERMS = "https://w3id.org/ro/terms/workflow-run#"
# the terms of https://w3id.org/ro/terms/workflow-run/context that are used here: readers need no network for them
CONTEXT = [
    f"{CRATE}/context",
    {
        name: TERMS + name
        for name in ("ContainerImage", "containerImage", "environment", "registry", "resourceUsage", "sha256", "tag")
    },
]
ARGO = "https://argoproj.github.io/workflows"
PYTHON = "https://www.python.org"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
MOST_VALUES = 1000
_DIGEST = re.compile(r"@sha256:([0-9a-f]{64})$")
_ENDED = {"Succeeded": "CompletedActionStatus", "Failed": "FailedActionStatus", "Error": "FailedActionStatus"}


@dataclass(frozen=True)
class CrateFile:
    """A file of the crate. path: relative to it. sha256: of its content."""

    path: str
    size: int
    sha256: str
    kind: str
    about: str = ""
    role: str = ""


@dataclass(frozen=True)
class KnownFile:
    """A file outside the crate that the run read or wrote, by its path in the experiment's layout."""

    path: str
    size: int
    sha256: str
    written: bool


@dataclass(frozen=True)
class Execution:
    """A workflow that ran. path: its document in the crate. earlier: an earlier run ran it, and this run uses its results."""

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
    where the script was. inputs: name → value (an axis: the list of its values). outputs: names. versions: software → version.
    images: name → what stood in for it, "" for nothing. facts: name → text (commit, platform…). usage: resource → amount.
    agent: the name of the person who ran it.
    outside: files outside the crate, by their checksums.
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
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, int] = field(default_factory=dict)
    agent: str = ""
    outside: Sequence[KnownFile] = ()


def metadata(content: ManifestContent) -> Json:
    """The content of ro-crate-metadata.json."""
    main = content.script or content.executions[0].path
    root: Json = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Run {content.run}" + (f" of {content.experiment}" if content.experiment else ""),
        "description": _description(content),
        "datePublished": content.published,
        "license": _id("#license"),
        **({"author": _id("#agent")} if content.agent else {}),
        "conformsTo": _ids(PROFILES),
        "mainEntity": _id(main),
        "hasPart": _ids(one.path for one in content.files),
        "mentions": _ids(_actions(content)),
    }
    graph = [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "conformsTo": _ids((CRATE, WORKFLOW_CRATE)),
            "about": _id("./"),
        },
        root,
        *(
            {"@id": address, "@type": "CreativeWork", "name": name, "version": version}
            for address, (name, version) in {
                **PROFILES,
                BIOSCHEMAS: ("Bioschemas ComputationalWorkflow", "1.0-RELEASE"),
            }.items()
        ),
        *_files(content, main),
        *_parameters(content),
        *_runs(content, main),
        *_software(content),
        *_images(content.images),
        {
            "@id": "#license",
            "@type": "CreativeWork",
            "name": "No licence",
            "description": "No licence is given with this run; ask its author",
        },
        *([{"@id": "#agent", "@type": "Person", "name": content.agent}] if content.agent else []),
    ]
    return {"@context": CONTEXT, "@graph": [_single(entity) for entity in graph]}


def _single(entity: Json) -> Json:
    """A single value instead of a list of one: RO-Crate wants it so."""
    return {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in entity.items()}


def _description(content: ManifestContent) -> str:
    count = len(content.executions)
    how = (
        "succeeded"
        if content.phase == "Succeeded"
        else "did not succeed"
        if content.phase in _ENDED
        else "had not ended"
    )
    return (
        f"A run of {'one Argo workflow' if count == 1 else f'{count} Argo workflows'} that {how}: "
        "its code, inputs, results, software and timings."
    )


def _actions(content: ManifestContent) -> list[str]:
    parts = [f"#run-{one.name}" for one in content.executions] if len(content.executions) > 1 or content.script else []
    return ["#run", *parts]


def _files(content: ManifestContent, main: str) -> Iterable[Json]:
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
        if file.path == main or file.path in workflows or file.role == "source":
            entity["version"] = content.facts.get("commit") or file.sha256[:12]
            python = file.path not in workflows
            entity["@type"] = ["File", "SoftwareSourceCode"]
            entity["programmingLanguage"] = _id("#python" if python else "#argo")
            if file.path == main or file.path in workflows:
                entity["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
        if file.path == main:
            entity |= _of_main(content, main, workflows)
        yield entity


def _of_main(content: ManifestContent, main: str, workflows: Iterable[str]) -> Json:
    entity: Json = {
        "description": f"What was run as {content.run}",
        "conformsTo": _id(BIOSCHEMAS),
        "input": _ids(f"#input-{_word(name)}" for name in content.inputs),
        "output": _ids(f"#output-{_word(name)}" for name in _outputs(content)),
        "softwareRequirements": _ids(_software_ids(content)),
    }
    parts = [
        one.path for one in content.files if one.path != main and (one.role == "source" or one.path in set(workflows))
    ]
    if parts:
        entity["hasPart"] = _ids(parts)
    if content.facts.get("repository"):
        entity["codeRepository"] = content.facts["repository"]
    return {name: value for name, value in entity.items() if value != []}


def _outputs(content: ManifestContent) -> dict[str, str]:
    """Output parameters, and the table with all of them: name → id of its example."""
    table = next((one.path for one in content.files if one.role == "results"), "")
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
            "value": [_plain(one) for one in value[:MOST_VALUES]] if listed else _plain(value),
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
    own = [one for one in content.executions if not one.earlier]
    whole = Execution(
        content.run,
        main,
        min((one.started for one in own if one.started), default=""),
        max((one.finished for one in own), default="") if content.phase in _ENDED else "",
        content.phase,
        next((one.message for one in own if one.message), ""),
    )
    facts = [
        {"@id": f"#fact-{_word(name)}", "@type": "PropertyValue", "name": name, "value": value}
        for name, value in _facts(content).items()
    ]
    usage = [
        {
            "@id": f"#usage-{_word(name)}",
            "@type": "PropertyValue",
            "name": name,
            "value": str(amount),
            "unitText": "s × request",
        }
        for name, amount in content.usage.items()
    ]
    results = _ids(one.path for one in content.files if one.role == "results")
    agent = {"agent": _id("#agent")} if content.agent else {}
    action = _action("#run", whole) | agent
    read = [f"#file-{_word(one.path)}" for one in content.outside if not one.written]
    written = [f"#file-{_word(one.path)}" for one in content.outside if one.written]
    action["object"] = _ids([*(f"#value-{_word(name)}" for name in content.inputs), *read])
    action["result"] = _ids([*(one.path for one in content.files if one.role in ("results", "report")), *written])
    action["environment"] = _ids(one["@id"] for one in facts)
    action["resourceUsage"] = _ids(one["@id"] for one in usage)
    action["containerImage"] = _ids(f"#image-{_word(image)}" for image in content.images)
    yield {name: value for name, value in action.items() if value != []}
    yield from facts
    yield from usage
    for file in content.outside:
        yield {
            "@id": f"#file-{_word(file.path)}",
            "@type": "PropertyValue",
            "name": file.path,
            "description": f"{'Written' if file.written else 'Read'} by the run, {file.size} bytes: its SHA-256",
            "propertyID": f"{TERMS}sha256",
            "value": file.sha256,
        }
    for name, one in zip(_actions(content)[1:], content.executions, strict=False):
        yield _action(name, one) | agent | ({"result": results} if results else {})


def _facts(content: ManifestContent) -> dict[str, str]:
    facts = dict(content.facts)
    if content.origin:
        facts["script"] = content.origin
    if content.arguments is not None:
        facts["arguments"] = json.dumps(list(content.arguments), ensure_ascii=False)
    return facts


def _action(name: str, execution: Execution) -> Json:
    action: Json = {
        "@id": name,
        "@type": "CreateAction",
        "name": f"Run {execution.name}",
        "description": f"The execution of {execution.path} as {execution.name}: {execution.phase or 'Pending'}",
        "instrument": _id(execution.path),
        "actionStatus": f"http://schema.org/{_ENDED.get(execution.phase, 'ActiveActionStatus')}",
    }
    if execution.started:
        action["startTime"] = _time(execution.started)
    if execution.finished:
        action["endTime"] = _time(execution.finished)
    if execution.message and execution.phase in ("Failed", "Error"):
        action["error"] = execution.message
    return action


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


def _plain(value: Any) -> Any:
    """Numbers as texts: for JSON-LD 1.0 and 1 are the same number."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _word(text: str) -> str:
    """A text as the end of a local identifier. Other characters are written as numbers, so that different texts stay different."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else f"_{ord(c):x}_" for c in text)


def _time(text: str) -> str:
    return text.replace("Z", "+00:00")


def _id(address: str) -> Json:
    return {"@id": address}


def _ids(addresses: Iterable[str]) -> list[Json]:
    return [_id(address) for address in addresses]
