"""The errors of hera_utils, by who must act. Every error carries one clear sentence and its fix.

    HeraUtilsError
    ├── SettingsError      the user's flags, variables, files or script must change
    ├── AccessError        an address, a credential or a permission must change
    │   └── Denied         the server refuses the credential (401)
    │       └── Forbidden  the server knows the user, who has no permission (403)
    ├── ResourceError      something the experiment needs (claim, config map, image…) is missing or unfit
    ├── LayoutError        a name or a path of the experiment is not legal or not unique
    ├── UnsupportedError   the platform does not support a field; the sentence names it
    ├── InvalidWorkflow    the workflow itself is wrong; the message is Argo's own
    │   └── ExpressionError  an expression or a {{tag}} in it is
    ├── Refused            the platform understood the request and says no: Argo's or Kubernetes' status and message
    ├── PlatformError      the platform itself failed (a port in use, a full disk, a damaged journal)
    ├── RunFailed          the workflow ran and did not succeed
    └── WaitTimeout        the time limit for waiting is reached; the run continues

Two endings of a script are no errors: NoRun (its command line asked for no run) and Detached (Ctrl-C while a run is followed, or
objects are created).

The command line prints `hera-utils: {error}` and `  fix: {error.fix}` and exits with `exit_status`.
"""

from __future__ import annotations

from typing import Any


class HeraUtilsError(Exception):
    """An error that the user can act upon.

    message: one sentence, what and where, without a final full stop. fix: what to do, or None if the message says it.
    """

    exit_status = 2

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return self.message

    @property
    def with_fix(self) -> str:
        """The sentence and its fix in one line, for messages of pods and events."""
        return f"{self.message}: {self.fix}" if self.fix else self.message

    def _render_traceback_(self) -> list[str]:
        """The sentence and its fix, which IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self.message}", *([f"  fix: {self.fix}"] if self.fix else [])]


class SettingsError(HeraUtilsError):
    """The user's flags, variables, files or script must change."""


class AccessError(HeraUtilsError):
    """An address, a credential or a permission must change."""


class Denied(AccessError):
    """The server refuses the credential. final: whether there is no other credential with which to ask again."""

    def __init__(self, message: str, *, fix: str | None = None, final: bool = False) -> None:
        super().__init__(message, fix=fix)
        self.final = final


class Forbidden(Denied):
    """The server knows the user and does not permit the request."""


class ResourceError(HeraUtilsError):
    """Something the experiment needs is missing or unfit."""


class LayoutError(HeraUtilsError):
    """A name or a path of the experiment is not legal or not unique."""


class UnsupportedError(HeraUtilsError):
    """The platform does not support a field."""


class InvalidWorkflow(HeraUtilsError):
    """The workflow is wrong; the message is the one Argo 4.1 gives."""


class ExpressionError(InvalidWorkflow):
    """An expression or a tag cannot be read or evaluated."""


class Refused(HeraUtilsError):
    """The platform refused the request. code: a gRPC status code (argo.faults maps it to HTTP). reason: Kubernetes' word for it."""

    def __init__(self, code: int, message: str, *, reason: str = "", fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.code = code
        self.reason = reason


class PlatformError(HeraUtilsError):
    """The platform itself failed."""


class RunFailed(HeraUtilsError):
    """The workflow ran and did not succeed. run: its Run with the results so far; None if only its name is known."""

    exit_status = 1

    def __init__(self, message: str, *, fix: str | None = None, run: Any = None) -> None:
        super().__init__(message, fix=fix)
        self.run = run


class WaitTimeout(HeraUtilsError):
    """The time limit for waiting is reached. The run continues; the message says how to follow it again."""

    exit_status = 124  # as timeout(1)


class NoRun(SystemExit):
    """Ends a script with status 0, like argparse after --help, when its command line asked for something other than a run (--plan,
    --doctor…) or for a detached run (--detach), and that is done. A script that wants to continue catches it.
    """


class Detached(KeyboardInterrupt):
    """Ctrl-C while a run is followed, or while objects are created; both stay. The text says how to follow it, or which exist."""
