"""Saves a pod's outputs in this machine's artifact store, which is a folder. As in an object store, no other object is removed for it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from . import file_trees, open_beneath
from .artifact_keys import partial_name, path_of
from .errors import PodFault


@contextlib.contextmanager
def new_object(store: str, key: str, pod: str) -> Iterator[str]:
    """Gives a path for a file or a folder to write. If the block succeeds, the key then names it.

    A folder is one object per file, so it is merged into an existing folder, and an empty one is not stored. Raises PodFault, OSError.
    """
    target = path_of(store, key)
    above = os.path.dirname(target)
    try:
        os.makedirs(above, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _refusal_of(key) from None
    partial = f"{above}/{partial_name(pod)}"
    file_trees.remove(partial)  # an earlier attempt may have left it
    try:
        yield partial
        if not os.path.isdir(partial) or os.listdir(partial):
            _put(partial, target, key)
    finally:
        file_trees.remove(partial)


def _put(partial: str, target: str, key: str) -> None:
    try:
        try:
            os.rename(partial, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _merge(partial, target)
    except (IsADirectoryError, NotADirectoryError):
        raise _refusal_of(key) from None


def _refusal_of(key: str) -> PodFault:
    return PodFault(
        f'the artifact key "{key}" cannot be used: the store of this machine is a folder, where no key goes on after that of another '
        f"artifact (foo and foo/bar): choose another key, or delete the run that has the other one"
    )


def _merge(folder: str, target: str) -> None:
    """Move the files of `folder` to `target`, replacing files of the same name. Other files of `target` stay."""
    old = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    new = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for entry in file_trees.entries(old, folder):
            if not entry.is_folder:
                above, _, name = entry.name.rpartition("/")
                with open_beneath.at(old, above) as here, open_beneath.at(new, above, make=True, links=False) as there:
                    file_trees.permitted(there, lambda: os.rename(f"{here}/{name}", f"{there}/{name}"))  # noqa: B023
    finally:
        os.close(old)
        os.close(new)
