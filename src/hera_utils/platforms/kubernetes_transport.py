"""How lightkube's HTTP library speaks with a cluster: our TLS, our credential, our proxy.

The library is lightkube's own choice (httpx, httpx2), so it is asked for by what lightkube imports.
"""

from __future__ import annotations

from typing import Any

from hera_utils.platforms.cluster_access import ClusterAccess
from hera_utils.platforms.proxies import proxy_for

_UNAUTHORIZED = 401


def transport(access: ClusterAccess, *, direct: bool, proxy: str | None) -> Any:
    """A transport for lightkube's client. direct: no proxy, whatever the environment says (this machine's own platform)."""
    from lightkube.config import client_adapter

    http: Any = client_adapter.httpx  # type: ignore[attr-defined,unused-ignore]
    server = access.address.server
    through = None if direct else access.address.proxy or proxy_for(server, proxy)

    def made() -> Any:
        return http.HTTPTransport(verify=access.tls(), proxy=through, trust_env=False)

    class Authorized(http.BaseTransport):  # type: ignore[misc]
        """Says who asks. A refused credential is renewed once, when it can be; a certificate of a plugin before its end."""

        def __init__(self) -> None:
            self.inner, self.ends = made(), access.expires

        def handle_request(self, request: Any) -> Any:
            if self.ends is not None and access.expires != self.ends:  # the plugin gave another certificate meanwhile
                self.inner, self.ends = made(), access.expires
            if "Authorization" in request.headers:
                return self.inner.handle_request(request)
            own = request.headers.multi_items()
            request.headers = http.Headers([*own, *access.headers()])  # a list: groups stand in several lines
            reply = self.inner.handle_request(request)
            if reply.status_code != _UNAUTHORIZED or not access.renew():
                return reply
            reply.close()
            request.headers = http.Headers([*own, *access.headers()])
            return self.inner.handle_request(request)

        def close(self) -> None:
            self.inner.close()

    return Authorized()
