"""Supervises one pod from its claim to its outcome: kubelet and Argo's executor in one process, which outlives the server.

supervisor.jsonl   made with O_EXCL: who makes it owns the pod, so that it runs exactly once; then {"started": time, "ip"}
outcome.json       what PodFinished will say; appears by a rename, once
kill.json          a wish of the server ({"grace", "force"}), announced by SIGTERM
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any

from . import container, inputs, probes, system
from .base import Base
from .fault import PodFault
from .logs import Log
from .plan import ContainerPlan, container_plans
from .processes import resident
from .volumes import Volumes

Json = dict[str, Any]
DEADLINE = "Pod was active on the node longer than the specified deadline"
TICK = 0.5  # seconds between looks at the progress file
MEMORY_TICK = 0.1  # seconds between looks at the memory of containers that have a limit


class Running:
    """One container: its first process, its pipes, and what is known of it."""

    def __init__(self, plan: ContainerPlan) -> None:
        self.plan = plan
        self.pid = 0
        self.log: Log | None = None
        self.started_at: float | None = None
        self.finished_at: float | None = None
        self.code: int | None = None
        self.message = ""
        self.reason = ""
        self.fault = ""
        self.collected: Json | None = None
        self.up = False  # its command runs, or ran
        self.gone = False  # the first process closed its pipe: nothing more will come
        self.report = b""
        self.open: set[int] = set()

    @property
    def over(self) -> bool:
        return self.code is not None and self.gone

    def signal(self, number: int) -> None:
        if self.pid and not self.gone:
            with contextlib.suppress(OSError):
                os.kill(self.pid, number)

    def state(self) -> Json:
        return {
            "name": self.plan.name,
            "exit_code": self.code,
            "reason": self.reason or ("" if self.code is None else "Completed" if self.code == 0 else "Error"),
            "message": self.message,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "init": self.plan.kind == "init",
        }


class Pod:
    """folder: pods/<uid>. tell: sends a line to the server, if there is one."""

    def __init__(self, folder: str, state: str, base: Base, tell: Callable[[Json], None]) -> None:
        self.folder, self.state, self.base, self.tell = folder, state, base, tell
        self.containers: dict[str, Running] = {}
        self.errors: list[str] = []
        self.message = self.reason = ""
        self.stopping = False  # the server or the deadline ended it: nothing more may start
        self.kill_at = 0.0
        self.deadline = 0.0
        self.progress = ""
        self.announced = False
        self.selector = selectors.DefaultSelector()
        self.job: Json = {}

    # --- the walk --------------------------------------------------------------------------------------------------

    def run(self) -> Json:
        """Everything; returns the outcome."""
        try:
            self._walk()
        except PodFault as fault:
            self.message, self.reason = self.message or str(fault), self.reason or fault.reason
            self._end_all(force=True)
        except OSError as error:
            self.message = self.message or f"the pod could not be run: {error}"
            self._end_all(force=True)
        return self._outcome()

    def _walk(self) -> None:
        with open(f"{self.folder}/launch.json", "rb") as file:
            self.job = json.load(file)
        self._prepare_signals()
        os.makedirs(f"{self.folder}/logs", exist_ok=True)
        spec = self.job["pod"]["spec"]
        if spec.get("activeDeadlineSeconds"):
            self.deadline = time.time() + float(spec["activeDeadlineSeconds"])
        if not self._stage_inputs():
            return
        plans = container_plans(self.job, self.folder)  # what is bound into the view must be there by now
        for plan in plans:
            if plan.kind == "init" and not self._run_init(plan):
                return
        self._run_main([p for p in plans if p.kind != "init"])

    def _stage_inputs(self) -> bool:
        artifacts = (self.job["template"].get("inputs") or {}).get("artifacts") or []
        if not artifacts:
            return True
        try:
            inputs.stage(self.job, f"{self.folder}/inputs", self._overlapping(artifacts))
        except PodFault as fault:
            self.errors.append(str(fault))
            now = time.time()
            failed = Running(ContainerPlan("init", "init", (), {}, "/", (), {}, (), ()))
            failed.code, failed.message, failed.gone = container.NOT_STARTED, str(fault), True
            failed.started_at = failed.finished_at = now
            self.containers["init"] = failed
            return False
        return True

    def _overlapping(self, artifacts: list[Json]) -> dict[str, str]:
        mains = [c for c in self.job["pod"]["spec"].get("containers") or [] if c.get("name") == "main"]
        if not mains:
            return {}
        volumes = Volumes(self.job, self.folder)
        found = {
            a["name"]: volumes.host_path(mains[0], {}, os.path.normpath(a["path"])) for a in artifacts if a.get("path")
        }
        return {name: path for name, path in found.items() if path}

    def _run_init(self, plan: ContainerPlan) -> bool:
        running = self._start(plan)
        while not running.over:
            self._turn()
        return running.code == 0 and not self.stopping

    def _run_main(self, plans: list[ContainerPlan]) -> None:
        waiting = list(plans)
        names = {p.name for p in plans}
        while True:
            waiting = [p for p in waiting if not self._try_start(p, names)]
            mains = [self.containers[p.name] for p in plans if p.kind == "main" and p.name in self.containers]
            unstarted = [p for p in waiting if p.kind == "main"]
            if not unstarted and all(r.over for r in mains):
                break
            self._announce(plans, waiting)
            self._turn()
        if not any(r.collected for r in mains) and not self.stopping and self._has_outputs():
            self._collect_alone()
        self._end_sidecars(
            [self.containers[p.name] for p in plans if p.kind == "sidecar" and p.name in self.containers]
        )

    def _try_start(self, plan: ContainerPlan, names: set[str]) -> bool:
        """Start a container when its dependencies succeeded; settle it when one of them did not (Argo: the emissary waits for them)."""
        needed = [self.containers.get(d) for d in plan.dependencies if d in names]
        failed = next((r for r in needed if r is not None and r.over and r.code != 0), None)
        if failed is None and not self.stopping:
            if not all(r is not None and r.over for r in needed):
                return False
            self._start(plan)
            return True
        if failed is None and not needed and plan.kind != "main":
            return True
        settled = Running(plan)
        settled.gone = True
        settled.started_at = settled.finished_at = time.time()
        if failed is not None and failed.reason != "OOMKilled" and not self.stopping:
            settled.code = container.NOT_STARTED
            settled.message = f'dependency "{failed.plan.name}" exited with non-zero code: {failed.code}'
        else:
            settled.code = 143
        self.containers[plan.name] = settled
        return True

    def _has_outputs(self) -> bool:
        outputs = self.job["template"].get("outputs") or {}
        return bool(
            outputs.get("artifacts")
            or any((p.get("valueFrom") or {}).get("path") for p in outputs.get("parameters") or [])
        )

    def _collect_alone(self) -> None:
        """Outputs of a containerSet without a `main`: only what lies in its volumes can be there."""
        template = self.job["template"]
        pseudo = {"name": "wait", "volumeMounts": (template.get("containerSet") or {}).get("volumeMounts") or []}
        mounts = tuple(Volumes(self.job, self.folder).mounts(pseudo, {}))
        running = self._start(ContainerPlan("wait", "wait", (), {}, "/", mounts, {}, (), ()))
        running.code = 0
        while not running.over:
            self._turn()

    def _end_sidecars(self, sidecars: list[Running]) -> None:
        grace = self._grace()
        until = time.time() + grace
        for running in sidecars:
            running.signal(signal.SIGTERM)
        while any(not r.over for r in sidecars):
            self._turn(until)
            if time.time() >= until:
                for running in sidecars:
                    running.signal(signal.SIGUSR1)
                until = time.time() + 5

    def _grace(self) -> float:
        given = self.job["pod"]["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if given is None else float(given)

    # --- starting and listening --------------------------------------------------------------------------------------

    def _start(self, plan: ContainerPlan) -> Running:
        running = Running(plan)
        running.started_at = time.time()
        self.containers[plan.name] = running
        capture = bool(self.job.get("include_script_output")) and plan.name == "main"
        running.log = Log(f"{self.folder}/logs/{plan.name}.log", capture=capture)
        out = os.pipe2(os.O_CLOEXEC)
        err = os.pipe2(os.O_CLOEXEC) if capture else out
        report = os.pipe2(os.O_CLOEXEC)
        collects = plan.name in ("main", "wait") and self._has_outputs()
        setting = container.Setting(
            self.job, self.folder, self.state, self.base, self.job["store"], self._mount_paths()
        )
        if collects:
            os.makedirs(self.job["store"], exist_ok=True)
        running.pid = system.clone(system.CLONE_NEWPID | system.CLONE_NEWNS)
        if running.pid == 0:
            container.main(plan, setting, container.Pipes(out[1], err[1], report[1]), collects)
        for fd in {out[1], err[1], report[1]}:
            os.close(fd)
        self._listen(running, out[0], 1)
        if capture:
            self._listen(running, err[0], 2)
        self._listen(running, report[0], 0)
        return running

    def _mount_paths(self) -> list[str]:
        template = self.job["template"]
        for kind in ("container", "script", "containerSet"):
            if template.get(kind):
                return [m["mountPath"] for m in template[kind].get("volumeMounts") or []]
        return []

    def _listen(self, running: Running, fd: int, stream: int) -> None:
        os.set_blocking(fd, False)
        running.open.add(fd)
        self.selector.register(fd, selectors.EVENT_READ, (running, stream))

    def _prepare_signals(self) -> None:
        self.wakeup, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        self.selector.register(self.wakeup, selectors.EVENT_READ, None)
        if os.path.exists(f"{self.folder}/kill.json"):
            self._wish()

    def _turn(self, until: float = 0.0) -> None:
        """Wait for something to happen, and see to it."""
        for key, _ in self.selector.select(self._pause(until)):
            if key.data is None:
                os.read(self.wakeup, 64)
                self._wish()
            elif key.fd in key.data[0].open:  # not closed by what came before it in this turn
                self._read(key.fd, *key.data)
        self._watch_clock()

    def _pause(self, until: float) -> float:
        now = time.time()
        times = [t for t in (self.deadline, self.kill_at, until) if t]
        live = [r for r in self.containers.values() if r.code is None]
        times.append(now + (MEMORY_TICK if any(r.plan.memory_limit for r in live) else TICK))
        if not self.announced and any(r.plan.readiness for r in live):
            times.append(now + 0.1)
        return max(0.0, min(times) - now)

    def _read(self, fd: int, running: Running, stream: int) -> None:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._forget(running, fd)
            if stream == 0:
                self._gone(running)
            return
        if stream == 0:
            running.report += data
            *lines, running.report = running.report.split(b"\n")
            for line in lines:
                self._learn(running, json.loads(line))
        elif running.log is not None:
            running.log.take(stream, data)

    def _learn(self, running: Running, message: Json) -> None:
        kind = message["is"]
        if kind == "started":
            running.started_at, running.up = message["at"], True
        elif kind == "ended":
            running.code, running.finished_at = message["code"], message["at"]
            running.up = True
            running.message = message["message"]
        elif kind == "collected":
            running.collected = message
        else:
            running.fault = message["message"]

    def _gone(self, running: Running) -> None:
        """Its first process ended, and with it everything in the container: read what is left in the pipes."""
        running.gone = True
        for key in [k for k in self.selector.get_map().values() if k.data and k.data[0] is running]:
            self._drain(running, key.fd, key.data[1])
        if running.log is not None:
            running.log.close()
        if running.code is None:
            running.code, running.finished_at = 137, time.time()
        if running.fault:
            raise PodFault(running.fault)

    def _drain(self, running: Running, fd: int, stream: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(fd, 1 << 16):
                if running.log is not None:
                    running.log.take(stream, data)
        self._forget(running, fd)

    def _forget(self, running: Running, fd: int) -> None:
        self.selector.unregister(fd)
        os.close(fd)
        running.open.discard(fd)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        now = time.time()
        if self.deadline and now >= self.deadline:
            self.deadline = 0.0
            self.message, self.reason = DEADLINE, "DeadlineExceeded"
            self._stop(self._grace())
        if self.kill_at and now >= self.kill_at:
            self.kill_at = now + 5
            self._signal_all(signal.SIGUSR1)
        for running in self.containers.values():
            limit = running.plan.memory_limit
            if limit and not running.gone and running.code is None and resident(running.pid) > limit:
                running.reason = "OOMKilled"
                running.signal(signal.SIGUSR1)
        self._look_at_progress()

    def _look_at_progress(self) -> None:
        main = self.containers.get("main")
        if main is None or not main.pid or main.gone:
            return
        try:
            with open(f"/proc/{main.pid}/root/run/argo/progress", "rb") as file:
                lines = file.read(1 << 16).decode(errors="replace").strip().split("\n")
        except OSError:
            return
        text = lines[-1].strip()
        done, slash, total = text.partition("/")
        if (
            text != self.progress
            and slash
            and done.isdigit()
            and total.isdigit()
            and 0 <= int(done) <= int(total)
            and int(total) > 0
        ):
            self.progress = text
            self.tell({"is": "progress", "at": time.time(), "progress": text})

    def _announce(self, plans: list[ContainerPlan], waiting: list[ContainerPlan]) -> None:
        """Tell that the pod runs: every container that waits for no other one does, and is ready if it says how to know."""
        if self.announced:
            return
        free = [p for p in plans if not p.dependencies]
        if any(p in waiting or not self.containers[p.name].up for p in free):
            return
        for plan in free:
            if plan.readiness and not probes.ready(plan, self.containers[plan.name].pid):
                return
        self.announced = True
        note = {"started": time.time(), "ip": "127.0.0.1"}
        with open(f"{self.folder}/supervisor.jsonl", "a") as file:
            file.write(json.dumps(note) + "\n")
        self.tell({"is": "started", "at": note["started"]})

    def _wish(self) -> None:
        """The server (or its user) wants the pod ended."""
        try:
            with open(f"{self.folder}/kill.json") as file:
                wish = json.load(file)
        except (OSError, ValueError):
            wish = {}
        self._stop(0.0 if wish.get("force") else float(wish.get("grace", 30.0)))

    def _stop(self, grace: float) -> None:
        self.stopping = True
        self._signal_all(signal.SIGTERM if grace > 0 else signal.SIGUSR1)
        self.kill_at = time.time() + grace if grace > 0 else time.time() + 5

    def _signal_all(self, number: int) -> None:
        for running in self.containers.values():
            if running.code is None:
                running.signal(number)

    def _end_all(self, *, force: bool) -> None:
        for running in self.containers.values():
            if running.pid and not running.gone:
                running.signal(signal.SIGKILL if force else signal.SIGTERM)

    # --- the end --------------------------------------------------------------------------------------------------------

    def _outcome(self) -> Json:
        mains = [r for r in self.containers.values() if r.plan.kind != "wait"]
        collected: Json = next((r.collected for r in self.containers.values() if r.collected), {})
        outputs: Json = {}
        main = self.containers.get("main")
        if main is not None and main.code is not None:
            outputs["exitCode"] = str(main.code)
            if self.job.get("include_script_output") and main.log is not None:
                outputs["result"] = main.log.result()
        for name in ("parameters", "artifacts"):
            if collected.get(name):
                outputs[name] = collected[name]
        self.errors += collected.get("errors") or []
        states = [r.state() for r in mains]
        if self.errors and "init" not in self.containers:
            now = time.time()
            states.append(
                {
                    "name": "wait",
                    "exit_code": 64,
                    "reason": "Error",
                    "message": self.errors[0],
                    "started_at": now,
                    "finished_at": now,
                    "init": False,
                }
            )
        good = not self.message and not self.errors and not self.stopping and mains and all(r.code == 0 for r in mains)
        return {
            "at": time.time(),
            "phase": "Succeeded"
            if good or (self._only_stopped_sidecars(mains) and not self.message and not self.errors)
            else "Failed",
            "reason": self.reason,
            "message": self.message,
            "containers": states,
            "outputs": outputs,
            "error": self.errors[0] if self.errors else "",
        }

    def _only_stopped_sidecars(self, mains: list[Running]) -> bool:
        """Argo forgives a sidecar that ended because it was told to (operator.go, inferFailedReason: 137 and 143)."""
        return bool(mains) and all(r.code == 0 or (r.plan.kind == "sidecar" and r.code in (137, 143)) for r in mains)
