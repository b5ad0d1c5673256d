"""Another user of the machine, who may look into a project, holds up no run: a lock takes no more than a file that can be opened."""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from hera_utils.errors import ResourceError
from hera_utils.runs.record import PointRow, RunRecord, is_driven

LOCKED = ("lock", "points.sqlite")


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {name: stat.S_IMODE((folder / name).stat().st_mode) for name in LOCKED}


@pytest.mark.parametrize(
    ("umask", "mode"), [(0o022, 0o600), (0o077, 0o600), (0o002, 0o660), (0o007, 0o660)], indirect=["umask"]
)
def test_who_may_write_to_a_record_may_read_what_is_locked_and_nobody_else(
    tmp_path: Path, umask: int, mode: int
) -> None:
    with RunRecord.create(tmp_path, "run", {}) as record:
        record.drive()
        record.add_points([PointRow("a", 0, "a", {})])
        assert modes(record.folder) == dict.fromkeys(LOCKED, mode)
        assert is_driven(record.folder)


def test_an_earlier_record_is_taken_from_its_readers(tmp_path: Path) -> None:
    with RunRecord.create(tmp_path, "run", {}) as record:
        record.drive()
    record.folder.chmod(0o755)
    for name in LOCKED:
        (record.folder / name).chmod(0o644)
    with RunRecord.open(record.folder) as again:
        again.drive()
    assert modes(record.folder) == dict.fromkeys(LOCKED, 0o600)


def test_a_record_that_is_held_is_not_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    folder = RunRecord.create(tmp_path, "run", {}).folder

    def held(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(sqlite3, "connect", held)
    with pytest.raises(ResourceError, match="is held by another process") as refused:
        RunRecord.open(folder)
    assert "remove" not in str(refused.value.fix)


HOLDS = """
import fcntl, sys
held = []
for name in sys.argv[1:]:
    for lock in (fcntl.flock, fcntl.lockf):
        try:
            file = open(name)
            lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held.append(file)
        except OSError:
            pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_cannot_hold_them() -> None:
    place = Path(tempfile.mkdtemp(prefix="hera-utils-record-", dir="/var/tmp"))
    place.chmod(0o755)
    try:
        with RunRecord.create(place, "run", {}) as record:
            record.drive()
        names = [str(record.folder / name) for name in LOCKED]
        stranger = subprocess.Popen(
            ["/usr/bin/python3", "-I", "-c", textwrap.dedent(HOLDS), *names], user=54321, group=54321, extra_groups=[],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        with stranger, contextlib.closing(stranger.stdin):  # type: ignore[type-var]
            assert stranger.stdout is not None
            assert stranger.stdout.readline() == "0\n"
            with RunRecord.open(record.folder) as again:
                again.drive()
                again.add_points([PointRow("a", 0, "a", {})])
    finally:
        shutil.rmtree(place)
