"""The items of a loop, as Argo's Item type has them: JSON text that stays as it was written (1e-3 is not 0.001).

Source: pkg/apis/workflow/v1alpha1/item.go, workflow/controller/operator.go (processItem).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hera_utils.argo import gojson
from hera_utils.expressions.gotext import json_string, to_json

_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_INT64 = 1 << 63
_SURROGATE = re.compile("[\ud800-\udfff]")


class Item:
    """raw: JSON that has been checked."""

    __slots__ = ("raw",)

    def __init__(self, raw: str) -> None:
        self.raw = gojson.compact(raw)

    @classmethod
    def of(cls, value: Any) -> Item:
        """The item that a value of a stored document is: Kubernetes has read and written its numbers."""
        return cls(to_json(_stored(value), html=False))

    @property
    def text(self) -> str:
        """How it prints: a text keeps JSON's escapes but not its quotes, everything else is its JSON."""
        unescaped = self.json.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
        return unescaped[1:-1] if unescaped.startswith('"') else unescaped

    @property
    def json(self) -> str:
        """Its JSON as Go writes it again."""
        text = self.raw
        for letter, escaped in _HTML.items():
            if letter in text:
                text = text.replace(letter, escaped)
        return text

    def variables(self) -> Iterator[tuple[str, str]]:
        """`item` and `item.KEY`, with the texts that stand for them."""
        if self.raw.startswith('"'):
            yield "item", _decoded(self.raw)
        elif self.raw.startswith("{"):
            members = {_well_formed(key): Item(value) for key, value in gojson.members(self.raw).items()}
            for key, value in members.items():
                yield f"item.{key}", value.text
            parts = (f"{json_string(key)}:{members[key].json}" for key in sorted(members))
            yield "item", "{" + ",".join(parts) + "}"
        else:
            yield "item", self.json

    def display(self) -> str:
        """How it stands in the name of its node."""
        if self.raw.startswith("{"):
            members = gojson.members(self.raw).items()
            text = ",".join(sorted(f"{_well_formed(key)}:{Item(value).text}" for key, value in members))
        elif self.raw == "null":  # to Argo a list without elements
            text = "[]"
        elif self.raw.startswith("["):
            text = "[" + " ".join(Item(element).text for element in gojson.elements(self.raw)) + "]"
        else:
            text = self.text
        return text.replace("(", "").replace(")", "")


def _stored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stored(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_stored(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        return float(value)
    return value


def _decoded(raw: str) -> str:
    return _well_formed(json.loads(raw))


def _well_formed(text: str) -> str:
    """Half a surrogate pair is no character: as Go reads it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _SURROGATE.search(text) else text
