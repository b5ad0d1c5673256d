"""kill -9 of server, workers, spawners and clients, mixed, while runs of several kinds go on.

python tests/campaigns/kills.py [KILLS [SEED]]
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from small_world import Findings, World, kill_worker, processes

AT_ONCE = 3
"""Runs that go on at a time."""
SHARES = {"server": 3, "worker": 4, "spawner": 2, "client": 2}


def kill(world: World, victim: str) -> bool:
    """Kill a process of that kind; returns whether there was one."""
    if victim == "client":
        live = [client for client in world.clients if client.process.poll() is None and not client.killed]
        if not live:
            return False
        client = world.dice.choice(live)
        client.killed = True
        client.process.kill()
        return True
    found = processes(world.state)
    if victim == "worker":
        workers = sorted(found.workers, key=lambda pid: (not found.workers[pid], pid))
        if not workers:
            return False
        busy = [pid for pid in workers if found.workers[pid]] or workers
        uid = kill_worker(world.dice.choice(busy if world.dice.random() < 0.8 else workers))
        if uid:
            world.killed_pods.add(uid)
        return True
    pid = found.server if victim == "server" else next(iter(found.spawners), 0)
    if not pid:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def campaign(world: World, kills: int, *, say: bool = False) -> Findings:
    done, begun = 0, time.monotonic()
    world.serve()
    while done < kills:
        world.reap_clients()
        while len(world.unfinished()) < AT_ONCE:
            world.submit()
        time.sleep(world.dice.choice([0.0, 0.02, world.dice.uniform(0, 0.3), world.dice.uniform(0, 1.0)]))
        turn = list(SHARES)[done : done + 1]  # first each of them once
        victim = (turn or world.dice.choices(list(SHARES), list(SHARES.values())))[0]
        if kill(world, victim):
            done += 1
            world.findings.figures[f"kills of {victim}"] += 1
            if say and done % 25 == 0:
                print(f"{time.monotonic() - begun:.0f} s: {done} kills, {len(world.kinds)} runs", flush=True)
                if world.findings.wrong or world.findings.lost:
                    print(world.findings.text(), flush=True)
    world.settle()
    return world.judge()


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    print(f"{kills} kills, seed {seed}, in {folder}", flush=True)
    with World(folder / "world", seed) as world:
        findings = campaign(world, kills, say=True)
    print(findings.text(), flush=True)
    sys.exit(bool(findings.lost or findings.twice or findings.wrong))


if __name__ == "__main__":
    main()
