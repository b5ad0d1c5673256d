"""Values that a running task reports, so that a search can stop points early: lines on standard error. Otherwise pure.

    hera-utils: step 3 value 0.125

Every platform, image and language can write a log line at any time; and standard error is no part of the task's result. A search that
prunes reads the logs of the running points (execution/step_watch.py).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

_LINE = re.compile(r"hera-utils: step (\d{1,18}) value (\S{1,40})\s*")
PATTERN = "hera-utils: step"
"""The pattern with which a server filters log lines."""


def report_step(step: int, value: float) -> None:
    """Called in a task: reports the value of the search's objective after this step. A search with `pruned` may stop the task then."""
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError(f"a step is a whole number from 0 on, not {step!r}")
    sys.stderr.write(f"hera-utils: step {step} value {float(value)!r}\n")  # in one write: other threads may write too
    sys.stderr.flush()


def steps_of(lines: Iterable[str]) -> dict[int, float]:
    """step → value from the lines of a log; the last one of a step counts (a retried task reports it again)."""
    steps = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is not None:
            try:
                steps[int(match[1])] = float(match[2])
            except ValueError:
                continue  # no number: the line is from another program
    return steps
