"""Whether Argo would accept a document as a workflow: `validate` raises the error with Argo's message.

Source of the rules: Argo 4.1.2, workflow/validate. Arguments may be missing in a template, and when a document is only linted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hera_utils.argo.faults import not_found
from hera_utils.argo.names import label_key_faults, label_value_faults, reference_kind
from hera_utils.argo.selectors import label_selector_of
from hera_utils.errors import InvalidWorkflow, Refused
from hera_utils.expressions.gotext import quote
from hera_utils.expressions.tags import PLACEHOLDER
from hera_utils.interpreter.document import Lookup, resource_of, template_documents
from hera_utils.interpreter.validation.fields import (
    check_arguments,
    check_hooks,
    check_names,
    check_pod_resources,
    is_tag,
)
from hera_utils.interpreter.validation.template_scope import CheckedHolder
from hera_utils.interpreter.validation.templates import TemplateChecks
from hera_utils.interpreter.validation.variables import ANY_OUTPUT_ARTIFACT

Json = dict[str, Any]

_NAME_LENGTH = 63
_POD_GC = ("", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
_KIND_WORDS = {"WorkflowTemplate": "workflow template", "ClusterWorkflowTemplate": "cluster workflow template"}


def validate(
    document: Json,
    templates: Iterable[Json] | Lookup = (),
    *,
    kind: str = "Workflow",
    lint: bool = False,
) -> None:
    """Check a document that `argo.schema.decode` has read.

    templates: the WorkflowTemplates and ClusterWorkflowTemplates that it may refer to, whole (`kind` set), or how to find them.
    Raises InvalidWorkflow with Argo's message, Refused (NotFound) when its workflowTemplateRef does not exist.
    """
    lookup: Lookup = templates if callable(templates) else template_documents(templates)
    try:
        if kind == "CronWorkflow":
            _cron(document, lookup)
        else:
            _Document(document, lookup, kind, lint=lint).check()
    except RecursionError:
        raise InvalidWorkflow("templates call each other or are nested too deeply to be checked") from None


def _cron(document: Json, lookup: Lookup) -> None:
    from hera_utils.interpreter.cron.schedules import check_cron

    check_cron(document)
    spec = document.get("spec") or {}
    workflow = {"metadata": {"labels": (spec.get("workflowMetadata") or {}).get("labels") or {}}}
    workflow["spec"] = spec.get("workflowSpec") or {}
    workflow["metadata"]["annotations"] = (spec.get("workflowMetadata") or {}).get("annotations") or {}
    try:
        _Document(workflow, lookup, "Workflow", lint=False).check()
    except (InvalidWorkflow, Refused) as error:
        raise InvalidWorkflow(f"cannot validate Workflow: {error}") from None


class _Document:
    def __init__(self, document: Json, lookup: Lookup, kind: str, *, lint: bool) -> None:
        self.metadata: Json = document.get("metadata") or {}
        self.spec: Json = document.get("spec") or {}
        self.kind = kind
        self.lookup = lookup
        self.template = kind != "Workflow"
        self.may_be_empty = lint or self.template
        self.referred: Json = {}
        self.known_names: dict[str, str] = {}

    def check(self) -> None:
        self._check_name()
        self._find_reference()
        check_names("spec.templates", self.spec.get("templates"), values=False)
        _check_executor_plugins(self.spec)
        arguments = self._arguments()
        check_arguments("spec.arguments.", arguments, may_be_empty=self.may_be_empty)
        self._name_globals(arguments)
        entrypoint = self.spec.get("entrypoint") or self.referred.get("entrypoint") or ""
        if not entrypoint and not self.template:
            raise InvalidWorkflow("spec.entrypoint is required")
        name = self.metadata.get("name", "") if not self.template else ""
        home = CheckedHolder("local", name, self.spec)
        checks = TemplateChecks(home, self.lookup, self.known_names, template=self.template)
        if entrypoint and (not self.template or self.spec.get("entrypoint")):
            checks.check_call(self._call(entrypoint), home, None if self.template else arguments)
        self._check_exit(checks, home)
        check_hooks(self.spec.get("hooks"), "hooks")
        _check_pod_gc(self.spec.get("podGC"))
        check_pod_resources("spec.podResources", self.spec.get("podResources"))
        source = self.referred if self.reference else self.spec
        for template in source.get("templates") or ():
            called = template.get("name", "")
            try:
                checks.check_call(self._call(called), home, None)
            except InvalidWorkflow as error:
                raise InvalidWorkflow(f"templates.{called} {error}") from None

    @property
    def reference(self) -> Json | None:
        return self.spec.get("workflowTemplateRef")

    def _call(self, name: str) -> Json:
        """The call of a template by the document itself; the templates of its workflowTemplateRef belong to another object."""
        if self.reference is None:
            return {"template": name}
        return {"templateRef": {**self.reference, "template": name}}

    def _check_name(self) -> None:
        name = self.metadata.get("name") or ""
        if len(name.encode()) > _NAME_LENGTH:
            raise InvalidWorkflow(
                f'{_KIND_WORDS.get(self.kind, "workflow")} name "{name}" must not be more than 63 characters long'
                f" (currently {len(name.encode())})"
            )

    def _find_reference(self) -> None:
        if self.reference is None:
            return
        if self.spec.get("templates"):
            raise InvalidWorkflow("Templates is invalid field in spec if workflow referred WorkflowTemplate reference")
        kind, name = reference_kind(self.reference), self.reference.get("name") or ""
        template = self.lookup(kind, name)
        if template is None:
            raise not_found(resource_of(kind), name)
        self.referred = template.get("spec") or {}

    def _arguments(self) -> Json:
        """The arguments of the workflow and of its template; for each name the workflow's win."""
        own, referred = self.spec.get("arguments") or {}, self.referred.get("arguments") or {}
        joined: Json = {}
        for kind in ("parameters", "artifacts"):
            by_name: dict[str, Json] = {}
            both = [*(own.get(kind) or ())]
            if self.reference is not None:
                for one in (*both, *(referred.get(kind) or ())):
                    by_name.setdefault(one.get("name", ""), one)
                both = list(by_name.values())
            if both:
                joined[kind] = both
        return joined

    def _name_globals(self, arguments: Json) -> None:
        """Add the variables that all templates may use."""
        global_names = self.known_names
        for name in ("name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "status"):
            global_names[f"workflow.{name}"] = f"{PLACEHOLDER}0"
        parameters = arguments.get("parameters") or ()
        for parameter in parameters:
            value = parameter.get("value")
            global_names[f"workflow.parameters.{parameter['name']}"] = f"{PLACEHOLDER}0" if value is None else value
        if parameters:
            global_names["workflow.parameters"] = global_names["workflow.parameters.json"] = f"{PLACEHOLDER}0"
        sources = [s.get("workflowMetadata") or {} for s in (self.spec, self.referred)]
        for kind in ("annotations", "labels"):
            global_names[f"workflow.{kind}"] = global_names[f"workflow.{kind}.json"] = f"{PLACEHOLDER}0"
            names = [self.metadata.get(kind) or {}, *(source.get(kind) or {} for source in sources)]
            if kind == "labels":
                names += [source.get("labelsFrom") or {} for source in sources]
            for name in {name for one in names for name in one}:
                global_names[f"workflow.{kind}.{name}"] = f"{PLACEHOLDER}0"
        if self.spec.get("priority") is not None:
            global_names["workflow.priority"] = str(self.spec["priority"])

    def _check_exit(self, checks: TemplateChecks, home: CheckedHolder) -> None:
        name = self.spec.get("onExit") or self.referred.get("onExit") or ""
        if not name:
            return
        self.known_names["workflow.failures"] = f"{PLACEHOLDER}0"
        if any(_names_artifacts_later(spec) for spec in (self.spec, self.referred)):
            self.known_names[ANY_OUTPUT_ARTIFACT] = "true"
        checks.check_call(self._call(name), home, self.spec.get("arguments") or {})


def _names_artifacts_later(spec: Json) -> bool:
    """Whether an output artifact has a global name that is known only in the run."""
    outputs = (template.get("outputs") or {} for template in spec.get("templates") or ())
    return any(
        is_tag(artifact.get("globalName") or "") for output in outputs for artifact in output.get("artifacts") or ()
    )


def _check_pod_gc(pod_gc: Mapping[str, Any] | None) -> None:
    if pod_gc is None:
        return
    strategy = pod_gc.get("strategy") or ""
    if strategy not in _POD_GC:
        raise InvalidWorkflow(f"podGC.strategy unknown strategy '{strategy}'")
    selector = pod_gc.get("labelSelector") or {}
    for key, value in sorted((selector.get("matchLabels") or {}).items()):
        for fault in label_key_faults(key):
            raise InvalidWorkflow(f"podGC.labelSelector invalid: key: Invalid value: {quote(key)}: {fault}")
        for fault in label_value_faults(value):
            raise InvalidWorkflow(
                f"podGC.labelSelector invalid: values[0][{key}]: Invalid value: {quote(value)}: {fault}"
            )
    try:
        label_selector_of(selector)
    except Refused as error:
        raise InvalidWorkflow(f"podGC.labelSelector invalid: {error}") from None


_SIDECAR_NEEDS: tuple[tuple[Callable[[Json], Any], str], ...] = (
    (lambda container: container.get("ports"), "at least one port is mandatory"),
    (
        lambda container: (container.get("resources") or {}).get("requests") is not None,
        "resources requests are mandatory",
    ),
    (lambda container: (container.get("resources") or {}).get("limits") is not None, "resources limits are mandatory"),
    (lambda container: container.get("securityContext") is not None, "security context is mandatory"),
)


def _check_executor_plugins(spec: Json) -> None:
    for plugin in spec.get("executorPlugins") or ():
        if not (plugin.get("metadata") or {}).get("name"):
            raise InvalidWorkflow("spec.executorPlugins: executor plugin metadata name is mandatory")
        container = ((plugin.get("spec") or {}).get("sidecar") or {}).get("container") or {}
        for has, message in _SIDECAR_NEEDS:
            if not has(container):
                raise InvalidWorkflow(f"spec.executorPlugins: {message}")
