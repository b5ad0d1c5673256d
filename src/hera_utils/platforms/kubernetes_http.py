"""HTTP to a Kubernetes API: one request, its status and its document, whatever the kind. What they mean is their reader's.

`Cluster` has the objects of a run as documents; this is beneath it, for what asks many things at once (preflight) and for what lightkube
has no word for (server-side apply as a dry run, reviews of other kinds' rights). The credential is the kubeconfig's, as lightkube reads it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hera_utils.errors import AccessError

if TYPE_CHECKING:
    from hera_utils.platforms.cluster import Cluster

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
_AS_JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One question. path: below the API's root, escaped. content: the media type of the body.

    by_token: asked with the token that the KubernetesHttp was given, instead of the kubeconfig's credential.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    content: str = _AS_JSON
    by_token: bool = False


@dataclass(frozen=True)
class Answer:
    """status: HTTP's. body: the object, or Kubernetes' Status. date: the server's clock as its header says, "" when it does not.

    asked, answered: this machine's clock, seconds since 1970.
    """

    status: int
    body: Json = field(repr=False)
    date: str = ""
    asked: float = 0.0
    answered: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def reason(self) -> str:
        """Kubernetes' word for a refusal: NotFound, Forbidden, Conflict…; "" when it says yes."""
        return "" if self.ok else str(self.body.get("reason") or "")

    @property
    def message(self) -> str:
        return "" if self.ok else str(self.body.get("message") or f"status {self.status}")


class KubernetesHttp:
    """Requests to the API of a Cluster. May be used by several threads at once.

    AccessError when nothing answers or what answers is no Kubernetes API; a refusal is an Answer.
    """

    def __init__(self, cluster: Cluster, token: str = "") -> None:
        """token: another credential, for requests that say `by_token` (a client certificate would win over a header)."""
        self._cluster = cluster
        self._client = cluster.http_client()
        self._by_token = cluster.http_client(token) if token else self._client

    def ask(self, request: Request) -> Answer:
        def send() -> Any:
            client = self._by_token if request.by_token else self._client
            return client.send(self._built(request))

        asked = time.time()
        reply = self._cluster.told(send, request.path)
        answered = time.time()
        try:
            body = reply.json() if reply.content else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._no_kubernetes(reply)
        return Answer(int(reply.status_code), body, str(reply.headers.get("Date", "")), asked, answered)

    def _built(self, request: Request) -> Any:
        headers = {"Accept": _AS_JSON}
        content = None
        if request.body is not None:
            headers["Content-Type"] = request.content
            content = json.dumps(request.body, separators=(",", ":")).encode()
        return self._client.build_request(
            request.method, request.path, params=dict(request.query), content=content, headers=headers
        )

    def _no_kubernetes(self, reply: Any) -> AccessError:
        kind = str(reply.headers.get("Content-Type", "")).split(";")[0]
        what = "an HTML page" if kind == "text/html" else kind or "nothing that can be read"
        server = str(self._client.base_url).rstrip("/")
        return AccessError(
            f"what answers at {server} is no Kubernetes API (status {reply.status_code}, {what})",
            fix="correct the cluster's `server` in the kubeconfig, or name another with --k8s_config_file or KUBECONFIG",
        )
