"""Where a task finds what an earlier attempt of its point saved. Pure.

A layout's `@checkpoints` method gives a folder for each point. Below it, each beginning of the point has a folder of its own, called by
the run that began it: what other code, or a run that nobody resumes, left there is never taken up. Until a workflow is sent the name is
a mark in its document, so that the document (and with it the fingerprint of the point) is the same in every run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hera_utils.experiment.points import Point

Json = dict[str, Any]

VARIABLE = "HERA_UTILS_CHECKPOINT"
"""The variable of a task that names its folder: of each template that has an input parameter PARAMETER."""
PARAMETER = "checkpoint"
_MARK = re.compile("hera-utils-beginning-of-([0-9a-f]{16})")


def marked(path: str, point: Point) -> str:
    return f"{path}/hera-utils-beginning-of-{point.id}"


def checkpoint_name(facts: Json, run: str, point: str) -> str:
    """What the folder of a point is called in a run. facts: of its record. point: its id."""
    return str((facts.get("checkpoints") or {}).get(point) or run)


def resolved(text: str, beginning: Callable[[str], str]) -> str:
    """A text with names in place of marks. beginning: id of a point → the name of its beginning."""
    return _MARK.sub(lambda mark: beginning(mark[1]), text)


def with_checkpoints(document: Json, beginning: Callable[[str], str]) -> Json:
    """A workflow as it is sent: with names in place of marks, and the variable where a template has the parameter."""
    text = json.dumps(document)
    if _MARK.search(text) is None:
        return document
    ready: Json = json.loads(resolved(text, beginning))
    for template in ready["spec"].get("templates") or ():
        if any(one.get("name") == PARAMETER for one in (template.get("inputs") or {}).get("parameters") or ()):
            _add_variable(template)
    return ready


def _add_variable(template: Json) -> None:
    containers = (template.get("containerSet") or {}).get("containers") or [
        template.get("script") or template.get("container")
    ]
    for container in filter(None, containers):
        if all(one.get("name") != VARIABLE for one in container.get("env") or ()):
            value = f"{{{{inputs.parameters.{PARAMETER}}}}}"
            container["env"] = [*(container.get("env") or ()), {"name": VARIABLE, "value": value}]
