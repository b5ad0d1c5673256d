"""HTTP to a Kubernetes API: sends one request and returns status and document, which the callers interpret.

The address, TLS, the credential and the proxy come from the kubeconfig (cluster_access.py); a refusal is a reply like any other.
`Cluster` uses it for the objects of a run, the preflight for many requests at once.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import requests
import requests.adapters
from urllib3 import HTTPHeaderDict

from hera_utils.errors import AccessError, HeraUtilsError, PlatformError
from hera_utils.platforms.cluster_access import ClusterAccess, access_to
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.http_errors import VERIFY, kind_of, reason_of
from hera_utils.platforms.http_session import allow_unverified_tls, proxies_of
from hera_utils.platforms.token import describe_expiry
from hera_utils.settings.secret import mask

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
_AS_JSON = "application/json"
_SECONDS = 10.0  # to connect, and for each silence of a reply
_CONNECTIONS = 64  # connections kept open: a preflight sends as many requests at once
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class ClusterRequest:
    """One request. path: below the API's root, escaped. content: the media type of the body.

    by_token: sent with the token of the KubernetesHttp, instead of the kubeconfig's credential.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    content: str = _AS_JSON
    by_token: bool = False


@dataclass(frozen=True)
class ClusterReply:
    """status: HTTP's. body: the object, or Kubernetes' Status. date: the server's clock by its Date header, "" without one.

    sent, received: this machine's clock before and after the request, seconds since 1970.
    """

    status: int
    body: Json = field(repr=False)
    date: str = ""
    sent: float = 0.0
    received: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def reason(self) -> str:
        """Kubernetes' word for a refusal: NotFound, Forbidden, Conflict…; "" for a success."""
        return "" if self.ok else str(self.body.get("reason") or "")

    @property
    def message(self) -> str:
        return "" if self.ok else str(self.body.get("message") or f"status {self.status}")


class KubernetesHttp:
    """Requests to the Kubernetes API of a Connection. Several threads may use it at once.

    The constructor raises SettingsError or AccessError for a kubeconfig that cannot be used.
    """

    def __init__(self, connection: Connection, token: str = "") -> None:
        """token: another credential, for requests with `by_token`, which then get no client certificate (it would win)."""
        self.connection = connection
        self.access = access_to(connection)
        self._own = self._by_token = _Session(self.access, connection)
        if token:
            self._by_token = _Session(ClusterAccess(replace(self.access.chosen, user={"token": token})), connection)

    def send(self, request: ClusterRequest) -> ClusterReply:
        """Raises AccessError (on this machine PlatformError) if nothing answers, or if the answer is not from a Kubernetes API."""
        session = self._by_token if request.by_token else self._own
        sent = time.time()
        try:
            reply = session.send(request)
        except requests.RequestException as error:
            raise self._unreachable(error) from None
        received = time.time()
        try:
            body = reply.json() if reply.content else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._error_of_other_server(reply)
        return ClusterReply(reply.status_code, body, reply.headers.get("Date", ""), sent, received)

    # --- errors ----------------------------------------------------------------------------------------------------

    def credential_refused(self) -> AccessError:
        """The error for a credential that the cluster refuses; says when its token expired, if the token says so."""
        since = ""
        with contextlib.suppress(HeraUtilsError):
            since = f": its token {words}" if (words := describe_expiry(self.access.token())) else ""
        chosen = self.access.chosen
        return AccessError(
            f"the Kubernetes cluster refuses the credential of {chosen.origin} (context {chosen.context}){since}",
            fix="log in with the cluster's own tool, or name another kubeconfig (--k8s_config_file) or context (--k8s_context)",
        )

    def _unreachable(self, error: requests.RequestException) -> HeraUtilsError:
        why, origin = reason_of(error), self.access.chosen.origin
        if self.connection.local:
            return PlatformError(
                f"the local platform's Kubernetes API does not answer ({why})",
                fix="run the command again, which starts it",
            )
        if verified := VERIFY.search(str(error)):
            return AccessError(
                f"the certificate of the Kubernetes API is not trusted by {origin} "
                f"({self.access.address.server}: {verified['why'].strip() or 'not verified'})",
                fix="correct the cluster's certificate-authority in the kubeconfig (its owner has the file), or name another",
            )
        return AccessError(
            f"the Kubernetes cluster of {origin} does not answer ({mask(why, [self.connection.token])})",
            fix="check the network (a VPN?), or name another kubeconfig with --k8s_config_file or KUBECONFIG",
        )

    def _error_of_other_server(self, reply: requests.Response) -> AccessError:
        return AccessError(
            f"what answers at {self.access.address.server} is not a Kubernetes API (status {reply.status_code}, "
            f"{kind_of(reply)})",
            fix="correct the cluster's `server` in the kubeconfig, or name another with --k8s_config_file or KUBECONFIG",
        )


class _Session:
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
        headers = {"Accept": _AS_JSON}
        content = None
        if request.body is not None:
            headers["Content-Type"] = request.content
            content = json.dumps(request.body, separators=(",", ":")).encode()
        return self._session.request(
            request.method,
            f"{self._access.address.server}/{request.path.lstrip('/')}",
            params=dict(request.query),
            data=content,
            headers=headers,
            auth=self._authorize,
            timeout=_SECONDS,
            allow_redirects=False,
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
