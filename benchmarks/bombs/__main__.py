"""What may one workflow, or one client, cost all others? Bombs of many kinds against a real server, with a second client beside it.

    python benchmarks/bombs                 # all of them, each followed by a look at how the server is
    python benchmarks/bombs loop headers    # those whose names contain one of the words
    python benchmarks/bombs --list
    python benchmarks/bombs --first         # on a machine that has other things to do

The server is a process of its own with a fresh state folder. While a bomb is under way a second client, in a process of its own,
asks for `GET /version` again and again, lists, and submits a small workflow. Printed of each bomb: what the server said, the slowest
answers that the second client got, the most memory that the server used since the last bomb, and how the workflow ended. A bomb has
LASTS seconds; a run that goes on then (many of these may: a loop of 40,000 pods is allowed) is stopped and deleted.

Ends with status 1 if a `GET /version` took more than half a second, the server more than 1 GB, or if it ended.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import comparisons
import copies
import objects
import repetition
import sizes
from attacks import RUNS, Attack, Server, run, said, server_of
from workflows import TRUE, workflow

from hera_utils.deep_folders import remove_tree

SLOWEST = 0.5
MOST_MEMORY = 1e9
KINDS = (sizes, objects, copies, repetition, comparisons)


# --- the second client -----------------------------------------------------------------------------------------------
@dataclass
class Slowest:
    """The slowest answer of each kind, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def second_client(server: Server, pipe: Connection) -> None:
    """Ask all along; whenever something comes through the pipe, answer what was slowest since the last time."""
    slowest, turn = Slowest(), 0
    small = {
        "workflow": workflow({"name": "m", "suspend": {"duration": "1"}}, ttlStrategy={"secondsAfterCompletion": 1})
    }
    while True:
        kinds = ["version"] * 9 + (["list"] if turn % 2 else ["submit"])
        for kind in kinds:
            start = time.monotonic()
            try:
                if kind == "version":
                    status, answer = server.call("GET", "/api/v1/version", timeout=120)
                elif kind == "list":
                    status, answer = server.call(
                        "GET", f"{RUNS}?listOptions.limit=5&fields=items.metadata.name", timeout=120
                    )
                else:
                    status, answer = server.call("POST", RUNS, small, timeout=120)
                if status != 200:
                    slowest.failures.append(f"{kind}: {said(status, answer)}")
            except (OSError, http.client.HTTPException) as error:
                slowest.failures.append(f"{kind}: {type(error).__name__}")
            taken = time.monotonic() - start
            slowest.seconds[kind] = max(slowest.seconds.get(kind, 0.0), taken)
            if pipe.poll(0.02):
                if pipe.recv() == "end":
                    return
                pipe.send(slowest)
                slowest = Slowest()
        turn += 1


def come_first(server: Server, client: int) -> None:
    """What else this machine does makes their answers no slower: their threads, and those to come, are of the real-time class.

    Not so the tasks: what starts them runs before.
    """
    run(server, workflow(TRUE | {"name": "m"}))
    for process in (server.pid, client):
        for thread in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))


# --- the campaign ----------------------------------------------------------------------------------------------------
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument(
        "--first", action="store_true", help="server and second client before all other processes (root)"
    )
    options = parser.parse_args()
    bombs: dict[str, Attack] = {}
    for kind in KINDS:
        for name, make in kind.WORKFLOWS.items():
            bombs[name] = lambda server, make=make: run(server, make())  # type: ignore[misc]
        bombs |= kind.REQUESTS
    chosen = [name for name in bombs if not options.words or any(word in name for word in options.words)]
    if options.list:
        print("\n".join(chosen))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="bombs-"))
    broken, worst, most = [], 0.0, 0
    try:
        with server_of(folder) as server:
            here, there = multiprocessing.Pipe()
            client = multiprocessing.Process(target=second_client, args=(server, there), daemon=True)
            client.start()
            if options.first:
                come_first(server, client.pid or 0)
            for name in chosen:
                server.forget_peak()
                here.send("begin")
                here.recv()
                start = time.monotonic()
                try:
                    answer = bombs[name](server)
                except (OSError, http.client.HTTPException) as error:
                    answer = f"{type(error).__name__}: {error}"
                time.sleep(0.5)
                here.send("tell")
                slowest: Slowest = here.recv()
                try:
                    memory = server.memory()
                except (OSError, StopIteration):
                    print(f"{name}: THE SERVER ENDED  {answer}", flush=True)
                    return 1
                version = slowest.seconds.get("version", 0.0)
                worst, most = max(worst, version), max(most, memory)
                bad = version > SLOWEST or memory > MOST_MEMORY or any("version" in one for one in slowest.failures)
                broken += [name] * bad
                times = "  ".join(f"{kind} {seconds:.2f}" for kind, seconds in sorted(slowest.seconds.items()))
                print(
                    f"{'!!' if bad else '  '} {name}: {times}  {memory / 1e6:.0f} MB  {time.monotonic() - start:.0f} s",
                    end="",
                )
                print(
                    f"  {answer[:170]}" + (f"  failures {slowest.failures[:2]}" if slowest.failures else ""), flush=True
                )
            here.send("end")
            client.join(5)
    finally:
        remove_tree(folder)
    print(
        f"{len(chosen)} bombs, {len(broken)} broke a limit; slowest GET /version {worst:.2f} s, most memory {most / 1e6:.0f} MB"
    )
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
