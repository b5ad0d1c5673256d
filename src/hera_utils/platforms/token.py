"""Reads the claims of a token: its subject and when it expires. Pure; only the server can check the signature.

Argo's single sign-on tokens (`v2:…`) are encrypted and cannot be read.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from hera_utils.spans import rough_span


@dataclass(frozen=True)
class TokenClaims:
    """kind: `jwt`, `sso` (Argo's own encrypted `v2:` token) or `opaque`. expires: seconds since 1970, or None.

    defect: what is wrong with its form, in words that contain nothing of it, or "". subject: the subject of a JWT.
    """

    kind: str
    defect: str = ""
    expires: float | None = None
    subject: str = ""

    @property
    def of_kubernetes(self) -> bool:
        """Whether the Kubernetes API issued it: then the subject is a user there as well."""
        return self.subject.startswith("system:serviceaccount:")


def bare_token(text: str) -> str:
    """A token without the word `Bearer`, with which users may have copied it. (The argo command, Hera and headers need the word.)"""
    words = text.split()
    return words[1] if len(words) == 2 and words[0].lower() == "bearer" else " ".join(words)


def authorization(token: str) -> str:
    """The value of the header for a token, which may have its scheme already (Basic …); "" for none."""
    return token if " " in token or not token else f"Bearer {token}"


def expiry(token: str) -> float | None:
    """When a token expires, in seconds since 1970, by its own claim (`exp` of a JSON web token); None if it has none."""
    parts = bare_token(token).split(".")
    claims = _json_of(parts[1]) if len(parts) == 3 else None
    return _seconds(claims.get("exp")) if claims is not None else None


def read_token(text: str) -> TokenClaims:
    """The kind of a token, and its claims if they can be read. text: without `Bearer `."""
    if any(character.isspace() or not character.isprintable() for character in text):
        return TokenClaims("opaque", defect="it contains a space or a line break")
    if text[:1] in "\"'" or text[-1:] in "\"'":
        return TokenClaims("opaque", defect="it contains quotation marks")
    if not text.isascii():
        return TokenClaims("opaque", defect="it contains characters that no token has")
    if text.startswith("v2:"):
        return TokenClaims("sso")
    parts = text.split(".")
    if len(parts) != 3:
        cut = text.startswith("eyJ")  # every JWT begins so: it is {" in base64
        return TokenClaims("jwt", defect=f"it has {len(parts)} of a JWT's 3 parts") if cut else TokenClaims("opaque")
    claims = _json_of(parts[1])
    if _json_of(parts[0]) is None or claims is None:
        return TokenClaims("jwt", defect="it is not a whole JWT: a part of it cannot be read")
    return TokenClaims(
        "jwt",
        expires=_seconds(claims.get("exp")),
        subject=str(claims.get("sub") or ""),
    )


def _json_of(part: str) -> dict[str, Any] | None:
    try:
        value = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def describe_expiry(token: str) -> str:
    """The text `expired at 2026-11-23 12:00:00 UTC, 3 h ago`; "" if the token is valid, or contains no time."""
    ended = expiry(token)
    if ended is None or ended > time.time():
        return ""
    return f"expired at {moment_text(ended)}, {rough_span(time.time() - ended)} ago"


def moment_text(seconds: float) -> str:
    """A moment as text: `2026-11-23 12:00:00 UTC`. seconds: since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
