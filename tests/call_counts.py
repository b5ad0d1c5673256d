"""How much work something is, on any machine however busy: the number of functions that it calls."""

import sys
from collections.abc import Callable


def calls_of(function: Callable[[], object]) -> int:
    called = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return called
