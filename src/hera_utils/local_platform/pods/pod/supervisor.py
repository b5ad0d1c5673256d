"""Supervises one pod from its launch to its outcome, like the kubelet and Argo's executor together."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any, TypeVar

from . import disk_room, inputs, outputs, ports, probes, syscalls
from .container import NOT_STARTED, Container, ended_container
from .containers import KILL_SECONDS, Containers, Sandbox
from .errors import DEADLINE, UNENDABLE, PodFault
from .plan import ContainerPlan, container_plans
from .pod_folder import PodFolder, write_begun, write_line
from .volumes import Volumes

Json = dict[str, Any]
T = TypeVar("T")
_PROGRESS = re.compile("([0-9]{1,18})/([0-9]{1,18})")
_SEEN = 2.0  # seconds until Argo's controller has noticed that a container failed
# Seconds added to a deadline: a kubelet checks once a second, and sees a pod up to a second after its creation.
_KUBELET = 1.5
_TICK = 0.5  # seconds between two checks of a full disk
_ROOM_TICK = 5.0  # seconds between attempts on a full disk whose free space does not grow
_MORE_ROOM = 1 << 16  # bytes
_SILENCE = 2.0  # seconds before a failing probe is reported, because most containers are ready soon
# Seconds that the report of a start may wait for the next message, because each message takes processor time from a task.
_START_WAITS = 0.02
_PROBE_PAUSES = (0.1, 1.0)  # seconds between two readiness probes: shortest, longest


def failure(message: str, reason: str = "") -> Json:
    """The outcome of a pod that did not run."""
    return {
        "at": time.time(),
        "phase": "Failed",
        "reason": reason,
        "message": message,
        "containers": [],
        "outputs": {},
        "error": "",
        "warnings": [],
        "stand_ins": [],
        "used": {},
    }


class Pod:
    """One pod. job: its launch. claim: its open supervisor.jsonl. send: sends a message to the server, if there is one.

    unsent: the report of the pod's start, while it waits for another message.
    """

    def __init__(self, files: PodFolder, job: Json, sandbox: Sandbox, claim: int, send: Callable[[Json], None]) -> None:
        self.files, self.job, self.sandbox, self.claim, self._send = files, job, sandbox, claim, send
        self.unsent: Json | None = None
        self._send_at = 0.0
        self.folder = files.path
        self.containers = Containers(files, sandbox)
        self.stopping = False
        self.collected: outputs.CollectedOutputs | None = None
        self.errors: list[str] = []
        self.message = self.reason = ""
        self.kill_at = self.killed_since = 0.0
        self.deadline = self.ends_at = 0.0
        self.progress = self.short_of_room = ""
        self.has_begun = self.reported_start = False
        self.probe_at = self.probed_since = 0.0
        self.probe_problem = ""

    # --- from the launch to the outcome --------------------------------------------------------------------------------------------------

    def run(self) -> Json:
        """Run the pod to its end, and give the outcome."""
        try:
            self._run_phases()
        except PodFault as fault:
            self.message, self.reason = self.message or str(fault), self.reason or fault.reason
        except OSError as error:
            self.message = self.message or f"the pod could not be run: {error}"
        self.containers.kill_all()
        if self.containers.unendable:
            self.message = self.message or UNENDABLE
            return self._outcome()
        try:
            while (full := self.containers.catch_up()) is not None:
                self._wait_for_room(full)
        except OSError as error:
            self.message = self.message or f"the pod's log could not be written: {error}"
        return self._outcome()

    def _run_phases(self) -> None:
        self._handle_kill()
        spec = self.job["pod"]["spec"]
        if spec.get("activeDeadlineSeconds"):
            self.deadline = time.monotonic() + float(spec["activeDeadlineSeconds"]) + _KUBELET
        with contextlib.suppress(OSError):
            syscalls.set_host_name(self.job["pod"]["metadata"]["name"])
        if not ports.uses_host(self.job["pod"]):
            self.sandbox.network.begin()
        self.job["address"] = self.sandbox.network.address
        if not self._stage_inputs():
            return
        plans = self._retry_on_full_disk(lambda: container_plans(self.job, self.folder))
        for plan in plans:
            if plan.kind == "init" and not self._run_init(plan):
                return
        self._run_main([p for p in plans if p.kind != "init"])

    def _stage_inputs(self) -> bool:
        artifacts = (self.job["template"].get("inputs") or {}).get("artifacts") or []
        try:
            self._retry_on_full_disk(
                lambda: inputs.stage(self.job, f"{self.folder}/inputs", self._overlapping(artifacts))
            )
        except PodFault as fault:
            # Argo's message for its own init container
            self.errors.append(f"init: Error (exit code {NOT_STARTED}): {fault}")
            return False
        return True

    def _overlapping(self, artifacts: list[Json]) -> dict[str, tuple[str, str]]:
        """Input artifacts whose path is in a volume of `main`: name → (folder of this machine, path below it)."""
        mains = [c for c in self.job["pod"]["spec"].get("containers") or [] if c.get("name") == "main"]
        if not mains or not mains[0].get("volumeMounts"):
            return {}
        volumes = Volumes(self.job, self.folder)
        covers = {
            a["name"]: volumes.cover(mains[0], {}, os.path.normpath(a["path"])) for a in artifacts if a.get("path")
        }
        return {name: path for name, path in covers.items() if path}

    def _run_init(self, plan: ContainerPlan) -> bool:
        container = self._begin(plan)
        while not container.over:
            self.turn()
        return container.code == 0 and not self.stopping

    def _run_main(self, plans: list[ContainerPlan]) -> None:
        waiting = list(plans)
        while True:
            waiting = [p for p in waiting if not self._try_start(p)]
            mains = [self.containers.by_name.get(p.name) for p in plans if p.kind == "main"]
            if all(c is not None and c.over for c in mains):
                break
            if not self.ends_at and any(c is not None and c.over and c.code for c in mains):
                self.ends_at = time.monotonic() + _SEEN  # a container that failed ends the others of its set
            self._report_start(plans, waiting)
            self.turn()
        if self.containers.unendable:
            return
        if self.collected is None and self._has_outputs():
            main = self.containers.by_name.get("main")
            if main is not None and main.root is not None:
                self._collect(main)
            else:
                self._collect_alone()
        self._save_logs([p.name for p in plans if p.kind == "main"])
        self._end_sidecars(
            [
                self.containers.by_name[p.name]
                for p in plans
                if p.kind == "sidecar" and p.name in self.containers.by_name
            ]
        )

    def _try_start(self, plan: ContainerPlan) -> bool:
        """Start a container when its dependencies have succeeded, or end it when one has failed, as Argo's emissary does. False while it
        must wait.
        """
        needed = [self.containers.by_name.get(d) for d in plan.dependencies]
        failed = next((c for c in needed if c is not None and c.over and c.code != 0), None)
        if self.stopping or (failed is not None and failed.reason == "OOMKilled"):
            self.containers.by_name[plan.name] = ended_container(plan, 143, "")
        elif failed is not None:
            # As in Argo, the exit code of the dependency that failed first.
            code = failed.code if failed.root_code is None else failed.root_code
            message = f'dependency "{failed.plan.name}" exited with non-zero code: {code}'
            self.containers.by_name[plan.name] = ended_container(plan, NOT_STARTED, message, root_code=code)
        elif not all(c is not None and c.over for c in needed):
            return False
        elif plan.refusal:
            self.containers.by_name[plan.name] = ended_container(plan, NOT_STARTED, plan.refusal)
        elif plan.attempts <= 0:
            self.containers.by_name[plan.name] = ended_container(plan, 0, "")
        else:
            self._begin(plan)
        return True

    def _end_sidecars(self, sidecars: list[Container]) -> None:
        until = time.monotonic() + self._grace()
        for container in sidecars:
            container.signal(signal.SIGTERM)
        while any(not c.over for c in sidecars):
            self.turn(until)
            if time.monotonic() >= until:
                until = time.monotonic() + 5
                for container in sidecars:
                    self.containers.kill(container)

    def _grace(self) -> float:
        seconds = self.job["pod"]["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if seconds is None else float(seconds)

    def _begin(self, plan: ContainerPlan) -> Container:
        capture = bool(self.job.get("include_script_output")) and plan.name == "main"
        if not self.has_begun:
            self._retry_on_full_disk(lambda: write_begun(self.claim))
            self.has_begun = True
        return self._retry_on_full_disk(lambda: self.containers.start(plan, capture=capture))

    # --- room on the disk ------------------------------------------------------------------------------------------

    def _retry_on_full_disk(self, action: Callable[[], T]) -> T:
        """Do an action, again and again while the disk is full, and give its result. Raises OSError, also when the pod is to end."""
        while True:
            try:
                done = action()
            except OSError as error:
                if not disk_room.is_full(error) or self.stopping:
                    raise
                self._wait_for_room(error)
                continue
            self._report_room(None)
            return done

    def _wait_for_room(self, error: OSError | None) -> None:
        """Wait until more space is free than now, while the pod continues; for some seconds at most, as another disk may be full."""
        self._report_room(error)
        then, until = disk_room.free(self.sandbox.state), time.monotonic() + _ROOM_TICK
        while True:
            self.turn(time.monotonic() + _TICK)
            if self.stopping or time.monotonic() >= until or disk_room.free(self.sandbox.state) >= then + _MORE_ROOM:
                return

    def _report_room(self, error: OSError | None) -> None:
        """Tell the server that the pod waits for disk space, or no longer waits."""
        message = disk_room.shortage(self.sandbox.state, error) if error is not None else ""
        if bool(message) != bool(self.short_of_room):
            self.send({"is": "waiting", "message": message})
        self.short_of_room = message

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _has_outputs(self) -> bool:
        declared = self.job["template"].get("outputs") or {}
        return bool(
            declared.get("artifacts")
            or any((p.get("valueFrom") or {}).get("path") for p in declared.get("parameters") or [])
        )

    def _collect(self, container: Container) -> None:
        self._retry_on_full_disk(lambda: self._collect_now(container))
        if self.collected is not None and self.collected.refusal:
            self._refuse(container, self.collected.refusal)

    def _collect_now(self, container: Container) -> None:
        waiting = f"{self.folder}/outgoing"
        opened = []
        outputs.prepare(self.job)
        try:
            for folder in (self.job["store"], waiting):
                os.makedirs(folder, mode=0o700, exist_ok=True)
                opened.append(os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            store, parcels = (f"/proc/self/fd/{fd}" for fd in opened)
            with self.containers.inside(container):
                self.collected = outputs.collect(self.job, (store, parcels), self._mount_paths())
        finally:
            for fd in opened:
                os.close(fd)
        outputs.deliver(self.job, self.collected, waiting)

    def _refuse(self, container: Container, refusal: str) -> None:
        """Let the container fail, whatever its exit code, because Argo's emissary could not have copied an output."""
        if self.stopping or container.plan.kind == "wait":
            self.errors.append(refusal)
            return
        container.code, container.message, container.reason = NOT_STARTED, refusal, "Error"
        if container.log is not None:
            container.log.take(2, f"Error: {refusal}\n{refusal}\n".encode(errors="replace"))

    def _collect_alone(self) -> None:
        """Collect the outputs of a containerSet without a `main`: only outputs in its volumes can exist."""
        template = self.job["template"]
        pseudo = {"name": "wait", "volumeMounts": (template.get("containerSet") or {}).get("volumeMounts") or []}
        mounts = tuple(Volumes(self.job, self.folder).mounts(pseudo, {}))
        container = ended_container(ContainerPlan("wait", "wait", (), {}, "/", mounts, {}, (), ()), 0, "")
        container.root = self.sandbox.roots.take((), list(mounts))
        self.containers.by_name["wait"] = container
        self._collect(container)

    def _save_logs(self, names: list[str]) -> None:
        if (self.job["template"].get("archiveLocation") or {}).get("archiveLogs"):
            self._retry_on_full_disk(self._finish_logs)
            self.collected = collected = self.collected or outputs.CollectedOutputs()
            self._retry_on_full_disk(lambda: outputs.save_logs(self.job, collected, self.folder, names))

    def _finish_logs(self) -> None:
        """Write all output that was read to the logs. Raises OSError."""
        error = self.containers.catch_up()
        if error is not None:
            raise error

    def _mount_paths(self) -> list[str]:
        template = self.job["template"]
        for kind in ("container", "script", "containerSet"):
            if template.get(kind):
                return [m["mountPath"] for m in template[kind].get("volumeMounts") or []]
        return []

    # --- listening -------------------------------------------------------------------------------------------------

    def turn(self, until: float = 0.0) -> None:
        """Wait for output, a signal or a due time (at most until `until`), and handle it."""
        signals = self.containers.listen(self._pause(until))
        if signal.SIGTERM in signals:  # before `reap`, so that a command that ends now is not retried
            self._handle_kill()
        if signals:
            self.containers.reap()
        self._watch_clock()
        if self.containers.has_unwritten_output:
            self._report_room(self.containers.catch_up())

    def _pause(self, until: float) -> float:
        now = time.monotonic()
        ends_at = 0.0 if self.stopping else self.ends_at
        times = [t for t in (self.deadline, self.kill_at, ends_at, self._send_at, until) if t]
        times.append(self.containers.next_watch(now))
        if not self.reported_start and any(c.plan.readiness for c in self.containers.live):
            times.append(self.probe_at)
        return max(0.0, min(times) - now)

    # --- time ------------------------------------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        now = time.monotonic()
        if self.deadline and now >= self.deadline:
            self.deadline = 0.0
            self.message, self.reason = DEADLINE, "DeadlineExceeded"
            self._stop(self._grace())
        if self.ends_at and now >= self.ends_at and not self.stopping:
            self._stop(self._grace())
        if self.kill_at and now >= self.kill_at:
            self.kill_at, self.killed_since = now + 5, self.killed_since or now
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)
            if now - self.killed_since >= KILL_SECONDS:
                self.containers.give_up()
        if self._send_at and now >= self._send_at:
            self._send_start()
        self.containers.watch(now)
        self._report_progress()

    def _report_progress(self) -> None:
        main = self.containers.by_name.get("main")
        written = main.root.text("/run/argo/progress", 1 << 16) if main is not None and main.root is not None else None
        if written is None:
            return
        lines = written.decode(errors="replace").strip().split("\n")
        text = lines[-1].strip()
        found = _PROGRESS.fullmatch(text)  # a task may write anything to this file
        if found is not None and text != self.progress and int(found[1]) <= int(found[2]) != 0:
            self.progress = text
            self.send({"is": "progress", "at": time.time(), "progress": text})

    def _report_start(self, plans: list[ContainerPlan], waiting: list[ContainerPlan]) -> None:
        """Report that the pod runs, once all containers without dependencies have started and their readiness probes succeed."""
        if self.reported_start:
            return
        free = [p for p in plans if not p.dependencies]
        if any(p in waiting or not self.containers.by_name[p.name].up for p in free):
            return
        if not self._are_ready([self.containers.by_name[p.name] for p in free if p.readiness]):
            return
        self.reported_start = True
        at = time.time()
        start = {"at": at, "ip": self.sandbox.network.address}
        with contextlib.suppress(OSError):  # without the line, a later server takes the pod as not started
            write_line(self.claim, json.dumps({"started": at, **start}))
        self.unsent = {"is": "started", **start}
        if self.job["start_is_awaited"]:
            self._send_start()
        else:
            self._send_at = time.monotonic() + _START_WAITS

    def send(self, message: Json) -> None:
        self._send_start()
        self._send(message)

    def _send_start(self) -> None:
        if self.unsent is not None:
            self._send(self.unsent)
            self.unsent, self._send_at = None, 0.0

    def _are_ready(self, containers: list[Container]) -> bool:
        """Probe the containers. The longer they take to become ready, the rarer the probes, so that probes do not keep the pod busy."""
        now = time.monotonic()
        if now < self.probe_at:
            return False
        self.probed_since = self.probed_since or now
        problem = next(filter(None, map(self._probe, containers)), "")
        waited = now - self.probed_since
        if problem not in ("", self.probe_problem) and waited > _SILENCE:
            self.probe_problem = problem
            self.send({"is": "waiting", "message": problem})
        shortest, longest = _PROBE_PAUSES
        self.probe_at = time.monotonic() + min(longest, max(shortest, waited / 10))
        return not problem

    def _probe(self, container: Container) -> str:
        if container.over:
            return ""
        target = probes.ProbeTarget(
            functools.partial(self.containers.run_in, container), self.sandbox.network.address, self.sandbox.proc
        )
        problem = probes.problem(container.plan, target)
        return f"Readiness probe of {container.plan.name} failed: {problem}" if problem else ""

    def _handle_kill(self) -> None:
        """End the pod if the server has requested it. A signal without a kill.json was meant for the worker's pod before this one."""
        kill = self.files.kill()
        if kill is not None:
            self._stop(0.0 if kill.get("force") else float(kill.get("grace", 30.0)))

    def _stop(self, grace: float) -> None:
        self.stopping = self.containers.stopping = True
        self.kill_at = time.monotonic() + grace
        if grace > 0:
            for container in self.containers.by_name.values():
                container.signal(signal.SIGTERM)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _outcome(self) -> Json:
        containers = [c for c in self.containers.by_name.values() if c.plan.kind != "wait"]
        values: Json = {}
        main = self.containers.by_name.get("main")
        if main is not None and main.code is not None:
            values["exitCode"] = str(main.code)
            if self.job.get("include_script_output") and main.log is not None:
                values["result"] = main.log.result()
        states = [c.state() for c in containers]
        if self.collected is not None:
            values.update(
                {
                    k: v
                    for k, v in (("parameters", self.collected.parameters), ("artifacts", self.collected.artifacts))
                    if v
                }
            )
            self.errors += [f"wait: Error (exit code {NOT_STARTED}): {error}" for error in self.collected.errors]
        forgiven = all(c.code == 0 or (c.plan.kind == "sidecar" and c.code in (137, 143)) for c in containers)
        good = bool(containers) and forgiven and not self.message and not self.errors
        return {
            **failure(self.message, self.reason),
            "used": self._used(containers),
            "phase": "Succeeded" if good else "Failed",
            "containers": states,
            "outputs": values,
            "error": self.errors[0] if self.errors else "",
            "warnings": self._warnings(),
            "stand_ins": self._stand_ins(),
        }

    def _used(self, containers: list[Container]) -> Json:
        """What the pod's processes used, and the seconds from launch to the first command; {} when no command started."""
        starts = [c.started_at for c in containers if c.started_at is not None and c.log is not None]
        if not starts:
            return {}
        return {**self.containers.meter.figures(), "startDelay": round(max(0.0, min(starts) - self.job["since"]), 3)}

    def _stand_ins(self) -> list[str]:
        """The sentences about stand-ins for the pod's images that the server decided."""
        images = (self.job.get("images") or {}).values()
        return [settings["stand_in"] for settings in images if settings and settings.get("stand_in")]

    def _warnings(self) -> list[str]:
        texts = [container.warning for container in self.containers.by_name.values() if container.warning]
        return [*dict.fromkeys(texts), *(self.collected.warnings if self.collected is not None else [])]
