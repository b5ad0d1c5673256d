"""The journal: whole transactions, versions, and what it says when the disk will not."""

from __future__ import annotations

import sqlite3

import pytest

from hera_utils.errors import PlatformError
from hera_utils.local_platform.storage.journal import SCHEMA, Journal


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
