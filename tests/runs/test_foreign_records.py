"""A workflow of a stranger names a script: neither a record beside it, nor a file that is no script, is taken for the run's."""

import contextlib
import os
import sqlite3
import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hera_utils.errors import ResourceError
from hera_utils.runs.catalogue import read_catalogue
from hera_utils.runs.file_digests import read_file_uses, write_file_uses
from hera_utils.runs.notes import RunNotes, write_notes
from hera_utils.runs.record import RunRecord, driver_of, records
from hera_utils.runs.whole_run import WholeRun, load_run


class Platform:
    namespace = "default"

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def get(self, name: str) -> dict[str, Any]:
        return self.document

    def list(self, **_: Any) -> list[dict[str, Any]]:
        return []


def naming(script: Path) -> dict[str, Any]:
    return {
        "metadata": {"name": "theirs", "annotations": {"hera-utils/script": str(script)}},
        "status": {"phase": "Succeeded"},
    }


def test_no_record_beside_a_script_that_only_the_workflow_names(tmp_path: Path) -> None:
    """It may be a claim, which tasks have filled: the record would name the files that are published with the run."""
    (tmp_path / "secret").write_text("the user's")
    RunRecord.create(tmp_path / "runs", "theirs", {"script": str(tmp_path / "secret")}).close()
    client: Any = Platform(naming(tmp_path / "script.py"))
    assert load_run(client, "theirs").folder is None
    with pytest.raises(ResourceError):  # the run is taken from its folder, whose record names no workflow
        load_run(client, "theirs", [tmp_path / "runs"])


@pytest.mark.parametrize(
    ("name", "is_one"), [("script.py", True), ("note.ipynb", True), ("id_rsa", False), (".netrc", False)]
)
def test_what_is_no_script_by_its_name(tmp_path: Path, name: str, is_one: bool) -> None:
    run = WholeRun("theirs", "default", (naming(tmp_path / name),))
    assert run.script == (str(tmp_path / name) if is_one else "")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    RunRecord.create(tmp_path / "project" / "runs", "theirs", {}).close()
    return tmp_path / "project" / "runs" / "theirs"


def left_journal(database: Path, names: Path) -> bytes:
    """As a crash leaves it, of a transaction over several databases: https://www.sqlite.org/fileformat.html, 3."""
    magic, sector, page = bytes.fromhex("d9d505f920a163d7"), 512, 4096
    head = magic + struct.pack(">5I", 0, 0, database.stat().st_size // page, sector, page)
    name = os.fsencode(names)
    end = struct.pack(">I", 0x40000000 // page + 1) + name + struct.pack(">2I", len(name), sum(name)) + magic
    return head.ljust(sector, b"\0") + end


def test_a_record_removes_no_file_that_its_journal_names(tmp_path: Path, record: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the user's")
    database = record / "points.sqlite"
    (record / "points.sqlite-journal").write_bytes(left_journal(database, secret))
    with pytest.raises(ResourceError, match="names another file"):
        RunRecord.open(record)
    assert secret.read_text() == "the user's"


_ENDLESS = "with recursive x(n) as (select 1 union all select n + 1 from x) select n from x where n < 0"


@pytest.mark.parametrize(
    "statements",
    [
        f"drop table workflows; create view workflows as {_ENDLESS}",
        "drop table trials; create table trials (id text primary key, trial text as (hex(zeroblob(400000000))))",
        "create trigger t before update on points begin insert into trials select 1, hex(zeroblob(400000000)); end",
        "drop table trials; create virtual table trials using fts4(id, trial)",
    ],
)
def test_a_record_computes_nothing(record: Path, statements: str) -> None:
    """A view without an end kept `results` from ending, also by Ctrl-C."""
    with contextlib.closing(sqlite3.connect(record / "points.sqlite")) as base:
        base.executescript(statements)
    with pytest.raises(ResourceError, match="cannot be used"):
        RunRecord.open(record)


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_a_record_writes_through_no_link(tmp_path: Path, record: Path, end: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(bytes(100))
    (record / f"points.sqlite{end}").symlink_to(target)
    with pytest.raises(ResourceError, match="is a link"):
        RunRecord.open(record)
    assert target.read_bytes() == bytes(100)


def test_a_record_that_is_a_link_is_only_read(tmp_path: Path, record: Path) -> None:
    kept = tmp_path / "kept.sqlite"
    (record / "points.sqlite").rename(kept)
    (record / "points.sqlite").symlink_to(kept)
    RunRecord.open(record).close()
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("create table theirs (a)")
    other.close()
    before = (tmp_path / "other.sqlite").read_bytes()
    (record / "points.sqlite").unlink()
    (record / "points.sqlite").symlink_to(tmp_path / "other.sqlite")
    with pytest.raises(ResourceError):
        RunRecord.open(record)
    assert (tmp_path / "other.sqlite").read_bytes() == before


def test_a_record_has_no_file_of_the_users_overwritten(tmp_path: Path, record: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the user's")
    (record / "lock").symlink_to(secret)
    with RunRecord.open(record) as opened, pytest.raises(ResourceError, match="lock"):
        opened.drive()
    (record / "lock").unlink()
    for name in ("run", ".run.json", "notes", ".notes.json", ".files.csv", "files"):
        (record / f"{name}.{os.getpid()}").symlink_to(secret)
    (record / f"packages-{sha256(b'a==1').hexdigest()[:12]}.txt").symlink_to(secret)
    (tmp_path / "lock").write_bytes(b"a==1")
    with RunRecord.open(record) as opened:
        opened.update(phase="Succeeded")
        opened.keep_locks([tmp_path / "lock"])
    write_notes(record, RunNotes("theirs"))
    write_file_uses(record, [])
    assert secret.read_text() == "the user's"


@pytest.mark.parametrize("name", ["run.json", "lock", "notes.json", "results.csv", "points.sqlite", "files.csv"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_record_with_what_is_no_file_is_read_at_once(tmp_path: Path, record: Path, name: str, is_link: bool) -> None:
    file = record / name
    file.unlink(missing_ok=True)
    if is_link:
        file.symlink_to("/dev/zero")
    else:
        os.mkfifo(file)
    for entry in read_catalogue([record.parent]):
        assert entry.points == ()
    assert driver_of(record) is None
    assert read_file_uses(record) == []
    if name in ("run.json", "points.sqlite"):
        with pytest.raises(ResourceError):
            RunRecord.open(record)


@pytest.mark.parametrize(
    "content", ["[" * 200_000, '{"created": 1e999}', '{"created": NaN}', '{"created": -1}', '{"created": 1e300}']
)
def test_a_record_that_no_program_wrote_is_damaged(record: Path, content: str) -> None:
    (record / "run.json").write_text(content)
    assert records(record.parent) == list(read_catalogue([record.parent])) == []
    with pytest.raises(ResourceError, match="damaged"):
        RunRecord.open(record)
    (record / "run.json").write_text('{"created": 1, "format": 2, "run": "theirs", "ended": 1e300}')
    (record / "notes.json").write_text("[" * 200_000)
    assert [entry.ended for entry in read_catalogue([record.parent])] == [None]
