"""The journal: complete transactions, versions, and messages about errors of the disk."""

from __future__ import annotations

import json
import sqlite3
import stat

import pytest

from hera_utils.errors import PlatformError
from hera_utils.local_platform.storage.journal import SCHEMA, SQL, Journal
from hera_utils.local_platform.storage.read_model import ReadModel


def test_a_new_file_has_the_schema_and_remembers(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    with journal.transaction():
        journal.put("put_meta", "version", "7")
    journal.close()
    again = Journal(tmp_path / "journal.sqlite")
    assert again.meta("version") == "7"
    assert again.meta("absent", "none") == "none"
    again.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")

    def half() -> None:
        with journal.transaction():
            journal.put("put_meta", "version", "7")
            journal.put("put_object", "too few values")

    with pytest.raises(sqlite3.Error):
        half()
    assert journal.meta("version") == ""
    with journal.transaction():
        journal.put("put_meta", "version", "8")
    assert journal.meta("version") == "8"
    journal.close()


def test_a_file_of_an_older_schema_keeps_its_runs_and_pods(tmp_path):
    path = tmp_path / "journal.sqlite"
    connection = sqlite3.connect(path)
    for number in (1, 2):
        connection.executescript(SQL[f"schema_{number}"])
    run = (
        "u",
        "default",
        "one",
        7,
        1.0,
        2.0,
        '{"name":"one"}',
        '{"entrypoint":"main"}',
        '{"phase":"Failed"}',
        '{"storedTemplates":{}}',
        "{}",
    )
    connection.execute(f"INSERT INTO runs VALUES ({','.join('?' * 11)})", run)
    pods = [
        (f"p{n}", "u", f"n{n}", "default", f"pod-{n}", 3, 1, n, '{"metadata":{"name":"pod"}}', '{"phase":"Failed"}')
        for n in (2, 1)
    ]
    connection.executemany(f"INSERT INTO pods VALUES ({','.join('?' * 10)})", pods)
    connection.execute("INSERT INTO nodes VALUES ('u', 'n1', 0, '{\"phase\":\"Failed\"}')")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    journal = Journal(path)
    read_model = ReadModel(journal)
    document = json.loads(read_model.workflow("u").text)
    assert document["metadata"]["name"] == "one"
    assert document["spec"] == {"entrypoint": "main"}
    assert document["status"] == {"phase": "Failed", "storedTemplates": {}, "nodes": {"n1": {"phase": "Failed"}}}
    assert [pod.uid for pod in read_model.pods_of_run("u")] == ["p1", "p2"]
    assert journal.read("last_positions") == [(2, 0, 0)]
    journal.close()
    copy = tmp_path / "journal-schema-2.sqlite"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as before:
        assert before.execute("PRAGMA user_version").fetchone() == (2,)
        assert before.execute("SELECT * FROM runs").fetchall() == [run]
        assert before.execute("SELECT count(*) FROM pods").fetchone() == (2,)
    before.close()


def test_without_a_copy_nothing_is_changed(tmp_path):
    """The disk may have no space for the copy."""
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(f"{SQL['schema_1']}; PRAGMA user_version = 1")
    connection.close()
    (tmp_path / "journal-schema-1.sqlite.partial").mkdir()
    with pytest.raises(PlatformError):
        Journal(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_a_newer_file_is_refused_with_its_fix(tmp_path):
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    connection.close()
    with pytest.raises(PlatformError, match="newer hera_utils") as refused:
        Journal(path)
    assert "HERA_UTILS_STATE" in str(refused.value.fix)


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(PlatformError, match="damaged"):
        Journal(path)
