"""Fields of a document that Argo 4.1 does not know: misspelt ones, or those of an earlier Argo.

Argo's server drops them silently; `argo lint` and `argo submit` refuse them (flag `--strict`, on by default), as do hera_utils' commands.
Source of the removed fields: Argo's docs/deprecations.md and docs/upgrading.md (4.0), and the API of Argo 2 and 3.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.schema import fields, named_types, struct_of

Json = dict[str, Any]
Path = tuple[str | int, ...]

# (struct, field) → (the version of Argo that removed it, what to write instead).
REMOVED = {
    ("v1alpha1.CronWorkflowSpec", "schedule"): ("4.0", 'schedules: ["…"]'),
    ("v1alpha1.Synchronization", "mutex"): ("4.0", "mutexes: [{…}]"),
    ("v1alpha1.Synchronization", "semaphore"): ("4.0", "semaphores: [{…}]"),
    ("v1alpha1.WorkflowSpec", "podPriority"): ("4.0", "podPriorityClassName"),
    ("v1alpha1.Template", "podPriority"): ("4.0", "podSpecPatch with a priorityClassName"),
    ("v1alpha1.WorkflowSpec", "ttlSecondsAfterFinished"): ("3.0", "ttlStrategy: {secondsAfterCompletion: …}"),
    ("v1alpha1.Template", "resubmitPendingPods"): ("3.0", "nothing: pending pods are waited for"),
    ("v1alpha1.Template", "template"): ("3.0", "a step or a task that calls the template"),
    ("v1alpha1.Template", "templateRef"): ("3.0", "a step or a task that calls the template"),
    ("v1alpha1.Template", "arguments"): ("3.0", "the arguments at the step or the task that calls it"),
    ("v1alpha1.TemplateRef", "runtimeResolution"): (
        "3.0",
        "nothing: references are always resolved while the workflow runs",
    ),
}


@dataclass(frozen=True)
class UnknownField:
    """An unknown field. path: its path in the document. hint: what to write instead, "" if no known field is similar."""

    path: Path
    hint: str

    def __str__(self) -> str:
        return f"unknown field `{format_path(self.path)}`" + (f": {self.hint}" if self.hint else "")


def format_path(path: Path) -> str:
    """`spec.templates[0].container.image`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def unknown_fields(document: Json, kind: str, *, any_case: bool = True) -> Iterator[UnknownField]:
    """Every unknown field of a whole document, in its order. kind: as of `schema.decode` (Workflow, CronWorkflow…).

    Values of the wrong type are not searched, as `schema.decode` refuses them. any_case: whether names match in any case, as in Go;
    Kubernetes' strict decoding requires the right case.
    """
    return _find_in_value(document, f"v1alpha1.{kind}", (), any_case)


def _find_in_value(value: Any, declared: str, path: Path, any_case: bool) -> Iterator[UnknownField]:
    declared = declared.lstrip("*")
    declared = named_types().get(declared, declared)
    if declared.startswith("[]") and isinstance(value, list):
        element = "[]v1alpha1.WorkflowStep" if declared == "[]v1alpha1.ParallelSteps" else declared[2:]
        for index, item in enumerate(value):
            yield from _find_in_value(item, element, (*path, index), any_case)
    elif declared.startswith("map[") and isinstance(value, dict):
        for key, item in value.items():
            yield from _find_in_value(item, declared.partition("]")[2], (*path, str(key)), any_case)
    elif isinstance(value, dict) and struct_of(declared) == declared:
        yield from _find_in_struct(value, declared, path, any_case)


def _find_in_struct(value: Json, struct: str, path: Path, any_case: bool) -> Iterator[UnknownField]:
    known_fields = fields(struct)
    folded = {name.lower(): name for name in known_fields} if any_case else {name: name for name in known_fields}
    for key, item in value.items():
        name = folded.get(str(key).lower() if any_case else str(key))
        if name is not None:
            yield from _find_in_value(item, known_fields[name], (*path, key), any_case)
        else:
            yield UnknownField((*path, str(key)), _hint(struct, str(key), known_fields))


def _hint(struct: str, name: str, known_fields: dict[str, str]) -> str:
    if (struct, name) in REMOVED:
        since, instead = REMOVED[struct, name]
        return f"removed in Argo {since}; write {instead}"
    near = difflib.get_close_matches(name, known_fields, n=1, cutoff=0.75)
    return f"did you mean `{near[0]}`?" if near else ""
