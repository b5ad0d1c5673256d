"""A cache for functions of texts from users. It stores few results of long texts: a text may be 1 MB and its result 10 MB."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Result = TypeVar("Result")
SHORT = 1000
"""Characters."""
LONGEST = 100_000
"""Characters; results of longer texts are not stored."""
_LONG_ONES = 16


def memoised(size: int) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """lru_cache for functions whose first argument is a text. size: the number of stored results of short texts."""

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        of_short, of_long = lru_cache(size)(function), lru_cache(_LONG_ONES)(function)

        @wraps(function)
        def called(text: str, *rest: Any) -> Result:
            if len(text) <= SHORT:
                return of_short(text, *rest)
            return of_long(text, *rest) if len(text) <= LONGEST else function(text, *rest)

        return called

    return decorate
