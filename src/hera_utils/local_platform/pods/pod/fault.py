"""The one error of this folder."""

from __future__ import annotations


class PodFault(Exception):
    """The pod cannot run; the message is one sentence with its fix. `reason` is the kubelet's word, if it has one."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
