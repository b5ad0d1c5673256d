"""Makes a fork of this interpreter behave like a new `python FILE ARGUMENTS` or `python -c CODE ARGUMENTS`.

All state that a new process has fresh is reset: `__main__`, sys.argv, sys.path, environment, streams, signals, descriptors.
At the end, the visible parts of an interpreter's shutdown happen: threads are joined, atexit functions run, the contents of the program's
modules are deleted, so that files are flushed, and the C library's exit functions run. Objects from before the fork stay, packages too:
a full shutdown of the interpreter would touch all its memory, which costs more than all the rest.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import ctypes
import gc
import importlib.machinery
import io
import os
import resource
import signal
import sys
import time
import types
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

_PART = 1 << 16  # bytes
_leave = ctypes.PyDLL(None).exit  # exit(3), looked up here because a lookup in a fork copies eighty pages
_leave.argtypes = (ctypes.c_int,)
MOST_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Task(NamedTuple):
    """argv: of the command. program: the interpreter's path, for sys.executable. set_variables, removed_variables: how its environment
    differs from this process's, as bytes. script: the file that it runs, "" for code; folder: the script's folder, with links resolved.
    path: the entries of PYTHONPATH.
    """

    argv: tuple[str, ...]
    program: str
    set_variables: dict[bytes, bytes]
    removed_variables: tuple[bytes, ...]
    script: str
    folder: str
    path: tuple[str, ...]


def take(descriptors: Mapping[int, int]) -> None:
    """Duplicate descriptors, number → descriptor of this process, and close all others. No descriptor may be one of the numbers."""
    for number, fd in descriptors.items():
        os.dup2(fd, number)
    os.closerange(max(descriptors) + 1, MOST_DESCRIPTORS)


class Loaded(NamedTuple):
    """modules: names of the modules that a task finds loaded. packages: names of preloaded modules, which it gets when it imports them."""

    modules: frozenset[str]
    packages: frozenset[str]


def run(task: Task, path: Sequence[str], loaded: Loaded, at_end: Callable[[list[str]], None]) -> NoReturn:
    """Run the file `argv[1]`, or the code after -c, as `__main__`. Never returns.

    The process must already have its descriptors and working folder, and the signals of a new process.
    path: sys.path without the script's folder and PYTHONPATH. at_end: called with the names of new modules after the file's code, before
    the interpreter's end.
    """
    _change_environment(task)
    first, *others = task.argv[1:]
    try:
        code = _compile(task.script) if task.script else compile(others.pop(0), "<string>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
        os.execv(task.program, task.argv)  # a new interpreter writes the right error message
    sys.executable, sys.argv, sys.orig_argv = task.program, [first, *others], list(task.argv)
    sys.path[:] = [task.folder, *task.path, *path]
    gc.enable()
    status = _run(code, _new_main(task.script))
    at_end(_new_modules(loaded))
    _finish(loaded)
    if status is None:  # end by SIGINT, as the interpreter does, so that the parent can see it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    _exit(status or 0)


def _compile(script: str) -> types.CodeType:
    """Compile a script, read without a file object, which would touch more memory."""
    fd, source = os.open(script, os.O_RDONLY | os.O_CLOEXEC), b""
    while part := os.read(fd, _PART):
        source += part
    os.close(fd)
    code: types.CodeType = compile(source, script, "exec", dont_inherit=True)
    return code


def _new_modules(loaded: Loaded) -> list[str]:
    """The names of modules that the task added, without preloaded packages. They are the last in sys.modules, so the search goes backwards:
    reading a name copies its page of memory.
    """
    new = []
    for name in reversed(sys.modules):
        if name in loaded.modules:
            break
        new.append(name)
    if len(new) + len(loaded.modules) != len(sys.modules):  # the task has removed some of the earlier modules
        new = [name for name in reversed(sys.modules) if name not in loaded.modules]
    return [name for name in reversed(new) if name not in loaded.packages]


def _run(code: types.CodeType, main: types.ModuleType) -> int | None:
    """Run the code. Gives the exit status; None when a KeyboardInterrupt ended it."""
    try:
        exec(code, main.__dict__)
    except BaseException as raised:  # noqa: BLE001 - the interpreter itself also catches everything here
        error = raised
    else:
        return 0
    return _status(error) if isinstance(error, SystemExit) else _report(_without_this_file(error))


def _without_this_file(error: BaseException) -> BaseException:
    own = error.__traceback__
    return error.with_traceback(own.tb_next if own is not None else None)


def _report(error: BaseException) -> int | None:
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    sys.last_exc = error  # type: ignore[attr-defined,unused-ignore]
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException as raised:  # noqa: BLE001 - the hook itself may fail
        failure = raised
    else:
        return None if isinstance(error, KeyboardInterrupt) else 1
    if isinstance(failure, SystemExit):
        return _status(failure)
    sys.stderr.write("Error in sys.excepthook:\n")
    sys.__excepthook__(type(failure), _without_this_file(failure), failure.__traceback__)
    sys.stderr.write("\nOriginal exception was:\n")
    sys.__excepthook__(type(error), error, error.__traceback__)
    return None if isinstance(error, KeyboardInterrupt) else 1


def _status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    sys.stdout.flush()
    sys.stderr.write(f"{error.code}\n")
    return 1


def _finish(loaded: Loaded) -> None:
    """Do the steps of the interpreter's shutdown in its order, only for the modules that the task added."""
    if (threading := sys.modules.get("threading")) is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    _flush()
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, name, getattr(sys, f"__{name}__"))
    added = ["__main__", *_new_modules(loaded)]
    modules = [sys.modules.pop(name) for name in added if isinstance(sys.modules.get(name), types.ModuleType)]
    alive = [weakref.ref(module) for module in modules]
    del modules
    gc.collect()
    for reference in reversed(alive):
        if (module := reference()) is not None:
            _clear(module.__dict__)
    _flush()


def _clear(names: dict[str, Any]) -> None:
    """Empty a module as the interpreter does: first the names that begin with one underscore."""
    for private in (True, False):
        for name in list(names):
            if name != "__builtins__" and (name.startswith("_") and not name.startswith("__")) == private:
                names[name] = None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # the program may have replaced or closed the stream
            stream.flush()


def _exit(status: int) -> NoReturn:
    """Exit while holding the interpreter's lock, so that no other thread runs any more."""
    _leave(status & 0xFF)
    raise AssertionError("the process has ended")


def _new_main(script: str) -> types.ModuleType:
    """A new `__main__` module. script: "" for the code of -c."""
    main = types.ModuleType("__main__")
    main.__loader__ = (
        importlib.machinery.SourceFileLoader("__main__", script) if script else importlib.machinery.BuiltinImporter
    )
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__dict__["__builtins__"] = builtins
    if script:
        main.__dict__.update({"__file__": script, "__cached__": None})
    sys.modules["__main__"] = main
    return main


def reset_signals() -> None:
    """Give all signals the handlers of a new interpreter."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler) and not isinstance(handler, signal.Handlers):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _change_environment(task: Task) -> None:
    """Change os.environ and the C environment. Assigning to os.environ would copy twice as many pages of memory."""
    encoded: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
    for name in task.removed_variables:
        os.unsetenv(name)
        del encoded[name]
    for name, value in task.set_variables.items():
        os.putenv(name, value)
    encoded.update(task.set_variables)
    if b"TZ" in task.set_variables or b"TZ" in task.removed_variables:
        time.tzset()


def make_streams() -> None:
    """Create the standard streams of all forks, as an interpreter does for /dev/null and pipes: buffered by blocks, stderr by lines."""
    originals = [os.dup(fd) for fd in range(3)]
    nothing, (read_end, write_end) = os.open(os.devnull, os.O_RDONLY), os.pipe()
    for fd, own in enumerate((nothing, write_end, write_end)):
        os.dup2(own, fd)
    _reset_streams()
    for fd, own in enumerate(originals):
        os.dup2(own, fd)
    for fd in (*originals, nothing, read_end, write_end):
        os.close(fd)


def _reset_streams() -> None:
    for fd, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        old: Any = getattr(sys, f"__{name}__")
        mode = "r" if fd == 0 else "w"
        buffer: Any = open(fd, f"{mode}b", closefd=False)  # noqa: SIM115 - open as long as the process lives
        buffer.raw.name = f"<{name}>"
        errors = "backslashreplace" if fd == 2 else old.errors
        by_line = fd == 2 or buffer.raw.isatty()
        newline = None if fd == 0 else "\n"
        stream: Any = io.TextIOWrapper(buffer, old.encoding, errors, newline=newline, line_buffering=by_line)
        stream.mode = mode
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
