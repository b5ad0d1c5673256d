"""Logs of a workflow, or of one of its pods: lines of all pods merged by time, and followed until the run has ended.

Source: Argo's util/logs/workflow-logger.go, measured on 4.1.2: tail, since and byte limits apply to each pod; without the name of a
container there are no lines.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INTERNAL
from hera_utils.argo.selectors import LabelSelector, label_selector
from hera_utils.errors import Refused
from hera_utils.expressions.regexp import compile_pattern
from hera_utils.expressions.values import Failure
from hera_utils.local_platform.argo_api.answers import Reply, Stream, encode
from hera_utils.local_platform.argo_api.following import Follower
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.workflows import find
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.log_lines import BATCH, LogOptions, PodLog, merge_logs
from hera_utils.local_platform.storage.records import StoredObject


def workflow(request: ArgoRequest) -> Reply:
    return _logs(request, request.query.get("podName", ""))


def pod(request: ArgoRequest) -> Reply:
    return _logs(request, request.path.get("podName", ""))


def _logs(request: ArgoRequest, pod_name: str) -> Reply:
    run = find(request.platform, request.namespace, request.name)
    options = options_of(request)
    selector = PodSelector(
        run.namespace, run.name, pod_name, label_selector(request.query.get("selector", "")), options.container
    )
    if options.follow:
        return Stream(Follower(request, run, selector.log_of, options).results())
    return Stream(_stored_lines(request.platform, selector, options, request.watches.threads))


def options_of(request: ArgoRequest) -> LogOptions:
    """The options of logs in a query: `logOptions.…` and `grep`."""
    pattern = request.query.get("grep", "")
    try:
        expression = compile_pattern(pattern) if pattern else None
    except Failure as error:
        raise Refused(INTERNAL, f'failed to compile "{pattern}": {error}') from None
    since = float(request.number("logOptions.sinceTime.seconds"))
    if seconds := request.number("logOptions.sinceSeconds"):
        since = time.time() - seconds
    return LogOptions(
        container=request.query.get("logOptions.container", ""),
        follow=request.flag("logOptions.follow"),
        timestamps=request.flag("logOptions.timestamps"),
        tail=request.number("logOptions.tailLines") if request.query.get("logOptions.tailLines") else None,
        since=since,
        limit_bytes=request.number("logOptions.limitBytes"),
        pattern=expression,
    )


class PodSelector:
    """Selects the pods of a run whose logs are read."""

    def __init__(self, namespace: str, run: str, pod: str, labels: LabelSelector, container: str) -> None:
        self.namespace = namespace
        self.run = run
        self.pod = pod
        self.labels = labels
        self.container = container

    def log_of(self, stored: StoredObject) -> PodLog | None:
        """The log of a pod; None when the pod is not selected, has no such container or has not begun."""
        if stored.namespace != self.namespace or (self.pod and stored.name != self.pod):
            return None
        document = json.loads(stored.text)
        labels = document["metadata"].get("labels") or {}
        if labels.get("workflows.argoproj.io/workflow") != self.run or not self.labels.matches(labels):
            return None
        spec, status = document.get("spec") or {}, document.get("status") or {}
        names = {c.get("name") for key in ("initContainers", "containers") for c in spec.get(key) or ()}
        phase = status.get("phase", "Pending")
        if self.container not in names or phase == "Pending":
            return None
        started = status.get("startTime") or document["metadata"].get("creationTimestamp") or ""
        return PodLog(self.namespace, stored.name, timestamps.seconds(started), phase == "Running", stored.uid)


async def _stored_lines(
    platform: LocalPlatform, selector: PodSelector, options: LogOptions, threads: Executor
) -> AsyncIterator[list[str]]:
    """The lines that the logs contain now, without following them."""

    def entries() -> Iterator[str]:
        pods = filter(None, map(selector.log_of, platform.pods(selector.namespace, selector.run)))
        for at, pod, text in merge_logs(pods, lambda pod: pod.lines(platform, options)):
            yield encode({"content": options.text((at, text)), "podName": pod.pod})

    lines, loop = entries(), asyncio.get_running_loop()
    while batch := await loop.run_in_executor(threads, _take, lines):
        yield batch


def _take(lines: Iterator[str]) -> list[str]:
    batch, size = list[str](), 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= BATCH:
            break
    return batch
