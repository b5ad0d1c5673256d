"""The checks of this machine, a function each: can the local platform run here?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hera_utils.errors import PlatformError
from hera_utils.preflight.finding import Finding, Subject, good, problem, warning
from hera_utils.server_json import is_server_alive, read_server_json
from hera_utils.wording import system_reason

LEAST_FREE = 200 * 1024 * 1024  # bytes: with less, the logs and artifacts of a few runs fill the disk


def check_state_folder(subject: Subject) -> Iterator[Finding]:
    """The local platform and its SQLite file must be able to write there, and need room on the disk."""
    from hera_utils.local_platform.pods.pod.disk_room import is_full, shortage
    from hera_utils.local_platform.state_folder import refuse_foreign_folder

    folder = Path(subject.context.state)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    fix = "name another folder with --state or HERA_UTILS_STATE, or make this one writable"
    if not existing.is_dir():
        yield problem("state folder", f"the state folder {folder} cannot be created: {existing} is a file", fix)
        return
    try:
        refuse_foreign_folder(folder)
    except PlatformError as error:
        yield problem("state folder", error.message, error.fix or "")
        return
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        if is_full(error):
            full = shortage(str(existing), error)
            yield problem("state folder", f"no task starts: {full.partition(': ')[0]}", full.partition(": ")[2])
            return
        yield problem("state folder", f"the state folder {folder} cannot be written ({system_reason(error)})", fix)
        return
    if full := shortage(str(existing)):
        yield problem("state folder", f"no task starts: {full.partition(': ')[0]}", full.partition(": ")[2])
    elif free < LEAST_FREE:
        yield warning(
            "state folder",
            f"only {free // 2**20} MiB are free for the state folder {folder}",
            "free some with: hera-utils gc; or name another with --state",
        )
    else:
        yield good("state folder", f"state folder {folder} is writable, {free / 2**30:.1f} GiB free")


# Runs in another process, because a process cannot leave the namespaces that it has entered.
_TRY_NAMESPACES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_SLAVE = 0x20000, 0x10000000, 0x4000, 0x80000
user, group = os.geteuid(), os.getegid()
try:
    if user or libc.unshare(CLONE_NEWNS):
        if libc.unshare(CLONE_NEWNS | CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "")
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    if libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None):
        raise OSError(ctypes.get_errno(), "")
except OSError as error:
    raise SystemExit(str(error.errno))
"""


def check_private_mounts(subject: Subject) -> Iterator[Finding]:
    """Each task sees its own files at the paths it declares: for this the kernel must allow private mounts."""
    if not sys.platform.startswith("linux"):
        yield problem(
            "private mounts",
            "this system has no private mounts: tasks run as processes on Linux only",
            "name an Argo server with --argo_server, or use a virtual machine with Linux; on Windows run inside WSL",
        )
        return
    tried = subprocess.run(
        [sys.executable, "-I", "-c", _TRY_NAMESPACES], capture_output=True, text=True, check=False, cwd="/"
    )
    if tried.returncode == 0:
        yield good("private mounts", "the kernel allows private mounts")
        return
    from hera_utils.local_platform.pods.pod.mount_faults import reason_of
    from hera_utils.local_platform.pods.workers import refusal

    number = (tried.stderr.split() or [""])[-1]
    refused = refusal(
        reason_of(OSError(int(number), os.strerror(int(number))) if number.isdecimal() else OSError(number))
    )
    yield problem("private mounts", refused.message, refused.fix or "")


def check_python(subject: Subject) -> Iterator[Finding]:
    """The interpreter of script tasks must exist; tasks of Hera's runner need Hera in it."""
    program = subject.context.python or sys.executable
    fix = "correct --python or HERA_UTILS_PYTHON, or leave it out to use the Python that submits"
    question = (
        "import importlib.metadata as m, importlib.util as u, json, platform;"
        "print(json.dumps([platform.python_version(), m.version('hera') if u.find_spec('hera') else None]))"
    )
    try:
        answer = subprocess.run(  # in "/", as a file of this folder may have the name of an imported module
            [program, "-c", question], capture_output=True, text=True, timeout=60, check=True, cwd="/"
        )
        version, hera = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        yield problem("python", f"{program} cannot run script tasks: it is not a Python that starts", fix)
        return
    if hera is None:
        yield warning(
            "python",
            f"Python {version} ({program}) has no Hera: plain script tasks run, tasks of Hera's runner do not",
            f"{program} -m pip install hera",
        )
    else:
        yield good("python", f"Python {version} with Hera {hera} runs script tasks ({program})")


def check_volumes(subject: Subject) -> Iterator[Finding]:
    """The folders that the settings name for claims must be writable."""
    for claim, folder in subject.context.volumes.items():
        path = Path(folder)
        if path.is_dir() and os.access(path, os.W_OK):
            yield good("claim", f"claim {claim} is the folder {folder}")
        elif path.exists():
            yield problem(
                "claim", f"claim {claim}: {folder} is not a folder that can be written", "name another in `volumes`"
            )
        else:
            yield good("claim", f"claim {claim} will be the folder {folder}, created when it is needed")


def check_secret_values(subject: Subject) -> Iterator[Finding]:
    """Whether the values of the environment's secrets are given, which a run here needs to create them."""
    from hera_utils.platforms.manifests import objects_of_environment

    if subject.environment is None:
        return
    for needed in objects_of_environment(subject.environment, subject.context.argo_namespace, local=True):
        if needed.lacking is not None:
            message = f"{needed.lacking}; a run creates it where it does not exist yet"
            yield warning(needed.word, message, needed.lacking.fix)


def check_local_server(subject: Subject) -> Iterator[Finding]:
    """Whether the local platform is running. It need not: a run starts it."""
    file = Path(subject.context.state) / "server.json"
    server = read_server_json(file.parent)
    address = server.get("argo_server")  # missing while the server starts
    if address is None or not is_server_alive(server):
        stopped = " (it was not stopped)" if os.path.exists(file) else ""
        yield good("local platform", f"the local platform is not running; it starts when it is needed{stopped}")
        return
    if file.stat().st_mode & 0o077:
        yield problem("local platform", f"{file} holds a token and others can read it", f"chmod 600 {file}")
    yield good("local platform", f"the local platform runs at {address}, version {server.get('version')}")
