"""What a run gave: one table of inputs × outputs × artifacts × status × time × attempts, of its points and of its tasks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from hera_utils.argo import timestamps
from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.results.columns import Column, Role, Table
from hera_utils.results.point_results import PointResult, point_rows, points_of_nodes
from hera_utils.results.task_results import Row, rows
from hera_utils.runs.record import PointRow

if TYPE_CHECKING:
    import os

Json = dict[str, Any]

MEASURES = ("status", "started", "finished", "seconds", "attempts", "message")
_KEYS = ("point", "task", "template", "workflow", "artifacts")


@dataclass(frozen=True, repr=False)
class Results(Sequence[Row]):
    """The results of a run, which may be several workflows; partial while it runs.

    As a sequence it is its tasks, in the order of the run. points: one row a point of the sweep, () where nothing is swept.
    name: the run's. `to_pandas()`, `to_polars()`, `to_csv()`, `to_json()`, `to_parquet()` give the points where there are any, else the
    tasks; `by="tasks"` or `by="points"` chooses.
    """

    tasks: tuple[Row, ...]
    points: tuple[PointResult, ...] = ()
    name: str = ""

    @classmethod
    def of(cls, documents: Iterable[Json], points: Iterable[PointRow] = (), *, name: str = "") -> Results:
        """From the workflow documents of a run and the points that its record knows."""
        known = tuple(points)
        tasks: list[Row] = []
        for document in documents:
            name = name or str(document["metadata"].get("name", ""))
            found = rows(document)
            if known:
                ids = points_of_nodes(document, found, known)
                found = tuple(replace(row, point=ids[row.node_id]) if row.node_id in ids else row for row in found)
            tasks += found
        return cls(tuple(tasks), point_rows(known, tasks), name)

    def __repr__(self) -> str:
        counts = [f"{len(self.tasks)} task{'' if len(self.tasks) == 1 else 's'}"]
        if self.points:
            counts.insert(0, f"{len(self.points)} point{'' if len(self.points) == 1 else 's'}")
        failed = len(self.failures)
        return f"Results({self.name or 'of no run'}: {', '.join(counts)}{f', {failed} failed' if failed else ''})"

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.tasks[index]

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.tasks)

    @property
    def failures(self) -> tuple[Row, ...]:
        """The tasks that failed, the first one first."""
        return tuple(sorted((row for row in self.tasks if row.status in UNSUCCESSFUL), key=lambda row: row.finished))

    def of_template(self, template: str) -> Results:
        """Only the tasks of a template (and what the points have of them)."""
        kept = tuple(row for row in self.tasks if row.template == template)
        known = [
            PointRow(one.id, number, one.name, dict(one.values), one.workflow, status=one.status, run=one.run)
            for number, one in enumerate(self.points)
        ]
        return Results(kept, point_rows(known, kept), self.name)

    def with_logs(self, logs: Mapping[str, Sequence[str]]) -> Results:
        """With the last lines of failed tasks. logs: node id → lines."""
        if not logs:
            return self

        def told(row: Row) -> Row:
            return replace(row, log=tuple(logs[row.node_id])) if row.node_id in logs else row

        return replace(
            self,
            tasks=tuple(map(told, self.tasks)),
            points=tuple(replace(one, tasks=tuple(map(told, one.tasks))) for one in self.points),
        )

    @cached_property
    def task_table(self) -> Table:
        """One row a task: every input, output and measure of every task, unabridged."""
        tasks = self.tasks
        several = len({row.workflow for row in tasks}) > 1
        columns = [
            _column("task", "key", (row.task for row in tasks)),
            _column("template", "key", (row.template for row in tasks)),
        ]
        if several:
            columns.insert(0, _column("workflow", "key", (row.workflow for row in tasks)))
        if self.points:
            columns.insert(0, _column("point", "key", (row.point for row in tasks)))
        inputs, outputs = _names(row.inputs for row in tasks), _names(row.outputs for row in tasks)
        taken = {*_KEYS, *MEASURES}
        columns += _spread("input", inputs, taken, [row.inputs for row in tasks])
        columns += _spread("output", outputs, taken | set(inputs), [row.outputs for row in tasks])
        if any(row.artifacts for row in tasks):
            columns.append(_column("artifacts", "artifact", (" ".join(row.artifacts) for row in tasks)))
        return Table("tasks", (*columns, *_measures(tasks)))

    @cached_property
    def point_table(self) -> Table:
        """One row a point: the axes' values, every output of its tasks, measures."""
        points = self.points
        axes, outputs = _names(one.values for one in points), _names(one.outputs for one in points)
        taken = {*_KEYS, *MEASURES}
        columns = [_column("point", "key", (one.id for one in points))]
        if len({one.workflow for one in points if one.workflow}) > 1:
            columns.append(_column("workflow", "key", (one.workflow for one in points)))
        columns += _spread("input", axes, taken, [one.values for one in points])
        columns += _spread("output", outputs, taken | set(axes), [one.outputs for one in points])
        if any(one.artifacts for one in points):
            columns.append(_column("artifacts", "artifact", (" ".join(one.artifacts) for one in points)))
        return Table("points", (*columns, *_measures(points)))

    def table(self, by: str | None = None) -> Table:
        """by: "points" or "tasks"; left out, the points where there are any."""
        if by not in (None, "points", "tasks"):
            raise ValueError(f'by is "points" or "tasks", not {by!r}')
        return self.point_table if by == "points" or (by is None and self.points) else self.task_table

    # --- what others read ------------------------------------------------------------------------------------------

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, by: str | None = None) -> str:
        """CSV text, values as the tasks wrote them; also written to `path` when one is given."""
        from hera_utils.results import formats

        return formats.written(formats.csv_text(self.table(by)), path)

    def to_json(self, path: str | os.PathLike[str] | None = None, *, by: str | None = None) -> str:
        """JSON text: a list with an object a row, numbers as numbers; also written to `path` when one is given."""
        from hera_utils.results import formats

        return formats.written(formats.json_text(self, by), path)

    def to_pandas(self, *, by: str | None = None) -> Any:
        """A pandas DataFrame, columns typed. ResourceError without pandas."""
        from hera_utils.results import formats

        return formats.pandas_frame(self.table(by))

    def to_polars(self, *, by: str | None = None) -> Any:
        """A polars DataFrame, columns typed. ResourceError without polars."""
        from hera_utils.results import formats

        return formats.polars_frame(self.table(by))

    def to_parquet(self, path: str | os.PathLike[str], *, by: str | None = None) -> None:
        """A Parquet file, columns typed. ResourceError without pyarrow."""
        from hera_utils.results import formats

        formats.parquet_file(self.table(by), path)

    def _repr_html_(self) -> str:
        from hera_utils.results.notebook import results_html

        return results_html(self)


def _measures(found: Sequence[Row] | Sequence[PointResult]) -> list[Column]:
    columns = [_column(name, "measure", (getattr(one, name) for one in found)) for name in MEASURES]
    return columns if any(columns[-1].cells) else columns[:-1]


def _column(name: str, role: Role, cells: Iterable[Any]) -> Column:
    return Column(name, role, tuple(cells))


def _spread(role: Role, names: Sequence[str], taken: set[str], groups: Sequence[Mapping[str, Any]]) -> list[Column]:
    """A column a name; one that is taken already is called `inputs.NAME` or `outputs.NAME`."""
    return [
        _column(f"{role}s.{name}" if name in taken else name, role, (group.get(name) for group in groups))
        for name in names
    ]


def _names(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every key, in the order of first appearance."""
    return list(dict.fromkeys(name for group in groups for name in group))


def duration(started: str, finished: str) -> float | None:
    """Seconds between two RFC 3339 times; None when one is absent."""
    begin, end = timestamps.read(started), timestamps.read(finished)
    return None if begin is None or end is None else max(0.0, end - begin)
