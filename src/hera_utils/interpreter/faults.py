"""Reasons why a template cannot be opened. They are raised and handled within one step of the interpreter."""

from __future__ import annotations


class Fault(Exception):
    """Argo's message, as it appears on the node."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ExitHandlerFault(Fault):
    """The exit handler of a step cannot be opened, or its expression cannot be evaluated."""


class AttemptFault(Fault):
    """An attempt cannot be opened, and its policy allows no other. Argo leaves the Retry node open, and its caller gets the message."""


class Full(Fault):
    """A limit of parallelism prevents the node from opening; it is tried again when another one ends."""


class Oversize(Exception):
    """A workflow exceeds the maximum size and cannot continue (Argo: packer.go)."""

    def __init__(self, most: str) -> None:
        self.message = f"workflow is longer than maximum allowed size. more than {most}"
        super().__init__(self.message)


class TooDeep(Fault):
    """Templates call each other more than a hundred levels deep."""


class TimedOut(Fault):
    """A template waited longer than its `timeout` or `pendingTimeout` allows."""
