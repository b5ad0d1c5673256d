"""The plan of a search as far as it is known: its next round, which points are done, and at most how many follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.execution.batches import HERE
from hera_utils.execution.definition import Definition
from hera_utils.execution.history import History
from hera_utils.execution.plan import Plan, kilobytes
from hera_utils.execution.search_replay import Rounds
from hera_utils.execution.trials import RecordedTrials
from hera_utils.experiment.search_design import SearchDesign
from hera_utils.preflight import task_counts

Json = dict[str, Any]


@dataclass(frozen=True)
class SearchPlan(Plan):
    """definition: with the points that are known; estimate: of the next round only. over: whether no round follows."""

    design: SearchDesign = field(default_factory=lambda: SearchDesign(1, {}))
    over: bool = False

    @property
    def single(self) -> bool:
        return False  # each round is another workflow

    def pods(self) -> tuple[int, bool]:
        """The most pods that the search may have."""
        spec, defined = self.document.get("spec") or {}, len(self.estimate.ownership.tasks) or self.design.at_once
        count = round(task_counts.count_tasks(spec).count / defined * self.design.most)
        return count + (
            0 if self.gather is None else task_counts.count_tasks(self.gather.get("spec") or {}).count
        ), False

    def workflows(self) -> tuple[int, int, bool]:
        """One workflow for each round; for each point if the search prunes."""
        each = 1 if self.design.prunes else self.design.at_once
        return -(-self.design.most // each), self.size.bytes, False

    def lines(self, *, explain: bool = False) -> list[str]:
        pods, (count, largest, _) = self.pods()[0], self.workflows()
        what = "a workflow for each point" if self.design.prunes else f"{count} rounds, a workflow each"
        more = "" if self.gather is None else ", then gather"
        limit = "limit of a cluster: 1 MiB" if self.estimate.limits is HERE else "limit 1 MiB"
        known = f"{self.points} of at most {self.design.most} points are known"
        lines = [
            f"{self.definition.inputs.points.description} → at most {pods} pods, {what}{more}",
            f"{known}{', and the search is over' if self.over else ''}: a round is {kilobytes(largest)} ({limit})",
        ]
        if self.decisions is not None:
            lines += self._decision_lines(self.decisions, explain)
        return lines

    def as_json(self) -> Json:
        """As for every plan, with `search`: the design of the search. `points` is how many points are known."""
        return {**super().as_json(), "search": {**self.design.as_json(), "over": self.over}}


def plan_of_search(
    rounds: Rounds, history: History | None, runs: Path, images: Mapping[str, str], own: Path | None
) -> SearchPlan:
    """The plan from the records alone. history: None if earlier runs are not considered. own: the record of the run to continue."""
    replayed = rounds.replay(history or History(), RecordedTrials(runs).find_trial, own)
    current, decisions = replayed.current, None if history is None else replayed.decisions
    overview = Definition(rounds.experiment(replayed.course.points.values()), rounds.context)
    estimate = current.estimate if current is not None else rounds.first_estimate()
    return SearchPlan(overview, estimate, decisions, images, design=rounds.design, over=current is None)
