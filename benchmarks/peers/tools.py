"""The tools side by side: what each is told for a workload, and where it leaves what its tasks printed.

Two tasks at a time everywhere. Outside the clock is what writes a tool's input (but for tools that are Python libraries: their program
is their input) and what reads the outputs; inside is all from the start of the tool's process to its end.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import environments
from workloads import Workload

HERE = Path(__file__).parent
FLOWS = HERE / "flows"
ADD = "awk '{s += $1} END {print s}'"
AT_ONCE = 2


@dataclass(frozen=True)
class Job:
    """One run of one tool: a workload with so many tasks, in an empty folder. python: the tasks' interpreter."""

    workload: Workload
    size: int
    folder: Path
    python: str

    def shell(self, task: str) -> str:
        return shlex.join(self.workload.command(task, self.python))

    def environment(self) -> dict[str, str]:
        """Of the tool's process: nothing of this one that makes an interpreter start otherwise, and a home of its own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HERA_UTILS_", "ARGO", "KUBE"))}
        mine = {
            "WORKLOAD": self.workload.name,
            "SIZE": str(self.size),
            "TASK_PYTHON": self.python,
            "BENCHMARK": str(HERE),
        }
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder), "HERA_UTILS_STATE": str(self.folder / "state")}
        return kept | own | mine | {"NO_COLOR": "1"}

    def lines(self, *names: str) -> list[str]:
        return [line for name in names for line in (self.folder / name).read_text().split("\n") if line]


def _result(job: Job) -> list[str]:
    return job.lines("result")


@dataclass(frozen=True)
class Tool:
    """needs: its environment, "" for none. prepare: writes its input and gives the command. outputs: the lines of its tasks, afterwards."""

    name: str
    what: str
    prepare: Callable[[Job, str], list[str]]
    outputs: Callable[[Job], list[str]] = _result
    needs: str = ""
    workloads: frozenset[str] = field(default=frozenset({"W1", "W2", "W3", "W4", "W5", "W6", "W7"}))
    version_of: str = ""

    def python(self) -> str:
        """The interpreter that has it. Raises environments.NotBuilt."""
        return environments.python_of(self.needs) if self.needs else sys.executable

    def version(self) -> str:
        return environments.versions(self.needs)[self.name] if self.needs else ""


# --- ours -------------------------------------------------------------------------------------------------------------


def _prepare_ours(job: Job, python: str) -> list[str]:
    shutil.copy(FLOWS / "ours.py", job.folder / "flow.py")
    return [python, "-m", "hera_utils", "run", "flow.py"]


def _outputs_of_ours(job: Job) -> list[str]:
    """The logs that the platform keeps: its server starts again for them."""
    command = [sys.executable, "-m", "hera_utils", "logs", "@latest"]
    said = subprocess.check_output(command, cwd=job.folder, env=job.environment(), text=True)
    lines = [line.partition(": ") for line in said.splitlines()]
    last = re.compile(r"\bsum\b")
    return [text for task, _, text in lines if job.workload.name != "W4" or last.search(task)]


# --- the others -------------------------------------------------------------------------------------------------------


def _prepare_xargs(job: Job, python: str) -> list[str]:
    at_once = 1 if job.workload.name == "W3" else AT_ONCE
    begin = f"seq 0 {job.size - 1} | xargs -P{at_once} -I{{}} {job.shell('{}')}"
    end = f" >parts && {ADD} parts >result" if job.workload.name == "W4" else " >result"
    return ["sh", "-c", begin + end]


def _prepare_ninja(job: Job, python: str) -> list[str]:
    rules = ["rule run", "  command = $c > $out"]
    for n in range(job.size):
        after = f" out/{n - 1}" if job.workload.name == "W3" and n else ""
        rules += [f"build out/{n}: run{after}", f"  c = {job.shell(str(n))}"]
    if job.workload.name == "W4":
        rules += ["rule sum", "  command = cat $in | " + ADD.replace("$1", "$$1") + " > $out"]
        rules += ["build out/sum: sum " + " ".join(f"out/{n}" for n in range(job.size))]
    (job.folder / "build.ninja").write_text("\n".join([*rules, ""]))
    return [str(Path(python).parent / "ninja"), f"-j{AT_ONCE}", "--quiet"]


def _out_files(job: Job) -> list[str]:
    names = ["sum"] if job.workload.name == "W4" else [str(n) for n in range(job.size)]
    return job.lines(*(f"out/{name}" for name in names))


def _prepare_snakemake(job: Job, python: str) -> list[str]:
    needs = "    input: lambda w: f'out/{int(w.i) - 1}' if int(w.i) else []\n" if job.workload.name == "W3" else ""
    last = ""
    if job.workload.name == "W4":
        last = f"rule sum:\n    input: [f'out/{{i}}' for i in range({job.size})]\n    output: 'out/sum'\n"
        last += f"    shell: {'cat {input} | ' + ADD.replace('{', '{{').replace('}', '}}') + ' > {output}'!r}\n"
    wanted = "['out/sum']" if last else f"[f'out/{{i}}' for i in range({job.size})]"
    (job.folder / "Snakefile").write_text(
        f"rule all:\n    input: {wanted}\n{last}rule task:\n{needs}    output: 'out/{{i,[0-9]+}}'\n"
        f"    shell: {job.shell('{wildcards.i}') + ' > {output}'!r}\n"
    )
    return [python, "-m", "snakemake", "--cores", str(AT_ONCE), "--quiet", "all"]


def _program(name: str) -> Callable[[Job, str], list[str]]:
    return lambda job, python: [python, str(FLOWS / name)]


def _prepare_redun(job: Job, python: str) -> list[str]:
    shutil.copy(FLOWS / "with_redun.py", job.folder / "flow.py")
    (job.folder / ".redun").mkdir()
    local = f"type = local\nmax_workers = {AT_ONCE}\n"
    (job.folder / ".redun" / "redun.ini").write_text(
        f"[backend]\ndb_uri = sqlite:///redun.db\n[executors.default]\n{local}[executors.process]\n{local}mode = process\n"
    )
    return [str(Path(python).parent / "redun"), "run", "flow.py", "main"]


def by_name() -> dict[str, Tool]:
    graphless = frozenset({"W1", "W2", "W4", "W5", "W6", "W7"})
    tools = [
        Tool(
            "ours", "hera-utils run FLOW: journal, private mounts, start of the server", _prepare_ours, _outputs_of_ours
        ),
        Tool("xargs", "xargs -P2: no graph, no record", _prepare_xargs),
        Tool("ninja", "ninja -j2: an edge a task", _prepare_ninja, _out_files, "ninja"),
        Tool(
            "joblib",
            "joblib, two warm worker processes: Python tasks share them, no graph, no record",
            _program("with_joblib.py"),
            needs="joblib",
            workloads=graphless,
        ),
        Tool("dbos", "DBOS durable workflow on SQLite: a step a task", _program("with_dbos.py"), needs="dbos"),
        Tool("redun", "redun, local executor: Python tasks in two worker processes", _prepare_redun, needs="redun"),
        Tool("snakemake", "snakemake --cores 2: a job a task", _prepare_snakemake, _out_files, "snakemake"),
    ]
    return {tool.name: tool for tool in tools}
