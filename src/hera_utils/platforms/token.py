"""What a token says of itself, without asking anybody: whose it is and until when. Pure; a signature is the server's to check.

Argo's single sign-on tokens (`v2:…`) are encrypted: they say nothing to us.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any


@dataclass(frozen=True)
class TokenClaims:
    """kind: `jwt`, `sso` (Argo's own encrypted `v2:` token) or `opaque`. expires: seconds since 1970, or None.

    defect: what is wrong with its form, in words that repeat nothing of it; "" when it may be one. subject: whose it is, of a JWT.
    """

    kind: str
    defect: str = ""
    expires: float | None = None
    subject: str = ""

    @property
    def of_kubernetes(self) -> bool:
        """Whether the Kubernetes API made it: then it says who one is there as well."""
        return self.subject.startswith("system:serviceaccount:")


def bare_token(text: str) -> str:
    """A token as people have it, without `Bearer `. (The argo command wants the word, Hera wants it once, headers need it.)"""
    words = text.split()
    return words[1] if len(words) == 2 and words[0].lower() == "bearer" else " ".join(words)


def expiry(token: str) -> float | None:
    """When a token ends, in seconds since 1970, as it says itself (`exp` of a JSON web token); None when it says nothing."""
    parts = bare_token(token).split(".")
    claims = _json_of(parts[1]) if len(parts) == 3 else None
    return _seconds(claims.get("exp")) if claims is not None else None


def read_token(text: str) -> TokenClaims:
    """What the form of a token says, and its claims where they can be read. text: without `Bearer `."""
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
        cut = text.startswith("eyJ")  # how every JWT begins: {" in base64
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


def moment_text(seconds: float) -> str:
    """A moment for people: `2026-11-23 12:00:00 UTC`. seconds: since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
