"""Pictures of a table, a timeline and a graph, drawn in the browser from columns, with controls and files to download.

The report and the local platform's page of a run include these scripts, so the pictures are the same during a run and after it. There
is no build step, and nothing is loaded from elsewhere. Open cards.js first; the mathematics is in statistics.js, which is pure.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# In this order, as the later scripts use the earlier ones.
_SCRIPTS = (
    "elements.js",
    "scales.js",
    "statistics.js",
    "kinds.js",
    "survey.js",
    "saving.js",
    "cards.js",
    "phases.js",
    "timeline.js",
    "graph.js",
)


@cache
def script() -> str:
    """The scripts as one text with global functions. The page must have an element with the id `tip`."""
    return "\n".join(_part(name) for name in _SCRIPTS)


def module(name: str, *exported: str) -> str:
    """The scripts as one object of that name with the exported functions, for a page with own functions of the same names."""
    return f"const {name} = (() => {{\n{script()}\nreturn {{ {', '.join(exported)} }};\n}})();"


@cache
def style() -> str:
    return _part("pictures.css")


def _part(name: str) -> str:
    return files("hera_utils.pictures").joinpath(name).read_text(encoding="utf-8")
