"""A limit that a process sets to itself and to all that it starts (Landlock): no sockets of this machine by their abstract names.

These names belong to the network, which pods share with the machine, and no file's mode protects them: the X server of a desktop listens
at one, and takes whoever is this machine's user for its owner.
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
    """This thread, and what it starts from now on, connect to abstract names that one of them has bound. Linux 6.12; OSError before."""
    rules = _Ruleset(0, 0, _SCOPE_ABSTRACT_SOCKETS)
    descriptor = _libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    syscalls.check(descriptor, "landlock")
    try:
        syscalls.check(_libc.syscall(_RESTRICT_SELF, descriptor, 0), "landlock")
    finally:
        os.close(descriptor)
