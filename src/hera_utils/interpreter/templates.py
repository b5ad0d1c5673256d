"""Finds the template of a step, a task or a hook (Argo: templateresolution).

A template is looked up in a home: the workflow itself, or the WorkflowTemplate of the caller. Templates from outside the workflow are
stored in status.storedTemplates, so that a later change of the WorkflowTemplate does not affect a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hera_utils.argo.template_calls import calls_of, calls_with_hooks, hooks_of
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json

KINDS = ("container", "containerSet", "steps", "dag", "script", "resource", "data", "suspend", "http", "plugin")
"""The fields that determine the kind of a template, in Argo's order."""

NO_TEMPLATE = "failed to get a template"
"""Argo's message if no template is named, and for a loop with an inline template, when Argo searches the template of the loop."""

POD_KINDS = frozenset({"container", "containerSet", "script", "resource", "data"})


def kind_of(template: Mapping[str, Any]) -> str:
    """The kind of a template, "" without one."""
    for kind in KINDS:
        if template.get(kind) is not None:
            return kind
    return ""


@dataclass(frozen=True)
class TemplateHolder:
    """A home in which templates are looked up by name. scope: local, namespaced or cluster."""

    scope: str
    name: str

    @lru_cache(maxsize=64)  # noqa: B019 - it is frozen and small; thousands of nodes have the same text
    def __str__(self) -> str:
        return f"{self.scope}/{self.name}"


class Templates:
    """The templates of a run. local: the workflow's own. outside: WorkflowTemplates and ClusterWorkflowTemplates, whole documents."""

    def __init__(self, spec: Json, document: Json, outside: Iterable[Json]) -> None:
        self._document = document
        self._local = {template["name"]: template for template in spec.get("templates") or ()}
        self._metadata = spec.get("podMetadata")
        self._outside: dict[tuple[str, str], Json] = {}
        for template in outside:
            scope = "cluster" if template.get("kind") == "ClusterWorkflowTemplate" else "namespaced"
            self._outside[scope, template["metadata"]["name"]] = template

    def resolve(self, holder: Mapping[str, Any], home: TemplateHolder) -> tuple[TemplateHolder, Json]:
        """(home of what the template itself calls, template). Raises Fault with Argo's message."""
        key = self._stored_key(holder, home)
        stored = (self._document["status"].get("storedTemplates") or {}).get(key) if key else None
        template = stored if stored is not None else self._find(holder, home)
        reference = holder.get("templateRef")
        if reference:
            home = TemplateHolder(
                "cluster" if reference.get("clusterScope") else "namespaced", reference.get("name", "")
            )
        if key and stored is None:
            self._store(key, home, template)
        if not kind_of(template):
            raise Fault(f"template '{template.get('name', '')}' type is unknown")
        return home, template

    def store_reached(self, spec: Json, home: TemplateHolder) -> None:
        """Store all templates from outside that the workflow's templates and hooks can call, whether they will run or not.

        Argo stores them while it validates a workflow, which it does before the workflow begins. What is not found is reported when it
        is called.
        """
        calls = [(hook, home) for hook in hooks_of(spec)]
        calls += [(call, home) for template in spec.get("templates") or () for call in calls_with_hooks(template)]
        visited: set[str] = set()
        while calls:
            call, home = calls.pop()
            key = self._stored_key(call, home)
            if not key or key in visited:
                continue
            visited.add(key)
            try:
                inner, template = self.resolve(call, home)
            except Fault:
                continue
            calls += [(each, inner) for each in calls_with_hooks(template)]

    def _store(self, key: str, home: TemplateHolder, template: Json) -> None:
        """Store a template from outside, and its inline templates, as written, without the values of a caller."""
        stored_templates = self._document["status"].setdefault("storedTemplates", {})
        stored_templates[key] = template
        for step in calls_of(template):
            if step.get("inline"):
                stored_templates.setdefault(f"{home}/inline/{step.get('name', '')}", step["inline"])

    def _stored_key(self, holder: Mapping[str, Any], home: TemplateHolder) -> str:
        reference = holder.get("templateRef")
        if reference:
            scope = "cluster" if reference.get("clusterScope") else "namespaced"
            return f"{scope}/{reference.get('name', '')}/{reference.get('template', '')}"
        if home.scope == "local":
            return ""
        if holder.get("inline"):
            return f"{home}/inline/{holder.get('name', '')}"
        return f"{home}/{holder.get('template', '')}"

    def _find(self, holder: Mapping[str, Any], home: TemplateHolder) -> Json:
        if holder.get("inline"):
            return dict(holder["inline"])
        reference = holder.get("templateRef")
        if reference:
            return self._referred(reference)
        name = holder.get("template") or ""
        if not name:
            raise Fault(NO_TEMPLATE)
        if home.scope == "local":
            template, metadata = self._local.get(name), self._metadata
        else:
            spec = self._spec(home.scope, home.name)
            template, metadata = _by_name(spec, name), spec.get("podMetadata")
        if template is None:
            raise Fault(f"template {name} not found")
        return _with_metadata(template, metadata)

    def _referred(self, reference: Mapping[str, Any]) -> Json:
        scope = "cluster" if reference.get("clusterScope") else "namespaced"
        name, wanted = reference.get("name", ""), reference.get("template", "")
        spec = self._spec(scope, name)
        template = _by_name(spec, wanted)
        if template is None:
            raise Fault(f"template {wanted} not found in workflow template {name}")
        return _with_metadata(template, spec.get("podMetadata"))

    def _spec(self, scope: str, name: str) -> Json:
        document = self._outside.get((scope, name))
        if document is None:
            raise Fault(f"workflow template {name} not found")
        spec: Json = document.get("spec") or {}
        return spec


def _by_name(spec: Json, name: str) -> Json | None:
    return next((template for template in spec.get("templates") or () if template.get("name") == name), None)


def _with_metadata(template: Json, metadata: Json | None) -> Json:
    """The template with the pod metadata of its home; its own metadata win."""
    if not metadata:
        return template
    own = template.get("metadata") or {}
    merged = {kind: {**(metadata.get(kind) or {}), **(own.get(kind) or {})} for kind in ("annotations", "labels")}
    return {**template, "metadata": {**own, **{kind: values for kind, values in merged.items() if values}}}
