"""A platform as its clients see it: two addresses, a credential, a namespace. The same for a cluster and for this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.errors import PlatformError, SettingsError

if TYPE_CHECKING:
    from hera_utils.settings.resolve import CLIContext


@dataclass(frozen=True)
class Connection:
    """Where and how to reach an execution platform.

    argo_server: URL of the Argo server, base path included, without a trailing slash. token: without `Bearer `; never shown.
    fresh_token: gives a token that is still valid, for tokens that expire (None: `token` is all there is).
    kubeconfig, context: how to reach the Kubernetes API (None: as Kubernetes clients do by themselves).
    local: whether it is the server of this machine that hera_utils started.
    rejoin: gives the connection anew when that server has crashed (it is started again, maybe on another port).
    """

    argo_server: str
    namespace: str = "default"
    token: str = field(default="", repr=False)
    verify_tls: bool = True
    ca_file: str | None = None
    client_certificate: tuple[str, str] | None = None
    proxy: str | None = field(default=None, repr=False)
    kubeconfig: str | None = None
    context: str | None = None
    service_account: str | None = None
    local: bool = False
    fresh_token: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    rejoin: Callable[[], Connection] | None = field(default=None, repr=False, compare=False)

    def current_token(self) -> str:
        """The token to send now, without `Bearer `; "" for none."""
        return self.fresh_token() if self.fresh_token is not None else self.token


def connect(context: CLIContext) -> Connection:
    """The platform that the settings name. On this machine its server is started, or joined when it runs.

    A remote server is not asked anything yet. SettingsError or PlatformError when there is nothing to connect to.
    """
    return _local(context) if context.platform == "local" else _remote(context)


def _local(context: CLIContext) -> Connection:
    from hera_utils.platforms.local.daemon import start_or_join

    server = start_or_join(Path(context.state))
    try:
        return Connection(
            argo_server=str(server["argo_server"]).rstrip("/"),
            namespace=context.argo_namespace,
            token=str(server["token"]),
            kubeconfig=str(server["kubeconfig"]),
            service_account=context.argo_service_account,
            local=True,
            rejoin=lambda: _after_a_crash(context),
        )
    except KeyError as missing:
        raise PlatformError(
            f"{context.state}/server.json says nothing of {missing}", fix="stop the server with hera-utils serve --stop"
        ) from None


def _after_a_crash(context: CLIContext) -> Connection:
    """The server of a state folder again. One that was stopped on purpose is not started: it took its server.json with it."""
    if not (Path(context.state) / "server.json").exists():
        raise PlatformError("the local platform was stopped", fix="any command starts it again, and its runs go on")
    return _local(context)


def _remote(context: CLIContext) -> Connection:
    if context.argo_server is None:
        raise SettingsError(
            "the platform is remote but no Argo server is named", fix="name it with --argo_server or ARGO_SERVER"
        )
    token = context.argo_token.reveal() if context.argo_token is not None else ""
    bare = Connection(
        argo_server=context.argo_server,
        namespace=context.argo_namespace,
        token=bare_token(token),
        verify_tls=context.verify_tls,
        kubeconfig=context.k8s_config_file,
        context=context.k8s_context,
        service_account=context.argo_service_account,
    )
    if token or not (context.argo_service_account and context.k8s_config_file):
        return bare
    from dataclasses import replace

    from hera_utils.platforms.credentials import ServiceAccountToken

    return replace(bare, fresh_token=ServiceAccountToken(bare))


def bare_token(text: str) -> str:
    """A token as people have it, without `Bearer `. (The argo command wants the word, Hera wants it once, headers need it.)"""
    words = text.split()
    return words[1] if len(words) == 2 and words[0].lower() == "bearer" else " ".join(words)
