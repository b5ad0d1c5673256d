"""Puts numbers, lists, paths, mistyped names and system errors into sentences."""

from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["counted", "did_you_mean", "first_of", "from_here", "listed", "system_reason"]


def counted(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 point`, `2 points`. nouns: the plural if it is not the noun with an s."""
    return f"{count} {noun if count == 1 else nouns or f'{noun}s'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean `beta`?`, the end of a sentence about an unknown name; "" if no known name is similar."""
    from difflib import get_close_matches  # needed for mistakes only

    near = get_close_matches(name, list(names), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def first_of(words: Sequence[str], most: int = 1) -> str:
    """`a`, `a and 2 more`; with more of them `a, b, c and 2 more`."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return f"{', '.join(words[:most])}{more}"


def from_here(path: Path) -> str:
    """The path for pasting: relative to the working directory if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = list(words) or [""]
    return f"{', '.join(before)} and {last}" if before else last


def system_reason(error: OSError) -> str:
    """The system's reason, such as `no space left on device`, for the parentheses of a sentence. Some OSErrors have only a text."""
    return (error.strerror or str(error)).lower()
