"""What `hera-utils gc` may free of the store of images: remains that no image needs, and on request images that were not used for long.

A Python with packages stands in for an image, and is removed like an image.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.wording import counted

if TYPE_CHECKING:
    from hera_utils.images.store import StoredImage


@dataclass(frozen=True)
class ImageRemoval:
    """images: unused ones that no container has mounted. pythons: unused environments that stand in for images, with their sizes.
    leftovers, leftover_size: folders and files of interrupted pulls and replaced images.
    """

    state: Path = Path()
    images: list[StoredImage] = field(default_factory=list)
    pythons: dict[Path, int] = field(default_factory=dict)
    leftovers: int = 0
    leftover_size: int = 0

    @classmethod
    def of(cls, state: Path, unused: float | None, unfinished: str = "") -> ImageRemoval:
        """state: the state folder. unused: also remove images that were not used for so many seconds; None: no images.
        unfinished: the annotations of runs that have not ended; a Python that they name stays.
        """
        from hera_utils.local_platform.pods.image_pulls import layers_in_use

        pythons = {} if unused is None else _unused_pythons(state, unused, unfinished)
        if not (state / "images").is_dir():
            return cls(state, pythons=pythons)
        from hera_utils.images.store import InUse, Store

        store, mounted = Store(state / "images"), layers_in_use(state)
        limit = time.time() - (unused or 0.0)
        old = [image for image in store.images() if unused is not None and image.used <= limit]
        idle = [image for image in old if not any(str(folder) in mounted for folder in image.layers)]
        try:
            collected = store.collect(lambda: mounted, dry_run=True)
        except InUse:  # an image is being pulled now: the next gc removes the remains
            return cls(state, idle, pythons)
        return cls(state, idle, pythons, collected.layers + collected.blobs, collected.size)

    @property
    def size(self) -> int:
        """Bytes that are freed, about: a layer that several images share is only freed with the last of them."""
        return sum(image.size for image in self.images) + sum(self.pythons.values()) + self.leftover_size

    def lines(self) -> list[str]:
        from hera_utils.images.reference import Reference
        from hera_utils.spans import size_in_words

        lines = [
            f"image {Reference.parse(image.reference).familiar}  {size_in_words(image.size)}" for image in self.images
        ]
        lines += [
            f"Python with packages {home.name}  {size_in_words(of_home)}" for home, of_home in self.pythons.items()
        ]
        if self.leftovers:
            lines.append(f"{counted(self.leftovers, 'thing')} that no image needs  {size_in_words(self.leftover_size)}")
        return lines

    def remove(self) -> list[str]:
        """Remove everything except what pods use that started meanwhile; a line about each thing that was kept."""
        from hera_utils.images import python_environment
        from hera_utils.images.store import InUse, Store

        if not self.lines():
            return []
        for home in self.pythons:
            python_environment.remove(home)
        if not (self.state / "images").is_dir():
            return []
        store, refusals = Store(self.state / "images"), []
        for image in self.images:
            try:
                store.remove(image.reference, self._layers_in_use)
            except InUse as error:
                refusals.append(f"kept: {error}")
        try:
            store.collect(self._layers_in_use)
        except InUse as error:
            refusals.append(f"what no image needs is kept: {error}")
        return refusals

    def _layers_in_use(self) -> dict[str, list[str]]:
        from hera_utils.local_platform.pods.image_pulls import layers_in_use

        return layers_in_use(self.state)


def _unused_pythons(state: Path, unused: float, unfinished: str) -> dict[Path, int]:
    from hera_utils.images import python_environment
    from hera_utils.local_platform.storage.disk import bytes_of

    homes = python_environment.unused_environments(state / "python", unused)
    return {home: bytes_of(home) for home in homes if home.name not in unfinished}
