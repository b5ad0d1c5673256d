"""Whether a WorkflowEventBinding matches an event, and the workflow that it then submits.

Pure. Source: Argo 4.1's server/event/dispatch and docs/events.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hera_utils.argo.names import generated_name
from hera_utils.errors import ExpressionError
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.expr import program
from hera_utils.expressions.gotext import to_json
from hera_utils.expressions.values import go_type
from hera_utils.interpreter.submission import workflow_from

Json = dict[str, Any]

BINDING_LABEL = "workflows.argoproj.io/workflow-event-binding"


def environment(namespace: str, discriminator: str, headers: Mapping[str, list[str]], payload: Any) -> Json:
    """The variables of its expressions. Of the headers (names in lower case) only `x-…`: the others may contain credentials."""
    metadata = {name: values for name, values in headers.items() if name.startswith("x-")}
    variables = {"namespace": namespace, "discriminator": discriminator, "metadata": metadata, "payload": payload}
    as_json: Json = json.loads(json.dumps(variables), parse_int=float)
    return as_json


def matches(binding: Json, event: Json, entropy: Entropy) -> bool:
    """Whether the binding's selector accepts the event. Raises ExpressionError."""
    selector = str((binding["spec"].get("event") or {}).get("selector") or "")
    try:
        return program.evaluate_boolean(selector, event, entropy=entropy)
    except ExpressionError as error:
        raise ExpressionError(f"failed to evaluate workflow template expression: {error}") from None


def reference(binding: Json) -> tuple[str, str] | None:
    """(kind, name) of the template that it submits; None when it submits nothing."""
    submit = binding["spec"].get("submit")
    if submit is None:
        return None
    ref = submit.get("workflowTemplateRef") or {}
    return "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate", str(ref.get("name") or "")


def workflow(binding: Json, template: Json, event: Json, entropy: Entropy) -> Json:
    """The workflow that the event starts from the template. entropy: for its expressions and its name. Raises ExpressionError."""
    kind = (reference(binding) or ("WorkflowTemplate", ""))[0]
    document = workflow_from(template, kind, at=0.0)
    del document["status"]
    metadata, submit = document["metadata"], binding["spec"]["submit"]
    extra = (template.get("spec") or {}).get("workflowMetadata") or {}
    own = submit.get("metadata") or {}
    for part, word in (("labels", "label"), ("annotations", "annotation")):
        evaluated = {
            key: _text(value, f'{word} "{key}"', event, entropy) for key, value in (own.get(part) or {}).items()
        }
        metadata[part] = {**metadata.get(part, {}), **(extra.get(part) or {}), **evaluated}
    for part in ("name", "generateName"):
        if own.get(part):
            metadata[part] = _text(own[part], part, event, entropy)
    metadata.setdefault("name", generated_name(metadata["generateName"], entropy.seed))
    metadata["labels"][BINDING_LABEL] = binding["metadata"]["name"]
    parameters = [
        _parameter(parameter, event, entropy) for parameter in (submit.get("arguments") or {}).get("parameters") or ()
    ]
    if parameters:
        document["spec"]["arguments"] = {"parameters": parameters}
    return document


def _text(statement: str, what: str, event: Json, entropy: Entropy) -> str:
    try:
        value = program.evaluate(statement, event, entropy=entropy)
    except ExpressionError as error:
        raise ExpressionError(f"failed to evaluate workflow {what} expression: {error}") from None
    if not isinstance(value, str):
        raise ExpressionError(f"workflow {what} expression must evaluate to a string, not a {go_type(value)}")
    return value


def _parameter(parameter: Json, event: Json, entropy: Entropy) -> Json:
    name, source = parameter["name"], parameter.get("valueFrom")
    if source is None:
        raise ExpressionError(f'malformed workflow template parameter "{name}": valueFrom is nil')
    try:
        value = program.parse(source.get("event") or "").evaluate_in(event, entropy=entropy)
    except program.CompileError as error:
        raise ExpressionError(f"failed to compile workflow template parameter {name} expression: {error}") from None
    except ExpressionError as error:
        raise ExpressionError(f'failed to evaluate workflow template parameter "{name}" expression: {error}') from None
    written = to_json(value, html=False)
    # Argo removes the quotes but does not unescape the text between them.
    return {"name": name, "value": written[1:-1] if written.startswith('"') else written}
