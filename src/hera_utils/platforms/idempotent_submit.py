"""Starting a run exactly once, though answers can be lost: it gets its name here, and a mark by which it is known again.

A server that names a run itself (generateName) cannot be asked again when its answer is lost: that would be a second run. With a name
of ours the second try meets the first one ("already exists"), and the mark tells it from a run of somebody else.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hera_utils.argo import faults
from hera_utils.argo.annotations import SUBMISSION
from hera_utils.argo.names import generated_name
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.platforms.argo_http import Unanswered
from hera_utils.platforms.reconnect import PATIENCE, PAUSES

Json = dict[str, Any]


@dataclass(frozen=True)
class Submission:
    """A run that is asked for: the name that it must have ("" for any), else the beginning of its name, and its mark."""

    namespace: str
    name: str
    prefix: str
    mark: str

    def new_name(self) -> str:
        """A name as the server would make it; "" when the document names neither (the server says so in its words)."""
        return generated_name(self.prefix, secrets.token_hex(8)) if self.prefix else ""


def mark() -> str:
    return secrets.token_hex(16)


def marked(document: Json, name: str, mark: str) -> Json:
    """The workflow with its name and its mark."""
    metadata = dict(document.get("metadata") or {})
    if name:
        metadata["name"] = name
    metadata["annotations"] = {**(metadata.get("annotations") or {}), SUBMISSION: mark}
    return {**document, "metadata": metadata}


def marked_options(options: Json, name: str, mark: str) -> Json:
    """Argo's SubmitOpts with the same; its annotations are one text, `a=b,c=d`."""
    annotations = ",".join(filter(None, [str(options.get("annotations") or ""), f"{SUBMISSION}={mark}"]))
    return {**options, **({"name": name} if name else {}), "annotations": annotations}


def is_marked(workflow: Json, mark: str) -> bool:
    annotations = (workflow.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get(SUBMISSION) == mark)


def submit(
    submission: Submission,
    *,
    ask: Callable[[str], Json],
    look: Callable[[str], Json],
    rejoin: Callable[[], object],
    unclear: Callable[[str], str],
) -> Json:
    """Create a run exactly once: its name is known before it is asked for, so that a lost answer can be asked after.

    ask: creates the run of that name, one attempt. look: gets it. rejoin: finds the server again that was lost. unclear: the fix where
    the server may have taken it and nobody can say.
    """
    start, pauses, renamed = time.monotonic(), iter(PAUSES), 0
    name = submission.name or submission.new_name()
    maybe_created = False  # a run of that name, by an attempt whose answer was lost
    refusal: Refused | None = (
        None  # that attempt's successor was told that the name is taken: by that run, or by another one?
    )
    while True:
        try:
            if refusal is None:
                return ask(name)
            stored = look(name)
            if is_marked(stored, submission.mark):
                return stored
            if submission.name:
                raise refusal
            name, maybe_created, refusal = submission.new_name(), False, None
        except Unanswered as unanswered:
            maybe_created = maybe_created or not unanswered.undone
            pause = next(pauses, None)
            if pause is None or not name or time.monotonic() - start > PATIENCE:
                raise _given_up(unanswered, unclear(name) if name and maybe_created else "") from None
            time.sleep(max(pause, unanswered.pause))
            rejoin()
        except Refused as refused:
            if refused.code != faults.ALREADY_EXISTS or not name or refusal is not None or renamed > len(PAUSES):
                raise
            if maybe_created:
                refusal = refused
            elif submission.name:
                raise
            else:
                name, renamed = submission.new_name(), renamed + 1


def _given_up(unanswered: Unanswered, fix: str) -> HeraUtilsError:
    """fix: where the server may have taken the run all the same, else ""."""
    why = unanswered.why
    why.fix = fix or why.fix
    return why
