"""The runtime that runs pods as processes of this Linux machine, with private mounts. `pod/` has the processes beside the server.

One thread owns everything here: it admits pods, gives them to workers, receives their messages through a pipe (`pod/wire.py`), notices
their ends, and reports. A pod's folder has everything that a later server needs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils import machine_size
from hera_utils.deep_folders import remove_tree
from hera_utils.errors import HeraUtilsError
from hera_utils.images.table import ImageTable
from hera_utils.interpreter.events import POD_DELETED, Event, PodFinished, PodProgressed, PodWaiting
from hera_utils.private_folders import make_private

from . import log_lines, pod_events, server_variables, waiting
from .disk_pressure import DiskPressure
from .image_choice import ImageChooser
from .image_pulls import ImagePulls, wanted_images
from .launch_texts import LaunchTexts
from .node_fit import Ports, host_ports, reason_not_to_fit
from .pod import disk_room
from .pod.errors import DEADLINE, UNENDABLE
from .pod.pod_folder import PodFolder, containers_of, image_ids
from .pod.processes import born, usage
from .pod.wire import Wire
from .pod_deadlines import END_WORKER, PodDeadlines
from .pod_waits import PodWaits, WaitingPod
from .resource_queue import Need, ResourceQueue, need_of
from .runtime import AT_HAND, Launch, Report
from .workers import Worker, Workers

Json = dict[str, Any]
_log = logging.getLogger(__name__)
_SWEEP = 2.0  # seconds between two checks of running pods' folders, because a worker's message may be lost
_IDLE = 0.3  # seconds that a pod must have been idle before it gives its core away
_SOON = 0.1  # seconds before a pod is first checked for being idle; most short pods have ended by then
_FEW_CORES = 2
"""The client that starts the server imports Hera meanwhile, and the first run waits for that. On so few cores, nothing more is started."""
_LONGEST_ANSWER = 1.0  # seconds
_TRIES = 20  # workers that a pod may lose before its first command


@dataclass(slots=True)
class _Pod:
    launch: Launch
    need: Need
    ports: frozenset[int] = frozenset()
    started: bool = False
    cpu: float = -1.0
    looked_at: float = 0.0
    queued_at: float = 0.0
    since: float = 0.0
    """When it was created, by time.time()."""
    lost: int = 0
    has_dead_claim: bool = False
    images: dict[str, Json] = field(default_factory=dict)
    """Image → its settings; those of pulled images are added when the pod starts."""
    image_ids: dict[str, str] | None = None
    """Container → its image by digest, as the kubelet reports it."""


class ProcessRuntime:
    """state: the server's state folder. report: called from this runtime's thread. cores, memory (bytes): None = the machine's."""

    def __init__(
        self,
        state: Path,
        report: Report,
        *,
        images: ImageTable,
        cores: float | None = None,
        memory: float | None = None,
    ) -> None:
        self._state = state.resolve()
        self._pods_folder = self._state / "pods"
        make_private(self._pods_folder)
        self._send_report = report
        self._reports: list[tuple[str, Event]] = []
        """Reports to send after this thread's other work, because their receiver takes the interpreter's lock from it."""
        self._same_images: dict[str, Json] = {}
        self._images = ImageChooser(images, server_variables.of_tasks()["PATH"])
        self._host = socket.gethostname()
        self._queue = ResourceQueue(cores or float(machine_size.cores()), memory or float(machine_size.memory()))
        self._launch_texts = LaunchTexts(self._state, self._host, cores=self._queue.cores, memory=self._queue.memory)
        self._pods: dict[str, _Pod] = {}
        self._disk = DiskPressure(self._state)
        self._pulls = ImagePulls(self._state / "images", lambda: self._call(self._on_pulls))
        self._deadlines = PodDeadlines()
        self._log_sizes = log_lines.LogSizes()
        self._held_back: dict[str, None] = {}  # pods that wait for an image or a port, or can never run here
        self._ports = Ports()
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._is_woken = False
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)
        self._wire = Wire(str(self._state))
        self._selector.register(self._wire, selectors.EVENT_READ, self._hear)
        variables = server_variables.of_workers()
        self._workers = Workers(self._state, self._selector, self._on_pod_left, int(self._queue.cores), variables)
        self._waits = PodWaits(self._pods, self._queue, self._disk, self._pulls, self._wait)
        self._closing = False
        self._swept = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="process-runtime", daemon=True)
        self._thread.start()

    # --- the protocol -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        self._call(self._prepare)

    def refusal(self) -> HeraUtilsError | None:
        if self._workers.refusal is not None:  # the user may have followed its advice meanwhile
            tried = threading.Event()
            self._call(self._prepare)
            self._call(tried.set)
            tried.wait(_LONGEST_ANSWER)
        return self._workers.refusal

    def launch(self, launch: Launch) -> None:
        self._call(lambda: self._add(launch))

    def reattach(self, launch: Launch) -> None:
        self._call(lambda: self._reattach(launch))

    def kill(self, pod_uid: str, *, grace: float = 30.0, force: bool = False) -> None:
        self._call(lambda: self._kill(pod_uid, grace, force))

    def waiting(self) -> dict[str, dict[str, str]]:
        recent = self._waits.recent()
        if recent is not None:
            return recent
        answer: Future[dict[str, dict[str, str]]] = Future()
        self._call(lambda: answer.set_result(self._waits.find()))
        try:
            return answer.result(timeout=_LONGEST_ANSWER)
        except TimeoutError:  # the thread is busy, so the last answer is given
            return self._waits.last

    def forget(self, pod_uid: str) -> None:
        self._call(lambda: self._forget(pod_uid))

    def logs(
        self, pod_uid: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[float, str]]:
        return log_lines.read(self._pods_folder / pod_uid, container, self._log_sizes, follow=follow, tail=tail)

    def close(self) -> None:
        self._closing = True
        self._call(lambda: None)
        self._thread.join(timeout=10)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _call(self, action: Callable[[], None]) -> None:
        self._calls.put(action)
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):  # the runtime is closed
                os.write(self._wake_write, b"x")

    def _run(self) -> None:
        if machine_size.cores() > _FEW_CORES:
            self._prepare()
        while not self._closing:
            for key, _ in self._selector.select(self._pause()):
                self._attempt(key.data)
            self._attempt(self._admit)
            if self._pulls.is_due():
                self._attempt(self._on_pulls)
            self._attempt(self._sweep)
            self._attempt(self._send_reports)
        self._attempt(self._take_calls)  # so that a requested kill is still done
        self._attempt(self._send_reports)
        self._close()

    def _prepare(self) -> None:
        try:
            self._workers.prepare()
        except HeraUtilsError as error:
            _log.error("%s", error)

    def _report(self, run: str, event: Event) -> None:
        self._reports.append((run, event))

    def _send_reports(self) -> None:
        reports, self._reports = self._reports, []
        for run, event in reports:
            self._send_report(run, event)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 - one bad pod must not stop the others
            _log.exception("the process runtime could not handle something")

    def _pause(self) -> float:
        return min(_SOON if len(self._queue) else _SWEEP, self._pulls.pause)

    def _on_wake(self) -> None:
        os.read(self._wake_read, 65536)
        self._is_woken = False  # reset before taking calls, so that a later call wakes the thread again
        self._take_calls()

    def _take_calls(self) -> None:
        while True:
            try:
                self._calls.get_nowait()()
            except queue.Empty:
                return

    def _close(self) -> None:
        self._pulls.close()
        self._workers.close()
        self._selector.close()
        self._wire.close()
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)

    # --- launching ----------------------------------------------------------------------------------------------------

    def _add(self, launch: Launch) -> None:
        uid = launch.pod["metadata"]["uid"]
        if uid in self._pods:
            return
        if self._folder(uid).is_claimed():
            self._reattach(launch)
            return
        self._enter(launch)

    def _enter(self, launch: Launch, *, has_dead_claim: bool = False) -> None:
        """Take a pod in. has_dead_claim: whether a worker claimed it and ended before its first command."""
        uid = launch.pod["metadata"]["uid"]
        pod = self._pods[uid] = self._pod_of(launch)
        pod.has_dead_claim = has_dead_claim
        pod.since = pod_events.since(launch.pod, time.time())
        if never := reason_not_to_fit(launch.pod):
            self._held_back[uid] = None
            self._wait(pod, never)
            return
        try:
            pod.images = self._images_of(launch)
            self._pulls.want(uid, wanted_images(launch, pod.images))
        except (HeraUtilsError, OSError) as error:
            self._held_back[uid] = None
            self._finish(uid, pod_events.failure(launch, _message_of(error)))
            return
        self._admit_or_hold(uid, pod)

    def _admit_or_hold(self, uid: str, pod: _Pod) -> None:
        """Queue a pod, or hold it back for an image or a port. It waits for images first, and holds no resources meanwhile."""
        launch = pod.launch
        if self._pulls.message(uid):
            self._held_back[uid] = None
            self._waits.look_again()
        elif not self._ports.free(launch.run_uid, pod.ports):
            self._held_back[uid] = None
            numbers = self._ports.held_by_others(launch.run_uid, pod.ports)
            shared = self._workers.pods_share_ports
            self._wait(pod, waiting.for_shared_ports(numbers) if shared else waiting.for_ports(numbers))
        else:
            self._enqueue(uid, pod)

    def _images_of(self, launch: Launch) -> dict[str, Json]:
        images = dict.fromkeys(str(container.get("image") or "") for container in containers_of(launch.pod))
        settings = {image: self._images.settings(image, launch) for image in images}
        if settings != self._same_images:  # thousands of pods share one object with equal settings
            self._same_images = settings
        return self._same_images

    def _on_pulls(self) -> None:
        """Handle a pull that has succeeded or failed."""
        self._pulls.advance()
        for uid in self._pulls.ready():
            if uid in self._held_back:
                del self._held_back[uid]
                self._admit_or_hold(uid, self._pods[uid])
        self._waits.look_again()

    def _on_image_gone(self, uid: str, pod: _Pod) -> None:
        """Pull again an image that was removed between its pull and the start of its pod."""
        self._workers.release(uid)
        self._queue.release(uid)
        self._release_ports(pod)
        self._pulls.lost(uid)
        self._pulls.want(uid, wanted_images(pod.launch, pod.images))
        self._admit_or_hold(uid, pod)

    def _pod_of(self, launch: Launch) -> _Pod:
        return _Pod(launch, need_of(launch.pod), host_ports(launch.pod, shared=self._workers.pods_share_ports))

    def _enqueue(self, uid: str, pod: _Pod) -> None:
        self._ports.take(pod.launch.run_uid, pod.ports)
        pod.queued_at = time.monotonic()
        if len(self._queue) > AT_HAND:
            pod.launch = pod.launch.stub()
        self._queue.add(uid, pod.need)

    def _wait(self, pod: WaitingPod, message: str) -> None:
        event = PodWaiting(at=time.time(), node_id=pod.launch.node_id, message=message)
        self._report(pod.launch.run_uid, event)

    def _release_ports(self, pod: _Pod) -> None:
        """Release a pod's ports, and queue pods that waited for them."""
        if not pod.ports:
            return
        self._ports.give(pod.launch.run_uid, pod.ports)
        for uid in list(self._held_back):
            other = self._pods[uid]
            if not other.ports & pod.ports or reason_not_to_fit(other.launch.pod) or self._pulls.message(uid):
                continue
            if self._ports.free(other.launch.run_uid, other.ports):
                del self._held_back[uid]
                self._enqueue(uid, other)

    def _admit(self) -> None:
        while not self._is_disk_full() and (uid := self._queue.next()) is not None:
            self._start(uid)

    def _is_disk_full(self) -> bool:
        """Whether no pod may start because the disk is full."""
        return bool(len(self._queue) and self._disk.shortage())

    def _start(self, uid: str) -> None:
        pod, folder = self._pods[uid], self._folder(uid)
        launch = pod.launch
        pod.looked_at = time.monotonic() + _SOON - _IDLE
        try:
            if not launch.whole:
                again = launch.again(uid) if launch.again is not None else None
                if again is None:
                    self._drop(uid)
                    return
                launch, pod.launch = again, again.without_objects()
            folder.make()
            if pod.has_dead_claim:
                folder.release()
                pod.has_dead_claim = False
            self._workers.assign(uid, self._job(uid, launch))
            self._deadlines.begin(uid, launch.pod, time.monotonic())
        except (HeraUtilsError, OSError) as error:
            if isinstance(error, OSError) and disk_room.is_full(error):
                self._disk.failed(error)
                self._queue.release(uid)
                self._queue.add(uid, pod.need)
                return
            self._finish(uid, pod_events.failure(launch, _message_of(error)))
        except Exception as error:  # noqa: BLE001 - this pod fails and says why; the others go on
            _log.exception("a pod could not be started")
            self._finish(
                uid, pod_events.failure(launch, f"the pod could not be started: {type(error).__name__}: {error}")
            )

    def _folder(self, uid: str) -> PodFolder:
        return PodFolder(f"{self._pods_folder}/{uid}")

    def _job(self, uid: str, launch: Launch) -> bytes:
        """What a worker gets: the launch, and facts about this machine."""
        pod = self._pods[uid]
        images = {**pod.images, **self._pulls.settings(uid)}
        pod.image_ids = image_ids(launch.pod, images)
        is_start_awaited = not len(self._queue) or bool(launch.template.get("daemon"))
        return self._launch_texts.of(
            launch, images=images, image_lock=self._pulls.lock, since=pod.since, start_is_awaited=is_start_awaited
        )

    # --- hearing from supervisors -------------------------------------------------------------------------------------

    def _hear(self) -> None:
        for message in self._wire.read():
            pod = self._pods.get(message["uid"])
            if pod is None:
                continue
            if message["is"] == "started":
                self._on_started(message["uid"], pod, message["at"], message["ip"])
            elif message["is"] == "waiting":
                self._wait(pod, message["message"])
            elif message["is"] == "image gone":
                self._on_image_gone(message["uid"], pod)
            elif message["is"] == "progress":
                event = PodProgressed(at=message["at"], node_id=pod.launch.node_id, progress=message["progress"])
                self._report(pod.launch.run_uid, event)
            elif message["is"] == "finished" and "outcome" in message:
                self._finish(message["uid"], pod_events.event_of_end(pod.launch, message["outcome"]))
            elif message["is"] == "finished":
                self._read_outcome(message["uid"])

    def _on_started(self, uid: str, pod: _Pod, at: float, ip: str) -> None:
        if pod.started:
            return
        pod.started = True
        if pod.launch.template.get("daemon"):
            self._queue.serves(uid)
        event = pod_events.event_of_start(pod.launch, at, host=self._host, ip=ip, image_ids=pod.image_ids or {})
        self._report(pod.launch.run_uid, event)

    def _on_pod_left(self, worker: Worker) -> None:
        """Handle a worker that has exited with its pod, or continues without it."""
        uid = worker.uid
        self._hear()
        if worker.uid == uid:  # its last messages did not report the end
            self._workers.release(uid)
            self._read_outcome(uid, ended=True)

    def _read_outcome(self, uid: str, *, ended: bool = False) -> None:
        """Report the pod's outcome if it has one. ended: its worker has left it, so there must be one."""
        pod = self._pods.get(uid)
        if pod is None:
            return
        outcome = self._folder(uid).outcome()
        if outcome is not None:
            self._finish(uid, pod_events.event_of_end(pod.launch, outcome))
        elif ended:
            self._on_lost_worker(uid, pod)

    def _on_lost_worker(self, uid: str, pod: _Pod) -> None:
        """Handle a pod without an outcome whose worker has ended: join another worker that has it, or restart it if no command began."""
        folder = self._folder(uid)
        lines = folder.claim_lines()
        if self._join(uid, pod, lines):
            return
        if folder.has_begun():
            self._finish(uid, self._ended_early(uid, POD_DELETED))
            return
        pod.lost, pod.has_dead_claim = pod.lost + 1, bool(lines)
        if pod.lost >= _TRIES:
            self._finish(uid, pod_events.failure(pod.launch, f"{pod.lost} processes ended that were to run the pod"))
            return
        self._start(uid)

    def _join(self, uid: str, pod: _Pod, lines: list[Json]) -> bool:
        """Watch the pod's supervisor if it runs (an earlier server may have started it). lines: its records. Gives whether it runs."""
        for line in lines:
            if "started" in line:
                self._on_started(uid, pod, line["started"], line.get("ip", "127.0.0.1"))
        claim = lines[0] if lines else None
        alive = claim is not None and born(claim["pid"]) == claim["born"]
        return claim is not None and alive and self._workers.adopt(uid, claim["pid"])

    def _finish(self, uid: str, event: PodFinished) -> None:
        self._report(self._drop(uid).launch.run_uid, event)

    def _drop(self, uid: str) -> _Pod:
        """Remove a pod from this runtime, and release what it holds."""
        pod = self._pods.pop(uid)
        self._deadlines.forget(uid)
        self._pulls.drop(uid)
        self._workers.release(uid)
        self._queue.release(uid)
        if uid in self._held_back:
            del self._held_back[uid]
        else:
            self._release_ports(pod)
        return pod

    # --- reattaching, killing, forgetting ------------------------------------------------------------------------------------------

    def _reattach(self, launch: Launch) -> None:
        uid = launch.pod["metadata"]["uid"]
        if uid in self._pods:
            return
        folder = self._folder(uid)
        lines = folder.claim_lines()
        claim = lines[0] if lines else {}
        alive = bool(claim) and born(claim["pid"]) == claim["born"]
        if not folder.is_over() and not alive and not folder.has_begun():
            self._enter(launch, has_dead_claim=bool(lines))
            return
        pod = self._pods[uid] = self._pod_of(launch)
        self._ports.take(launch.run_uid, pod.ports)
        self._queue.hold(uid, pod.need)
        pod.image_ids = lines[0].get("images", {}) if lines else {}
        self._deadlines.begin(uid, launch.pod, time.monotonic())
        if not self._join(uid, pod, lines) or folder.is_over():
            self._read_outcome(uid, ended=True)

    def _kill(self, uid: str, grace: float, force: bool) -> None:
        pod = self._pods.get(uid)
        if pod is None:
            return
        if uid in self._held_back or self._queue.remove(uid):
            self._finish(uid, pod_events.failure(pod.launch, ""))
            return
        worker = self._workers.worker_of(uid)
        try:
            self._folder(uid).write_kill(grace=grace, force=force)
        except OSError:
            if worker is not None:
                worker.end()  # a user must be able to end a pod on a full disk too
            return
        if worker is not None:
            worker.wake()
            self._deadlines.killed(uid, 0.0 if force else grace, time.monotonic())

    def _forget(self, uid: str) -> None:
        if uid in self._pods:
            self._kill(uid, 0.0, True)
        remove_tree(self._pods_folder / uid)

    # --- sweeping -----------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        now = time.monotonic()
        if len(self._queue):
            self._find_idle(now)
        self._waits.sweep()
        if now - self._swept >= _SWEEP:
            self._swept = now
            self._end_late_pods(now)
            self._workers.hear()
            for uid in self._workers.busy():
                self._read_outcome(uid)

    def _end_late_pods(self, now: float) -> None:
        """End pods that should have ended (a store or a disk may not answer), but not while the disk is full."""
        if self._disk.shortage():
            return
        for uid, step in self._deadlines.due(now):
            worker = self._workers.worker_of(uid)
            if uid not in self._pods or worker is None:
                self._deadlines.forget(uid)
            elif step == END_WORKER:
                worker.end()
            else:
                self._finish(uid, self._ended_early(uid, UNENDABLE))

    def _ended_early(self, uid: str, message: str) -> PodFinished:
        """The event for a pod whose supervisor could not record an outcome."""
        launch = self._pods[uid].launch
        if self._deadlines.has_passed(uid):
            return pod_events.failure(launch, DEADLINE, reason="DeadlineExceeded")
        return pod_events.failure(launch, message, reason="PodDeleted" if message == POD_DELETED else "")

    def _find_idle(self, now: float) -> None:
        """Let idle pods give their core to waiting ones, so that two pods that wait for each other can both run."""
        changed = False
        for uid in self._workers.busy():
            pod, worker = self._pods[uid], self._workers.worker_of(uid)
            is_daemon = pod.started and pod.launch.template.get("daemon")
            if worker is None or is_daemon or now - pod.looked_at < _IDLE:
                continue
            cpu, is_short = usage(worker.pid)
            if pod.cpu >= 0:
                works = is_short or cpu - pod.cpu > 0.1 * (now - pod.looked_at)
                self._queue.works(uid, works)
                changed = changed or not works
            pod.cpu, pod.looked_at = cpu, now
        if changed:
            self._admit()


def _message_of(error: HeraUtilsError | OSError) -> str:
    return error.with_fix if isinstance(error, HeraUtilsError) else str(error)
