"""Warnings about parts of a valid workflow that probably do not do what their author wants: names with a dash in expressions, inline
templates that Argo does not run as written, templates that call themselves without end, hooks that Argo takes for attempts.

Nothing is refused, and a run ends as on a cluster (except for such hooks), but its user is warned before it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hera_utils.argo.template_calls import calls_of
from hera_utils.errors import ExpressionError
from hera_utils.expressions import dashes, tags
from hera_utils.interpreter import depends, loops
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json

_EXPRESSIONS = ("expression", "fromExpression")
_LOOP = (
    "a loop of an inline template: its items run, then Argo finds no template for the loop and ends what is around it as Error; "
    "give the template a name"
)
_ENDLESS = (
    "calls the template it is in, whenever it runs, and never ends; in Hera this is a script with the name of its DAG or steps "
    "(the first template of a name is kept): give one of them another name"
)
_COUNTED = (
    "and what it belongs to are tried again (retryStrategy): on a cluster the hook counts as an attempt, so that once it has succeeded "
    "the work begins a second time and what follows does not wait for the first; give the hook's template no retryStrategy"
)
_KEPT = (
    "stays as it is when the template is called by templateRef: give the inline template inputs, and the step arguments"
)


def remarks(document: Json, stored: Iterable[Json] = ()) -> list[str]:
    """The warnings. stored: the WorkflowTemplates and ClusterWorkflowTemplates that the workflow calls, whole documents."""
    own = (document.get("spec") or {}).get("workflowTemplateRef") or {}
    warnings = list(_of_object(document, "", document.get("kind") in ("WorkflowTemplate", "ClusterWorkflowTemplate")))
    for called in stored:
        name = (called.get("metadata") or {}).get("name", "")
        warnings += _of_object(called, f"{called.get('kind', 'WorkflowTemplate')}/{name} ", own.get("name") != name)
    return warnings


def _of_object(document: Json, home: str, referred: bool) -> Iterator[str]:
    """The warnings about one object. referred: whether its templates are called by templateRef."""
    spec = document.get("spec") or {}
    expressions = list(_expressions(spec, f"{home}spec"))
    names = set(_names(spec)) if expressions else set[str]()
    for path, expression in expressions:
        for dashed in dashes.find_dashed_paths(expression, names):
            yield f"{path}: {dashed.written} subtracts; write {dashed.better}"
    inline: dict[str, Json] = {}
    retried = _retried_templates(spec)
    yield from _counted_hooks(f"{home}spec", spec, spec.get("entrypoint"), retried)
    for index, template in enumerate(spec.get("templates") or ()):
        for path, step in _calls(template, f"{home}spec.templates[{index}]"):
            yield from _counted_hooks(path, step, step.get("template"), retried)
            if step.get("template") and step.get("template") == template.get("name") and _always_runs(template, step):
                yield f"{path} {_ENDLESS}"
            if not step.get("inline"):
                continue
            if loops.is_loop(step) and _is_processed_again(template, step):
                yield f"{path}: {_LOOP}"
            if referred:
                yield from _warn_of_inline_templates(path, step, inline)


def _retried_templates(spec: Json) -> set[str]:
    """The names of the templates that have a retryStrategy."""
    always = (spec.get("templateDefaults") or {}).get("retryStrategy") is not None
    return {
        template.get("name", "")
        for template in spec.get("templates") or ()
        if always or template.get("retryStrategy") is not None
    }


def _counted_hooks(path: str, holder: Json, template: str | None, retried: set[str]) -> Iterator[str]:
    for name, hook in (holder.get("hooks") or {}).items():
        if name != "exit" and template in retried and (hook or {}).get("template") in retried:
            yield f"{path}.hooks.{name} {_COUNTED}"


def _warn_of_inline_templates(path: str, step: Json, by_key: dict[str, Json]) -> Iterator[str]:
    """Warnings on inline templates of a stored object, which Argo stores under the step's name without the values of the caller."""
    inline = step["inline"]
    if by_key.setdefault(step.get("name", ""), inline) != inline:
        yield f"{path}: called by templateRef it runs the inline template of the first step of that name; give it another name"
    own = {parameter.get("name") for parameter in (inline.get("inputs") or {}).get("parameters") or ()}
    try:
        names = tags.simple_tags_in(inline)
    except ExpressionError:
        return
    for tag in dict.fromkeys(names):
        head, _, rest = tag.partition(".")
        outer = tag.startswith("inputs.parameters.") and tag.removeprefix("inputs.parameters.") not in own
        if outer or head == "item" or (head in ("steps", "tasks") and "." in rest):
            yield f"{path}.inline: {{{{{tag}}}}} {_KEPT}"


def _always_runs(template: Json, step: Json) -> bool:
    """Whether the step always runs; a condition, a loop or another task may end an intended recursion."""
    conditions = ("when", "depends", "dependencies", "withItems", "withParam", "withSequence")
    if any(step.get(name) for name in conditions):
        return False
    return "dag" in template or step in (template.get("steps") or [[]])[0]


def _is_processed_again(template: Json, step: Json) -> bool:
    """Whether Argo processes the loop again: in steps always, in a DAG if another task depends on it."""
    tasks = {task["name"]: task for task in (template.get("dag") or {}).get("tasks") or () if task.get("name")}
    if not tasks:
        return True
    try:
        return any(step.get("name") in depends.of_task(task, tasks).names for task in tasks.values())
    except Fault:
        return False


def _calls(template: Json, path: str) -> Iterator[tuple[str, Json]]:
    for step in calls_of(template):
        yield f"{path}.{step.get('name', '')}", step


def _names(document: Any) -> Iterator[str]:
    """Every name of a step, a task, a parameter or an artifact."""
    if isinstance(document, dict) and isinstance(document.get("name"), str):
        yield document["name"]
    for value in document.values() if isinstance(document, dict) else document:
        if isinstance(value, dict | list):
            yield from _names(value)


def _expressions(document: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, expression) of each field that is an expression, and of each `{{=…}}` in a text."""
    mapping = isinstance(document, dict)
    for key, value in document.items() if mapping else enumerate(document):
        if isinstance(value, str):  # handled here, as most values are texts and a call for each would be slow
            if key in _EXPRESSIONS and "{{" not in value:
                yield f"{path}.{key}", value
            elif "{{=" in value:
                place = f"{path}.{key}" if mapping else f"{path}[{key}]"
                yield from ((place, expression) for expression in dashes.expressions_in(value))
        elif isinstance(value, dict | list):
            yield from _expressions(value, f"{path}.{key}" if mapping else f"{path}[{key}]")
