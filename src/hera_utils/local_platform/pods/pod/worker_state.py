"""Finds out whether a pod left anything in its worker, besides files and processes, that the next pod would get. Then the worker ends.

Shared memory, semaphores, message queues and the modes of the kernel's folders outlive the processes that made them. And a process can
change the limits of another process of its user, which that one passes on: the worker to the programs that it starts, the fork
server to its tasks.
"""

from __future__ import annotations

import os

from . import syscalls
from .own_folders import access

_PASSED_ON = ("limits", "oom_score_adj", "coredump_filter")
_LONGEST = 4096
_WORKER = 1  # its process id


class WorkerState:
    """devices: the worker's /dev, which contains its message queues. proc: a mounted /proc of its process-id namespace."""

    def __init__(self, devices: str, proc: str) -> None:
        self._queues, self._proc = f"{devices}/mqueue", proc
        self._folders = [folder for folder in (self._queues, f"{devices}/pts", proc) if os.path.isdir(folder)]
        self._worker = self._opened(_WORKER)
        self._fork_server, self._files = 0, list[int]()
        self._at_first = _contents(self._worker)
        self._access_at_first = list(map(access, self._folders))

    def has_changed(self, fork_server: int) -> bool:
        """Whether the last pod changed anything. fork_server: its process id, 0 for none. Raises OSError."""
        if fork_server != self._fork_server:
            for file in self._files:
                os.close(file)
            self._fork_server, self._files = 0, []
            self._files = self._opened(fork_server) if fork_server else []
            self._fork_server = fork_server
        if _contents(self._worker) != self._at_first:
            return True
        if self._files and _contents(self._files) != self._at_first:
            return True
        if list(map(access, self._folders)) != self._access_at_first:
            return True
        return syscalls.shared_objects() > 0 or bool(os.listdir(self._queues))

    def _opened(self, pid: int) -> list[int]:
        """Open the files of a process. They stay open, because reading them then costs a third. They cannot be read after its end."""
        return [os.open(f"{self._proc}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in _PASSED_ON]


def _contents(files: list[int]) -> list[bytes]:
    return [os.pread(file, _LONGEST, 0) for file in files]
