"""A platform as its clients see it: two addresses, a credential, a namespace. The same for a cluster and for this machine."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.errors import AccessError, PlatformError, SettingsError
from hera_utils.platforms.credentials import bare_token
from hera_utils.settings.command_line import place_words

if TYPE_CHECKING:
    from hera_utils.settings.resolve import CLIContext


@dataclass(frozen=True)
class Connection:
    """Where and how to reach an execution platform.

    argo_server: URL of the Argo server, base path included, without a trailing slash. token: without `Bearer `; never shown.
    fresh_token: gives a token that is still valid, for tokens that expire (None: `token` is all there is).
    verify_tls: whether the server's certificate is checked; ca_file: by which authorities (None: those of this machine).
    client_certificate: (file, its key's file) to show the server. proxy: the setting's; it may hold a password.
    kubeconfig, context: how to reach the Kubernetes API (None: as Kubernetes clients do by themselves).
    found: how the server was found when nobody named it, for people. tunnel: what keeps the way to it open.
    local: whether it is the server of this machine that hera_utils started.
    flags: what a command has to be given to reach it too, where variables and files do not say it.
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
    found: str = ""
    local: bool = False
    flags: tuple[str, ...] = field(default=(), repr=False, compare=False)
    tunnel: object | None = field(default=None, repr=False, compare=False)
    fresh_token: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    rejoin: Callable[[], Connection] | None = field(default=None, repr=False, compare=False)

    @property
    def direct(self) -> bool:
        """Whether the server's address is of this machine (the local platform, a tunnel): no proxy leads there."""
        return self.local or self.tunnel is not None

    @property
    def verify(self) -> bool | str:
        """What requests (and so Hera) takes for it: the authorities' file, or whether to check at all."""
        return self.ca_file if self.verify_tls and self.ca_file else self.verify_tls

    def command(self, *words: str) -> str:
        """A command of hera-utils that reaches this platform, to be pasted: `command("watch", name)`."""
        return shlex.join(("hera-utils", *words, *self.flags))

    def renewed_token(self, refused: str) -> str:
        """Another token than the one that was refused, when there may be one; "" otherwise."""
        forget = getattr(self.fresh_token, "forget", None)
        if forget is None or not forget():
            return ""
        token = self.current_token()
        return token if token != refused else ""

    def current_token(self) -> str:
        """The token to send now, without `Bearer `; "" for none."""
        return self.fresh_token() if self.fresh_token is not None else self.token


def connect(context: CLIContext) -> Connection:
    """The platform that the settings name. On this machine its server is started, or joined when it runs.

    A remote server is not asked anything yet; when nobody names it, the cluster is asked where it is. SettingsError,
    AccessError or PlatformError when there is nothing to connect to.
    """
    found = _local(context) if context.platform == "local" else _remote(context)
    return replace(found, flags=place_words(context))


def _local(context: CLIContext) -> Connection:
    from hera_utils.local_platform.daemon import start_or_join

    server = start_or_join(Path(context.state))
    _refuse_other(context, server)
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


def _refuse_other(context: CLIContext, server: dict[str, Any]) -> None:
    """What was typed with the address of our own server must be true of it. (Variables may be left from a server before this one.)"""
    own = str(server.get("argo_server"))
    if (
        context.origin("argo_server").startswith("flag")
        and str(context.argo_server).partition(":")[0] != own.partition(":")[0]
    ):
        raise SettingsError(
            f"this machine's own server is at {own}, not at {context.argo_server}", fix="leave --argo_server out"
        )
    given = context.argo_token if context.argo_server and context.origin("argo_token").startswith("flag") else None
    if given is not None and bare_token(given.reveal()) != server.get("token"):
        raise AccessError(
            f"--argo_token gives another token than this machine's own server has ({own})",
            fix="leave it out: here the token is known",
        )


def _after_a_crash(context: CLIContext) -> Connection:
    """The server of a state folder again. One that was stopped on purpose is not started: it took its server.json with it."""
    if not (Path(context.state) / "server.json").exists():
        raise PlatformError("the local platform was stopped", fix="any command starts it again, and its runs go on")
    return _local(context)


def _remote(context: CLIContext) -> Connection:
    from hera_utils.platforms.credentials import ClusterToken, ServiceAccountToken, token_source

    token = context.argo_token.reveal() if context.argo_token is not None else ""
    bare = Connection(
        argo_server=context.argo_server or "",
        namespace=context.argo_namespace,
        token=bare_token(token),
        verify_tls=context.verify_tls,
        ca_file=_file(context, "ca_file"),
        client_certificate=_certificate(context),
        proxy=context.proxy,
        kubeconfig=context.k8s_config_file,
        context=context.k8s_context,
        service_account=context.argo_service_account,
    )
    if context.argo_server is None:
        asked = (bare, context.argo_base_href)
        known: Connection | None = context.remembered().get(asked)
        if known is not None:  # its tunnel stands, its tokens are held
            return known
        bare = _found(bare, context.argo_base_href or "")
        source = token_source(context, bare)
        # the server is of the kubeconfig's own cluster: as with the argo command, who may use the one may use the other
        if not token and (source is None or isinstance(source, ServiceAccountToken)):
            source = ClusterToken(bare, source)
        made = replace(bare, fresh_token=source)
        context.remembered()[asked] = made
        return made
    return replace(bare, fresh_token=token_source(context, bare))


def _found(bare: Connection, base: str) -> Connection:
    """The Argo server that the kubeconfig's cluster has, when nobody names one. base: the base path that the settings say, or ""."""
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.discovery import find_argo_server

    cluster = Cluster(bare)
    if not cluster.leads_somewhere():
        raise SettingsError(
            "the platform is remote but no Argo server is named, and no kubeconfig leads to one",
            fix="name it with --argo_server or ARGO_SERVER, or its cluster with --k8s_config_file or KUBECONFIG; "
            "leave --platform out to run on this machine",
        )
    return find_argo_server(cluster, base)


def _certificate(context: CLIContext) -> tuple[str, str] | None:
    certificate, key = _file(context, "client_certificate"), _file(context, "client_key")
    if certificate is None:
        if key is not None:
            raise SettingsError(
                f"client_key is given ({context.origin('client_key')}) without a client_certificate",
                fix="name the certificate with --client_certificate",
            )
        return None
    return certificate, key or certificate


def _file(context: CLIContext, name: str) -> str | None:
    """A setting that names a file which must be there."""
    path: str | None = getattr(context, name)
    if path is not None and not Path(path).is_file():
        raise SettingsError(f"{name} ({context.origin(name)}): there is no file {path}", fix="correct its path")
    return path
