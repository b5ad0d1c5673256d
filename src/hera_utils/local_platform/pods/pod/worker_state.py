"""What a pod could leave in its worker besides files and processes, so that the next pod would have it: then the worker ends.

Shared memory, semaphores and message queues outlive the processes that made them; and the kernel lets a process change the limits of
another one of its user, which that one passes on: the worker to the programs that it starts, the fork server to its tasks.
"""

from __future__ import annotations

import os
import resource

from . import syscalls

_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
_PASSED_ON = ("oom_score_adj", "coredump_filter")
_WORKER = 1  # its process id


class WorkerState:
    """devices: the worker's /dev, in which its message queues are shown. proc: where /proc of its process-id namespace is mounted."""

    def __init__(self, devices: str, proc: str) -> None:
        self._queues, self._proc = f"{devices}/mqueue", proc
        self._at_first = self._settings(_WORKER)

    def has_changed(self, fork_server: int) -> bool:
        """fork_server: its process id; 0: there is none. Raises OSError."""
        if any(self._settings(pid) != self._at_first for pid in (_WORKER, fork_server) if pid):
            return True
        return syscalls.shared_objects() > 0 or bool(os.listdir(self._queues))

    def _settings(self, pid: int) -> list[object]:
        values: list[object] = [resource.prlimit(pid, limit) for limit in _LIMITS]
        for name in _PASSED_ON:
            with open(f"{self._proc}/{pid}/{name}", "rb", buffering=0) as file:
                values.append(file.read(64))
        return values
