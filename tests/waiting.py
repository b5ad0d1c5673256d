"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 120.0) -> T:
    """Poll `condition` and return its first true result. The time limit is long, so that a busy machine causes no failure."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"it is not so within {seconds:g} s; the last answer: {found!r}"
        time.sleep(0.02)
    return found


def until_a_pod_runs(platform) -> None:
    """Only for a namespace in which nothing else runs. platform: the fixture local_platform."""
    until(lambda: any(pod["status"].get("phase") == "Running" for pod in platform.cluster.list("Pod")))
