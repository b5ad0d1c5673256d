"""The `fields=` filter of Argo's REST API, which selects the parts of a reply that are sent.

Argo removes the other parts and then writes the typed object again, so structs that are not pointers come back empty
(`"spec": {"arguments": {}}`, `"status": {"startedAt": null, …}`). Prefixes match as text, as in Argo.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hera_utils.memoised import memoised

Json = dict[str, Any]


@dataclass(frozen=True)
class FieldFilter:
    """A filter. paths: dotted; without paths everything is sent. exclude: whether the paths are left out instead of kept."""

    paths: frozenset[str] = frozenset()
    exclude: bool = False

    def __bool__(self) -> bool:
        return bool(self.paths)

    def will_exclude(self, path: str) -> bool:
        """Whether everything below the path is left out, so that a server need not even load it."""
        if not self.paths:
            return False
        matched = any(path.startswith(one) or one.startswith(path) for one in self.paths)
        return self.exclude if matched else not self.exclude

    def without_prefix(self, prefix: str) -> FieldFilter:
        """The filter for the part below `prefix` (`items.`, `result.object.`)."""
        return FieldFilter(frozenset(path.removeprefix(prefix) for path in self.paths), self.exclude)

    def filter_json(self, data: Any) -> Any:
        """The filtered copy of plain JSON data, without the structs that Argo writes back."""
        return _select_parts(data, "", self.paths, self.exclude) if self.paths else data

    def filter_workflow(self, workflow: Json) -> Json:
        """The filtered copy of one workflow (or template, or cron workflow)."""
        return with_empty_structs(self.filter_json(workflow)) if self.paths else workflow

    def filter_list(self, reply: Json) -> Json:
        """The filtered copy of a list reply {"metadata", "items"}; paths of single objects begin with `items.`.

        As Argo does: the filter runs over the whole reply, so `metadata` of the list stays only when asked for.
        """
        if not self.paths:
            return reply
        kept = self.filter_json(reply)
        items = kept.get("items")
        kept["items"] = [with_empty_structs(item) for item in items] if items is not None else None
        kept.setdefault("metadata", {})
        return {"metadata": kept.pop("metadata"), **kept}


@memoised(128)
def field_filter(text: str) -> FieldFilter:
    """`a.b,c` keeps these, `-a.b,c` leaves these out, "" keeps everything."""
    if not text:
        return FieldFilter()
    exclude = text.startswith("-")
    return FieldFilter(frozenset((text[1:] if exclude else text).split(",")), exclude)


def with_empty_structs(workflow: Json) -> Json:
    """The object with the structs that Go always writes: metadata, spec.arguments, status with its two times; in templates
    inputs, outputs, metadata. A workflow template keeps its spec only if it has no status."""
    shaped: Json = {"metadata": workflow.get("metadata") or {}}
    spec = dict(workflow.get("spec") or {})
    spec.setdefault("arguments", {})
    if spec.get("templates"):
        spec["templates"] = [_template_with_empty_structs(template) for template in spec["templates"]]
    shaped["spec"] = spec
    shaped["status"] = {"startedAt": None, "finishedAt": None, **(workflow.get("status") or {})}
    return {**workflow, **shaped}


def _template_with_empty_structs(template: Json) -> Json:
    return {"inputs": {}, "outputs": {}, "metadata": {}, **template}


def _select_parts(item: Any, path: str, paths: frozenset[str], exclude: bool) -> Any:
    if isinstance(item, dict):
        selected = {}
        for key, value in item.items():
            below = f"{path}.{key}" if path else key
            named, wanted = _is_named(below, paths)
            if (exclude and not named) or (not exclude and wanted):
                selected[key] = value if named else _select_parts(value, below, paths, exclude)
        return selected
    if isinstance(item, list):
        return [_select_parts(element, path, paths, exclude) for element in item]
    return item


@lru_cache(maxsize=1024)
def _is_named(path: str, paths: frozenset[str]) -> tuple[bool, bool]:
    """(whether the path is one of these, whether one of these begins with it). Cached, as a list filters thousands of similar objects."""
    named = path in paths
    return named, named or any(one.startswith(path) for one in paths)
