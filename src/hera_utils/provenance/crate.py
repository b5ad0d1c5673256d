"""Makes an RO-Crate of a run's folder: what was submitted, the script, the results, and the manifest that describes them.

    ro-crate-metadata.json      the manifest
    workflows/NAME.json         each workflow, as it can be submitted again
    script/…                    the script and the modules beside it that it imports
    requirements.txt            every package of the Python that ran the script
    results.csv, tasks.csv      a row per point and a row per task; run.json, report.html, points.sqlite where they exist

Nothing in it is masked, because programs read it again. A crate that would contain a secret is not written (secrecy.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mimetypes
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hera_utils.argo.annotations import IMAGE_DECISIONS, PYTHON, SUBMISSION
from hera_utils.errors import ResourceError, SettingsError
from hera_utils.images.choice import Pull, StandIn
from hera_utils.images.decision_texts import ImageDecision, of_text
from hera_utils.installed import version_of
from hera_utils.provenance import manifest
from hera_utils.provenance.git import Commit, commit_of
from hera_utils.provenance.manifest import CrateFile, Execution, KnownFile, ManifestContent
from hera_utils.provenance.modules import sources_of
from hera_utils.provenance.python import python_environment
from hera_utils.results.results import Results
from hera_utils.results.secrecy import refuse_secret_literals, refuse_secrets
from hera_utils.runs.whole_run import WholeRun
from hera_utils.settings.secret import Secret

Json = dict[str, Any]

_SERVERS_OWN = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "ownerReferences",
)
_ALREADY_THERE = {
    "run.json": "the record of the run",
    "report.html": "the report of the run",
    "points.sqlite": "the points of the run",
}


@dataclass(frozen=True)
class CrateContext:
    """What is known besides the run's workflows and record. argo: the server's version. local: whether it ran on this machine. secrets:
    values that the crate must not contain. outside: the checksums of files outside the crate.
    """

    argo: str = ""
    local: bool = True
    secrets: tuple[str | Secret | None, ...] = ()
    outside: tuple[KnownFile, ...] = ()


def write_crate(run: WholeRun, results: Results, folder: Path, context: CrateContext | None = None) -> Path:
    """Write the crate into a folder; returns the manifest's path. ResourceError when it cannot be written, or would contain a secret."""
    context = context or CrateContext()
    refuse_secret_literals(run.documents)
    script = Path(run.script) if run.script else None
    script = script if script is not None and script.is_file() else None
    # on a server that others use, a workflow may name anybody's program: it is not started here
    python = python_environment(_interpreter(run.documents) if context.local else "")
    contents: dict[str, tuple[str, str, str]] = {}  # path → (text, what it is, role)
    for document in run.documents:
        name = str(document["metadata"]["name"])
        text = json.dumps(submittable(document), indent=1, ensure_ascii=False)
        contents[f"workflows/{name}.json"] = (
            text + "\n",
            f"The workflow {name}, as it can be submitted again",
            "workflow",
        )
    for path, source in (sources_of(script) if script else {}).items():
        contents[f"script/{path}"] = (source.decode("utf-8", "surrogateescape"), f"{path} of the experiment", "source")
    packages = "".join(f"{name}=={number}\n" for name, number in python.packages.items())
    contents["requirements.txt"] = (packages, "The packages of the Python that ran the script", "environment")
    if results.points:
        contents["results.csv"] = (
            results.to_csv(by="points"),
            "One row per point: inputs, outputs, status",
            "results",
        )
    by_task = "tasks.csv" if results.points else "results.csv"
    contents[by_task] = (results.to_csv(by="tasks"), "One row per task: inputs, outputs, status", "results")
    for path, (text, _, _) in contents.items():
        refuse_secrets(f"{path} of the manifest", text, context.secrets)
    files = [_put(folder, path, text, about, role) for path, (text, about, role) in contents.items()]
    files += _there_already(folder)
    content = _content(run, results, files, script, folder)
    content = _with_provenance(
        content, python.version, python.system, context, commit_of(script.parent) if script else None
    )
    text = json.dumps(manifest.metadata(content), indent=1, ensure_ascii=False)
    refuse_secrets("the manifest", text, context.secrets)
    _put(folder, manifest.NAME, text + "\n", "", "")
    return folder / manifest.NAME


def submittable(document: Json) -> Json:
    """A workflow as it was submitted: without its status and what the server added."""
    metadata = {name: value for name, value in document["metadata"].items() if name not in _SERVERS_OWN}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if not k.startswith("workflows.argoproj.io/")}
    own = {
        k: v
        for k, v in (metadata.get("annotations") or {}).items()
        if k.startswith("hera-utils/") or "argoproj" not in k
    }
    own.pop(SUBMISSION, None)
    metadata |= {"labels": labels, "annotations": own}
    spec = (
        (document.get("status") or {}).get("storedWorkflowTemplateSpec")
        if not document.get("spec")
        else document["spec"]
    )
    return {
        "apiVersion": document.get("apiVersion") or "argoproj.io/v1alpha1",
        "kind": document.get("kind") or "Workflow",
        "metadata": {name: value for name, value in metadata.items() if value not in ({}, None)},
        "spec": spec,
    }


def images_of(documents: Sequence[Json]) -> dict[str, str]:
    """The images of all templates → what stood in for each, "" where the image itself ran. An image that was pulled on this machine has its
    digest in its name. Those that an expression names are left out.
    """
    decisions: dict[str, ImageDecision] = {}
    for document in documents:
        annotations = (document.get("metadata") or {}).get("annotations") or {}
        with contextlib.suppress(SettingsError):
            decisions |= of_text(annotations.get(IMAGE_DECISIONS) or "", "the workflow")
    images: dict[str, str] = {}
    for image in _names_of_images(documents):
        decision = decisions.get(image)
        if decision is not None and isinstance(decision.choice, Pull) and decision.digest and "@" not in image:
            image = f"{image}@{decision.digest}"
        images[image] = decision.words if decision is not None and isinstance(decision.choice, StandIn) else ""
    return images


def _names_of_images(documents: Iterable[Json]) -> list[str]:
    images: dict[str, None] = {}

    def look(value: Any) -> None:
        if isinstance(value, list):
            for inner in value:
                look(inner)
        elif isinstance(value, dict):
            if isinstance(value.get("image"), str) and "{{" not in value["image"]:
                images[value["image"]] = None
            for inner in value.values():
                look(inner)

    for document in documents:
        look((document.get("spec") or {}).get("templates"))
        look((document.get("status") or {}).get("storedTemplates"))
    return list(images)


def _content(
    run: WholeRun, results: Results, files: list[CrateFile], script: Path | None, folder: Path
) -> ManifestContent:
    executions = []
    for document in run.documents:
        status, name = document.get("status") or {}, str(document["metadata"]["name"])
        executions.append(
            Execution(
                name=name,
                path=f"workflows/{name}.json",
                started=str(status.get("startedAt") or ""),
                finished=str(status.get("finishedAt") or ""),
                phase=str(status.get("phase") or ""),
                message=str(status.get("message") or ""),
                earlier=name in run.earlier,
            )
        )
    last = max((one.finished or one.started for one in executions if not one.earlier), default="")
    usage: dict[str, int] = {}
    for row in results:
        for name, amount in row.usage.items():
            usage[name] = usage.get(name, 0) + amount
    source = f"script/{script.name}" if script else ""
    return ManifestContent(
        run=run.name,
        experiment=run.experiment,
        phase=run.phase,
        published=last or "1970-01-01T00:00:00Z",
        executions=executions,
        files=files,
        script=source if any(one.path == source for one in files) else "",
        origin=Path(os.path.relpath(script, folder)).as_posix() if script else "",
        arguments=run.facts.get("arguments"),
        inputs=_inputs(run),
        outputs=list(dict.fromkeys(name for row in results for name in row.outputs)),
        images=images_of(run.documents),
        usage=usage,
    )


def _inputs(run: WholeRun) -> Json:
    """The constants and axes of the record; without them the parameters of the workflow."""
    recorded = run.facts.get("inputs") or {}
    axes = recorded.get("parameters") or recorded.get("axes") or {}
    inputs = {**(recorded.get("constants") or {}), **{name: list(values) for name, values in axes.items()}}
    if inputs:
        return inputs
    for document in run.documents:
        for parameter in ((document.get("spec") or {}).get("arguments") or {}).get("parameters") or ():
            if parameter.get("value") is not None:
                inputs[str(parameter["name"])] = parameter["value"]
    return inputs


def _with_provenance(
    content: ManifestContent, python: str, system: str, context: CrateContext, commit: Commit | None
) -> ManifestContent:
    versions = {
        "Python": python,
        "Hera": version_of("hera"),
        "Argo": context.argo,
        "hera_utils": version_of("hera_utils"),
    }
    facts = {"platform": "local" if context.local else "an Argo server", "system": system}
    if commit is not None:
        facts |= {"commit": commit.commit, "branch": commit.branch, "repository": commit.remote}
        facts["changed files"] = str(commit.changed)
    return replace(
        content,
        agent=commit.author if commit is not None else "",
        outside=context.outside,
        versions={name: number for name, number in versions.items() if number},
        facts={name: text for name, text in facts.items() if text},
    )


def _interpreter(documents: Iterable[Json]) -> str:
    annotations = (document["metadata"].get("annotations") or {} for document in documents)
    return next((str(one[PYTHON]) for one in annotations if one.get(PYTHON)), "")


def _put(folder: Path, path: str, text: str, about: str, role: str) -> CrateFile:
    content = text.encode("utf-8", "surrogateescape")
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.{os.getpid()}")
        fresh.write_bytes(content)
        os.replace(fresh, target)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ResourceError(f"cannot write {target} ({why})", fix="check free space and permissions") from None
    return _file(path, content, about, role)


def _file(path: str, content: bytes, about: str, role: str) -> CrateFile:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return CrateFile(path, len(content), hashlib.sha256(content).hexdigest(), kind, about, role)


def _there_already(folder: Path) -> list[CrateFile]:
    found = []
    for name, about in _ALREADY_THERE.items():
        path = folder / name
        if path.is_file():
            found.append(_file(name, path.read_bytes(), about, "report" if name == "report.html" else "record"))
    return found
