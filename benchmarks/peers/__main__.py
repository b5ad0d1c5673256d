"""hera_utils and its peers side by side, on the same small workloads, in one run.

    python benchmarks/peers --build              # the peers' environments, once
    python benchmarks/peers                      # all tools, W1 to W7, five rounds: about half an hour
    python benchmarks/peers --workloads W1,W2 --tools ours,xargs,ninja --rounds 3
    python benchmarks/peers --small              # whether it all works, in seconds: its figures mean nothing

Rounds are interleaved: each tool once, then each tool again, so that whoever else uses the machine hinders all. A tool that cannot run is
named as left out. Results: a table, and in the folder --out the runs (runs.json), the table (table.csv) and a picture (times.svg).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import time
from pathlib import Path

import environments
import plot
import table
from measure import Measured, adopt_orphans, end_children, measure
from tools import Tool, by_name
from workloads import WORKLOADS, Workload

ROUNDS = 5


def main() -> int:
    given = _command_line().parse_args()
    if given.build is not None:
        return _build(given.build or environments.names())
    rounds = Rounds(given)
    adopt_orphans()
    try:
        for number in range(1 if given.small else given.rounds):
            for workload in given.workloads:
                rounds.run(number, workload)
            _write(given.out, rounds, table.lines(rounds.measured))
    except KeyboardInterrupt:
        end_children()
        print("interrupted: what follows is what was measured until then")
    found = table.lines(rounds.measured)
    print(f"\n{table.text(found)}\n")
    for name, why in rounds.left_out.items():
        print(f"left out: {name}: {why}")
    problems = [one for one in rounds.measured if one.problem]
    for one in problems:
        print(f"PROBLEM: {one.tool} {one.workload} × {one.size}: {one.problem}")
    _write(given.out, rounds, found)
    print(f"written: {given.out}")
    return 1 if problems or not rounds.measured else 0


class Rounds:
    """What was measured, and why something was not."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._small, self._limit, self._once, self._rest = given.small, given.limit, given.once, given.rest
        self.measured: list[Measured] = []
        self.left_out: dict[str, str] = {}
        self._last: dict[str, float] = {}
        self._tools = []
        for tool in (by_name()[name] for name in given.tools):
            try:
                tool.python()
            except environments.NotBuilt as error:
                self.left_out[tool.name] = str(error)
            else:
                self._tools.append(tool)
        try:
            self._python = environments.python_of("tasks")
        except environments.NotBuilt:
            self._python = sys.executable
            print(f"tasks run with {sys.executable}, which may start slower than a clean environment's (--build)")

    def run(self, number: int, workload: Workload) -> None:
        """Each tool once at each size; another one begins each time."""
        turn = number % max(1, len(self._tools))
        for size in (workload.small,) if self._small else workload.sizes:
            for tool in [*self._tools[turn:], *self._tools[:turn]]:
                if workload.name in tool.workloads:
                    self._measure(tool, workload, size, number)

    def _measure(self, tool: Tool, workload: Workload, size: int, number: int) -> None:
        name = f"{tool.name} at {workload.name} × {size}"
        if name in self.left_out:
            return
        if self._last.get(name, 0.0) > self._once:
            return
        if (seconds := self._expected(tool, workload, size)) > self._limit:
            self.left_out[name] = f"it would take {seconds:.0f} s or more"
            return
        one = measure(tool, workload, size, number, self._python, self._limit)
        time.sleep(self._rest * one.seconds)
        self.measured.append(one)
        self._last[name] = one.seconds
        if one.problem:
            self.left_out[name] = "see its problem"
        print(
            f"{number + 1}  {workload.name} × {size:<6} {tool.name:<10} {one.seconds:8.3f} s  {one.each:8.2f} ms a task"
            f"  others used {one.others:4.0%} of the machine{'  FAILED' * bool(one.problem)}",
            flush=True,
        )

    def _expected(self, tool: Tool, workload: Workload, size: int) -> float:
        """Seconds that it takes if a task costs what it did in the largest run before this one."""
        smaller = [one for one in self.measured if (one.tool, one.workload) == (tool.name, workload.name)]
        before = max((one for one in smaller if one.size < size), key=lambda one: one.size, default=None)
        return before.seconds / before.size * size if before else 0.0


def _command_line() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(
        prog="python benchmarks/peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--build", nargs="*", metavar="NAME", choices=environments.names(), help="build environments")
    words.add_argument("--tools", type=_names(by_name()), default=list(by_name()), metavar="A,B")
    words.add_argument("--workloads", type=_workloads, default=list(WORKLOADS.values()), metavar="W1,W2")
    words.add_argument("--rounds", type=int, default=ROUNDS)
    words.add_argument(
        "--limit", type=float, default=120.0, help="seconds after which a run is given up (default: 120)"
    )
    words.add_argument("--once", type=float, default=60.0, help="what takes more seconds has one round (default: 60)")
    words.add_argument("--rest", type=float, default=0.0, help="after a run, rest for so many times its length")
    words.add_argument("--small", action="store_true", help="few tasks and one round")
    words.add_argument("--out", type=Path, default=environments.CACHE / "results")
    return words


def _names(known):
    def names(text: str) -> list[str]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: there are {', '.join(known)}")
        return text.split(",")

    return names


def _workloads(text: str) -> list[Workload]:
    return [WORKLOADS[name] for name in _names(WORKLOADS)(text)]


def _build(names: list[str]) -> int:
    problems = 0
    for name in names:
        try:
            environments.build(name)
        except environments.NotBuilt as error:
            problems += 1
            print(f"{name}: {error}")
    return 1 if problems else 0


def _write(out: Path, rounds: Rounds, found: list[table.Line]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    machine = {"processors": _processors(), "python": platform.python_version(), "system": platform.system()}
    versions = {tool.name: tool.version() for tool in by_name().values() if tool.version()}
    said = {"at": time.strftime("%Y-%m-%d"), "machine": machine, "versions": versions, "left out": rounds.left_out}
    rows = [one.row() for one in rounds.measured]
    (out / "runs.json").write_text(json.dumps({**said, "runs": rows}, indent=1, ensure_ascii=False) + "\n")
    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "workload",
                "tasks",
                "tool",
                "ms_a_task",
                "least",
                "most",
                "processor_ms",
                "to_ours",
                "least",
                "most",
                "rounds",
            ]
        )
        for line in found:
            ratio = [line.ratio.middle, line.ratio.least, line.ratio.most] if line.ratio else ["", "", ""]
            numbers = [line.each.middle, line.each.least, line.each.most, line.processor, *ratio]
            cells = [f"{n:.4g}" if isinstance(n, float) else n for n in numbers]
            writer.writerow([line.workload, line.size, line.tool, *cells, line.rounds])
    (out / "times.svg").write_text(plot.picture(found, WORKLOADS))


def _processors() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} × {model}"


if __name__ == "__main__":
    sys.exit(main())
