"""The choice of the display of a followed run: in a notebook, in a terminal, or line by line.

The caller passes the console: this room decides what is written, the command line decides where.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from hera_utils.watch.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from hera_utils.watch.terminal import Lines


class Display(Protocol):
    """Shows one run. `close` leaves the last state on the screen."""

    def update(self, progress: Progress) -> None: ...

    def close(self) -> None: ...


def display_for(console: Console | Lines, clock: Callable[[], float] = time.time) -> Display:
    """The display for this environment: a notebook's, live on a terminal, plain lines in a pipe or a dumb terminal."""
    if _in_notebook():
        from hera_utils.watch.notebook import NotebookDisplay

        return NotebookDisplay(clock)
    from hera_utils.watch.terminal import LineDisplay, Lines, LiveDisplay

    if isinstance(console, Lines) or not console.is_terminal or console.is_dumb_terminal:
        return LineDisplay(console, clock)
    return LiveDisplay(console, clock)


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel. IPython is not imported for this check."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
