"""The catalogue of runs for commands: which folders have records, which run a name means, and how tables are written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.cli.run_choice import choose_name, is_relative
from hera_utils.cli.run_names import connect_client, is_record, record_folders
from hera_utils.cli.terminal import print_note, print_table, write_data
from hera_utils.errors import HeraUtilsError, ResourceError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.runs.catalogue import CatalogueEntry
    from hera_utils.runs.comparison_table import ComparisonTable


def recorded_entries() -> list[CatalogueEntry]:
    """The runs with a record, the newest first. No server is asked."""
    from hera_utils.runs.catalogue import read_catalogue

    _refuse_missing_folder()
    return read_catalogue(record_folders())


def all_entries() -> list[CatalogueEntry]:
    """The runs with a record, and those of the platform; if it does not answer, prints that and leaves its runs out.

    If a folder was typed (--runs), only the runs that are recorded in it count.
    """
    from hera_utils.runs.catalogue import NEEDED_FIELDS, read_catalogue

    folders, alone = record_folders(), _refuse_missing_folder()
    try:
        with connect_client() as client:
            workflows = client.list(fields=",".join(NEEDED_FIELDS))
            platform = _entries_of_platform(client)
    except HeraUtilsError as error:
        print_note(f"hera-utils: only recorded runs are shown: {error}")
        workflows, platform = [], None
    return [entry for entry in read_catalogue(folders, workflows, platform) if entry.folder is not None or not alone]


def _refuse_missing_folder() -> bool:
    """Whether the folder of the records was typed. Raises ResourceError if it was and does not exist; a folder that a setting names may
    be created later.
    """
    from hera_utils.cli.options import given_settings

    if "runs" not in given_settings():
        return False
    for folder in record_folders():
        if not folder.is_dir():
            raise ResourceError(
                f"there is no folder {folder} (--runs)", fix="name the folder in which runs are recorded"
            )
    return True


def _entries_of_platform(client: ArgoClient) -> tuple[str, ...]:
    """The identity of the platform, as in the records of its runs."""
    from hera_utils.cli import options
    from hera_utils.execution.run_facts import platform_facts
    from hera_utils.runs.catalogue import platform_of

    return platform_of(platform_facts(options.context(), client.namespace))


def entries_of(names: Sequence[str]) -> list[CatalogueEntry]:
    """The recorded runs with these names, in this order. A name is as in run_names.py, or the folder of a record.

    Raises ResourceError for a name without a record.
    """
    entries = recorded_entries()
    return [_entry_of(name, entries) for name in names]


def _entry_of(name: str, entries: Sequence[CatalogueEntry]) -> CatalogueEntry:
    from hera_utils.runs.catalogue import NOT_SUBMITTED

    folder = Path(name)
    if is_record(folder):
        from hera_utils.runs.catalogue import recorded_runs

        where = folder.resolve()
        return next(entry for entry in recorded_runs(where.parent) if entry.folder == where)
    called = next((entry for entry in entries if entry.notes.name == name), None)
    own = [entry.name for entry in entries if not (is_relative(name) and entry.phase == NOT_SUBMITTED)]
    if called is not None and name not in own:
        return called
    chosen = choose_name(name, own, where=" with a record", listing="hera-utils runs")
    return next(entry for entry in entries if entry.name == chosen)


def write_table(table: ComparisonTable, form: str, to: Path | None = None) -> None:
    """Write a table to stdout or a file, as text, csv or json (a list of objects, numbers as numbers, empty cells left out)."""
    from hera_utils.results.exports import csv_of

    if form == "text" and to is None:
        print_table(table.header, table.lines, table.numeric, whole=("run",))
    elif form == "json":
        write_data(json.dumps(table.as_json(), indent=2, ensure_ascii=False) + "\n", to)
    else:
        write_data(csv_of([table.header, *table.lines]), to)
