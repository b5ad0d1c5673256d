"""The fields of Argo's objects: `decode` changes a document as Argo's server does when it reads and writes one.

Go's JSON rules, applied to the declarations in schema.txt (generated, see tools/generate_schema.py): unknown fields are
dropped, names match whatever their case, a value of the wrong JSON type is refused with Go's message, empty values are
left out unless the field is always written. Sources: encoding/json of Go 1.26, Argo's AnyString, Item, Plugin, ParallelSteps.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.argo.scalars import LEAVES, ZEROS, Mismatch, UnreadableValue, json_type
from hera_utils.errors import Refused

Json = dict[str, Any]
Decoder = Callable[[Any], Any]

# kind → (Go type of the request, its field that holds the document)
_REQUESTS = {
    "Workflow": ("WorkflowCreateRequest", "workflow"),
    "WorkflowTemplate": ("WorkflowTemplateCreateRequest", "template"),
    "ClusterWorkflowTemplate": ("ClusterWorkflowTemplateCreateRequest", "template"),
    "CronWorkflow": ("CreateCronWorkflowRequest", "cronWorkflow"),
    "SubmitOpts": ("WorkflowSubmitRequest", "submitOptions"),
}


def decode(document: Any, kind: str, *, at: str | None = None) -> Json:
    """The document as Argo's server stores it; the argument is not changed.

    kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow, WorkflowEventBinding, SubmitOpts, or a type of
    schema.txt such as v1alpha1.Template. at: the field of the request that holds the document, as it stands in messages
    (default: that of the kind; "" for none). Raises Refused (InvalidArgument) with Go's message.
    """
    name = kind if "." in kind else f"v1alpha1.{kind}"
    try:
        decoded: Json = _decoder("*" + name)(document)
    except Mismatch as wrong:
        request, field = _REQUESTS.get(kind, ("", ""))
        field = field if at is None else at
        wrong.inside(request if field else "", ())
        raise Refused(INVALID_ARGUMENT, wrong.message(field)) from None
    except UnreadableValue as wrong:
        raise Refused(INVALID_ARGUMENT, str(wrong)) from None
    except RecursionError:
        raise Refused(INVALID_ARGUMENT, "exceeded max depth") from None
    return decoded


def type_names() -> tuple[str, ...]:
    """Every struct of the schema, as Go names it."""
    return tuple(_declarations()[0])


@cache
def fields(type_name: str) -> dict[str, str]:
    """Field → Go type of a struct (`v1alpha1.Template`), those of embedded structs included."""
    types: dict[str, str] = {}
    for name, declared in _own_fields(type_name):
        if name.startswith("+"):
            types.update(fields(declared.lstrip("*")))
        else:
            types[name.rstrip("!")] = declared
    return types


@cache
def embedded_structs(type_name: str) -> tuple[str, ...]:
    """The structs embedded in this one (`v1.Container` in `v1alpha1.ScriptTemplate`)."""
    return tuple(declared.lstrip("*") for name, declared in _own_fields(type_name) if name.startswith("+"))


def named_types() -> dict[str, str]:
    """Go name → its underlying type (`v1alpha1.Artifacts` → `[]v1alpha1.Artifact`)."""
    return _declarations()[1]


def struct_of(go_type: str) -> str | None:
    """The struct inside a Go type (`[]*v1.Volume` → `v1.Volume`), None if it contains plain values."""
    _, named = _declarations()
    name = re.sub(r"^(\*|\[\]|map\[[^\]]*\])*", "", go_type)
    if name in named:
        return struct_of(named[name])
    return name if name in _declarations()[0] else None


def is_map(go_type: str) -> bool:
    """Whether a Go type is a map."""
    return _declarations()[1].get(go_type, go_type).startswith("map[")


@lru_cache(maxsize=1)
def _declarations() -> tuple[dict[str, str], dict[str, str]]:
    """(struct → its fields as text, Go name → its underlying type)."""
    structs: dict[str, str] = {}
    aliases: dict[str, str] = {}
    text = (pkgutil.get_data("hera_utils.argo", "schema.txt") or b"").decode()
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if rest.startswith("= "):
            aliases[name] = rest[2:]
        elif name != "#":
            structs[name] = rest
    return structs, aliases


def _own_fields(type_name: str) -> list[tuple[str, str]]:
    pairs = (field.partition(":") for field in _declarations()[0][type_name].split())
    return [(name, declared) for name, _, declared in pairs]


class _Field:
    """One field of a struct. plain: the Python type that needs no decoding. omit: whether it is left out if empty."""

    __slots__ = ("decode", "name", "omit", "path", "plain", "zero")

    def __init__(self, name: str, declared: str, path: tuple[str, ...]) -> None:
        self.name = name.rstrip("!")
        self.path = (*path, self.name)
        always = name.endswith("!")
        self.omit = not always and not _keeps_empty(declared)
        self.plain: type | None = {"string": str, "bool": bool}.get(declared.lstrip("*"))
        self.decode = _decoder(declared)
        self.zero = _zero_value(declared) if always else None


class _Layout:
    """The fields of a Go struct: by name, by name in lower case, and those that are always written."""

    __slots__ = ("always", "fields", "folded")

    def __init__(self, type_name: str) -> None:
        self.fields: dict[str, _Field] = {}
        self.always: list[_Field] = []
        self._add(type_name, ())
        self.folded = {name.lower(): field for name, field in self.fields.items()}

    def _add(self, type_name: str, path: tuple[str, ...]) -> None:
        for name, declared in _own_fields(type_name):
            if name.startswith("+"):
                self._add(declared.lstrip("*"), (*path, name[1:]))
                continue
            field = _Field(name, declared, path)
            self.fields[field.name] = field
            if name.endswith("!"):
                self.always.append(field)


class _Struct:
    """Decodes one Go struct."""

    __slots__ = ("_layout", "short", "type_name")

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self.short = type_name.partition(".")[2]
        # Computed at the first use, because types contain each other, and assigned only when complete: two threads may compute it
        # twice, but none sees a struct that lacks fields.
        self._layout: _Layout | None = None

    def __call__(self, value: Any) -> Json:
        if type(value) is not dict:
            if value is None:
                return self({})
            raise Mismatch(json_type(value), self.type_name)
        layout = self._layout
        if layout is None:
            layout = self._layout = _Layout(self.type_name)
        out: Json = {}
        known = layout.fields.get
        for key, item in value.items():
            field = known(key) or layout.folded.get(key.lower())
            if field is None or item is None:
                continue
            if type(item) is not field.plain:
                try:
                    item = field.decode(item)
                except Mismatch as wrong:
                    wrong.inside(self.short, field.path)
                    raise
            if item or not field.omit:
                out[field.name] = item
        for field in layout.always:
            if field.name not in out:
                out[field.name] = field.zero() if callable(field.zero) else field.zero
        return out


def _keeps_empty(declared: str) -> bool:
    """Whether a present but empty value is written (`omitempty` leaves out zero values, not pointers to them)."""
    _, named = _declarations()
    return declared.startswith("*") or (declared not in named and _is_struct(declared))


def _is_struct(declared: str) -> bool:
    return declared in _declarations()[0] or declared in ("v1.Time", "resource.Quantity")


def _zero_value(declared: str) -> Any:
    """The value that Go writes for a field that was never set."""
    _, named = _declarations()
    declared = named.get(declared, declared)
    if declared.startswith(("*", "[]", "map[")):
        return None
    if declared in _declarations()[0]:
        decoder = _decoder(declared)
        return lambda: decoder({})
    return ZEROS.get(declared, "")


@cache
def _decoder(declared: str) -> Decoder:
    structs, aliases = _declarations()
    bare = declared.lstrip("*")
    if bare == "v1alpha1.ParallelSteps":
        return _parallel_steps()
    if bare in structs:
        return _struct(bare)
    if bare in aliases:
        return _container(aliases[bare], bare)
    if bare.startswith(("[]", "map[")):
        return _container(bare, bare)
    return LEAVES.get(bare) or _text(bare)


@cache
def _struct(type_name: str) -> _Struct:
    return _Struct(type_name)


def _text(go_type: str) -> Decoder:
    """A string, or a Go type that is one (`v1.PullPolicy`)."""

    def read(value: Any) -> str:
        if type(value) is str:
            return value
        if value is None:
            return ""
        raise Mismatch(json_type(value), go_type)

    return read


def _container(declared: str, go_type: str) -> Decoder:
    if declared.startswith("[]"):
        return _list(declared[2:], go_type)
    if declared.startswith("map["):
        return _map(declared.partition("]")[2], go_type)
    return _decoder(declared)


def _list(element: str, go_type: str) -> Decoder:
    if element == "uint8":
        return LEAVES["[]uint8"]
    decode_element = _decoder(element)
    nullable = element.startswith("*")

    def read(value: Any) -> list[Any] | None:
        if type(value) is not list:
            if value is None:
                return None
            raise Mismatch(json_type(value), go_type)
        if nullable:
            return [None if item is None else decode_element(item) for item in value]
        return [decode_element(item) for item in value]

    return read


def _map(element: str, go_type: str) -> Decoder:
    decode_element = _decoder(element)

    def read(value: Any) -> Json | None:
        if type(value) is not dict:
            if value is None:
                return None
            raise Mismatch(json_type(value), go_type)
        return {key: decode_element(item) for key, item in value.items()}

    return read


def _parallel_steps() -> Decoder:
    """A group of steps. Argo has its own reader for it: only here an unknown field is refused, and the group may not be null."""
    step_fields = fields("v1alpha1.WorkflowStep")
    steps = _list("v1alpha1.WorkflowStep", "[]v1alpha1.WorkflowStep")

    def read(value: Any) -> Any:
        if value is None:
            return None
        if type(value) is not list:
            raise Mismatch(json_type(value), "[]map[string]interface {}")
        for step in value:
            if step is not None and type(step) is not dict:
                raise Mismatch(json_type(step), "map[string]interface {}")
            for key in step or ():
                if key not in step_fields:
                    raise UnreadableValue(f'json: unknown field "{key}"')
        try:
            return steps(value) or None  # Argo's server turns an empty group into null
        except Mismatch as wrong:
            wrong.struct = ""  # Go's message lacks the struct if a type has its own reader
            raise

    return read
