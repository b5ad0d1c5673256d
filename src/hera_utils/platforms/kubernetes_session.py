"""A requests session with a Kubernetes API: TLS, credential and proxy of the kubeconfig."""

from __future__ import annotations

import threading
from typing import Any

import requests
import requests.adapters
from urllib3 import HTTPHeaderDict

from hera_utils.platforms.cluster_access import ClusterAccess
from hera_utils.platforms.cluster_messages import ClusterRequest
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.http_session import allow_unverified_tls, proxies_of

_CONNECTIONS = 64  # connections kept open: a preflight sends as many requests at once
_UNAUTHORIZED = 401


class KubernetesSession:
    """A session of one user of a cluster. It renews a refused credential once, if possible, and a certificate before it expires."""

    def __init__(self, access: ClusterAccess, connection: Connection) -> None:
        self._access = access
        self._session = requests.Session()
        # without the environment's proxies and ~/.netrc: the proxy is set here, and none is used for this machine
        self._session.trust_env = False
        self._session.proxies = proxies_of(None if connection.local else access.proxy(connection.proxy))
        self._lock = threading.Lock()
        self._certificate_ends: float | None = None
        self._show_certificate()

    def send(self, request: ClusterRequest) -> requests.Response:
        self._show_certificate_that_lasts()
        reply = self._send(request)
        if reply.status_code == _UNAUTHORIZED and self._access.renew():
            self._show_certificate_that_lasts()
            reply = self._send(request)
        return reply

    def _send(self, request: ClusterRequest) -> requests.Response:
        return self._session.request(
            request.method,
            f"{self._access.address.server}/{request.path.lstrip('/')}",
            auth=self._authorize,
            **request.options(),
        )

    def _authorize(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        headers = HTTPHeaderDict(prepared.headers)
        for name, value in self._access.headers():
            headers.add(name, value)  # a header may occur several times, as for the groups to impersonate
        prepared.headers = headers  # type: ignore[assignment]
        return prepared

    def _show_certificate_that_lasts(self) -> None:
        if self._certificate_ends is None:
            return
        with self._lock:
            if self._access.expires != self._certificate_ends:  # the plugin has given another certificate since
                self._show_certificate()

    def _show_certificate(self) -> None:
        self._certificate_ends = self._access.expires
        if self._access.address.server.startswith("https:"):
            self._session.mount("https://", _ClusterAdapter(self._access))


class _ClusterAdapter(requests.adapters.HTTPAdapter):
    """TLS as in the kubeconfig, also through a proxy, without the authorities that requests trusts by default."""

    def __init__(self, access: ClusterAccess) -> None:
        self._tls = access.tls()
        if not self._tls.check_hostname:
            allow_unverified_tls()
        super().__init__(pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._tls, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._tls, **options)

    def cert_verify(self, *_: Any) -> None:
        """Does nothing: the TLS context has the authorities and the client certificate."""

    def build_connection_pool_key_attributes(self, *arguments: Any) -> Any:
        host, _ = super().build_connection_pool_key_attributes(*arguments)
        return host, {}
