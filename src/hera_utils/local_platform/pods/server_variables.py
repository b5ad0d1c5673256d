"""The variables of the server's environment that tasks and workers get."""

from __future__ import annotations

import os

_SAFE = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "SHELL", "TERM")
_WAY_TO_THE_WEB = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir")
_OF_WORKERS = (*_WAY_TO_THE_WEB, "hera_utils_warm_python")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def of_workers() -> dict[str, str]:
    """Those of tasks, variables for web access of artifacts, and the switch for forked tasks."""
    return of_tasks() | {k: v for k, v in os.environ.items() if k.lower() in _OF_WORKERS}


def of_tasks() -> dict[str, str]:
    """None of them can be a secret."""
    environment = {k: v for k, v in os.environ.items() if k in _SAFE or k.startswith("LC_")}
    environment.setdefault("PATH", _PATH)
    return environment
