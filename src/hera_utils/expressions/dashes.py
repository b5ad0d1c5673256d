"""Hints for names with a dash in expressions: `steps.a-b` means `steps.a` minus `b`, so the name must be in brackets: `steps['a-b']`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from hera_utils.errors import ExpressionError
from hera_utils.expressions import tags

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[-\w]+)+")


class Dashed(NamedTuple):
    """written: `steps.a-b`. better: `steps['a-b']`."""

    written: str
    better: str


def find_dashed_paths(expression: str, names: Iterable[str]) -> list[Dashed]:
    """The dotted paths of an expression that contain one of these names, with its dash, behind a dot."""
    dashed_names = {name for name in names if "-" in name}
    pieces = []
    for path in _PATH.findall(_QUOTED.sub("''", expression)):
        first, *parts = path.split(".")
        if dashed_names.intersection(parts):
            better = first + "".join(f"['{part}']" if part in dashed_names else f".{part}" for part in parts)
            pieces.append(Dashed(path, better))
    return list(dict.fromkeys(pieces))


def expressions_in(document: Any) -> list[str]:
    """The expressions in the tags of a document as written, without those that are not legal text."""
    expressions = []
    try:
        marshalled = [tag.name for tag in tags.tags_in(document) if tag.expression]
    except ExpressionError:
        return []
    for text in marshalled:
        try:
            expressions.append(str(json.loads(f'"{text}"')))
        except ValueError:
            continue
    return expressions


def hint_at_dashes(document: Any, variables: Iterable[str]) -> str:
    """A hint for the message about a failed expression of the document; "" when no variable in it has a name with a dash."""
    names = {part for variable in variables for part in variable.split(".")}
    paths = [path for expression in expressions_in(document) for path in find_dashed_paths(expression, names)]
    return "".join(f"; {path.written} subtracts: write {path.better}" for path in dict.fromkeys(paths))
