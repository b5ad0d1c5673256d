"""Reading a stream whose items supersede one another: who is busy misses the ones in between and gets the newest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


def newest(items: Iterator[Item]) -> Iterator[Item]:
    """The items of a stream as they arrive; those that were overtaken before they were asked for are left out, never the last.

    A thread reads all the time, so that nothing waits in the buffers between sender and reader and what is read is fresh. Its
    exception is raised here. It ends with the stream, or after the next item when nobody reads any more.
    """
    box: _Box[Item] = _Box()
    threading.Thread(target=box.fill, args=(items,), name="newest", daemon=True).start()
    try:
        yield from box.items()
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

    def items(self) -> Iterator[Item]:
        while True:
            with self._changed:
                while not self._held and not self._over:
                    self._changed.wait()
                if not self._held:
                    break
                item = self._held.pop()
            yield item
        if self._error is not None:
            raise self._error
