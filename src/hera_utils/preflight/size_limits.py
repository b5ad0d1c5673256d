"""Finds, before submission, the fields that an Argo server and its cluster will refuse because of their size. Pure.

After a run `describe_oversized_outputs` does it for the outputs of tasks: the executor of Argo 4.1 sends the outputs of a pod as one object
(workflow/executor/taskresult.go); of a task's `result` it keeps the last 256 KiB, and so does the local platform.

Sources: etcd's request limit of 1.5 MiB, of which Argo uses 1 MiB per object (docs/offloading-large-workflows.md; offloading helps the
status only); Kubernetes' 3 MiB per request; Argo's 256 KiB per parameter; the kernel's 128 KiB per argument or variable
(MAX_ARG_STRLEN); RFC 1123 for names; the full resource definitions of Argo 4.1 for numbers of elements; Kubernetes' 63 characters per
label value and 256 KiB for the annotations of an object. On this machine only the kernel's limit holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.names import LABEL_LENGTH, label_faults, label_key_faults, label_value_faults, subdomain_faults

Json = dict[str, Any]

OBJECT_BYTES = 1024 * 1024
REQUEST_BYTES = 3 * 1024 * 1024
PARAMETER_BYTES = 256 * 1024
ARGUMENT_BYTES = 128 * 1024
ETCD_BYTES = 1536 * 1024
ANNOTATIONS_BYTES = 256 * 1024
TEMPLATES, TASKS, PARAMETERS = 200, 200, 500
GENERATED = 5  # characters that the server adds to a generateName

_SPLIT = "use with_items or with_param instead of one task per point, or split the sweep"
_FILE = "put it into a file on the volume, or into an artifact"


@dataclass(frozen=True)
class Size:
    """The size of a workflow as it will be sent. bytes: of its JSON. largest: the largest parameter, as (path, bytes)."""

    bytes: int
    largest: tuple[str, int]


def size_of_document(document: Json) -> Size:
    largest = max(_parameters(document), key=lambda parameter: parameter[1], default=("", 0))
    return Size(len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()), largest)


def longest_list(document: Json) -> int:
    """The length of the longest list that grows with a sweep: the templates, or the tasks of a DAG."""
    _, spec = _spec(document)
    templates = spec.get("templates") or []
    return max(
        (len(templates), *(len((template.get("dag") or {}).get("tasks") or ()) for template in templates)), default=0
    )


def find_breaches(document: Json) -> list[tuple[str, str]]:
    """(the broken limit, the fix) for a document that is sent to a cluster."""
    return [*_sizes(document), *_counts(document), *_names(document), *_arguments(document)]


def find_argument_breaches(document: Json) -> list[tuple[str, str]]:
    """The breaches that hold on every machine: arguments that no kernel passes to a program."""
    return list(_arguments(document))


def describe_oversized_outputs(document: Json) -> str:
    """A sentence on the tasks of a run whose output parameters are too large for every cluster, "" if there are none."""
    oversized: dict[str, int] = {}
    for node in ((document.get("status") or {}).get("nodes") or {}).values():
        parameters = (node.get("outputs") or {}).get("parameters") or () if node.get("type") == "Pod" else ()
        held = sum(len(str(parameter.get("value") or "").encode()) for parameter in parameters)
        if held > ETCD_BYTES:
            oversized[str(node.get("displayName") or node.get("name"))] = held
    if not oversized:
        return ""
    first, largest = next(iter(oversized.items()))
    others = f" (and {len(oversized) - 1} more)" if len(oversized) > 1 else ""
    return (
        f"the output parameters of {first}{others} have {largest / 1024:.0f} KiB, a cluster accepts {ETCD_BYTES // 1024} of a task: "
        "write an output artifact instead"
    )


def _sizes(document: Json) -> Iterator[tuple[str, str]]:
    size = size_of_document(document)
    if size.bytes > REQUEST_BYTES:
        yield f"the workflow has {size.bytes / 1024:.0f} KiB, a cluster accepts 1024 (and 3072 per request)", _SPLIT
    elif size.bytes > OBJECT_BYTES:
        yield f"the workflow has {size.bytes / 1024:.0f} KiB, a cluster accepts 1024", _SPLIT
    for path, length in _parameters(document):
        if length > PARAMETER_BYTES:
            yield f"{path} has {length / 1024:.0f} KiB, Argo accepts 256 per parameter", _FILE
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    held = sum(len(str(key).encode()) + len(str(value).encode()) for key, value in annotations.items())
    if held > ANNOTATIONS_BYTES:
        yield f"metadata.annotations has {held / 1024:.0f} KiB, Kubernetes accepts 256", "shorten them"


def _counts(document: Json) -> Iterator[tuple[str, str]]:
    """Lists that are longer than Argo's full resource definitions allow (maxItems)."""
    root, spec = _spec(document)
    yield from _check_count(f"{root}.templates", spec.get("templates"), TEMPLATES)
    for at, template in _items(spec.get("templates"), f"{root}.templates"):
        yield from _check_count(f"{at}.dag.tasks", (template.get("dag") or {}).get("tasks"), TASKS)
        yield from _check_count(f"{at}.inputs.parameters", (template.get("inputs") or {}).get("parameters"), PARAMETERS)


def _check_count(path: str, items: Any, most: int) -> Iterator[tuple[str, str]]:
    if isinstance(items, list) and len(items) > most:
        yield f"{path} has {len(items)} elements, a cluster accepts {most}", _SPLIT


def _spec(document: Json) -> tuple[str, Json]:
    spec = document.get("spec") or {}
    inner = spec.get("workflowSpec") if document.get("kind") == "CronWorkflow" else None
    return ("spec.workflowSpec", inner) if isinstance(inner, dict) else ("spec", spec)


def _parameters(document: Json) -> Iterator[tuple[str, int]]:
    """(path, bytes) of every value of a parameter: in the workflow, in templates and in calls."""
    root, spec = _spec(document)
    yield from _values(spec.get("arguments"), f"{root}.arguments")
    for at, template in _items(spec.get("templates"), f"{root}.templates"):
        yield from _values(template.get("inputs"), f"{at}.inputs")
        for where, call in _calls(template, at):
            yield from _values(call.get("arguments"), f"{where}.arguments")


def _values(arguments: Any, path: str) -> Iterator[tuple[str, int]]:
    for at, parameter in _items((arguments or {}).get("parameters"), f"{path}.parameters"):
        if parameter.get("value") is not None:
            yield at, len(str(parameter["value"]).encode())


def _calls(template: Json, path: str) -> Iterator[tuple[str, Json]]:
    yield from _items((template.get("dag") or {}).get("tasks"), f"{path}.dag.tasks")
    for index, group in enumerate(template.get("steps") or []):
        yield from _items(group, f"{path}.steps[{index}]")


def _items(listed: Any, path: str) -> Iterator[tuple[str, Json]]:
    """(path, item) of a list's objects, by name where they have one."""
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(item, dict):
            yield f"{path}[{item.get('name') or index}]", item


# --- arguments of containers ---------------------------------------------------------------------------------------------


def _arguments(document: Json) -> Iterator[tuple[str, str]]:
    """Arguments and variables that are too long for every kernel. A script's source does not count, as it is passed as a file."""
    root, spec = _spec(document)
    for at, template in _items(spec.get("templates"), f"{root}.templates"):
        inside = (template.get("containerSet") or {}).get("containers")
        parts = [
            (f"{at}.{part}", template[part]) for part in ("container", "script") if isinstance(template.get(part), dict)
        ]
        parts += [*_items(template.get("sidecars"), f"{at}.sidecars"), *_items(inside, f"{at}.containerSet.containers")]
        for where, container in parts:
            for path, length in _texts(container, where):
                if length >= ARGUMENT_BYTES:
                    yield f"{path} has {length / 1024:.0f} KiB, a program accepts 128 per argument", _FILE


def _texts(container: Json, path: str) -> Iterator[tuple[str, int]]:
    for field in ("command", "args"):
        for index, text in enumerate(container.get(field) or []):
            yield f"{path}.{field}[{index}]", len(str(text).encode())
    for at, variable in _items(container.get("env"), f"{path}.env"):
        yield at, len(str(variable.get("name")).encode()) + 1 + len(str(variable.get("value") or "").encode())


# --- names ---------------------------------------------------------------------------------------------------------------


def _names(document: Json) -> Iterator[tuple[str, str]]:
    metadata = document.get("metadata") or {}
    legal = "use small letters, digits and `-`; begin and end with a letter or a digit"
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if isinstance(name, str) and name:
        # Argo uses the name as a label of the pods (workflows.argoproj.io/workflow), so a label's length limits it.
        yield from _check_length("metadata.name", name, LABEL_LENGTH, "shorten it")
        if subdomain_faults(name):
            yield f"metadata.name `{_shorten(name)}` is not a legal name", legal
    elif isinstance(prefix, str) and prefix:
        yield from _check_length("metadata.generateName", prefix, LABEL_LENGTH - GENERATED, "shorten it")
        if subdomain_faults(prefix.rstrip("-.") or "a") or prefix[:1] in "-.":
            yield f"metadata.generateName `{_shorten(prefix)}` cannot begin a legal name", legal
    for key, value in (metadata.get("labels") or {}).items():
        yield from _check_label(f"metadata.labels[{_shorten(str(key))}]", str(key), str(value))
    root, spec = _spec(document)
    for at, template in _items(spec.get("templates"), f"{root}.templates"):
        for key, value in ((template.get("metadata") or {}).get("labels") or {}).items():
            if "{{" not in str(value):
                yield from _check_label(f"{at}.metadata.labels[{_shorten(str(key))}]", str(key), str(value))
    for at, volume in _items(spec.get("volumes"), f"{root}.volumes"):
        given = str(volume.get("name") or "")
        if given and label_faults(given):
            yield f"{at}.name is not a legal name of a volume ({len(given)} of at most 63 characters)", legal


def _check_label(path: str, key: str, value: str) -> Iterator[tuple[str, str]]:
    if label_key_faults(key):
        yield (
            f"{path} is not a legal key of a label",
            "use at most 63 letters, digits, `-`, `_`, `.` (after an optional prefix/)",
        )
    yield from _check_length(path, value, LABEL_LENGTH, "shorten it, or make it an annotation")
    if len(value) <= LABEL_LENGTH and label_value_faults(value):
        yield (
            f"{path} `{_shorten(value)}` is not a legal value of a label",
            "use letters, digits, `-`, `_`, `.`; or make it an annotation",
        )


def _check_length(path: str, text: str, most: int, fix: str) -> Iterator[tuple[str, str]]:
    if len(text) > most:
        yield f"{path} has {len(text)} characters, at most {most} are legal", fix


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"
