"""YAML that others wrote, read within bounds: so large, so deep, so much repeated by aliases, and no more.

PyYAML has no bounds of its own: its reader in C ends the process when lists are nested deep enough, its reader in Python takes minutes
for a few megabytes, and ten lines of aliases are a document of gigabytes once somebody writes it.
"""

from __future__ import annotations

from typing import Any

import yaml

MOST_EVENTS = 200_000
"""Beginnings and ends of values: some megabytes of text. Kubernetes takes 3 MiB of any request."""
MOST_DEPTH = 100


class LoaderWithoutDates(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a date stays a text."""


LoaderWithoutDates.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str | bytes, loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader) -> Any:
    """The value of a document. Raises yaml.YAMLError, also for one that is too large, and ValueError."""
    _check(text, loader)
    return yaml.load(text, loader)


def parse_all(text: str | bytes) -> list[Any]:
    """The values of a stream of documents, without empty ones. Raises as parse does."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    _check(text, loader)
    return [one for one in yaml.load_all(text, loader) if one is not None]


def first(text: str | bytes) -> Any:
    """The value of the first document. The others are not looked at, as Go does. Raises as parse does."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    _check(text, loader)
    return next(iter(yaml.load_all(text, loader)), None)


def _check(text: str | bytes, loader: Any) -> None:
    """Raise yaml.YAMLError for a document beyond the bounds. Only its events are looked at: no value is made."""
    sizes: dict[str, int] = {}
    open_values: list[tuple[str | None, int]] = []
    expanded = 0
    for written, event in enumerate(yaml.parse(text, loader)):
        if written > MOST_EVENTS:
            raise yaml.YAMLError("yaml: document is too large")
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            expanded += sizes.get(anchor or "", 1)
            if expanded > MOST_EVENTS:
                raise yaml.YAMLError("yaml: document contains excessive aliasing")
        elif isinstance(event, yaml.CollectionStartEvent):
            open_values.append((anchor, expanded))
            expanded += 1
            if len(open_values) > MOST_DEPTH:
                raise yaml.YAMLError(f"yaml: exceeded max depth of {MOST_DEPTH}")
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = open_values.pop()
            if name is not None:
                sizes[name] = expanded - before
        else:
            expanded += 1
