"""The sentence after Ctrl-C or a deadline: the runs continue, and which commands come back to them."""

from __future__ import annotations

from collections.abc import Sequence


def how_to_come_back(commands: Sequence[str], *, stop: str = "") -> str:
    """One sentence. commands: one for each run. stop: the command that ends the run."""
    goes = "the run continues" if len(commands) == 1 else "the runs continue"
    return f"{goes}; come back with: {'; '.join(commands)}{f'   (end it with: {stop})' if stop else ''}"
