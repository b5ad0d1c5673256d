"""The small process that forks a supervisor for each pod. It holds nothing: when it is killed, pods go on and the server starts another.

Asked by packets through a socket: the uid of a pod whose folder is ready; answers `<uid> <process id of its supervisor>`.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from typing import Any

from . import base, supervisor, system, view
from .processes import born

Json = dict[str, Any]


def main(state: str, fd: int) -> None:
    """state: the state folder. fd: the socket to the server; the end of the connection ends this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=fd)
    try:
        shared = prepare(state)
    except OSError as error:
        link.send(f"! {error}".encode())
        return
    gc.disable()
    gc.freeze()  # a fork shares pages until one of the two writes to them
    link.send(b"ready")
    while packet := link.recv(4096):
        uid = packet.decode()
        pid = os.fork()
        if pid == 0:
            link.close()
            _supervise(state, uid, shared)
        link.send(f"{uid} {pid}".encode())


def prepare(state: str) -> base.Base:
    """Namespaces of its own, and what all containers share."""
    user, group = os.getuid(), os.getgid()
    if user == 0:
        system.unshare(system.CLONE_NEWNS)
    else:
        system.unshare(system.CLONE_NEWUSER | system.CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    system.mount("none", "/", None, system.MS_SLAVE | system.MS_REC)
    return base.prepare(f"{state}/pods/.base", privileged=user == 0)


def _supervise(state: str, uid: str, shared: base.Base) -> None:
    """In the fork: own the pod, run it, record how it ended. Never returns."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        folder = f"{state}/pods/{uid}"
        try:
            claim = os.open(f"{folder}/supervisor.jsonl", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            os._exit(0)  # another supervisor has it
        os.write(claim, (json.dumps({"pid": os.getpid(), "born": born(os.getpid())}) + "\n").encode())
        os.close(claim)
        wire = f"{state}/pods/.wire"
        pod = supervisor.Pod(folder, state, shared, lambda message: _tell(wire, {"uid": uid, **message}))
        try:
            outcome = pod.run()
        except Exception as error:  # noqa: BLE001 - it must record every end
            outcome = {
                "at": time.time(),
                "phase": "Failed",
                "reason": "",
                "message": f"the supervisor failed: {error!r}",
                "containers": [],
                "outputs": {},
                "error": "",
            }
        record(folder, outcome)
        _tell(wire, {"uid": uid, "is": "finished"})
        if os.path.isdir(f"{folder}/files"):
            view.discard(f"{folder}/files")
        status = 0
    finally:
        os._exit(status)


def record(folder: str, outcome: Json) -> None:
    """The outcome appears whole or not at all."""
    partial = f"{folder}/outcome.json.partial"
    with open(partial, "w") as file:
        json.dump(outcome, file)
    os.rename(partial, f"{folder}/outcome.json")


def _tell(wire: str, message: Json) -> None:
    """One line to the server if one listens; a pipe takes lines of up to 4 kB whole."""
    try:
        fd = os.open(wire, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for _ in range(200):
            try:
                os.write(fd, json.dumps(message).encode() + b"\n")
                return
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                return
    finally:
        os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
