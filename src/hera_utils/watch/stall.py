"""Why the workflows of a run make no progress: asked of the server only when nothing has changed for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.errors import HeraUtilsError
from hera_utils.watch.follow import UNCLAIMED_SECONDS
from hera_utils.watch.progress import progress
from hera_utils.watch.run_progress import Share
from hera_utils.watch.waits import is_ordinary

Json = dict[str, Any]
_MOST = 4
"""Workflows that are asked for at once: each answer has all nodes of one."""


class Stall:
    """get: the whole document of a workflow. not_taken_up: as in `follow`."""

    def __init__(self, get: Callable[[str], Json], not_taken_up: Callable[[Json], str] | None) -> None:
        self._get, self._not_taken_up = get, not_taken_up
        self._shares: tuple[Share, ...] = ()
        self._since, self._patience = time.monotonic(), UNCLAIMED_SECONDS
        self._reasons: dict[str, list[str]] = {}

    def reasons(self, shares: Sequence[Share]) -> dict[str, list[str]]:
        """Sentence → the tasks that wait for this reason, as in `Progress.waiting`; {} while the shares change."""
        now, active = time.monotonic(), tuple(share for share in shares if share.phase not in COMPLETED)
        if active != self._shares:
            self._shares, self._since, self._patience, self._reasons = active, now, UNCLAIMED_SECONDS, {}
        elif now - self._since > self._patience:
            self._since, self._patience = now, 2 * self._patience
            self._reasons = {}
            with suppress(HeraUtilsError):  # the next poll meets the same error
                for share in active[:_MOST]:
                    workflow = self._get(share.name)
                    self._reasons |= self._reasons_of(workflow)
                    if not phase_of(workflow):
                        break  # nobody takes up the others either
        return self._reasons

    def _reasons_of(self, workflow: Json) -> dict[str, list[str]]:
        if not phase_of(workflow):
            return {self._not_taken_up(workflow): []} if self._not_taken_up is not None else {}
        state = progress(workflow)
        at_work = state.running or state.starting
        return {why: tasks for why, tasks in state.waiting.items() if not (at_work and is_ordinary(why))}
