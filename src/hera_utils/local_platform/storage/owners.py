"""Owner references: they say which objects are deleted together with their owner."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


def owners_in(text: str) -> list[str]:
    """The uids of the owners of an object. text: the object as JSON."""
    if '"ownerReferences"' not in text:  # most objects have no owner, and need not be parsed
        return []
    references = (json.loads(text).get("metadata") or {}).get("ownerReferences") or []
    return [str(reference.get("uid", "")) for reference in references]


class OwnerIndex(Generic[Key]):
    """Owner's uid → keys of the objects that it owns. Each deletion uses it, because searching thousands of texts is slow."""

    def __init__(self) -> None:
        self._owned: dict[str, dict[Key, None]] = {}

    def put(self, key: Key, text: str) -> None:
        for uid in owners_in(text):
            self._owned.setdefault(uid, {})[key] = None

    def drop(self, key: Key, text: str) -> None:
        for uid in owners_in(text):
            owned = self._owned.get(uid, {})
            owned.pop(key, None)
            if not owned:
                self._owned.pop(uid, None)

    def of(self, uid: str) -> list[Key]:
        return list(self._owned.get(uid, ()))
