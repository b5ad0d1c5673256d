"""The earlier runs of an experiment: which of them goes on, how those ended that nobody followed, whether their inputs were the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.errors import HeraUtilsError, SettingsError
from hera_utils.execution.advice import Advice
from hera_utils.execution.cautions import warn_of_unusable_records
from hera_utils.execution.dispatcher import Dispatcher
from hera_utils.execution.reporter import Reporter
from hera_utils.execution.run_facts import identity
from hera_utils.runs.record import DONE, RunRecord, records
from hera_utils.wording import first_of

Json = dict[str, Any]


@dataclass(frozen=True)
class EarlierRuns:
    """The recorded runs of the experiment that is about to run. runs: the folder of the records. facts: those of the present run.

    compared_inputs: the parts of a record's inputs in which two runs may differ, and the word for one value of each.
    """

    runs: Path
    facts: Json
    compared_inputs: tuple[tuple[str, str], ...]
    advice: Advice
    reporter: Reporter

    def join(
        self,
        dispatcher_of: Callable[[RunRecord], Dispatcher],
        continues: Callable[[RunRecord, Dispatcher], bool],
    ) -> tuple[RunRecord, Dispatcher] | None:
        """Ask the platform for the workflows of unfinished runs, and record their ends. The newest of these runs, if it is to be continued.

        dispatcher_of: gives the workflows of a run to a dispatcher. continues: whether some part of a run still runs or was not sent.
        """
        newest, joined = True, None
        self.reporter.lines(warn_of_unusable_records(self.runs, self.facts))
        with ExitStack() as if_one_cannot_be_joined:
            for folder in records(self.runs):
                try:
                    record = RunRecord.open(folder)
                except HeraUtilsError:
                    continue  # warn_of_unusable_records has named it
                same = identity(record.facts) == identity(self.facts)
                ended = bool(record.facts.get("ended"))
                if not same or (ended and not (newest and _has_failed_workflow(record))):
                    newest = newest and not same
                    record.close()
                    continue
                record.drive()
                dispatcher = dispatcher_of(record)
                dispatcher.join()
                if self._goes_on(record, dispatcher, newest=newest, unfinished=continues(record, dispatcher)):
                    record.update(ended=None, phase="")
                    if_one_cannot_be_joined.callback(record.close)
                    joined = record, dispatcher
                newest = False
            if_one_cannot_be_joined.pop_all()
        return joined

    def _goes_on(self, record: RunRecord, dispatcher: Dispatcher, *, newest: bool, unfinished: bool) -> bool:
        """Whether the present run continues this one; otherwise its end is recorded. Raises SettingsError if workflows of it still run."""
        ended, others = bool(record.facts.get("ended")), self.describe_other_inputs(record)
        if newest and not others and (dispatcher.in_flight if ended else unfinished):
            return True
        if dispatcher.in_flight:
            record.close()
            raise SettingsError(
                f"the run {record.name} of this experiment is still going{f', with other inputs ({others})' if others else ''}",
                fix=self.advice.wait_or_stop(record.name),
            )
        if newest and others and not ended and unfinished:
            why = f"its inputs differ ({others})"
            self.reporter.lines([f"{record.name} stays unfinished, because {why}: this is a new run"])
        record_end(record)
        record.close()
        return False

    def describe_other_inputs(self, record: RunRecord) -> str:
        """How a run's inputs differ from the present ones, "" if they do not: one run has one set of constants and points."""
        if record.facts.get("inputs_digest") == self.facts["inputs_digest"]:
            return ""
        before, now = record.facts.get("inputs") or {}, self.facts["inputs"]
        names = []
        for group, what in self.compared_inputs:
            old, new = before.get(group) or {}, json.loads(json.dumps(now.get(group) or {}, default=str))
            names += [f"{what} {name}" for name in {**old, **new} if old.get(name) != new.get(name)]
        return first_of(names, 3) or "other points"

    def has_same_inputs(self, folder: Path) -> bool:
        """Whether the inputs of the run with this record folder are the present ones."""
        with RunRecord.open(folder) as record:
            return not self.describe_other_inputs(record)


def _has_failed_workflow(record: RunRecord) -> bool:
    """Whether a workflow of a run failed: it may have been retried since."""
    return any(row.phase in UNSUCCESSFUL for row in record.workflows())


def record_end(record: RunRecord) -> None:
    """Record that a run which no process follows any more has ended."""
    states = record.counts_by_status()
    phases = [row.phase for row in record.workflows()]
    gathered = not record.facts.get("gather") or any(row.role == "gather" for row in record.workflows())
    searched = bool((record.facts.get("inputs") or {}).get("search"))  # a search might have chosen more points
    complete = set(states) <= {DONE} and phases[-1:] == ["Succeeded"] and gathered and not searched
    record.update(ended=time.time(), phase="Succeeded" if complete else "Failed")
