"""Inputs as HTML tables for a notebook, without scripts or styles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from hera_utils.experiment.points import Point
from hera_utils.experiment.values import text
from hera_utils.wording import counted


def html_of_points(description: str, points: Sequence[Point], count: int) -> str:
    """A table of the first points, under a line with the number of all points."""
    names = list(dict.fromkeys(name for point in points for name in point))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("point", *names))
    rows = "".join(
        f"<tr><td>{escape(point.name)}</td>"
        + "".join(f"<td>{escape(text(point[name])) if name in point else ''}</td>" for name in names)
        + "</tr>"
        for point in points
    )
    more = f"<p>… {count - len(points)} more</p>" if count > len(points) else ""
    summary = f"{counted(count, 'point')}: {escape(description)}"
    return f"<p>{summary}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def html_of_inputs(constants: dict[str, Any], points: str) -> str:
    """A table of the constants, then the HTML of the points."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in constants.items()
    )
    return (f"<table><tbody>{rows}</tbody></table>" if rows else "") + points
