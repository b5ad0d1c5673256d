"""Overwrites a token that was typed as a flag: every user of the machine can read it in the list of processes.

Linux keeps a process's arguments in the process's memory, between two addresses that /proc gives; `ps` shows what is there. On other
systems, and if the system does not allow it, nothing happens. The token remains readable while Python starts and the script imports
what comes before hera_utils; only the kernel could prevent that. The documentation recommends a variable or a file instead.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_ARG_START, _ARG_END = 48, 49  # fields of /proc/pid/stat, proc(5)


def hide_typed_secrets(words: Sequence[str]) -> None:
    """Overwrite the values of the token, proxy and notify flags among the words of this process's command line."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        flag, equals, value = word.partition("=")
        if flag.replace("-", "_") in ("__argo_token", "__proxy", "__notify"):
            hide_from_the_process_list(value if equals else following)


def hide_from_the_process_list(secret: str) -> bool:
    """Overwrite a secret among this process's arguments. Returns whether it was found."""
    if not sys.platform.startswith("linux") or not secret:
        return False
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()  # the third field and those after it
        start, end = int(words[_ARG_START - 3]), int(words[_ARG_END - 3])
        with open("/proc/self/cmdline", "rb") as file:
            arguments = file.read()
        if not 0 < start < end or len(arguments) > end - start:
            return False
        return _overwrite(secret.encode(), arguments, start)
    except (OSError, ValueError, IndexError):
        return False


def _overwrite(secret: bytes, arguments: bytes, start: int) -> bool:
    import ctypes

    at = arguments.find(secret)
    found = at >= 0
    while at >= 0:
        ctypes.memset(start + at, ord("*"), len(secret))
        at = arguments.find(secret, at + len(secret))
    return found
