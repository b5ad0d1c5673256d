"""A container's log in Kubernetes' form: plain text, followed on request."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.local_platform.kubernetes_api.request import KubernetesRequest
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.log_lines import BATCH, Line, LogOptions, PodLog, is_heartbeat
from hera_utils.local_platform.serving.watch import WatchHistory, pause_after

_PAUSES = (0.02, 0.05, 0.1, 0.2)
"""Seconds until a log that has not grown is read again; they grow with each time."""


def log(platform: LocalPlatform, watches: WatchHistory, request: KubernetesRequest) -> AsyncIterator[bytes]:
    target = request.target
    pod = json.loads(platform.get("Pod", target.namespace, target.name).text)
    options = _options(request, _container(pod, request.query.get("container", "")))
    if (pod.get("status") or {}).get("phase") == "Pending":
        message = f'container "{options.container}" in pod "{target.name}" is waiting to start: ContainerCreating'
        raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
    lines = PodLog(target.namespace, target.name).lines(platform, options, follow=options.follow)
    return _bytes(lines, options, watches)


async def _bytes(lines: Iterator[Line], options: LogOptions, watches: WatchHistory) -> AsyncIterator[bytes]:
    """The log as bytes. The few threads that serve all watches read it, each time after the client took the previous part."""
    loop, idle, has_ended = asyncio.get_running_loop(), 0, False
    watches.latest.enter()
    try:
        while not has_ended:
            text, cost, has_ended = await loop.run_in_executor(watches.threads, _take, lines, options)
            if text:
                yield text.encode("utf-8", "replace")
            idle = 0 if text else idle + 1
            if idle:
                pause = pause_after(cost, 0, watches.latest.watchers)
                await asyncio.sleep(max(pause, _PAUSES[min(idle, len(_PAUSES)) - 1]))
    finally:
        watches.latest.leave()


def _take(lines: Iterator[Line], options: LogOptions) -> tuple[str, float, bool]:
    """(the lines that are there now, seconds of processor time that it took, whether the log has ended)."""
    started = time.thread_time()
    batch, size, has_ended = list[str](), 0, False
    while size < BATCH:
        line = next(lines, None)
        has_ended = line is None
        if line is None or is_heartbeat(line):
            break
        batch.append(options.text(line) + "\n")
        size += len(batch[-1])
    return "".join(batch), time.thread_time() - started, has_ended


def _container(pod: dict[str, object], name: str) -> str:
    spec = pod.get("spec") or {}
    assert isinstance(spec, dict)
    names = [str(container["name"]) for container in spec.get("containers") or ()]
    others = [str(container["name"]) for container in spec.get("initContainers") or ()]
    metadata = pod.get("metadata")
    pod_name = metadata.get("name") if isinstance(metadata, dict) else ""
    if name:
        if name not in names + others:
            raise Refused(INVALID_ARGUMENT, f"container {name} is not valid for pod {pod_name}", reason="BadRequest")
        return name
    if len(names) == 1:
        return names[0]
    if "main" in names:
        return "main"  # the default container of Argo's pods
    message = f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(names)}]"
    raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")


def _options(request: KubernetesRequest, container: str) -> LogOptions:
    since = 0.0
    if request.query.get("sinceTime"):
        at = timestamps.read(request.query["sinceTime"])
        if at is None:
            raise Refused(INVALID_ARGUMENT, "sinceTime: Invalid value: not a time", reason="BadRequest")
        since = at
    if seconds := request.number("sinceSeconds"):
        since = time.time() - seconds
    return LogOptions(
        container=container,
        follow=request.flag("follow"),
        timestamps=request.flag("timestamps"),
        tail=request.number("tailLines") if request.query.get("tailLines") else None,
        since=since,
        limit_bytes=request.number("limitBytes"),
    )
