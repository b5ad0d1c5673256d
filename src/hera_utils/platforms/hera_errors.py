"""Turns Hera's exceptions into sentences: a server's refusal, no answer, or a call that Hera does not support any more.

Hera's tracebacks have the server's sentence at the end of sixty lines. `hera-utils run script.py` and the excepthook of
`python script.py` (excepthook.py) both use this module, so that they print the same sentence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from urllib.parse import urlsplit

from hera_utils.argo.faults import INVALID_ARGUMENT, UNIMPLEMENTED, fix_of, platform_fault
from hera_utils.errors import AccessError, HeraUtilsError, InvalidWorkflow, ResourceError, SettingsError
from hera_utils.platforms.hera_upgrades import find_change
from hera_utils.platforms.http_errors import SERVER_FAILED, forbidden_error, has_no_content, reason_of

_NO_UNICODE = re.compile(r"'\\udc([89a-f][0-9a-f])'.*surrogates not allowed")
"""What pydantic says of a byte of a file's name that Python could not decode."""
_NO_JSON = re.compile(r"Object of type (\w+) is not JSON serializable")
_CLAIM_OF_VOLUME = ("PersistentVolumeClaimVolumeSource", "persistent_volume_claim", "persistentVolumeClaim")
_SERVICES = ("hera/workflows/service.py", "hera/workflows/async_service.py")


def explain_error(error: BaseException) -> HeraUtilsError | None:
    """The sentence for an error of Hera's, after the script's line that led to it; None for every error of the script's own."""
    sentence = _sentence(error)
    if sentence is not None:
        sentence.message = line_of_the_script(error.__traceback__) + sentence.message
    return sentence


def _sentence(error: BaseException) -> HeraUtilsError | None:
    kinds = [(kind.__module__, kind.__name__) for kind in type(error).__mro__]
    if any(module.startswith("hera.exceptions") for module, _ in kinds):
        return _error_of_answer(error)
    if _is_raised_by_requests(kinds) and _is_under_hera(error.__traceback__):
        return _error_of_no_answer(error)
    if isinstance(error, ValueError) and (byte := _NO_UNICODE.search(str(error))):
        return InvalidWorkflow(
            f"a text of the workflow has the byte {byte[1]}, which is not UTF-8; texts of a workflow are Unicode",
            fix="rename the file or folder whose name has this byte (the script's own and its folder's count too)",
        )
    if any(module.startswith(("pydantic", "requests.exceptions")) for module, _ in kinds) and _was_read_by_hera(error):
        return AccessError(
            "the server that the script uses answers, but not as an Argo server does",
            fix="check the address, its port and its base path (hera-utils doctor)",
        )
    if ("hera.workflows.exceptions", "NodeNameConflict") in kinds:
        return InvalidWorkflow(
            f"two tasks or steps have the name `{str(error).rpartition(': ')[2]}`",
            fix='give each a name of its own, such as name=f"fit-{point.name}"',
        )
    if change := find_change(error):
        return SettingsError(change.sentence(), fix=change.instead)
    return _error_of_value(error) if _is_under_hera(error.__traceback__) else _error_of_claim(error)


def _error_of_value(error: BaseException) -> HeraUtilsError | None:
    """The sentence for an argument that Hera cannot write as a parameter, or for a volume of Hera without a claim."""
    match = _NO_JSON.fullmatch(str(error))
    if match is None:
        return _error_of_claim(error)
    names = _names_of_objects(error.__traceback__)
    where = f"the argument `{names[-1]}`" + (f" of `{names[-2]}`" if names[:-1] else "") if names else "an argument"
    if match[1].endswith("Artifact"):
        name = "NAME" if names[-1:] in (["artifacts"], []) else names[-1]
        return InvalidWorkflow(
            f"{where} is a list or dictionary with an artifact ({match[1]}), which Hera takes as a parameter",
            fix=f'make the artifact itself the argument: arguments={{"{name}": {match[1]}(…)}}, by the name of the template\'s input',
        )
    return InvalidWorkflow(
        f"{where} is or has a value of the type {match[1]}, which JSON does not have",
        fix="give texts, numbers, lists and dictionaries; larger data are files: artifacts, or in a volume",
    )


def _error_of_claim(error: BaseException) -> HeraUtilsError | None:
    """The sentence for a volume whose claim has no name, or neither a name nor a size."""
    errors = getattr(error, "errors", None)
    if str(error).startswith("at least one of `size` or `resources`"):
        lacking = "the size of its new claim"
    elif type(error).__name__ == "ValidationError" and callable(errors):
        path = (getattr(error, "title", ""), *errors()[0]["loc"])
        if path[-1] not in ("claim_name", "claimName") or path[-2] not in _CLAIM_OF_VOLUME:
            return None
        lacking = "the name of its claim"
    else:
        return None
    names = _names_of_objects(error.__traceback__)
    return InvalidWorkflow(
        f"{f'the volume `{names[-1]}`' if names else 'a volume'} lacks {lacking}",
        fix='name a claim that exists: ExistingVolume(claim_name="data", …); or let the run create one: Volume(size="1Gi", …)',
    )


def _names_of_objects(trace: TracebackType | None) -> list[str]:
    """The names of Hera's objects that were at work, without repetition: a workflow's, a task's, a parameter's, a volume's."""
    holders = [frame.f_locals.get("self") for frame, _ in _frames(trace) if _hera_package_of(frame) == "hera"]
    names = [name for holder in holders if isinstance(name := getattr(holder, "name", None), str)]
    return list(dict.fromkeys(names))


def _error_of_answer(error: BaseException) -> HeraUtilsError:
    """The sentence for Hera's error with the answer of the Argo server."""
    _, marked, message = str(error).partition("with message: ")
    message = message.strip("`") if marked else str(error)
    kind = type(error).__name__
    if kind == "Unauthorized":
        return AccessError("the Argo server refuses the token", fix="check ARGO_TOKEN or --argo_token")
    if kind == "Forbidden":
        return forbidden_error(message)
    if kind == "InternalServerError" and has_no_content(message):
        return AccessError(f"the Argo server failed: {message}", fix=SERVER_FAILED)
    if (fault := platform_fault(message)) is not None:
        return fault
    if message.startswith("namespaces ") and message.endswith(" not found"):
        return ResourceError(
            f"the Argo server refuses the workflow: {message}",
            fix="name another with --argo_namespace or ARGO_NAMESPACE, or leave it out",
        )
    advice = fix_of(UNIMPLEMENTED if kind == "NotImplemented" else INVALID_ARGUMENT, message)
    fix = advice if advice and advice.startswith(("give ", "run ", "store ", "use ")) else "correct it in the script"
    if message.endswith(" already exists"):
        fix = (
            "give it another name (or a generate_name), call update() instead of create(), or delete the old one first"
        )
    return InvalidWorkflow(f"the Argo server refuses the workflow: {message}", fix=fix)


def _error_of_no_answer(error: BaseException) -> HeraUtilsError:
    parts = urlsplit(str(getattr(getattr(error, "request", None), "url", None) or ""))
    address = f" at {parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    return AccessError(
        f"no Argo server answers{address} ({reason_of(error)})",
        fix="start it or correct the address, then run the script again; hera-utils settings says where it goes",
    )


def _is_raised_by_requests(kinds: list[tuple[str, str]]) -> bool:
    return any(
        module.startswith("requests.exceptions") and name in ("ConnectionError", "Timeout") for module, name in kinds
    )


# --- where it was raised -------------------------------------------------------------------------------------------------


def line_of_the_script(trace: TracebackType | None) -> str:
    """`script.py, line 12: ` of the user's line that led to Hera: the outermost one of the script, or of its function that we called; ""
    if there is none.
    """
    script, place = "", ""
    for frame, line in _frames(trace):
        if _hera_package_of(frame) == "hera":
            break
        if _hera_package_of(frame) == "hera_utils":
            place = ""
        elif not _is_in_a_library(Path(frame.f_code.co_filename)):
            place = place or place_of(frame, line)
            script = script or place
    return place or script


def _is_in_a_library(file: Path) -> bool:
    """Whether a file belongs to Python or a library: `python -m` begins in Python's runpy, and we call contextlib."""
    return str(file).startswith("<frozen ") or "site-packages" in file.parts or Path(os.__file__).parent in file.parents


def place_of(frame: FrameType, line: int) -> str:
    """`script.py, line 12: `, relative to the working directory if it is inside."""
    file = Path(frame.f_code.co_filename)
    return f"{file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}, line {line}: "


def _is_under_hera(trace: TracebackType | None) -> bool:
    return any(_hera_package_of(frame) == "hera" for frame, _ in _frames(trace))


def is_refused_by_hera(error: BaseException) -> bool:
    """Whether Hera itself raised the error, or pydantic for it, and not code of the script that Hera called."""
    frames = [frame for frame, _ in _frames(error.__traceback__)]
    return bool(frames) and _hera_package_of(frames[-1]) in ("hera", "pydantic", "pydantic_core")


def _was_read_by_hera(error: BaseException) -> bool:
    """Whether the error was raised where Hera reads a server's answer, and so is not about data of the script."""
    files = (Path(frame.f_code.co_filename).as_posix() for frame, _ in _frames(error.__traceback__))
    return any(file.endswith(_SERVICES) for file in files)


def _hera_package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """(frame, line) from the outermost on."""
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
