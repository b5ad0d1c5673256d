"""A run that was followed to its end: how it ended, and what its tasks answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hera_utils.report.outcome import Outcome, outcome
from hera_utils.report.results import Results
from hera_utils.report.rows import Row

Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One execution of an experiment.

    name, namespace: the workflow's. workflow: its document as last seen. link: its page. folders: claim → folder of this machine.
    `run["fan-in"].outputs["total"]` is what a task answered.
    """

    name: str
    namespace: str
    workflow: Json = field(repr=False)
    link: str = ""
    folders: dict[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> str:
        return self.outcome.phase

    @property
    def succeeded(self) -> bool:
        return self.outcome.succeeded

    @cached_property
    def outcome(self) -> Outcome:
        return outcome(self.workflow)

    @cached_property
    def results(self) -> Results:
        """The points and tasks of the run as a table: `.to_pandas()`, `.to_csv("results.csv")`…; as a sequence, a row a task."""
        return Results.of([self.workflow], name=self.name)

    def tasks(self, name: str) -> list[Row]:
        """Every task of that name, or that ran the template of that name: each item of a fan-out."""
        last = [row for row in self.results if row.task.rpartition(".")[2].split("(")[0] == name]
        return last or [row for row in self.results if row.template == name]

    def __getitem__(self, name: str) -> Row:
        """The one task of that name; KeyError when there is none, or several (then `tasks(name)` has them)."""
        found = self.tasks(name)
        if len(found) != 1:
            there = ", ".join(dict.fromkeys(row.task for row in self.results)) or "none"
            raise KeyError(f"{len(found)} tasks are named {name!r}; there are: {there[:400]}")
        return found[0]
