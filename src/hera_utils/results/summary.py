"""What a table that sums up points (means, differences of means) gives to readers, programs and notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from hera_utils.results import exports
from hera_utils.results.columns import ResultTable
from hera_utils.results.notebook import sheet_html
from hera_utils.results.terminal_table import Sheet

if TYPE_CHECKING:
    import os


class Summary(ABC):
    """One row for each group of points that repeat each other."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What the rows are, in words."""

    @abstractmethod
    def table(self) -> ResultTable:
        """The columns for programs, unrounded."""

    @abstractmethod
    def as_json(self) -> list[dict[str, Any]]:
        """An object for each group."""

    @abstractmethod
    def sheet(self, *, exact: bool = True) -> Sheet:
        """The table for readers, rounded to what the errors allow."""

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """CSV text; also written to `path` when one is given. ResourceError if the file cannot be written."""
        return exports.write_and_return(exports.csv_text(self.table()), path)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """JSON text: a list with one object for each group; also written to `path` when one is given."""
        return exports.write_and_return(exports.json_of(self.as_json()), path)

    def to_pandas(self) -> Any:
        """A pandas DataFrame, columns typed. ResourceError without pandas."""
        return exports.pandas_frame(self.table())

    def to_polars(self) -> Any:
        """A polars DataFrame, columns typed. ResourceError without polars."""
        return exports.polars_frame(self.table())

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """A Parquet file, columns typed. ResourceError without pyarrow."""
        exports.parquet_file(self.table(), path)

    def _repr_html_(self) -> str:
        return f"<div>{sheet_html(self.sheet(exact=False))}</div>"
