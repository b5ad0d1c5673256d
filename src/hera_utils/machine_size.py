"""The processors and memory of this machine that a process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """The number of processors that this process may use; in a batch job or under taskset fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
