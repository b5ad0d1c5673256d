"""What the tools that are Python libraries share: a task as a command, as a function, and the result's file."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(os.environ["BENCHMARK"])))
from workloads import WORKLOADS

workload, size = WORKLOADS[os.environ["WORKLOAD"]], int(os.environ["SIZE"])
in_python = workload.name in ("W2", "W5")


def command(n):
    return workload.command(str(n), os.environ["TASK_PYTHON"])


def compute(n):
    """A Python task, in this process."""
    if workload.name == "W2":
        return str(n)
    import numpy

    return str(int(numpy.arange(n + 1).sum()))


def leave(lines):
    Path("result").write_text("\n".join(line.strip() for line in lines) + "\n")
