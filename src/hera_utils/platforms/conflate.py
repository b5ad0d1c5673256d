"""Reading a stream whose items supersede one another: who is busy misses the ones in between and gets the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


def newest(
    items: Iterator[Item],
    rest: Callable[[], float] = lambda: 0.0,
    is_urgent: Callable[[Item], bool] = lambda item: False,
) -> Iterator[Item]:
    """The items of a stream as they arrive; those that were overtaken before they were asked for are left out, never the last.

    A thread reads all the time, so that nothing waits in the buffers between sender and reader and what is read is fresh. Its
    exception is raised here. It ends with the stream, or after the next item when nobody reads any more.
    rest: for how many seconds, once the next item is asked for, there is no hurry; an urgent item and the stream's end end that.
    """
    box: _Box[Item] = _Box()
    threading.Thread(target=box.fill, args=(items,), name="newest", daemon=True).start()
    try:
        yield from box.items(rest, is_urgent)
    finally:
        box.left = True


class _Box(Generic[Item]):
    """Room for one item. left: the reader is gone."""

    def __init__(self) -> None:
        self.left = False
        self._changed = threading.Condition()
        self._held: list[Item] = []
        self._over = False
        self._error: Exception | None = None

    def fill(self, items: Iterator[Item]) -> None:
        error: Exception | None = None
        try:
            for item in items:
                if self.left:
                    return
                with self._changed:
                    self._held[:] = [item]
                    self._changed.notify()
        except Exception as raised:  # noqa: BLE001  it is raised again where the items are read
            error = raised
        with self._changed:
            self._error, self._over = error, True
            self._changed.notify()

    def items(self, rest: Callable[[], float], is_urgent: Callable[[Item], bool]) -> Iterator[Item]:
        while True:
            until = time.monotonic() + rest()
            with self._changed:
                while not self._over:
                    left = until - time.monotonic() if self._held else None
                    if left is not None and (left <= 0 or is_urgent(self._held[0])):
                        break
                    self._changed.wait(left)
                if not self._held:
                    break
                item = self._held.pop()
            yield item
        if self._error is not None:
            raise self._error
