"""A platform as its clients see it: two addresses, a credential, a namespace. The same for a cluster and for this machine."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """Where and how to reach an execution platform.

    argo_server: URL of the Argo server, base path included, without a trailing slash. token: without `Bearer `; never shown.
    kubeconfig, context: how to reach the Kubernetes API (None: as Kubernetes clients do by themselves).
    local: whether it is the server of this machine that hera_utils started.
    """

    argo_server: str
    namespace: str = "default"
    token: str = field(default="", repr=False)
    verify_tls: bool = True
    kubeconfig: str | None = None
    context: str | None = None
    service_account: str | None = None
    local: bool = False
