"""Stops points of a search early: reads the values that running tasks report in their logs, and stops the workflow of a point if the
search's pruner says so.

Argo can stop a workflow, but not one of its tasks: if a search prunes, each point is a workflow of its own. The pruner decides by the
values alone, not by the time when they were read: a point that ended before it could be stopped counts as stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from hera_utils.argo.phases import COMPLETED
from hera_utils.errors import HeraUtilsError
from hera_utils.execution.dispatcher import Dispatcher
from hera_utils.execution.reporter import Reporter
from hera_utils.execution.trials import trial_as_json
from hera_utils.experiment.points import Point
from hera_utils.experiment.search import SearchProgress
from hera_utils.experiment.search_design import PRUNED, Trial
from hera_utils.runs.step_reports import PATTERN, steps_of

_PAUSE = 0.25  # seconds between two reads of a log


class StepWatch:
    """Watches one round. points: by id. steps: point id → (step → value) that it has reported. stopped: ids of the points it stopped."""

    def __init__(
        self, course: SearchProgress, dispatcher: Dispatcher, reporter: Reporter, points: Iterable[Point]
    ) -> None:
        self.course, self.dispatcher, self.reporter = course, dispatcher, reporter
        self.points = {point.id: point for point in points}
        self.steps: dict[str, dict[int, float]] = {}
        self.stopped: set[str] = set()
        self._last_look = 0.0
        self._ended: set[str] = set()
        self.cannot_read_logs = ""

    def look(self) -> None:
        """Read new values, and stop the points that the pruner gives up. Called at each poll while the round runs."""
        if self.cannot_read_logs or time.monotonic() - self._last_look < _PAUSE:
            return
        self._last_look = time.monotonic()
        for name, flight in list(self.dispatcher.in_flight.items()):
            if flight.phase != "Pending":
                self._read_steps(name, over=flight.phase in COMPLETED)

    def note_settled(self, name: str) -> None:
        """Read the last lines of a workflow that has ended."""
        if not self.cannot_read_logs and name not in self._ended:
            self._read_steps(name, over=True)

    def _read_steps(self, name: str, *, over: bool) -> None:
        client, record = self.dispatcher.client, self.dispatcher.record
        ids = [row.id for row in record.points(workflow=name) if row.id in self.points]
        if len(ids) != 1 or ids[0] in self.stopped:
            return
        if over:
            self._ended.add(name)
        try:
            reported = steps_of(line for _, line in client.logs(name, grep=PATTERN))
        except HeraUtilsError as error:
            self.cannot_read_logs = str(error)
            self.reporter.lines([f"no point is stopped early, because the logs of {name} cannot be read: {error}"])
            return
        seen = self.steps.setdefault(ids[0], {})
        for step in sorted(set(reported) - set(seen)):
            seen[step] = reported[step]
            if self.course.prune(self.points[ids[0]], dict(seen)):
                self._stop(name, ids[0], running=not over)
                return

    def _stop(self, name: str, point: str, *, running: bool) -> None:
        """Record the stop, then stop the workflow: if this process is killed in between, the next one knows of the stop."""
        self.stopped.add(point)
        dispatcher = self.dispatcher
        trial = Trial(self.points[point], PRUNED, steps=self.steps[point])
        dispatcher.record.keep_trials({point: trial_as_json(trial)})
        dispatcher.pruned.add(point)
        if running:
            try:
                dispatcher.client.act(name, "stop")
            except HeraUtilsError as error:  # it may have ended by itself; it counts as stopped nevertheless
                self.reporter.lines([f"{name} was not stopped: {error}"])
