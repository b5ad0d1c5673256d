"""Messages for failed web requests, like those of Go's client: a retry policy recognizes transient failures by them."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import urllib.parse

_PORTS = {"http": 80, "https": 443}
_RESOLVER = "/etc/resolv.conf"
_PARTS = re.compile(r"((?:[a-zA-Z][-a-zA-Z0-9+.]*:)?(?://[^/?#]*)?)([^?#]*)(.*)", re.DOTALL)
_PASSWORD = re.compile(r"^([^/]*//[^/:@]*:)[^/]*@")
_SENT_AS_IS = re.compile(r"(?:[-A-Za-z0-9_.~!$&'()*+,;=:@/\[\]]|%[0-9A-Fa-f]{2})*")


def in_gos_words(failure: BaseException, url: str) -> str:
    """The message of Go's client for an exception of a Python client, or for one of its causes."""
    text = _whole_text(failure)
    if "Connection refused" in text:
        return f"dial tcp {_address(url)}: connect: connection refused"
    if "WRONG_VERSION_NUMBER" in text:
        return "tls: first record does not look like a TLS handshake"
    for phrase in ("Name or service not known", "No address associated with hostname"):
        if phrase in text:
            return f"dial tcp: lookup {urllib.parse.urlsplit(url).hostname}{_name_server()}: no such host"
    if "Temporary failure in name resolution" in text:
        return f"dial tcp: lookup {urllib.parse.urlsplit(url).hostname}: Temporary failure in name resolution"
    if refused := re.search(r"Tunnel connection failed: \d+ ([\w ]*\w)", text):
        return refused[1]  # a proxy's answer
    reason = getattr(failure, "reason", None) or failure
    return str(getattr(reason, "strerror", None) or reason)


def tried(method: str, url: str) -> str:
    """The beginning of a message of Go's HTTP client: it prints the URL as it sends it, and no password."""
    before, path, query = _PARTS.fullmatch(url).groups()  # type: ignore[union-attr]
    if not _SENT_AS_IS.fullmatch(path):
        path = urllib.parse.quote(urllib.parse.unquote(path), safe="/$&+,:;=@~")
    safe = _PASSWORD.sub(r"\1***@", before)
    return f'{method.title()} "{safe}{path}{query}"'


def _name_server() -> str:
    """Where names are looked up, as Go says it."""
    with contextlib.suppress(OSError), open(_RESOLVER, errors="replace") as file:
        for line in file:
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                address = f"[{words[1]}]" if ":" in words[1] else words[1]
                return f" on {address}:53"
    return ""


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
