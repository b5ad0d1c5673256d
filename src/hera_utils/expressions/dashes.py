"""Names with a dash in expressions: `steps.a-b` is `steps.a` minus `b`; the name has to stand in brackets, `steps['a-b']`."""

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


def dashed(expression: str, names: Iterable[str]) -> list[Dashed]:
    """The dotted paths of the expression in which one of these names stands after a dot, although it has a dash."""
    known = {name for name in names if "-" in name}
    pieces = []
    for path in _PATH.findall(_QUOTED.sub("''", expression)):
        first, *parts = path.split(".")
        if known.intersection(parts):
            better = first + "".join(f"['{part}']" if part in known else f".{part}" for part in parts)
            pieces.append(Dashed(path, better))
    return list(dict.fromkeys(pieces))


def expressions_in(document: Any) -> list[str]:
    """The expressions in the tags of a document, as they are written; those that are no legal text are left out."""
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


def hint(document: Any, variables: Iterable[str]) -> str:
    """What to add to the message of an expression of the document that failed; "" when no variable has a dashed name there."""
    names = {part for variable in variables for part in variable.split(".")}
    found = [one for expression in expressions_in(document) for one in dashed(expression, names)]
    return "".join(f"; {one.written} subtracts: write {one.better}" for one in dict.fromkeys(found))
