"""Makes an RO-Crate of a run's folder: what was submitted, the script, the results, and the manifest that describes them.

    ro-crate-metadata.json      the manifest
    workflows/NAME.json         each workflow, as it can be submitted again
    script/…                    the script and the modules beside it that it imports
    requirements.txt            every package of the Python that ran the script
    results.csv, tasks.csv      a row per point and a row per task; run.json, report.html, methods.md, points.sqlite where they exist

Secrets are masked only in the failure messages and logs of tasks, because programs read the rest again. A crate that would contain a
secret elsewhere is not written (secrecy.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mimetypes
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hera_utils.argo.annotations import IMAGE_DECISIONS, PYTHON, SUBMISSION
from hera_utils.errors import ResourceError, SettingsError
from hera_utils.experiment.author import authors_of
from hera_utils.images.choice import Pull, StandIn
from hera_utils.images.decision_texts import ImageDecision, of_text
from hera_utils.installed import version_of
from hera_utils.provenance import manifest
from hera_utils.provenance.git import Commit, commit_of, name_of_user
from hera_utils.provenance.manifest import CrateFile, Execution, KnownFile, ManifestContent
from hera_utils.provenance.modules import sources_of
from hera_utils.provenance.python import python_environment
from hera_utils.provenance.task_actions import TaskRun
from hera_utils.results.results import Results
from hera_utils.results.secrecy import mask_secrets, refuse_secret_literals, refuse_secrets
from hera_utils.runs.whole_run import WholeRun
from hera_utils.settings.secret import Secret
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

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
    "methods.md": "what was run, with which versions, how often: a paragraph for a paper",
    "points.sqlite": "the points of the run",
}


@dataclass(frozen=True)
class CrateContext:
    """Facts that are not in the run's workflows and record. argo: the server's version. local: whether it ran on this machine.

    secrets: values that the crate must not contain. outside: the checksums of files outside the crate. pythons: the interpreters that
    may be started. authors, license: used if the run's record names none.
    """

    argo: str = ""
    local: bool = True
    secrets: tuple[str | Secret | None, ...] = ()
    outside: tuple[KnownFile, ...] = ()
    pythons: tuple[str, ...] = ()
    authors: str = ""
    license: str = ""


def write_crate(run: WholeRun, results: Results, folder: Path, context: CrateContext) -> Path:
    """Write the crate into a folder. Returns the manifest's path.

    Raises ResourceError if it cannot be written or would contain a secret.
    """
    refuse_secret_literals(run.documents)
    results = mask_secrets(results, context.secrets)
    script = Path(run.script) if run.script else None
    script = script if script is not None and script.is_file() else None
    python = python_environment(interpreter_of(run.documents, context.pythons))
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
    files = [_write_file(folder, path, text, about, role) for path, (text, about, role) in contents.items()]
    files += _files_already_there(folder)
    content = _content(run, results, files, script, folder)
    content = replace(
        content,
        authors=authors_of(run.facts.get("authors") or context.authors),
        license=str(run.facts.get("license") or context.license),
    )
    commit = commit_of(script.parent) if script else None
    content = replace(content, agent=commit.author if commit else name_of_user(script.parent) if script else "")
    content = _add_provenance(content, python.version, python.system, context, commit)
    text = json.dumps(manifest.metadata(content), indent=1, ensure_ascii=False)
    refuse_secrets("the manifest", text, context.secrets)
    _write_file(folder, manifest.NAME, text + "\n", "", "")
    return folder / manifest.NAME


def write_zip(manifest_file: Path, target: Path) -> None:
    """Write a crate as one file for publication: the manifest and the files that it names. The same crate gives the same bytes.

    Raises ResourceError if it cannot be written.
    """
    folder = manifest_file.parent
    graph = json.loads(manifest_file.read_bytes())["@graph"]
    root = next(entity for entity in graph if entity["@id"] == "./")
    parts = root.get("hasPart") or []
    names = [manifest.NAME, *(str(part["@id"]) for part in (parts if isinstance(parts, list) else [parts]))]
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                entry = zipfile.ZipInfo(name)  # its date is 1980; with the present time every archive would differ
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, (folder / name).read_bytes())
        os.replace(fresh, target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ResourceError(
            f"cannot write {target} ({system_reason(error)})", fix="check free space and permissions"
        ) from None


def submittable(document: Json) -> Json:
    """The workflow as it was submitted: without its status and the fields that the server added."""
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
    """The images of all templates → the description of the stand-in, "" if the image itself ran.

    The name of an image that was pulled on this machine includes its digest. Images named by an expression are left out.
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
    last = max(
        (execution.finished or execution.started for execution in executions if not execution.earlier), default=""
    )
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
        script=source if any(file.path == source for file in files) else "",
        origin=Path(os.path.relpath(script, folder)).as_posix() if script else "",
        arguments=run.facts.get("arguments"),
        module=str(run.facts.get("module") or ""),
        inputs=_inputs(run),
        outputs=list(dict.fromkeys(name for row in results for name in row.outputs)),
        images=images_of(run.documents),
        usage=usage,
        tasks=_tasks(run, results),
    )


def _tasks(run: WholeRun, results: Results) -> list[TaskRun]:
    """The tasks that began, with the image that each ran in."""
    images = {image.partition("@")[0]: image for image in images_of(run.documents)}
    named = {
        (str(document["metadata"]["name"]), template): image
        for document in run.documents
        for template, image in _images_of_templates(document)
    }
    return [
        TaskRun(
            workflow=row.workflow,
            name=row.task,
            node_id=row.node_id,
            template=row.template,
            phase=row.status,
            started=row.started,
            finished=row.finished,
            message=row.message,
            inputs=row.inputs,
            outputs=row.outputs,
            used=row.used,
            image=images.get(named.get((row.workflow, row.template), "").partition("@")[0], ""),
        )
        for row in results
        if row.started and row.began
    ]


def _images_of_templates(document: Json) -> Iterator[tuple[str, str]]:
    """(template, the image of its main container)."""
    status = document.get("status") or {}
    stored = (status.get("storedTemplates") or {}).values()
    for template in [*((document.get("spec") or {}).get("templates") or ()), *stored]:
        main = template.get("container") or template.get("script") or {}
        if main.get("image"):
            yield str(template.get("name") or ""), str(main["image"])


def _inputs(run: WholeRun) -> Json:
    """The constants and axes of the record; if it has none, the parameters of the workflows."""
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


def _add_provenance(
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
        outside=context.outside,
        versions={name: number for name, number in versions.items() if number},
        facts={name: text for name, text in facts.items() if text},
    )


def interpreter_of(documents: Iterable[Json], startable: Sequence[str]) -> str:
    """The Python that ran the script, from an annotation of its workflows; "" if they have none.

    startable: the interpreters that may be started. The annotation of a workflow could name any program, even one that its tasks wrote.
    """
    annotations = (document["metadata"].get("annotations") or {} for document in documents)
    named = next((str(annotation[PYTHON]) for annotation in annotations if annotation.get(PYTHON)), "")
    return named if os.path.abspath(named) in startable else ""


def _write_file(folder: Path, path: str, text: str, about: str, role: str) -> CrateFile:
    content = text.encode("utf-8", "surrogateescape")
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    except OSError as error:
        raise ResourceError(
            f"cannot write {target} ({system_reason(error)})", fix="check free space and permissions"
        ) from None
    return _file(path, content, about, role)


def _file(path: str, content: bytes, about: str, role: str) -> CrateFile:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return CrateFile(path, len(content), hashlib.sha256(content).hexdigest(), kind, about, role)


def _files_already_there(folder: Path) -> list[CrateFile]:
    files = []
    for name, about in _ALREADY_THERE.items():
        path = folder / name
        if path.is_file() and not path.is_symlink():  # a link in a cloned record may point to a private file
            files.append(
                _file(name, path.read_bytes(), about, "report" if name in ("report.html", "methods.md") else "record")
            )
    return files
