"""A researcher's machine that is ill-treated: a state folder, runs of several kinds, clients, and what must hold in the end."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import HeraUtilsError
from hera_utils.local_platform import daemon

Json = dict[str, Any]
ALWAYS: Json = {"retryStrategy": {"limit": "1000", "retryPolicy": "Always"}}
WORK = "echo begun >> /out/{{pod.name}}; sleep {{inputs.parameters.s}}; echo done >> /out/{{pod.name}}"
STILL_SECONDS = 240.0
"""Seconds in which something must move at the end, else a run hangs."""


# --- the runs ------------------------------------------------------------------------------------------------------------


def _work(script: str = WORK, name: str = "work", **more: Any) -> Json:
    return {
        "name": name,
        "inputs": {"parameters": [{"name": "s", "value": "0.1"}]},
        "container": {
            "image": "busybox",
            "command": ["sh", "-c"],
            "args": [script],
            "volumeMounts": [{"name": "out", "mountPath": "/out"}],
        },
        **more,
    }


def _workflow(name: str, out: Path, entry: Json, *templates: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "main",
            "volumes": [{"name": "out", "hostPath": {"path": str(out)}}],
            "templates": [{"name": "main", **entry}, *templates],
            **spec,
        },
    }


def _task(name: str, *after: str, **more: Any) -> Json:
    return {"name": name, "template": "work", **({"dependencies": list(after)} if after else {}), **more}


def fan(name: str, out: Path, dice: random.Random) -> Json:
    """A DAG that fans out and in, with retries of each task, and an exit handler."""
    items = [f"{dice.uniform(0, 0.4):.2f}" for _ in range(4)]
    each = {"arguments": {"parameters": [{"name": "s", "value": "{{item}}"}]}, "withItems": items}
    tasks = [_task("first"), _task("each", "first", **each), _task("last", "each")]
    return _workflow(name, out, {"dag": {"tasks": tasks}}, _work(**ALWAYS), onExit="work")


def parcel(name: str, out: Path, dice: random.Random) -> Json:
    """Steps that pass on an artifact, a parameter and a result, with a hook."""
    size = dice.choice([1000, 300_000])
    make = _work(
        f"{WORK}; head -c {size} /dev/urandom > /dev/shm/a; sha256sum < /dev/shm/a | tee /dev/shm/p",
        "make",
        outputs={
            "artifacts": [{"name": "a", "path": "/dev/shm/a"}],
            "parameters": [{"name": "p", "valueFrom": {"path": "/dev/shm/p"}}],
        },
        **ALWAYS,
    )
    take = _work(f'test "$(sha256sum < /in)" = "{{{{inputs.parameters.p}}}}" || exit 7; {WORK}', "take", **ALWAYS)
    take["inputs"] = {
        "parameters": [*take["inputs"]["parameters"], {"name": "p"}],
        "artifacts": [{"name": "a", "path": "/in"}],
    }
    given = {
        "parameters": [{"name": "p", "value": "{{steps.make.outputs.parameters.p}}"}],
        "artifacts": [{"name": "a", "from": "{{steps.make.outputs.artifacts.a}}"}],
    }
    steps = [
        [{"name": "make", "template": "make", "hooks": {"exit": {"template": "work"}}}],
        [{"name": f"take-{n}", "template": "take", "arguments": given} for n in (1, 2)],
    ]
    return _workflow(name, out, {"steps": steps}, make, take, _work(**ALWAYS))


def once(name: str, out: Path, dice: random.Random) -> Json:
    """Without retries, a task whose worker is killed fails with Argo's `pod deleted`, and no other one does."""
    seconds = [{"parameters": [{"name": "s", "value": f"{dice.uniform(0, 0.5):.2f}"}]} for _ in range(3)]
    tasks = [_task(f"t{n}", arguments=one) for n, one in enumerate(seconds)]
    return _workflow(name, out, {"dag": {"failFast": False, "tasks": tasks}}, _work())


def served(name: str, out: Path, dice: random.Random) -> Json:
    """A daemon, and tasks that need it."""
    server = _work(WORK + "; sleep 1000", "server", daemon=True)
    steps = [[{"name": "server", "template": "server"}], [_task("a"), _task("b")]]
    return _workflow(name, out, {"steps": steps}, server, _work(**ALWAYS))


def timed(name: str, out: Path, dice: random.Random) -> Json:
    """Nodes that wait for a time: a suspension, and the pause before a new attempt."""
    again = {"retryStrategy": {**ALWAYS["retryStrategy"], "backoff": {"duration": "1"}}}
    steps = [[{"name": "pause", "template": "pause"}], [_task("a")]]
    return _workflow(name, out, {"steps": steps}, {"name": "pause", "suspend": {"duration": "1"}}, _work(**again))


KINDS: dict[str, Callable[[str, Path, random.Random], Json]] = {
    "fan": fan,
    "parcel": parcel,
    "once": once,
    "served": served,
    "timed": timed,
}
LOGICAL = {"fan": 7, "parcel": 4, "once": 3, "served": 3, "timed": 1}
"""How many pods of each kind of run succeed when all goes well; the daemon is ended."""


# --- the machine -----------------------------------------------------------------------------------------------------


@dataclass
class Client:
    """A command line of the researcher's. verb: run or watch."""

    process: subprocess.Popen[str]
    name: str
    verb: str
    killed: bool = False


@dataclass
class Findings:
    """What a campaign counts. lost, twice, wrong: what must not be; figures: the rest."""

    figures: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def time(self, what: str, seconds: float) -> None:
        self.slowest[what] = max(seconds, self.slowest.get(what, 0.0))

    def text(self) -> str:
        counted = ", ".join(f"{count} {what}" for what, count in sorted(self.figures.items()))
        slow = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in sorted(self.slowest.items()))
        lines = [counted, f"slowest: {slow}"]
        lines.append(f"lost {len(self.lost)}, twice {len(self.twice)}, wrong {len(self.wrong)}")
        return "\n".join([*lines, *self.lost[:20], *self.twice[:20], *self.wrong[:20]])


class World:
    """folder: of the campaign. state: the state folder, which may be on another disk."""

    def __init__(self, folder: Path, seed: int, state: Path | None = None) -> None:
        self.folder, self.dice = folder, random.Random(seed)
        self.state = state or folder / "state"
        self.out = folder / "out"
        self.out.mkdir(parents=True)
        self.findings = Findings()
        self.kinds: dict[str, str] = {}
        self.clients: list[Client] = []
        self.killed_pods: set[str] = set()
        self.may_be_refused: tuple[str, ...] = ()
        """Words of what a client may be told, and end with: the disk is full."""
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HERA_UTILS_STATE": str(self.state),
            "HERA_UTILS_IMAGES": "stand-in",
            "PYTHONUTF8": "1",
            "NO_COLOR": "1",
        }

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it goes on."""
        for client in self.clients:
            client.process.kill()
            client.process.communicate()
        daemon.stop(self.state)

    # --- servers and clients ---------------------------------------------------------------------------------------

    def serve(self) -> Json:
        """A server runs; started when none does."""
        begun = time.monotonic()
        os.environ["HERA_UTILS_IMAGES"] = "stand-in"
        while True:
            try:
                server = daemon.start_or_join(self.state)
                break
            except HeraUtilsError as error:
                if time.monotonic() - begun > 60:
                    self.findings.wrong.append(f"no server: {error.with_fix}")
                    raise
                self.findings.figures[f"starts refused: {str(error)[:60]}"] += 1
                time.sleep(0.2)
        self.findings.time("start of a server", time.monotonic() - begun)
        for process in daemon._STARTED:
            process.poll()  # collects the killed processes
        return server

    def call(self, path: str, method: str = "GET", timeout: float = 60) -> Json:
        """What the Argo API answers, however often the server is killed meanwhile."""
        end = time.monotonic() + timeout
        while True:
            server = self.serve()
            request = urllib.request.Request(
                server["argo_server"] + path, method=method, headers={"Authorization": f"Bearer {server['token']}"}
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    found: Json = json.load(answer)
                    return found
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return {}
                if error.code != 401:  # a 401 comes from the next server on the port of a killed one
                    raise
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def command(self, *words: str, name: str = "", verb: str = "") -> Client:
        process = subprocess.Popen(
            [sys.executable, "-m", "hera_utils", *words],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        client = Client(process, name, verb)
        self.clients.append(client)
        return client

    def submit(self) -> Client:
        """Submit a new run of any kind with a client that watches it to its end."""
        number = len(self.kinds)
        kind = list(KINDS)[number % len(KINDS)]
        name = f"{kind}-{number}"
        self.kinds[name] = kind
        (self.folder / f"{name}.yaml").write_text(json.dumps(KINDS[kind](name, self.out, self.dice)))
        return self.again(name)

    def again(self, name: str) -> Client:
        return self.command("run", f"{name}.yaml", "--no-preflight", name=name, verb="run")

    def reap_clients(self, *, wait: float = 0.0) -> None:
        """Check the clients that have ended: their output must agree with their runs."""
        end = time.monotonic() + wait
        for client in list(self.clients):
            try:
                said, _ = client.process.communicate(timeout=max(0.01, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
            self.clients.remove(client)
            self._judge_client(client, said)

    def _judge_client(self, client: Client, said: str) -> None:
        found = self.workflow(client.name)
        if client.killed:
            if found is None and "unning" in said:
                self.findings.lost.append(f"{client.name}: the client had said\n{said}")
            if found is None:
                self.again(client.name)
            return
        self.findings.figures["clients that ended by themselves"] += 1
        if client.process.returncode == 2 and any(words in said for words in self.may_be_refused):
            self.findings.figures["clients that were told why not"] += 1
            if found is None:
                self.again(client.name)
            return
        if found is None:
            if client.process.returncode == 0:
                self.findings.lost.append(f"{client.name}: its client ended well, and there is no run\n{said}")
            else:
                self.findings.wrong.append(f"{client.name}: could not be submitted: {said[-600:]}")
                self.again(client.name)
            return
        phase = (found.get("status") or {}).get("phase")
        status = client.process.returncode
        right = {"Succeeded": 0, "Failed": 1, "Error": 1}.get(str(phase))
        exists = "already exists" in said  # an earlier client was killed after its submission
        if status != right and not exists:
            self.findings.wrong.append(
                f"{client.name}: {client.verb} ended with {status}, the run is {phase}: {said[-600:]}"
            )

    def workflow(self, name: str) -> Json | None:
        return self.call(f"/api/v1/workflows/default/{name}") or None

    def unfinished(self) -> dict[str, str]:
        """Name → progress of each run that is expected and not over."""
        fields = "items.metadata.name,items.status.phase,items.status.progress"
        found = self.call(f"/api/v1/workflows/default?fields={fields}").get("items") or []
        there = {one["metadata"]["name"]: one.get("status") or {} for one in found}
        over = ("Succeeded", "Failed", "Error")
        return {
            name: f"{there.get(name, {}).get('phase')} {there.get(name, {}).get('progress')}"
            for name in self.kinds
            if there.get(name, {}).get("phase") not in over
        }

    # --- the end ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until all runs are over and all clients have ended."""
        last, moved = "", time.monotonic()
        while True:
            self.reap_clients(wait=1.0)
            left = self.unfinished()
            if not left and not self.clients:
                return
            now = f"{left} {len(self.clients)} {len(list(self.out.iterdir()))}"
            if now != last:
                last, moved = now, time.monotonic()
            elif time.monotonic() - moved > STILL_SECONDS:
                self.findings.wrong.append(f"hangs: {left}, {[c.name for c in self.clients]}")
                return
            time.sleep(0.3)

    def judge(self) -> Findings:
        """Compare the server's status of each run with the output of its tasks."""
        daemon.stop(self.state)
        with sqlite3.connect(f"file:{self.state / 'journal.sqlite'}?mode=ro", uri=True) as journal:
            assert journal.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            names = dict(journal.execute("SELECT uid, name FROM pods").fetchall())
        journal.close()
        dead = {names[uid] for uid in self.killed_pods if uid in names}
        self.findings.figures["pods whose worker was killed"] = len(dead)
        written = {file.name: file.read_text().split() for file in self.out.iterdir()}
        for pod, words in written.items():
            # The file is empty if the task was killed before its first word.
            if words not in (
                [],
                ["begun"],
                ["begun", "done"],
            ):
                self.findings.twice.append(f"the pod {pod} wrote {words}")
        for name, kind in self.kinds.items():
            self._judge_run(name, kind, dead, written)
        return self.findings

    def _judge_run(self, name: str, kind: str, dead: set[str], written: dict[str, list[str]]) -> None:
        found, findings = self.workflow(name), self.findings
        if found is None:
            findings.lost.append(name)
            return
        status = found["status"]
        findings.figures[f"runs {status['phase']}"] += 1
        pods = {mark(node["id"]): node for node in status.get("nodes", {}).values() if node["type"] == "Pod"}
        mine = {mark(pod): pod for pod in written if pod.startswith(f"{name}-")}
        lost_pods = {mark(pod) for pod in dead}
        good = 0
        for number, node in pods.items():
            if node["phase"] == "Succeeded":
                good += 1
                done = ["begun"] if node.get("templateName") == "server" else ["begun", "done"]  # the daemon is ended
                if written.get(mine.get(number, ""), [])[: len(done)] != done:
                    findings.lost.append(f"{node['name']} succeeded without its work")
            elif node["phase"] in ("Failed", "Error") and number not in lost_pods:
                findings.wrong.append(
                    f"{node['name']}: {node['phase']} {node.get('message')}, nobody killed its worker"
                )
            elif "pod deleted" not in str(node.get("message")) and node["phase"] in ("Failed", "Error"):
                findings.wrong.append(f"{node['name']}: {node['phase']} {node.get('message')} of a killed worker")
        for number, pod in mine.items():
            if number not in pods:
                findings.wrong.append(f"the pod {pod} is no node of {name}")
        expected = LOGICAL[kind]
        if status["phase"] == "Succeeded" and good < expected:
            findings.lost.append(f"{name} succeeded with {good} of {expected} pods")
        if good > expected:
            findings.twice.append(f"{name}: {good} of {expected} pods succeeded")
        mayfail = kind in ("once", "served") and any(number in lost_pods for number in pods)
        if status["phase"] != "Succeeded" and not mayfail:
            findings.wrong.append(f"{name}: {status['phase']} {status.get('message')}")


def mark(name: str) -> str:
    """What a node's id and its pod's name have in common."""
    return name.rpartition("-")[2]


# --- processes -----------------------------------------------------------------------------------------------------------


@dataclass
class Processes:
    """Of one state folder. workers: their process ids → the uid of the pod, "" for an idle one."""

    server: int
    spawners: list[int]
    workers: dict[int, str]


def processes(state: Path) -> Processes:
    try:
        server = int(json.loads((state / "server.json").read_text())["pid"])
    except (OSError, ValueError):
        server = 0
    found = Processes(server, [], {})
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes()
            if b"pod import spawner" not in words or os.fsencode(state) not in words:
                continue
            inner = Path(f"/proc/{name}/status").read_text().split("NSpid:")[1].split("\n")[0].split()
        except (OSError, IndexError):
            continue
        if len(inner) == 1:
            found.spawners.append(int(name))
        elif inner[-1] == "1":
            found.workers[int(name)] = pod_of(int(name))
    return found


def pod_of(worker: int) -> str:
    """The uid of the pod that a worker has claimed."""
    try:
        for fd in os.listdir(f"/proc/{worker}/fd"):
            path = os.readlink(f"/proc/{worker}/fd/{fd}")
            if "/supervisor.jsonl" in path:
                return path.split("/supervisor.jsonl")[0].rpartition("/")[2]
    except OSError:
        pass
    return ""


def kill_worker(worker: int) -> str:
    """Stop a worker, read its pod, and kill it; returns the uid of the pod that it then had, "" if it was gone."""
    try:
        os.kill(worker, signal.SIGSTOP)
        uid = pod_of(worker)
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return ""
    return uid
