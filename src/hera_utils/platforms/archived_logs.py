"""Logs of deleted pods: Argo keeps them as artifacts of the nodes (`archiveLogs`), and leaves them out of its log stream."""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.names import pod_of
from hera_utils.errors import HeraUtilsError, SettingsError

Json = dict[str, Any]
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class LogRequest:
    """container: whose log. pod: only this one, None for all. tail: only the last so many lines. grep: only lines that match."""

    container: str = "main"
    pod: str | None = None
    tail: int | None = None
    grep: str | None = None


def pods_without_streamed_lines(
    workflow: Json, streamed: Collection[str], request: LogRequest
) -> list[tuple[str, str]]:
    """(pod, id of its node) of the finished pods without any line in the stream whose log is kept. streamed: pods with lines. Pure."""
    missing = []
    for node in ((workflow.get("status") or {}).get("nodes") or {}).values():
        names = [artifact.get("name") for artifact in (node.get("outputs") or {}).get("artifacts") or ()]
        if node.get("type") != "Pod" or not node.get("finishedAt") or f"{request.container}-logs" not in names:
            continue
        pod = pod_of(workflow, node)
        if pod not in streamed and request.pod in (None, pod):
            missing.append((pod, str(node["id"])))
    return missing


def lines_of(
    pods: list[tuple[str, str]], request: LogRequest, content: Callable[[str], Iterator[bytes]]
) -> Iterator[tuple[str, str]]:
    """(pod, line) of kept logs. content: node id → the artifact's bytes. If one cannot be read, the error is raised after the others."""
    failure: HeraUtilsError | None = None
    matches = _compile_pattern(request.grep)
    for pod, node in pods:
        try:
            lines: Iterator[str] = _lines(content(node))
            if matches is not None:
                lines = filter(matches, lines)
            for line in lines if request.tail is None else deque(lines, maxlen=request.tail):
                yield pod, line
        except HeraUtilsError as error:
            failure = failure or error
    if failure is not None:
        raise failure


def _compile_pattern(grep: str | None) -> Callable[[str], object] | None:
    """The filter of lines, None for all. Argo's server takes Go's regular expressions; nearly all are Python's as well."""
    if not grep:
        return None
    try:
        return re.compile(grep).search
    except re.error:
        raise SettingsError(
            f"`{grep}` cannot be searched for in logs of deleted pods: it is not a regular expression of Python",
            fix="write it in another way, or leave it out",
        ) from None


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    rest, unpack = b"", None
    for number, piece in enumerate(pieces):
        if number == 0 and piece.startswith(_GZIP):
            unpack = zlib.decompressobj(31)
        *whole, rest = (rest + (unpack.decompress(piece) if unpack is not None else piece)).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
