"""How much of this machine a process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """How many processors this process may use: fewer than the machine has in a job of a queue, or by taskset."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
