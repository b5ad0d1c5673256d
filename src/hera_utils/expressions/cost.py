"""What the expressions of one event may cost in all. Each has a bound of its own; hundreds at their bound would hold up all other runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from hera_utils.expressions.values import Failure

MOST = 10_000_000
"""Steps, a second of them or more."""
CHARACTERS_OF_A_STEP = 50

_left: ContextVar[list[int] | None] = ContextVar("steps that are left", default=None)


@contextlib.contextmanager
def bounded(steps: int | None = None) -> Iterator[None]:
    """All evaluations within are bounded together: by so many steps, MOST without a number."""
    token = _left.set([MOST if steps is None else steps])
    try:
        yield
    finally:
        _left.reset(token)


def check() -> None:
    """Raise Failure when nothing is left."""
    left = _left.get()
    if left is not None and left[0] <= 0:
        raise Failure("evaluation takes too many steps, together with those before it")


def spend(steps: int, characters: int) -> None:
    left = _left.get()
    if left is not None:
        left[0] -= steps + characters // CHARACTERS_OF_A_STEP
