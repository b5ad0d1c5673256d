"""Write src/hera_utils/argo/schema.txt: the fields of Argo's objects and of the Kubernetes types that they contain.

    .venv/bin/python tools/generate_schema.py            # write the file
    .venv/bin/python tools/generate_schema.py --check    # exit status 1 when it is not up to date

The fields come from the models of the installed Hera (generated from Argo's OpenAPI). What these do not say stands in
tools/schema_facts.txt: fields of Argo 4.1 that Hera's models lack, and how Go declares a field where that differs from the
guess of `go_type` (pointers, sizes of integers, named types: they decide what is written out when empty, and they stand in
Argo's messages).

A line of the result is a type and its fields:  `v1.Capabilities add:[]v1.Capability drop:[]v1.Capability`.
`name!:type` is always written, even empty; `+Embedded:type` is a Go struct whose fields stand in this one;
`NAME = type` is a Go name for another type.
"""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path

from hera.workflows.models.io.argoproj.workflow import v1alpha1
from pydantic import BaseModel, RootModel

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/hera_utils/argo/schema.txt"
FACTS = Path(__file__).with_name("schema_facts.txt")
KINDS = (
    "Workflow",
    "WorkflowTemplate",
    "ClusterWorkflowTemplate",
    "CronWorkflow",
    "WorkflowEventBinding",
    "SubmitOpts",
)
LEAVES = {
    "IntOrString": "intstr.IntOrString", "Quantity": "resource.Quantity", "Time": "v1.Time", "MicroTime": "v1.MicroTime",
    "Item": "v1alpha1.Item", "Amount": "v1alpha1.Amount", "FieldsV1": "v1.FieldsV1", "Plugin": "v1alpha1.Plugin",
    "ParallelSteps": "v1alpha1.ParallelSteps",
}  # fmt: skip
SCALARS = {str: "string", int: "int32", bool: "bool", float: "float64"}

Fields = dict[str, str]


def go_name(model: type[BaseModel]) -> str:
    """Hera's class as Go names it: argo's package is v1alpha1, all of Kubernetes' packages are called v1."""
    return ("v1alpha1." if "argoproj" in model.__module__ else "v1.") + model.__name__


def go_type(annotation: object, found: list[type[BaseModel]]) -> str:
    """The likeliest Go type of a pydantic annotation; models met on the way are added to `found`."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        return go_type(next(a for a in arguments if a is not type(None)), found)
    if origin is typing.Annotated:
        return go_type(arguments[0], found)
    if origin is list:
        return "[]" + go_type(arguments[0], found).lstrip("*")
    if origin is dict:
        return "map[string]" + go_type(arguments[1], found).lstrip("*")
    if annotation in SCALARS:
        return SCALARS[typing.cast(type, annotation)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation.__name__ in LEAVES:
            if annotation.__name__ == "ParallelSteps":
                found.append(v1alpha1.WorkflowStep)
            return LEAVES[annotation.__name__]
        if issubclass(annotation, RootModel):
            return go_type(annotation.model_fields["root"].annotation, found)
        found.append(annotation)
        return "*" + go_name(annotation)
    return "any"


def fields_of_hera() -> dict[str, Fields]:
    """Type → field → Go type, for everything that the kinds contain."""
    todo: list[type[BaseModel]] = [getattr(v1alpha1, name) for name in KINDS]
    schema: dict[str, Fields] = {}
    while todo:
        model = todo.pop()
        if go_name(model) in schema:
            continue
        fields = schema[go_name(model)] = {}
        for attribute, info in model.model_fields.items():
            fields[info.alias or attribute] = go_type(info.annotation, todo) + ("!" if info.is_required() else "")
    return schema


def apply_facts(schema: dict[str, Fields]) -> list[str]:
    """Correct `schema` by tools/schema_facts.txt; returns its lines that name a type (`NAME = type`)."""
    named = []
    for line in FACTS.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if " = " in line:
            named.append(line)
            continue
        type_name, *facts = line.split()
        fields = schema.setdefault(type_name, {})
        for fact in facts:
            if fact.startswith("-"):
                fields.pop(fact[1:], None)
                continue
            name, _, declared = fact.partition(":")
            always = name.endswith("!")
            fields[name.rstrip("!")] = declared + ("!" if always else "")
    for fields in schema.values():
        for name, declared in list(fields.items()):
            if name.startswith("+"):
                embed(schema, fields, declared)
    return named


def embed(schema: dict[str, Fields], fields: Fields, embedded: str) -> None:
    """Hera writes an embedded struct's fields into the outer one: take them out again."""
    for name in schema[embedded.lstrip("*")]:
        fields.pop(name, None)
        if name.startswith("+"):
            embed(schema, fields, schema[embedded][name])


def text() -> str:
    schema = fields_of_hera()
    named = apply_facts(schema)
    lines = ["# generated by tools/generate_schema.py; do not edit", *sorted(named)]
    for type_name in sorted(schema):
        fields = []
        for name, declared in sorted(schema[type_name].items()):
            fields.append(f"{name}{'!' if declared.endswith('!') else ''}:{declared.rstrip('!')}")
        lines.append(" ".join([type_name, *fields]))
    return "\n".join(lines) + "\n"


def main() -> int:
    new = text()
    if "--check" in sys.argv:
        return 0 if TARGET.read_text() == new else 1
    TARGET.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
