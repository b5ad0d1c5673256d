"""Finds the texts of a JSON document that contain a mark, once, and replaces them any number of times.

Parts without such texts are not copied, so ten thousand templates that differ in one argument share all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Note = Callable[[str], Any]
"""text → the note: data that the replacement of the text needs."""
Write = Callable[[str, Any], str]
"""(text, its note) → the new text."""


class TextPlace(NamedTuple):
    note: Any


class Inside(NamedTuple):
    """For a list or mapping: the keys whose values contain such texts."""

    places: list[tuple[Any, Place]]


class Keys(NamedTuple):
    """For a mapping with a key that is replaced itself: all its entries, in order."""

    entries: list[tuple[str, TextPlace | None, Place | None]]


Place = TextPlace | Inside | Keys


def places(document: Any, mark: str, note: Note) -> Place | None:
    """The places of texts with the mark in a document; None if it has none."""
    if isinstance(document, str):
        return TextPlace(note(document)) if mark in document else None
    entries: Iterable[tuple[Any, Any]]
    if isinstance(document, dict):
        if mark in "".join(map(str, document)):  # keys from YAML may not be texts
            return Keys([(key, places(key, mark, note), places(value, mark, note)) for key, value in document.items()])  # type: ignore[misc]
        entries = document.items()
    elif isinstance(document, list | tuple):
        entries = enumerate(document)
    else:
        return None
    inside: list[tuple[Any, Place]] = []
    for key, value in entries:
        if isinstance(value, str):  # handled here, as most values are texts and a call for each would be slow
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
    """The document with new texts in these places, in its order; the document itself if no text changed."""
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
