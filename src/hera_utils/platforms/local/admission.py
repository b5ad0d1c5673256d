"""Before a workflow becomes a run: its document is normalised and validated, and what it refers to is gathered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hera_utils.argo.schema import decode
from hera_utils.interpreter.document import Lookup, templates_reached
from hera_utils.interpreter.resubmit import resubmit
from hera_utils.interpreter.validate import validate
from hera_utils.platforms.local.clock import now, seed
from hera_utils.platforms.local.published import Published

Json = dict[str, Any]
PARAMETER_LABEL = "workflows.argoproj.io/configmap-type"


class Admission:
    def __init__(self, published: Published) -> None:
        self._published = published

    def admit(self, namespace: str, document: Json) -> Json:
        """A workflow as it is stored and run. Raises InvalidWorkflow, Refused or UnsupportedError."""
        return self._checked("Workflow", namespace, document, lint=False)

    def again(self, document: Json, *, memoized: bool, parameters: tuple[str, ...]) -> Json:
        """The workflow that runs an old one again. Raises Refused with Argo's message."""
        return resubmit(document, at=now(), seed=seed(), memoized=memoized, parameters=parameters)

    def lint(self, kind: str, namespace: str, document: Json) -> Json:
        """The document as Argo's server keeps it, once it was found to be valid."""
        return self._checked(kind, namespace, document, lint=True)

    def _checked(self, kind: str, namespace: str, document: Json, *, lint: bool) -> Json:
        decoded = decode(document, kind)
        metadata = decoded.setdefault("metadata", {})
        if kind != "ClusterWorkflowTemplate":
            metadata["namespace"] = namespace
        validate(decoded, self._lookup(namespace), kind=kind, lint=lint)
        return decoded

    def gathered(self, namespace: str, document: Json) -> tuple[tuple[Json, ...], dict[str, dict[str, str]]]:
        """What the run will need of its namespace: the templates it can reach, the config maps that may hold parameters."""

        def everything(kind: str) -> Iterable[Json]:
            place = "" if kind == "ClusterWorkflowTemplate" else namespace
            return [{**json.loads(s.text), "kind": kind} for s in self._published.objects(kind, place)]

        return templates_reached(document, self._lookup(namespace), everything), self._config_maps(namespace)

    def _lookup(self, namespace: str) -> Lookup:
        def lookup(kind: str, name: str) -> Json | None:
            place = "" if kind == "ClusterWorkflowTemplate" else namespace
            found = self._published.object((kind, place, name))
            return {**json.loads(found.text), "kind": kind} if found is not None else None

        return lookup

    def _config_maps(self, namespace: str) -> dict[str, dict[str, str]]:
        """The config maps that may hold parameters, by name: those with the label Parameter."""
        found: dict[str, dict[str, str]] = {}
        for stored in self._published.objects("ConfigMap", namespace):
            if PARAMETER_LABEL in stored.text:
                document = json.loads(stored.text)
                if (document["metadata"].get("labels") or {}).get(PARAMETER_LABEL) == "Parameter":
                    found[stored.name] = dict(document.get("data") or {})
        return found
