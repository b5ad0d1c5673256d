"""The SQLite file of a run's record, opened safely: it may have come with a project that was cloned, and somebody else may have made it.

SQLite follows links when it writes its journals; and a journal that a crash left may name another file (a super-journal,
https://www.sqlite.org/fileformat.html), which SQLite removes when it applies the journal. Ours never name one. Views and computed columns
could compute without end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_BESIDE = ("-journal", "-wal", "-shm")
_NAMES_ANOTHER_FILE = bytes.fromhex("d9d505f920a163d7")  # the last bytes of a journal that names one


class ForeignDatabase(Exception):
    """A file that this program did not write so. The text says which, and what it is."""


def address_of(path: Path) -> str:
    """The URI by which SQLite may open it: where it is a link (of git-annex, DVC) it is only read. Raises ForeignDatabase, OSError."""
    for end in _BESIDE:
        file = path.with_name(path.name + end)
        if os.path.lexists(file) and not stat.S_ISREG(os.lstat(file).st_mode):
            raise ForeignDatabase(f"{file.name} is a link, or no file")
    if _last_bytes(path.with_name(f"{path.name}-journal")) == _NAMES_ANOTHER_FILE:
        raise ForeignDatabase(f"{path.name}-journal names another file, which it would have removed")
    return f"{path.absolute().as_uri()}?mode={'ro' if path.is_symlink() else 'rwc'}"


def refuse_programs(execute: Callable[..., Iterable[Any]]) -> None:
    """Tables alone are read: what a view or a column computes may have no end, and Ctrl-C does not reach SQLite. Raises ForeignDatabase.

    execute: carries out a statement on the open database.
    """
    tables = []
    for kind, name, text in execute("select type, name, sql from sqlite_master"):
        if kind not in ("table", "index") or str(text).lower().startswith("create virtual"):
            raise ForeignDatabase(f"{name} is no table")
        tables += [name] if kind == "table" else []
    for name in tables:
        if any(hidden for *_, hidden in execute("select * from pragma_table_xinfo(?)", (name,))):
            raise ForeignDatabase(f"a column of {name} is computed")


def _last_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, os.fstat(opened.fileno()).st_size - len(_NAMES_ANOTHER_FILE)))
            return opened.read(len(_NAMES_ANOTHER_FILE))
    except FileNotFoundError:
        return b""
