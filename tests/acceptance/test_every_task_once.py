"""kill -9 of the server, its spawner, workers, fork servers (the parents of Python tasks) and their own parent, at any moment: every
task runs once.

With a worker goes the pod whose command has begun there, and nothing else: that pod says "pod deleted", as on a node that is lost, and is
not run again. A fork server's tasks go on without it.
Many kills, printed as they were: HERA_UTILS_KILLS=200 pytest -s tests/acceptance/test_every_task_once.py
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from test_crash import claim

from waiting import until

KILLS = int(os.environ.get("HERA_UTILS_KILLS", "12"))
SEED = int(os.environ.get("HERA_UTILS_SEED", "20261129"))
CAMPAIGN = KILLS > 50
MOST = max(6, KILLS // 10)  # maximum number of kills of one run
KINDS = (
    "worker",
    "worker",
    "worker",
    "fork server",
    "fork server",
    "preloader",
    "server",
    "spawner",
    "server and worker",
    "server twice",
)
PYTHON = f"python:{sys.version_info.major}.{sys.version_info.minor}"
TASKS = {
    "shell": {
        "container": {
            "image": "alpine:3.20",
            "command": ["sh", "-c"],
            "args": ["echo begun >> /out/{{inputs.parameters.n}}; echo done >> /out/{{inputs.parameters.n}}"],
        }
    },
    "python": {
        "script": {
            "image": PYTHON,
            "command": ["python"],
            "source": "how = 'forked' if b'spawner' in open('/proc/self/cmdline', 'rb').read() else 'new'\n"
            "for line in ('begun', how, 'done'):\n"
            "    with open('/out/{{inputs.parameters.n}}', 'a') as file:\n"
            "        file.write(line + '\\n')\n",
        }
    },
}
SIZES = {"shell": 500 if CAMPAIGN else 150, "python": 200 if CAMPAIGN else 60}


def workflow(kind):
    template = json.loads(json.dumps(TASKS[kind]))
    template[next(iter(template))]["volumeMounts"] = [{"name": "out", "mountPath": "/out"}]
    task = {
        "name": "task",
        "template": "task",
        "arguments": {"parameters": [{"name": "n", "value": "{{item}}"}]},
        "withSequence": {"count": str(SIZES[kind])},
    }
    return {
        "metadata": {"generateName": f"{kind}-"},
        "spec": {
            "entrypoint": "main",
            "volumes": [{"name": "out", "persistentVolumeClaim": {"claimName": "out"}}],
            "templates": [
                {"name": "main", "dag": {"tasks": [task], "failFast": False}},
                {"name": "task", "inputs": {"parameters": [{"name": "n"}]}, **template},
            ],
        },
    }


class Campaign:
    """Kills, and which pods go with a worker."""

    def __init__(self, machine, dice):
        self.machine, self.dice, self.pods = machine, dice, machine.state / "pods"
        self.kills, self.doomed = Counter(), set()
        self.left = []

    def kill(self):
        if not self.left:
            self.left = self.dice.sample(KINDS, len(KINDS))
        kind = self.left.pop()
        if kind == "fork server":
            self.kill_fork_server()
            return
        if kind == "preloader":
            self.kill_preloader()
        if "server" in kind:
            self.machine.kill_server()
            self.kills["server"] += 1
        if kind == "spawner":
            self.kill_spawner()
        if "worker" in kind:
            self.kill_worker()
        if kind == "server twice":
            self.kill_a_starting_server()
        if "server" in kind:
            self.machine.connection_cache = self.machine.serve()

    def spawners(self):
        for pid in self.machine.children(self.machine.server_pid()):
            with contextlib.suppress(OSError):
                if b"spawner" in (self.machine.process(pid) / "cmdline").read_bytes():
                    yield pid

    def kill_spawner(self):
        for pid in self.spawners():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                self.kills["spawner"] += 1

    def kill_preloader(self):
        """The spawner's child that is no worker: it has its own namespace of process ids open."""
        for spawner in self.spawners():
            for pid in self.machine.children(spawner):
                with contextlib.suppress(OSError):
                    if os.readlink(self.machine.process(pid) / "fd/4").startswith("pid:"):
                        os.kill(pid, signal.SIGKILL)
                        self.kills["preloader"] += 1

    def kill_a_starting_server(self):
        process = subprocess.Popen(
            [sys.executable, "-m", "hera_utils", "serve"],
            env=self.machine.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(self.dice.uniform(0.0, 1.0))
        process.kill()
        process.wait()
        self.kills["starting server"] += 1

    def a_worker(self):
        """(process id, when it was born) of one that lives, or None."""
        workers = [folder.name.partition("-") for folder in self.pods.glob(".roots/*")]
        alive = [(int(pid), age) for pid, _, age in workers if self.machine.born(pid) == age]
        return self.dice.choice(alive) if alive else None

    def kill_worker(self):
        if (worker := self.a_worker()) is None:
            return
        with self.stopped(worker[0]) as end:
            if self.machine.born(worker[0]) == worker[1]:
                of_worker = {folder.name for folder in self.pods.glob("[!.]*") if is_begun(folder, *worker)}
                end()
                assert len(of_worker) <= 1
                self.doomed |= of_worker
                self.kills["worker with a pod" if of_worker else "worker without a pod"] += 1

    def kill_fork_server(self):
        for pid in self.machine.children((self.a_worker() or (0, ""))[0]):
            with self.stopped(pid) as end:
                if is_fork_server(self.machine.process(pid)):
                    tasks = self.machine.children(pid)
                    end()
                    self.kills["fork server with a task" if tasks else "fork server without a task"] += 1

    @contextlib.contextmanager
    def stopped(self, pid):
        """Stop a process, so that it is certain what it does. Gives what kills it; else it goes on."""
        try:
            process = os.pidfd_open(pid)
        except OSError:
            yield lambda: None
            return
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            signal.pidfd_send_signal(process, signal.SIGSTOP)
            until(lambda: self.machine.process_state(pid) in "TXZ")
        try:
            yield lambda: signal.pidfd_send_signal(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGCONT)
            os.close(process)


def is_begun(folder, pid, age):
    """Whether this worker has begun the pod's command, and the pod has not ended."""
    try:
        lines = (folder / "supervisor.jsonl").read_text().split("\n")[:-1]
    except OSError:
        return False
    claim = json.loads(lines[0])
    begun = any(line.startswith('{"begun"') for line in lines)
    return begun and (claim["pid"], claim["born"]) == (pid, age) and not lines[-1].startswith('{"outcome"')


def is_fork_server(process):
    """It has a socket to its worker, and the worker's /proc, and holds nothing else but the tasks that it has forked."""
    try:
        held = {int(fd.name): os.readlink(fd) for fd in (process / "fd").iterdir()}
    except OSError:
        return False
    others = {text for number, text in held.items() if number > 4}
    return (
        held.get(3, "").startswith("socket:")
        and held.get(4, "").startswith("/")
        and others <= {"anon_inode:[pidfd]", "pidfd"}
    )


@pytest.mark.timeout(3600 if CAMPAIGN else 300)
def test_kills_of_everything_that_runs_tasks(machine):
    dice, started = random.Random(SEED), Counter()
    machine.serve()
    campaign = Campaign(machine, dice)
    total = number = 0
    while total < KILLS:
        kind, out = ("shell", "python")[number % 2], machine.folder / f"out-{number}"
        out.mkdir()
        if number:
            machine.call("DELETE", "/api/v1/namespaces/default/persistentvolumeclaims/out", api="kubernetes")
        claim(machine, "out", out)
        before, campaign.doomed = campaign.kills.total(), set()
        name = machine.submit(workflow(kind))
        while campaign.kills.total() - before < MOST and total + campaign.kills.total() - before < KILLS:
            time.sleep(dice.uniform(0.0, 0.1))
            if machine.phase(name) in ("Succeeded", "Failed", "Error"):
                break
            campaign.kill()
        status = machine.wait(name, limit=240)["status"]
        of_run = campaign.kills.total() - before
        total += of_run
        number += 1
        started += check(status, out, SIZES[kind], len(campaign.doomed))
        print(
            f"{name}: {SIZES[kind]} tasks, {of_run} kills, {len(campaign.doomed)} pods went with their worker, {status['phase']}"
        )
    print(f"{total} kills: {dict(campaign.kills)}; {dict(started)}")
    assert started["forked"] > started["new"]


def check(status, out, size, doomed):
    """Check that nothing ran twice, and that all pods except those of killed workers ran to their end."""
    pods = {n["displayName"]: n for n in status["nodes"].values() if n["type"] == "Pod"}
    assert len(pods) == size
    failed = {name: node for name, node in pods.items() if node["phase"] != "Succeeded"}
    assert {(node["phase"], node["message"]) for node in failed.values()} <= {("Error", "pod deleted")}
    assert len(failed) == doomed, failed
    assert (status["phase"] == "Succeeded") == (not failed)
    seen = Counter()
    for node in pods.values():
        number = node["inputs"]["parameters"][0]["value"]
        file = out / number
        lines = file.read_text().split() if file.exists() else []
        of_how = [line for line in lines if line in ("forked", "new")]
        seen += Counter(of_how)
        marks = [line for line in lines if line not in of_how]
        if node["displayName"] in failed:
            assert marks in ([], ["begun"], ["begun", "done"]), (number, lines)
        else:
            assert marks == ["begun", "done"], (number, lines)
            seen["ran once"] += 1
    return seen
