"""What a task reports on its way, so that a search can stop points that promise too little: a line on standard error. Pure, but for that.

    hera-utils: step 3 value 0.125

A line of its log is what a task can give at once on every platform, from every image and language; and standard error is no part of its
result. A search that prunes reads the logs of the points that run (execution/step_watch.py).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

_LINE = re.compile(r"hera-utils: step (\d{1,18}) value (\S{1,40})\s*")
PATTERN = "hera-utils: step"
"""What a server that filters lines is asked for."""


def report_step(step: int, value: float) -> None:
    """Called in a task: after this step, the objective of its search has this value. A search with `pruned` may stop the task for it."""
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise ValueError(f"a step is a whole number from 0 on, not {step!r}")
    sys.stderr.write(f"hera-utils: step {step} value {float(value)!r}\n")  # in one piece: others may write too
    sys.stderr.flush()


def steps_of(lines: Iterable[str]) -> dict[int, float]:
    """step → value, as a log's lines say; the last one of a step counts (a task that is retried reports it again)."""
    steps = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is not None:
            try:
                steps[int(found[1])] = float(found[2])
            except ValueError:
                continue  # no number: a line of somebody else's
    return steps
