"""Messages for failed web requests, like those of Go's client: a retry policy recognizes transient failures by them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import urllib.parse

_PORTS = {"http": 80, "https": 443}


def in_gos_words(failure: BaseException, url: str) -> str:
    """The message of Go's client for an exception of a Python client, or for one of its causes."""
    text = _whole_text(failure)
    if "Connection refused" in text:
        return f"dial tcp {_address(url)}: connect: connection refused"
    if "WRONG_VERSION_NUMBER" in text:
        return "tls: first record does not look like a TLS handshake"
    for phrase in ("Name or service not known", "No address associated with hostname"):
        if phrase in text:
            return f"dial tcp: lookup {urllib.parse.urlsplit(url).hostname}: no such host"
    if "Temporary failure in name resolution" in text:
        return f"dial tcp: lookup {urllib.parse.urlsplit(url).hostname}: Temporary failure in name resolution"
    reason = getattr(failure, "reason", None) or failure
    return str(getattr(reason, "strerror", None) or reason)


def _whole_text(failure: BaseException) -> str:
    texts = []
    cause: BaseException | None = failure
    while cause is not None:
        texts += [str(cause), str(getattr(cause, "reason", ""))]
        cause = cause.__cause__ or cause.__context__
    return " ".join(texts)


def _address(url: str) -> str:
    """The address and port of a URL; a name is resolved again."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        with contextlib.suppress(OSError):  # if the name cannot be resolved now, it stands in the message
            host = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
