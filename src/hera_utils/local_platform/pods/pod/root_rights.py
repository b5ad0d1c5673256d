"""The capabilities of a container's root user: those that container runtimes leave it, changed by its securityContext.

With all capabilities it could mount this machine's disks, or read this machine's files through the process that started it
(/proc/1/root). Of the usual fourteen, MKNOD is missing: container runtimes prevent the opening of devices, but here nothing does.
"""

from __future__ import annotations

import errno
from typing import Any

from . import syscalls

Json = dict[str, Any]
_BY_NUMBER = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
    NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON
    BPF CHECKPOINT_RESTORE
"""  # in the order of the kernel's numbers
USUAL = frozenset(
    ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP")
    + ("NET_BIND_SERVICE", "SYS_CHROOT", "AUDIT_WRITE", "SETFCAP")
)
"""The capabilities of a container whose securityContext names none."""
_NUMBERS = {name: number for number, name in enumerate(_BY_NUMBER.split())}


def capabilities_of(container: Json) -> frozenset[str] | None:
    """The names of the capabilities that a container has; None for all, when it is privileged."""
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        return None
    named = context.get("capabilities") or {}
    added, dropped = _set(named.get("add")), _set(named.get("drop"))
    base: frozenset[str] = frozenset() if "ALL" in dropped else _set(_NUMBERS) if "ALL" in added else USUAL
    return (base - dropped) | (added - {"ALL"})


def _set(names: Any) -> frozenset[str]:
    return frozenset(str(name).upper().removeprefix("CAP_") for name in names or ())


def limit(names: frozenset[str]) -> None:
    """Drop all other capabilities for programs that this process starts from now on. Raises OSError."""
    for name, number in _NUMBERS.items():
        if name in names:
            continue
        try:
            syscalls.drop_capability(number)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return  # an older kernel does not have this and later ones
            raise


def have_usual() -> None:
    """Drop all but the usual capabilities of this process itself; its parent must have called `limit`. Raises OSError."""
    try:
        _set_usual()
    except PermissionError:  # an ordinary user's process may lack the usual ones
        _set_none()


_set_usual = syscalls.capability_setter(sum(1 << _NUMBERS[name] for name in USUAL))
_set_none = syscalls.capability_setter(0)
