"""Runs a data template: lists and transforms the keys of an artifact location, as Argo's workflow/data and workflow/executor/data.go."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.errors import HeraUtilsError, PlatformError
from hera_utils.local_platform.agents.agents import Objects, Stop, TemplateFailed
from hera_utils.local_platform.artifacts import remote_stores
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.pods.pod.artifact_keys import KEYED, key_of
from hera_utils.local_platform.pods.runtime import Launch

Json = dict[str, Any]


class DataAgent:
    def __init__(self, platform: Objects) -> None:
        self._platform = platform

    def __call__(self, launch: Launch, stop: Stop) -> Json:
        """Returns the outputs: `result` is the transformed list as JSON text."""
        data: Json = launch.template["data"]
        source = (data.get("source") or {}).get("artifactPaths")
        if source is None:
            raise TemplateFailed(
                "unable to process data template: unable to process data source: no valid source is used for data template"
            )
        try:
            paths: Any = self._paths(launch, source)
        except HeraUtilsError as error:
            message = (
                "unable to process data template: unable to process data source: unable to source artifact paths: "
            )
            raise TemplateFailed(message + error.message) from error
        for number, step in enumerate(data.get("transformation") or ()):
            if step.get("expression"):
                paths = _transform(str(step["expression"]), paths, number)
        return {"result": json.dumps(paths, separators=(",", ":"), ensure_ascii=False)}

    def _paths(self, launch: Launch, source: Json) -> list[str] | None:
        """The keys below the source's key. Like Argo it needs a bucket in the source itself and ignores that of the artifact repository."""
        if not any(isinstance(source.get(kind), dict) for kind in KEYED):
            raise PlatformError("key unsupported: cannot get key for artifact location, because it is invalid")
        if source.get("s3") is not None and not source["s3"].get("bucket"):
            raise PlatformError("failed to list directory: Bucket name cannot be empty")
        place = launch.places.get("source")
        return remote_stores.keys(place) if place else self._local(launch, source)

    def _local(self, launch: Launch, source: Json) -> list[str] | None:
        store = ArtifactStore(self._platform.state, str(launch.pod["metadata"]["namespace"]))
        key = key_of(source) or ""
        keys = list(store.keys(key))
        if source.get("s3") is None or (keys and keys != [key]):
            return keys
        if not keys:
            raise PlatformError(f"no key found of name {key}")
        return None  # the key names an object, not a folder


def _transform(expression: str, data: Any, number: int) -> Any:
    from hera_utils.expressions.entropy import Entropy
    from hera_utils.expressions.expr.program import parse

    try:
        return parse(expression).evaluate_in({"data": data}, entropy=Entropy(now()))
    except HeraUtilsError as error:
        raise TemplateFailed(
            "unable to process data template: unable to process data transformation: "
            f"error processing data step {number}: {error.message}"
        ) from error
