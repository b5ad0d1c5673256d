"""The journal: the local platform's state in one SQLite file. One thread writes; any thread reads.

Everything that follows from a batch of events (event, header, changed node rows, objects, pods, outbox) is one transaction: after
kill -9 the file has everything up to one moment, never half a turn. The statements are in journal.sql, by name.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.resources
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hera_utils.errors import PlatformError
from hera_utils.local_platform.pods.pod.disk_room import FIX
from hera_utils.local_platform.state_folder import folder_error
from hera_utils.whole_files import open_privately

Json = dict[str, Any]
Row = tuple[Any, ...]

JournalError = sqlite3.Error
"""What a failed statement or transaction raises; `failure` turns it into a message for users."""
LEAST_FREE = 2**20
"""Bytes: a disk with less free space counts as full."""
PAGES_AT_ONCE = 250
"""Free pages that are returned to the disk in one step, which takes some milliseconds."""
LARGEST_LOG = 2**24
"""Bytes to which the write-ahead log is truncated when it restarts: opening thousands of nodes makes it large once."""
SCHEMA = 4
"""The schema that this version writes. `schema_N` in journal.sql migrates from N-1 to N; a newer file is refused."""

encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=vars).encode
"""A value as compact JSON text. ASCII only: a lone surrogate in a task's output must not make the journal fail. A dataclass inside (an
event's containers) becomes an object."""


def _statements() -> dict[str, str]:
    text = importlib.resources.files(__package__).joinpath("journal.sql").read_text(encoding="utf-8")
    statements: dict[str, str] = {}
    for part in text.split("-- name:")[1:]:
        name, _, statement = part.partition("\n")
        statements[name.strip()] = statement.strip()
    return statements


SQL = _statements()


class Journal:
    """path: the file; created with its schema when it does not exist. Raises PlatformError when it cannot be opened or is newer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open(path, "ab", opener=open_privately):  # SQLite gives the files beside it the same mode
                pass
            self._writing = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            # synchronous = NORMAL: a crash of the server loses nothing; a loss of power may lose the last moments, never the consistency.
            for pragma in (
                "synchronous = OFF",  # while an empty file becomes a journal: there is nothing yet that could be lost
                "auto_vacuum = INCREMENTAL",
                "journal_mode = WAL",
                "synchronous = NORMAL",
                "busy_timeout = 5000",
                "wal_autocheckpoint = 2000",
                f"journal_size_limit = {LARGEST_LOG}",
            ):
                self._writing.execute(f"PRAGMA {pragma}")
            self._migrate()
            self._reading = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise failure(path, error) from error
        self._reader = threading.Lock()

    def _migrate(self) -> None:
        version = int(self._writing.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA:
            raise PlatformError(
                f"{self.path} was written by a newer hera_utils (journal schema {version}, this version knows {SCHEMA})",
                fix="update hera_utils, or choose another state folder with HERA_UTILS_STATE",
            )
        if 0 < version < SCHEMA:
            self._keep_copy(version)
        for number in range(version + 1, SCHEMA + 1):
            with self.transaction():
                for statement in SQL[f"schema_{number}"].split(";\n"):
                    if statement.strip():
                        self._writing.execute(statement)
                self._writing.execute(f"PRAGMA user_version = {number}")

    def _keep_copy(self, version: int) -> None:
        """Keep a copy of the file in its old schema, for users who go back to that version. It gets its name when it is complete."""
        copy = self.path.with_name(f"{self.path.stem}-schema-{version}{self.path.suffix}")
        partial = copy.with_name(f"{copy.name}.partial")
        partial.unlink(missing_ok=True)
        try:
            with open(partial, "xb", opener=open_privately):
                pass
            self._writing.execute("VACUUM INTO ?", (str(partial),))
            partial.replace(copy)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction of the writer: all of it is written or nothing. Raises JournalError when it fails."""
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writing.execute("COMMIT")
        except BaseException:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            raise

    def put(self, name: str, *values: Any) -> None:
        """Execute a statement of journal.sql. Call it inside `transaction`."""
        self._writing.execute(SQL[name], values)

    def put_named(self, name: str, values: Json) -> None:
        self._writing.execute(SQL[name], values)

    def put_many(self, name: str, rows: list[Row] | list[Json]) -> None:
        if rows:
            self._writing.executemany(SQL[name], rows)

    def read(self, name: str, *values: Any) -> list[Row]:
        """The rows of a query of journal.sql. Called from any thread; it sees committed state only."""
        with self._reader:
            return self._reading.execute(SQL[name], values).fetchall()

    def meta(self, name: str, default: str = "") -> str:
        rows = self.read("get_meta", name)
        return str(rows[0][0]) if rows else default

    def give_back(self, idle: Callable[[], bool]) -> bool:
        """Return the space of deleted rows to the disk, step by step while the writer is idle. False when some is left."""
        if not self._free_pages():
            return True
        while self._free_pages():
            if not idle():
                return False
            self._writing.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()
        with self._reader:  # while no reader is active, the checkpoint may truncate both files
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return True

    def _free_pages(self) -> int:
        return int(self._writing.execute("PRAGMA freelist_count").fetchone()[0])

    def close(self) -> None:
        """Return the space of deleted rows to the disk, and close the file."""
        with self._reader:
            with contextlib.suppress(sqlite3.Error):
                self._writing.execute("PRAGMA incremental_vacuum").fetchall()
            self._reading.close()
            self._writing.close()


def count_unfinished_runs(path: Path) -> int:
    """How many runs are unfinished according to a journal of any schema, which another process may be writing."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute(SQL["count_unfinished_runs"]).fetchone()[0])


def failure(path: Path, error: BaseException) -> PlatformError:
    """The PlatformError, with its fix, for an error of SQLite or of the disk."""
    text = str(error)
    folder = path.parent
    if "quota" in text:
        return PlatformError(f"the quota of the disk with {folder} is used up", fix=FIX)
    if is_full(path, error):
        return PlatformError(f"the disk with {folder} is full", fix=FIX)
    if _is_read_only(folder, error):
        return folder_error(folder, OSError(errno.EROFS, os.strerror(errno.EROFS)))
    if "readonly" in text or "read-only" in text.lower() or "Permission" in text or "unable to open" in text:
        return PlatformError(
            f"the state folder {folder} cannot be written to",
            fix="make it writable, or choose another one with HERA_UTILS_STATE",
        )
    if "malformed" in text or "not a database" in text or "corrupt" in text:
        return PlatformError(
            f"the journal {path} is damaged ({text})",
            fix="move it away to start with an empty one, or choose another state folder with HERA_UTILS_STATE",
        )
    if "locked" in text:
        return PlatformError(f"the journal {path} is locked by another program ({text})", fix="end that program")
    return PlatformError(
        f"the journal {path} cannot be used: {text}",
        fix="check the disk, or choose another state folder with HERA_UTILS_STATE",
    )


def _is_read_only(folder: Path, error: BaseException) -> bool:
    """Whether the file system is read-only, as the kernel makes one with errors. SQLite says only that it could not write, so a file is
    created to find out.
    """
    if isinstance(error, OSError):
        return error.errno == errno.EROFS
    if not any(words in str(error) for words in ("I/O", "readonly", "unable to open")):
        return False
    probe = folder / ".probe"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        probe.unlink()
    except OSError as why:
        return why.errno == errno.EROFS
    return False


def is_full(path: Path, error: BaseException) -> bool:
    """Whether an error of SQLite or of the disk comes from a full disk. SQLite reports some of them as I/O errors."""
    text = str(error)
    if "full" in text or "No space" in text or "quota" in text:
        return True
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return False
    return free < LEAST_FREE and ("I/O" in text or "unable to open" in text)
