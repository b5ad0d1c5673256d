"""What the private files of one command cost: bubblewrap, unshare(1), and the roots of our own workers; interleaved, in one run.

    python benchmarks/own_mounts.py [rounds]

Prints the median and the least milliseconds of each way to run `true`, and how many times a plain subprocess that is. bubblewrap and
unshare are left out where they are not installed. Run as root: an unprivileged user has one more namespace, and no overlay of "/".
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PODS = Path(__file__).parents[1] / "src" / "hera_utils" / "local_platform" / "pods"
TRUE = shutil.which("true") or "/bin/true"
BUBBLEWRAP = [
    "bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
    "--tmpfs", "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/run", TRUE,
]  # fmt: skip
UNSHARE = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", TRUE]


def run(command: list[str]) -> None:
    subprocess.run(command, check=True)


class Roots:
    """Roots as a worker has them, in mount namespaces of this process's own."""

    def __init__(self, state: str) -> None:
        sys.path.insert(0, str(PODS))
        from pod import root_fs, spawner, syscalls

        self.syscalls = syscalls
        os.makedirs(f"{state}/pods")
        shared = spawner.prepare(state)
        proc = f"{shared.folder}/proc"
        syscalls.bind("/proc", proc, recursive=True)
        self.home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.roots = root_fs.Roots(f"{state}/pods/.roots/bench", shared, proc, state, self.home)

    def run(self, *, keep: bool) -> None:
        root = self.roots.take((), [])
        try:
            root.enter([])
            os.waitpid(os.posix_spawn(TRUE, [TRUE], os.environ), 0)
        finally:
            self.syscalls.setns(self.home, self.syscalls.CLONE_NEWNS)
        if keep:
            self.roots.give_back(root)
        else:
            root.discard()

    def clone(self) -> None:
        flags = ("CLONE_NEWPID", "CLONE_NEWNS", "CLONE_NEWIPC", "CLONE_NEWUTS")
        pid = self.syscalls.clone(sum(getattr(self.syscalls, flag) for flag in flags))
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)


def measure(state: str, rounds: int) -> None:
    """Print the figures. The process that calls it has mounts of its own afterwards, and should end."""
    roots = Roots(state)
    ways: dict[str, Callable[[], None]] = {
        "subprocess": lambda: run([TRUE]),
        "unshare": lambda: run(UNSHARE),
        "bubblewrap (binds, no overlay)": lambda: run(BUBBLEWRAP),
        "python -I -S": lambda: run([sys.executable, "-I", "-S", "-c", "pass"]),
        "fork of a small process into namespaces": roots.clone,
        "own root, new": lambda: roots.run(keep=False),
        "own root, used again": lambda: roots.run(keep=True),
    }
    for name, program in (("unshare", "unshare"), ("bubblewrap (binds, no overlay)", "bwrap")):
        if shutil.which(program) is None:
            del ways[name]
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - begin) * 1e3)
    roots.roots.close()
    plain = statistics.median(times["subprocess"])
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"{name:42} median {median:6.2f} ms   best {min(values):6.2f} ms   {median / plain:5.1f} times a subprocess"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: the folder is removed by one that does not see what is mounted in it.
        pid = os.fork()
        if pid == 0:
            try:
                measure(f"{folder}/state", rounds)
                sys.stdout.flush()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
