"""A workflow document merged with its WorkflowTemplate and its references.

Sources: Argo's JoinWorkflowSpec (workflow/util/merge.go), mergedTemplateDefaultsInto and updateWorkflowMetadata (operator.go).
The results share parts with the given documents and must not be changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hera_utils.argo.faults import not_found
from hera_utils.argo.merge_patches import strategic_merge
from hera_utils.argo.names import label_value_faults, reference_kind
from hera_utils.argo.template_calls import calls_with_hooks, hooks_of
from hera_utils.errors import ExpressionError, InvalidWorkflow
from hera_utils.expressions.expr.lexer import CompileError
from hera_utils.expressions.values import go_type
from hera_utils.interpreter.templates import KINDS, kind_of

Json = dict[str, Any]
Lookup = Callable[[str, str], Json | None]
"""(kind, name) → the WorkflowTemplate or ClusterWorkflowTemplate, None when there is none."""

LOCATIONS = ("artifactory", "azure", "git", "gcs", "hdfs", "http", "oss", "raw", "s3", "plugin")
"""The fields that say where an artifact is, in the order in which Argo looks at them."""
_SPEC = "v1alpha1.WorkflowSpec"


def resource_of(kind: str) -> str:
    """`WorkflowTemplate` → `workflowtemplates.argoproj.io`, as Kubernetes names it in messages."""
    return f"{kind.lower()}s.argoproj.io"


def template_documents(templates: Iterable[Json]) -> Lookup:
    """A lookup in whole documents (`kind` set), such as an event's."""
    document_by_name = {
        (template.get("kind", "WorkflowTemplate"), template["metadata"]["name"]): template for template in templates
    }
    return lambda kind, name: document_by_name.get((kind, name))


def effective_spec(document: Json, templates: Iterable[Json]) -> Json:
    """The executed spec: the workflow's, merged over that of its workflowTemplateRef.

    templates: whole documents, with the one that the workflow refers to. Raises Refused (NotFound) when it is not among them.
    Without a reference it is the same object as the workflow's spec.
    """
    spec: Json = document.get("spec") or {}
    reference = spec.get("workflowTemplateRef")
    if not reference:
        return spec
    kind, name = reference_kind(reference), reference.get("name", "")
    template = template_documents(templates)(kind, name)
    if template is None:
        raise not_found(resource_of(kind), name)
    return join_specs(spec, template.get("spec") or {})


def join_specs(spec: Json, template_spec: Json) -> Json:
    """A workflow's spec over its template's (Argo: JoinWorkflowSpec)."""
    joined = _merge_over(template_spec, spec)
    joined.pop("suspend", None)
    if "suspend" in spec:
        joined["suspend"] = spec["suspend"]
    arguments = dict(joined.get("arguments") or {})
    own, referred = spec.get("arguments") or {}, template_spec.get("arguments") or {}
    if arguments.get("parameters"):
        arguments["parameters"] = _parameters(arguments["parameters"], own, referred)
    if arguments.get("artifacts"):
        arguments["artifacts"] = _artifacts(arguments["artifacts"], own, referred)
    joined["arguments"] = arguments
    return joined


def _merge_over(below: Json, above: Json) -> Json:
    """A strategic merge; but a hook or a labelsFrom is taken from one side as a whole."""
    rest = {name: value for name, value in below.items() if name != "hooks"}
    metadata = rest.get("workflowMetadata")
    labels_from = (metadata or {}).get("labelsFrom")
    if metadata and labels_from:
        rest["workflowMetadata"] = {name: value for name, value in metadata.items() if name != "labelsFrom"}
    merged = strategic_merge(rest, above, _SPEC)
    if below.get("hooks"):
        merged["hooks"] = {**below["hooks"], **(above.get("hooks") or {})}
    if labels_from:
        joint = dict(merged.get("workflowMetadata") or {})
        joint["labelsFrom"] = {**labels_from, **(joint.get("labelsFrom") or {})}
        merged["workflowMetadata"] = joint
    return merged


def _has_value(parameter: Json) -> bool:
    return any(parameter.get(name) is not None for name in ("value", "default", "valueFrom"))


def _parameters(merged: list[Json], *sources: Json) -> list[Json]:
    """A parameter with a value comes as a whole from the highest source that has one: value, default and valueFrom do not mix."""
    given = [{p["name"]: p for p in source.get("parameters") or () if _has_value(p)} for source in sources]
    parameters = []
    for parameter in merged:
        whole = next(
            (
                parameters_by_name[parameter["name"]]
                for parameters_by_name in given
                if parameter["name"] in parameters_by_name
            ),
            parameter,
        )
        parameters.append(whole if _has_value(parameter) else parameter)
    return parameters


def _artifacts(merged: list[Json], *sources: Json) -> list[Json]:
    given = [{a["name"]: a for a in source.get("artifacts") or ()} for source in sources]
    artifacts = []
    for artifact in merged:
        whole = next(
            (
                artifacts_by_name[artifact["name"]]
                for artifacts_by_name in given
                if artifact["name"] in artifacts_by_name
            ),
            None,
        )
        artifacts.append(artifact if whole is None else _artifact(artifact, whole))
    return artifacts


def location_of(artifact: Mapping[str, Any]) -> str | None:
    """The field that says where an artifact is (s3, raw…), None without one."""
    return next((name for name in LOCATIONS if artifact.get(name) is not None), None)


def _artifact(below: Json, above: Json) -> Json:
    """If both have the same kind of location, missing fields of the upper one come from the lower one."""
    place = location_of(above)
    if place is None or place != location_of(below):
        return above
    location = strategic_merge(
        {name: below[name] for name in (*LOCATIONS, "archiveLogs") if name in below},
        {name: above[name] for name in (*LOCATIONS, "archiveLogs") if name in above},
        "v1alpha1.ArtifactLocation",
    )
    return {**above, **location}


def with_template_defaults(template: Json, defaults: Json | None) -> Json:
    """A template over `spec.templateDefaults`, without their fields of other kinds of templates."""
    if not defaults:
        return template
    kind = kind_of(template)
    applicable = {name: value for name, value in defaults.items() if name not in KINDS or name == kind}
    return strategic_merge(applicable, template, "v1alpha1.Template")


def add_metadata(metadata: Json, document: Json, spec: Json, evaluate: Callable[[str], Any]) -> None:
    """Add the labels and annotations of its executed spec (workflowMetadata) to a copy of the workflow's metadata.

    evaluate: the value of an expression of labelsFrom (it may raise ExpressionError). Raises InvalidWorkflow with Argo's message; what
    was added before stays, as in Argo.
    """
    labels = metadata["labels"] = dict(metadata.get("labels") or {})
    reference = (document.get("spec") or {}).get("workflowTemplateRef")
    if reference:
        labels[_REFERENCE_LABELS[reference_kind(reference)]] = reference.get("name", "")
    workflow_metadata = spec.get("workflowMetadata") or {}
    for name, value in (workflow_metadata.get("labels") or {}).items():
        faults = label_value_faults(value)
        if faults:
            raise InvalidWorkflow(f'invalid label value "{value}" for label "{name}": {";".join(faults)}')
        labels[name] = value
    if workflow_metadata.get("annotations"):
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **workflow_metadata["annotations"]}
    for name, source in (workflow_metadata.get("labelsFrom") or {}).items():
        labels[name] = _label_from(name, source.get("expression", ""), evaluate)


_REFERENCE_LABELS = {
    "WorkflowTemplate": "workflows.argoproj.io/workflow-template",
    "ClusterWorkflowTemplate": "workflows.argoproj.io/cluster-workflow-template",
}


def _label_from(name: str, expression: str, evaluate: Callable[[str], Any]) -> str:
    try:
        value = evaluate(expression)
    except CompileError as error:
        raise InvalidWorkflow(f'failed to compile function for expression "{expression}": {error.message}') from None
    except ExpressionError as error:
        raise InvalidWorkflow(f'failed to evaluate label "{name}" expression "{expression}": {error.message}') from None
    if not isinstance(value, str):
        raise InvalidWorkflow(
            f'failed to evaluate label "{name}" expression "{expression}" evaluted to {go_type(value)} but must be a string'
        )
    faults = label_value_faults(value)
    if faults:
        raise InvalidWorkflow(
            f'invalid label value "{value}" for label "{name}" and expression "{expression}": {";".join(faults)}'
        )
    return value


# --- what a document refers to ------------------------------------------------------------------------------------


def reachable_templates(
    document: Json, lookup: Lookup, everything: Callable[[str], Iterable[Json]] | None = None
) -> tuple[Json, ...]:
    """The WorkflowTemplates and ClusterWorkflowTemplates that a document can reach, whole, with `kind` set.

    Those that do not exist are left out: the run or the validation reports them. everything: returns all objects of a kind; called only
    when the name of a reference has a tag and is therefore known only in the run.
    """
    reached: dict[tuple[str, str], Json] = {}
    todo = list(_references(document.get("spec") or {}))
    visited: set[tuple[str, str]] = set()
    while todo:
        reference = todo.pop()
        key = (reference_kind(reference), reference.get("name") or "")
        if key in visited:
            continue
        visited.add(key)
        for one in _objects(*key, lookup, everything):
            place = (key[0], one["metadata"]["name"])
            if place not in reached:
                reached[place] = {**one, "kind": key[0]}
                visited.add(place)
                todo.extend(_references(one.get("spec") or {}))
    return tuple(reached[place] for place in sorted(reached))


def _objects(
    kind: str, name: str, lookup: Lookup, everything: Callable[[str], Iterable[Json]] | None
) -> Iterable[Json]:
    if "{{" in name:
        return everything(kind) if everything is not None else ()
    template = lookup(kind, name)
    return () if template is None else (template,)


def _references(spec: Json) -> Iterator[Json]:
    """Every workflowTemplateRef and templateRef of a workflow's, a template's or a cron workflow's spec."""
    inner = spec.get("workflowSpec")
    if inner:
        yield from _references(inner)
    if spec.get("workflowTemplateRef"):
        yield spec["workflowTemplateRef"]
    yield from (hook["templateRef"] for hook in hooks_of(spec) if hook.get("templateRef"))
    for template in spec.get("templates") or ():
        yield from _template_references(template)


def _template_references(template: Json) -> Iterator[Json]:
    for call in calls_with_hooks(template):
        if call.get("templateRef"):
            yield call["templateRef"]
        if call.get("inline"):
            yield from _template_references(call["inline"])
