"""Why this machine's kernel refuses private mounts: it answers the same to several obstacles, and against each another setting helps."""

from __future__ import annotations

import errno
import os


def reason_of(error: OSError) -> str:
    """What keeps tasks from having private mounts, in a few words: workers.py knows what helps against each."""
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return "no more user namespaces can be created"
    if error.errno in (errno.EPERM, errno.EACCES) and os.getuid() != 0 and "overlays" not in (error.strerror or ""):
        if _setting("apparmor_restrict_unprivileged_userns") == "1":
            return "AppArmor restricts user namespaces"
        if _setting("unprivileged_userns_clone") == "0":
            return "only root may create user namespaces"
    return ": ".join(str(part) for part in (error.strerror or error, error.filename) if part)


def _setting(name: str) -> str:
    try:
        with open(f"/proc/sys/kernel/{name}") as file:
            return file.read().strip()
    except OSError:
        return ""
