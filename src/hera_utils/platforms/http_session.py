"""What every HTTP session to a server of a platform needs: the proxy that leads there, and TLS that is not checked without a warning.

There is one HTTP stack, `requests` (decision 0021): argo_http.py opens the session of an Argo server, kubernetes_http.py that of a
Kubernetes API, and hera_binding.py prepares Hera's own.
"""

from __future__ import annotations

import warnings

import urllib3.exceptions
from requests.utils import get_environ_proxies, select_proxy, should_bypass_proxies


def proxy_for(url: str, setting: str | None = None) -> str | None:
    """The URL of the HTTP proxy that leads to an address, or None to go there directly. setting: the setting `proxy`.

    Without it the environment names one. NO_PROXY (hosts, domains, addresses with a mask) is obeyed for both. The URL may hold a password.
    """
    if should_bypass_proxies(url, no_proxy=None):
        return None
    return setting or select_proxy(url, get_environ_proxies(url, no_proxy=None)) or None


def proxies_of(proxy: str | None) -> dict[str, str]:
    """A proxy's URL as a session of requests takes it."""
    return {"http": proxy, "https": proxy} if proxy else {}


def without_credentials(proxy: str) -> str:
    """A proxy's URL for people: `http://me:secret@proxy:3128` → `http://proxy:3128`."""
    scheme, separator, rest = proxy.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def allow_unverified_tls() -> None:
    """The settings say that a certificate is not checked: urllib3 need not warn of it with each request."""
    warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)
