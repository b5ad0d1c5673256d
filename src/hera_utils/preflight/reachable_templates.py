"""The templates that a run of a workflow may call; only these are checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.names import reference_kind
from hera_utils.argo.template_calls import calls_with_hooks, hooks_of
from hera_utils.errors import Refused
from hera_utils.preflight.needs import fill_parameters_of

Json = dict[str, Any]
Lookup = Callable[[str, str], Json | None]
"""(kind, name) → the stored WorkflowTemplate or ClusterWorkflowTemplate, None when there is none."""


@dataclass(frozen=True)
class Reach:
    """The reachable part of a workflow. spec: with only the templates that may run. unknown: missing stored templates → the field.

    children: the workflows that its resource templates create, and those that these create, each with the template that creates it.
    """

    spec: Json
    unknown: Mapping[tuple[str, str], str]
    children: tuple[tuple[str, Reach], ...] = ()

    @property
    def specs(self) -> list[Json]:
        """Its own, and those of its children."""
        return [self.spec, *(child.spec for _, child in self.children)]


def reach_of(document: Json, lookup: Lookup, outer_manifests: frozenset[str] = frozenset()) -> Reach:
    """The reachable part of a workflow or of a cron workflow's runs, with stored templates.

    outer_manifests: the manifests around this workflow, as one that a stored template creates may refer to that template again.
    """
    spec = document.get("spec") or {}
    if document.get("kind") == "CronWorkflow":
        spec = spec.get("workflowSpec") or {}
    unknown: dict[tuple[str, str], str] = {}
    reference = spec.get("workflowTemplateRef")
    if reference:
        kind, name = reference_kind(reference), str(reference.get("name") or "")
        stored = lookup(kind, name)
        if stored is None:
            return Reach(spec, {(kind, name): "spec.workflowTemplateRef"})
        from hera_utils.interpreter.document import join_specs

        spec = join_specs(spec, stored.get("spec") or {})
    if document.get("kind") in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
        return Reach(spec, unknown)  # a run of a stored template may choose any entrypoint
    spec = {**spec, "templates": list(_walk_templates(spec, lookup, unknown))}
    return Reach(spec, unknown, tuple(_children_of(spec, lookup, outer_manifests)))


def _children_of(spec: Json, lookup: Lookup, outer_manifests: frozenset[str]) -> Iterator[tuple[str, Reach]]:
    """A manifest that is no workflow before its tags have values is left out."""
    for template in spec["templates"]:
        resource = template.get("resource") or {}
        text = resource.get("manifest")
        if resource.get("action") not in ("create", "apply") or not isinstance(text, str) or text in outer_manifests:
            continue
        import yaml

        from hera_utils.argo import schema, yaml_limits

        try:
            documents = yaml_limits.parse_all(fill_parameters_of(spec)(text))
            workflows = [document for document in documents if document.get("kind") == "Workflow"]
            decoded = [schema.decode(document, "Workflow") for document in workflows]
        except (yaml.YAMLError, ValueError, AttributeError, Refused):
            continue
        for document in decoded:
            child = reach_of(document, lookup, outer_manifests | {text})
            yield from ((str(template.get("name") or ""), child), *child.children)


def _walk_templates(spec: Json, lookup: Lookup, unknown: dict[tuple[str, str], str]) -> Iterator[Json]:
    own = ("", "")
    homes: dict[tuple[str, str], dict[str, Json]] = {own: _templates_by_name(spec)}
    calls: list[tuple[tuple[str, str], Json]] = [(own, {"template": spec.get("entrypoint")})]
    if spec.get("onExit"):
        calls.append((own, {"template": spec["onExit"]}))
    calls += [(own, hook) for hook in hooks_of(spec)]
    visited: set[tuple[tuple[str, str], str]] = set()
    while calls:
        home, call = calls.pop()
        inline = call.get("inline")
        if inline:
            yield inline
            calls += [(home, inner) for inner in calls_with_hooks(inline)]
        reference = call.get("templateRef")
        name = str((reference or call).get("template") or "")
        if reference:
            home = (reference_kind(reference), str(reference.get("name") or ""))
            if home not in homes:
                stored = lookup(*home)
                if stored is None and "{{" not in home[1]:
                    unknown.setdefault(home, f"{call.get('name') or 'a call'}.templateRef")
                homes[home] = _templates_by_name((stored or {}).get("spec") or {})
        template = homes[home].get(name)
        if template is None or (home, name) in visited:
            continue
        visited.add((home, name))
        yield template
        calls += [(home, inner) for inner in calls_with_hooks(template)]


def _templates_by_name(spec: Json) -> dict[str, Json]:
    return {str(template.get("name")): template for template in spec.get("templates") or ()}
