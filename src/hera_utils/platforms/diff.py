"""Shows which fields of an object an apply would change. Pure; it never contains the values of a secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_ABSENT = object()
_IGNORED = ("status", "metadata.managedFields", "metadata.resourceVersion", "metadata.generation", "metadata.uid",
             "metadata.creationTimestamp", "apiVersion", "kind")  # fmt: skip
_LONGEST = 60  # characters of a value


@dataclass(frozen=True)
class FieldDiff:
    """One difference. before, after: None if the field does not exist on that side."""

    path: str
    before: str | None
    after: str | None

    def line(self) -> str:
        if self.before is None:
            return f"+ {self.path}: {self.after}"
        if self.after is None:
            return f"- {self.path}: {self.before}"
        return f"~ {self.path}: {self.before} → {self.after}"


def difference(before: Json, after: Json) -> list[FieldDiff]:
    """The fields that an apply would change; of the values of a Secret only whether they differ."""
    secret = before.get("kind") == "Secret" or after.get("kind") == "Secret"
    return list(_fields(before, after, "", secret))


def _fields(before: Any, after: Any, path: str, secret: bool) -> Iterator[FieldDiff]:
    if path in _IGNORED:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            here = f"{path}.{key}" if path else key
            yield from _fields(before.get(key, _ABSENT), after.get(key, _ABSENT), here, secret)
    elif isinstance(before, dict) and after is _ABSENT:
        for key, value in before.items():
            yield from _fields(value, _ABSENT, f"{path}.{key}", secret)
    elif isinstance(after, dict) and before is _ABSENT:
        for key, value in after.items():
            yield from _fields(_ABSENT, value, f"{path}.{key}" if path else key, secret)
    elif before != after:
        display = _mask if secret and path.partition(".")[0] in ("data", "stringData") else _display
        was, will = display(before), display(after)
        yield FieldDiff(path, was, "(another value, not shown)" if will == was else will)


def _display(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _mask(value: Any) -> str | None:
    return None if value is _ABSENT else "(not shown)"
