"""What was typed as a flag stands in the list of processes, for every user of the machine to read. A token there is blotted out.

Linux keeps a process's arguments in its own memory, between two addresses that /proc tells; what is written there is what `ps` shows.
Elsewhere, and where the system does not allow it, nothing happens. Even so it can be read for as long as Python takes to start, and a
script to import what it imports before us: nobody but the kernel could prevent that. A variable or a file is the better way, and the
documentation says so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_ARG_START, _ARG_END = 48, 49  # fields of /proc/pid/stat, proc(5)


def hide_typed_secrets(words: Sequence[str]) -> None:
    """Blot out the token, the proxy's address and whom to notify among the words of a command line, as soon as it has begun."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        flag, equals, value = word.partition("=")
        if flag.replace("-", "_") in ("__argo_token", "__proxy", "__notify"):
            hide_from_the_process_list(value if equals else following)


def hide_from_the_process_list(secret: str) -> bool:
    """Overwrite a secret among this process's arguments; whether it was there."""
    if not sys.platform.startswith("linux") or not secret:
        return False
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()  # from the third field on
        start, end = int(words[_ARG_START - 3]), int(words[_ARG_END - 3])
        with open("/proc/self/cmdline", "rb") as file:
            arguments = file.read()
        if not 0 < start < end or len(arguments) > end - start:
            return False
        return _blot_out(secret.encode(), arguments, start)
    except (OSError, ValueError, IndexError):
        return False


def _blot_out(secret: bytes, arguments: bytes, start: int) -> bool:
    import ctypes

    at = arguments.find(secret)
    found = at >= 0
    while at >= 0:
        ctypes.memset(start + at, ord("*"), len(secret))
        at = arguments.find(secret, at + len(secret))
    return found
