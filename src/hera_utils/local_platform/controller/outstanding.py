"""The pods that were launched and have not ended.

When thousands of pods wait, only their uids are in memory, and the journal has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from hera_utils.local_platform.pods.runtime import AT_HAND
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod

Key = tuple[str, str]
"""(run, node)."""


class Outstanding:
    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model
        self._uids: dict[Key, str] = {}
        self._whole: dict[Key, StoredPod] = {}
        self._per_run: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._uids)

    def __contains__(self, key: Key) -> bool:
        return key in self._uids

    def has_pods(self, run: str) -> bool:
        return run in self._per_run

    def get(self, key: Key) -> StoredPod | None:
        """The pod in its latest state."""
        pod = self._whole.get(key)
        if pod is None and key in self._uids:
            pod = next((StoredPod(*row) for row in self._read_model.rows("get_pod", self._uids[key])), None)
        return pod

    def uid_of(self, key: Key) -> str | None:
        return self._uids.get(key)

    def of(self, run: str) -> list[StoredPod]:
        return list(self._pods(key for key in list(self._uids) if key[0] == run)) if run in self._per_run else []

    def every(self) -> Iterator[StoredPod]:
        return self._pods(list(self._uids))

    def _pods(self, keys: Iterator[Key] | list[Key]) -> Iterator[StoredPod]:
        return (pod for key in keys if (pod := self.get(key)) is not None)

    def key_of(self, pod_uid: str) -> Key | None:
        return next((key for key, uid in self._uids.items() if uid == pod_uid), None)

    def expect(self, key: Key, pod_uid: str) -> None:
        """Add a pod that is in the journal."""
        if key not in self._uids:
            self._per_run[key[0]] = self._per_run.get(key[0], 0) + 1
        self._uids[key] = pod_uid

    def put(self, pod: StoredPod) -> None:
        """Add a new pod, or replace the state of one."""
        key = (pod.run, pod.node)
        self.expect(key, pod.uid)
        self._whole[key] = pod

    def set_aside(self, pod: StoredPod) -> None:
        """Drop a pod that is in the journal from memory, when many pods wait."""
        key = (pod.run, pod.node)
        if len(self._whole) > AT_HAND and self._whole.get(key) is pod:
            del self._whole[key]

    def settle(self, key: Key) -> str:
        """Remove an ended pod. Gives its uid."""
        self._whole.pop(key, None)
        self._per_run[key[0]] -= 1
        if not self._per_run[key[0]]:
            del self._per_run[key[0]]
        return self._uids.pop(key)
