"""System calls that Python lacks: mounts, namespaces, clone, waitid. Linux only; errors are OSError with the path."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

from .mount_table import mounted

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_SLAVE = 4096, 8192, 16384, 1 << 19
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
)
CLONE_FS = 0x00000200
MNT_DETACH = 2
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x02, 0x04, 0x08, 0x10
_SYS_OPENAT2, _SYS_MOUNT_SETATTR = 437, 442  # the same on every architecture

_STATFS, _PROC_MAGIC = 256, 0x9FA0  # bytes, more than any machine's struct needs; the number from linux/magic.h
_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)  # clone must keep the interpreter's lock
_SYS_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "ppc64le": 120}.get(os.uname().machine)
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203}.get(os.uname().machine)
_SYS_WAITID = {"x86_64": 247, "aarch64": 95, "riscv64": 95, "ppc64le": 272}.get(os.uname().machine)


def check(result: int, what: str) -> None:
    """Raise OSError, about `what`, if a call of the C library has failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data) if data else None,
    )
    check(result, target)


def cover(folder: str) -> None:
    """Hide a folder's content by mounting an empty folder on it."""
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=4k")


def bind(source: str, target: str, *, recursive: bool = False, read_only: bool = False) -> None:
    """Mount `source` also at `target`. Both must exist, and both must be files or both folders."""
    mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))
    if read_only:
        set_read_only(target)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def openat2(folder: int, path: str, flags: int, resolve: int) -> int:
    """openat2(2): open `path` from the folder of that descriptor. resolve: flags that restrict how links are followed."""
    how = _OpenHow(flags, 0, resolve)
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    result = int(_libc.syscall(_SYS_OPENAT2, folder, raw, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))))
    check(result, path)
    return result


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def is_proc(descriptor: int) -> bool:
    """Whether a file is in any mounted /proc."""
    status = ctypes.create_string_buffer(_STATFS)
    check(_libc.fstatfs(descriptor, status), "fstatfs")
    return int.from_bytes(status.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) == _PROC_MAGIC


def set_read_only(target: str) -> None:
    """mount_setattr(2): make `target` and all mounts below it read-only; before kernel 5.12 only `target` itself."""
    attributes = _MountAttributes(MS_RDONLY, 0, 0, 0)
    if (
        _libc.syscall(
            _SYS_MOUNT_SETATTR, -100, os.fsencode(target), 0x8000, ctypes.byref(attributes), ctypes.sizeof(attributes)
        )
        == 0
    ):
        return
    # These flags are kept, because a user namespace may not clear them.
    flags = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("none", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)


_MOST_OPTIONS = 4000  # bytes: the options of a mount must fit on one page


def overlay(lower: list[str], folder: str | None, target: str, options: str) -> None:
    """Mount an overlay of `lower` (the uppermost first). Changes go to `folder`/upper (with `folder`/work); it is read-only if None."""
    above = "" if folder is None else f",upperdir={_escaped(folder)}/upper,workdir={_escaped(folder)}/work"
    below = ":".join(map(_escaped, lower))
    opened: list[int] = []
    try:
        if len(os.fsencode(below + above)) > _MOST_OPTIONS:
            opened += [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in (".", *lower)]
            os.chdir("/proc/self/fd")  # here descriptors' numbers are short names, so that even hundreds of layers fit
            below = ":".join(map(str, opened[1:]))
        mount("overlay", target, "overlay", 0, f"lowerdir={below}{above}{options}")
    finally:
        if opened:
            os.fchdir(opened[0])
        for fd in opened:
            os.close(fd)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2)."""
    check(_libc.umount2(os.fsencode(target), flags), target)


def switch_root(folder: str) -> None:
    """pivot_root(2): the mount at `folder` becomes this thread's root, in a mount namespace of its own.

    The earlier mounts are removed. If they were only covered, the kernel would let a user namespace mount /proc and /sys anew without a
    container's limits, because it would find the machine's unlimited ones among them.
    """
    os.chdir(folder)
    if _SYS_PIVOT_ROOT is not None and _libc.syscall(_SYS_PIVOT_ROOT, b".", b".") == 0:
        unmount(".")  # the old root, which is now mounted on the new one
    else:  # some old roots cannot be removed, such as one in an initial RAM disk
        _hide_proc_and_sys()
        mount(".", "/", None, MS_MOVE)
        os.chroot(".")
    os.chdir("/")


def _hide_proc_and_sys() -> None:
    """Unmount or cover each /proc and /sys that is not below this thread's working folder."""
    own_root = f"{os.getcwd()}/"
    for mount in reversed(mounted()):  # upper mounts before the mounts that they cover
        if mount.kind not in ("proc", "sysfs") or mount.place.startswith(own_root):
            continue
        try:
            unmount(mount.place)
        except OSError:  # mounts inherited from another user namespace cannot be unmounted
            cover(mount.place)


def unshare(flags: int) -> None:
    """unshare(2)."""
    check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """setns(2)."""
    check(_libc.setns(fd, kind), "setns")


_PR_CAPBSET_DROP = 24


def drop_capability(number: int) -> None:
    """prctl(2): programs that this thread starts cannot get that capability."""
    check(_libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0), "prctl")


_SHM_INFO, _SEM_INFO, _MSG_INFO = 14, 19, 12


def shared_objects() -> int:
    """The number of System V shared memory segments, semaphore sets and message queues in this process's IPC namespace."""
    memory, semaphores, queues = ((ctypes.c_int * 64)() for _ in range(3))
    _libc.shmctl(0, _SHM_INFO, memory)
    _libc.semctl(0, 0, _SEM_INFO, semaphores)
    _libc.msgctl(0, _MSG_INFO, queues)
    return int(memory[0] + semaphores[7] + queues[0])  # shm_info.used_ids, seminfo.semusz, msginfo.msgpool


_PR_SET_NO_NEW_PRIVS = 38


def gain_nothing() -> None:
    """prctl(2): programs that this thread starts do not gain rights by their file's mode (setuid)."""
    check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "prctl")


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def capability_setter(bits: int) -> Callable[[], None]:
    """A function that gives this thread exactly these capabilities, none of them inheritable (capset(2)).

    Its arguments are created here, before a fork: looking a name up for the first time in a fork copies pages there.
    """
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = ctypes.byref(_CapabilityHeader(0x20080522, 0))
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)  # effective, permitted, inheritable; twice
    call = _libc.capset
    return lambda: check(call(header, data), "capset")


_SYS_IDS = {  # machine: setgroups(2), setresgid(2), setresuid(2)
    "x86_64": (116, 119, 117),
    "aarch64": (159, 149, 147),
    "riscv64": (159, 149, 147),
    "ppc64le": (81, 169, 164),
}.get(os.uname().machine)
threads_can_change = _SYS_IDS is not None
"""Whether change_thread supports this processor."""


def change_thread(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    """Change the user of this thread only; Python's own functions change all threads. Processes of that user cannot trace it: the kernel
    clears the process's dumpable flag, so that only root may inspect it, and it stays so.
    """
    assert _SYS_IDS is not None
    set_groups, set_gid, set_uid = _SYS_IDS
    array = (ctypes.c_uint32 * len(groups))(*groups)
    check(_libc.syscall(set_groups, len(groups), array), "setgroups")
    check(_libc.syscall(set_gid, gid, gid, gid), "setresgid")
    check(_libc.syscall(set_uid, uid, uid, uid), "setresuid")


def set_host_name(name: str) -> None:
    """sethostname(2), for this process's UTS namespace."""
    raw = os.fsencode(name)[:64]
    check(_libc.sethostname(raw, len(raw)), "sethostname")


def clone(flags: int) -> int:
    """fork(2) into new namespaces. Gives 0 in the child, its process id in the parent.

    unshare and fork could not be repeated: a process chooses the process-id namespace of its children only once. The interpreter's
    functions before and after a fork are called as in os.fork().
    """
    if _SYS_CLONE is None:
        raise OSError(38, f"no clone system call is known for this processor ({os.uname().machine})")
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(_libc_with_gil.syscall(ctypes.c_long(_SYS_CLONE), ctypes.c_ulong(flags | signal.SIGCHLD), 0, 0, 0, 0))
    number = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, os.strerror(number), "clone")
    return pid


class Ended(NamedTuple):
    """A child that has ended and is not reaped yet. code: its exit code or minus its signal. cpu: seconds. memory: bytes of the largest
    process. Both include the descendants that it has reaped.
    """

    pid: int
    code: int
    cpu: float
    memory: int


_siginfo, _rusage = (ctypes.c_int * 32)(), (ctypes.c_long * 18)()


def ended_child(pidfd: int) -> Ended:
    """waitid(2) with WNOWAIT and the child's use of resources, which Python's waitid does not give. Raises OSError."""
    check(_libc.syscall(_SYS_WAITID, os.P_PIDFD, pidfd, _siginfo, os.WEXITED | os.WNOWAIT, _rusage), "waitid")
    pid, status = _siginfo[4], _siginfo[6]
    code = status if _siginfo[2] == os.CLD_EXITED else -status
    seconds, micros = _rusage[0] + _rusage[2], _rusage[1] + _rusage[3]
    return Ended(pid, code, seconds + micros / 1e6, _rusage[4] * 1024)
