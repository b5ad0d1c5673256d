"""What does watching a large run cost, on both sides?

    python benchmarks/watchers.py [TASKS] [SECONDS] [RATE]      # default: 10000 tasks, measured for 15 seconds, 100 tasks a second

Serves a platform whose pods are pretended (scale.py): all tasks of one workflow but the last ones are over at once, the others end RATE
a second. Then, for each kind of watcher, prints what it takes of one core: the server (more than with nobody watching), the watcher
itself, and how many bytes and events a second it gets. Processor time is read from /proc: machines are noisy.

    whole   reads every event and decodes it, as `argo watch` and other clients of Argo do
    lines   `hera-utils watch` in a pipe
    live    `hera-utils watch` in a terminal
    page    the page in a headless Chromium, where there is one
    crowd   two hundred that take all; what is measured is how long a small call beside them takes
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICK = os.sysconf("SC_CLK_TCK")
TOKEN = "benchmark"
HURRY = 2000
"""Tasks that are left when the measuring begins."""
CROWD = 200


def serve(folder: str, tasks: int, rate: float) -> None:
    """In a process of its own: prints its port, then the run's name when the measuring may begin."""
    import asyncio
    import socket

    import uvicorn
    from scale import InstantRuntime, fan_out, workflow

    from hera_utils.local_platform.argo_api.app import argo_app
    from hera_utils.local_platform.platform import LocalPlatform

    runtimes: list[InstantRuntime] = []

    def runtime(state: Path, report: Any) -> InstantRuntime:
        runtimes.append(InstantRuntime(report))
        return runtimes[0]

    platform = LocalPlatform(Path(folder), runtime=runtime)
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    stored = platform.submit("default", workflow(fan_out(tasks)))

    def pods() -> None:
        runtimes[0].run(platform, until=tasks - HURRY)
        print(stored.name, flush=True)
        runtimes[0].run(platform, rate=rate)

    threading.Thread(target=pods, daemon=True).start()
    config = uvicorn.Config(
        argo_app(platform, TOKEN), lifespan="off", log_config=None, access_log=False, ws="none", loop="asyncio"
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def used(pid: int) -> float:
    """Seconds of processor time of a process, with the children that it waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / TICK


def family(pid: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def whole(address: str, name: str, headers: str = "{}", query: str = "") -> None:
    """A watcher that takes all and decodes all; prints bytes and events, every second."""
    url = f"{address}/api/v1/workflow-events/default?listOptions.fieldSelector=metadata.name={name}{query}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}", **json.loads(headers)})
    size = events = 0
    with urllib.request.urlopen(request) as stream:
        for line in stream:
            json.loads(line)
            size, events = size + len(line), events + 1
            print(size, events, flush=True)


def follow(address: str, name: str) -> None:
    """As `hera-utils watch`."""
    from rich.console import Console

    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connection import Connection
    from hera_utils.watch.display import display_for
    from hera_utils.watch.follow import follow as follow_run

    client = ArgoClient(Connection(argo_server=address, token=TOKEN, namespace="default", local=False))
    follow_run(client, name, display_for(Console()))


def crowd(address: str, name: str) -> None:
    """So many watchers that take all and decode nothing, in threads that end with this process."""

    def take() -> None:
        url = f"{address}/api/v1/workflow-events/default?listOptions.fieldSelector=metadata.name={name}"
        with urllib.request.urlopen(_request(url)) as stream:
            while stream.read1(1 << 20):
                pass

    for _ in range(CROWD):
        threading.Thread(target=take, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


def _request(url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})


def small_calls(address: str, name: str, seconds: float) -> str:
    """How long calls take that ask for a run's phase: five a second."""
    took = []
    for _ in range(int(seconds * 5)):
        time.sleep(0.2)
        start = time.monotonic()
        with urllib.request.urlopen(
            _request(f"{address}/api/v1/workflows/default/{name}?fields=status.phase")
        ) as answer:
            answer.read()
        took.append(1000 * (time.monotonic() - start))
    took.sort()
    return f"median {took[len(took) // 2]:.0f} ms, at most {took[-1]:.0f}"


def measure_crowd(tasks: int, seconds: float, rate: float) -> None:
    with tempfile.TemporaryDirectory() as folder, served(folder, tasks, rate) as (_, address, name):
        alone = small_calls(address, name, seconds / 2)
        command = [sys.executable, __file__, "gather", address, name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watchers:
            assert watchers.stdout is not None
            watchers.stdout.readline()
            time.sleep(8)  # all get the first state at once
            print(
                f"{tasks:7} tasks {CROWD:3} × whole  a small call: {small_calls(address, name, seconds)} (alone {alone})",
                flush=True,
            )
            watchers.kill()


@contextlib.contextmanager
def served(folder: str, tasks: int, rate: float) -> Iterator[tuple[int, str, str]]:
    """A server in a process of its own: its process id, its address, the name of the run."""
    command = [sys.executable, __file__, "serve", folder, str(tasks), str(rate)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        address = f"http://127.0.0.1:{int(server.stdout.readline())}"
        yield server.pid, address, server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


class Watcher:
    """kind: as in this file's first lines."""

    def __init__(self, kind: str, address: str, name: str) -> None:
        self.kind = kind
        self.size = self.events = 0
        command = [sys.executable, __file__, "whole" if kind == "whole" else "follow", address, name]
        if kind == "page":
            from urllib.parse import quote

            chromium = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
            self.profile = tempfile.mkdtemp()
            flags = [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
            ]
            flags += [
                "--no-first-run",
                "--disable-background-networking",
                "--window-size=1280,900",
                f"--user-data-dir={self.profile}",
            ]
            command = [chromium, *flags, f"{address}/workflows/default/{name}#token={quote(TOKEN)}"]
        if kind == "live":
            outer, inner = pty.openpty()
            self.process = subprocess.Popen(
                command, stdin=inner, stdout=inner, stderr=inner, env=os.environ | {"TERM": "xterm"}
            )
            os.close(inner)
            threading.Thread(target=self._drain, args=(outer,), daemon=True).start()
        else:
            out = subprocess.PIPE if kind == "whole" else subprocess.DEVNULL
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL if kind == "page" else None)
            if kind == "whole":
                threading.Thread(target=self._count, daemon=True).start()

    def _drain(self, outer: int) -> None:
        try:
            while data := os.read(outer, 65536):
                self.size += len(data)
        except OSError:
            pass

    def _count(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.size, self.events = (int(part) for part in line.split())

    def used(self) -> float:
        return sum(used(pid) for pid in family(self.process.pid))

    def end(self) -> None:
        for pid in family(self.process.pid):
            with contextlib.suppress(OSError):
                os.kill(pid, 15)
        self.process.wait(timeout=10)


def measure(kind: str, count: int, tasks: int, seconds: float, rate: float) -> None:
    with tempfile.TemporaryDirectory() as folder, served(folder, tasks, rate) as (server, address, name):
        start = used(server)
        time.sleep(seconds / 2)
        alone = (used(server) - start) / (seconds / 2)
        watchers = [Watcher(kind, address, name) for _ in range(count)]
        time.sleep(4)  # Python's start, the first state
        first, mine = used(server), sum(one.used() for one in watchers)
        size, events = (sum(getattr(one, what) for one in watchers) for what in ("size", "events"))
        time.sleep(seconds)
        server_share = (used(server) - first) / seconds - alone
        own_share = (sum(one.used() for one in watchers) - mine) / seconds / count
        size, events = sum(one.size for one in watchers) - size, sum(one.events for one in watchers) - events
        print(
            f"{tasks:7} tasks {count:3} × {kind:6} server {100 * server_share:6.1f} %  each watcher {100 * own_share:6.1f} %"
            f"  (server alone {100 * alone:.1f} %; {size / seconds / count / 1e6:.2f} MB/s, {events / seconds / count:.2f}/s)",
            flush=True,
        )
        for one in watchers:
            one.end()


def main() -> None:
    roles = {
        "serve": lambda folder, tasks, rate: serve(folder, int(tasks), float(rate)),
        "whole": whole,
        "follow": follow,
        "gather": crowd,
    }
    if sys.argv[1:2] and sys.argv[1] in roles and sys.argv[2:3] and not sys.argv[2].isdigit():
        roles[sys.argv[1]](*sys.argv[2:])
        return
    numbers = [float(value) for value in sys.argv[1:] if value[0].isdigit()]
    kinds = [value for value in sys.argv[1:] if not value[0].isdigit()] or ["whole", "lines", "live", "page", "crowd"]
    tasks, seconds, rate = (*numbers, *(10000, 15, 100)[len(numbers) :])
    for kind, count in [(kind, 1) for kind in kinds] + ([("whole", 10)] if "whole" in kinds else []):
        if kind == "crowd":
            measure_crowd(int(tasks), seconds, rate)
        elif kind != "page" or shutil.which("chromium") or shutil.which("google-chrome"):
            measure(kind, count, int(tasks), seconds, rate)


if __name__ == "__main__":
    main()
