"""`hera-utils gc`: deletes old runs with their logs and files, and remains of images. Shows how many bytes before it deletes anything."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hera_utils.argo.faults import NOT_FOUND
from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.cli.deletion import keep_and_delete
from hera_utils.cli.image_removal import ImageRemoval
from hera_utils.cli.options import context, parse_age, settings_options
from hera_utils.cli.terminal import print_line
from hera_utils.deep_folders import remove_tree
from hera_utils.errors import Refused
from hera_utils.wording import counted

if TYPE_CHECKING:
    from hera_utils.local_platform.storage.disk import Usage
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]
Item = TypeVar("Item")
_FIELDS = "metadata.name,metadata.namespace,metadata.uid,spec.artifactGC,status.phase,status.finishedAt"
_MOST_LINES = 20


@click.command()
@click.option(
    "--older-than",
    default="30d",
    show_default=True,
    metavar="AGE",
    help="Runs that ended longer ago than this: 30d, 12h.",
)
@click.option(
    "--unused-images",
    metavar="AGE",
    help="Also remove images, and Pythons with packages, that no task used for so long: 90d. Without it only the remains of images go.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("-y", "--yes", is_flag=True, help="Delete without asking.")
@settings_options
def command(older_than: str, unused_images: str | None, dry_run: bool, yes: bool) -> int:
    """Delete old runs with their logs and artifacts, and the remains of deleted claims and images.

    Files on existing claims are never touched, and the records of runs keep their results. The space is shown first; without a terminal
    nothing is deleted unless --yes is given.
    """
    from hera_utils.cli.run_names import connect_client

    settings, seconds = context(), parse_age(older_than, "--older-than")
    unused = None if unused_images is None else parse_age(unused_images, "--unused-images")
    with connect_client(settings) as client:
        removal = _Removal.of(client, Path(settings.state), seconds, unused)
        if not removal:
            print_line(f"nothing is older than {older_than}")
            return 0
        for line in removal.lines():
            print_line(line)
        if dry_run or not (yes or _confirm_deletion()):
            print_line("nothing deleted" + ("" if dry_run or sys.stdin.isatty() else "; add --yes"))
            return 0
        for line in removal.carry_out(client):
            print_line(line)
    return 0


@dataclass(frozen=True)
class _Removal:
    """What to delete. runs: those that ended long ago. leftovers: folder → bytes. records: uids of the archive's old records.

    usage: of the local platform's disk; None on a cluster, where only runs are deleted, no files.
    """

    state: Path
    usage: Usage | None
    runs: list[Json]
    leftovers: dict[Path, int]
    images: ImageRemoval
    records: list[str]

    @classmethod
    def of(cls, client: ArgoClient, state: Path, seconds: float, unused: float | None) -> _Removal:
        """What is older than so many seconds. unused: also images that were not used for so many seconds; None: no images."""
        limit = time.time() - seconds
        runs = [run for run in client.list(fields=_FIELDS) if _has_ended_before(run, limit)]
        if not client.connection.local:
            return cls(state, None, runs, {}, ImageRemoval(), [])
        from hera_utils.local_platform.storage import disk

        usage = disk.usage(state, _uids_of_runs(client))  # of all namespaces: pods of their runs are no leftovers
        images = ImageRemoval.of(state, unused, "" if unused is None else _annotations_of_unfinished_runs(client))
        return cls(
            state, usage, runs, disk.old_leftovers(usage.leftovers, seconds), images, _old_records(client, limit)
        )

    def __bool__(self) -> bool:
        return bool(self.runs or self.leftovers or self.records or self.images.lines())

    def lines(self) -> list[str]:
        """The lines that the user sees before the question."""
        from hera_utils.spans import size_in_words

        sizes = {run["metadata"]["name"]: _size(self.usage, run) for run in self.runs}
        lines = [f"{name}  {size_in_words(sizes[name])}" if self.usage else name for name in list(sizes)[:_MOST_LINES]]
        if len(sizes) > _MOST_LINES:
            rest = sum(list(sizes.values())[_MOST_LINES:])
            more = f"and {counted(len(sizes) - _MOST_LINES, 'more run')}"
            lines.append(f"{more}  {size_in_words(rest)}" if self.usage else more)
        left = sum(self.leftovers.values())
        if self.leftovers:
            folders = counted(len(self.leftovers), "folder")
            lines.append(f"{folders} of deleted claims and runs  {size_in_words(left)}")
        lines += self.images.lines()
        if self.usage:
            lines.append(f"{size_in_words(sum(sizes.values()) + left + self.images.size)} in all")
        return lines

    def carry_out(self, client: ArgoClient) -> Iterator[str]:
        """Delete everything; the lines to print. Files go first, because the disk may be full and the journal must write to it."""
        of_runs = _folders_of_runs(self.usage, self.state, self.runs) if self.usage else ()
        for folder in _with_progress("deleting files", [*self.leftovers, *of_runs]):
            remove_tree(folder)
        yield from self.images.remove()
        for run in _with_progress("deleting runs", self.runs):
            _delete(partial(keep_and_delete, client), run["metadata"]["name"])
        for uid in self.records:
            _delete(client.delete_archived, uid)
        yield f"{counted(len(self.runs), 'run')} deleted"


def _with_progress(title: str, items: Sequence[Item]) -> Iterable[Item]:
    """The items, with a bar on a terminal if that takes a moment: a run of many tasks has as many folders."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, title, console=Console(stderr=True), transient=True)


def _uids_of_runs(client: ArgoClient) -> frozenset[str]:
    return frozenset(run["metadata"]["uid"] for run in _list_in_all_namespaces(client, "metadata.uid"))


def _annotations_of_unfinished_runs(client: ArgoClient) -> str:
    """The annotations of all runs that have not ended: they name the Pythons of their tasks."""
    runs = _list_in_all_namespaces(client, "metadata.annotations,status.phase")
    going = (run for run in runs if phase_of(run) not in COMPLETED)
    return "\n".join(text for run in going for text in ((run.get("metadata") or {}).get("annotations") or {}).values())


def _list_in_all_namespaces(client: ArgoClient, fields: str) -> Iterator[Json]:
    from hera_utils.platforms.cluster import Cluster

    for namespace in Cluster(client.connection).list("Namespace"):
        with type(client)(_connection_to_namespace(client, namespace["metadata"]["name"])) as other:
            yield from other.list(fields=fields)


def _connection_to_namespace(client: ArgoClient, namespace: str) -> Any:
    return replace(client.connection, namespace=namespace)


def _folders_of_runs(measured: Usage, state: Path, doomed: list[Json]) -> Iterator[Path]:
    """The folders to delete with runs: their pods' logs and private files, and their artifacts unless their artifactGC says Never."""
    for run in doomed:
        metadata = run["metadata"]
        yield from measured.folders.get(metadata["uid"], ())
        if ((run.get("spec") or {}).get("artifactGC") or {}).get("strategy") != "Never":
            yield state / "artifacts" / metadata["namespace"] / metadata["name"]


def _size(measured: Usage | None, run: Json) -> int:
    metadata = run["metadata"]
    return measured.of_run(metadata["uid"], metadata["namespace"], metadata["name"]) if measured else 0


def _has_ended_before(run: Json, limit: float) -> bool:
    from hera_utils.argo import timestamps

    status = run.get("status") or {}
    end = timestamps.read(status.get("finishedAt"))
    return status.get("phase") in COMPLETED and end is not None and end <= limit


def _confirm_deletion() -> bool:
    return sys.stdin.isatty() and click.confirm("Delete them?", default=False)


def _old_records(client: ArgoClient, limit: float) -> list[str]:
    """The uids of the archive's old records, of runs that are deleted now or were deleted before."""
    return [record["metadata"]["uid"] for record in client.list_archived() if _has_ended_before(record, limit)]


def _delete(delete: Callable[[str], None], name: str) -> None:
    try:
        delete(name)
    except Refused as error:  # another process may have deleted it first
        if error.code != NOT_FOUND:
            raise
