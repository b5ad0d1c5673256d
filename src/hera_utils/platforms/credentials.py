"""Tokens that expire, renewed in time. Since Kubernetes 1.24 a service account has no stored token: one asks for it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from hera_utils.errors import AccessError, Refused

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection

LIFE_SECONDS = 3600
_RENEW_AT = 0.75  # of its life: a request under way must not meet the end


class ServiceAccountToken:
    """Gives a valid token of the connection's service account; asks for a new one when three quarters of its life are over.

    A call raises AccessError when the cluster gives none. It is what Hera calls a token generator.
    """

    def __init__(self, connection: Connection) -> None:
        from hera_utils.platforms.cluster import Cluster

        if connection.service_account is None:
            raise AccessError("no service account is named", fix="name one with --argo_service_account")
        self._account = connection.service_account
        self._cluster = Cluster(connection)
        self._token, self._until = "", 0.0

    def __call__(self) -> str:
        if time.time() >= self._until:
            asked = time.time()
            try:
                self._token, expires = self._cluster.token(self._account, seconds=LIFE_SECONDS)
            except Refused as error:
                raise AccessError(
                    f"the service account `{self._account}` gives no token: {error}",
                    fix="name another with --argo_service_account, or give a token with ARGO_TOKEN",
                ) from None
            end = datetime.fromisoformat(expires.replace("Z", "+00:00")).timestamp()
            self._until = asked + (end - asked) * _RENEW_AT
        return self._token
