"""Functions of texts that users write, memoised. Of long texts few are kept: each may be a megabyte, and what is made of it ten."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Result = TypeVar("Result")
SHORT = 1000
"""Characters."""
LONGEST = 100_000
"""Characters of a text for which anything is kept."""
_LONG_ONES = 16


def memoised(size: int) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """lru_cache for functions whose first argument is a text. size: so many results for short texts are kept."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        of_short, of_long = lru_cache(size)(function), lru_cache(_LONG_ONES)(function)

        @wraps(function)
        def called(text: str, *rest: Any) -> Result:
            if len(text) <= SHORT:
                return of_short(text, *rest)
            return of_long(text, *rest) if len(text) <= LONGEST else function(text, *rest)

        return called

    return decorate
