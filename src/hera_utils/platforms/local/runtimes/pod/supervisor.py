"""Supervises one pod from its claim to its outcome: kubelet and Argo's executor in one. Files in pods/<uid>:

supervisor.jsonl   made with O_EXCL: who makes it owns the pod, so that it runs exactly once; then {"started": time}
outcome.json       what PodFinished will say; appears by a rename, once
kill.json          a wish of the server ({"grace", "force"}), announced by SIGTERM
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from . import inputs, outputs, probes, processes, system
from .container import NOT_STARTED, Container, settled
from .fault import PodFault
from .logs import Log
from .plan import ContainerPlan, container_plans
from .roots import Mount
from .volumes import Volumes

if TYPE_CHECKING:
    from .worker import Place

Json = dict[str, Any]
DEADLINE = "Pod was active on the node longer than the specified deadline"
_TICK = 0.5  # seconds between looks at the progress file
_MEMORY_TICK = 0.1  # seconds between looks at the memory of containers that have a limit
_PROBE_TICK = 0.1


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
    }


class Pod:
    """folder: pods/<uid>. claim: its open supervisor.jsonl. tell: sends a message to the server, if there is one."""

    def __init__(self, folder: str, place: Place, claim: int, tell: Callable[[Json], None]) -> None:
        self.folder, self.place, self.claim, self.tell = folder, place, claim, tell
        self.containers: dict[str, Container] = {}
        self.collected: outputs.Collected | None = None
        self.errors: list[str] = []
        self.message = self.reason = ""
        self.stopping = False  # the server or the deadline ended it: nothing more may start
        self.kill_at = 0.0
        self.deadline = 0.0
        self.progress = ""
        self.announced = False
        self.job: Json = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(place.wakeup, selectors.EVENT_READ, None)

    # --- the walk --------------------------------------------------------------------------------------------------

    def run(self) -> Json:
        """Everything; returns the outcome."""
        try:
            self._walk()
        except PodFault as fault:
            self.message, self.reason = self.message or str(fault), self.reason or fault.reason
        except OSError as error:
            self.message = self.message or f"the pod could not be run: {error}"
        self._kill_all()
        return self._outcome()

    def _walk(self) -> None:
        with open(f"{self.folder}/launch.json", "rb") as file:
            self.job = json.loads(file.read())
        if os.path.exists(f"{self.folder}/kill.json"):
            self._wish()
        spec = self.job["pod"]["spec"]
        if spec.get("activeDeadlineSeconds"):
            self.deadline = time.time() + float(spec["activeDeadlineSeconds"])
        with contextlib.suppress(OSError):
            system.set_host_name(self.job["pod"]["metadata"]["name"])
        os.mkdir(f"{self.folder}/logs")
        plans = container_plans(self.job, self.folder)
        if not self._stage_inputs():
            return
        for plan in plans:
            if plan.kind == "init" and not self._run_init(plan):
                return
        self._run_main([p for p in plans if p.kind != "init"])

    def _stage_inputs(self) -> bool:
        artifacts = (self.job["template"].get("inputs") or {}).get("artifacts") or []
        try:
            inputs.stage(self.job, f"{self.folder}/inputs", self._overlapping(artifacts))
        except PodFault as fault:
            self.errors.append(str(fault))
            plan = ContainerPlan("init", "init", (), {}, "/", (), {}, (), ())
            self.containers["init"] = settled(plan, NOT_STARTED, str(fault))
            return False
        return True

    def _overlapping(self, artifacts: list[Json]) -> dict[str, str]:
        """Input artifacts whose path lies in a volume of `main`: name → where that is on this machine."""
        mains = [c for c in self.job["pod"]["spec"].get("containers") or [] if c.get("name") == "main"]
        if not mains or not mains[0].get("volumeMounts"):
            return {}
        volumes = Volumes(self.job, self.folder)
        found = {
            a["name"]: volumes.host_path(mains[0], {}, os.path.normpath(a["path"])) for a in artifacts if a.get("path")
        }
        return {name: path for name, path in found.items() if path}

    def _run_init(self, plan: ContainerPlan) -> bool:
        container = self._start(plan)
        while not container.over:
            self._turn()
        return container.code == 0 and not self.stopping

    def _run_main(self, plans: list[ContainerPlan]) -> None:
        waiting = list(plans)
        while True:
            waiting = [p for p in waiting if not self._try_start(p)]
            mains = [self.containers.get(p.name) for p in plans if p.kind == "main"]
            if all(c is not None and c.over for c in mains):
                break
            self._announce(plans, waiting)
            self._turn()
        if self.collected is None and self._has_outputs():
            self._collect_alone()
        self._end_sidecars(
            [self.containers[p.name] for p in plans if p.kind == "sidecar" and p.name in self.containers]
        )

    def _try_start(self, plan: ContainerPlan) -> bool:
        """Start a container when its dependencies succeeded; settle it when it never will (Argo: the emissary waits for them)."""
        needed = [self.containers.get(d) for d in plan.dependencies]
        failed = next((c for c in needed if c is not None and c.over and c.code != 0), None)
        if self.stopping or (failed is not None and failed.reason == "OOMKilled"):
            self.containers[plan.name] = settled(plan, 143, "")
        elif failed is not None:
            message = f'dependency "{failed.plan.name}" exited with non-zero code: {failed.code}'
            self.containers[plan.name] = settled(plan, NOT_STARTED, message)
        elif all(c is not None and c.over for c in needed):
            self._start(plan)
        else:
            return False
        return True

    def _end_sidecars(self, sidecars: list[Container]) -> None:
        until = time.time() + self._grace()
        for container in sidecars:
            container.signal(signal.SIGTERM)
        while any(not c.over for c in sidecars):
            self._turn(until)
            if time.time() >= until:
                until = time.time() + 5
                for container in sidecars:
                    self._kill(container)

    def _grace(self) -> float:
        given = self.job["pod"]["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if given is None else float(given)

    # --- containers ------------------------------------------------------------------------------------------------

    def _start(self, plan: ContainerPlan) -> Container:
        container = Container(plan)
        container.started_at = time.time()
        self.containers[plan.name] = container
        capture = bool(self.job.get("include_script_output")) and plan.name == "main"
        container.log = Log(f"{self.folder}/logs/{plan.name}.log", capture=capture)
        container.root = self.place.roots.take(plan.hidden, self._mounts(plan))
        for path, (data, mode) in plan.written.items():
            container.root.write(path, data, mode)
        self._spawn(container)
        return container

    def _mounts(self, plan: ContainerPlan) -> list[Mount]:
        return [*(Mount(path, path, True) for path in plan.exposed), *plan.mounts]

    def _spawn(self, container: Container) -> None:
        out = os.pipe2(os.O_CLOEXEC)
        err = os.pipe2(os.O_CLOEXEC) if container.log and container.log.captures else out
        try:
            with self._inside(container):
                refusal = container.spawn(out[1], err[1])
        finally:
            for fd in {out[1], err[1]}:
                os.close(fd)
        for fd, stream in dict.fromkeys([(out[0], 1), (err[0], 2)] if err != out else [(out[0], 1)]):
            os.set_blocking(fd, False)
            container.open.add(fd)
            self.selector.register(fd, selectors.EVENT_READ, (container, stream))
        if refusal:
            self._ended(container, NOT_STARTED, refusal)

    @contextlib.contextmanager
    def _inside(self, container: Container) -> Iterator[None]:
        """This process sees the container's files, and afterwards the machine's again."""
        try:
            if container.view < 0:
                assert container.root is not None
                system.unshare(system.CLONE_NEWNS)
                container.root.enter(self._mounts(container.plan))
                container.view = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
                container.namespace = os.readlink("/proc/self/ns/mnt")
            else:
                system.setns(container.view, system.CLONE_NEWNS)
            yield
        finally:
            system.setns(self.place.namespace, system.CLONE_NEWNS)

    def _ended(self, container: Container, code: int, message: str = "") -> None:
        """The command ended: so does everything else in its container."""
        container.pid = 0
        self._kill(container)
        for key in [k for k in self.selector.get_map().values() if k.data and k.data[0] is container]:
            self._drain(container, key.fd, key.data[1])
        if code != 0 and container.retries > 0 and not self.stopping and not message:
            container.retries -= 1
            container.retry_at = time.time() + container.plan.retry_pause
            return
        container.end(code, message)
        if container.log is not None:
            container.log.close()
        if container.plan.name == "main" and container.plan.kind == "main" and self._has_outputs():
            self._collect(container)

    def _kill(self, container: Container) -> None:
        """SIGKILL to every process of the container; those that are not its command are reaped here."""
        if any(c.pid for c in self.containers.values() if c is not container):
            for pid in processes.members(self.place.proc, container.namespace):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)  # process 1: everything in this namespace but itself
        if not container.pid:
            _reap_all()

    def _kill_all(self) -> None:
        """Nothing of the pod may outlive it."""
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        while left := [c for c in self.containers.values() if not c.over]:
            for container in left:
                if not container.pid:
                    container.end(137)
            self._turn(time.time() + 1)
        _reap_all()

    def clean(self) -> None:
        """After the outcome is recorded: give back the roots. Raises OSError when that cannot be done."""
        for container in self.containers.values():
            if container.view >= 0:
                os.close(container.view)
            if container.root is not None:
                self.place.roots.give_back(container.root)
        self.selector.close()

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _has_outputs(self) -> bool:
        found = self.job["template"].get("outputs") or {}
        return bool(
            found.get("artifacts") or any((p.get("valueFrom") or {}).get("path") for p in found.get("parameters") or [])
        )

    def _collect(self, container: Container) -> None:
        os.makedirs(self.job["store"], exist_ok=True)
        store = os.open(self.job["store"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self._inside(container):
                self.collected = outputs.collect(self.job, f"/proc/self/fd/{store}", self._mount_paths())
        finally:
            os.close(store)

    def _collect_alone(self) -> None:
        """Outputs of a containerSet without a `main`: only what lies in its volumes can be there."""
        template = self.job["template"]
        pseudo = {"name": "wait", "volumeMounts": (template.get("containerSet") or {}).get("volumeMounts") or []}
        mounts = tuple(Volumes(self.job, self.folder).mounts(pseudo, {}))
        container = settled(ContainerPlan("wait", "wait", (), {}, "/", mounts, {}, (), ()), 0, "")
        container.root = self.place.roots.take((), list(mounts))
        self.containers["wait"] = container
        self._collect(container)

    def _mount_paths(self) -> list[str]:
        template = self.job["template"]
        for kind in ("container", "script", "containerSet"):
            if template.get(kind):
                return [m["mountPath"] for m in template[kind].get("volumeMounts") or []]
        return []

    # --- listening -------------------------------------------------------------------------------------------------

    def _turn(self, until: float = 0.0) -> None:
        """Wait for something to happen, and see to it."""
        for key, _ in self.selector.select(self._pause(until)):
            if key.data is None:
                happened = os.read(self.place.wakeup, 4096)
                if signal.SIGTERM in happened:
                    self._wish()
                self._reap()
            elif key.fd in key.data[0].open:  # not closed by what came before it in this turn
                self._read(key.data[0], key.fd, key.data[1])
        self._watch_clock()

    def _pause(self, until: float) -> float:
        now = time.time()
        times = [t for t in (self.deadline, self.kill_at, until) if t]
        live = [c for c in self.containers.values() if not c.over]
        times += [c.retry_at for c in live if c.retry_at]
        times.append(now + (_MEMORY_TICK if any(c.plan.memory_limit for c in live) else _TICK))
        if not self.announced and any(c.plan.readiness for c in live):
            times.append(now + _PROBE_TICK)
        return max(0.0, min(times) - now)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for container in self.containers.values():
                if container.pid == pid:
                    code = os.waitstatus_to_exitcode(status)
                    self._ended(container, code if code >= 0 else 128 - code)

    def _read(self, container: Container, fd: int, stream: int) -> None:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return
        if data and container.log is not None:
            container.log.take(stream, data)
        elif not data:
            self._forget(container, fd)

    def _drain(self, container: Container, fd: int, stream: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(fd, 1 << 16):
                if container.log is not None:
                    container.log.take(stream, data)
        self._forget(container, fd)

    def _forget(self, container: Container, fd: int) -> None:
        self.selector.unregister(fd)
        os.close(fd)
        container.open.discard(fd)

    # --- time ------------------------------------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        now = time.time()
        if self.deadline and now >= self.deadline:
            self.deadline = 0.0
            self.message, self.reason = DEADLINE, "DeadlineExceeded"
            self._stop(self._grace())
        if self.kill_at and now >= self.kill_at:
            self.kill_at = now + 5
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)
        for container in list(self.containers.values()):
            self._watch_container(container, now)
        self._look_at_progress()

    def _watch_container(self, container: Container, now: float) -> None:
        if container.over:
            return
        limit = container.plan.memory_limit
        if limit and container.pid and processes.resident(self.place.proc, container.namespace) > limit:
            container.reason = "OOMKilled"
            self._kill(container)
        if container.retry_at and self.stopping:
            container.end(143)
        elif container.retry_at and now >= container.retry_at:
            container.retry_at = 0.0
            self._spawn(container)

    def _look_at_progress(self) -> None:
        main = self.containers.get("main")
        if main is None or main.root is None:
            return
        try:
            with open(main.root.own("/run/argo/progress"), "rb") as file:
                lines = file.read(1 << 16).decode(errors="replace").strip().split("\n")
        except OSError:
            return
        text = lines[-1].strip()
        done, slash, total = text.partition("/")
        if text != self.progress and slash and done.isdigit() and total.isdigit() and int(done) <= int(total) != 0:
            self.progress = text
            self.tell({"is": "progress", "at": time.time(), "progress": text})

    def _announce(self, plans: list[ContainerPlan], waiting: list[ContainerPlan]) -> None:
        """Tell that the pod runs: every container that waits for no other one does, and is ready if it says how to know."""
        if self.announced:
            return
        free = [p for p in plans if not p.dependencies]
        if any(p in waiting or not self.containers[p.name].up for p in free):
            return
        if not all(self._ready(self.containers[p.name]) for p in free if p.readiness):
            return
        self.announced = True
        at = time.time()
        os.write(self.claim, json.dumps({"started": at}).encode() + b"\n")
        self.tell({"is": "started", "at": at})

    def _ready(self, container: Container) -> bool:
        return container.over or probes.ready(container.plan, functools.partial(self._probe, container))

    def _probe(self, container: Container, argv: list[str]) -> bool:
        with self._inside(container), contextlib.suppress(OSError, ValueError, IndexError):
            quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in range(3)]
            pid = os.posix_spawnp(argv[0], argv, container.plan.env, file_actions=quiet, setsid=True)
            return os.waitpid(pid, 0)[1] == 0
        return False

    def _wish(self) -> None:
        """The server (or its user) wants the pod ended."""
        try:
            with open(f"{self.folder}/kill.json") as file:
                wish = json.load(file)
        except (OSError, ValueError):
            return  # meant for the pod before this one
        self._stop(0.0 if wish.get("force") else float(wish.get("grace", 30.0)))

    def _stop(self, grace: float) -> None:
        self.stopping = True
        self.kill_at = time.time() + grace
        if grace > 0:
            for container in self.containers.values():
                container.signal(signal.SIGTERM)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _outcome(self) -> Json:
        containers = [c for c in self.containers.values() if c.plan.kind != "wait"]
        found: Json = {}
        main = self.containers.get("main")
        if main is not None and main.code is not None:
            found["exitCode"] = str(main.code)
            if self.job.get("include_script_output") and main.log is not None:
                found["result"] = main.log.result()
        states = [c.state() for c in containers]
        if self.collected is not None:
            found.update(
                {
                    k: v
                    for k, v in (("parameters", self.collected.parameters), ("artifacts", self.collected.artifacts))
                    if v
                }
            )
            self.errors += self.collected.errors
            if self.errors:
                states.append(
                    settled(
                        ContainerPlan("wait", "wait", (), {}, "/", (), {}, (), ()), NOT_STARTED, self.errors[0]
                    ).state()
                )
        forgiven = all(c.code == 0 or (c.plan.kind == "sidecar" and c.code in (137, 143)) for c in containers)
        good = bool(containers) and forgiven and not self.message and not self.errors
        return {
            **failure(self.message, self.reason),
            "phase": "Succeeded" if good else "Failed",
            "containers": states,
            "outputs": found,
            "error": self.errors[0] if self.errors else "",
        }


def _reap_all() -> None:
    """Wait for processes that were killed."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
