"""Reads workflow files: YAML (or JSON) with one or several documents. Every error names the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hera_utils.argo.names import reference_kind
from hera_utils.errors import InvalidWorkflow

Json = dict[str, Any]

SUFFIXES = (".yaml", ".yml", ".json")
# In the order of submission: objects that others refer to come first.
KUBERNETES_KINDS = ("ConfigMap", "Secret", "PersistentVolumeClaim")
ARGO_KINDS = ("ClusterWorkflowTemplate", "WorkflowTemplate", "CronWorkflow", "Workflow")
KINDS = KUBERNETES_KINDS + ARGO_KINDS
# Kinds that none of our commands submits: of Argo Workflows, Events, CD and Rollouts, and one of Kubernetes that looks misspelt.
OTHER_KINDS = (
    "WorkflowEventBinding", "WorkflowArtifactGCTask", "WorkflowTaskSet", "WorkflowTaskResult", "ExecutorPlugin",
    "EventBus", "EventSource", "Sensor",
    "Application", "ApplicationSet", "AppProject",
    "AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate", "Experiment", "Rollout",
    "PersistentVolume",
)  # fmt: skip
TEMPLATE_KINDS = ("ClusterWorkflowTemplate", "WorkflowTemplate")

_OBJECT = re.compile(r"""^[{\s]*["']?(apiVersion|kind|spec)["']?\s*:""", re.MULTILINE)
"""Matches the keys of an object at the beginning of a line (or of its JSON)."""


def is_document(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def read_documents(path: Path, *, strict: bool = True) -> list[Json]:
    """The documents of a file: first those that others refer to, last those of kinds that are not in KINDS.

    strict: refuse fields that Argo does not know, as `argo lint` and `argo submit` do. Raises SettingsError or InvalidWorkflow with the
    file and the place.
    """
    import yaml

    from hera_utils.argo import yaml_limits
    from hera_utils.cli.yaml_text import describe_yaml_error, loader, strict_loader, text_of

    text = text_of(path)
    try:
        yaml_limits.check_limits(text, yaml_limits.MOST_OF_A_FILE)
        loaded = yaml.load_all(text, strict_loader() if strict else loader())
        documents = [(number, document) for number, document in enumerate(loaded, 1) if document is not None]
    except yaml.YAMLError as error:
        raise InvalidWorkflow(f"{path}{describe_yaml_error(error)}", fix="correct it") from None
    if not documents:
        raise InvalidWorkflow(f"{path} holds no document", fix="write a Workflow into it, or check its name")
    read = [(number, _check_document(path, number, document)) for number, document in documents]
    if strict:
        _refuse_unknown_fields(path, text, read)
    return sort_by_dependency([document for _, document in read])


def sort_by_dependency(documents: Sequence[Json]) -> list[Json]:
    """The documents, each after those that it refers to: sorted by kind, and templates after those that they call."""
    ranked = sorted(documents, key=lambda document: _rank(document["kind"]))
    templates = [document for document in ranked if document["kind"] in TEMPLATE_KINDS]
    if len(templates) < 2:
        return ranked
    by_reference = {reference_of(document): document for document in templates}
    ordered: dict[int, Json] = {}
    being_placed: set[int] = set()

    def place(document: Json) -> None:
        if id(document) in being_placed:
            return
        being_placed.add(id(document))
        for reference in references(document):
            if reference in by_reference:
                place(by_reference[reference])
        ordered[id(document)] = document

    for document in templates:
        place(document)
    first = next(index for index, document in enumerate(ranked) if document["kind"] in TEMPLATE_KINDS)
    return [*ranked[:first], *ordered.values(), *ranked[first + len(templates) :]]


def _rank(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def reference_of(template: Json) -> tuple[str, str]:
    """(kind, name) by which others refer to a stored template."""
    return template["kind"], str(template["metadata"].get("name") or "")


def references(value: Any) -> Iterator[tuple[str, str]]:
    """(kind, name) of each stored template to which a document refers anywhere."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("templateRef", "workflowTemplateRef") and isinstance(item, dict):
                yield reference_kind(item), str(item.get("name") or "")
            else:
                yield from references(item)


def _refuse_unknown_fields(path: Path, text: str, documents: Sequence[tuple[int, Json]]) -> None:
    from hera_utils.argo.unknown_fields import unknown_fields
    from hera_utils.cli.yaml_text import find_lines

    unknown = [
        (number, field)
        for number, document in documents
        if document["kind"] in ARGO_KINDS
        for field in unknown_fields(document, document["kind"])
    ]
    if not unknown:
        return
    lines = find_lines(text, [(number, field.path) for number, field in unknown])
    complaints = [
        f"line {line}: {field}" if line else str(field) for line, (_, field) in zip(lines, unknown, strict=True)
    ]
    raise InvalidWorkflow(
        f"{path}, {'; '.join(complaints)}",
        fix="correct it; with --no-strict the field is left to Argo, which ignores it",
    )


def _check_document(path: Path, number: int, document: Any) -> Json:
    where = f"{path}, document {number}" if number > 1 else str(path)
    if not isinstance(document, dict):
        raise InvalidWorkflow(
            f"{where} is not an object but {_type_in_words(document)}", fix="a Workflow begins with `kind: Workflow`"
        )
    if "kind" not in document and "apiVersion" not in document and not _may_be_a_workflow(document):
        raise InvalidWorkflow(
            f"{where} is not a workflow: it has no `kind`", fix="a Workflow begins with `kind: Workflow`"
        )
    kind = document.setdefault("kind", "Workflow")
    if not isinstance(kind, str):
        raise InvalidWorkflow(
            f"{where}: `kind` is not text but {_type_in_words(kind)}", fix="a Workflow has `kind: Workflow`"
        )
    near = [] if _is_of_another_group(document) else difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.7)
    if kind not in KINDS and kind not in OTHER_KINDS and (near or _is_of_argo(document)):
        hint = f"did you mean `{near[0]}`?" if near else f"Argo has: {', '.join(ARGO_KINDS)}"
        raise InvalidWorkflow(f"{where}: there is no kind `{kind}`", fix=hint)
    for name in ("metadata", "spec") if kind in ARGO_KINDS else ("metadata",):
        if not isinstance(document.setdefault(name, {}), dict):
            raise InvalidWorkflow(
                f"{where}: `{name}` is not an object but {_type_in_words(document[name])}", fix="correct it"
            )
    return document


def _may_be_a_workflow(document: Json) -> bool:
    """Argo accepts a workflow without `kind`; files of other programs (compose, npm…) have other keys."""
    return not {str(key) for key in document} - {"metadata", "spec", "status"}


def _is_of_argo(document: Json) -> bool:
    return str(document.get("apiVersion") or "").startswith("argoproj.io/")


def _is_of_another_group(document: Json) -> bool:
    return "/" in str(document.get("apiVersion") or "") and not _is_of_argo(document)


def move_to_namespace(document: Json, namespace: str) -> Json:
    """The document with its namespace, if it has one, replaced by the one to which it is sent, as for a script."""
    own = document["metadata"].get("namespace")
    if own in (None, namespace) or document["kind"] == "ClusterWorkflowTemplate":
        return document
    return {**document, "metadata": {**document["metadata"], "namespace": namespace}}


def _type_in_words(value: Any) -> str:
    names = {
        str: "text",
        list: "a list",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The named files, and the files of the named folders with objects of Argo or Kubernetes (without hidden folders and records)."""
    for path in paths:
        if path.is_dir():
            yield from (file for file in sorted(path.rglob("*")) if _is_workflow_file(file, path))
        else:
            yield path


def _is_workflow_file(file: Path, folder: Path) -> bool:
    inside = file.relative_to(folder)
    if file.suffix.lower() not in SUFFIXES or any(part.startswith(".") or part == "runs" for part in inside.parts[:-1]):
        return False
    if not file.is_file():  # reading a pipe or a device might never end
        return False
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return True  # reading it again later reports the error
    return bool(_OBJECT.search(text))
