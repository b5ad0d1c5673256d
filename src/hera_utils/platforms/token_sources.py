"""Sources of the Argo server's token: a file, a command, the keyring, a service account. Tokens are renewed in time, and never shown.

Each source is callable and returns a valid token without `Bearer `: what Hera calls a token generator. After a refusal `forget()` makes it
get a new one. Since Kubernetes 1.24 a service account has no stored token: it must be requested (TokenRequest).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from hera_utils.errors import AccessError, Forbidden, Refused, ResourceError, SettingsError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.cluster_access import access_to
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.exec_plugin import moment
from hera_utils.platforms.token import bare_token, expiry
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import system_reason

LIFE_SECONDS = 3600.0
_RENEW_AT = 0.75  # of its lifetime, so that it does not expire during a request
_UNKNOWN_LIFE = 300.0  # seconds after which a command runs again, if its token does not say when it expires
_COMMAND_SECONDS = 120.0


class TokenSource(Protocol):
    """Returns a valid token, without `Bearer `. forget: called after a refusal; True if the next call may return another token."""

    def __call__(self) -> str: ...

    def forget(self) -> bool: ...


def token_source(context: CLIContext, connection: Connection) -> TokenSource | None:
    """The source of the token by the settings; None if they contain the token itself, or none.

    connection: the connection for which the token is, still without it. The source is not called yet.
    """
    if context.argo_token is not None:
        return None
    if context.argo_token_file:
        return FileToken(context.argo_token_file, context.origin("argo_token_file"))
    if context.argo_token_command:
        return CommandToken(context.argo_token_command, context.origin("argo_token_command"))
    if context.argo_token_keyring:
        return KeyringToken(context.argo_token_keyring, context.origin("argo_token_keyring"))
    if context.argo_service_account and (context.k8s_config_file or context.argo_server is None):
        return ServiceAccountToken(connection, lifetime=context.argo_token_lifetime)
    return None


class FileToken:
    """The token in a file, read again when the file changes (projected and rotated tokens change while a program runs)."""

    def __init__(self, path: str, origin: str) -> None:
        self._path, self._origin = Path(path), origin
        self._stamp: tuple[int, int, int] | None = None
        self._token = ""

    def __call__(self) -> str:
        try:
            state = os.stat(self._path)
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen != self._stamp:
                self._token, self._stamp = bare_token(self._path.read_text(encoding="utf-8-sig")), seen
        except (OSError, UnicodeDecodeError) as error:
            why = (getattr(error, "strerror", None) or "it is not text").lower()
            raise AccessError(
                f"the token's file {self._path} cannot be read: {why} ({self._origin})", fix="correct its path"
            ) from None
        if not self._token:
            raise AccessError(f"the token's file {self._path} is empty ({self._origin})", fix="put the token into it")
        return self._token

    def forget(self) -> bool:
        self._stamp = None
        return True


class _RenewedToken:
    """A token that is kept for three quarters of its lifetime. Several threads may use it."""

    def __init__(self) -> None:
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            if time.time() >= self._until:
                now = time.time()
                self._token, end = self._ask()
                end = end if end is not None else now + _UNKNOWN_LIFE / _RENEW_AT
                self._until = now + (end - now) * _RENEW_AT
            return self._token

    def forget(self) -> bool:
        with self._lock:
            self._until = 0.0
        return True

    def _ask(self) -> tuple[str, float | None]:
        """(a new token, when it expires in seconds since 1970, None if unknown)."""
        raise NotImplementedError


class CommandToken(_RenewedToken):
    """The token that a command prints. The command runs without a shell; its stderr goes to the terminal."""

    def __init__(self, command: str, origin: str) -> None:
        super().__init__()
        try:
            self._words = shlex.split(command)
        except ValueError:
            self._words = []
        if not self._words:
            raise SettingsError(f"argo_token_command ({origin}) is not a command", fix="write: PROGRAM ARGUMENT…")
        self._origin = origin

    def _ask(self) -> tuple[str, float | None]:
        try:
            done = subprocess.run(
                self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_COMMAND_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise self._command_error(f"no answer after {_COMMAND_SECONDS:g} s") from None
        except OSError as error:
            raise self._command_error(system_reason(error)) from None
        if done.returncode != 0:
            raise self._command_error(f"it ended with status {done.returncode}")
        token = bare_token(done.stdout.decode("utf-8", "replace"))
        if not token or "\n" in done.stdout.decode("utf-8", "replace").strip():
            raise self._command_error("it must print the token in one line, and nothing else")
        return token, expiry(token)

    def _command_error(self, why: str) -> AccessError:
        # without the command's arguments, which may contain a secret
        return AccessError(
            f"the command `{self._words[0]}` gives no token: {why} ({self._origin})", fix="try it in a terminal"
        )


class KeyringToken(_RenewedToken):
    """The token in this machine's keyring, stored by `keyring set SERVICE USER`."""

    def __init__(self, place: str, origin: str) -> None:
        super().__init__()
        self._service, _, user = place.partition("/")
        self._user = user or "token"
        self._origin = origin

    def _ask(self) -> tuple[str, float | None]:
        try:
            import keyring
            import keyring.errors
        except ImportError:
            raise SettingsError(
                f"the token is in the keyring ({self._origin}), and the keyring's library is not installed",
                fix="pip install 'hera_utils[keyring]'",
            ) from None
        try:
            token = bare_token(keyring.get_password(self._service, self._user) or "")
        except keyring.errors.KeyringError as error:
            raise AccessError(
                f"the keyring cannot be opened: {type(error).__name__} ({self._origin})",
                fix="unlock it, or give the token with ARGO_TOKEN",
            ) from None
        if not token:
            raise AccessError(
                f"the keyring has no token `{self._service}/{self._user}` ({self._origin})",
                fix=f"keyring set {self._service} {self._user}",
            )
        return token, expiry(token)


class ServiceAccountToken(_RenewedToken):
    """A token of the connection's service account, requested from the cluster. Raises AccessError if it gives none."""

    def __init__(self, connection: Connection, *, lifetime: float = LIFE_SECONDS) -> None:
        """lifetime: seconds; Kubernetes gives at least ten minutes, and may give less than requested."""
        super().__init__()
        if connection.service_account is None:
            raise AccessError("no service account is named", fix="name one with --argo_service_account")
        self._account, self._lifetime = connection.service_account, max(600, round(lifetime))
        self._cluster = Cluster(replace(connection, fresh_token=None))

    def _ask(self) -> tuple[str, float | None]:
        try:
            token, expires = self._cluster.token(self._account, seconds=self._lifetime)
        except (Refused, ResourceError, Forbidden) as error:
            raise AccessError(
                f"the service account `{self._account}` gives no token: {error}",
                fix="name another with --argo_service_account, give a token with ARGO_TOKEN, or ask the cluster's "
                "owner for the permission to create serviceaccounts/token"
                "",
            ) from None
        return token, moment(expires)


class ClusterToken:
    """The bearer token of the kubeconfig's user, only for the Argo server of the same cluster."""

    def __init__(self, connection: Connection, before: TokenSource | None = None) -> None:
        """before: a source to use first; the user's own token is used if that source fails."""
        self._access = access_to(connection)
        self._before = before

    def __call__(self) -> str:
        if self._before is None:
            return self._access.token()
        try:
            return self._before()
        except AccessError:
            token = self._access.token()
            if not token:
                raise
            self._before = None
            return token

    def why_none(self) -> str:
        """Why there is no token, "" if that is unknown."""
        return self._access.why_no_token()

    def forget(self) -> bool:
        return self._access.renew() if self._before is None else self._before.forget()
