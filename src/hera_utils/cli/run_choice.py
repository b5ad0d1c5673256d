"""Finds the existing name that a typed name means. Pure.

A typed name is an existing name, or the beginning of exactly one, or counts back from the newest: @latest~N among all names,
fit@latest~N among those that begin with `fit`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from hera_utils.errors import ResourceError
from hera_utils.wording import counted, first_of

LATEST = "@latest"
_MOST_NAMED = 5
_back = re.compile(r"(.*)@latest(?:~([0-9]+))?")


def is_relative(typed: str) -> bool:
    """Whether a typed name counts back from the newest run (@latest, fit@latest). No run's own name has an @."""
    return typed.startswith("@") or _back.fullmatch(typed) is not None


def choose_name(
    typed: str, names: Sequence[str], *, where: str = "", listing: str = "hera-utils ls", whole: bool = False
) -> str:
    """The name of `names` (the newest first) that the typed one means. Raises ResourceError, with similar names, if there is none.

    where: the words after "there is no run NAME". listing: the command that lists the names. whole: the beginning of a name is not
    enough, because the action cannot be undone.
    """
    if is_relative(typed):
        return _count_back(typed, names, where, listing)
    if typed in names:
        return typed
    beginning = [name for name in names if typed and name.startswith(typed)]
    if len(beginning) == 1 and not whole:
        return beginning[0]
    if len(beginning) > 1:
        raise ResourceError(
            f"{len(beginning)} runs begin with {typed}: {first_of(beginning, _MOST_NAMED)}",
            fix=f"write more of the name; the newest of them is {typed}@latest, the one before it {typed}@latest~1",
        )
    near = beginning or get_close_matches(typed, names, 1, 0.6)
    advice = f"did you mean {near[0]}? " if near else ""
    whole_name = "a name is needed in full here; " if beginning else ""
    raise ResourceError(f"there is no run {typed}{where}", fix=f"{advice}{whole_name}the runs are listed by: {listing}")


def _count_back(typed: str, names: Sequence[str], where: str, listing: str) -> str:
    form = _back.fullmatch(typed)
    if form is None:
        near = f"did you mean {LATEST}? " if get_close_matches(typed, [LATEST], 1, 0.6) else ""
        raise ResourceError(
            f"{typed} names no run", fix=f"{near}the newest run is {LATEST}, the one before it {LATEST}~1"
        )
    beginning, back = form[1], int(form[2] or 0)
    names = [name for name in names if name.startswith(beginning)]
    if beginning and not names:
        raise ResourceError(f"no run{where} begins with {beginning}", fix=f"the runs are listed by: {listing}")
    if back < len(names):
        return names[back]
    if not names:
        raise ResourceError(f"there is no run{where}", fix="start one with: hera-utils run SCRIPT")
    raise ResourceError(
        f"{typed} goes back further than the {counted(len(names), 'run')}{where}",
        fix=f"the oldest is {beginning}{LATEST}~{len(names) - 1}; they are listed by: {listing}",
    )
