"""Pictures of a table, a timeline and a graph: columns come in, drawings with their choices and files go out. All of it is in the browser.

The report and the local platform's page of a run put these scripts among their own: the same pictures are drawn when a run has ended
and while it goes on. Nothing is built and nothing loaded from elsewhere. Open cards.js first; the mathematics is in statistics.js, which
is pure.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

# in the order in which they build upon each other
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
    """Functions for a page whose other scripts use them too; the page has an element with the id `tip`."""
    return "\n".join(_part(name) for name in _SCRIPTS)


def module(name: str, *exported: str) -> str:
    """The same as one object of that name, for a page that calls things of its own alike."""
    return f"const {name} = (() => {{\n{script()}\nreturn {{ {', '.join(exported)} }};\n}})();"


@cache
def style() -> str:
    return _part("pictures.css")


def _part(name: str) -> str:
    return files("hera_utils.pictures").joinpath(name).read_text(encoding="utf-8")
