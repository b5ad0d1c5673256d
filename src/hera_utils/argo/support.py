"""The support of the local platform for each field of Argo's documents: executed, warned about, or refused; never ignored silently.

Only support_table.py decides this: refusals and warnings of workflows and docs/coverage.md follow from it, and a test
requires a verdict for every reachable field of the schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from hera_utils.argo import schema
from hera_utils.argo.faults import ON_A_SERVER
from hera_utils.argo.names import reference_kind
from hera_utils.argo.support_table import EXECUTED, REFUSED, WARNED
from hera_utils.argo.template_calls import calls_with_hooks, hooks_of
from hera_utils.errors import UnsupportedError

Json = dict[str, Any]

EXECUTES = "executed"
WARNS = "warned"
REFUSES = "refused"
ROOTS = {
    "Workflow": "v1alpha1.WorkflowSpec",
    "WorkflowTemplate": "v1alpha1.WorkflowSpec",
    "ClusterWorkflowTemplate": "v1alpha1.WorkflowSpec",
    "CronWorkflow": "v1alpha1.CronWorkflowSpec",
}


@dataclass(frozen=True)
class Verdict:
    """The support of a field. word: executed, warned or refused. reason: why, or the difference from Argo; often "" for executed."""

    word: str
    reason: str = ""


@dataclass(frozen=True)
class SupportFinding:
    """A used field that is warned about or refused. path: `spec.templates[0].nodeSelector`."""

    path: str
    verdict: str
    reason: str


@cache
def verdicts(struct: str) -> dict[str, Verdict]:
    """Field → verdict for a struct (`v1alpha1.Template`); a field without a verdict is missing."""
    result: dict[str, Verdict] = {}
    for word, table in ((EXECUTES, EXECUTED), (WARNS, WARNED), (REFUSES, REFUSED)):
        for name in (struct, *_related_structs(struct)):
            for field, reason in table.get(name, {}).items():
                if field in schema.fields(struct) and field not in result:
                    result[field] = Verdict(word, reason)
    return result


def _related_structs(struct: str) -> tuple[str, ...]:
    """The structs embedded in this one; the verdicts for a container also hold for a script."""
    names = schema.embedded_structs(struct)
    return (*names, *(inner for name in names for inner in _related_structs(name)))


def findings(document: Json, kind: str = "Workflow") -> list[SupportFinding]:
    """The used fields of a document (from `schema.decode`) that are warned about or refused, in its order."""
    return list(_find_in_struct(document.get("spec") or {}, ROOTS[kind], "spec"))


def findings_of_run(document: Json, templates: Iterable[Json]) -> list[SupportFinding]:
    """The `findings` of a workflow and of the called templates in other objects, whose paths begin with `WorkflowTemplate/NAME`.

    templates: these other objects, as whole documents.
    """
    stored = {
        (template.get("kind", "WorkflowTemplate"), template["metadata"]["name"]): template.get("spec") or {}
        for template in templates
    }
    spec = document.get("spec") or {}
    result = findings(document)
    reference = spec.get("workflowTemplateRef")
    if reference:
        home = (reference_kind(reference), reference.get("name", ""))
        base = stored.get(home, {})
        result += [_with_home(home, finding) for finding in _find_in_struct(base, ROOTS["Workflow"], "spec")]
        todo = [call for template in base.get("templates") or () for call in _calls(template, None)]
    else:
        todo = [call for template in spec.get("templates") or () for call in _calls(template, None)]
    todo += [call for hook in hooks_of(spec) for call in _call(hook, None)]
    queued = set(todo)
    while todo:
        home, name = todo.pop()
        for index, template in enumerate(stored.get(home, {}).get("templates") or ()):
            if template.get("name") == name:
                path = f"spec.templates[{index}]"
                result += [
                    _with_home(home, finding) for finding in _find_in_struct(template, "v1alpha1.Template", path)
                ]
                new = [call for call in _calls(template, home) if call not in queued]
                queued.update(new)
                todo += new
                break
    return list(dict.fromkeys(result))


_Home = tuple[str, str]


def _with_home(home: _Home, finding: SupportFinding) -> SupportFinding:
    return SupportFinding(f"{home[0]}/{home[1]} {finding.path}", finding.verdict, finding.reason)


def _calls(template: Json, home: _Home | None) -> Iterator[tuple[_Home, str]]:
    """The templates of stored objects that a template calls. home: the object that contains the template."""
    for call in calls_with_hooks(template):
        yield from _call(call, home)
        if call.get("inline"):
            yield from _calls(call["inline"], home)


def _call(holder: Json, home: _Home | None) -> Iterator[tuple[_Home, str]]:
    reference = holder.get("templateRef")
    if reference:
        yield (reference_kind(reference), reference.get("name", "")), reference.get("template", "")
    elif home is not None and holder.get("template"):
        yield home, holder["template"]


def refuse_unsupported(findings: Iterable[SupportFinding]) -> None:
    """Raise UnsupportedError for the first field that the local platform refuses."""
    for finding in findings:
        if finding.verdict == REFUSES:
            raise UnsupportedError(
                f"{finding.path} cannot be executed on this machine: {finding.reason}",
                fix=ON_A_SERVER,
            )


def warnings(findings: Iterable[SupportFinding]) -> list[str]:
    """One sentence per reason to warn, regardless of the number of its fields and templates."""
    places: dict[str, dict[str, list[str]]] = {}
    for finding in findings:
        if finding.verdict == WARNS:
            fields = places.setdefault(finding.reason, {})
            fields.setdefault(finding.path.rpartition(".")[2], []).append(finding.path)
    return [
        f"{', '.join(_summarize_paths(paths) for paths in fields.values())} {'have' if len(fields) > 1 else 'has'} no effect here: {reason}"
        for reason, fields in places.items()
    ]


def _summarize_paths(paths: list[str]) -> str:
    return f"{paths[0]} (and {len(paths) - 1} more)" if len(paths) > 1 else paths[0]


def _find_in_struct(value: Json, struct: str, path: str) -> Iterator[SupportFinding]:
    judged, inner = _fields_to_search(struct)
    for field, item in value.items():
        verdict = judged.get(field)
        if verdict is not None:
            if item not in (None, "", [], {}):
                yield SupportFinding(f"{path}.{field}", verdict.word, verdict.reason)
        elif field in inner and item:
            yield from _find_in_value(item, inner[field], f"{path}.{field}")


def _find_in_value(item: Any, below: _NestedStruct, path: str) -> Iterator[SupportFinding]:
    if isinstance(item, list):
        for index, element in enumerate(item):
            yield from _find_in_value(element or {}, below, f"{path}[{index}]")
    elif below.mapped:
        for key, inner in item.items():
            yield from _find_in_struct(inner or {}, below.struct, f"{path}.{key}")
    else:
        yield from _find_in_struct(item, below.struct, path)


class _NestedStruct(NamedTuple):
    """The structs in a field, possibly as the values of a map."""

    struct: str
    mapped: bool


@cache
def _fields_to_search(struct: str) -> tuple[dict[str, Verdict], dict[str, _NestedStruct]]:
    """(fields that are warned about or refused, fields that contain such fields)."""
    judged = {field: verdict for field, verdict in verdicts(struct).items() if verdict.word != EXECUTES}
    inner = {}
    for field, declared in schema.fields(struct).items():
        below = schema.struct_of(declared)
        if below is None or field in judged:
            continue
        if any(verdict.word != EXECUTES for name in reachable_structs(below) for verdict in verdicts(name).values()):
            inner[field] = _NestedStruct(below, schema.is_map(declared))
    return judged, inner


@cache
def reachable_structs(struct: str) -> tuple[str, ...]:
    """The struct and those below it, except in fields that are refused or warned about as a whole."""
    names: dict[str, None] = {}
    todo = [struct]
    while todo:
        name = todo.pop(0)
        if name in names:
            continue
        names[name] = None
        for field, declared in schema.fields(name).items():
            below = schema.struct_of(declared)
            if below is not None and verdicts(name).get(field, Verdict(EXECUTES)).word == EXECUTES:
                todo.append(below)
    return tuple(names)
