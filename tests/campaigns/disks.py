"""A disk that fills up and has room again, while runs of several kinds go on; the server is killed meanwhile too.

python tests/campaigns/disks.py [TIMES [SEED]]        # as root: it mounts a small tmpfs
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from small_world import Findings, World, processes

from small_disk import Disk

AT_ONCE = 3
SIZE = 48 << 20
SHARES = {"full": 3, "to the last byte": 3, "nearly full": 3}
MEANWHILE = {"nothing": 5, "kill of server": 2, "gc": 1, "submission": 2, "doctor": 1}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def ill_treat(world: World, disk: Disk) -> str:
    """Fill the disk, let something happen meanwhile, and free the space again; returns what was done."""
    how = world.dice.choices(list(SHARES), list(SHARES.values()))[0]
    if how == "to the last byte":
        (world.state / "reserve").unlink(missing_ok=True)  # the reserve is used up, as by a task that keeps writing
    if how == "nearly full":
        disk.fill(world.dice.choice([50_000, 200_000, 1_000_000]))
    else:
        disk.fill()
    meanwhile = world.dice.choices(list(MEANWHILE), list(MEANWHILE.values()))[0]
    time.sleep(world.dice.uniform(0.0, 0.7))
    if meanwhile == "kill of server":
        pid = processes(world.state).server
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    elif meanwhile == "submission":
        world.submit()
    elif meanwhile in ("gc", "doctor"):
        words = ["gc", "--older-than", "1000d", "--yes"] if meanwhile == "gc" else ["doctor"]
        tell(world, how, words)
    time.sleep(world.dice.uniform(0.3, 1.5))
    disk.empty()
    world.findings.figures[f"while it was so: {meanwhile}"] += 1
    return how


def tell(world: World, how: str, words: list[str]) -> None:
    """A command must answer, and without a traceback."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "hera_utils", *words]
    done = subprocess.run(command, cwd=world.folder, env=world.environ, capture_output=True, text=True, check=False)
    world.findings.time(words[0], time.monotonic() - begun)
    if "Traceback" in done.stderr or done.returncode not in (0, 1, 2):
        world.findings.wrong.append(f"{words[0]} on a disk that is {how}: {done.returncode} {done.stderr[-500:]}")


def campaign(world: World, disk: Disk, times: int, *, say: bool = False) -> Findings:
    world.may_be_refused = "the disk with", "the file system with", "the state folder"
    begun = time.monotonic()
    world.serve()
    for number in range(1, times + 1):
        world.reap_clients()
        while len(world.unfinished()) < AT_ONCE:
            world.submit()
        time.sleep(world.dice.uniform(0.2, 1.5))
        world.findings.figures[f"times {ill_treat(world, disk)}"] += 1
        if say and number % 5 == 0:
            print(f"{time.monotonic() - begun:.0f} s: {number} times, {len(world.kinds)} runs", flush=True)
            if world.findings.wrong or world.findings.lost:
                print(world.findings.text(), flush=True)
    world.settle()
    return world.judge()


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    folder = Path(tempfile.mkdtemp(prefix="disks-"))
    print(f"{times} full disks, seed {seed}, in {folder}", flush=True)
    with small_disk(folder / "disk") as mounted, World(folder / "world", seed, mounted / "state") as world:
        findings = campaign(world, Disk(mounted), times, say=True)
    print(findings.text(), flush=True)
    sys.exit(bool(findings.lost or findings.twice or findings.wrong))


if __name__ == "__main__":
    main()
