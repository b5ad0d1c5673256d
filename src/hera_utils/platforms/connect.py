"""From the settings to a platform: this machine's server is started or joined, a cluster's Argo server is named or looked for.

Everything that is needed to get there is beneath this file (daemon, discovery, credentials, cluster); what comes out is a Connection.
"""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from hera_utils.errors import AccessError, PlatformError, SettingsError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.discovery import find_argo_server
from hera_utils.platforms.token import bare_token
from hera_utils.platforms.token_sources import ClusterToken, ServiceAccountToken, token_source
from hera_utils.settings.command_line import place_words
from hera_utils.settings.resolve import CLIContext


def connect(context: CLIContext) -> Connection:
    """The platform that the settings name. On this machine its server is started, or joined when it runs.

    A remote server is not asked anything yet; when nobody names it, the cluster is asked where it is. SettingsError,
    AccessError or PlatformError when there is nothing to connect to.
    """
    connection = _local(context) if context.platform == "local" else _remote(context)
    return replace(connection, flags=place_words(context))


def designated_cluster(context: CLIContext) -> Cluster:
    """The cluster that the settings designate, asked whether it is there (as `check_if_named`)."""
    cluster = Cluster(connect(context))
    cluster.check_if_named()
    return cluster


def where_it_runs(context: CLIContext, connection: Connection, version: str = "") -> str:
    """The platform of a run, in a line. version: of its Argo server, "" where that is not known."""
    if connection.local:
        here = f"python {platform.python_version()}, {os.cpu_count()} cores"
        return f"platform  local ({context.origin('platform')})  {here}"
    remark = version or connection.origin or context.origin("argo_server")
    return f"platform  {connection.argo_server} ({remark})  namespace {connection.namespace}"


def _local(context: CLIContext) -> Connection:
    from hera_utils.local_platform.daemon import (
        start_or_join,  # late: a command that goes to a cluster needs none of it
    )

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
            f"{context.state}/server.json has no {missing}", fix="stop the server with hera-utils serve --stop"
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
            fix="leave it out: the token of this machine's server is known",
        )


def _after_a_crash(context: CLIContext) -> Connection:
    """The server of a state folder again. One that was stopped on purpose is not started: it took its server.json with it."""
    if not (Path(context.state) / "server.json").exists():
        raise PlatformError("the local platform was stopped", fix="any command starts it again, and its runs continue")
    return _local(context)


def _remote(context: CLIContext) -> Connection:
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
        key = (bare, context.argo_base_href)
        remembered: Connection | None = context.remembered().get(key)
        if remembered is not None:  # its tunnel stands, its tokens are held
            return remembered
        bare = _discovered(bare, context.argo_base_href or "")
        source = token_source(context, bare)
        # the server is of the kubeconfig's own cluster: as with the argo command, who may use the one may use the other
        if not token and (source is None or isinstance(source, ServiceAccountToken)):
            source = ClusterToken(bare, source)
        bare = context.remembered()[key] = replace(bare, fresh_token=source)
        return bare
    return replace(bare, fresh_token=token_source(context, bare))


def _discovered(bare: Connection, base: str) -> Connection:
    """The Argo server that the kubeconfig's cluster has, when nobody names one. base: the base path that the settings say, or ""."""
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
