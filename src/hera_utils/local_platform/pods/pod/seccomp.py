"""Refuses system calls, and lets a thread answer some instead of the kernel (seccomp user notification; Linux 5.6).

After `install` the kernel asks about some system calls of the calling thread and of all threads and programs that it starts later. The
reader of the descriptor answers each: `go_on` lets the kernel carry it out unchanged, `answer` gives the result.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)


class _Calls(NamedTuple):
    """The kernel's numbers of system calls for one kind of program. audit: the number of that kind (AUDIT_ARCH)."""

    audit: int
    refused: tuple[int, ...]
    """add_key, request_key, keyctl (they access the keys of all processes of a user), perf_event_open, bpf, userfaultfd (often used to
    attack the kernel), and io_uring_setup (it can connect without a call that the filter sees). Container runtimes refuse them, too."""
    makers: tuple[int, int]
    """unshare and clone, whose first argument says which namespaces they create."""


_GENERIC = ((217, 218, 219, 241, 280, 282, 425), (97, 220))
_NATIVE = {
    "x86_64": _Calls(0xC000003E, (248, 249, 250, 298, 321, 323, 425), (272, 56)),
    "aarch64": _Calls(0xC00000B7, *_GENERIC),
    "riscv64": _Calls(0xC00000F3, *_GENERIC),
}.get(os.uname().machine)
_OF_32_BITS = {
    "x86_64": _Calls(0x40000003, (286, 287, 288, 336, 357, 374, 425), (310, 120)),
    "aarch64": _Calls(0x40000028, (309, 310, 311, 364, 386, 388, 425), (337, 120)),
    "riscv64": _Calls(0x400000F3, *_GENERIC),
}.get(os.uname().machine)
"""The numbers for 32-bit programs; a 64-bit program can use these calls too."""
AUDIT, REFUSED = (_NATIVE.audit, _NATIVE.refused) if _NATIVE is not None else (0, ())
_SECCOMP, BIND, CONNECT = {"x86_64": (317, 49, 42), "aarch64": (277, 200, 203), "riscv64": (277, 200, 203)}.get(
    os.uname().machine, (0, 0, 0)
)
# The same on every architecture. It is refused as unknown because a filter cannot read its flags; C libraries then fall back to clone.
_CLONE3 = 435
_X32 = 0x40000000  # numbers from here on belong to the x32 kind of programs, which few kernels support
# In a new cgroup namespace a program could mount this machine's control groups, and freeze the server's.
_NEW_CGROUP = 0x02000000
_PIDFD_GETFD = 438  # the same on every architecture
_PIDFD_THREAD = os.O_EXCL  # Linux 6.9: a descriptor of one thread
_SET_MODE_FILTER, _NEW_LISTENER, _WAIT_KILLABLE = 1, 1 << 3, 1 << 5
_ALLOW, _USER_NOTIF, _ERROR = 0x7FFF0000, 0x7FC00000, 0x00050000
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_REQUEST = struct.Struct("=QIIiIQ6Q")  # id, thread, flags; number, architecture, instruction, arguments
_RESPONSE = struct.Struct("=QqiI")  # id, value, error, flags
_LOAD, _EQUAL, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in the data that the filter reads
_Step = tuple[int, int, int, int]
"""(operation, steps to skip if true, steps to skip if false, operand) of a filter."""


class SystemCall(NamedTuple):
    """A system call that waits for its answer. thread: the caller's id in this process's process-id namespace."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(numbers: list[int]) -> int:
    """The descriptor on which this thread's calls of these numbers arrive. Raises OSError where the kernel does not support or permit it.

    The calls in `_Calls.refused` fail from now on.
    """
    # Kernels before 5.19 lack WAIT_KILLABLE, so there a signal interrupts the wait for the answer.
    return _attach(numbers, (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER))


def refuse() -> None:
    """Let the calls in `_Calls.refused` fail from now on, without answering any call. Raises OSError where the kernel does not support or
    permit it.
    """
    _attach([], (0,))


def _attach(numbers: list[int], choices: tuple[int, ...]) -> int:
    """Install the filter. choices: flags; the first that the kernel accepts are used."""
    if _NATIVE is None or _OF_32_BITS is None:
        raise OSError(errno.ENOSYS, f"not for this processor ({os.uname().machine})")
    steps = [(_LOAD, 0, 0, _ARCHITECTURE)]
    for calls, answered in ((_NATIVE, numbers), (_OF_32_BITS, [])):
        block = _filter(calls, answered)
        steps += [(_EQUAL, 0, len(block), calls.audit), *block]
    steps += [(_RETURN, 0, 0, _ERROR | errno.EPERM)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.cast(code, ctypes.c_void_p))
    for flags in choices:
        fd = _libc.syscall(_SECCOMP, _SET_MODE_FILTER, flags, ctypes.byref(program))
        if fd >= 0:
            return int(fd)
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), "seccomp")


def _filter(calls: _Calls, answered: list[int]) -> list[_Step]:
    """The filter's steps for calls of this kind of program. answered: numbers of the calls that this process answers."""
    verdicts = {number: _USER_NOTIF for number in answered} | dict.fromkeys(calls.refused, _ERROR | errno.EPERM)
    verdicts[_CLONE3] = _ERROR | errno.ENOSYS
    steps: list[_Step] = [(_LOAD, 0, 0, _NUMBER)]
    if os.uname().machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    for number, verdict in verdicts.items():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, verdict)]
    for number in calls.makers:
        makes = [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_HAS, 0, 1, _NEW_CGROUP), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
        steps += [(_EQUAL, 0, 4, number), *makes, (_RETURN, 0, 0, _ALLOW)]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def receive(fd: int) -> SystemCall | None:
    """Wait for the next call. None: the caller has ended, or a signal came. Raises OSError when there will be no more calls."""
    buffer = bytearray(_REQUEST.size)
    try:
        fcntl.ioctl(fd, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in (errno.EINTR, errno.ENOENT):
            return None
        raise
    identity, thread, _, number, _, _, *arguments = _REQUEST.unpack(buffer)
    return SystemCall(identity, thread, number, tuple(arguments))


def go_on(fd: int, call: SystemCall) -> None:
    _send(fd, _RESPONSE.pack(call.id, 0, 0, _CONTINUE))


def answer(fd: int, call: SystemCall, error: int) -> None:
    """Let the call return 0, or fail with this error number."""
    _send(fd, _RESPONSE.pack(call.id, 0, -error, 0))


def _send(fd: int, response: bytes) -> None:
    try:
        fcntl.ioctl(fd, _SEND, bytearray(response))
    except OSError as error:
        if error.errno != errno.ENOENT:  # ENOENT: the caller was killed meanwhile
            raise


class _Piece(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


def memory(thread: int, address: int, size: int) -> bytes:
    """Bytes of another process's memory. Raises OSError."""
    buffer = ctypes.create_string_buffer(size)
    here, there = _Piece(ctypes.addressof(buffer), size), _Piece(address, size)
    size_read = _libc.process_vm_readv(
        thread, ctypes.byref(here), ctypes.c_ulong(1), ctypes.byref(there), ctypes.c_ulong(1), ctypes.c_ulong(0)
    )
    if size_read < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "process_vm_readv")
    return buffer.raw[:size_read]


def descriptor(thread: int, fd: int, proc: str) -> int:
    """A copy of another process's descriptor in this process. proc: a mounted /proc of its process-id namespace. Raises OSError."""
    try:
        process = os.pidfd_open(thread, _PIDFD_THREAD)
    except OSError:
        with open(f"{proc}/{thread}/status") as lines:
            process = os.pidfd_open(next(int(line.split()[1]) for line in lines if line.startswith("Tgid:")))
    try:
        copy = _libc.syscall(_PIDFD_GETFD, process, fd, 0)
        if copy < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "pidfd_getfd")
        return int(copy)
    finally:
        os.close(process)
