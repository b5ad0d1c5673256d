"""The record of a run: a folder `runs/<run>/` with the request, and the result of each point.

    run.json        what the run is: format, run, experiment, script, platform, namespace, created, ended, phase, inputs (constants,
                    axes), points (how many the sweep has), workflows [{name, role, points, phase}], gather (whether one follows
                    the points), git, versions, images (image → what happened to it on this machine; see images/decision_texts.py)
    points.sqlite   one row per point; the workflows; the texts that many rows share (`fingerprints`); size, time and digest of the declared
                    outputs of each point (`outputs`; those of the tasks after all points under the point ""); each workflow as it
                    ended (`documents`); for a search also the values its sampler received for each point (`trials`)
    packages-*.txt  the locks of packages that stood in for images (images/python_environment.py)
    lock            held by the process that drives the run; it falls with the process

Everything is written before it is submitted, in transactions or by replacing a file, so a kill at any moment loses nothing.
A point's status: "" (not submitted yet), "Submitted", then Argo's phase of its tasks; `run` names the earlier run that computed
a point which this one took over as done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.packed_documents import pack, unpack
from hera_utils.runs.record_database import ForeignDatabase, address_of, refuse_programs
from hera_utils.runs.record_files import keep_from_readers, open_lock, read_json
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

Json = dict[str, Any]

FORMAT = 2
_READABLE = (1, 2)
"""In format 1 the fingerprints are called prints; otherwise it equals 2. Such a record is read and continued without conversion."""
RUN_LABEL = "hera-utils/run"
WAITING, SUBMITTED, DONE = "", "Submitted", "Succeeded"
PRUNED = "Pruned"
"""The status of a point that a search stopped early, because its values were not promising."""
_LAST_SECOND = 253_402_300_799  # the last second of the year 9999

_TABLES = """
create table if not exists points (
    id text primary key, number integer not null, name text not null, given text not null, workflow text not null default '',
    fingerprint text not null default '{}', tasks text not null default '[]', status text not null default '', run text not null default '',
    why text not null default ''
) without rowid;
create table if not exists workflows (
    name text primary key, number integer not null, role text not null, points integer not null, phase text not null default '',
    fingerprint text not null default ''
);
create table if not exists fingerprints (digest text primary key, text text not null) without rowid;
create table if not exists trials (id text primary key, trial text not null) without rowid;
create index if not exists by_workflow on points (workflow);
create table if not exists outputs (
    point text not null, path text not null, size integer not null, stamp text not null, digest text not null,
    primary key (point, path)
) without rowid;
create table if not exists documents (workflow text primary key, packed blob not null);
"""
_ADD_POINT = """
insert into points (id, number, name, given, workflow, fingerprint, tasks, status, run, why) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set workflow = excluded.workflow, fingerprint = excluded.fingerprint, tasks = excluded.tasks,
    status = excluded.status, run = excluded.run where status = '' and excluded.status <> ''
"""
_IDS = "id in (select value from json_each(?))"
_KEEP_DOCUMENT = "insert or replace into documents (workflow, packed) values (?, ?)"
_ADD_WORKFLOW = (
    "insert or replace into workflows (name, number, role, points, phase, fingerprint) values (?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class WorkflowRow:
    """A workflow of a run. role: points, gather, or whole (it cannot be split into points).

    phase: "" until it is known to have ended. fingerprint: the digest of the part that belongs to no point.
    """

    name: str
    role: str
    points: int
    phase: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class PointRow:
    """A point of a run. values: as read from JSON. fingerprint: part → digest. tasks: (task, item or None) in its workflow.

    run: the earlier run that computed it, "" for this one. why: the reason why it runs, in words.
    """

    id: str
    number: int
    name: str
    values: Json
    workflow: str = ""
    fingerprint: Json | None = None
    tasks: tuple[tuple[str, int | None], ...] = ()
    status: str = WAITING
    run: str = ""
    why: str = ""


class RunRecord:
    """One run's record. `create` begins it, `open` opens an existing one; reading needs no lock, driving the run does (`drive`)."""

    def __init__(self, folder: Path, facts: Json) -> None:
        self.folder, self.facts = folder, facts
        self._lock: int | None = None
        self.driven_since: tuple[float, int] | None = None
        try:
            address = address_of(folder / "points.sqlite")
            with contextlib.suppress(OSError):  # opening the database reports the error
                keep_from_readers(folder / "points.sqlite")
            self._base = sqlite3.connect(address, uri=True, timeout=30.0, isolation_level=None)
            self._base.execute("pragma trusted_schema = off")
            refuse_programs(self._base.execute)
            self._base.execute("pragma synchronous = normal")
            self._base.executescript(self._sql(_TABLES))
        except (sqlite3.Error, ForeignDatabase, OSError) as error:
            raise _unusable(folder, error) from None

    @classmethod
    def create(cls, runs: Path, name: str, facts: Json) -> RunRecord:
        """A new record; its folder is `<name>.2` if a run with this name is recorded already. Raises ResourceError if it cannot be
        written.
        """
        folder, number = runs / name, 1
        try:
            runs.mkdir(parents=True, exist_ok=True)
            while True:
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    break
                number += 1
                folder = runs / f"{name}.{number}"
        except OSError as error:
            raise ResourceError(
                f"the run's record {folder} cannot be written ({system_reason(error)})",
                fix="name another folder with --runs",
            ) from None
        try:
            record = cls(
                folder, {"format": FORMAT, "run": name, "created": time.time(), "ended": None, "phase": "", **facts}
            )
            record._write()
        except BaseException:  # also on Ctrl-C: never leave half a record
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return record

    @classmethod
    def open(cls, folder: Path) -> RunRecord:
        """The record in a folder. Raises ResourceError if there is none, SettingsError if it is of a newer hera_utils."""
        try:
            facts = read_json(folder / "run.json")
        except OSError as error:
            raise ResourceError(
                f"there is no record of a run in {folder} ({system_reason(error)})",
                fix="name the folder of the records with --runs; the recorded runs are listed by: hera-utils runs",
            ) from None
        except ValueError:
            facts = None
        damaged = (
            "run.json"
            if _time_of_creation(facts) is None
            else ""
            if (folder / "points.sqlite").is_file()
            else "points.sqlite"
        )
        if damaged:
            raise ResourceError(
                f"the record {folder / damaged} is {'damaged' if (folder / damaged).exists() else 'missing'}",
                fix=f"remove the folder {folder}: what the platform still has of the run is shown without it",
            )
        if facts.get("format") not in _READABLE:
            raise SettingsError(
                f"{folder}/run.json has a format that this version of hera_utils does not know", fix="update hera_utils"
            )
        return cls(folder, facts)

    def _sql(self, statement: str) -> str:
        """The statement for this record's format."""
        return statement.replace("fingerprint", "print") if self.facts["format"] == 1 else statement

    def __enter__(self) -> RunRecord:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._base.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def name(self) -> str:
        return str(self.facts["run"])

    def drive(self) -> None:
        """Become the only process that submits for this run. Raises SettingsError while another process does."""
        if self._lock is not None:
            return
        try:
            keep_from_readers(self.folder / "lock")
            lock = open_lock(self.folder / "lock", os.O_RDWR)
        except OSError as error:
            raise ResourceError(
                f"the file {self.folder / 'lock'} cannot be used ({system_reason(error)}): a link there is not followed",
                fix="remove it, if no process drives the run; else check permissions",
            ) from None
        try:
            is_mine = _lock_now(lock)
        except OSError as error:
            os.close(lock)
            raise ResourceError(
                f"the file system of {self.folder} has no file locks ({system_reason(error)}): two scripts could write to one run",
                fix="work in a folder on a disk of this machine",
            ) from None
        if not is_mine:
            owner = os.read(lock, 64).decode("ascii", "replace").partition(" ")[0]
            os.close(lock)
            raise SettingsError(
                f"the run {self.name} is still being run by the process {owner or '?'}",
                fix=f"wait for it, or end that process; see it with: hera-utils watch {self.name}",
            ) from None
        self.driven_since = (time.time(), os.getpid())
        os.truncate(lock, 0)
        os.pwrite(lock, f"{self.driven_since[1]} {self.driven_since[0]!r}".encode(), 0)
        self._lock = lock

    def discard(self) -> None:
        """Remove the record of a run that submitted nothing."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- writing ------------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._base.execute("begin immediate")
            yield self._base
            self._base.execute("commit")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._base.execute("rollback")
            raise ResourceError(
                f"the record {self.folder} cannot be written ({error})", fix="check free space and permissions"
            ) from None

    def _write(self) -> None:
        """Replace run.json."""
        facts = {**self.facts, "workflows": [_workflow_as_json(row) for row in self.workflows()]}
        target = self.folder / "run.json"
        try:
            write_atomically(target, json.dumps(facts, indent=1, default=str).encode(), durable=True)
        except OSError as error:
            raise ResourceError(
                f"{target} cannot be written ({system_reason(error)})", fix="check free space and permissions"
            ) from None

    def update(self, **facts: Any) -> None:
        self.facts.update(facts)
        self._write()

    def keep_locks(self, files: Iterable[Path]) -> None:
        """Copy the locks of packages that stand in for images, named after their digests as in run.json."""
        for file in files:
            with contextlib.suppress(OSError):  # the run works without them
                lock = file.read_bytes()
                write_atomically(self.folder / f"packages-{hashlib.sha256(lock).hexdigest()[:12]}.txt", lock)

    def add_points(self, rows: Iterable[PointRow]) -> None:
        """Add points of the sweep, before any of them is sent. Points that are there already do not change, except that a waiting point
        may now be done by another run.
        """
        with self._transaction() as base:
            base.executemany(
                self._sql(_ADD_POINT),
                (
                    (
                        row.id,
                        row.number,
                        row.name,
                        encoded(row.values),
                        row.workflow,
                        encoded(row.fingerprint or {}),
                        encoded(row.tasks),
                        row.status,
                        row.run,
                        row.why,
                    )
                    for row in rows
                ),
            )

    def assign(self, workflow: WorkflowRow, rows: Iterable[PointRow], texts: Mapping[str, str] | None = None) -> None:
        """Record a workflow that is about to be sent, and the points it computes. texts: digest → the text that it stands for."""
        with self._transaction() as base:
            number = base.execute("select count(*) from workflows").fetchone()[0]
            base.execute(
                self._sql(_ADD_WORKFLOW),
                (workflow.name, number, workflow.role, workflow.points, workflow.phase, workflow.fingerprint),
            )
            base.executemany(
                self._sql(
                    "update points set workflow = ?, fingerprint = ?, tasks = ?, status = ?, run = '' where id = ?"
                ),
                (
                    (workflow.name, encoded(row.fingerprint or {}), encoded(row.tasks), SUBMITTED, row.id)
                    for row in rows
                ),
            )
            base.executemany(
                self._sql("insert or ignore into fingerprints (digest, text) values (?, ?)"), (texts or {}).items()
            )
        self._write()

    def settle(self, workflow: str, phase: str, statuses: Mapping[str, str], document: Json | None = None) -> None:
        """Record the phase of a workflow that ended and the status of each of its points.

        document: the workflow, to be stored because the platform will delete it.
        """
        with self._transaction() as base:
            if document is not None:
                base.execute(_KEEP_DOCUMENT, (workflow, pack(document)))
            base.execute("update workflows set phase = ? where name = ?", (phase, workflow))
            base.executemany(
                "update points set status = ? where id = ? and workflow = ?",
                ((status, point, workflow) for point, status in statuses.items()),
            )
        self._write()

    def keep_document(self, workflow: str, document: Json) -> None:
        """Store the document of an ended workflow before the workflow is deleted."""
        with self._transaction() as base:
            base.execute(_KEEP_DOCUMENT, (workflow, pack(document)))

    def keep_outputs(self, outputs: Mapping[str, Mapping[str, FileFacts]]) -> None:
        """Record the facts by which the outputs of points are recognized. outputs: point → path → facts."""
        rows = [(point, path, *facts) for point, files in outputs.items() for path, facts in files.items()]
        if rows:
            with self._transaction() as base:
                base.executemany(
                    "insert or replace into outputs (point, path, size, stamp, digest) values (?, ?, ?, ?, ?)", rows
                )

    def keep_texts(self, others: Iterable[Path], texts: Mapping[str, str]) -> None:
        """Copy the texts of the fingerprints of points that were taken over. others: the folders of the records with these points. texts:
        digest → text, of the present fingerprints.
        """
        rows = list(texts.items())
        for folder in others:
            if folder != self.folder:
                with RunRecord.open(folder) as other:
                    rows += other._base.execute(other._sql("select digest, text from fingerprints")).fetchall()
        with self._transaction() as base:
            base.executemany(self._sql("insert or ignore into fingerprints (digest, text) values (?, ?)"), rows)

    def forget(self, workflow: str) -> None:
        """Remove a workflow that the platform does not have, because it was never sent (or was deleted); its points wait again."""
        with self._transaction() as base:
            base.execute("delete from workflows where name = ?", (workflow,))
            base.execute(
                "update points set workflow = '', status = '' where workflow = ? and status = ?", (workflow, SUBMITTED)
            )
        self._write()

    def keep_trials(self, trials: Mapping[str, Json]) -> None:
        """Record the results that the sampler of a search gets: point id → trial."""
        with self._transaction() as base:
            rows = ((point, encoded(trial)) for point, trial in trials.items())
            base.executemany("insert or replace into trials (id, trial) values (?, ?)", rows)

    # --- reading ------------------------------------------------------------------------------------------------------
    def workflows(self) -> list[WorkflowRow]:
        """The workflows in the order in which they were submitted."""
        query = self._sql("select name, role, points, phase, fingerprint from workflows order by number, name")
        return [WorkflowRow(*row) for row in self._base.execute(query)]

    def points(
        self, *, workflow: str | None = None, status: str | None = None, ids: Iterable[str] | None = None
    ) -> Iterator[PointRow]:
        """The points in the order of the sweep: those of one workflow, with one status, or with these ids."""
        filters = {"workflow = ?": workflow, "status = ?": status, _IDS: _ids_as_json(ids)}
        chosen = {test: value for test, value in filters.items() if value is not None}
        where = " and ".join(chosen)
        query = self._sql("select id, number, name, given, workflow, fingerprint, tasks, status, run, why from points")
        query += f" where {where}" if where else ""
        for row in self._base.execute(f"{query} order by number", tuple(chosen.values())):
            point, number, name, given, owner, fingerprint, tasks, state, run, why = row
            pieces = tuple((str(task), item) for task, item in json.loads(tasks))
            values, parts = json.loads(given), json.loads(fingerprint)
            yield PointRow(point, number, name, values, owner, parts, pieces, state, run, why)

    def trials(self, ids: Iterable[str] | None = None) -> dict[str, Json]:
        """point id → the trial that the sampler of a search got; of all points, or of these."""
        listed = _ids_as_json(ids)
        where, values = ("", ()) if listed is None else (f" where {_IDS}", (listed,))
        return {
            point: json.loads(trial)
            for point, trial in self._base.execute(f"select id, trial from trials{where}", values)
        }

    def counts_by_workflow(self) -> dict[str, Counter[str]]:
        """Name of a workflow → status → number of points; a point counts for the newest of its workflows."""
        counts: dict[str, Counter[str]] = {}
        query = "select workflow, status, count(*) from points group by workflow, status"
        for workflow, status, count in self._base.execute(query):
            counts.setdefault(workflow, Counter())[status] = count
        return counts

    def counts_by_status(self) -> Counter[str]:
        """status → number of points."""
        return sum(self.counts_by_workflow().values(), Counter())

    def to_compute(self) -> int:
        """The number of points that no earlier run has computed."""
        return int(self._base.execute("select count(*) from points where run = ''").fetchone()[0])

    def results(self) -> Iterator[tuple[str, str, str, str, str, str]]:
        """(id, status, fingerprint as text, workflow, run, tasks as text) of every point: not decoded, so that a resume is fast."""
        yield from self._base.execute(self._sql("select id, status, fingerprint, workflow, run, tasks from points"))

    def outputs(self) -> dict[str, dict[str, FileFacts]]:
        """Point → path → the facts by which an output is recognized; {} for an older record."""
        outputs: dict[str, dict[str, FileFacts]] = {}
        for point, path, *facts in self._base.execute("select point, path, size, stamp, digest from outputs"):
            outputs.setdefault(point, {})[path] = FileFacts(*facts)
        return outputs

    def document(self, workflow: str) -> Json | None:
        """The document of an ended workflow; None if it was not kept."""
        row = self._base.execute("select packed from documents where workflow = ?", (workflow,)).fetchone()
        return None if row is None else unpack(row[0], workflow)

    def text(self, digest: str) -> str:
        """The text that a digest of a fingerprint stands for; "" if it is unknown."""
        row = self._base.execute(self._sql("select text from fingerprints where digest = ?"), (digest,)).fetchone()
        return str(row[0]) if row else ""


def _unusable(folder: Path, error: Exception) -> ResourceError:
    database = folder / "points.sqlite"
    if "locked" in str(error):
        return ResourceError(
            f"the record {folder} is held by another process", fix=f"end it; it is told by: fuser -v {database}"
        )
    if database.exists() and not os.access(database, os.R_OK):
        return ResourceError(
            f"the record {folder} is another user's, who alone may read {database.name}",
            fix="read its results.csv or report.html, or ask its owner to let your group write to that folder",
        )
    return ResourceError(f"the record {folder} cannot be used ({error})", fix="remove that folder")


def _ids_as_json(ids: Iterable[str] | None) -> str | None:
    return None if ids is None else json.dumps(list(ids))


def _time_of_creation(facts: Any) -> float | None:
    """When a run was created, by its run.json; None if that is no valid record."""
    created = facts.get("created") if isinstance(facts, dict) else None
    return moment(created)


def moment(value: Any) -> float | None:
    """The value as seconds since the epoch; None if it is no valid time."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= _LAST_SECOND else None


def _lock_now(lock: int) -> bool:
    """Take the lock of a record; False if another process holds it. Tried several times, because `is_driven` holds it for a moment.

    Raises OSError if the file system has no locks.
    """
    import fcntl

    for pause in (0.01, 0.02, 0.05, 0.1, 0.0):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def driver_of(folder: Path) -> tuple[float, int] | None:
    """(since when, process id) of the process that submits for the run recorded in the folder; None if there is none."""
    if is_driven(folder):
        with contextlib.suppress(OSError, ValueError):
            process, _, since = (folder / "lock").read_text().partition(" ")
            return float(since), int(process)
    return None


def is_driven(folder: Path) -> bool:
    """Whether a process submits for the run recorded in the folder."""
    import fcntl

    try:
        lock = open_lock(folder / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # the file system has no locks, so no process holds one
        return False
    finally:
        os.close(lock)
    return False


def damaged_records(runs: Path) -> list[Path]:
    """The folders of records that cannot be read."""
    folders = []
    with contextlib.suppress(OSError):
        for folder in sorted(runs.iterdir()):
            if (folder / "run.json").is_file() or (folder / "points.sqlite").is_file():
                try:
                    RunRecord.open(folder).close()
                except (ResourceError, SettingsError):
                    folders.append(folder)
    return folders


def facts_of(folder: Path) -> Json:
    """The content of a record's run.json; {} if it cannot be read."""
    try:
        facts = read_json(folder / "run.json")
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def records(runs: Path) -> list[Path]:
    """The folders of all recorded runs, the newest first."""
    dated = []
    with contextlib.suppress(OSError):
        for folder in runs.iterdir():
            created = _time_of_creation(facts_of(folder))
            if created is not None:
                dated.append((created, folder.name, folder))
    return [folder for _, _, folder in sorted(dated, reverse=True)]


def label_of(run: str) -> str:
    """The run's name as a label's value; shortened with a digest if it is longer than a label may be."""
    if len(run) <= 63:
        return run
    return f"{run[:52].rstrip('-.')}-{hashlib.blake2b(run.encode(), digest_size=5).hexdigest()}"


def run_of(metadata: Json) -> str:
    """The run that a workflow belongs to; its own name if it belongs to none."""
    return str((metadata.get("labels") or {}).get(RUN_LABEL) or metadata["name"])


def encoded(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), default=str)


def _workflow_as_json(row: WorkflowRow) -> Json:
    return {"name": row.name, "role": row.role, "points": row.points, "phase": row.phase}
