"""YAML that others wrote, read within bounds: so large, so deep, so much repeated by aliases, and no more.

PyYAML has no bounds of its own: its reader in C ends the process when lists are nested deep enough, its reader in Python takes minutes
for a few megabytes, and ten lines of aliases are a document of gigabytes once somebody writes it.
"""

from __future__ import annotations

from typing import Any

import yaml

from hera_utils.argo.kubernetes_yaml import Loader

MOST_EVENTS = 200_000
"""Beginnings and ends of values: some megabytes of text. Kubernetes takes 3 MiB of any request."""
MOST_OF_A_FILE = 20_000_000
"""Of a file on this machine, which may hold the values of many points."""
MOST_DEPTH = 100


def parse(text: str | bytes) -> Any:
    """The value of a document. Raises yaml.YAMLError, also for one that is too large, and ValueError."""
    check(text)
    return yaml.load(text, Loader)


def parse_all(text: str | bytes) -> list[Any]:
    """The values of a stream of documents, without empty ones. Raises as parse does."""
    check(text)
    return [one for one in yaml.load_all(text, Loader) if one is not None]


def first(text: str | bytes) -> Any:
    """The value of the first document. The others are not looked at, as Go does. Raises as parse does."""
    check(text)
    return next(iter(yaml.load_all(text, Loader)), None)


def plain(text: str) -> Any:
    """The value of a file of a project, as YAML has it. Raises as parse does."""
    check(text, MOST_OF_A_FILE)
    return yaml.safe_load(text)


def check(text: str | bytes, most: int = MOST_EVENTS) -> None:
    """Raise yaml.YAMLError for a document beyond the bounds. Only its events are looked at: no value is made."""
    sizes: dict[str, int] = {}
    open_values: list[tuple[str | None, int]] = []
    expanded = 0
    for written, event in enumerate(yaml.parse(text, Loader)):
        if written > most:
            raise yaml.YAMLError("yaml: document is too large")
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            expanded += sizes.get(anchor or "", 1)
            if expanded > most:
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
