"""The best point of a search, from what its points gave. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hera_utils.results.columns import cell_text
from hera_utils.results.results import Results
from hera_utils.results.terminal_table import number
from hera_utils.runs.record import DONE


@dataclass(frozen=True)
class BestPoint:
    """goal: `least` or `greatest`. output: the objective. at: the values of the point's axes."""

    goal: str
    output: str
    value: float
    at: Mapping[str, Any]

    @property
    def place(self) -> list[str]:
        """`rate = 0.8, solver = lu`, part by part."""
        return [
            f"{name} = {number(value) if isinstance(value, int | float) and not isinstance(value, bool) else cell_text(value)}"
            for name, value in self.at.items()
        ]


def best_point(search: Mapping[str, Any], results: Results) -> BestPoint | None:
    """The best point; None if no point is done, or if the search has several objectives. search: from the record."""
    goals = [("least", name) for name in search.get("minimize") or ()]
    goals += [("greatest", name) for name in search.get("maximize") or ()]
    table = results.point_table
    if len(goals) != 1 or goals[0][1] not in table.names:
        return None
    ((goal, output),) = goals
    column = table.column(output)
    if not column.numeric:
        return None
    valued = [
        (float(value), point)
        for value, point in zip(column.values, results.points, strict=True)
        if point.status == DONE and value is not None and math.isfinite(value)
    ]
    if not valued:
        return None
    value, point = (min if goal == "least" else max)(valued, key=lambda pair: pair[0])
    return BestPoint(goal, output, value, point.values)
