"""Which HTTP proxy leads to an address: the one that the settings name, else the environment's; none where NO_PROXY says so."""

from __future__ import annotations


def proxy_for(url: str, named: str | None = None) -> str | None:
    """The proxy's URL, or None to go there directly. named: the setting `proxy`.

    NO_PROXY (hosts, domains, addresses with a mask) is obeyed for both. Secrets may stand in what is returned.
    """
    from requests.utils import get_environ_proxies, select_proxy, should_bypass_proxies

    if should_bypass_proxies(url, no_proxy=None):
        return None
    return named or select_proxy(url, get_environ_proxies(url, no_proxy=None)) or None


def without_credentials(proxy: str) -> str:
    """A proxy's URL for people: `http://me:secret@proxy:3128` → `http://proxy:3128`."""
    scheme, separator, rest = proxy.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
