"""Finds the user and the processes of an end of a TCP connection: the server looks up a browser, a client looks up its server."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

Address = tuple[str, int]
Connection = tuple[Address, Address]
"""(the client's address, the server's address)."""


def peer_uid(client: Address, server: Address, tables: Iterable[Path] | None = None) -> int | None:
    """The user id of the process that opened the connection from `client` to `server`, or None when it cannot be determined."""
    return end_uid(client, server, tables=tables)


def end_uid(end: Address, other: Address, *, awaited: bool = False, tables: Iterable[Path] | None = None) -> int | None:
    """The user id of the process that has the end `end` of a TCP connection, or None when it cannot be determined.

    Linux: the kernel is asked for that one connection; where it does not answer, its table of all TCP connections of this network
    namespace is read, which takes milliseconds on a busy machine. Only an established connection counts. The kernel lists one that no
    process has, because it is not accepted yet or is closed already, as root's: the answer is then None, or with `awaited` the user of
    the listener that will accept it.
    """
    if ":" in end[0] or ":" in other[0]:
        return None
    if tables is None:
        with contextlib.suppress(OSError, struct.error, AttributeError):
            return _end_uid_of_kernel(end, other, awaited=awaited)
    here, there = _kernel_address(end), _kernel_address(other)
    for table in tables or (Path("/proc/self/net/tcp"),):
        try:
            with table.open(encoding="ascii") as lines:
                next(lines, None)
                owner, waits = _owner(map(str.split, lines), here, there)
        except (OSError, ValueError, IndexError):
            continue
        if owner is not None:
            return owner if awaited or not waits else None
    return None


def _end_uid_of_kernel(end: Address, other: Address, *, awaited: bool) -> int | None:
    kernel_socket = _ask_kernel(end, other)
    if kernel_socket is None or kernel_socket.state != _IS_ESTABLISHED:
        return None
    if kernel_socket.inode:
        return kernel_socket.uid
    listener = _ask_kernel(end, _NOBODY) if awaited else None
    return listener.uid if listener is not None and listener.state == _LISTENS else None


class KernelSocket(NamedTuple):
    """A socket as the kernel knows it. inode: 0 when no process has it."""

    state: int
    uid: int
    inode: int


_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2  # linux/sock_diag.h, linux/netlink.h
_ANY = 0xFFFFFFFF
_IS_ESTABLISHED, _LISTENS = 1, 10  # linux/tcp_states.h
_NOBODY = ("0.0.0.0", 0)
"""The other end of a socket that listens."""


def _ask_kernel(end: Address, other: Address) -> KernelSocket | None:
    """Ask the kernel (sock_diag(7)) about the socket whose own address is `end`. Raises OSError when it cannot be asked."""
    ports = struct.pack("!HH", end[1], other[1])
    hosts = b"".join(socket.inet_aton(host).ljust(16, b"\0") for host in (end[0], other[0]))
    request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY)
    request += ports + hosts + struct.pack("=III", 0, _ANY, _ANY)  # on any interface, any cookie
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.send(struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST, 1, 0) + request)
        answer = kernel.recv(8192)
    if struct.unpack_from("=H", answer, 4)[0] == _ERROR:
        number = -struct.unpack_from("=i", answer, 16)[0]
        if number == errno.ENOENT:
            return None
        raise OSError(number, "sock_diag")
    return KernelSocket(*struct.unpack_from("=B", answer, 17), *struct.unpack_from("=II", answer, 80))


def inode(end: Address, other: Address) -> str:
    """The inode of the end `end` of an established connection, which identifies it until the machine restarts; "" when there is none."""
    here, there = _kernel_address(end), _kernel_address(other)
    try:
        with open("/proc/self/net/tcp", encoding="ascii") as lines:
            inodes = [words[9] for words in map(str.split, lines) if words[1:4] == [here, there, _ESTABLISHED]]
    except (OSError, IndexError):
        return ""
    return inodes[0] if inodes and inodes[0] != _NOBODYS else ""


def is_listening(pid: int, address: Address) -> bool:
    """Whether a process of this user listens at an address. Also True where that cannot be found out: not on Linux, or for a process
    whose open files the kernel does not show.
    """
    try:
        links = {f"socket:[{number}]" for number in _listeners(address)}
        folder = f"/proc/{pid}/fd"
        return any(_link(f"{folder}/{name}") in links for name in os.listdir(folder))
    except FileNotFoundError:
        return not os.path.exists("/proc/self/net/tcp")
    except (OSError, IndexError):
        return True


def _listeners(address: Address) -> list[str]:
    """The inodes of the sockets that listen at an address. Raises OSError."""
    with contextlib.suppress(OSError, struct.error, AttributeError):
        kernel_socket = _ask_kernel(address, _NOBODY)
        return [str(kernel_socket.inode)] if kernel_socket is not None and kernel_socket.state == _LISTENS else []
    here = _kernel_address(address)
    with open("/proc/self/net/tcp", encoding="ascii") as lines:
        return [words[9] for words in map(str.split, lines) if words[1] == here and words[3] == _LISTENING]


def holders(socket_inode: str, uid: int) -> list[int]:
    """The processes of a user that have a socket open, as far as that is visible: a process can hide its sockets."""
    link = f"socket:[{socket_inode}]"
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _has(name, uid, link)]


def processes_of(connections: Collection[Connection], uid: int) -> dict[Connection, int]:
    """{connection: pid of the user's process that has the client's end}, as far as that is visible; the lowest pid of several."""
    ends = {}
    for client, server in connections:
        with contextlib.suppress(OSError, struct.error, AttributeError):
            kernel_socket = _ask_kernel(client, server)
            if kernel_socket is not None and kernel_socket.inode:
                ends[f"socket:[{kernel_socket.inode}]"] = (client, server)
    processes: dict[Connection, int] = {}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()) if ends else ():
        for link in _links(str(pid), uid) & ends.keys():
            processes.setdefault(ends[link], pid)
    return processes


def _links(pid: str, uid: int) -> set[str]:
    """The link targets of the open files of a process; none for another user's process."""
    folder = f"/proc/{pid}/fd"
    try:
        return {_link(f"{folder}/{name}") for name in os.listdir(folder)} if os.stat(folder).st_uid == uid else set()
    except OSError:
        return set()


def _has(pid: str, uid: int, link: str) -> bool:
    return link in _links(pid, uid)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


_ESTABLISHED, _LISTENING, _NOBODYS = "01", "0A", "0"


def _owner(rows: Iterable[list[str]], here: str, there: str) -> tuple[int | None, bool]:
    """(the user id of the process that has that end, or of its listener; whether the connection waits to be accepted)."""
    listener, waits = None, False
    for words in rows:
        if words[1] != here:
            continue
        if words[3] == _LISTENING:
            listener = int(words[7])
        elif words[2] == there and words[3] == _ESTABLISHED:
            if words[9] != _NOBODYS:
                return int(words[7]), False
            waits = True
    return (listener if waits else None), waits


def _kernel_address(address: Address) -> str:
    """An address as in /proc/net/tcp: the four bytes in the machine's order, then the port, hexadecimal."""
    number = int.from_bytes(bytes(int(part) for part in address[0].split(".")), _BYTE_ORDER)
    return f"{number:08X}:{address[1]:04X}"


_BYTE_ORDER: Any = "little" if memoryview(b"\x01\x00").cast("H")[0] == 1 else "big"
