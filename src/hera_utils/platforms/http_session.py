"""What every HTTP session to a platform's server needs: the right proxy, and no warnings about TLS that the settings do not check.

There is one HTTP stack, `requests` (decision 0021): argo_http.py has a session with an Argo server, kubernetes_http.py one with a
Kubernetes API, and hera_binding.py prepares Hera's own. (For the local server see own_server_session.py.)
"""

from __future__ import annotations

import warnings

import requests
import urllib3.exceptions
from requests.utils import get_environ_proxies, select_proxy, should_bypass_proxies

from hera_utils.platforms.connection import Connection
from hera_utils.platforms.own_server_adapter import OwnServerAdapter


def open_session(connection: Connection) -> requests.Session:
    """A session with the Argo server of a connection."""
    session = requests.Session()
    session.trust_env = not connection.direct  # no proxy between this machine and itself
    session.cert = connection.client_certificate
    if connection.direct:
        for scheme in ("http://", "https://"):
            session.mount(scheme, OwnServerAdapter(connection.process))
    else:
        session.proxies = proxies_of(proxy_for(connection.argo_server, connection.proxy))
    if connection.verify_tls is False:
        allow_unverified_tls()
    return session


def proxy_for(url: str, setting: str | None) -> str | None:
    """The URL of the HTTP proxy for an address, None for none. setting: the setting `proxy`; else the environment decides.

    NO_PROXY (hosts, domains, addresses with a mask) applies to both. The URL may contain a password.
    """
    if should_bypass_proxies(url, no_proxy=None):
        return None
    return setting or select_proxy(url, get_environ_proxies(url, no_proxy=None)) or None


def proxies_of(proxy: str | None) -> dict[str, str]:
    """A proxy's URL as the attribute `proxies` of a requests session."""
    return {"http": proxy, "https": proxy} if proxy else {}


def without_credentials(proxy: str) -> str:
    """A proxy's URL for messages: `http://me:secret@proxy:3128` → `http://proxy:3128`."""
    scheme, separator, rest = proxy.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def allow_unverified_tls() -> None:
    """Stop urllib3 from warning with each request that the certificate is not checked, because the settings say so."""
    warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)
