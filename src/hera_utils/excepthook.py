"""A script's uncaught mistake, told in a sentence. The one place outside the command line that writes to stderr.

A library must raise, and a researcher must not read a traceback: so the errors stay exceptions that a script may catch, and
only when nobody does, the interpreter's own last hook says them. What a server answered to Hera is said too (platforms/hera_errors.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from hera_utils.errors import HeraUtilsError

_INTERRUPTED = 130


def tell_mistakes_in_a_sentence() -> None:
    """From now on an uncaught HeraUtilsError is one sentence with its fix, and its exit status; others stay as they were."""
    before = sys.excepthook
    if getattr(before, "tells_in_a_sentence", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt) and not hasattr(sys, "ps1"):  # a prompt outlives Ctrl-C
            # the engine's says that the run goes on, and how to come back
            sys.stderr.write(f"\n{str(error) or 'interrupted'}\n")
            raise SystemExit(_INTERRUPTED)
        mistake = error if isinstance(error, HeraUtilsError) else _explained(error)
        if mistake is None:
            trace = users_frames(trace)
            before(kind, error.with_traceback(trace), trace)
            return
        sys.stderr.write(sentence(mistake, where=place_in_the_experiment(trace)))
        sys.stderr.flush()
        raise SystemExit(mistake.exit_status)  # Python ends with the status of a SystemExit that its last hook raises

    hook.tells_in_a_sentence = True  # type: ignore[attr-defined]
    sys.excepthook = hook


def _explained(error: BaseException) -> HeraUtilsError | None:
    from hera_utils.platforms.hera_errors import explained  # late: it brings the client, and most scripts end well

    return explained(error)


def users_frames(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames between the user's script and the user's function that we called: as if the one had called the
    other. What this function called of ours (a point's attribute) stays. The whole when the mistake is not in what we called.
    """
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    end = len(frames)
    while end and _is_ours(frames[end - 1]):
        end -= 1
    ours = [number for number, frame in enumerate(frames[:end]) if _is_ours(frame)]
    if ours and (end == len(frames) or not (_is_pythons(frames[end - 1]) or _is_installed(frames[end - 1]))):
        frames = frames[: ours[0]] + frames[ours[-1] + 1 :]
    users: TracebackType | None = None
    for frame in reversed(frames):
        users = TracebackType(users, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return users


def _is_ours(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "hera_utils"


def _is_pythons(trace: TracebackType) -> bool:
    """Whether a frame is of Python's own library (a cached property, a context), through which we call ourselves."""
    return os.path.dirname(trace.tb_frame.f_code.co_filename) == os.path.dirname(os.__file__)


def _is_installed(trace: TracebackType) -> bool:
    """Whether a frame is of a library, such as Hera, which may call us too."""
    return "site-packages" in Path(trace.tb_frame.f_code.co_filename).parts


def place_in_the_experiment(trace: TracebackType | None) -> str:
    """`inputs.py, line 12: ` where a line of the user's own describes what cannot be; empty where the engine found it out."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    users = (number for number, frame in enumerate(frames) if not _is_ours(frame) and not _is_pythons(frame))
    last = max(users, default=-1)
    if last < 0 or last + 1 >= len(frames):
        return ""
    called = str(frames[last + 1].tb_frame.f_globals.get("__name__", ""))
    if not called.startswith("hera_utils.experiment."):
        return ""
    from hera_utils.platforms.hera_errors import place_of  # late, as above

    return place_of(frames[last].tb_frame, frames[last].tb_lineno)


def sentence(error: HeraUtilsError, *, where: str = "") -> str:
    """An error as people read it, with its fix and a final line break."""
    from hera_utils.terminal_text import visible  # late: most scripts end well

    return visible(f"hera-utils: {where}{error}\n" + (f"  fix: {error.fix}\n" if error.fix else ""))


def first_words(error: BaseException) -> str:
    """The first line of what an error says; of pydantic's, which begins with a count, what is wrong first and where."""
    errors = getattr(error, "errors", None)
    if type(error).__name__ == "ValidationError" and callable(errors):
        first = errors()[0]
        where = ".".join(map(str, (getattr(error, "title", ""), *first["loc"])))
        return f"{where}: {first['msg']}"
    return next(iter(str(error).strip().splitlines()), "")
