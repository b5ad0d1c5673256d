"""redun: a task a task; the last one leaves the result."""

import os
import shlex
import sys

sys.path.append(os.environ["BENCHMARK"] + "/flows")
from redun import task
from task import command, compute, in_python, leave, size, workload

redun_namespace = "benchmark"


@task(script=True)
def shell(n: int, after: object = None) -> str:
    return shlex.join(command(n))


@task(executor="process")
def python(n: int) -> str:
    return compute(n)


@task()
def result(lines: list) -> int:
    lines = [line.decode() if isinstance(line, bytes) else line for line in lines]
    leave([str(sum(map(int, lines)))] if workload.name == "W4" else lines)
    return len(lines)


@task()
def main() -> int:
    lines: list = []
    for n in range(size):
        if in_python:
            lines.append(python(n))
        elif workload.name == "W3" and lines:
            lines.append(shell(n, lines[-1]))
        else:
            lines.append(shell(n))
    return result(lines)
