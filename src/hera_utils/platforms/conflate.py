"""Reads a stream in which each item replaces those before it: a busy reader skips items and gets the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


def keep_newest(
    items: Iterator[Item],
    rest: Callable[[], float] = lambda: 0.0,
    is_urgent: Callable[[Item], bool] = lambda item: False,
) -> Iterator[Item]:
    """The items of a stream as they arrive; an item that was replaced before the reader took it is left out, but never the last one.

    A thread reads all the time, so that nothing waits in the buffers between sender and reader, and items are fresh. Its exception is
    raised here. It ends with the stream, or with the next item after the reader has stopped.
    rest: the seconds to wait for newer items once the reader asks for one; an urgent item and the stream's end come at once.
    """
    box: _NewestItem[Item] = _NewestItem()
    threading.Thread(target=box.fill, args=(items,), name="newest", daemon=True).start()
    try:
        yield from box.items(rest, is_urgent)
    finally:
        box.left = True


class _NewestItem(Generic[Item]):
    """Holds one item. left: the reader has stopped."""

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
        except Exception as raised:  # noqa: BLE001  raised again in the thread that reads the items
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
