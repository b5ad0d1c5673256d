"""When a pod that was killed, or whose `activeDeadlineSeconds` have passed, must have ended. Pure.

A supervisor ends its pod itself. It cannot while it waits in the kernel (for a network disk, a store) or is stopped: then the server
kills the worker, and with it all its processes. If even the kernel does not end them, the pod is given up after a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
LATE = 15.0
"""Seconds from the end of a pod's grace period until its worker is killed."""
UNENDABLE_SECONDS = 10.0
"""Seconds from then until the pod is given up."""
END_WORKER, GIVE_UP = "end the worker", "give the pod up"


@dataclass
class _Deadline:
    at: float
    is_own: bool
    worker_killed: bool = False


class PodDeadlines:
    """The deadlines of all pods. Times are by the caller's monotonic clock."""

    def __init__(self) -> None:
        self._deadlines: dict[str, _Deadline] = {}

    def begin(self, uid: str, pod: Json, now: float) -> None:
        """Start the deadline of a pod that is given to a worker."""
        seconds = pod["spec"].get("activeDeadlineSeconds")
        if seconds:
            grace = pod["spec"].get("terminationGracePeriodSeconds")
            own = now + float(seconds) + (30.0 if grace is None else float(grace)) + LATE
            self._deadlines[uid] = _Deadline(own, is_own=True)

    def killed(self, uid: str, grace: float, now: float) -> None:
        self._deadlines[uid] = _Deadline(now + grace + LATE, is_own=False)

    def forget(self, uid: str) -> None:
        self._deadlines.pop(uid, None)

    def has_passed(self, uid: str) -> bool:
        """Whether the pod's own deadline is why its worker was killed."""
        deadline = self._deadlines.get(uid)
        return deadline is not None and deadline.is_own and deadline.worker_killed

    def due(self, now: float) -> list[tuple[str, str]]:
        """(pod, END_WORKER or GIVE_UP) for each pod that should have ended; each step is given once."""
        steps = []
        for uid, deadline in list(self._deadlines.items()):
            if now < deadline.at:
                continue
            if deadline.worker_killed:
                steps.append((uid, GIVE_UP))
                continue
            deadline.worker_killed, deadline.at = True, now + UNENDABLE_SECONDS
            steps.append((uid, END_WORKER))
        return steps
