"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from measure import Measured

OURS = "ours"


@dataclass(frozen=True)
class Spread:
    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread:
        found = sorted(numbers)
        return cls(median(found), found[0], found[-1])


@dataclass(frozen=True)
class Line:
    """One tool at one workload and size. each: milliseconds a task. ratio: its time to ours, of each round by itself; None for ours, or
    where we have none.
    """

    workload: str
    size: int
    tool: str
    each: Spread
    processor: float
    ratio: Spread | None
    rounds: int


def lines(measured: Iterable[Measured]) -> list[Line]:
    """The fastest of a workload and size first."""
    groups: dict[tuple[str, int], dict[str, dict[int, Measured]]] = {}
    for one in measured:
        if not one.problem:
            groups.setdefault((one.workload, one.size), {}).setdefault(one.tool, {})[one.round] = one
    found = []
    for (workload, size), tools in sorted(groups.items()):
        ours = tools.get(OURS, {})
        of_group = []
        for tool, rounds in tools.items():
            ratios = [one.seconds / ours[n].seconds for n, one in rounds.items() if n in ours and tool != OURS]
            each = Spread.of(one.each for one in rounds.values())
            processor = median(one.processor for one in rounds.values()) / size * 1000
            ratio = Spread.of(ratios) if ratios else None
            of_group.append(Line(workload, size, tool, each, processor, ratio, len(rounds)))
        found += sorted(of_group, key=lambda line: line.each.middle)
    return found


def text(found: Iterable[Line]) -> str:
    rows, before = [], None
    for line in found:
        if (line.workload, line.size) != before:
            rows += [
                "",
                f"{line.workload} × {line.size:<14} ms a task (least…most)    processor ms    time : ours (least…most)",
            ]
        before = (line.workload, line.size)
        ratio = "" if line.ratio is None else f"{_short(line.ratio.middle):>7}  {_range(line.ratio)}"
        each = f"{_short(line.each.middle):>7}  {_range(line.each):<17}"
        rows.append(f"  {line.tool:<18} {each} {_short(line.processor):>12} {line.rounds:>7}    {ratio}".rstrip())
    return "\n".join(rows[1:])


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def _range(spread: Spread) -> str:
    return f"({_short(spread.least)}…{_short(spread.most)})"
