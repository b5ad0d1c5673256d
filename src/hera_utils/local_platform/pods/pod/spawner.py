"""The small process that starts workers. It has no state: when it is killed, pods continue and the server starts another one.

Any packet requests a worker; the answer is its process id, with the descriptor of a socket to the worker.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket

from . import file_trees, landlock, mount_faults, network, shared_mounts, syscalls
from .preloader import Preloader
from .processes import born

# For containers. Files in the state folder are still private, because only its owner may enter that folder.
_UMASK = 0o022
_NETWORK_TEST_SECONDS = 5.0  # for `network.works`


def main(state: str, fd: int, started_with: frozenset[str]) -> None:
    """Serve requests until the server closes the connection. state: the state folder. fd: the socket to the server. started_with: the
    modules of a new interpreter.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(_UMASK)
    link = socket.socket(fileno=fd)
    try:
        shared = prepare(state)
    except OSError as error:
        link.send(f"! {mount_faults.reason_of(error)}".encode())
        return
    with contextlib.suppress(OSError):  # an older kernel does not support it
        landlock.keep_to_own_sockets()
    preloader = Preloader(started_with)
    preloader.ensure(link)  # before the workers' modules are imported: the smaller the preloader, the cheaper its forks
    _sweep(f"{state}/pods/.roots")
    from . import worker

    gc.disable()
    gc.freeze()  # a garbage collection would write to all pages, and so copy them in each fork
    own_addresses = _has_own_addresses()
    link.send(b"ready" if own_addresses else b"ready, pods share ports")
    flags = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
    while link.recv(64) and not preloader.is_outdated:  # if it is outdated, the server starts another spawner
        preloader.ensure(link)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = syscalls.clone(flags)
        if pid == 0:
            link.close()
            theirs.close()
            gc.enable()
            worker.main(ours, state, shared, preloader, own_addresses=own_addresses)
        ours.close()
        socket.send_fds(link, [str(pid).encode()], [theirs.fileno()])
        theirs.close()


def _has_own_addresses() -> bool:
    """Whether pods can have addresses of their own on this kernel. This is tried in a separate process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, b"1" if network.works() else b"0")
        finally:
            os._exit(0)
    os.close(write)
    try:
        return bool(select.select([read], [], [], _NETWORK_TEST_SECONDS)[0]) and os.read(read, 1) == b"1"
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _sweep(folder: str) -> None:
    """Remove the roots of killed workers, in a separate process."""
    if not os.path.isdir(folder) or os.fork():
        return
    try:
        for name in os.listdir(folder):
            pid, _, age = name.partition("-")
            if born(pid) != age:
                file_trees.discard(f"{folder}/{name}")
    finally:
        os._exit(0)


def prepare(state: str) -> shared_mounts.SharedMounts:
    """Enter namespaces of its own, and create the shared mounts. Raises OSError."""
    nested = not _is_machines_own()
    try:
        if os.getuid() != 0:
            raise PermissionError
        syscalls.unshare(syscalls.CLONE_NEWNS)
    except PermissionError:
        _enter_user_namespace()
        nested = True
    syscalls.mount("none", "/", None, syscalls.MS_SLAVE | syscalls.MS_REC)
    return shared_mounts.prepare(f"{state}/pods/.shared", nested=nested)


def _is_machines_own() -> bool:
    """Whether this process is in the machine's own user namespace."""
    with open("/proc/self/uid_map") as file:
        return file.read().split() == ["0", "0", "4294967295"]


def _enter_user_namespace() -> None:
    user, group = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
