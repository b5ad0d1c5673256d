"""Starts a program in this process's current root: finds it, and starts it with the right user and rights.

There are three ways to run a program as another user. If the server runs as root, the program becomes that user. If not, the program gets
a user namespace in which the server's user has that number: it then is user 1000 for itself, owns all files of the image and of the
volumes, and what it writes belongs to the server's user. Where the kernel refuses that too, it runs as the server's user.
"""

from __future__ import annotations

import _thread
import errno
import os
import signal
import stat
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from . import open_beneath, root_rights, syscalls, users, worker_rights
from .users import User

Argv = tuple[str, ...] | list[str]
_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ)
_MOST = 1 << 20  # bytes of /etc/passwd that are read


class Rights(NamedTuple):
    """user: None for this process's own. capabilities: those that it has as root; None for all (privileged). gains: whether it may gain
    rights by a setuid program (allowPrivilegeEscalation). view: descriptor of this process's current mount namespace.
    """

    user: User | None
    capabilities: frozenset[str] | None
    gains: bool = True
    view: int = -1

    @property
    def are_usual(self) -> bool:
        """Whether every child of the main thread has these rights (worker_rights.py)."""
        return self.capabilities == root_rights.USUAL and self.gains and (self.user is None or self.user.is_root)

    @property
    def are_more(self) -> bool:
        return (self.user is None or self.user.is_root) and (
            self.capabilities is None or not self.capabilities <= root_rights.USUAL
        )


def look_up(name: str, path: str) -> str:
    """The path of a program, by Go's rules (exec.LookPath). Raises OSError whose strerror is Go's message."""
    if "/" in name:
        try:
            mode = os.stat(name).st_mode
        except OSError as error:
            raise OSError(error.errno, f"stat {name}: {(error.strerror or '').lower()}") from error
        if (mode & 0o170000) == 0o040000:
            raise OSError(21, "is a directory")
        if not os.access(name, os.X_OK):
            raise OSError(13, "permission denied")
        return name
    for folder in path.split(":"):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    raise OSError(2, "executable file not found in $PATH")


def start(
    program: str,
    argv: Argv,
    env: Mapping[str, str],
    descriptors: Mapping[int, int],
    rights: Rights | None = None,
) -> int:
    """Start a program in a new session, and give its process id. descriptors: its descriptor → one of this process. rights: None for
    those of this thread's children. Raises OSError (CannotAppear), ValueError.
    """
    if rights is None or rights.are_usual:
        return _spawn(program, argv, env, descriptors)
    if rights.are_more:
        return _spawn_with_more(rights, lambda: _spawn(program, argv, env, descriptors))
    user = None if rights.user is None or rights.user.is_root else rights.user
    if user is not None and not (users.is_possible(user) and syscalls.threads_can_change):
        return _start_with(rights, program, argv, env, descriptors)
    if user is not None:
        _give_away(descriptors, user)
    return _spawn_in_thread(rights._replace(user=user), lambda: _spawn(program, argv, env, descriptors))


def _spawn_with_more(rights: Rights, spawn: Callable[[], int]) -> int:
    """Spawn from the thread that has kept all rights (worker_rights.py), in this thread's working folder."""
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def go_there_and_spawn() -> int:
        os.fchdir(here)
        return _spawn_in_thread(rights._replace(user=None), spawn)

    try:
        return worker_rights.call(go_there_and_spawn, rights.view)
    finally:
        os.close(here)


def _spawn_in_thread(rights: Rights, spawn: Callable[[], int]) -> int:
    """Spawn from a new thread that has these rights: a program gets the rights of its starting thread, and this process keeps its own.
    A fork of this process would take several times as long.
    """
    done = _thread.allocate_lock()
    done.acquire()
    results: list[int | OSError | ValueError] = []

    def run() -> None:
        try:
            # Otherwise the other threads could not change their mount namespace while this one exists.
            syscalls.unshare(syscalls.CLONE_FS)
            if rights.capabilities is not None:
                root_rights.limit(rights.capabilities)
            if rights.user is not None:
                syscalls.change_thread(rights.user.uid, rights.user.gid, rights.user.groups)
            if not rights.gains:
                syscalls.gain_nothing()
            results.append(spawn())
        except (OSError, ValueError) as error:
            results.append(error)
        finally:
            done.release()

    _thread.start_new_thread(run, ())
    with done:
        if not results:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        if not isinstance(results[0], int):
            raise results[0]
        return results[0]


def _spawn(program: str, argv: Argv, env: Mapping[str, str], descriptors: Mapping[int, int]) -> int:
    return os.posix_spawn(
        program,
        argv,
        env,
        file_actions=[(os.POSIX_SPAWN_DUP2, theirs, number) for number, theirs in descriptors.items()],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )


class CannotAppear(OSError):
    """The kernel refuses a user namespace in which the program would appear as that user."""


def _start_with(
    rights: Rights, program: str, argv: Argv, env: Mapping[str, str], descriptors: Mapping[int, int]
) -> int:
    if rights.user is not None and not rights.user.is_root and users.is_possible(rights.user):
        _give_away(descriptors, rights.user)
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _become(rights, program, argv, env, descriptors, write)
        os.close(write)
        write = -1
        refusal = os.read(read, 16)  # empty when the exec succeeded
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
    if refusal:
        os.waitpid(pid, 0)
        number = int(refusal)
        raise (
            CannotAppear(-number, os.strerror(-number)) if number < 0 else OSError(number, os.strerror(number), program)
        )
    return pid


def _give_away(descriptors: Mapping[int, int], user: User) -> None:
    """Make the user the owner of the pipes, as container runtimes do, because `echo > /dev/stdout` opens them again."""
    for source in set(descriptors.values()):
        if not stat.S_ISCHR(os.fstat(source).st_mode) or os.isatty(source):
            os.fchown(source, user.uid, -1)


def _become(
    rights: Rights,
    program: str,
    argv: Argv,
    env: Mapping[str, str],
    descriptors: Mapping[int, int],
    refusal: int,
) -> NoReturn:
    """Become the program, in the new process. Never returns; on failure it writes the error number to `refusal`."""
    number = errno.EINVAL
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for caught in _DEFAULT_SIGNALS:
            signal.signal(caught, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for place, source in descriptors.items():
            os.dup2(source, place)
        if rights.capabilities is not None:
            root_rights.limit(rights.capabilities)
        number = _become_user(rights.user)
        if not rights.gains:
            syscalls.gain_nothing()
        if not number:
            os.execve(program, argv, dict(env))
    except OSError as error:
        number = error.errno or number
    finally:
        os.write(refusal, str(number).encode())
        os._exit(127)


def _become_user(user: User | None) -> int:
    """Give this process the user. Gives 0, or minus the error number when it cannot appear as that user. Raises OSError."""
    if user is None or user.is_root:
        return 0
    return _change(user) if users.is_possible(user) else _appear(user)


def _change(user: User) -> int:
    """Become the user. Gives 0. Raises OSError."""
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    return 0


def _appear(user: User) -> int:
    """Enter a user namespace in which this process's user and group have these numbers. Gives 0, or minus the error number."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user.uid} 0 1"), ("gid_map", f"{user.gid} 0 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    except OSError as error:
        return -(error.errno or errno.EPERM)
    return 0


def go_to(folder: str, *, only_make: bool = False) -> None:
    """Change to a folder of this process's current root, and create it if it is missing. only_make: only create it.

    The path may lead through a volume where a task has put a link to /proc/<pid>/root or the like: such links are not followed. Raises
    OSError.
    """
    if folder == "/" or (only_make and os.path.isdir(folder)):
        return
    top = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            there = open_beneath.open_path(top, folder, os.O_PATH | os.O_DIRECTORY, rooted=True)
        except FileNotFoundError:
            there = open_beneath.make_folder(top, folder, rooted=True)
        try:
            if not only_make:
                os.fchdir(there)
        finally:
            os.close(there)
    finally:
        os.close(top)


def read_text(path: str) -> str:
    """The text of a small file in this process's current root; "" when it does not exist or is no regular file."""
    top = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        file = open_beneath.open_path(top, path, os.O_RDONLY | os.O_NONBLOCK, rooted=True)
    except OSError:
        return ""
    finally:
        os.close(top)
    try:
        return os.read(file, _MOST).decode(errors="replace") if stat.S_ISREG(os.fstat(file).st_mode) else ""
    finally:
        os.close(file)
