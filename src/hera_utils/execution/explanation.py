"""Why points run, at length: each thing that has changed since they were computed, once, with what was and what is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hera_utils.execution.differences import Difference, Texts, at_length

Json = dict[str, Any]


@dataclass(frozen=True)
class Detail:
    """One difference of some points. points: their ids. lines: what was and what is."""

    difference: Difference
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
    """changed: id of a point → (folder of the record that it is compared with, the run that computed it, what differs).

    old_text: the record's folder and a digest → what the digest stands for; new_text: the same of now.
    """

    changed: Mapping[str, tuple[Path, str, tuple[Difference, ...]]] = field(default_factory=dict)
    old_text: Callable[[Path, str], str] = lambda run, digest: ""
    new_text: Texts = lambda digest: ""

    def details(self) -> list[Detail]:
        """What changed for most points first."""
        points: dict[Difference, list[str]] = {}
        origins: dict[Difference, tuple[Path, str]] = {}
        for point, (folder, run, found) in self.changed.items():
            for one in found:
                points.setdefault(one, []).append(point)
                origins.setdefault(one, (folder, run))
        details = []
        for one in sorted(points, key=lambda one: -len(points[one])):
            folder, run = origins[one]
            lines = at_length(one, run, partial(self.old_text, folder), self.new_text)
            details.append(Detail(one, tuple(points[one]), tuple(lines)))
        return details

    def lines(self, *, several: bool) -> list[str]:
        """For people. several: whether there are several points, so that how many is worth a word."""
        lines: list[str] = []
        for detail in self.details():
            count = len(detail.points)
            many = f" ({count} point{'s' if count > 1 else ''})" if several else ""
            first, *more = detail.lines
            lines.append(f"  {first.removesuffix(':')}{many}{':' if more else ''}")
            lines += [f"    {line}" for line in more]
        return lines
