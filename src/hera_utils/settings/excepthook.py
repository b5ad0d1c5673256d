"""A script's uncaught mistake, told in a sentence. The one place outside the command line that writes to stderr.

A library must raise, and a researcher must not read a traceback: so the errors stay exceptions that a script may catch, and
only when nobody does, the interpreter's own last hook says them. It also says what a server answered to Hera, in whose errors the
sentence stands at the end of sixty lines.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

from hera_utils.argo.faults import platform_fault
from hera_utils.errors import AccessError, HeraUtilsError, InvalidWorkflow, PlatformError, SettingsError
from hera_utils.settings.hera_changes import change_behind

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
        told = error if isinstance(error, HeraUtilsError) else of_hera(error, trace)
        if told is None:
            shown = users_frames(trace)
            before(kind, error.with_traceback(shown), shown)
            return
        sys.stderr.write(sentence(told, where=place_in_the_experiment(trace)))
        sys.stderr.flush()
        raise SystemExit(told.exit_status)  # Python ends with the status of a SystemExit that its last hook raises

    hook.tells_in_a_sentence = True  # type: ignore[attr-defined]
    sys.excepthook = hook


def users_frames(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames between the user's script and the user's function that we called: as if the one had called the
    other. The whole when the mistake is not in what we called.
    """
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    ours = [number for number, frame in enumerate(frames) if _is_ours(frame)]
    if ours and ours[-1] < len(frames) - 1:
        frames = frames[: ours[0]] + frames[ours[-1] + 1 :]
    made: TracebackType | None = None
    for frame in reversed(frames):
        made = TracebackType(made, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return made


def _is_ours(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == "hera_utils"


def place_in_the_experiment(trace: TracebackType | None) -> str:
    """`inputs.py, line 12: ` where a line of the user's own describes what cannot be; empty where the engine found it out."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    last = max((number for number, frame in enumerate(frames) if not _is_ours(frame)), default=-1)
    if last < 0 or last + 1 >= len(frames):
        return ""
    called = str(frames[last + 1].tb_frame.f_globals.get("__name__", ""))
    if not called.startswith("hera_utils.experiment."):
        return ""
    file = Path(frames[last].tb_frame.f_code.co_filename)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown}, line {frames[last].tb_lineno}: "


def sentence(error: HeraUtilsError, *, where: str = "") -> str:
    """An error as people read it, with its fix and a final line break."""
    return f"hera-utils: {where}{error}\n" + (f"  fix: {error.fix}\n" if error.fix else "")


def first_words(error: BaseException) -> str:
    """The first line of what an error says; of pydantic's, which begins with a count, what is wrong first and where."""
    errors = getattr(error, "errors", None)
    if type(error).__name__ == "ValidationError" and callable(errors):
        first = errors()[0]
        where = ".".join(map(str, (getattr(error, "title", ""), *first["loc"])))
        return f"{where}: {first['msg']}"
    return next(iter(str(error).strip().splitlines()), "")


def of_hera(error: BaseException, trace: TracebackType | None) -> HeraUtilsError | None:
    """What Hera's error means, when it is what a server answered, or that none did, or that Hera has dropped a call; None for every
    other error.
    """
    where = _line_of_the_script(trace)
    kinds = [(kind.__module__, kind.__name__) for kind in type(error).__mro__]
    if any(module.startswith("hera.exceptions") for module, _ in kinds):
        text = str(error)
        said = text.partition("with message: ")[2].strip("`") or text
        if ("hera.exceptions", "Unauthorized") in kinds:
            return AccessError(f"{where}the Argo server refuses the token", fix="check ARGO_TOKEN or --argo_token")
        if ("hera.exceptions", "Forbidden") in kinds:
            return AccessError(
                f"{where}the Argo server forbids it: {said}", fix="ask the cluster's owner for that right"
            )
        if (fault := platform_fault(said)) is not None:
            return PlatformError(f"{where}{fault}", fix=fault.fix)
        return InvalidWorkflow(f"{where}the Argo server refuses it: {said}", fix="correct the workflow")
    if _under_hera(trace) and any(
        module.startswith("requests.exceptions") and name in ("ConnectionError", "Timeout") for module, name in kinds
    ):
        return AccessError(f"{where}no Argo server answers", fix="see where it goes with: hera-utils settings")
    if change := change_behind(error):
        return SettingsError(f"{where}{change.sentence()}", fix=change.instead)
    return None


def _under_hera(trace: TracebackType | None) -> bool:
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).startswith("hera."):
            return True
        trace = trace.tb_next
    return False


def _line_of_the_script(trace: TracebackType | None) -> str:
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith("<frozen "):
        trace = trace.tb_next  # `python -m` begins in Python's own runpy
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}: "
