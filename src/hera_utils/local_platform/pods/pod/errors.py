"""The exceptions of this folder."""

from __future__ import annotations

import errno

DEADLINE = "Pod was active on the node longer than the specified deadline"
UNENDABLE = "a process of the pod cannot be ended: it waits in the kernel, for a disk or a network that does not answer"


class PodFault(Exception):
    """The pod cannot run. The message is one sentence with its fix. reason: the kubelet's reason, if it has one."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class SpecialFile(PodFault):
    """A pipe, a socket or a device, which cannot be saved as an artifact or a parameter."""


class LeadsOut(OSError):
    """A symbolic link of the path leads out of the folder."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EXDEV, "a symbolic link leads out of the folder", path)
