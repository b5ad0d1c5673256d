"""Workflow files: YAML (or JSON) with one or several documents, read with the file's name in every complaint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hera_utils.errors import InvalidWorkflow, SettingsError

Json = dict[str, Any]

SUFFIXES = (".yaml", ".yml", ".json")
# What others refer to comes first.
KUBERNETES_KINDS = ("ConfigMap", "Secret", "PersistentVolumeClaim")
ARGO_KINDS = ("ClusterWorkflowTemplate", "WorkflowTemplate", "CronWorkflow", "Workflow")
KINDS = KUBERNETES_KINDS + ARGO_KINDS


def is_document(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def read_documents(path: Path) -> list[Json]:
    """The documents of a file, what others refer to first. SettingsError, InvalidWorkflow name the file and the place."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"the file {path} cannot be read ({(error.strerror or str(error)).lower()})", fix="check its name"
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidWorkflow(f"{path} is not UTF-8 text ({error.reason})", fix="save it as UTF-8") from None
    try:
        documents = [(number, one) for number, one in enumerate(yaml.load_all(text, _loader()), 1) if one is not None]
    except yaml.YAMLError as error:
        raise InvalidWorkflow(f"{path}{_place(error)}: not legal YAML: {_problem(error)}", fix="correct it") from None
    if not documents:
        raise InvalidWorkflow(f"{path} holds no document", fix="write a Workflow into it, or check its name")
    read = [_checked(path, number, one) for number, one in documents]
    return sorted(read, key=lambda document: KINDS.index(document["kind"]))


def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """Kubernetes reads YAML 1.1 through JSON: a date stays the text it is."""

        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    return Loader


def _checked(path: Path, number: int, document: Any) -> Json:
    where = f"{path}, document {number}" if number > 1 else str(path)
    if not isinstance(document, dict):
        raise InvalidWorkflow(
            f"{where} is no object but {_what(document)}", fix="a Workflow begins with `kind: Workflow`"
        )
    kind = document.setdefault("kind", "Workflow")
    if kind not in KINDS:
        raise InvalidWorkflow(
            f"{where} is a {kind}", fix=f"create it with kubectl; here it is one of: {', '.join(KINDS)}"
        )
    for name in ("metadata", "spec") if kind in ARGO_KINDS else ("metadata",):
        if not isinstance(document.setdefault(name, {}), dict):
            raise InvalidWorkflow(f"{where}: `{name}` is no object but {_what(document[name])}", fix="correct it")
    return document


def with_parameters(document: Json, given: Sequence[str]) -> Json:
    """The document with `NAME=VALUE` parameters in place of its own (as `argo submit -p`)."""
    wanted = dict(_pair(text) for text in given)
    if not wanted:
        return document
    spec = document["spec"]
    arguments = spec.get("arguments") or {}
    kept = [p for p in arguments.get("parameters") or [] if p.get("name") not in wanted]
    named = [{"name": name, "value": value} for name, value in wanted.items()]
    return {**document, "spec": {**spec, "arguments": {**arguments, "parameters": kept + named}}}


def unknown_parameters(document: Json, given: Sequence[str]) -> Iterator[str]:
    """A sentence for each parameter given of which a workflow says nothing: most often a slip of the pen. Argo takes it."""
    spec = document["spec"]
    if spec.get("workflowTemplateRef"):
        return
    known = [str(one.get("name")) for one in (spec.get("arguments") or {}).get("parameters") or ()]
    text = str(spec)
    for name, _ in map(_pair, given):
        if name not in known and f"workflow.parameters.{name}" not in text:
            yield f"the workflow has no parameter `{name}`; " + (
                f"it has: {', '.join(known)}" if known else "it has none"
            )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise SettingsError(f"`{text}` is no parameter", fix="write -p NAME=VALUE")
    return name, value


def _what(value: Any) -> str:
    names = {
        str: "text",
        list: "a list",
        bool: "a truth value",
        int: "a number",
        float: "a number",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)


def _place(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f", line {mark.line + 1}"


def _problem(error: Any) -> str:
    problem = getattr(error, "problem", None)
    return str(problem) if problem else " ".join(str(error).split())


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and those of the folders named."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        else:
            yield path
