"""Withholds a worker's rights from the programs that it starts.

A program can have at most the capabilities in the bounding set of the thread that starts it. So the worker's main thread drops, once, all
that a usual container does not have; starting a program then needs no further step. A second thread keeps them, for containers with more
capabilities and for the worker's own helpers: these see the machine's files, and a task cannot inspect a process with more
capabilities than its own (/proc/<pid>/root, ptrace). While that thread waits, it sees only an empty folder.
"""

from __future__ import annotations

import _thread
import os
from collections.abc import Callable
from typing import Any, TypeVar

from . import root_rights, syscalls

T = TypeVar("T")
_keeper: _Keeper | None = None


def give_up(home: int, nothing: str) -> None:
    """Drop the rights, once, in a worker's main thread. home: descriptor of its mount namespace. nothing: an empty folder. Raises
    OSError.
    """
    global _keeper
    _keeper = _Keeper(home, nothing)
    root_rights.limit(root_rights.USUAL)


def call(action: Callable[[], T], view: int = -1) -> T:
    """Do an action with all rights, and give its result. view: descriptor of the mount namespace to do it in; -1 for the machine's.

    In a process that has not called `give_up` this is a plain call.
    """
    return action() if _keeper is None else _keeper.call(action, view)


class _Keeper:
    def __init__(self, home: int, nothing: str) -> None:
        self._home, self._nothing = home, nothing
        self._todo, self._done = _thread.allocate_lock(), _thread.allocate_lock()
        self._todo.acquire()
        self._done.acquire()
        self._action: Callable[[], Any] = lambda: None
        self._view = -1
        self._result: Any = None
        self._error: BaseException | None = None
        _thread.start_new_thread(self._serve, ())
        with self._done:  # threads that share root and working folder cannot change their mount namespace
            pass
        self._done.acquire()

    def call(self, action: Callable[[], T], view: int) -> T:
        self._action, self._view = action, view
        self._todo.release()
        self._done.acquire()
        error, result = self._error, self._result
        self._action, self._result, self._error = (lambda: None), None, None
        if error is not None:
            raise error
        done: T = result
        return done

    def _serve(self) -> None:
        syscalls.unshare(syscalls.CLONE_FS)
        self._hide()
        self._done.release()
        while True:
            self._todo.acquire()
            try:
                syscalls.setns(self._view if self._view >= 0 else self._home, syscalls.CLONE_NEWNS)
                self._result = self._action()
            except BaseException as error:  # noqa: BLE001 - `call` raises it in its own thread
                self._error = error
            syscalls.setns(self._home, syscalls.CLONE_NEWNS)
            self._hide()
            self._done.release()

    def _hide(self) -> None:
        os.chroot(self._nothing)
        os.chdir("/")
