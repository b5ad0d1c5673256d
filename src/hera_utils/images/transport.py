"""HTTP to registries: certificates, proxies, and redirects, which never send a token to another host. registry.py has the requests."""

from __future__ import annotations

import re
import ssl
import threading
import urllib.parse
import warnings
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
import requests.adapters
import urllib3.exceptions
from urllib3.util.ssl_ import create_urllib3_context

from hera_utils.images.deadlines import raise_after, watch_connections
from hera_utils.settings.address import is_loopback

CERTIFICATE_FOLDERS = (Path("/etc/docker/certs.d"), Path("/etc/containers/certs.d"))
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
ANSWER_SECONDS = 60.0
"""The limit for a request up to the end of the answer's headers, and the limit for the body of a manifest, a token or a message."""
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class UnsafeRedirect(Exception):
    """An answer redirects to an address that is not safe to follow."""


class _Adapter(requests.adapters.HTTPAdapter):
    """An adapter whose connections are cut when they are too slow."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        watch_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        watch_connections(manager)
        return manager


class _TlsAdapter(_Adapter):
    """Trusts the authorities of its context, and also those of requests or of REQUESTS_CA_BUNDLE."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)


def _unchecked_context() -> ssl.SSLContext:
    """The context for a registry that the user named as insecure, or that is on this machine. urllib3's warning at each request is off."""
    warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)
    context = create_urllib3_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _context(folders: list[Path]) -> ssl.SSLContext:
    """The context with this machine's authorities (also of SSL_CERT_FILE), and with the authorities and client certificate of `folders`."""
    context = create_urllib3_context()
    context.load_default_certs()
    for folder in folders:
        for file in sorted(folder.glob("*.crt")):
            context.load_verify_locations(file)
        for file in sorted(folder.glob("*.cert")):
            context.load_cert_chain(file, file.with_suffix(".key"))
    return context


class Transport:
    """Sessions with registries and the hosts they redirect to, separate for each thread. Use it in a `with` block."""

    def __init__(
        self,
        *,
        insecure_hosts: frozenset[str] = frozenset(),
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        """insecure_hosts: host:port as addresses write them, whose certificate is not checked."""
        self._insecure = insecure_hosts
        self._connect_seconds = connect_seconds
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        authorization: str = "",
        form: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer, its body unread. Raises one of FAILURES when there is none, and UnsafeRedirect.

        authorization, form: sent to this host only, not to another one that the answer redirects to.
        """
        address = url
        for _ in range(_MOST_REDIRECTS + 1):
            reply = self._send_once(method, address, dict(headers or {}), authorization, form)
            location = reply.headers.get("Location")
            if reply.status_code not in _REDIRECTS or not location:
                return reply
            reply.close()
            following = urllib.parse.urljoin(address, location)
            self._check_redirect(address, following)
            if origin(following) != origin(url):
                authorization = ""  # not sent again even if a later redirect leads back
                if form is not None:
                    raise UnsafeRedirect("it redirects to another host, which is not given the login")
            address = following
        raise UnsafeRedirect("it redirects in a circle")

    def _send_once(
        self, method: str, url: str, headers: dict[str, str], authorization: str, form: Mapping[str, str] | None
    ) -> requests.Response:
        if authorization:
            headers["Authorization"] = authorization
        host = urllib.parse.urlsplit(url).netloc
        session = self._session(url, host)
        options: dict[str, Any] = {"verify": False} if host in self._insecure else {}
        with raise_after(ANSWER_SECONDS):
            return session.request(
                method,
                url,
                headers=headers,
                data=form,
                stream=True,
                allow_redirects=False,
                timeout=(self._connect_seconds, READ_SECONDS),
                **options,
            )

    def is_protected(self, url: str) -> bool:
        """Whether a login may be sent there: over TLS, within this machine, or to a host that the user named as insecure."""
        parts = urllib.parse.urlsplit(url)
        return parts.scheme == "https" or is_loopback(parts.hostname or "") or parts.netloc in self._insecure

    def _session(self, url: str, host: str) -> requests.Session:
        sessions: dict[tuple[str, str, int], requests.Session] = self._local.__dict__.setdefault("sessions", {})
        address = origin(url)
        if address not in sessions:
            session = requests.Session()
            session.headers.clear()
            session.headers.update({"User-Agent": "hera-utils", "Accept": "*/*", "Accept-Encoding": "identity"})
            session.auth = _no_netrc
            # this machine is asked directly, not through a proxy
            session.trust_env = not is_loopback(urllib.parse.urlsplit(url).hostname or "")
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            is_tls = url.startswith("https:")
            session.mount(f"{url.partition(':')[0]}://", _TlsAdapter(self._context_for(host)) if is_tls else _Adapter())
            sessions[address] = session
            self._sessions.append(session)
        return sessions[address]

    def _context_for(self, host: str) -> ssl.SSLContext:
        """The host's context, shared by all threads, because reading the authorities of a machine takes long."""
        with self._lock:
            if host not in self._contexts:
                own = [folder / host for folder in CERTIFICATE_FOLDERS]
                self._contexts[host] = _unchecked_context() if host in self._insecure else _context(own)
            return self._contexts[host]

    def _check_redirect(self, before: str, after: str) -> None:
        parts = urllib.parse.urlsplit(after)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnsafeRedirect("it redirects to what is no address of the web")
        if before.startswith("https:") and not self.is_protected(after):
            raise UnsafeRedirect(f"it redirects to {parts.hostname} without TLS")


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def proxy_of(url: str) -> str:
    """The proxy for an address, without the login in the proxy's own address; "" without a proxy."""
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url, no_proxy=None))
    if not proxy:
        return ""
    scheme, separator, rest = proxy.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An `auth` that changes nothing: without one, requests would use the entry of ~/.netrc."""
    return request


_REASONS = (
    (
        re.compile(r"NameResolution|Name or service not known|Temporary failure in name"),
        "there is no host of that name",
    ),
    (re.compile(r"Connection refused"), "connection refused"),
    (re.compile(r"No route to host|Network is unreachable"), "no way leads there"),
    (re.compile(r"[Tt]imed? ?out"), "no answer in time"),
    (re.compile(r"WRONG_VERSION_NUMBER|record layer failure"), "it does not speak TLS"),
    (re.compile(r"certificate verify failed"), "its certificate is not one that this machine trusts"),
    (re.compile(r"invalid path"), "REQUESTS_CA_BUNDLE names a file that does not exist"),
    (re.compile(r"Missing dependencies for SOCKS"), "the proxy speaks SOCKS, for which the package PySocks is missing"),
    (re.compile(r"InvalidProxyURL|InvalidSchema"), "the proxy's address is none"),
    (re.compile(r"\[SSL|PEM|NO_CERTIFICATE|No such file"), "a file of certificates cannot be used"),
)


def reason_of(error: Exception) -> str:
    """Why there was no answer, in a few words without any secret."""
    text = f"{type(error).__name__} {error}"
    return next((words for pattern, words in _REASONS if pattern.search(text)), "the connection was cut")


def fault_of_certificate(error: Exception) -> str:
    """What is wrong with the server's certificate; "" when the error has another cause."""
    match = re.search(r"certificate verify failed:?\s*([^(\[]*)", str(error))
    return match[1].strip() or "it cannot be verified" if match else ""
