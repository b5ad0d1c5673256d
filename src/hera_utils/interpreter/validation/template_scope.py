"""Finds the template that a step, task or hook calls, in a document that is checked (Argo: templateresolution)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hera_utils.argo.names import reference_kind
from hera_utils.errors import ExpressionError, InvalidWorkflow
from hera_utils.expressions import tags
from hera_utils.interpreter.document import Lookup
from hera_utils.interpreter.templates import kind_of

Json = dict[str, Any]


@dataclass(frozen=True)
class CheckedHolder:
    """A home in which templates are looked up by name: the workflow (scope local), a WorkflowTemplate or a ClusterWorkflowTemplate."""

    scope: str
    name: str
    spec: Json = field(repr=False, default_factory=dict)

    @cached_property
    def templates(self) -> dict[str, Json]:
        by_name: dict[str, Json] = {}
        for template in self.spec.get("templates") or ():
            by_name.setdefault(template.get("name", ""), self._with_metadata(template))
        return by_name

    def _with_metadata(self, template: Json) -> Json:
        """A template with the pod metadata of its home; its own metadata win."""
        pod_metadata, own = self.spec.get("podMetadata"), template.get("metadata") or {}
        if not pod_metadata:
            return template
        kinds = ("annotations", "labels")
        return {
            **template,
            "metadata": {kind: {**(pod_metadata.get(kind) or {}), **(own.get(kind) or {})} for kind in kinds},
        }

    @property
    def image_defaults(self) -> Mapping[str, Any]:
        """templateDefaults, as far as they give an image. Argo ignores those of a ClusterWorkflowTemplate."""
        return {} if self.scope == "cluster" else self.spec.get("templateDefaults") or {}


class UnknownTemplate(Exception):
    """A template cannot be checked because its name is known only in the run."""


class TemplateResolver:
    """Finds the templates of one document."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self._homes: dict[tuple[str, str], CheckedHolder] = {}
        self._stored: dict[str, Json] = {}

    def resolve(self, holder: Mapping[str, Any], home: CheckedHolder) -> tuple[CheckedHolder, Json]:
        reference, name = holder.get("templateRef"), holder.get("template") or ""
        if reference is not None:
            return self._resolve_reference(reference, name, holder)
        local = home.templates.get(name)
        if local is None and home.scope == "local":
            # In Argo a workflow can also call a template to which it has referred by the bare name.
            local = self._stored.get(name)
        if name and local is None:
            raise InvalidWorkflow(f"template name '{name}' undefined")
        template = holder.get("inline") or local
        if template is None:
            raise InvalidWorkflow("failed to get a template")
        return home, self._check_type(template)

    def _resolve_reference(self, reference: Json, name: str, holder: Mapping[str, Any]) -> tuple[CheckedHolder, Json]:
        if name:
            raise InvalidWorkflow("template name cannot be specified with templateRef")
        resource, template_name = reference.get("name") or "", reference.get("template") or ""
        if not resource:
            raise InvalidWorkflow("resource name is required")
        if not template_name:
            raise InvalidWorkflow("template name is required")
        if _holds_tags(reference):
            raise UnknownTemplate
        if holder.get("inline"):
            raise InvalidWorkflow(f"template reference {resource}.{template_name} not found")
        home = self.outside(reference_kind(reference), resource)
        template = home.templates.get(template_name) if home else None
        if home is None or template is None:
            if tags.PLACEHOLDER in template_name:
                raise UnknownTemplate
            raise InvalidWorkflow(f"template reference {resource}.{template_name} not found")
        self._stored.setdefault(template_name, template)
        return home, self._check_type(template)

    def outside(self, kind: str, name: str) -> CheckedHolder | None:
        """A WorkflowTemplate or ClusterWorkflowTemplate as a home, None when it does not exist."""
        scope = "cluster" if kind == "ClusterWorkflowTemplate" else "namespaced"
        if (scope, name) not in self._homes:
            document = self.lookup(kind, name)
            if document is None:
                return None
            self._homes[scope, name] = CheckedHolder(scope, name, document.get("spec") or {})
        return self._homes[scope, name]

    def _check_type(self, template: Json) -> Json:
        if not kind_of(template):
            raise InvalidWorkflow(f"template '{template.get('name', '')}' type is unknown")
        return template


def _holds_tags(reference: Json) -> bool:
    try:
        return any(not tag.expression for tag in tags.tags_in(reference))
    except ExpressionError:
        return True
