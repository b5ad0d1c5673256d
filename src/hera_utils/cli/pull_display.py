"""Shows the progress of an image's pull: on a terminal one line that is redrawn, in a pipe a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hera_utils.cli.terminal import console, symbols
from hera_utils.spans import size_in_words
from hera_utils.terminal_text import visible

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from hera_utils.images.pull import PullProgress

ASKS = "asks its registry"
_BAR = 24  # characters of the whole bar
_SHORTEST_PAUSE = 0.125  # seconds between two drawings on a terminal
_HEARTBEAT = 30.0  # seconds between two lines in a pipe


def progress_text(image: str, progress: PullProgress | None, bar: str, start: str = ASKS) -> str:
    """`python:3.13  ━━━━  12.0 MiB of 45.1 MiB`, then `python:3.13  unpacks layer 2 of 5`.

    bar: the character of the bar. start: the text before anything can be counted.
    """
    if progress is None or (progress.total == 0 and progress.layers == 0):
        return f"{image}  {start}"
    if progress.done < progress.total:
        length = _BAR * progress.done // progress.total
        return f"{image}  {bar * length}{' ' * (_BAR - length)}  {size_in_words(progress.done)} of {size_in_words(progress.total)}"
    return visible(f"{image}  {progress.unpacking}")


class PullDisplay:
    """A context manager; any thread may call `update`."""

    def __init__(self, image: str, start: str = ASKS) -> None:
        self._image, self._start, self._bar = image, start, symbols().bar
        self._console = console(stderr=True)
        self._progress: PullProgress | None = None
        self._live: Live | None = None
        self._last = time.monotonic()

    def __enter__(self) -> PullDisplay:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, progress: PullProgress) -> None:
        self._progress = progress
        now = time.monotonic()
        if self._live is not None:
            if now - self._last >= _SHORTEST_PAUSE:
                self._last = now
                self._live.refresh()
        elif now - self._last >= _HEARTBEAT:
            self._last = now
            self._console.print(progress_text(self._image, progress, self._bar, self._start))

    def _draw(self) -> Text:
        from rich.text import Text

        return Text(
            progress_text(self._image, self._progress, self._bar, self._start), no_wrap=True, overflow="ellipsis"
        )
