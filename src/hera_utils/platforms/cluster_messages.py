"""A request to a Kubernetes API and its reply, as values. kubernetes_http.py sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
_AS_JSON = "application/json"
_SECONDS = 10.0  # to connect, and for each silence of a reply


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

    def options(self) -> dict[str, Any]:
        """Of the request, as the function `request` of a requests session takes them."""
        headers = {"Accept": _AS_JSON}
        content = None
        if self.body is not None:
            headers["Content-Type"] = self.content
            content = json.dumps(self.body, separators=(",", ":")).encode()
        query = dict(self.query)
        return {"params": query, "data": content, "headers": headers, "timeout": _SECONDS, "allow_redirects": False}


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
