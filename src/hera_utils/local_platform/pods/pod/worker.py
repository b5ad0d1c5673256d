"""A worker: a process that supervises one pod after another, as process 1 of a process-id namespace of its own.

All processes of a pod are in that namespace, so when the worker ends, for any reason, the kernel ends the pod; and between two
pods the worker kills all remaining processes. It is not in the server's session: when the server or the spawner is killed, it
finishes its pod, records the outcome, finds the connection closed and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from . import disk_room, image_layers, launch_socket, seccomp, shared_mounts, supervisor, syscalls, wire, worker_rights
from .containers import Sandbox
from .meter import Meter
from .network import Network
from .pod_folder import PodFolder, write_outcome
from .preloader import Preloader
from .processes import born
from .root_fs import Roots
from .shared_mounts import SharedMounts
from .warm_python import WarmPython
from .worker_state import WorkerState

Json = dict[str, Any]
T = TypeVar("T")
_PAUSE = 0.5  # seconds between two attempts to write on a full disk
_MOST_PODS = 1000  # after so many pods a worker ends and another one replaces it; it has an address for each pod


def main(
    link: socket.socket, state: str, shared: SharedMounts, preloader: Preloader, *, own_addresses: bool
) -> NoReturn:
    """Run pods until the server closes the connection. Never returns. link: the socket on which the server sends pods. own_addresses:
    whether pods have addresses of their own.
    """
    try:
        os.setsid()
        # The process id in the server's namespace.
        identity = {"pid": int(os.readlink("/proc/self")), "born": born("self")}
        proc = f"{shared.folder}/proc"
        syscalls.mount("proc", proc, "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
        folder = f"{state}/pods/.roots/{identity['pid']}-{identity['born']}"
        shared_mounts.limit_kernel(shared.folder)
        # Process ids first, because the fork server enters the others only after a fork in that namespace.
        names = ("pid", "ipc", "uts", "mnt")
        namespaces = [os.open(f"{proc}/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names]
        home = namespaces[-1]
        roots = Roots(folder, shared, proc, state, home)
        network = Network(proc)
        if own_addresses:
            network.open()
        else:
            with contextlib.suppress(OSError):  # a kernel without filters, or an unsupported processor
                seccomp.refuse()
        worker_rights.give_up(home, f"{shared.folder}/empty")
        server = wire.Sender(state)
        sandbox = Sandbox(
            *(state, roots, network, proc, home, _signals()),
            WarmPython(preloader, os.open(proc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), namespaces, network),
            WorkerState(roots.devices, proc),
            Meter(proc),
        )
        for _ in range(_MOST_PODS):
            if not launch_socket.has_more(link):
                sandbox.python.prepare()
            try:
                pod = launch_socket.receive(link)
            except OSError:
                break  # the server has closed the connection with an answer unread
            if pod is None or not _supervise(pod, identity, sandbox, server):
                break
            with contextlib.suppress(OSError):  # the server has ended
                link.send(b".")  # tells the server that this worker is clean and free
        link.close()
        roots.close()
    finally:
        os._exit(0)


def _signals() -> int:
    """Let SIGTERM and SIGCHLD arrive as bytes on a pipe, and give its reading end."""
    wakeup, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: None)
    return wakeup


def _supervise(handed: launch_socket.HandedOver, identity: Json, sandbox: Sandbox, server: wire.Sender) -> bool:
    """Claim a pod, run it, and record its outcome. Gives whether this worker can run another pod."""
    uid, files = handed.uid, PodFolder(f"{sandbox.state}/pods/{handed.uid}")

    def tell(message: Json) -> None:
        server.send({"uid": uid, **message})

    try:
        who = {**identity, "run": handed.launch["run_uid"], "tells_begin": True}
        claim = _until_written(sandbox.state, tell, lambda: image_layers.claim(files, who, handed.launch))
    except image_layers.LayersGone:
        server.send({"uid": uid, "is": "image gone"})
        return True
    except OSError:
        return True  # another supervisor owns the pod, or its folder was removed

    fit = True
    pod = supervisor.Pod(files, handed.launch, sandbox, claim, tell)
    try:
        outcome = pod.run()
    except Exception as error:  # noqa: BLE001 - the end must always be recorded
        outcome = supervisor.failure(f"the supervisor failed: {error!r}")
        fit = False
    if pod.containers.unendable:
        fit = False
    else:
        sandbox.network.end()
    text = json.dumps(outcome)
    _until_written(sandbox.state, pod.send, lambda: write_outcome(claim, text))
    start = {"uid": uid, **pod.unsent} if pod.unsent is not None else None
    server.send({"uid": uid, "is": "finished"}, text, after=start)
    os.close(claim)
    if pod.containers.unendable:
        return False
    try:
        pod.containers.give_back()
        sandbox.python.learn()
        fit = fit and not sandbox.own.has_changed(sandbox.python.pid) and not sandbox.python.is_cut_off
    except Exception:  # noqa: BLE001 - a worker that cannot clean up after a pod must not run another one
        fit = False
    return fit


def _until_written(state: str, tell: Callable[[Json], None], write: Callable[[], T]) -> T:
    """Do a write, again and again while the disk is full, and report that the pod waits. Nothing of the pod runs meanwhile."""
    waits = False
    while True:
        try:
            done = write()
        except OSError as error:
            if not disk_room.is_full(error):
                raise
            if not waits:
                tell({"is": "waiting", "message": disk_room.shortage(state, error)})
            waits = True
            time.sleep(_PAUSE)
            continue
        if waits:
            tell({"is": "waiting", "message": ""})
        return done
