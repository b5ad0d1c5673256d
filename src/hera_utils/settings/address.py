"""Addresses of Argo servers, as people write them: `host`, `host:port`, `https://host/base/path`."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from hera_utils.errors import SettingsError


def server_url(text: str, *, secure: bool | None = None, base: str = "") -> str:
    """The URL of an Argo server, without a trailing slash.

    text: what the user wrote. secure: the scheme if the text has none: False is http, else https (as in the argo command, where
    ARGO_SECURE is true by default). base: the base path if the text has none (ARGO_BASE_HREF).
    Raises SettingsError, which says what is wrong, if the text is no address.
    """
    written = text.strip()
    if "://" not in written:
        written = f"{'http' if secure is False else 'https'}://{written}"
    if any(character.isspace() for character in written):
        raise _illegal(text, "it contains a blank")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError as error:
        raise _illegal(text, str(error).lower()) from None
    if parts.scheme not in ("http", "https"):
        raise _illegal(text, f"`{parts.scheme}` is neither http nor https")
    if parts.username is not None or parts.password is not None:
        # The message does not repeat the text because it contains a password.
        raise SettingsError("an Argo server's address contains a user name or a password", fix=_FIX_CREDENTIAL)
    if not parts.hostname:
        raise _illegal(text, "it has no host")
    if parts.query or parts.fragment:
        raise _illegal(text, "it contains `?` or `#`; give the part before")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.strip("/") or base.strip("/")
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{f'/{path}' if path else ''}"


def endpoint(url: str) -> tuple[str, int]:
    """(host, port) of a URL; a URL without a port has the port of its scheme."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def host_and_port(url: str) -> tuple[str, int]:
    """(host, port) of a URL; every name of this machine's loopback becomes `127.0.0.1`."""
    host, port = endpoint(url)
    return "127.0.0.1" if is_loopback(host) else host.lower(), port


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_FIX_CREDENTIAL = "give the address alone, and the credential with ARGO_TOKEN"


def _illegal(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"`{text}` is not the address of an Argo server: {why}", fix="write it as host:port or https://host:port/base"
    )
