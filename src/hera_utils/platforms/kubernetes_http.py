"""HTTP to a Kubernetes API: sends one request and returns status and document, which the callers interpret.

The address, TLS, the credential and the proxy come from the kubeconfig (cluster_access.py); a refusal is a reply like any other.
`Cluster` uses it for the objects of a run, the preflight for many requests at once.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from hera_utils.errors import AccessError, HeraUtilsError, PlatformError
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.http_errors import VERIFY, broken_connections, kind_of, reason_of
from hera_utils.platforms.own_server_session import OwnServerSession, Reply
from hera_utils.platforms.token import describe_expiry
from hera_utils.settings.secret import mask

if TYPE_CHECKING:
    import requests

    from hera_utils.platforms.cluster_access import ClusterAccess


class _Session(Protocol):
    def send(self, request: ClusterRequest) -> Reply | requests.Response: ...


class _SessionWithThisMachine:
    """A session with the API of the local server, in plain HTTP."""

    def __init__(self, connection: Connection, token: str) -> None:
        self._address, self._token = connection.kubernetes, token
        self._session = OwnServerSession(replace(connection, argo_server=connection.kubernetes))

    def send(self, request: ClusterRequest) -> Reply | requests.Response:
        options = request.options()
        options["headers"]["Authorization"] = f"Bearer {self._token}"
        reply: Reply | requests.Response = self._session.request(
            request.method, f"{self._address}/{request.path.lstrip('/')}", **options
        )
        return reply


class KubernetesHttp:
    """Requests to the Kubernetes API of a Connection. Several threads may use it at once.

    The constructor raises SettingsError or AccessError for a kubeconfig that cannot be used.
    """

    def __init__(self, connection: Connection, token: str = "") -> None:
        """token: another credential, for requests with `by_token`, which then get no client certificate (it would win)."""
        self.connection = connection
        if connection.kubernetes:
            self._own: _Session = _SessionWithThisMachine(connection, connection.token)
            self._by_token: _Session = _SessionWithThisMachine(connection, token) if token else self._own
            return
        from hera_utils.platforms.cluster_access import ClusterAccess
        from hera_utils.platforms.kubernetes_session import KubernetesSession

        self._own = self._by_token = KubernetesSession(self.access, connection)
        if token:
            by_token = ClusterAccess(replace(self.access.chosen, user={"token": token}))
            self._by_token = KubernetesSession(by_token, connection)

    @cached_property
    def access(self) -> ClusterAccess:
        """How the kubeconfig reaches the API."""
        from hera_utils.platforms.cluster_access import access_to

        return access_to(self.connection)

    def send(self, request: ClusterRequest) -> ClusterReply:
        """Raises AccessError (on this machine PlatformError) if nothing answers, or if the answer is not from a Kubernetes API."""
        session = self._by_token if request.by_token else self._own
        sent = time.time()
        try:
            reply = session.send(request)
        except broken_connections()[0] as error:
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

    def _unreachable(self, error: Exception) -> HeraUtilsError:
        why = reason_of(error)
        if self.connection.local:
            return PlatformError(
                f"the local platform's Kubernetes API does not answer ({why})",
                fix="run the command again, which starts it",
            )
        origin = self.access.chosen.origin
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

    def _error_of_other_server(self, reply: Reply | requests.Response) -> AccessError:
        return AccessError(
            f"what answers at {self.access.address.server} is not a Kubernetes API (status {reply.status_code}, "
            f"{kind_of(reply)})",
            fix="correct the cluster's `server` in the kubeconfig, or name another with --k8s_config_file or KUBECONFIG",
        )
