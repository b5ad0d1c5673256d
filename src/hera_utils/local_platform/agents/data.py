"""The data template: the keys of an artifact location, transformed. Source: Argo's workflow/data and workflow/executor/data.go."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.errors import HeraUtilsError
from hera_utils.local_platform.agents.agents import Failed, Objects, Stop
from hera_utils.local_platform.artifacts import remote
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.pods.pod.artifact_keys import key_of
from hera_utils.local_platform.pods.runtime import Launch

Json = dict[str, Any]


class DataAgent:
    def __init__(self, platform: Objects) -> None:
        self._platform = platform

    def __call__(self, launch: Launch, stop: Stop) -> Json:
        """Outputs: `result` is the transformed list as JSON text."""
        data: Json = launch.template["data"]
        source = (data.get("source") or {}).get("artifactPaths")
        if source is None:
            raise Failed(
                "unable to process data template: unable to process data source: no valid source is used for data template"
            )
        place = launch.places.get("source")
        try:
            paths: Any = remote.keys(place) if place else self._local(launch, source)
        except HeraUtilsError as error:
            message = (
                "unable to process data template: unable to process data source: unable to source artifact paths: "
            )
            raise Failed(message + error.message) from error
        for number, step in enumerate(data.get("transformation") or ()):
            if step.get("expression"):
                paths = _transformed(str(step["expression"]), paths, number)
        return {"result": json.dumps(paths, separators=(",", ":"), ensure_ascii=False)}

    def _local(self, launch: Launch, source: Json) -> list[str]:
        store = ArtifactStore(self._platform.state, str(launch.pod["metadata"]["namespace"]))
        return list(store.keys(key_of(source) or ""))


def _transformed(expression: str, data: Any, number: int) -> Any:
    from hera_utils.expressions.entropy import Entropy
    from hera_utils.expressions.expr.program import parse

    try:
        return parse(expression).evaluate_in({"data": data}, entropy=Entropy(now()))
    except HeraUtilsError as error:
        raise Failed(
            "unable to process data template: unable to process data transformation: "
            f"error processing data step {number}: {error.message}"
        ) from error
