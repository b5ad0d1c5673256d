"""The server's side of `pod/worker.py`: idle workers, workers with a pod, and the spawner that forks them."""

from __future__ import annotations

import collections
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hera_utils.errors import PlatformError

from .pod import launch_socket, processes

_START = (
    f"import sys; started_with = frozenset(sys.modules); sys.path[0] = sys.argv[1]; {processes.SPAWNER}"
    "sys.argv[2], int(sys.argv[3]), started_with)"
)
"""The spawner is a normal interpreter with site-packages, as every Python task has one: tasks are forks of its forks
(pod/warm_python.py)."""
_FIX = "allow unprivileged user namespaces (in a container: docker run --privileged), or run the server as root"
_FIX_FOR_ROOT = "give root the right to mount (CAP_SYS_ADMIN; in a container: docker run --privileged)"
_FIXES = {
    "overlays": "use Linux 5.11 or a later one, whose overlays every user may mount, or run the server as root",
    "AppArmor": "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run the server as root",
    "only root": "sudo sysctl -w kernel.unprivileged_userns_clone=1, or run the server as root",
    "no more": "sudo sysctl -w user.max_user_namespaces=10000, or run the server as root",
}
"""Words in the spawner's error message → the fix."""
_PREPARED = 4  # most workers that are created before there is a pod
_CLEANING = 0.05  # seconds: a worker that has cleaned up for longer may take much longer
_SPAWNERS = 5  # attempts to start a spawner before a pod fails
_SPAWNER_FIX = "see server.log in the state folder; if something ended the process, run again"


def refusal(answer: str) -> PlatformError:
    """The error for a machine on which no task can run, with or without an image. answer: the spawner's message."""
    reason = answer.removeprefix("! ")
    fix = next((fix for word, fix in _FIXES.items() if word in reason), _FIX) if os.getuid() else _FIX_FOR_ROOT
    return PlatformError(f"this machine's kernel refuses private mounts for tasks ({reason})", fix=fix)


@dataclass(eq=False)
class Worker:
    """link: None for a worker of an earlier server. uid: its pod's, "" without a pod. owed: pods after which it has not yet cleaned up."""

    pid: int
    pidfd: int
    link: socket.socket | None = None
    uid: str = ""
    owed: int = 0

    def wake(self) -> None:
        """Signal the worker that its pod's kill.json has been written."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)

    def end(self) -> None:
        """Kill the worker, and with it every process of its pod."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


class Workers:
    """Used by one thread.

    on_pod_left: called with a worker that has exited with its pod, or that continues without an outcome of its pod. cores: how many pods
    usually run at once. environment: the server's variables that tasks see; the spawner has no others.
    """

    def __init__(
        self,
        state: Path,
        selector: selectors.BaseSelector,
        on_pod_left: Callable[[Worker], None],
        cores: int,
        environment: Mapping[str, str],
    ) -> None:
        self._state, self._selector, self._on_pod_left, self._cores = state, selector, on_pod_left, max(1, cores)
        self._spare = 2 * self._cores + 2
        """How many workers may be idle: for each core one cleans up while another runs."""
        self._environment = dict(environment)
        self._idle: collections.deque[Worker] = collections.deque()
        self._busy: dict[str, Worker] = {}
        self._cleaning: dict[Worker, float] = {}
        """Workers that clean up after a pod → since when (monotonic seconds)."""
        self._spawner: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self.pods_share_ports = False
        """True on a kernel that cannot give pods addresses of their own."""
        self.refusal: PlatformError | None = None
        """Why the kernel let no spawner start the last time."""

    def prepare(self) -> None:
        """Start the spawner, and workers for the first pods; a second call does nothing. Raises PlatformError where the kernel refuses."""
        if self._link is not None:
            return
        with contextlib.suppress(OSError):  # the spawner was killed: the first pod starts another one
            self._open()
            self._idle.extend(self._new() for _ in range(min(self._cores, _PREPARED)))

    def assign(self, uid: str, launch: bytes) -> Worker:
        """Hand the pod to a worker. launch: as JSON. Raises PlatformError when no worker can be started."""
        while True:
            self._hear_cleaned()
            worker = self._idle.pop() if self._idle else self._soon_free() or self._new()
            try:
                if worker.link is None:  # the worker closed the connection while it was idle
                    raise ConnectionResetError
                launch_socket.send(worker.link, uid, launch)
            except OSError:
                self._drop(worker)
                continue
            worker.uid = uid
            worker.owed += 1
            self._busy[uid] = worker
            return worker

    def _soon_free(self) -> Worker | None:
        """A worker that will read the launch when it has cleaned up, which is faster than to fork another; None when few clean up."""
        then = time.monotonic() - _CLEANING
        recent = [worker for worker, since in self._cleaning.items() if since > then]
        if len(recent) < self._cores:
            return None
        del self._cleaning[recent[0]]
        return recent[0]

    def adopt(self, uid: str, pid: int) -> bool:
        """Watch a worker of an earlier server. Returns whether it still runs."""
        try:
            worker = Worker(pid, os.pidfd_open(pid), None, uid)
        except OSError:
            return False
        self._busy[uid] = worker
        self._watch(worker)
        return True

    def release(self, uid: str) -> None:
        """The pod has its outcome. Its worker sends a message when it can take another pod."""
        worker = self._busy.pop(uid, None)
        if worker is not None:
            worker.uid = ""
            if worker.link is None:
                self._drop(worker)
            elif worker.owed:
                self._cleaning[worker] = time.monotonic()

    def hear(self) -> None:
        """Read which workers have cleaned up, and which continue without an outcome of their pod. The server is not woken by these
        messages: they matter only when a pod needs a worker, and `assign` reads them itself.
        """
        for worker in [*self._cleaning, *self._busy.values()]:
            self._hear(worker)

    def _hear_cleaned(self) -> None:
        if not self._idle:
            for worker in list(self._cleaning):
                self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        while worker.link is not None and worker.owed:
            try:
                answer = worker.link.recv(64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                answer = b""
            self._on_message(worker, answer)

    def _on_message(self, worker: Worker, answer: bytes) -> None:
        """answer: b"" when the worker has closed the connection and is about to exit."""
        worker.owed -= 1
        if answer and worker.owed:
            return  # the worker already has its next pod
        if answer and worker.uid:
            self._on_pod_left(worker)
        self._cleaning.pop(worker, None)
        if not answer or len(self._idle) >= self._spare:
            self._retire(worker)
        else:
            self._idle.append(worker)

    def _retire(self, worker: Worker) -> None:
        """Give the worker no more pods: it exits when it reads that the connection is closed."""
        self._cleaning.pop(worker, None)
        with contextlib.suppress(ValueError):
            self._idle.remove(worker)
        self._unlink(worker)

    def _unlink(self, worker: Worker) -> None:
        if worker.link is not None:
            worker.link.close()
            worker.link = None

    def busy(self) -> list[str]:
        """The uids of the pods that have a worker."""
        return list(self._busy)

    def worker_of(self, uid: str) -> Worker | None:
        return self._busy.get(uid)

    def close(self) -> None:
        """Leave all workers: those with a pod finish it and exit."""
        for worker in [*self._idle, *self._cleaning, *self._busy.values()]:
            self._drop(worker)
        if self._link is not None:
            self._link.close()
        if self._spawner is not None:
            self._spawner.wait(timeout=5)

    def _new(self) -> Worker:
        why = "it ends as soon as it starts"
        for _ in range(_SPAWNERS):
            link = None
            try:
                link = self._open()
                link.send(b"+")
                packet, fds, _, _ = socket.recv_fds(link, 64, 1)
                if packet:
                    worker = Worker(int(packet), os.pidfd_open(int(packet)), socket.socket(fileno=fds[0]))
                    self._watch(worker)
                    return worker
            except OSError as error:
                why = str(error)
            if link is not None:
                link.close()
                self._link = None
        raise PlatformError(f"the process that starts tasks does not answer: {why}", fix=_SPAWNER_FIX)

    def _open(self) -> socket.socket:
        """The connection to the spawner. Raises OSError when it exited before it was ready, PlatformError when the kernel refuses."""
        if self._link is not None:
            return self._link
        if self._spawner is not None:
            self._spawner.wait(timeout=5)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-c", _START, str(Path(__file__).parent), str(self._state)]
            self._spawner = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env=self._environment,
            )
        ours.settimeout(30)
        try:
            answer = ours.recv(4096).decode()
        except OSError:
            ours.close()
            raise
        self.pods_share_ports = answer == "ready, pods share ports"
        if not answer.startswith("ready"):
            ours.close()
            if not answer:
                raise ConnectionResetError("it ended before it was ready")
            self.refusal = refusal(answer)
            raise self.refusal
        self._link, self.refusal = ours, None
        return ours

    def _watch(self, worker: Worker) -> None:
        self._selector.register(worker.pidfd, selectors.EVENT_READ, lambda: self._on_exit(worker))

    def _on_exit(self, worker: Worker) -> None:
        self._drop(worker)
        if worker.uid:
            self._on_pod_left(worker)

    def _drop(self, worker: Worker) -> None:
        self._retire(worker)
        if worker.pidfd >= 0:
            self._selector.unregister(worker.pidfd)
            os.close(worker.pidfd)
            worker.pidfd = -1
