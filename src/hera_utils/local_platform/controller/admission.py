"""Before a workflow becomes a run: normalises and validates its document, and collects the objects that it refers to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo import support
from hera_utils.argo.conditions import add_spec_warning
from hera_utils.argo.schema import decode
from hera_utils.errors import InvalidWorkflow, Refused
from hera_utils.interpreter.document import Lookup, reachable_templates, resource_of
from hera_utils.interpreter.remarks import remarks
from hera_utils.interpreter.resubmit import resubmit
from hera_utils.interpreter.submission import with_parameters
from hera_utils.interpreter.validation.stored import check_stored
from hera_utils.interpreter.validation.workflow import validate
from hera_utils.local_platform.artifacts import substitutes
from hera_utils.local_platform.clock import now, seed
from hera_utils.local_platform.controller.durations import expected_durations
from hera_utils.local_platform.storage.read_model import ReadModel

Json = dict[str, Any]
PARAMETER_LABEL = "workflows.argoproj.io/configmap-type"
REPOSITORIES = "artifact-repositories"
MOST_CHARACTERS = 20_000_000
"""The limit for all config maps with parameters together, and for all stored templates together: each run keeps those it may use."""
DEFAULT_REPOSITORY = "workflows.argoproj.io/default-artifact-repository"


_WITH_CONTAINERS = ("container", "script", "containerSet")


@dataclass(frozen=True)
class AdmittedWorkflow:
    """A workflow that may run: its document, and what it needs from its namespace.

    templates: the stored templates that it can reach. config_maps: those that may hold parameters. warnings: one sentence for each part
    of it that has no effect on this machine. repository, durations: see Submitted.
    """

    document: Json
    templates: tuple[Json, ...]
    config_maps: dict[str, dict[str, str]]
    warnings: tuple[str, ...]
    repository: Json = field(default_factory=dict)
    durations: dict[str, int] = field(default_factory=dict)

    @property
    def has_containers(self) -> bool:
        """Whether a template that it has or can reach runs in a container."""
        specs = [part.get("spec") or {} for part in (self.document, *self.templates)]
        listed = (template for spec in specs for template in spec.get("templates") or ())
        return any(kind in template for template in listed for kind in _WITH_CONTAINERS)

    def with_warnings(self, document: Json) -> Json:
        """Add the warnings to the named document before it is stored. Raises Refused for a document that Kubernetes would not store."""
        check_stored(document)
        status = document.setdefault("status", {})
        if self.warnings:
            add_spec_warning(status, self.warnings)
        return document


class Admission:
    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model

    def admit(self, namespace: str, document: Json) -> AdmittedWorkflow:
        """Check a workflow and collect what it needs. Raises InvalidWorkflow, Refused or UnsupportedError."""
        decoded = self._check_document("Workflow", namespace, document, lint=False)
        templates = self._templates(namespace, decoded)
        findings = support.findings_of_run(decoded, templates)
        support.refuse_unsupported(findings)
        repository = self._repository(namespace)
        secret = self._read_model.secrets_of(namespace)
        places = substitutes.describe_substitutes(decoded, templates, repository, secret)
        warnings = (*support.warnings(findings), *remarks(decoded, templates), *places)
        config_maps = self._config_maps(namespace) if _refers_to_config_maps([decoded, *templates]) else {}
        durations = expected_durations(self._read_model, namespace, decoded)
        return AdmittedWorkflow(decoded, templates, config_maps, warnings, repository, durations)

    def _repository(self, namespace: str) -> Json:
        """The default artifact repository: as in Argo, in the config map `artifact-repositories`, at the key that its annotation names."""
        config_map = self._read_model.object(("ConfigMap", namespace, REPOSITORIES))
        if config_map is None:
            return {}
        document = json.loads(config_map.text)
        key = (document["metadata"].get("annotations") or {}).get(DEFAULT_REPOSITORY) or ""
        text = (document.get("data") or {}).get(key)
        if text is None:
            return {}
        import yaml

        from hera_utils.argo import yaml_limits

        try:
            repository = yaml_limits.parse(text) or {}
        except yaml.YAMLError as error:
            raise InvalidWorkflow(
                f'failed to unmarshall config map key "{key}" for artifact repository ref "{namespace}/{REPOSITORIES}"',
                fix=f"correct the YAML of config map {REPOSITORIES}: {error}",
            ) from None
        return {"configMap": REPOSITORIES, "key": key, "namespace": namespace, "artifactRepository": repository}

    def again(self, document: Json, *, memoized: bool, parameters: tuple[str, ...]) -> Json:
        """The document that resubmits an earlier workflow. Raises Refused with Argo's message."""
        return resubmit(document, at=now(), seed=seed(), memoized=memoized, parameters=parameters)

    def fault_of_retry(self, document: Json, parameters: tuple[str, ...]) -> str:
        """Why a workflow cannot be retried in place with these parameters; "" when it can.

        Argo's controller validates it again, and fails it, in Kubernetes' words, when a template that it refers to no longer exists.
        """
        lookup = self._lookup(document["metadata"]["namespace"])

        def demand(kind: str, name: str) -> Json:
            template = lookup(kind, name)
            if template is None:
                raise InvalidWorkflow(f'{resource_of(kind)} "{name}" not found')
            return template

        arguments = document["spec"].get("arguments")
        try:
            if parameters:
                arguments = with_parameters(arguments, parameters)
            retried = {**document, "spec": {**document["spec"], "arguments": arguments}}
            validate(retried, demand)
        except (InvalidWorkflow, Refused) as error:
            return error.message
        return ""

    def lint(self, kind: str, namespace: str, document: Json) -> Json:
        """Validate a document and give it as Argo's server stores it. A workflow is also refused when this machine cannot run it."""
        decoded = self._check_document(kind, namespace, document, lint=True)
        if kind == "Workflow":
            support.refuse_unsupported(support.findings_of_run(decoded, self._templates(namespace, decoded)))
        return decoded

    def _check_document(self, kind: str, namespace: str, document: Json, *, lint: bool) -> Json:
        decoded = decode(document, kind)
        metadata = decoded.setdefault("metadata", {})
        if kind != "ClusterWorkflowTemplate":
            metadata["namespace"] = namespace
        validate(decoded, self._lookup(namespace), kind=kind, lint=lint)
        return decoded

    def _templates(self, namespace: str, document: Json) -> tuple[Json, ...]:
        """The stored templates that a workflow can reach."""

        lookup = self._lookup(namespace)

        def everything(kind: str) -> Iterable[Json]:
            place = "" if kind == "ClusterWorkflowTemplate" else namespace
            templates = (lookup(kind, stored.name) for stored in self._read_model.objects(kind, place))
            return [template for template in templates if template is not None]

        return reachable_templates(document, lookup, everything)

    def _lookup(self, namespace: str) -> Lookup:
        """A function that finds stored templates for one workflow. It raises InvalidWorkflow when they become too large together."""
        sizes: dict[tuple[str, str], int] = {}

        def lookup(kind: str, name: str) -> Json | None:
            place = "" if kind == "ClusterWorkflowTemplate" else namespace
            stored = self._read_model.object((kind, place, name))
            if stored is None:
                return None
            sizes[kind, name] = len(stored.text)
            if sum(sizes.values()) > MOST_CHARACTERS:
                raise InvalidWorkflow(
                    f"the stored templates to which this workflow refers have more than {MOST_CHARACTERS} characters",
                    fix="refer to fewer, or to smaller ones",
                )
            return {**json.loads(stored.text), "kind": kind}

        return lookup

    def _config_maps(self, namespace: str) -> dict[str, dict[str, str]]:
        """The config maps that may hold parameters, by name: those with the label Parameter."""
        config_maps: dict[str, dict[str, str]] = {}
        characters = 0
        for stored in self._read_model.objects("ConfigMap", namespace):
            if PARAMETER_LABEL not in stored.text:
                continue
            document = json.loads(stored.text)
            if (document["metadata"].get("labels") or {}).get(PARAMETER_LABEL) != "Parameter":
                continue
            data = config_maps[stored.name] = dict(document.get("data") or {})
            characters += sum(map(len, data.values()))
            if characters > MOST_CHARACTERS:  # checked here, so that further config maps are not read
                raise InvalidWorkflow(
                    f"the config maps with parameters of the namespace {namespace} have more than {MOST_CHARACTERS} characters",
                    fix=f"delete some, or their label {PARAMETER_LABEL}",
                )
        return config_maps


def _refers_to_config_maps(value: Any) -> bool:
    """Whether a parameter may come from a config map. The name may be computed, so the run then gets all config maps."""
    if isinstance(value, dict):
        return "configMapKeyRef" in value or any(map(_refers_to_config_maps, value.values()))
    return isinstance(value, list) and any(map(_refers_to_config_maps, value))
