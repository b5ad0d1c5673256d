"""The text of an expanded plan, for a snapshot; it is the same on every machine for the same experiment. Pure."""

from __future__ import annotations

import itertools
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hera_utils.argo.template_calls import calls_of, step_groups
from hera_utils.wording import counted

if TYPE_CHECKING:
    from hera_utils.experiment.inputs import Inputs

Json = dict[str, Any]

MASK = "…"
MOST_POINTS = 200  # at most this many points are listed
MOST_ITEMS = 200  # at most this many items of a loop are listed
_VOLATILE_ANNOTATIONS = ("hera-utils/", "workflows.argoproj.io/hera")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")
_PYTHON = re.compile(r"\bpython:3(\.\d+)*\b")


def text_of(documents: Iterable[Json], inputs: Inputs | None) -> str:
    """The points by name, then each workflow: its tasks, with loops over known items unrolled, and its templates."""
    lines: list[str] = []
    if inputs is not None:
        sweep = inputs.points
        lines.append(f"{counted(len(sweep), 'point')}: {sweep.description}")
        for point in itertools.islice(sweep, MOST_POINTS):
            lines.append(f"  {point.name}  {point.id}")
        if len(sweep) > MOST_POINTS:
            lines.append(f"  and {len(sweep) - MOST_POINTS} more")
    for document in documents:
        lines += ["", *_workflow(document)] if lines else _workflow(document)
    return "\n".join(lines) + "\n"


def _workflow(document: Json) -> list[str]:
    metadata, spec = document.get("metadata") or {}, document.get("spec") or {}
    generated = metadata.get("generateName")
    name = f"{generated}{MASK}" if generated else metadata.get("name", "")
    lines = [f"{document.get('kind', 'Workflow')} {name}"]
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith(_VOLATILE_ANNOTATIONS)
    }
    for what, held in (("label", metadata.get("labels") or {}), ("annotation", annotations)):
        lines += [f"  {what} {key}: {value}" for key, value in sorted(held.items()) if "hera" not in key]
    for key in sorted(set(spec) - {"templates", "entrypoint"}):
        lines += _field(key, spec[key], "  ")
    templates = {template.get("name"): template for template in spec.get("templates") or ()}
    lines += _tasks(templates, str(spec.get("entrypoint", "")), "  ", ())
    for template in templates.values():
        if not (template.get("dag") or template.get("steps")):
            lines += ["", f"  template {template.get('name')}"]
            for key in sorted(set(template) - {"name"}):
                lines += _field(key, template[key], "    ")
    return lines


def _tasks(templates: Mapping[Any, Json], name: str, indent: str, above: tuple[str, ...]) -> list[str]:
    template = templates.get(name)
    if template is None or name in above:
        return []
    calls = [calls_of(template)] if template.get("dag") else step_groups(template)
    lines = []
    for number, group in enumerate(calls):
        if len(calls) > 1:
            lines.append(f"{indent}[{number}]")
        for call in group:
            called = str(call.get("template") or (call.get("templateRef") or {}).get("name") or "inline")
            conditions = "".join(f"  {key} {call[key]}" for key in ("depends", "when") if call.get(key))
            if call.get("dependencies"):
                conditions += f"  after {', '.join(call['dependencies'])}"
            for title, arguments in _unroll_loop(call):
                lines.append(f"{indent}{title}  → {called}{conditions}")
                lines += [f"{indent}    {line}" for line in arguments]
                lines += _tasks(templates, called, indent + "  ", (*above, name))
    return lines


def _unroll_loop(call: Json) -> Iterator[tuple[str, list[str]]]:
    """(the name of the task's node, its arguments) for each item that is known before the run."""
    items = call.get("withItems")
    loop = call.get("withParam") or call.get("withSequence")
    if items is None:
        title = f"{call.get('name')} × {_flat(loop)}" if loop else str(call.get("name"))
        yield title, _arguments(call, None)
        return
    for index, item in enumerate(items[:MOST_ITEMS]):
        yield f"{call.get('name')}({index}:{_flat(item)})", _arguments(call, item)
    if len(items) > MOST_ITEMS:
        yield f"{call.get('name')}: {len(items) - MOST_ITEMS} more", []


def _arguments(call: Json, item: Any) -> list[str]:
    arguments = call.get("arguments") or {}
    lines = [
        f"{parameter.get('name')}: {_mask(_fill_in_item(_flat(parameter.get('value', parameter.get('valueFrom'))), item))}"
        for parameter in arguments.get("parameters") or ()
    ]
    lines += [
        f"artifact {artifact.get('name')}: {_mask(_flat({key: artifact[key] for key in sorted(artifact) if key != 'name'}))}"
        for artifact in arguments.get("artifacts") or ()
    ]
    return lines


def _fill_in_item(value: str, item: Any) -> str:
    if item is None:
        return value
    if isinstance(item, Mapping):
        for key, inner in item.items():
            value = value.replace(f"{{{{item.{key}}}}}", _flat(inner))
    return value.replace("{{item}}", _flat(item))


def _field(key: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, str) and "\n" in value:
        return [f"{indent}{key}: |", *textwrap.indent(_mask(value).rstrip("\n"), indent + "  ").split("\n")]
    if isinstance(value, Mapping):
        lines = [f"{indent}{key}:"]
        for inner in sorted(value):
            lines += _field(inner, value[inner], indent + "  ")
        return lines
    if isinstance(value, list) and value and any(isinstance(item, Mapping) for item in value):
        lines = [f"{indent}{key}:"]
        for item in value:
            lines += _field(str(item.get("name", "-")), {k: item[k] for k in item if k != "name"}, indent + "  ")
        return lines
    return [f"{indent}{key}: {_mask(_flat(value))}"]


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _mask(value: str) -> str:
    """The text with machine-dependent parts masked: digests of images, and the Python version in the name of an image."""
    return _PYTHON.sub(f"python:{MASK}", _DIGEST.sub(f"@sha256:{MASK}", value))
