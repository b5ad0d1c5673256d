"""A script's uncaught mistake, told in a sentence. The one place outside the command line that writes to stderr.

A library must raise, and a researcher must not read a traceback: so the errors stay exceptions that a script may catch, and
only when nobody does, the interpreter's own last hook says them.
"""

from __future__ import annotations

import sys
from types import TracebackType

from hera_utils.errors import HeraUtilsError

_INTERRUPTED = 130


def tell_mistakes_in_a_sentence() -> None:
    """From now on an uncaught HeraUtilsError is one sentence with its fix, and its exit status; others stay as they were."""
    before = sys.excepthook
    if getattr(before, "tells_in_a_sentence", False):
        return

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt) and str(error):  # the engine's: the run goes on, and how to come back
            sys.stderr.write(f"\n{error}\n")
            raise SystemExit(_INTERRUPTED)
        if not isinstance(error, HeraUtilsError):
            before(kind, error, trace)
            return
        sys.stderr.write(sentence(error))
        sys.stderr.flush()
        raise SystemExit(error.exit_status)  # Python ends with the status of a SystemExit that its last hook raises

    hook.tells_in_a_sentence = True  # type: ignore[attr-defined]
    sys.excepthook = hook


def sentence(error: HeraUtilsError) -> str:
    """An error as people read it, with its fix and a final line break."""
    return f"hera-utils: {error}\n" + (f"  fix: {error.fix}\n" if error.fix else "")
