"""What a pod could leave in its worker besides files and processes, so that the next pod would have it: then the worker ends.

Shared memory, semaphores and message queues outlive the processes that made them; and the kernel lets a process change the limits of
another one of its user.
"""

from __future__ import annotations

import os
import resource

from . import syscalls

_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))


class WorkerState:
    """devices: the worker's /dev, in which its message queues are shown."""

    def __init__(self, devices: str) -> None:
        self._queues = f"{devices}/mqueue"
        self._limits = _limits()

    def has_changed(self) -> bool:
        """Raises OSError."""
        return _limits() != self._limits or syscalls.shared_objects() > 0 or bool(os.listdir(self._queues))


def _limits() -> tuple[object, ...]:
    with open("/proc/self/oom_score_adj", "rb", buffering=0) as file:
        return (*map(resource.getrlimit, _LIMITS), file.read(16))
