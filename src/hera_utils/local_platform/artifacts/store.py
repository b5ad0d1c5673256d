"""The local artifact store from the server's side: `artifacts/<namespace>/<key>` of the state folder.

Pods read and write it themselves (pods/pod/artifact_keys.py defines the keys). With Argo's default key format,
`<workflow>/<pod>/<artifact>`, an output of a task is reported as `{"name", "path", "s3": {"key": …}}`, as Argo does with a
default repository. An artifact of any store (s3, gcs…) that is not really used is in this folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hera_utils.deep_folders import files_below, remove_tree
from hera_utils.errors import PlatformError
from hera_utils.local_platform.pods.pod.artifact_keys import is_partial, key_of, path_of
from hera_utils.local_platform.pods.pod.errors import PodFault

Json = dict[str, Any]


class ArtifactStore:
    """The store of a namespace. state: the state folder."""

    def __init__(self, state: Path, namespace: str) -> None:
        self.root = state / "artifacts" / namespace

    def find(self, artifact: Json) -> Path | None:
        """The path of a node's artifact; None when the artifact has no key or the file does not exist."""
        key = key_of(artifact)
        path = self.path(key) if key else None
        return path if path is not None and path.exists() else None

    def path(self, key: str) -> Path:
        """The path of a key. Raises PlatformError for a key that leads out of the store."""
        try:
            return Path(path_of(str(self.root), key))
        except PodFault as fault:
            raise PlatformError(str(fault)) from None

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys of all files below a prefix, sorted by their bytes, as object stores do."""
        yield from sorted(self._keys(prefix), key=os.fsencode)

    def _keys(self, prefix: str) -> Iterator[str]:
        start = self.path(prefix) if prefix.strip("/") else self.root
        if start.is_file():
            yield str(start.relative_to(self.root))
            return
        for path in files_below(start):
            key = str(Path(path).relative_to(self.root))
            if not is_partial(key):
                yield key

    def remove(self, key: str) -> None:
        path = self.path(key)
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
