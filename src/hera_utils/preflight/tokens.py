"""What a token says of itself, without asking anybody: whose it is and until when. Pure; a signature is the server's to check."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Token:
    """kind: `jwt`, `sso` (Argo's own encrypted `v2:` token) or `opaque`. expires, born: seconds since 1970, or None.

    wrong: what is wrong with its form, in words that repeat nothing of it; "" when it may be one. subject: whose it is, of a JWT.
    """

    kind: str
    wrong: str = ""
    expires: float | None = None
    born: float | None = None
    subject: str = ""

    @property
    def of_kubernetes(self) -> bool:
        """Whether the Kubernetes API made it: then it says who one is there as well."""
        return self.subject.startswith("system:serviceaccount:")


def read_token(text: str) -> Token:
    """text: without `Bearer `."""
    if any(character.isspace() or not character.isprintable() for character in text):
        return Token("opaque", wrong="it holds a space or a line break")
    if text[:1] in "\"'" or text[-1:] in "\"'":
        return Token("opaque", wrong="it is written with its quotation marks")
    if not text.isascii():
        return Token("opaque", wrong="it holds letters that no token has")
    if text.startswith("v2:"):
        return Token("sso")
    parts = text.split(".")
    if len(parts) != 3:
        cut = text.startswith("eyJ")  # how every JWT begins: {" in base64
        return Token("jwt", wrong=f"it has {len(parts)} of a JWT's 3 parts") if cut else Token("opaque")
    claims = _json_of(parts[1])
    if _json_of(parts[0]) is None or claims is None:
        return Token("jwt", wrong="it is no whole JWT: a part of it cannot be read")
    return Token(
        "jwt",
        expires=_seconds(claims.get("exp")),
        born=_seconds(claims.get("iat")),
        subject=str(claims.get("sub") or ""),
    )


def _json_of(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
