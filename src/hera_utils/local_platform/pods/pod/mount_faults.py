"""Finds out why this machine's kernel refuses private mounts: it gives the same error for several causes, each with another remedy."""

from __future__ import annotations

import errno
import os


def reason_of(error: OSError) -> str:
    """Why tasks cannot have private mounts, in a few words; workers.py has the remedy for each."""
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
