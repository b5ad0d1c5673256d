"""Which folder of checkpoints each point of a run has, and when it is removed.

A point that did not succeed and has not changed continues in the folder of its last run; every other point begins with an empty one.
The record notes only the folders that are not named after its own run (`checkpoints` in run.json).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from hera_utils.execution.decisions import Decisions
from hera_utils.execution.history import History
from hera_utils.experiment.checkpoints import checkpoint_name, fill_in_checkpoints, resolve_marks
from hera_utils.experiment.declarations import declarations_of_kind
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.points import Point
from hera_utils.local_platform.pods.pod import open_beneath
from hera_utils.runs.record import DONE, RunRecord

Json = dict[str, Any]


class CheckpointFolders:
    """layout: the experiment's; anything but a Layout has no checkpoints. volume: the folder that stands for its volume; None if this
    machine cannot see it, and then nothing is removed.
    """

    def __init__(self, layout: object, volume: Path | None, record: RunRecord) -> None:
        has_some = isinstance(layout, Layout) and declarations_of_kind(type(layout), "checkpoints")
        self.layout = layout if isinstance(layout, Layout) and has_some else None
        self.volume, self.record = volume, record

    @property
    def exist(self) -> bool:
        return self.layout is not None

    def begin(self, decisions: Decisions, history: History) -> None:
        """Record the checkpoint folders of the points that will run."""
        if self.layout is None:
            return
        own, noted = self.record.name, dict(self.record.facts.get("checkpoints") or {})
        for point in decisions.run:
            last = history.results.get(point)
            if last is None:
                continue
            if last.status != DONE and point not in decisions.explanation.changed:
                noted[point] = last.checkpoint
            elif last.run == self.record.folder:  # this run began the point before it was changed
                noted[point] = f"{own}-{secrets.token_hex(3)}"
        self.record.update(checkpoints={point: name for point, name in noted.items() if name != own})

    def beginning(self, point: str) -> str:
        return checkpoint_name(self.record.facts, self.record.name, point)

    def fill_in_folders(self, document: Json) -> Json:
        """The document with the names of its checkpoint folders filled in."""
        return document if self.layout is None else fill_in_checkpoints(document, self.beginning)

    def remove(self, points: Iterable[Point]) -> None:
        """Remove the checkpoints of these points, which have succeeded. A path that a task's link leads out of the volume is left alone."""
        if self.layout is None or self.volume is None:
            return
        for point in points:
            for file in self.layout.checkpoints_of(point):
                path = PurePosixPath(resolve_marks(file.path, self.beginning))
                with contextlib.suppress(OSError):
                    _remove(str(self.volume), path)


def _remove(volume: str, path: PurePosixPath) -> None:
    """Remove the folder, and its parent if that is empty then. Follows no links: a task may create one at any moment. Raises OSError."""
    with open_beneath.at(volume, str(path.parent), links=False) as above:
        shutil.rmtree(f"{above}/{path.name}", ignore_errors=True)
    with open_beneath.at(volume, str(path.parent.parent), links=False) as above:
        os.rmdir(f"{above}/{path.parent.name}")
