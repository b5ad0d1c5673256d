"""Starting a program in the root that this process is in: where it is, and as whom it runs.

Another user is one of three things. A server of root's becomes that user. A server of an ordinary user cannot; but in a user namespace of
its own a program may see the one user that there is under any number: then it is user 1000 for itself, all files of the image and of the
volumes are its own, and what it writes belongs to who started the platform. Where the kernel refuses that too, it is the server's user.
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
_MOST = 1 << 20  # bytes that are read of /etc/passwd


class Rights(NamedTuple):
    """user: None for this process's own. capabilities: what it may do as root; None for all (privileged). gains: whether a setuid
    program may give it more (allowPrivilegeEscalation). view: descriptor of the mount namespace that this process is in.
    """

    user: User | None
    capabilities: frozenset[str] | None
    gains: bool = True
    view: int = -1

    @property
    def are_usual(self) -> bool:
        """Whether a child of the main thread has them without further ado (worker_rights.py)."""
        return self.capabilities == root_rights.USUAL and self.gains and (self.user is None or self.user.is_root)

    @property
    def are_more(self) -> bool:
        return (self.user is None or self.user.is_root) and (
            self.capabilities is None or not self.capabilities <= root_rights.USUAL
        )


def look_up(name: str, path: str) -> str:
    """Where the program is, by Go's rules (exec.LookPath). Raises OSError whose strerror is Go's text."""
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
    """The process id of the program, which leads a session. descriptors: its descriptor → one of this process. rights: None for those
    of this thread's children. Raises OSError (CannotAppear), ValueError.
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
    """From the thread that has kept them, in the folder that this one is in."""
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def go_there_and_spawn() -> int:
        os.fchdir(here)
        return _spawn_in_thread(rights._replace(user=None), spawn)

    try:
        return worker_rights.call(go_there_and_spawn, rights.view)
    finally:
        os.close(here)


def _spawn_in_thread(rights: Rights, spawn: Callable[[], int]) -> int:
    """The kernel gives rights to a thread, and a program has those of the thread that starts it: so this process keeps its own. A fork
    of it would take several times as long as all else here.
    """
    done = _thread.allocate_lock()
    done.acquire()
    results: list[int | OSError | ValueError] = []

    def run() -> None:
        try:
            # the other threads could not change their mount namespace as long as this one is there
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
    """The kernel refuses a user namespace in which the program would see itself as that user."""


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
        refusal = os.read(read, 16)  # nothing: the program has taken the place of this one's copy
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
    """As container runtimes do: `echo > /dev/stdout` opens them again."""
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
    """In the new process: never returns."""
    number = errno.EINVAL
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for one in _DEFAULT_SIGNALS:
            signal.signal(one, signal.SIG_DFL)
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
    """0, or less: the negative error number. Raises OSError."""
    if user is None or user.is_root:
        return 0
    return _change(user) if users.is_possible(user) else _appear(user)


def _change(user: User) -> int:
    """0. Raises OSError."""
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    return 0


def _appear(user: User) -> int:
    """A user namespace in which this process's user has that number, and its group that one. 0, or less: the negative error number."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user.uid} 0 1"), ("gid_map", f"{user.gid} 0 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    except OSError as error:
        return -(error.errno or errno.EPERM)
    return 0


def go_to(folder: str, *, only_make: bool = False) -> None:
    """Make a folder of the root that this process is in its working folder, and create it where it is missing.

    A volume may lie on the way, where a task has put a link to /proc/<pid>/root or the like: such a link is not followed. Raises OSError.
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
    """A small file of the root that this process is in; "" where there is none, or no plain file."""
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
