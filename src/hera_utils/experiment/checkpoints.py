"""The folders in which a task finds what an earlier attempt of its point saved. Pure.

A layout's `@checkpoints` method gives a folder for each point. Inside it, each beginning of the point has its own folder, named after the
run that began it: so a task never uses what other code, or a run that is not resumed, left there. Until a workflow is sent, its document
has a mark in place of that name, so that the document (and the fingerprint of the point) is the same in every run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hera_utils.experiment.points import Point

Json = dict[str, Any]

VARIABLE = "HERA_UTILS_CHECKPOINT"
"""The environment variable with the folder, set in each template that has the input parameter PARAMETER."""
PARAMETER = "checkpoint"
_MARK = re.compile("hera-utils-beginning-of-([0-9a-f]{16})")


def mark_path(path: str, point: Point) -> str:
    return f"{path}/hera-utils-beginning-of-{point.id}"


def checkpoint_name(facts: Json, run: str, point: str) -> str:
    """The name of a point's folder in a run. facts: those of the run's record. point: the point's id."""
    return str((facts.get("checkpoints") or {}).get(point) or run)


def resolve_marks(text: str, beginning: Callable[[str], str]) -> str:
    """The text with names in place of marks. beginning: id of a point → the name of its beginning."""
    return _MARK.sub(lambda mark: beginning(mark[1]), text)


def fill_in_checkpoints(document: Json, beginning: Callable[[str], str]) -> Json:
    """The workflow to send: with names in place of marks, and the variable in templates that have the parameter."""
    text = json.dumps(document)
    if _MARK.search(text) is None:
        return document
    ready: Json = json.loads(resolve_marks(text, beginning))
    for template in ready["spec"].get("templates") or ():
        if any(
            parameter.get("name") == PARAMETER for parameter in (template.get("inputs") or {}).get("parameters") or ()
        ):
            _add_variable(template)
    return ready


def _add_variable(template: Json) -> None:
    containers = (template.get("containerSet") or {}).get("containers") or [
        template.get("script") or template.get("container")
    ]
    for container in filter(None, containers):
        if all(variable.get("name") != VARIABLE for variable in container.get("env") or ()):
            value = f"{{{{inputs.parameters.{PARAMETER}}}}}"
            container["env"] = [*(container.get("env") or ()), {"name": VARIABLE, "value": value}]
