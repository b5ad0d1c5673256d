"""The results of a run: tables of its points and tasks with inputs, outputs, artifacts, status, time and attempts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.errors import ResourceError
from hera_utils.results import exports
from hera_utils.results.columns import ResultTable, cell_text
from hera_utils.results.notebook import results_html
from hera_utils.results.point_results import PointResult, point_results, points_of_nodes
from hera_utils.results.tables import point_table, task_table
from hera_utils.results.task_results import TaskResult, task_results
from hera_utils.runs.record import PRUNED, PointRow
from hera_utils.runs.whole_run import WholeRun
from hera_utils.wording import counted, listed

if TYPE_CHECKING:
    import os

    from hera_utils.results.differences_of_means import MeanDifferences
    from hera_utils.results.means import Means

Json = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Results(Sequence[TaskResult]):
    """The results of a run, which may be several workflows; partial while it runs.

    A sequence of the tasks, in the order of the run. points: one row per point of the sweep, () without a sweep. name: the run's.
    `to_pandas()`, `to_polars()`, `to_csv()`, `to_json()`, `to_parquet()` return the points where there are any, else the tasks;
    `by="tasks"` or `by="points"` chooses.
    """

    tasks: tuple[TaskResult, ...]
    points: tuple[PointResult, ...] = ()
    name: str = ""

    @classmethod
    def of(cls, documents: Iterable[Json], points: Iterable[PointRow] = (), *, name: str = "") -> Results:
        """Results from the workflow documents of a run and the points of its record."""
        sweep = tuple(points)
        tasks: list[TaskResult] = []
        for document in documents:
            name = name or str(document["metadata"].get("name", ""))
            of_document = task_results(document)
            if sweep:
                ids = points_of_nodes(document, of_document, sweep)
                of_document = tuple(replace(row, point=ids.get(row.node_id, "")) for row in of_document)
            tasks += of_document
        return cls(tuple(tasks), point_results(sweep, tasks), name)

    @classmethod
    def of_run(cls, run: WholeRun) -> Results:
        """The results of a whole run. Of earlier runs only the tasks of the points that this run took over."""
        results = cls.of(run.documents, run.points, name=run.name)
        if not run.earlier:
            return results
        own = tuple(row for row in results if row.point or row.workflow not in run.earlier)
        return replace(results, tasks=own)

    def __repr__(self) -> str:
        counts = [counted(len(self.tasks), "task")]
        if self.points:
            counts.insert(0, counted(len(self.points), "point"))
        failed = len(self.failures)
        return f"Results({self.name or 'of no run'}: {', '.join(counts)}{f', {failed} failed' if failed else ''})"

    @overload
    def __getitem__(self, index: int) -> TaskResult: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TaskResult, ...]: ...
    def __getitem__(self, index: int | slice) -> TaskResult | tuple[TaskResult, ...]:
        return self.tasks[index]

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[TaskResult]:
        return iter(self.tasks)

    @property
    def failures(self) -> tuple[TaskResult, ...]:
        """The failed tasks, in the order in which they failed; without those that a search stopped or the run computed again."""
        stopped = {point.id for point in self.points if point.status == PRUNED}
        newest = {_same_task(row): row.workflow for row in self.tasks if row.point}
        failed = (
            row
            for row in self.tasks
            if row.status in UNSUCCESSFUL
            and row.point not in stopped
            and (row.point or newest.get(_same_task(row), row.workflow) == row.workflow)
        )
        return tuple(sorted(failed, key=lambda row: row.finished))

    def of_template(self, template: str) -> Results:
        """Only the tasks of a template, and the points with only these tasks."""
        of_template = tuple(row for row in self.tasks if row.template == template)
        sweep = [
            PointRow(
                point.id, number, point.name, dict(point.values), point.workflow, status=point.status, run=point.run
            )
            for number, point in enumerate(self.points)
        ]
        return Results(of_template, point_results(sweep, of_template), self.name)

    def with_logs(self, logs: Mapping[str, Sequence[str]]) -> Results:
        """The results with the last lines of failed tasks. logs: node id → lines."""
        if not logs:
            return self

        def with_log(row: TaskResult) -> TaskResult:
            return replace(row, log=tuple(logs[row.node_id])) if row.node_id in logs else row

        return replace(
            self,
            tasks=tuple(map(with_log, self.tasks)),
            points=tuple(replace(point, tasks=tuple(map(with_log, point.tasks))) for point in self.points),
        )

    @cached_property
    def task_table(self) -> ResultTable:
        """One row per task, with every input, output and measure, unabridged."""
        return task_table(self.tasks, with_points=bool(self.points))

    @cached_property
    def point_table(self) -> ResultTable:
        """One row per point: the values of the axes, every output of its tasks, measures."""
        return point_table(self.points)

    def table(self, by: str | None = None) -> ResultTable:
        """by: "points" or "tasks"; by default the points where there are any."""
        if by not in (None, "points", "tasks"):
            raise ValueError(f'by is "points" or "tasks", not {by!r}')
        return self.point_table if by == "points" or (by is None and self.points) else self.task_table

    def _rows(self, by: str | None) -> Sequence[TaskResult | PointResult]:
        """The rows of `table(by)`."""
        return self.points if self.table(by).title == "points" else self.tasks

    # --- repeated points: the modules are imported when used, because statistics takes long -----------------------------

    def mean_over(self, *axes: str, by: str | None = None) -> Means:
        """The means over points that differ only in these axes (none named: those of seeds), with standard errors.

        by: "tasks" for the tasks of the only template with these inputs, as in a run without points. Raises ResourceError if
        nothing repeats, if an axis is none, or if no output is a number.
        """
        from hera_utils.results.means import means

        table = self._table_of_repetitions(axes, by)
        return means(table, axes or self._seeds_of(table, "there is nothing to take means over"))

    def compare(
        self, axis: str, *, reference: object = None, over: Sequence[str] = (), by: str | None = None
    ) -> MeanDifferences:
        """How much the means differ between the values of an axis, from one of them (`reference`, by default the first), with
        intervals, in each setting of the other axes.

        over: the axes whose values repeat the points, by default those of seeds. by: as in `mean_over`. Raises ResourceError if nothing
        repeats, or if there is no such axis or value.
        """
        from hera_utils.results.differences_of_means import differences_of_means

        table = self._table_of_repetitions((*over, axis), by)
        over = over or self._seeds_of(table, f"nothing says how far the differences of {axis} are off")
        return differences_of_means(table, axis, over, None if reference is None else cell_text(reference))

    def _seeds_of(self, table: ResultTable, problem: str) -> tuple[str, ...]:
        from hera_utils.results.means import seeds_of

        seeds = seeds_of(table)
        if not seeds:
            raise ResourceError(
                f"{problem}: no axis of {self.name} has the name of one that repeats the points",
                fix="name it: --mean-over AXIS, in Python over=[AXIS]; it needs more than one value",
            )
        return seeds

    def _table_of_repetitions(self, names: Sequence[str], by: str | None) -> ResultTable:
        """The points if there are any, else (or by "tasks") the tasks of the only template with the inputs `names`."""
        if self.points and by != "tasks":
            return self.point_table
        templates = dict.fromkeys(row.template for row in self if all(name in row.inputs for name in names))
        if len(templates) != 1:
            raise ResourceError(
                f"{'several templates' if templates else 'no template'} of {self.name} {'have' if templates else 'has'} "
                f"the input{'s' if len(names) > 1 else ''} {listed(names)}",
                fix=f"name one with --template: {', '.join(templates)}"
                if templates
                else "hera-utils results shows the inputs",
            )
        table = self.of_template(next(iter(templates))).task_table
        constant = [c for c in table.by_role("input") if len(set(c.cells)) == 1 and c.name not in names]
        return ResultTable(table.title, tuple(column for column in table.columns if column not in constant))

    # --- exports -----------------------------------------------------------------------------------------------------

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, by: str | None = None) -> str:
        """CSV text, values as the tasks wrote them; also written to `path` when one is given."""
        return exports.write_and_return(exports.csv_text(self.table(by)), path)

    def to_json(self, path: str | os.PathLike[str] | None = None, *, by: str | None = None) -> str:
        """JSON text: a list with one object for each row, numbers as numbers; also written to `path` when one is given."""
        return exports.write_and_return(exports.json_text(self.table(by), self._rows(by)), path)

    def to_pandas(self, *, by: str | None = None) -> Any:
        """A pandas DataFrame, columns typed. ResourceError without pandas."""
        return exports.pandas_frame(self.table(by))

    def to_polars(self, *, by: str | None = None) -> Any:
        """A polars DataFrame, columns typed. ResourceError without polars."""
        return exports.polars_frame(self.table(by))

    def to_parquet(self, path: str | os.PathLike[str], *, by: str | None = None) -> None:
        """A Parquet file, columns typed. ResourceError without pyarrow."""
        exports.parquet_file(self.table(by), path)

    def _repr_html_(self) -> str:
        return results_html(self.points, self.tasks)


def _same_task(row: TaskResult) -> tuple[object, ...]:
    """The same for a task of a point in two workflows of a run: the number of an item may differ, its inputs do not."""
    return (row.template, *sorted(row.inputs.items())) if row.inputs else (row.task,)
