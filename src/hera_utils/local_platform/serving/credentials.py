"""Who may call the servers: a request needs the right Host and Origin, and then a token or this user's own browser.

Why each check: any web page may send requests to 127.0.0.1, so a Host that is not loopback (DNS rebinding) and a foreign Origin are
refused before anything else; other users of the machine can connect too, so every call needs the token, which only this user can
read. The page that Hera's printed address opens has no token: docs/decisions/0002-page-without-token.md says why the user id of the
connection's other end, together with the browser's Sec-Fetch-Site header, replaces it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.local_platform.pods.pod.processes import is_of_a_pod
from hera_utils.local_platform.socket_owner import Address, holders, inode, peer_uid

Json = dict[str, Any]

OWN_NAME = "127.0.0.1"  # where the server listens
LOOPBACK_NAMES = frozenset({"localhost", OWN_NAME, "[::1]"})
_SAFE_SITES = frozenset({"same-origin"})


@dataclass(frozen=True)
class AccessDecision:
    """status: 200 (the call may proceed), 401 or 403; message: why not."""

    status: int = 200
    message: str = ""

    @property
    def passed(self) -> bool:
        return self.status == 200


_PASSED = AccessDecision()


@dataclass(frozen=True)
class Gate:
    """token: the server's bearer token."""

    token: str = field(repr=False)

    def check_address(self, headers: Mapping[str, str], scheme: str) -> AccessDecision:
        """Host must be a loopback name; Origin, when there is one, must be the same address."""
        host = headers.get("host", "")
        if host_name(host) not in LOOPBACK_NAMES:
            return AccessDecision(403, f'the Host header "{host}" does not name this machine')
        origin = headers.get("origin")
        if origin is not None and origin != f"{scheme}://{host}":
            return AccessDecision(403, f'requests from the origin "{origin}" are refused')
        return _PASSED

    def check_token(self, authorization: str | None) -> AccessDecision:
        """A bearer token: the server's own, or one that TokenRequest issued with it. Messages are Argo's."""
        if not authorization:
            return AccessDecision(401, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/")
        scheme, _, credential = authorization.partition(" ")
        if scheme == "Basic":
            return AccessDecision(401, _basic_fault(credential))
        if scheme != "Bearer":
            return AccessDecision(401, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/")
        while credential.startswith("Bearer "):  # some versions of Hera put the word before a token that has it already
            credential = credential.removeprefix("Bearer ")
        if same_text(credential.strip(), self.token) or claims_of(credential.strip(), self.token) is not None:
            return _PASSED
        return AccessDecision(401, "Unauthorized")

    def check_browser(self, headers: Mapping[str, str], client: Address | None, server: Address | None) -> bool:
        """Whether a call without a token comes from our own page in a browser of the user who runs this server.

        Sec-Fetch-Site is written by the browser, never by a page: `same-origin` says that our page asks. The user id of the
        connection's other end keeps other users of the machine out. A task must gain nothing by writing that header, or by making this
        server write it (an http template): so the process at the other end must be known, not in a pod, and not this server.
        """
        if not self.may_be_browser(headers, client, server) or client is None or server is None:
            return False
        connection = inode(client, server)
        return bool(connection) and _is_elsewhere(connection)

    def may_be_browser(self, headers: Mapping[str, str], client: Address | None, server: Address | None) -> bool:
        """The cheap part of `check_browser`: the rest looks at all processes of this machine, and only requests of this user get there.

        A page at `localhost` need not be ours: browsers try ::1 first, where another user may listen on our port.
        """
        if headers.get("sec-fetch-site") not in _SAFE_SITES or host_name(headers.get("host", "")) != OWN_NAME:
            return False
        if client is None or server is None:
            return False
        return peer_uid(client, server) == os.geteuid()


@functools.lru_cache(maxsize=256)  # a browser reuses its connections, and looking at all open files is slow
def _is_elsewhere(connection: str) -> bool:
    """Whether processes of this user have the connection, and none of them is in a pod or is this server."""
    pids = holders(connection, os.geteuid())
    return bool(pids) and not any(pid == os.getpid() or is_of_a_pod(pid) for pid in pids)


def host_name(host: str) -> str:
    """`localhost:2746` → `localhost`, `[::1]:80` → `[::1]`, lower case; "" for a text that is no host, such as `localhost:1@evil`."""
    match = _HOST.fullmatch(host.strip().lower())
    return match[1] if match else ""


_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^][:@/\\\s]+)(:[0-9]{1,5})?")


def same_text(text: str, other: str) -> bool:
    """Whether two texts are equal, compared in constant time; False when `other` is empty."""
    return bool(other) and hmac.compare_digest(text.encode(), other.encode())


def _basic_fault(credential: str) -> str:
    try:
        if b":" in base64.b64decode(credential, validate=True):
            return "Unauthorized"
    except (ValueError, binascii.Error):
        pass
    return "failed to create REST config: error parsing basic authentication"


# --- tokens for service accounts (TokenRequest) --------------------------------------------------------------------------


def issue_token(claims: Json, key: str) -> str:
    """A signed JSON web token (HS256) with these claims; `exp` in seconds since the epoch is honoured by `claims_of`."""
    head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    body = _encode(json.dumps(claims, separators=(",", ":")).encode())
    return f"{head}.{body}.{_encode(_signature(f'{head}.{body}', key))}"


def claims_of(token: str, key: str, *, now: float | None = None) -> Json | None:
    """The claims of a token that this server signed and that has not expired; None for any other text."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        if not hmac.compare_digest(_decode(parts[2]), _signature(f"{parts[0]}.{parts[1]}", key)):
            return None
        claims = json.loads(_decode(parts[1]))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(claims, dict) or float(claims.get("exp", 0)) <= (time.time() if now is None else now):
        return None
    return claims


def _signature(text: str, key: str) -> bytes:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
