"""Checks templates and their calls from the entrypoint down (Argo: validateTemplate, validateSteps, validateDAG).

A template is checked thoroughly once, with placeholders as arguments; each further call only checks whether its arguments are complete.
So 10,000 tasks of one template take ten times as long as 1,000.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from hera_utils.errors import ExpressionError, InvalidWorkflow
from hera_utils.expressions import tags
from hera_utils.interpreter.document import Lookup
from hera_utils.interpreter.templates import KINDS, POD_KINDS, kind_of
from hera_utils.interpreter.validation.fields import (
    check_arguments,
    check_hooks,
    check_location,
    check_names,
    check_pod_resources,
    has_location_or_key,
    is_tag,
    step_name_fault,
)
from hera_utils.interpreter.validation.graph import Graph, check_argument_sources, check_results
from hera_utils.interpreter.validation.leaf import (
    LEAVES,
    TYPE_NAMES,
    check_inputs,
    check_leaf,
    check_metrics,
    check_outputs,
)
from hera_utils.interpreter.validation.template_scope import CheckedHolder, TemplateResolver, UnknownTemplate
from hera_utils.interpreter.validation.variables import RETRIES, CheckedScope, item_names

Json = dict[str, Any]

_RETRY_POLICIES = ("Always", "OnError", "OnFailure", "OnTransientError", "", None)


class TemplateChecks:
    """The checks of one document. `global_names`: variables of the workflow, name → value or placeholder."""

    def __init__(self, home: CheckedHolder, lookup: Lookup, global_names: dict[str, str], *, template: bool) -> None:
        self.home = home
        self.resolver = TemplateResolver(lookup)
        self.global_names = global_names
        self.template = template
        self._checked: set[tuple[str, str, str]] = set()
        self._complete: set[int] = set()
        self._placeholders = 0

    def placeholder(self) -> str:
        self._placeholders += 1
        return f"{tags.PLACEHOLDER}{self._placeholders}"

    # --- calling ----------------------------------------------------------------------------------------------------

    def check_call(
        self, holder: Mapping[str, Any], home: CheckedHolder, arguments: Mapping[str, Any] | None
    ) -> Json | None:
        """Check the call of a step, task or hook, and its template. Returns the template, None if it is known only in the run.

        arguments: None for placeholders.
        """
        try:
            home, template = self.resolver.resolve(holder, home)
        except UnknownTemplate:
            return None
        policy = (template.get("retryStrategy") or {}).get("retryPolicy")
        if policy not in _RETRY_POLICIES:
            raise InvalidWorkflow(f"{policy} is not a valid RetryPolicy")
        self._check_template(template, home, arguments)
        return template

    # --- one template -------------------------------------------------------------------------------------------------

    def _check_template(self, template: Json, home: CheckedHolder, arguments: Mapping[str, Any] | None) -> None:
        name = template.get("name", "")
        if id(template) in self._complete:
            self._check_supplied(name, template, arguments)
            if not _depends_on_arguments(template) or arguments is None:
                return
        at = f"templates.{name}"
        _check_kind(at, template)
        scope = CheckedScope(self.global_names, template=self.template)
        check_inputs(template, scope)
        if any(not container.get("name") for container in template.get("initContainers") or ()):
            raise InvalidWorkflow("initContainers must all have container name")
        local = self._local_names(template, scope)
        filled = self._fill(name, template, arguments, local)
        _check_filled(name, template, filled)
        key = (home.scope, home.name, name)
        if key in self._checked:
            return  # Argo identifies a template by its name; of inline ones, which have none, it checks only the first
        self._checked.add(key)
        self._check_body(filled, home, scope)
        check_outputs(filled, scope)
        if filled.get("archiveLocation") is not None:
            check_location(f"templates.{filled.get('name', '')}.archiveLocation", filled["archiveLocation"])
        check_metrics(name, filled)
        if name:
            self._complete.add(id(template))

    def _check_body(self, filled: Json, home: CheckedHolder, scope: CheckedScope) -> None:
        kind = kind_of(filled)
        if kind == "steps":
            self._check_steps(filled, home, scope)
        elif kind == "dag":
            self._check_dag(filled, home, scope)
        else:
            check_leaf(filled, scope, home.image_defaults)

    def _local_names(self, template: Json, scope: CheckedScope) -> dict[str, str]:
        kind = kind_of(template)
        local: dict[str, str] = {}
        if kind in POD_KINDS:
            local["pod.name"] = self.placeholder()
        if template.get("retryStrategy") is not None:
            local.update((name, self.placeholder()) for name in RETRIES)
        scope.names.update(local)
        outputs = template.get("outputs") or {}
        if kind in LEAVES:
            scope.names.update(
                f"outputs.artifacts.{artifact.get('name', '')}.path"
                for artifact in outputs.get("artifacts") or ()
                if artifact.get("path")
            )
            scope.names.update(
                f"outputs.parameters.{parameter.get('name', '')}.path"
                for parameter in outputs.get("parameters") or ()
                if (parameter.get("valueFrom") or {}).get("path")
            )
        return local

    def _check_supplied(self, name: str, template: Json, arguments: Mapping[str, Any] | None) -> None:
        if arguments is not None:
            self._inputs(name, template.get("inputs") or {}, arguments)

    def _inputs(self, name: str, inputs: Json, arguments: Mapping[str, Any] | None) -> Json:
        """The inputs with their arguments (Argo: ProcessArgs). arguments: None for placeholders."""
        argument_by_name = {parameter["name"]: parameter for parameter in (arguments or {}).get("parameters") or ()}
        artifacts = {artifact["name"]: artifact for artifact in (arguments or {}).get("artifacts") or ()}
        filled: Json = {}
        if inputs.get("parameters"):
            filled["parameters"] = [
                self._parameter(
                    name,
                    parameter,
                    {"value": self.placeholder()} if arguments is None else argument_by_name.get(parameter["name"]),
                )
                for parameter in inputs["parameters"]
            ]
        if inputs.get("artifacts"):
            filled["artifacts"] = [
                self._artifact(
                    name, artifact, {"name": artifact["name"]} if arguments is None else artifacts.get(artifact["name"])
                )
                for artifact in inputs["artifacts"]
            ]
        return filled

    def _parameter(self, template: str, parameter: Json, argument: Mapping[str, Any] | None) -> Json:
        filled = dict(parameter)
        if filled.get("value") is None and filled.get("default") is not None:
            filled["value"] = filled["default"]
        if argument is not None:
            filled.pop("value", None)
            filled.pop("valueFrom", None)
            for source in ("value", "valueFrom"):
                if argument.get(source) is not None:
                    filled[source] = argument[source]
                    break
        if (filled.get("valueFrom") or {}).get("configMapKeyRef") is None and filled.get("value") is None:
            raise InvalidWorkflow(f"templates.{template} inputs.parameters.{parameter['name']} was not supplied")
        return filled

    def _artifact(self, template: str, artifact: Json, argument: Mapping[str, Any] | None) -> Json:
        if argument is None:
            if not artifact.get("optional") and not has_location_or_key(artifact):
                raise InvalidWorkflow(f"templates.{template} inputs.artifacts.{artifact['name']} was not supplied")
            return artifact
        own: Json = {field: artifact[field] for field in ("path", "mode", "recurseMode") if field in artifact}
        return {**argument, **own}

    def _fill(self, name: str, template: Json, arguments: Mapping[str, Any] | None, local: dict[str, str]) -> Json:
        """The template with the values of its inputs and all known variables substituted (Argo: SubstituteParams)."""
        filled = {**template, "inputs": self._inputs(name, template.get("inputs") or {}, arguments)}
        variables: dict[str, Any] = {**self.global_names, **local}
        try:
            prepared = tags.prepare(filled)
            filled = prepared.replace(variables)
            inputs, outputs = filled["inputs"], filled.get("outputs") or {}
            for parameter in inputs.get("parameters") or ():
                if parameter.get("value") is not None:
                    variables[f"inputs.parameters.{parameter['name']}"] = parameter["value"]
            variables["inputs.parameters"] = json.dumps(inputs.get("parameters"), separators=(",", ":"))
            for prefix, artifacts in (("inputs", inputs), ("outputs", outputs)):
                for artifact in artifacts.get("artifacts") or ():
                    if artifact.get("path"):
                        variables[f"{prefix}.artifacts.{artifact.get('name', '')}.path"] = artifact["path"]
            for parameter in outputs.get("parameters") or ():
                if (parameter.get("valueFrom") or {}).get("path"):
                    variables[f"outputs.parameters.{parameter.get('name', '')}.path"] = parameter["valueFrom"]["path"]
            again = prepared if prepared.document is filled else tags.prepare(filled)
            result: Json = again.replace(variables)
        except ExpressionError as error:
            raise InvalidWorkflow(f"templates.{name} {error}") from None
        return result

    # --- steps ----------------------------------------------------------------------------------------------------

    def _check_steps(self, template: Json, home: CheckedHolder, scope: CheckedScope) -> None:
        at = f"templates.{template.get('name', '')}"
        _check_not_leaf(at, template)
        names: set[str] = set()
        for index, group in enumerate(template.get("steps") or ()):
            for step in group or ():
                name = step.get("name") or ""
                _check_step_name(f"{at}.steps[{index}].name", name, names)
                self._check_step(step, f"{at}.steps[{index}].{name}", at, home, scope)

    def _check_step(self, step: Json, at: str, template_at: str, home: CheckedHolder, scope: CheckedScope) -> None:
        ref = f"steps.{step['name']}"
        scope.names.add(f"{ref}.status")
        scope.names.update(_with_place(at, lambda: item_names(step)))
        check_arguments(f"{at}.arguments.", step.get("arguments"), may_be_empty=False)
        called = _with_place(at, lambda: self.check_call(step, home, None))
        if _has_exit_hook(step):
            scope.add_node(ref, called, self.global_names, many=False)
        check_hooks(step.get("hooks"), at)
        _with_place(f"{template_at}.steps", lambda: scope.check(step, _inline_names(step)))
        many = bool(step.get("withItems")) or bool(step.get("withParam"))
        scope.add_node(ref, called, self.global_names, many=many)
        _with_place(at, lambda: self.check_call(step, home, step.get("arguments") or {}))

    # --- DAG ------------------------------------------------------------------------------------------------------

    def _check_dag(self, template: Json, home: CheckedHolder, scope: CheckedScope) -> None:
        at = f"templates.{template.get('name', '')}"
        _check_not_leaf(at, template)
        tasks: list[Json] = template["dag"].get("tasks") or []
        if not tasks:
            raise InvalidWorkflow(f"{at} must have at least one task")
        graph = Graph(tasks)
        tasks = _with_place(f"{at} sorting failed:", graph.sorted)
        check_names(f"{at}.tasks", tasks, values=False)
        called: dict[str, Json | None] = {}
        for task in tasks:
            called[task["name"]] = self._check_task_place(task, at, home, scope, graph)
        target = template["dag"].get("target") or ""
        _with_place(f"{at}.targets", lambda: scope.check(target))
        for one in target.split(" ") if target else ():
            if not is_tag(one) and one not in graph.tasks:
                raise InvalidWorkflow(f"{at}.targets: target '{one}' is not defined")
        for task in tasks:
            self._check_task(task, called[task["name"]], at, home, scope, graph)

    def _check_task_place(
        self, task: Json, at: str, home: CheckedHolder, scope: CheckedScope, graph: Graph
    ) -> Json | None:
        """Check the dependencies of a task, and its call."""
        name = task["name"]
        if (graph.uses_depends or task.get("dependencies")) and "0" <= name[0] <= "9":
            raise InvalidWorkflow(
                f"{at}.tasks.{name} name cannot begin with a digit when using either 'depends' or 'dependencies'"
            )
        if graph.uses_depends and task.get("dependencies"):
            raise InvalidWorkflow(f"{at} cannot use both 'depends' and 'dependencies' in the same DAG template")
        if graph.uses_depends and task.get("continueOn") is not None:
            raise InvalidWorkflow(
                f"{at} cannot use 'continueOn' when using 'depends'. Instead use 'dep-task.Failed'/'dep-task.Errored'"
            )
        called: Json | None = _with_place(f"{at}.tasks.{name}", lambda: self.check_call(task, home, None))
        many = bool(task.get("withItems")) or bool(task.get("withParam"))
        scope.add_node(f"tasks.{name}", called, self.global_names, many=many)
        _with_place(f"{at}.tasks.{name}", lambda: check_results(task))
        for dependency, of_items in graph.dependencies[name].items():
            other = graph.tasks[dependency]
            loops = other.get("withItems") or other.get("withParam") or other.get("withSequence") is not None
            if of_items and not loops:  # Argo's message names the other task twice
                raise InvalidWorkflow(
                    f"{at}.tasks.{dependency} dependency '{dependency}' uses an items-based condition"
                    " such as .AnySucceeded or .AllFailed but does not contain any items"
                )
        return called

    def _check_task(
        self, task: Json, called: Json | None, template_at: str, home: CheckedHolder, scope: CheckedScope, graph: Graph
    ) -> None:
        name = task["name"]
        at = f"{template_at}.tasks.{name}"
        if task.get("hooks") is not None:
            scope.names.add(f"tasks.{name}.status")
        scope.add_node(f"tasks.{name}", called, self.global_names, many=False)
        more = {*_inline_names(task), *_with_place(at, lambda: item_names(task))}

        def status_of_ancestor(tag: str) -> bool:
            prefix, _, rest = tag.partition(".")
            other, _, fact = rest.partition(".")
            return prefix == "tasks" and fact == "status" and graph.leads_to(other, name)

        _with_place(at, lambda: scope.check(task, more, status_of_ancestor))
        check_arguments(f"{at}.arguments.", task.get("arguments"), may_be_empty=False)
        _with_place(at, lambda: check_argument_sources(task, graph))
        _with_place(at, lambda: self.check_call(task, home, task.get("arguments") or {}))


# --- small checks ---------------------------------------------------------------------------------------------------


def _with_place(at: str, check: Callable[[], Any]) -> Any:
    """Run a check; its message begins with the place."""
    try:
        return check()
    except InvalidWorkflow as error:
        raise InvalidWorkflow(f"{at} {error}") from None


def _check_kind(at: str, template: Json) -> None:
    kinds = sum(1 for kind in KINDS if template.get(kind) is not None)
    choices = "container, containerSet, steps, script, resource, dag, suspend, template, template ref"
    if kinds == 0:
        raise InvalidWorkflow(f"{at} template type unspecified. choose one of: {choices}")
    if kinds > 1:
        raise InvalidWorkflow(f"{at} multiple template types specified. choose one of: {choices}")
    kind = kind_of(template)
    if template.get("podResources") is not None:
        if kind in ("http", "plugin"):
            raise InvalidWorkflow(f"{at}.podResources is not supported for {TYPE_NAMES[kind]} templates")
        check_pod_resources(f"{at}.podResources", template["podResources"])


def _check_filled(name: str, template: Json, filled: Json) -> None:
    kind = kind_of(filled)
    if template.get("resourceClaims") and kind not in POD_KINDS:
        raise InvalidWorkflow(
            f"templates.{name}.resourceClaims is not supported for {TYPE_NAMES[kind]} templates, which do not create a pod"
        )
    timeout = filled.get("timeout") or ""
    if timeout and kind not in LEAVES:
        raise InvalidWorkflow(f"{TYPE_NAMES[kind]} template doesn't support timeout field")
    if timeout and re.fullmatch(r"[+-]?[0-9]+", timeout):
        raise InvalidWorkflow(f"{filled.get('name', '')} has invalid duration format in timeout")
    if filled.get("pendingTimeout") and kind not in LEAVES:
        raise InvalidWorkflow(f"{TYPE_NAMES[kind]} template doesn't support pendingTimeout field")


def _depends_on_arguments(template: Json) -> bool:
    """Whether `_check_filled` may have another result with other arguments."""
    return any("{{" in (template.get(name) or "") for name in ("timeout", "pendingTimeout"))


def _check_not_leaf(at: str, template: Json) -> None:
    if template.get("activeDeadlineSeconds") is not None:
        raise InvalidWorkflow(f"{at}.activeDeadlineSeconds is only valid for leaf templates")


def _check_step_name(at: str, name: str, names: set[str]) -> None:
    if not name:
        raise InvalidWorkflow(f"{at} is required")
    if name in names:
        raise InvalidWorkflow(f"{at} '{name}' is not unique")
    fault = step_name_fault(name)
    if fault:
        raise InvalidWorkflow(f"{at} '{name}' is invalid: {fault}")
    names.add(name)


def _has_exit_hook(holder: Mapping[str, Any]) -> bool:
    return bool(holder.get("onExit")) or "exit" in (holder.get("hooks") or {})


def _inline_names(holder: Mapping[str, Any]) -> set[str]:
    inline = holder.get("inline") or {}
    return {
        f"inputs.parameters.{parameter['name']}" for parameter in (inline.get("inputs") or {}).get("parameters") or ()
    }
