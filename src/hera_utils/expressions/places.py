"""The texts of a JSON document that are replaced: found once, then replaced any number of times.

What has none of them in it is not copied: ten thousand templates that differ in one argument have all the rest in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Note = Callable[[str], Any]
"""Notes of a text what is to be known in order to replace it."""
Write = Callable[[str, Any], str]
"""(text, the note of it) → the text in its place."""


class TextPlace(NamedTuple):
    note: Any


class Inside(NamedTuple):
    """Of a list or mapping: the keys whose values have such texts."""

    places: list[tuple[Any, Place]]


class Keys(NamedTuple):
    """Of a mapping of which a key itself is replaced: all that it has, in order."""

    entries: list[tuple[str, TextPlace | None, Place | None]]


Place = TextPlace | Inside | Keys


def places(document: Any, mark: str, note: Note) -> Place | None:
    """Where a document has texts with a mark in them; None when it has none."""
    if isinstance(document, str):
        return TextPlace(note(document)) if mark in document else None
    entries: Iterable[tuple[Any, Any]]
    if isinstance(document, dict):
        if mark in "".join(map(str, document)):  # YAML has keys that are no texts
            return Keys([(key, places(key, mark, note), places(value, mark, note)) for key, value in document.items()])  # type: ignore[misc]
        entries = document.items()
    elif isinstance(document, list | tuple):
        entries = enumerate(document)
    else:
        return None
    inside: list[tuple[Any, Place]] = []
    for key, value in entries:
        if isinstance(value, str):  # most are: no call for each
            if mark in value:
                inside.append((key, TextPlace(note(value))))
        elif value and (place := places(value, mark, note)) is not None:
            inside.append((key, place))
    return Inside(inside) if inside else None


def notes(place: Place | None) -> Iterator[Any]:
    """The notes at a place and below it, in the document's order."""
    if isinstance(place, TextPlace):
        yield place.note
    elif isinstance(place, Keys):
        for _, own, below in place.entries:
            yield from notes(own)
            yield from notes(below)
    elif isinstance(place, Inside):
        for _, below in place.places:
            yield from notes(below)


def fill(document: Any, place: Place, write: Write) -> Any:
    """The document with other texts in those places, in its order; the document itself when none is another."""
    if isinstance(place, TextPlace):
        return write(document, place.note)
    if isinstance(place, Keys):
        pairs = []
        for key, own, below in place.entries:
            name = key if own is None else write(key, own.note)
            value = document[key]
            pairs.append((name, value if below is None else fill(value, below, write)))
        return dict(pairs)
    filled = document
    for key, below in place.places:
        value = document[key]
        new = fill(value, below, write)
        if new is not value:
            if filled is document:
                filled = dict(document) if isinstance(document, dict) else list(document)
            filled[key] = new
    return filled
