"""Removes artifacts from the platform's own store, or, in a separate thread, from a store on the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hera_utils.local_platform.artifacts import locations, remote_stores
from hera_utils.local_platform.artifacts.locations import MissingSecret
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.pods.pod.artifact_keys import key_of
from hera_utils.local_platform.storage.read_model import ReadModel

Json = dict[str, Any]
Outcome = dict[tuple[str, str], str]
"""(node id, artifact) → why it could not be removed, "" when it is removed."""


class ArtifactRemoval:
    """state: the state folder."""

    def __init__(self, state: Path, read_model: ReadModel) -> None:
        self._state, self._read_model = state, read_model

    def prepare(
        self, namespace: str, artifacts: list[tuple[str, Json, Json | None]], report: Callable[[Outcome], None]
    ) -> tuple[Outcome, Callable[[], None]]:
        """(the outcome for artifacts in the platform's own store, a function that removes all). artifacts: (node, artifact, archive).

        report: called later, from another thread, with the outcome for artifacts in stores on the network.
        """
        secret = self._read_model.secrets_of(namespace)
        own: Outcome = {}
        keys: list[str] = []
        elsewhere: dict[tuple[str, str], Json | MissingSecret] = {}
        for node, artifact, archive in artifacts:
            identity = (node, str(artifact["name"]))
            try:
                place = locations.place_of(artifact, archive, secret)
            except MissingSecret as error:
                elsewhere[identity] = error
                continue
            if place is None:
                own[identity] = ""
                keys.append(str(key_of(artifact)))
            else:
                elsewhere[identity] = place

        def remove() -> None:
            self.remove(namespace, keys)
            if elsewhere:
                action = threading.Thread(target=lambda: report(_remove(elsewhere)), name="artifact-gc", daemon=True)
                action.start()

        return own, remove

    def remove(self, namespace: str, keys: list[str]) -> None:
        """Remove keys from the platform's own store; a key may be a folder of keys."""
        store = ArtifactStore(self._state, namespace)
        for key in keys:
            store.remove(key)


def _remove(artifacts: dict[tuple[str, str], Json | MissingSecret]) -> Outcome:
    places = {identity: place for identity, place in artifacts.items() if not isinstance(place, MissingSecret)}
    outcome = dict(zip(places, remote_stores.remove(list(places.values())), strict=True))
    missing = {identity: str(error) for identity, error in artifacts.items() if isinstance(error, MissingSecret)}
    return {identity: (outcome | missing)[identity] for identity in artifacts}
