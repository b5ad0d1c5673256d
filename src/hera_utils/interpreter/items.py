"""The items of a loop as Argo's Item type has them: JSON text as the user wrote it (1e-3 stays 1e-3).

Source: pkg/apis/workflow/v1alpha1/item.go, workflow/controller/operator.go (processItem).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from hera_utils.argo import gojson
from hera_utils.expressions.gotext import json_string, to_json

_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_INT64 = 1 << 63
_SURROGATE = re.compile("[\ud800-\udfff]")


class Item:
    """raw: valid JSON."""

    __slots__ = ("raw",)

    def __init__(self, raw: str) -> None:
        self.raw = gojson.compact(raw)

    @classmethod
    def of(cls, value: Any) -> Item:
        """The item of a value in a stored document, whose numbers Kubernetes has parsed and written again."""
        return cls(to_json(_stored_value(value), html=False))

    @property
    def text(self) -> str:
        """The item in a tag: a text with JSON's escapes but without its quotes, everything else as JSON."""
        unescaped = self.json.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
        return unescaped[1:-1] if unescaped.startswith('"') else unescaped

    @property
    def json(self) -> str:
        """The item as Go writes it as JSON."""
        text = self.raw
        for letter, escaped in _HTML.items():
            if letter in text:
                text = text.replace(letter, escaped)
        return text

    def variables(self) -> Iterator[tuple[str, str]]:
        """`item` and `item.KEY` → their texts."""
        if self.raw.startswith('"'):
            yield "item", _decode(self.raw)
        elif self.raw.startswith("{"):
            members = {_well_formed(key): Item(value) for key, value in gojson.members(self.raw).items()}
            for key, value in members.items():
                yield f"item.{key}", value.text
            parts = (f"{json_string(key)}:{members[key].json}" for key in sorted(members))
            yield "item", "{" + ",".join(parts) + "}"
        elif _is_too_large(self.raw):  # Argo takes it for a text, and finds none in it
            yield "item", ""
        else:
            yield "item", self.json

    def display(self) -> str:
        """The item in the name of its node."""
        if self.raw.startswith("{"):
            members = gojson.members(self.raw).items()
            text = ",".join(sorted(f"{_well_formed(key)}:{Item(value).text}" for key, value in members))
        elif self.raw == "null":  # Argo treats it as a list without elements
            text = "[]"
        elif self.raw.startswith("["):
            text = "[" + " ".join(Item(element).text for element in gojson.elements(self.raw)) + "]"
        else:
            text = self.text
        return text.replace("(", "").replace(")", "")


def _stored_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stored_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored_value(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        return float(value)
    return value


def _is_too_large(raw: str) -> bool:
    """Whether JSON is a number that no float holds."""
    return raw[0] in "-0123456789" and math.isinf(float(raw))


def _decode(raw: str) -> str:
    return _well_formed(json.loads(raw))


def _well_formed(text: str) -> str:
    """The text as Go reads it: the replacement character in the place of each half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _SURROGATE.search(text) else text
