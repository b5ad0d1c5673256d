"""The names to which a template may refer: parameters and artifacts of its inputs, and outputs of its earlier steps or tasks.

Keys are Argo's (util/variables/keys): `steps.NAME.outputs.parameters.P`, `inputs.artifacts.A`… A value is text, an artifact
(a dict), or None: the output of a node that was skipped and has no default ("absent optional").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hera_utils.argo import phases
from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter import substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import text_of

ABSENT = "__argo-internal.absent-optional-output__"
"""Marks an argument as an absent optional until its template is known (Argo: common.go)."""


class Scope:
    def __init__(self, template: Mapping[str, Any], entropy: Entropy) -> None:
        self.values = substitution.Variables({}, entropy)
        self._texts: dict[str, str | None] = {}
        """The values that are texts or absent, in a separate map that can be copied fast even with thousands of earlier steps."""
        self.skipped: set[str] = set()
        inputs = template.get("inputs") or {}
        for parameter in inputs.get("parameters") or ():
            self.set(f"inputs.parameters.{parameter['name']}", text_of(parameter.get("value")))
        for artifact in inputs.get("artifacts") or ():
            self.set(f"inputs.artifacts.{artifact['name']}", artifact)

    def at(self, entropy: Entropy) -> Scope:
        """Set the time and randomness for the expressions that follow."""
        self.values.entropy = entropy
        return self

    # --- filling --------------------------------------------------------------------------------------------------
    def set(self, key: str, value: Any) -> None:
        self.values[key] = value
        if value is None or isinstance(value, str):
            self._texts[key] = value
        else:
            self._texts.pop(key, None)

    def add_node(self, prefix: str, name: str, node: Mapping[str, Any]) -> None:
        """Add a node's id, status and outputs. prefix: steps or tasks."""
        key = f"{prefix}.{name}."
        facts = {
            "id": node.get("id"), "startedAt": node.get("startedAt"), "finishedAt": node.get("finishedAt"),
            "ip": node.get("podIP"), "status": node.get("phase"), "hostNodeName": node.get("hostNodeName"),
        }  # fmt: skip
        for fact, value in facts.items():
            if value:
                self.set(key + fact, value)
        self.add_outputs(prefix, name, node.get("outputs"))

    def add_outputs(self, prefix: str, name: str, outputs: Mapping[str, Any] | None) -> None:
        if not outputs:
            return
        key = f"{prefix}.{name}."
        if outputs.get("result") is not None:
            self.set(key + "outputs.result", outputs["result"])
        if outputs.get("exitCode") is not None:
            self.set(key + "exitCode", outputs["exitCode"])
        for parameter in outputs.get("parameters") or ():
            if parameter.get("value") is not None:
                self.set(f"{key}outputs.parameters.{parameter['name']}", text_of(parameter["value"]))
        for artifact in outputs.get("artifacts") or ():
            self.set(f"{key}outputs.artifacts.{artifact['name']}", artifact)

    def add_workflow_outputs(self, outputs: Mapping[str, Any] | None) -> None:
        for parameter in (outputs or {}).get("parameters") or ():
            if parameter.get("value") is not None:
                self.set(f"workflow.outputs.parameters.{parameter['name']}", text_of(parameter["value"]))
        for artifact in (outputs or {}).get("artifacts") or ():
            self.set(f"workflow.outputs.artifacts.{artifact['name']}", artifact)

    def add_skipped(
        self, prefix: str, name: str, node: Mapping[str, Any], template: Json | None, artifacts: bool
    ) -> None:
        """Add the declared outputs of a skipped node: their defaults, or absent optionals."""
        if node.get("outputs") or node.get("phase") not in (phases.SKIPPED, phases.OMITTED) or template is None:
            return
        outputs = template.get("outputs") or {}
        key = f"{prefix}.{name}.outputs."
        for parameter in outputs.get("parameters") or ():
            default = (parameter.get("valueFrom") or {}).get("default")
            if default is not None:
                self.set(f"{key}parameters.{parameter['name']}", text_of(default))
            else:
                self._skip(f"{key}parameters.{parameter['name']}")
        for artifact in outputs.get("artifacts") or () if artifacts else ():
            self.set(f"{key}artifacts.{artifact['name']}", {})
        if outputs.get("result") is not None:
            self._skip(f"{key}result")

    def _skip(self, key: str) -> None:
        self.set(key, None)
        self.skipped.add(key)

    # --- reading --------------------------------------------------------------------------------------------------
    def parameters(self, above: Mapping[str, Any] | None = None) -> substitution.Variables:
        """Texts and absent optionals, over the workflow's variables."""
        variables = substitution.Variables(above or {}, self.values.entropy)
        variables.update(self._texts)
        return variables

    def mark_absent(self, arguments: Json) -> Json:
        """The arguments, with the parameters marked that only refer to an absent optional."""
        parameters = arguments.get("parameters") or []
        if not self.skipped or not any(self._is_absent(parameter.get("value")) for parameter in parameters):
            return arguments
        marked = [{**p, "value": ABSENT} if self._is_absent(p.get("value")) else p for p in parameters]
        return {**arguments, "parameters": marked}

    def _is_absent(self, value: Any) -> bool:
        if not isinstance(value, str) or not (value.startswith("{{") and value.endswith("}}")):
            return False
        key = value[2:-2].strip()
        return "{{" not in key and "}}" not in key and key in self.skipped

    def parameter(self, source: Mapping[str, Any]) -> tuple[Any, bool]:
        """(value, whether it is an absent optional) of a `valueFrom` with a parameter or an expression."""
        if source.get("expression"):
            value = substitution.evaluate(source["expression"], self.values)
            if value is None:
                raise Fault(f'failed to evaluate expression "{source["expression"]}"')
            return value, False
        if not source.get("parameter"):
            return "", False
        tag, value = self._variable(source["parameter"])
        return value, tag in self.skipped

    def artifact(self, reference: Mapping[str, Any]) -> Json:
        """The artifact that `from` or `fromExpression` names, with subPath applied. Raises Fault when it does not exist."""
        if reference.get("fromExpression"):
            value = substitution.evaluate(reference["fromExpression"], self.values)
        else:
            _, value = self._variable(reference["from"])
        if not isinstance(value, dict):
            raise Fault(f"Variable {{{{{_print_artifact(reference)}}}}} is not an artifact")
        artifact: Json = dict(value)
        if reference.get("subPath"):
            extra = substitution.replace(reference["subPath"], self.parameters(), unresolved=True)
            artifact = with_subpath(artifact, extra)
        return artifact

    def _variable(self, reference: str) -> tuple[str, Any]:
        tag = reference.removeprefix("{{").removesuffix("}}").strip()
        if tag.startswith("="):
            value = substitution.evaluate(tag[1:], self.values)
            if value is None:
                raise Fault(f'Unable to resolve: "{tag}"')
            return tag, value
        if tag not in self.values:
            raise Fault(f'Unable to resolve: "{tag}"')
        return tag, self.values[tag]


_PRINTED = (
    "&Artifact{{Name:{name},Path:{path},Mode:nil,From:{from},ArtifactLocation:ArtifactLocation{{ArchiveLogs:nil,S3:nil,Git:nil,HTTP:nil,"
    "Artifactory:nil,HDFS:nil,Raw:nil,OSS:nil,GCS:nil,Azure:nil,Plugin:nil,}},GlobalName:{globalName},Archive:nil,"
    "Optional:{optional},SubPath:{subPath},RecurseMode:false,FromExpression:{fromExpression},ArtifactGC:nil,Deleted:false,}}"
)
"""An artifact as Go prints it; one that refers to another has no location of its own."""
_TEXTS = ("name", "path", "from", "globalName", "subPath", "fromExpression")


def _print_artifact(artifact: Mapping[str, Any]) -> str:
    texts = {field: artifact.get(field) or "" for field in _TEXTS}
    return _PRINTED.format(**texts, optional="true" if artifact.get("optional") else "false")


_KEYED = ("s3", "gcs", "oss", "azure", "artifactory", "hdfs", "raw", "git", "http")


def with_subpath(artifact: Json, subpath: str) -> Json:
    """The artifact with its key extended (Argo: AppendToKey)."""
    for location in _KEYED:
        where = artifact.get(location)
        if not isinstance(where, dict):
            continue
        field = {"azure": "blob", "artifactory": "url", "hdfs": "path"}.get(location, "key")
        return {
            **artifact,
            location: {**where, field: f"{str(where.get(field) or '').rstrip('/')}/{subpath.lstrip('/')}"},
        }
    return artifact
