"""What does a state folder with many finished runs cost: start of the server, `hera-utils ls`, the page's list?

    python benchmarks/many_runs.py [RUNS [FOLDER]]       # default: 10000, of two tasks each; FOLDER: kept, and used again

The runs are executed with pods that are pretended (scale.py), then a server of the command line's is started on the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from scale import InstantRuntime, fan_out, phase, workflow

from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.runtime import Report

COMMAND = [sys.executable, "-m", "hera_utils"]
FIELDS = "metadata," + ",".join(
    f"items.{field}"
    for field in (
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "status.phase",
        "status.progress",
    )
)


def fill(folder: str, runs: int) -> None:
    runtimes: list[InstantRuntime] = []

    def runtime(state: Path, report: Report) -> InstantRuntime:
        runtimes.append(InstantRuntime(report))
        return runtimes[0]

    platform = LocalPlatform(Path(folder), runtime=runtime)
    threading.Thread(target=runtimes[0].run, args=(platform,), daemon=True).start()
    names = [f"run-{n:05}" for n in range(runs)]
    for name in names:
        platform.submit("default", workflow(fan_out(2)) | {"metadata": {"name": name}})
    while any(phase(platform, name) == "Running" for name in names):
        time.sleep(0.5)
    platform.close()


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds on the wall, and of processor time of the command itself."""
    before, start = os.times(), time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - start, spent


def server_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    if sys.argv[1:2] == ["fill"]:
        fill(sys.argv[2], int(sys.argv[3]))
        os._exit(0)
    runs = int(sys.argv[1]) if sys.argv[1:] else 10_000
    with tempfile.TemporaryDirectory() as made:
        folder = sys.argv[2] if sys.argv[2:] else made
        if not (Path(folder) / "journal.sqlite").exists():
            subprocess.run([sys.executable, __file__, "fill", folder, str(runs)], check=True)
        size = sum(path.stat().st_size for path in Path(folder).glob("journal.sqlite*"))
        environment = os.environ | {"HERA_UTILS_STATE": folder}
        with tempfile.TemporaryDirectory() as empty:
            nothing = os.environ | {"HERA_UTILS_STATE": empty}
            alone = timed([*COMMAND, "serve", "--detach"], nothing)
            subprocess.run([*COMMAND, "serve", "--stop"], env=nothing, check=True)
        wall, _ = timed([*COMMAND, "serve", "--detach"], environment)
        try:
            connection = json.loads((Path(folder) / "server.json").read_text())
            pid = connection["pid"]
            memory = next(
                line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
            )
            print(f"{runs} runs, journal {size / 1e6:.0f} MB: start {wall:.2f} s (of an empty folder {alone[0]:.2f} s), "
                  f"processor {server_seconds(pid):.2f} s, {int(memory.split()[1]) / 1000:.0f} MB")  # fmt: skip

            def show(what: str, act: Any) -> None:
                before, start = server_seconds(pid), time.monotonic()
                own = act()
                print(
                    f"  {what}: {time.monotonic() - start:.2f} s, server's processor {server_seconds(pid) - before:.2f} s",
                    end="",
                )
                print(f", its own {own[1]:.2f} s" if own else "")

            def page() -> None:
                address = f"{connection['argo_server']}/api/v1/workflows/default?fields={FIELDS}&listOptions.limit=500"
                request = urllib.request.Request(address, headers={"Authorization": f"Bearer {connection['token']}"})
                with urllib.request.urlopen(request) as answer:
                    assert len(json.loads(answer.read())["items"]) == min(500, runs)

            for _ in range(2):
                show("hera-utils ls", lambda: timed([*COMMAND, "ls"], environment))
                show("hera-utils ls --limit 20", lambda: timed([*COMMAND, "ls", "--limit", "20"], environment))
                show("the page's list of 500", page)
            memory = next(
                line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
            )
            print(f"  the server's memory {int(memory.split()[1]) / 1000:.0f} MB")
        finally:
            subprocess.run([*COMMAND, "serve", "--stop"], env=environment, check=False)


if __name__ == "__main__":
    main()
