"""What a task prints is its result if it has no other output: an experiment's document asks Argo to keep it. Pure.

Argo keeps what a task prints (`outputs.result`) only if the text `tasks.NAME.outputs.result` (`steps.…`) appears somewhere in the
template that calls the task. So this module writes the text into an annotation of that template. A template of tasks has no pod that
would get the annotation, and without braces Argo substitutes nothing: the run has the same nodes as before. See decision 0011.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hera_utils.argo.template_calls import calls_of, is_loop

Json = dict[str, Any]

ANNOTATION = "hera-utils/results"


def return_printed_results(document: Json, fits: Callable[[Json], bool] = lambda document: True) -> Json:
    """The document, which asks for what its tasks print. fits: whether a document is small enough; if it is not, nothing is changed."""
    spec = document.get("spec") or {}
    templates = spec.get("templates") or []
    printing = {str(template.get("name")) for template in templates if _only_prints(template)}
    changed = [_ask_for_result(template, printing) for template in templates]
    if all(new is old for new, old in zip(changed, templates, strict=True)):
        return document
    asking = {**document, "spec": {**spec, "templates": changed}}
    return asking if fits(asking) else document


def _ask_for_result(template: Json, printing: set[str]) -> Json:
    """The template, with the annotation if it calls tasks that have no other output and are no loops.

    Of the results of a loop Argo makes one list, and ends the workflow with an Error if one of them is not JSON.
    """
    kind = "tasks" if template.get("dag") else "steps"
    names = [
        str(task.get("name"))
        for task in calls_of(template)
        if not is_loop(task)
        and (task.get("template") in printing or (task.get("inline") and _only_prints(task["inline"])))
    ]
    if not names:
        return template
    metadata = template.get("metadata") or {}
    text = " ".join(f"{kind}.{name}.outputs.result" for name in names if "{{" not in name)
    return {
        **template,
        "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), ANNOTATION: text}},
    }


def _only_prints(template: Json) -> bool:
    """Whether a template runs a program whose only output is what it prints: no parameter, no artifact and no file on a volume."""
    program = template.get("script") or template.get("container")
    outputs = template.get("outputs") or {}
    if not program or template.get("daemon"):
        return False
    return not (outputs.get("parameters") or outputs.get("artifacts") or program.get("volumeMounts"))
