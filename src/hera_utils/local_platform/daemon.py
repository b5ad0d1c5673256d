"""One server per state folder: starts, joins, finds and stops it.

The lock on server.lock shows whether a server runs (the kernel releases it when the process ends, however it ends); server.json
says how to reach it. A client of another version replaces an idle server; a busy one is an error that names its version.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hera_utils.bytecode_cache import cached_bytecode
from hera_utils.errors import HeraUtilsError, PlatformError
from hera_utils.installed import version_of
from hera_utils.local_platform import server_process
from hera_utils.local_platform.state_folder import OTHERS, check_state_folder, folder_error, open_state_folder
from hera_utils.server_json import is_server_alive, read_server_json
from hera_utils.whole_files import open_privately, write_atomically
from hera_utils.wording import system_reason

if TYPE_CHECKING:
    from hera_utils.local_platform.server import Serving

Json = dict[str, Any]
START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_LIMIT = 4 * 2**20
_WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""The errors of flock on a network file system without locks."""
# Popen objects are kept, because Python warns when one is freed while its process runs.
_STARTED: list[subprocess.Popen[bytes]] = []
_BEGUN: dict[Path, _Starting] = {}
"""State folder → the server that `begin` started and `start_or_join` has not waited for yet."""


class _Taken(PlatformError):
    """Another server has, or had a moment ago, the lock of the folder."""


def start_or_join(state: Path, serving: Serving | None = None) -> Json:
    """The content of server.json of a state folder's server, which is started in the background when none runs.

    serving: the settings of a new server (a running one keeps its own). Raises PlatformError.
    """
    state = state.absolute()
    starting = _BEGUN.pop(state, None)
    if starting is not None and (started := _wait(starting)) is not None:
        return started
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        server = status(state)
        if server is not None:
            if server.get("version") == _version():
                return server
            _replace(state, server)
        elif _is_locked(state):
            time.sleep(0.01)  # another client is starting it
        else:
            started = _wait(_begin(state, serving))
            if started is not None:
                return started
    raise PlatformError(
        f"the local server did not start within {START_SECONDS:.0f} s", fix=f"see {state / 'server.log'}"
    )


def begin(state: Path) -> None:
    """Start the server of a state folder if none runs, without waiting: the caller can work until it calls `start_or_join`.

    Raises PlatformError.
    """
    state = state.absolute()
    if state not in _BEGUN and status(state) is None and not _is_locked(state):
        _BEGUN[state] = _begin(state)
    server_process.end_waiting()


def serve(state: Path, serving: Serving | None = None, *, ready: Callable[[Json], None]) -> None:
    """Serve in the foreground, until a signal. ready: called with the content of server.json, once clients may connect.

    Raises PlatformError when it cannot start, or when another server has the folder.
    """
    state = state.absolute()
    open_state_folder(state)
    lock = _take_lock(state)
    if lock is None:
        server = status(state)
        pid = f" (process {server['pid']})" if server is not None else ""
        raise _Taken(
            f"a server is already running on the state folder {state}{pid}",
            fix="stop it with `hera-utils serve --stop`, or choose another folder with HERA_UTILS_STATE",
        )
    with lock:
        from hera_utils.local_platform.server import Serving, run

        # Only the owner may read files of the server; tasks get a container's umask (pods/pod/spawner.py).
        umask = os.umask(OTHERS)
        try:
            _announce_start(state)
            run(state, serving or Serving(), lock, version=_version(), ready=ready)
        finally:
            os.umask(umask)


def _announce_start(state: Path) -> None:
    """Replace server.json, which a killed server may have left. It is never missing meanwhile: that would mean that the server stopped."""
    server = {"pid": os.getpid(), "host": socket.gethostname(), "version": _version()}
    with contextlib.suppress(OSError):  # the disk may be full; `status` recognizes the old file by its dead process
        write_atomically(state / "server.json", json.dumps(server).encode(), mode=0o600)


def status(state: Path) -> Json | None:
    """The content of server.json if its server runs and is ready, else None. Raises PlatformError for a folder that others can write."""
    check_state_folder(state)
    server = read_server_json(state)
    if not _is_locked(state):
        return None
    if server.get("host", socket.gethostname()) != socket.gethostname():
        raise PlatformError(
            f"a server on the machine {server['host']} has the state folder {state}",
            fix="work there, or choose another folder for this machine with HERA_UTILS_STATE",
        )
    # While a server starts, its file has no address yet, or the file of a killed one still exists.
    return server if "argo_server" in server and is_server_alive(server) else None


def stop(state: Path) -> bool:
    """End the server of a state folder; its pods continue, and the next server finds them. Gives False if no server ran."""
    server = status(state)
    if server is None:
        return False
    pid = int(server["pid"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_locked(state):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + STOP_SECONDS
        time.sleep(0.005)
    return True


# --- the lock ------------------------------------------------------------------------------------------------------------


def _is_locked(state: Path) -> bool:
    try:
        with (state / "server.lock").open("rb") as file:  # opened for reading, so that this works on a read-only disk
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _no_lock(state, error) from error


def _no_lock(state: Path, error: OSError) -> PlatformError:
    """The error for a folder without locks, where two servers could run each task twice, or for another failure of flock."""
    if error.errno not in _WITHOUT_LOCKS:
        return folder_error(state, error)
    return PlatformError(
        f"the file system of the state folder {state} has no file locks ({system_reason(error)})",
        fix="choose a folder on a disk of this machine with HERA_UTILS_STATE",
    )


def _take_lock(state: Path) -> IO[bytes] | None:
    """The lock of a state folder as an open file, or None when another process has it."""
    try:
        file = open(state / "server.lock", "a+b", opener=open_privately)  # noqa: SIM115  open as long as the server runs
    except OSError as error:
        raise folder_error(state, error) from error
    for _ in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(0.01)  # a client that only checks for a server holds the lock for a moment
        except OSError as error:
            file.close()
            raise _no_lock(state, error) from error
    file.close()
    return None


# --- in the background ---------------------------------------------------------------------------------------------------


@dataclass
class _Starting:
    """A starting server's process. answers: the pipe on which it reports that it is ready. begin: where its part of the log begins."""

    process: subprocess.Popen[bytes]
    answers: IO[bytes]
    log: Path
    begin: int


def _begin(state: Path, serving: Serving | None = None) -> _Starting:
    """Start a server that outlives this process."""
    open_state_folder(state)
    try:
        log_path = state / "server.log"
        if log_path.exists() and log_path.stat().st_size > LOG_LIMIT:
            log_path.replace(state / "server.log.1")
        with open(log_path, "ab", opener=open_privately) as log:
            begin = log.tell()
    except OSError as error:
        raise folder_error(state, error) from error
    order = json.dumps({"state": str(state), "log": str(log_path), "serving": asdict(serving) if serving else {}})
    started = server_process.take()
    try:
        if started is None or not started.order(order):
            started = server_process.ServerProcess()
            if not started.order(order):
                raise OSError("its process ended at once")
    except OSError as error:
        raise PlatformError(
            f"the local server cannot be started: {error}", fix="check memory and limits: ulimit -a"
        ) from error
    _STARTED.append(started.process)
    return _Starting(started.process, started.answers, log_path, begin)


def _wait(starting: _Starting) -> Json | None:
    """Wait until the server is ready. Gives the content of server.json; None when another process started a server first."""
    log = starting.log
    with starting.answers as answers:
        if not select.select([answers], [], [], START_SECONDS)[0]:
            raise PlatformError(f"the local server did not start within {START_SECONDS:.0f} s", fix=f"see {log}")
        answer = answers.readline()
    if not answer:
        raise PlatformError(f"the local server ended at once: {_last_words(log, starting.begin)}", fix=f"see {log}")
    outcome: Json = json.loads(answer)
    if "error" in outcome:
        raise PlatformError(outcome["error"], fix=outcome["fix"])
    return outcome.get("ready")


def _last_words(log: Path, begin: int) -> str:
    """The last line that a server wrote, after `begin` bytes."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(begin)
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return lines[-1]
    return "it gave no reason"


def background() -> None:
    """Runs in a `ServerProcess`. argv: the pipe for the report that it is ready. stdin: the order, or nothing if no server is needed."""
    gc.disable()  # garbage collections during the imports would find nothing
    start = contextlib.ExitStack()
    start.enter_context(cached_bytecode("serve"))

    def answer(message: Json) -> None:
        # The client that started this process may have ended.
        with (
            contextlib.suppress(OSError),
            open(int(sys.argv[1]), "w", encoding="utf-8") as starter,
        ):
            starter.write(json.dumps(message) + "\n")

    def ready(server: Json) -> None:
        answer({"ready": server})
        start.close()
        gc.freeze()
        gc.enable()

    order: Json = {}
    try:
        try:
            from hera_utils.local_platform.server import Serving, import_modules

            import_modules()
        finally:  # also what could not be imported is told in the log, which the order names
            if line := sys.stdin.readline():
                order = json.loads(line)
                _move_to(Path(order["state"]), Path(order["log"]))
        if order:
            serve(Path(order["state"]), Serving(**order["serving"]), ready=ready)
    except HeraUtilsError as error:
        taken = isinstance(error, _Taken)  # the client then checks again, because the other server may just be ending
        with contextlib.suppress(HeraUtilsError):  # the lock itself may be the problem
            taken = taken or _is_locked(Path(order["state"]))
        answer({"taken": True} if taken else {"error": error.message, "fix": error.fix})
        raise SystemExit(error.exit_status) from None


def _move_to(state: Path, log: Path) -> None:
    """Work in the state folder, and write to its log."""
    import logging

    try:
        os.chdir(state)
        with open(log, "ab", opener=open_privately) as file, open(os.devnull, "rb") as nothing:
            for descriptor, target in ((nothing.fileno(), 0), (file.fileno(), 1), (file.fileno(), 2)):
                os.dup2(descriptor, target)
    except OSError as error:
        raise folder_error(state, error) from error
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _replace(state: Path, server: Json) -> None:
    """Stop an idle server of another version. Raises PlatformError when it executes workflows."""
    from hera_utils.local_platform.storage.journal import count_unfinished_runs

    running = count_unfinished_runs(state / "journal.sqlite")
    if running:
        raise PlatformError(
            f"the local server on {state} is of version {server.get('version')}, this is {_version()}, and it is executing"
            f" {running} workflow(s)",
            fix="wait until they have ended, or stop it with `hera-utils serve --stop`: the next server continues them",
        )
    stop(state)


def _version() -> str:
    return version_of("hera_utils") or "0"
