"""The containers of a template, in all places where Argo allows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def containers_of(template: Json) -> Iterator[Json]:
    """All containers, including a script."""
    for part in ("container", "script"):
        if isinstance(template.get(part), dict):
            yield template[part]
    yield from containers_beside(template)


def containers_beside(template: Json) -> Iterator[Json]:
    """The containers of a container set, sidecars and init containers."""
    inside = (template.get("containerSet") or {}).get("containers") or ()
    yield from (*inside, *(template.get("sidecars") or ()), *(template.get("initContainers") or ()))
