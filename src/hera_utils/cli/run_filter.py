"""The filter of `hera-utils ls`: which runs of a namespace it lists. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hera_utils.argo import timestamps
from hera_utils.argo.phases import COMPLETED, ERROR, FAILED, PENDING, RUNNING, SUCCEEDED
from hera_utils.errors import SettingsError

PHASES = (PENDING, RUNNING, SUCCEEDED, FAILED, ERROR)


@dataclass(frozen=True)
class RunFilter:
    """phases: of the runs to list. prefix: of their names. since: their greatest age in seconds, None for any."""

    phases: frozenset[str] = frozenset(PHASES)
    prefix: str = ""
    since: float | None = None

    @property
    def is_empty(self) -> bool:
        return self == RunFilter()

    def admits(self, name: str, phase: str, created: str, now: float) -> bool:
        """Whether to list a run. created: a timestamp as Kubernetes writes it. now: in seconds since 1970."""
        born = timestamps.read(created)
        young = self.since is None or (born is not None and now - born <= self.since)
        return phase in self.phases and name.startswith(self.prefix) and young


def phases_to_list(status: str | None, *, running: bool, completed: bool) -> frozenset[str]:
    """The phases to list. status: names of phases, separated by commas; None for all. running and completed together mean all."""
    phases = frozenset(PHASES) if status is None else frozenset(map(_phase, status.split(",")))
    if running == completed:
        return phases
    return phases & COMPLETED if completed else phases - COMPLETED


def _phase(word: str) -> str:
    for phase in PHASES:
        if phase.lower() == word.strip().lower():
            return phase
    raise SettingsError(f"`{word.strip()}` is no status of a run", fix=f"it is one of {', '.join(PHASES)}")
