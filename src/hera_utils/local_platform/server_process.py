"""The process of a server. It may be started before it is known which folder it shall serve, or whether a server is needed at all.

Its imports take as long as the client's own way to the first request. So a command that will probably need a server starts the process
first of all; the process imports what a server needs, and waits for its order.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

_PROGRAM = "from hera_utils.local_platform.daemon import background; background()"
_FLAGS_OF_OTHERS = ("--platform", "--argo_server", "--argo-server", "--from", "--help", "-h")
_VARIABLES_OF_OTHERS = ("ARGO_SERVER", "HERA_UTILS_PLATFORM")


class ServerProcess:
    """A process that waits for an order. answers: the pipe on which it reports that it is ready."""

    def __init__(self) -> None:
        """Raises OSError."""
        receiver, sender = os.pipe()
        self.answers: IO[bytes] = open(receiver, "rb")  # noqa: SIM115  closed by whoever reads the answer
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(sender)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(sender,),
                cwd=os.sep,
                start_new_session=True,
            )
        except OSError:
            self.answers.close()
            raise
        finally:
            os.close(sender)

    def order(self, text: str) -> bool:
        """Give the process its order, one line. False if the process has ended."""
        assert self.process.stdin is not None
        try:
            with self.process.stdin as orders:
                orders.write(f"{text}\n".encode())
        except OSError:
            self.end()
            return False
        return True

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.answers.close()
        with contextlib.suppress(OSError):  # what was not written is lost
            if self.process.stdin is not None:
                self.process.stdin.close()


_waiting: list[ServerProcess] = []


def start_early(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start a process for a command line that will probably need a server. If it does not, the process ends with this one."""
    if _will_need_one(arguments, environment):
        with contextlib.suppress(OSError):  # it is tried again, and the error told, when a server is needed
            _waiting.append(ServerProcess())


def _will_need_one(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """A guess, which costs time where it is wrong."""
    if arguments[:1] != ["run"] or len(arguments) < 2 or any(environment.get(name) for name in _VARIABLES_OF_OTHERS):
        return False
    if any(word.partition("=")[0] in _FLAGS_OF_OTHERS for word in arguments):
        return False
    usual = environment.get("XDG_STATE_HOME") or os.path.join(environment.get("HOME", ""), ".local", "state")
    state = environment.get("HERA_UTILS_STATE") or os.path.join(usual, "hera-utils")
    if "--state" in arguments[:-1]:
        state = arguments[arguments.index("--state") + 1]
    return not os.path.exists(os.path.join(state, "server.json"))


def take() -> ServerProcess | None:
    """The process that was started early, if there is one."""
    return _waiting.pop() if _waiting else None


def end_waiting() -> None:
    """End the process that was started early: a server runs already, or none is needed."""
    while _waiting:
        _waiting.pop().end()
