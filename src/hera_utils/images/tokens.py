"""The Authorization header of requests to a registry: empty at first, then what the registry's challenge asks for.

A registry answers 401 with `WWW-Authenticate: Basic …` (send user and password with each request) or `Bearer realm=…` (fetch a token from
that address, which wants the password). Each login is tried in turn, and at last none, so that an expired login does not prevent the
pull of a public image.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.images.deadlines import raise_after
from hera_utils.images.faults import AccessDenied, RegistryUnreachable
from hera_utils.images.login import Login
from hera_utils.images.transport import ANSWER_SECONDS, FAILURES, Transport, UnsafeRedirect, reason_of
from hera_utils.settings.address import is_loopback
from hera_utils.settings.secret import Secret

_CLIENT = "hera-utils"
_USUAL_LIFE = 60.0  # seconds that a token without `expires_in` is valid (distribution's specification)
_LARGEST_TOKEN = 1 << 20
_PART = re.compile(r'\s*,?\s*([!#$%&\'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?')


class NoToken(RegistryUnreachable):
    """The token server gives no token. may_pass: whether it may give one a moment later."""

    def __init__(self, message: str, *, may_pass: bool = False, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.may_pass = may_pass


@dataclass(frozen=True)
class Challenge:
    """One authentication scheme that a registry offers."""

    scheme: str
    parameters: dict[str, str]


def challenges(header: str) -> list[Challenge]:
    """The challenges of a WWW-Authenticate header; unreadable ones are left out. Pure."""
    offered: list[Challenge] = []
    position = 0
    while match := _PART.match(header, position):
        position = match.end()
        name, value = match.groups()
        if value is None:
            offered.append(Challenge(name.lower(), {}))
        elif offered:
            text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
            offered[-1].parameters[name.lower()] = text
    return offered


class Authorization:
    """The header for one repository at one address of a registry. Used by several threads at once."""

    def __init__(self, transport: Transport, url: str, logins: Sequence[Login], scope: str) -> None:
        """url: the registry's address. scope: the scope to ask for when the challenge does not name one."""
        self._transport, self._url, self._scope = transport, url, scope
        self._candidates: list[Login] = [*logins, Login()]
        self._secrets = [secret for login in logins for secret in login.secrets]
        self._challenge: Challenge | None = None
        self._header = Secret("")
        self._renew_at = float("inf")
        self._accepted = False
        self._lock = threading.Lock()
        self.refused: list[str] = []  # the logins that were refused, as messages name them

    @property
    def secrets(self) -> list[Secret]:
        """The texts that no message may contain."""
        return [self._header, *self._secrets]

    @property
    def has_login(self) -> bool:
        """Whether requests are sent with a login."""
        return bool(self._candidates and self._candidates[0].source)

    def header(self) -> Secret:
        """The header that the next request sends."""
        with self._lock:
            if self._challenge is not None and time.monotonic() >= self._renew_at:
                self._obtain()
            return self._header

    def accept(self, used: Secret) -> None:
        """Record that a request with this header succeeded."""
        with self._lock:
            self._accepted = self._accepted or used == self._header

    def renew(self, used: Secret, header: str) -> bool:
        """Handle the answer 401 with this WWW-Authenticate `header` to a request with `used`. Gives whether there is another header to try.

        Raises NoToken.
        """
        with self._lock:
            if used != self._header:  # another thread has renewed it already
                return True
            offer = _choose_challenge(challenges(header))
            if offer is None and self._challenge is None:
                return False
            self._challenge = offer or self._challenge
            if used and not self._accepted:
                self._give_up_login()
            # A header that was accepted before has expired, so the same login is used again.
            return self._obtain()

    def advance(self, used: Secret) -> bool:
        """Handle the answer 403 to a request with `used`. Gives whether another login can be tried. Raises NoToken."""
        with self._lock:
            if used != self._header:
                return True
            if self._challenge is None or not used:
                return False
            self._give_up_login()
            return self._obtain()

    def _give_up_login(self) -> None:
        if self._candidates:
            self._note_refusal(self._candidates.pop(0))

    def _note_refusal(self, login: Login) -> None:
        if login.source:
            who = f"{login.username} " if login.username else ""
            self.refused.append(f"{who}({login.source})")

    def _obtain(self) -> bool:
        """Set the header for the first login that gets one."""
        assert self._challenge is not None
        while self._candidates:
            header = self._header_for(self._candidates[0], self._challenge)
            if header is not None:
                self._header, self._accepted = header, False
                return True
            self._give_up_login()
        return False

    def _header_for(self, login: Login, challenge: Challenge) -> Secret | None:
        if challenge.scheme == "basic":
            self._renew_at = float("inf")
            if not login.password:
                return None
            pair = f"{login.username}:{login.password.reveal()}"
            return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")
        if login.registry_token:
            self._renew_at = float("inf")
            own = login.registry_token.reveal()
            return Secret(f"Bearer {own}") if _is_token(own) else None
        document = self._fetch(login, challenge)
        if document is None:
            return None
        token = document.get("token") or document.get("access_token")
        if not _is_token(token):
            raise NoToken(f"the server of tokens of {self._url} gave no token that can be read")
        life = document.get("expires_in")
        life = float(life) if isinstance(life, int | float) and life > 0 else _USUAL_LIFE
        self._renew_at = time.monotonic() + 0.9 * life
        return Secret(f"Bearer {token}")

    def _fetch(self, login: Login, challenge: Challenge) -> dict[str, Any] | None:
        """The token server's answer; None when it refuses the login."""
        realm = challenge.parameters.get("realm", "")
        self._check_realm(realm, bool(login.secrets))
        query = {"service": challenge.parameters.get("service", ""), "scope": self._scope_of(challenge)}
        try:
            if login.identity_token:
                form = {**query, "grant_type": "refresh_token", "client_id": _CLIENT}
                form["refresh_token"] = login.identity_token.reveal()
                reply = self._transport.send("POST", realm, form=form)
            else:
                basic = ""
                if login.password:
                    query["account"] = login.username
                    pair = f"{login.username}:{login.password.reveal()}"
                    basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
                filled = urllib.parse.urlencode({key: value for key, value in query.items() if value})
                address = f"{realm}{'&' if '?' in realm else '?'}{filled}"
                reply = self._transport.send("GET", address, authorization=basic)
            with reply:
                if reply.status_code in (400, 401, 403, 404):
                    return None
                if reply.status_code != 200:
                    sentence = f"{_host(realm)}, which gives tokens for {self._url}, answers {reply.status_code}"
                    raise NoToken(sentence, may_pass=True, fix="try again later")
                with raise_after(ANSWER_SECONDS):
                    content = reply.raw.read(_LARGEST_TOKEN, decode_content=True)
        except UnsafeRedirect as error:
            raise NoToken(f"{_host(realm)}, which gives tokens for {self._url}, cannot be used: {error}") from None
        except FAILURES as error:
            raise NoToken(
                f"{_host(realm)}, which gives tokens for {self._url}, does not answer ({reason_of(error)})",
                may_pass=not isinstance(error, TimeoutError),
                fix="check the network, and HTTPS_PROXY if a proxy leads out",
            ) from None
        return _mapping(content)

    def _scope_of(self, challenge: Challenge) -> str:
        return challenge.parameters.get("scope") or self._scope

    def _check_realm(self, realm: str, has_secret: bool) -> None:
        parts = urllib.parse.urlsplit(realm)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NoToken(f"{self._url} asks for a token and does not say where to get one")
        plain = parts.scheme == "http" and self._url.startswith("https:") and not is_loopback(parts.hostname)
        if plain and has_secret:
            raise AccessDenied(
                f"{self._url} wants the password to be sent to {parts.netloc} without TLS, which is not done",
                fix="tell the registry's owner to give its realm an https address",
            )


def _choose_challenge(offered: list[Challenge]) -> Challenge | None:
    for scheme in ("bearer", "basic"):
        for challenge in offered:
            if challenge.scheme == scheme:
                return challenge
    return None


def _is_token(token: object) -> bool:
    """Whether it is a text that a header may contain."""
    return isinstance(token, str) and bool(re.fullmatch(r"[!-~]+", token))


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc
