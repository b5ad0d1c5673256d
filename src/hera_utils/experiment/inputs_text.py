"""Describes inputs for the help of a script, as they are typed on a command line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.search import design_of
from hera_utils.experiment.values import as_json_value, members_of, text
from hera_utils.wording import counted

_WIDEST = 40


def describe_inputs(inputs: Inputs) -> list[tuple[str, str]]:
    """(`NAME=VALUE`, a description) of each constant and each axis."""
    rows = [(f"{name}={_shorten(text(value))}", "constant") for name, value in _constants(inputs.fixed)]
    design = design_of(inputs.sweep)
    if design is not None:
        space = design.as_json()["space"]
        return rows + [
            (f"{name}={_shorten(text(given))}", f"searched ({design.words})") for name, given in space.items()
        ]
    return rows + [
        (f"{name}={_shorten(','.join(map(text, values)))}", f"swept over {counted(len(values), 'value')}")
        for name, values in inputs.sweep.axes.items()
    ]


def _constants(fixed: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The constants by the names that set them: a field of a nested dataclass by its path. Other objects are not searched for fields."""
    for name, value in fixed.items():
        members = members_of(value)
        if members is not None and not isinstance(as_json_value(value), str):
            yield from _constants(members, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shorten(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= _WIDEST else words[: _WIDEST - 1] + "…"
