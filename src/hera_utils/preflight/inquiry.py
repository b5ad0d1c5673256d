"""Many requests to a platform at the same time; each is sent once, even if several checks need its answer.

Only a check whose next request depends on an answer costs another round trip, so a preflight takes as long as its longest chain of
requests (at most three), regardless of their number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from hera_utils.errors import HeraUtilsError
from hera_utils.experiment.environment import Environment
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest, Json
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.kubernetes_http import KubernetesHttp
from hera_utils.platforms.token import TokenClaims
from hera_utils.preflight.needs import Needs
from hera_utils.settings.resolve import CLIContext

AT_ONCE = 64
"""Requests at the same time; most preflights have fewer."""

Ask = Callable[[ClusterRequest], ClusterReply]


class Asker:
    """Sends requests to a Kubernetes API, in its own threads."""

    def __init__(self, http: KubernetesHttp) -> None:
        self._ask: Ask = http.send
        self._threads = ThreadPoolExecutor(AT_ONCE, "preflight-ask")
        self._answers: dict[str, Future[ClusterReply]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __call__(self, *requests: ClusterRequest) -> list[ClusterReply]:
        """The answers, in order. Raises AccessError if the API did not answer one of them."""
        return [future.result() for future in [self._future(request) for request in requests]]

    def get(self, path: str) -> ClusterReply:
        return self(ClusterRequest("GET", path))[0]

    def _future(self, request: ClusterRequest) -> Future[ClusterReply]:
        key = repr(request)
        with self._lock:
            if key not in self._answers:
                self._answers[key] = self._threads.submit(self._ask, request)
            return self._answers[key]


@dataclass
class Target:
    """What the checks examine, with the results of the first requests.

    asker: None if no kubeconfig leads to the cluster, or it does not answer. needs: of the workflow and its environment.
    token: the claims of the Argo token. by_token: whether the cluster accepts this token, too; then the user's permissions are checked
    with it, else with the kubeconfig's credential. user: the user's name in the cluster, "" if the cluster does not say it.
    trusted: whether the Argo server accepted the token. version: the server's version, "" if it did not answer.
    """

    context: CLIContext
    connection: Connection
    environment: Environment
    needs: Needs
    token: TokenClaims
    asker: Asker | None = None
    by_token: bool = False
    user: str = ""
    trusted: bool = False
    runs: object = None  # the newest runs of the namespace, or the error of that request
    version: str = ""
    kubernetes: str = ""
    role_file: str = ""
    # Roles and RoleBindings that grant the missing permissions, for role.yaml.
    lacking: list[Json] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return self.connection.namespace

    def core(self, resource: str, name: str = "") -> str:
        """The path of an object of the namespace in the core group, or of all of them."""
        return f"api/v1/namespaces/{quote(self.namespace, safe='')}/{resource}" + (
            f"/{quote(name, safe='')}" if name else ""
        )

    def kubectl(self, words: str) -> str:
        leads = f"--kubeconfig {self.connection.kubeconfig} " if self.connection.local else ""
        return f"kubectl {leads}-n {self.namespace} {words}"


@contextmanager
def closing_asker(asker: Asker | None) -> Iterator[None]:
    try:
        yield
    finally:
        if asker is not None:
            asker.close()


def call_in_parallel(calls: Sequence[Callable[[], object]]) -> list[object]:
    """The result of each call, or the HeraUtilsError that it raised, in order."""

    def guarded(call: Callable[[], object]) -> object:
        try:
            return call()
        except HeraUtilsError as error:
            return error

    with ThreadPoolExecutor(max(1, len(calls)), "preflight") as threads:
        return list(threads.map(guarded, calls))
