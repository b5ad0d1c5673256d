"""Explains at length why points run again: each change since they were computed, once, with the old and the new text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hera_utils.execution.fingerprint_diff import FingerprintChange, Texts, describe_at_length
from hera_utils.wording import counted

Json = dict[str, Any]


@dataclass(frozen=True)
class Detail:
    """One difference, and the points that have it. points: their ids. lines: the old and the new text."""

    difference: FingerprintChange
    points: tuple[str, ...]
    lines: tuple[str, ...]

    def as_json(self) -> Json:
        return {
            "kind": self.difference.kind,
            "name": self.difference.words,
            "points": list(self.points),
            "lines": list(self.lines),
        }


@dataclass(frozen=True)
class Explanation:
    """changed: id of a point → (folder of the record that it is compared with, the run that computed it, the differences).

    old_text: the record's folder and a digest → the text that the digest stands for. new_text: a digest of the present → its text.
    """

    changed: Mapping[str, tuple[Path, str, tuple[FingerprintChange, ...]]] = field(default_factory=dict)
    old_text: Callable[[Path, str], str] = lambda run, digest: ""
    new_text: Texts = lambda digest: ""

    def details(self) -> list[Detail]:
        """The differences, those of the most points first."""
        points: dict[FingerprintChange, list[str]] = {}
        origins: dict[FingerprintChange, tuple[Path, str]] = {}
        for point, (folder, run, changes) in self.changed.items():
            for change in changes:
                points.setdefault(change, []).append(point)
                origins.setdefault(change, (folder, run))
        details = []
        for change in sorted(points, key=lambda change: -len(points[change])):
            folder, run = origins[change]
            lines = describe_at_length(change, run, partial(self.old_text, folder), self.new_text)
            details.append(Detail(change, tuple(points[change]), tuple(lines)))
        return details

    def lines(self, *, several: bool) -> list[str]:
        """The details as text. several: whether the experiment has several points, so that their number is printed."""
        lines: list[str] = []
        for detail in self.details():
            count = len(detail.points)
            many = f" ({counted(count, 'point')})" if several else ""
            first, *more = detail.lines
            lines.append(f"  {first.removesuffix(':')}{many}{':' if more else ''}")
            lines += [f"    {line}" for line in more]
        return lines
