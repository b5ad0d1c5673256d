"""What of the store of images `hera-utils gc` may free: what no image needs, and on request images that nobody used for long."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hera_utils.images.store import StoredImage


@dataclass(frozen=True)
class ImageRemoval:
    """images: unused ones that nobody has mounted. leftovers, leftover_size: folders and files of interrupted pulls and replaced images."""

    state: Path = Path()
    images: list[StoredImage] = field(default_factory=list)
    leftovers: int = 0
    leftover_size: int = 0

    @classmethod
    def of(cls, state: Path, unused: float | None) -> ImageRemoval:
        """state: the state folder. unused: images that were not used for so many seconds go too; None: none go."""
        from hera_utils.local_platform.pods.image_pulls import layers_in_use

        if not (state / "images").is_dir():
            return cls()
        from hera_utils.images.store import InUse, Store

        store, mounted = Store(state / "images"), layers_in_use(state)
        limit = time.time() - (unused or 0.0)
        old = [image for image in store.images() if unused is not None and image.used <= limit]
        idle = [image for image in old if not any(str(folder) in mounted for folder in image.layers)]
        try:
            collected = store.collect(lambda: mounted, dry_run=True)
        except InUse:  # an image is being pulled: what it leaves is the next time's
            return cls(state, idle)
        return cls(state, idle, collected.layers + collected.blobs, collected.size)

    @property
    def size(self) -> int:
        """About: layers that images share are freed with the last of them."""
        return sum(image.size for image in self.images) + self.leftover_size

    def lines(self) -> list[str]:
        from hera_utils.cli.cp import size
        from hera_utils.images.reference import Reference

        lines = [f"image {Reference.parse(image.reference).familiar}  {size(image.size)}" for image in self.images]
        if self.leftovers:
            things = "thing" if self.leftovers == 1 else "things"
            lines.append(f"{self.leftovers} {things} that no image needs  {size(self.leftover_size)}")
        return lines

    def remove(self) -> list[str]:
        """Do it; what could not be removed, a line each. Pods that began meanwhile keep theirs."""
        from hera_utils.images.store import InUse, Store

        if not self.lines():
            return []
        store, refusals = Store(self.state / "images"), []
        for image in self.images:
            try:
                store.remove(image.reference, self._in_use)
            except InUse as error:
                refusals.append(f"kept: {error}")
        try:
            store.collect(self._in_use)
        except InUse as error:
            refusals.append(f"what no image needs is kept: {error}")
        return refusals

    def _in_use(self) -> dict[str, list[str]]:
        from hera_utils.local_platform.pods.image_pulls import layers_in_use

        return layers_in_use(self.state)
