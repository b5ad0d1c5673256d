"""Starts a run exactly once, although answers can be lost: the client chooses its name, and adds a mark to recognize it.

If the server named the run (generateName), a repeated request after a lost answer would start a second run. With a name from the client
the second attempt fails ("already exists"), and the mark shows whether the existing run is the first attempt's or somebody else's.
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
from hera_utils.platforms.argo_http import NoDefiniteAnswer
from hera_utils.platforms.reconnect import MAX_SILENCE, PAUSES

Json = dict[str, Any]


@dataclass(frozen=True)
class Submission:
    """A run to submit. name: the name that it must have, "" for any; prefix: the beginning of its name then. mark: identifies it."""

    namespace: str
    name: str
    prefix: str
    mark: str

    def new_name(self) -> str:
        """A name as the server would generate it; "" if the document has neither name nor prefix (then the server's error says so)."""
        return generated_name(self.prefix, secrets.token_hex(8)) if self.prefix else ""


def new_mark() -> str:
    return secrets.token_hex(16)


def mark_workflow(document: Json, name: str, mark: str) -> Json:
    """The workflow with this name and this mark."""
    metadata = dict(document.get("metadata") or {})
    if name:
        metadata["name"] = name
    metadata["annotations"] = {**(metadata.get("annotations") or {}), SUBMISSION: mark}
    return {**document, "metadata": metadata}


def mark_options(options: Json, name: str, mark: str) -> Json:
    """Argo's SubmitOpts with this name and this mark; its annotations are one text, `a=b,c=d`."""
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
    """Create a run exactly once: its name is known before the request, so that the run can be looked up after a lost answer.

    ask: creates the run with this name, in one attempt. look: gets it. rejoin: finds a lost server again. unclear: the fix if it remains
    unknown whether the server accepted the run.
    """
    start, pauses, renamed = time.monotonic(), iter(PAUSES), 0
    name = submission.name or submission.new_name()
    maybe_created = False  # an attempt whose answer was lost may have created the run
    refusal: Refused | None = None  # a later attempt failed because the name is taken: by our run or another one
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
        except NoDefiniteAnswer as unanswered:
            maybe_created = maybe_created or not unanswered.undone
            pause = next(pauses, None)
            if pause is None or not name or time.monotonic() - start > MAX_SILENCE:
                raise _error_when_giving_up(unanswered, unclear(name) if name and maybe_created else "") from None
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


def _error_when_giving_up(unanswered: NoDefiniteAnswer, fix: str) -> HeraUtilsError:
    """fix: if the server may have accepted the run nevertheless, else ""."""
    why = unanswered.why
    why.fix = fix or why.fix
    return why
