"""The cause of a failure, which decides what to do: run the same again, or change something first. Pure."""

from __future__ import annotations

import enum

from hera_utils.runs.outcome import Failure, Outcome

_NO_IMAGE = ("no substitute for the image", "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
# Argo's words for errors of the workflow itself, which a retry does not solve.
_IN_THE_WORKFLOW = (
    "failed to resolve",
    "Unable to resolve",
    "failed to evaluate",
    "failed to unmarshal",
    "invalid spec",
    "template reference",
    "open /var/run/argo/outputs/",  # a task did not write a file of its outputs
)
_KILLED = frozenset({137, 143})  # exit codes after a signal: too little memory, a node that was shut down


class FailureCause(enum.Enum):
    """IMAGE: an image cannot be had. CODE: a program of the workflow, or the workflow itself, is wrong. PASSING: anything else, which may
    be temporary.
    """

    IMAGE = "image"
    CODE = "code"
    PASSING = "passing"


def cause_of(outcome: Outcome) -> FailureCause:
    """The cause of the first failure: later failures often follow from it."""
    if outcome.failures:
        return _cause(outcome.failures[0])
    return FailureCause.CODE if _is_fault_of_workflow(outcome.message) else FailureCause.PASSING


def _cause(failure: Failure) -> FailureCause:
    if any(word in failure.message for word in _NO_IMAGE):
        return FailureCause.IMAGE
    if _is_fault_of_workflow(failure.message):
        return FailureCause.CODE
    return FailureCause.CODE if failure.exit_code not in (None, 0, *_KILLED) else FailureCause.PASSING


def _is_fault_of_workflow(message: str) -> bool:
    return any(word in message for word in _IN_THE_WORKFLOW)
