"""Values as Argo's Go types write them: AnyString, Item, and encoding/json's text."""

from __future__ import annotations

import json
from typing import Any

from hera_utils.argo.scalars import plain_number

_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def plain_json(value: Any) -> str:
    """JSON as Go writes it (sorted keys, no spaces), without escaping of < > &."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def go_json(value: Any) -> str:
    """JSON as Go's encoding/json writes it: < > & are escaped too."""
    text = plain_json(value)
    for letter, escaped in _HTML.items():
        if letter in text:
            text = text.replace(letter, escaped)
    return text


def text_of(value: Any) -> str:
    """An AnyString read from JSON: text as it is, numbers and booleans as Go's strconv writes them."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return plain_number(value)
    return plain_json(value)


def go_print(value: Any) -> str:
    """A value as Go's %v prints it: lists as `[a b]`, maps as `map[k:v]`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(go_print(part) for part in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_print(value[key])}" for key in sorted(value)) + "]"
    return str(value)
