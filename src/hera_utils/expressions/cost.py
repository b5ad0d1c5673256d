"""Limits the total cost of the expressions of one event. Each has its own limit, but hundreds at that limit would delay all other runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from hera_utils.expressions.values import Failure

MOST = 10_000_000
"""Steps; they take a second or more."""
CHARACTERS_OF_A_STEP = 50

_left: ContextVar[list[int] | None] = ContextVar("steps that are left", default=None)


@contextlib.contextmanager
def limit_steps(steps: int | None = None) -> Iterator[None]:
    """Within this context all evaluations together may take `steps` steps, MOST by default."""
    token = _left.set([MOST if steps is None else steps])
    try:
        yield
    finally:
        _left.reset(token)


def check() -> None:
    """Raise Failure if no steps are left."""
    left = _left.get()
    if left is not None and left[0] <= 0:
        raise Failure("evaluation takes too many steps, together with those before it")


def spend(steps: int, characters: int) -> None:
    left = _left.get()
    if left is not None:
        left[0] -= steps + characters // CHARACTERS_OF_A_STEP
