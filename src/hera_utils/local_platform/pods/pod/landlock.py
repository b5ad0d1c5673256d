"""Landlock: a process denies itself and its children connections to sockets of this machine by their abstract names.

These names belong to the network namespace, which pods share with the machine, and no file mode protects them: the X server of a desktop
listens at one, and accepts every process of this machine's user.
"""

from __future__ import annotations

import ctypes
import os

from . import syscalls

_libc = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on every architecture
_SCOPE_ABSTRACT_SOCKETS = 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def keep_to_own_sockets() -> None:
    """From now on this thread and its children can only connect to abstract names that one of them has bound. Raises OSError before
    Linux 6.12.
    """
    rules = _Ruleset(0, 0, _SCOPE_ABSTRACT_SOCKETS)
    descriptor = _libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    syscalls.check(descriptor, "landlock")
    try:
        syscalls.check(_libc.syscall(_RESTRICT_SELF, descriptor, 0), "landlock")
    finally:
        os.close(descriptor)
