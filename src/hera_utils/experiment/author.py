"""The author of an experiment, with ORCID and affiliation, as in publications."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hera_utils.errors import SettingsError

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])")


@dataclass(frozen=True)
class Author:
    """orcid: as 0000-0002-1825-0097 or as an address; kept as the address. affiliation: a university, an institute.

    Raises SettingsError for an ORCID whose check digit is wrong.
    """

    name: str
    orcid: str = ""
    affiliation: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise SettingsError(
                "an author has no name", fix='write Author("Ada Lovelace", orcid="0000-0002-1825-0097")'
            )
        if not self.orcid:
            return
        digits = _ORCID.fullmatch(self.orcid.strip())
        if digits is None or not _has_valid_checksum(digits[1]):
            raise SettingsError(
                f"`{self.orcid}` is not an ORCID ({self.name})",
                fix="write it as in 0000-0002-1825-0097: the last digit checks it",
            )
        object.__setattr__(self, "orcid", f"https://orcid.org/{digits[1].upper()}")

    @classmethod
    def of_text(cls, text: str) -> Author:
        """`Ada Lovelace 0000-0002-1825-0097 (University of London)`: ORCID and affiliation may be left out."""
        rest, _, affiliation = text.partition("(")
        orcid = _ORCID.search(rest)
        name = rest if orcid is None else rest[: orcid.start()] + rest[orcid.end() :]
        return cls(" ".join(name.strip(" <>").split()), orcid[0] if orcid else "", affiliation.strip(" )"))

    @property
    def text(self) -> str:
        """The text that `of_text` reads."""
        orcid = f" {self.orcid.rpartition('/')[2]}" if self.orcid else ""
        return f"{self.name}{orcid}{f' ({self.affiliation})' if self.affiliation else ''}"


def authors_of(authors: str | Author | Iterable[str | Author]) -> tuple[Author, ...]:
    """The authors that an experiment or the settings name; a text may name several, separated by `;`."""
    pieces = (
        authors.split(";") if isinstance(authors, str) else [authors] if isinstance(authors, Author) else list(authors)
    )
    return tuple(piece if isinstance(piece, Author) else Author.of_text(piece) for piece in pieces if piece)


def _has_valid_checksum(orcid: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO 7064, MOD 11-2)."""
    digits = orcid.replace("-", "").upper()
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]
