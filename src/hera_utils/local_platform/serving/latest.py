"""The latest state of workflows, whose text is built once for all watchers.

The text of a run of thousands of tasks takes milliseconds to build. Watchers whose turns come shortly after one another share it: it is
built anew only as often as a hundredth of one core allows, however many watch. A watcher that is given an outdated text learns so, and
asks again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hera_utils.local_platform.storage.records import Key, StoredObject

if TYPE_CHECKING:
    from hera_utils.local_platform.platform import LocalPlatform

SHARE = 0.01
_TYPE = '{"type":"'
KEPT = 4
"""How many texts are kept while anybody watches."""


@dataclass(frozen=True)
class _Text:
    stored: StoredObject
    until: float
    """The clock's time until which the text may be used although the run has changed."""


class Latest:
    def __init__(self, platform: LocalPlatform, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform, self._clock = platform, clock
        self._lock = threading.Lock()
        self._texts: OrderedDict[Key, _Text] = OrderedDict()
        self._events: list[tuple[str, str]] = []
        self.watchers = 0
        """How many watchers there are, of any objects."""

    def enter(self) -> None:
        """Count a new watcher."""
        with self._lock:
            self.watchers += 1

    def leave(self) -> None:
        with self._lock:
            self.watchers -= 1
            if not self.watchers:
                self._texts.clear()
                self._events.clear()

    def event(self, change: str, text: str) -> str:
        """The event with a whole workflow, shared by all watchers that send `text`: each keeps it until its client has received it."""
        with self._lock:
            for known, event in self._events:
                if known is text and event.startswith(change, len(_TYPE)):
                    return event
            event = f'{_TYPE}{change}","object":{text}}}'
            if self.watchers:
                self._events = [*self._events[1 - KEPT :], (text, event)]
            return event

    def get(self, place: Key, *, nodes: bool, at_once: bool) -> tuple[StoredObject, bool]:
        """(the workflow, whether that state is outdated). at_once: only the newest state will do. Raises Refused when it does not exist."""
        newest = self._platform.get(*place, nodes=False)
        if not nodes:
            return newest, False
        with self._lock:
            text = self._texts.get(place)
            if text is not None and text.stored.uid == newest.uid:
                stale = text.stored.resource_version != newest.resource_version
                if not stale or (self._clock() < text.until and not at_once):
                    return text.stored, stale
            started = time.thread_time()
            stored = self._platform.get(*place)
            cost = time.thread_time() - started
            self._texts[place] = _Text(stored, self._clock() + cost / SHARE)
            self._texts.move_to_end(place)
            if len(self._texts) > KEPT:
                self._texts.popitem(last=False)
            return stored, False
