"""Opens the SQLite file of a run's record safely: it may be part of a cloned project, and made by somebody else.

SQLite follows links when it writes its journals; and a journal left by a crash may name another file (a super-journal,
https://www.sqlite.org/fileformat.html), which SQLite removes when it applies the journal. Our journals never name one. Views and computed
columns could run without end.
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
    """A database that this program cannot have written. The text says which file, and why."""


def address_of(path: Path) -> str:
    """The URI for SQLite; read-only if the file is a link (of git-annex, DVC). Raises ForeignDatabase, OSError."""
    for end in _BESIDE:
        file = path.with_name(path.name + end)
        if os.path.lexists(file) and not stat.S_ISREG(os.lstat(file).st_mode):
            raise ForeignDatabase(f"{file.name} is a link, or no file")
    if _encode_last_bytes(path.with_name(f"{path.name}-journal")) == _NAMES_ANOTHER_FILE:
        raise ForeignDatabase(f"{path.name}-journal names another file, which it would have removed")
    return f"{path.absolute().as_uri()}?mode={'ro' if path.is_symlink() else 'rwc'}"


def refuse_programs(execute: Callable[..., Iterable[Any]]) -> None:
    """Raise ForeignDatabase if the database has more than plain tables: a view or a computed column may run without end, and Ctrl-C does
    not interrupt SQLite.

    execute: executes a statement on the open database.
    """
    tables = []
    for kind, name, text in execute("select type, name, sql from sqlite_master"):
        if kind not in ("table", "index") or str(text).lower().startswith("create virtual"):
            raise ForeignDatabase(f"{name} is no table")
        tables += [name] if kind == "table" else []
    for name in tables:
        if any(hidden for *_, hidden in execute("select * from pragma_table_xinfo(?)", (name,))):
            raise ForeignDatabase(f"a column of {name} is computed")


def _encode_last_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, os.fstat(opened.fileno()).st_size - len(_NAMES_ANOTHER_FILE)))
            return opened.read(len(_NAMES_ANOTHER_FILE))
    except FileNotFoundError:
        return b""
