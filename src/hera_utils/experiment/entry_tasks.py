"""The tasks of a workflow document's entry template: a DAG's, or those of every step; their items and their arguments. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hera_utils.argo.template_calls import calls_of, step_groups
from hera_utils.experiment.values import text

Json = dict[str, Any]

_ITEM = re.compile(r"\{\{\s*item(?:\.([\w.-]+))?\s*\}\}")


def entrypoint_of(document: Json) -> str:
    return str((document.get("spec") or {}).get("entrypoint") or "")


def entry_template(document: Json) -> Json:
    """The template of the entrypoint; {} if the document does not contain it."""
    templates = (document.get("spec") or {}).get("templates") or ()
    return next((template for template in templates if template.get("name") == entrypoint_of(document)), {})


def entry_tasks(document: Json) -> list[Json]:
    """The tasks of the entry template, a DAG's or those of every step; [] if it is neither."""
    return calls_of(entry_template(document))


def items_of(task: Json) -> list[Any] | None:
    """The items of a loop that are written in the document; None if there is no loop, or if its items are not known yet."""
    if task.get("withItems") is not None:
        return list(task["withItems"])
    written = task.get("withParam")
    if isinstance(written, str) and "{{" not in written:
        try:
            listed = json.loads(written)
        except ValueError:
            return None
        return listed if isinstance(listed, list) else None
    return None


def arguments_of(task: Json, item: Any = None) -> dict[str, str]:
    """Argument → its text, with `{{item}}` replaced."""
    arguments = {}
    for parameter in (task.get("arguments") or {}).get("parameters") or ():
        value = parameter.get("value")
        if value is None:
            continue
        words = text(value)
        arguments[str(parameter.get("name"))] = (
            _ITEM.sub(lambda tag: _item_text(tag, item), words) if "{{" in words else words
        )
    return arguments


def _item_text(tag: re.Match[str], item: Any) -> str:
    key = tag[1]
    if key is None:
        return tag[0] if item is None else text(item)
    return text(item[key]) if isinstance(item, dict) and key in item else tag[0]


def replace_entry_tasks(document: Json, changed: Mapping[str, Json], removed: Iterable[str]) -> Json:
    """The document with some tasks of its entry template replaced and others removed, by name. Empty groups of steps are removed too."""
    gone = frozenset(removed)

    def rewrite(tasks: Iterable[Json]) -> list[Json]:
        return [changed.get(task["name"], task) for task in tasks if task["name"] not in gone]

    old = entry_template(document)
    new = dict(old)
    if old.get("dag"):
        new["dag"] = {**old["dag"], "tasks": rewrite(old["dag"].get("tasks") or ())}
    else:
        new["steps"] = [steps for steps in map(rewrite, step_groups(old)) if steps]
    templates = [new if template is old else template for template in document["spec"]["templates"]]
    return {**document, "spec": {**document["spec"], "templates": templates}}
