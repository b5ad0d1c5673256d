"""The workloads: how many tasks, what each one runs, and what all of them together must have printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    name: str
    what: str
    sizes: tuple[int, ...]
    small: int

    def command(self, task: str, python: str) -> list[str]:
        """What one task runs. task: its number, or what a tool writes for it. python: the tasks' interpreter."""
        if self.name == "W2":
            return [python, "-c", f"print({task})"]
        if self.name == "W4":
            return ["/bin/echo", task]
        if self.name == "W5":
            return [python, "-c", f"import numpy; print(int(numpy.arange({task} + 1).sum()))"]
        return ["/bin/echo", "hello"]

    def expected(self, size: int) -> list[str]:
        """All lines that the tasks print, sorted. Of W4 only the last task counts."""
        if self.name == "W2":
            lines = [str(n) for n in range(size)]
        elif self.name == "W4":
            lines = [str(size * (size - 1) // 2)]
        elif self.name == "W5":
            lines = [str(n * (n + 1) // 2) for n in range(size)]
        else:
            lines = ["hello"] * size
        return sorted(lines)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "independent shell tasks", (500,), 6),
        Workload("W2", "independent Python tasks", (200,), 6),
        Workload("W3", "shell tasks in a chain", (100,), 4),
        Workload("W4", "shell tasks, one for all outputs", (100,), 4),
        Workload("W5", "Python tasks that import numpy", (100,), 4),
        Workload("W6", "hello, from the command line to its end", (1,), 1),
        Workload("W7", "as W1, ever more", (100, 1000, 10_000), 3),
    )
}
