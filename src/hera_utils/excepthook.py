"""Shows an uncaught error of a script as a sentence. Outside the command line, only this module writes to stderr.

A library must raise, and a researcher should not have to read a traceback. So errors are exceptions that a script may catch, and the
interpreter's excepthook prints uncaught ones. It also explains errors of servers that Hera raises (platforms/hera_errors.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from hera_utils.errors import HeraUtilsError

_INTERRUPTED = 130


def install_excepthook() -> None:
    """Install the excepthook: an uncaught HeraUtilsError prints one sentence with its fix and sets its exit status."""
    before = sys.excepthook
    if getattr(before, "tells_in_a_sentence", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt) and not hasattr(sys, "ps1"):  # a prompt outlives Ctrl-C
            # The engine's Detached says that the run continues, and how to follow it again.
            sys.stderr.write(f"\n{str(error) or 'interrupted'}\n")
            raise SystemExit(_INTERRUPTED)
        mistake = error if isinstance(error, HeraUtilsError) else _explain_error(error)
        if mistake is None:
            trace = users_frames(trace)
            before(kind, error.with_traceback(trace), trace)
            return
        sys.stderr.write(sentence_of_error(mistake, where=place_in_the_experiment(trace)))
        sys.stderr.flush()
        raise SystemExit(mistake.exit_status)  # Python ends with the status of a SystemExit that its last hook raises

    hook.tells_in_a_sentence = True  # type: ignore[attr-defined]
    sys.excepthook = hook


def _explain_error(error: BaseException) -> HeraUtilsError | None:
    # Imported here because it imports the client and most scripts succeed.
    from hera_utils.platforms.hera_errors import (
        explain_error,
    )

    return explain_error(error)


def users_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of hera_utils between the user's script and the user's function that hera_utils called.

    Frames of hera_utils that this function called (a point's attribute) stay. The whole traceback if the error is not in such a function.
    """
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    end = len(frames)
    while end and _is_frame_of_hera_utils(frames[end - 1]):
        end -= 1
    ours = [number for number, frame in enumerate(frames[:end]) if _is_frame_of_hera_utils(frame)]
    if ours and (
        end == len(frames) or not (_is_frame_of_python(frames[end - 1]) or _is_frame_of_package(frames[end - 1]))
    ):
        frames = frames[: ours[0]] + frames[ours[-1] + 1 :]
    users: TracebackType | None = None
    for frame in reversed(frames):
        users = TracebackType(users, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return users


def _is_frame_of_hera_utils(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "hera_utils"


def _is_frame_of_python(trace: TracebackType) -> bool:
    """Whether a frame is of the standard library (a cached property, a context manager), through which hera_utils calls itself."""
    return os.path.dirname(trace.tb_frame.f_code.co_filename) == os.path.dirname(os.__file__)


def _is_frame_of_package(trace: TracebackType) -> bool:
    """Whether a frame is of an installed library, such as Hera, which may call hera_utils, too."""
    return "site-packages" in Path(trace.tb_frame.f_code.co_filename).parts


def place_in_the_experiment(trace: TracebackType | None) -> str:
    """`inputs.py, line 12: ` if a line of the user's code raised the error by an invalid description; "" if the engine found it."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    users = (
        number
        for number, frame in enumerate(frames)
        if not _is_frame_of_hera_utils(frame) and not _is_frame_of_python(frame)
    )
    last = max(users, default=-1)
    if last < 0 or last + 1 >= len(frames):
        return ""
    called = str(frames[last + 1].tb_frame.f_globals.get("__name__", ""))
    if not called.startswith("hera_utils.experiment."):
        return ""
    from hera_utils.platforms.hera_errors import place_of  # imported here, as above

    return place_of(frames[last].tb_frame, frames[last].tb_lineno)


def sentence_of_error(error: HeraUtilsError, *, where: str = "") -> str:
    """The text of an error with its fix and a final line break."""
    from hera_utils.terminal_text import visible  # imported here because most scripts succeed

    return visible(f"hera-utils: {where}{error}\n" + (f"  fix: {error.fix}\n" if error.fix else ""))


def first_words(error: BaseException) -> str:
    """The first line of an error's message; for pydantic's, which begins with a count, its first problem and place."""
    errors = getattr(error, "errors", None)
    if type(error).__name__ == "ValidationError" and callable(errors):
        first = errors()[0]
        where = ".".join(map(str, (getattr(error, "title", ""), *first["loc"])))
        return f"{where}: {first['msg']}"
    return next(iter(str(error).strip().splitlines()), "")
