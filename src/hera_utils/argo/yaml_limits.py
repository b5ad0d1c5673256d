"""Reads foreign YAML with limits on its size, its depth and its repetition by aliases.

PyYAML has no limits: its C reader crashes the process for deeply nested lists, its Python reader takes minutes for a few megabytes, and
ten lines of aliases become gigabytes when they are written out.
"""

from __future__ import annotations

from typing import Any

import yaml

from hera_utils.argo.kubernetes_yaml import Loader

MOST_EVENTS = 200_000
"""Starts and ends of values, which corresponds to some megabytes of text. Kubernetes accepts 3 MiB per request."""
MOST_OF_A_FILE = 20_000_000
"""Events of a file on this machine, which may contain the values of many points."""
MOST_DEPTH = 100


def parse(text: str | bytes) -> Any:
    """The value of a document. Raises yaml.YAMLError, also for a document that is too large, and ValueError."""
    check_limits(text)
    return yaml.load(text, Loader)


def parse_all(text: str | bytes) -> list[Any]:
    """The values of a stream of documents, without empty ones. Raises as parse does."""
    check_limits(text)
    return [document for document in yaml.load_all(text, Loader) if document is not None]


def parse_first(text: str | bytes) -> Any:
    """The value of the first document; the others are not read, as in Go. Raises as parse does."""
    check_limits(text)
    return next(iter(yaml.load_all(text, Loader)), None)


def parse_as_pyyaml(text: str) -> Any:
    """The value of a project's file, by PyYAML's own rules. Raises as parse does."""
    check_limits(text, MOST_OF_A_FILE)
    return yaml.safe_load(text)


def check_limits(text: str | bytes, most: int = MOST_EVENTS) -> None:
    """Raise yaml.YAMLError for a document beyond the limits. Only its events are read; no value is created."""
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
