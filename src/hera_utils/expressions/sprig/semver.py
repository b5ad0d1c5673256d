"""Versions and constraints as Masterminds/semver 3 reads them: `sprig.semver`, `sprig.semverCompare`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hera_utils.expressions.values import Failure, Function

_VERSION = re.compile(
    r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?"
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?\Z"
)

LONGEST = 256  # characters of a version and of a constraint, as Masterminds/semver 3.4 bounds versions


@dataclass(frozen=True)
class Version:
    """A semver.Version; its methods are what Go exports."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    metadata: str = ""
    original: str = ""
    go_type = "*semver.Version"

    def __str__(self) -> str:
        version_text = f"{self.major}.{self.minor}.{self.patch}"
        version_text += f"-{self.prerelease}" if self.prerelease else ""
        return version_text + (f"+{self.metadata}" if self.metadata else "")

    def json(self) -> str:
        return str(self)

    @property
    def order(self) -> tuple[Any, ...]:
        """A key that sorts as semver does."""
        return self.major, self.minor, self.patch, *_prerelease_order(self.prerelease)

    def member(self, name: str) -> Function | None:
        members: dict[str, Any] = {
            "Major": lambda: self.major,
            "Minor": lambda: self.minor,
            "Patch": lambda: self.patch,
            "Prerelease": lambda: self.prerelease,
            "Metadata": lambda: self.metadata,
            "Original": lambda: self.original,
            "String": lambda: str(self),
            "Compare": lambda other: (self.order > other.order) - (self.order < other.order),
            "Equal": lambda other: self.order == other.order,
            "LessThan": lambda other: self.order < other.order,
            "GreaterThan": lambda other: self.order > other.order,
            "IncMajor": lambda: Version(self.major + 1, 0, 0),
            "IncMinor": lambda: Version(self.major, self.minor + 1, 0),
            "IncPatch": lambda: Version(self.major, self.minor, self.patch + (0 if self.prerelease else 1)),
        }
        call = members.get(name)
        return Function(name, call) if call else None


def _prerelease_order(text: str) -> tuple[Any, ...]:
    if not text:
        return (1,)
    return 0, tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in text.split("."))


def _refuse_long(text: str) -> None:
    """Raise Failure for a long text, because the time of the patterns grows faster than the length, and real versions are short."""
    if len(text) > LONGEST:
        raise Failure(f"version string length is greater than {LONGEST} bytes")


@lru_cache(maxsize=256)
def version(text: str) -> Version:
    """Parse a version, also an incomplete one ("v1.2"). Raises Failure."""
    _refuse_long(text)
    match = _VERSION.match(text)
    if match is None:
        raise Failure("invalid semantic version")
    major, minor, patch = match.group(1), (match.group(2) or ".0")[1:], (match.group(3) or ".0")[1:]
    if match.group(5) and any(
        len(part) > 1 and part.isdecimal() and part[0] == "0" for part in match.group(5).split(".")
    ):
        raise Failure("version segment starts with 0")
    return Version(int(major), int(minor), int(patch), match.group(5) or "", match.group(8) or "", text)


_PART = r"([vV]?[0-9]+|[xX*])(?:\.([0-9]+|[xX*]))?(?:\.([0-9]+|[xX*]))?(?:-([0-9A-Za-z\-.]+))?(?:\+[0-9A-Za-z\-.]+)?"
_TERM = re.compile(r"\s*(>=|=>|<=|=<|!=|~>|=|>|<|~|\^|)\s*" + _PART)
_RANGE = re.compile(r"\s*" + _PART + r"\s+-\s+" + _PART)


@dataclass(frozen=True)
class _Term:
    operator: str
    low: Version
    dirty: str  # which part is a wildcard or missing: "" | major | minor | patch


@lru_cache(maxsize=256)
def _constraint(text: str) -> tuple[tuple[_Term, ...], ...]:
    _refuse_long(text)
    text = _RANGE.sub(lambda span: f">={_spell_version(span, 1)},<={_spell_version(span, 5)}", text)
    groups = []
    for alternative in text.split("||"):
        terms: list[_Term] = []
        at = 0
        while at < len(alternative):
            separator = re.compile(r"[\s,]+").match(alternative, at)
            if separator and separator.end() == len(alternative):
                break
            at = separator.end() if separator and terms else at
            found = _TERM.match(alternative, at)
            if found is None:
                raise Failure(f"improper constraint: {text}")
            terms.append(_term(found))
            at = found.end()
            if at < len(alternative) and alternative[at] not in " ,\t":
                raise Failure(f"improper constraint: {text}")
        if not terms:
            raise Failure(f"improper constraint: {text}")
        groups.append(tuple(terms))
    return tuple(groups)


def _spell_version(match: re.Match[str], first: int) -> str:
    parts = [match.group(first), match.group(first + 1), match.group(first + 2)]
    return ".".join(part for part in parts if part) + (f"-{match.group(first + 3)}" if match.group(first + 3) else "")


def _term(match: re.Match[str]) -> _Term:
    numbers, dirty = [], ""
    for name, part in zip(("major", "minor", "patch"), match.groups()[1:4], strict=True):
        if dirty or part is None or part in "xX*":
            dirty = dirty or name
            numbers.append(0)
        else:
            numbers.append(int(part.lstrip("vV")))
    return _Term(match.group(1), Version(numbers[0], numbers[1], numbers[2], match.group(5) or ""), dirty)


def compare(constraint: str, text: str) -> bool:
    """Whether the version satisfies the constraint. Raises Failure."""
    groups = _constraint(constraint)
    checked = version(text)
    return any(all(_satisfies(term, checked) for term in terms) for terms in groups)


def _satisfies(term: _Term, checked: Version) -> bool:
    low, order = term.low, checked.order
    if checked.prerelease and not low.prerelease and term.operator not in ("!=",):
        return False
    operator = {"=>": ">=", "=<": "<=", "~>": "~"}.get(term.operator, term.operator)
    if operator in ("", "="):
        return _tilde(term, checked) if term.dirty else order == low.order
    if operator == "!=":
        return not (_tilde(term, checked) if term.dirty else order == low.order)
    if operator == ">":
        return order > low.order if not term.dirty else order >= low.order and not _tilde(term, checked)
    if operator == ">=":
        return order >= low.order
    if operator == "<":
        return order < low.order
    if operator == "<=":
        return order <= low.order or (bool(term.dirty) and _tilde(term, checked))
    return _tilde(term, checked) if operator == "~" else _caret(term, checked)


def _tilde(term: _Term, checked: Version) -> bool:
    if term.dirty == "major":
        return True
    if checked.order < term.low.order or checked.major != term.low.major:
        return False
    return term.dirty == "minor" or checked.minor == term.low.minor


def _caret(term: _Term, checked: Version) -> bool:
    low = term.low
    if term.dirty == "major":
        return True
    if checked.order < low.order or checked.major != low.major:
        return False
    if low.major > 0 or term.dirty == "minor":
        return True
    if checked.minor != low.minor:
        return False
    return low.minor > 0 or term.dirty == "patch" or checked.patch == low.patch
