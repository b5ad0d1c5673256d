"""Turns settings into a Connection to a remote Argo server: the one that they name, else the one of their cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hera_utils.errors import SettingsError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.discovery import find_argo_server
from hera_utils.platforms.token import bare_token
from hera_utils.platforms.token_sources import ClusterToken, ServiceAccountToken, token_source
from hera_utils.settings.resolve import CLIContext


def connect_to_remote_server(context: CLIContext) -> Connection:
    """The Argo server that the settings name, or that of their cluster. Only the cluster is asked, for the server's address."""
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
        named_by=context.origin("argo_server") if context.argo_server else "",
        no_token=context.origin("argo_token") if context.argo_token is None else "",
    )
    if context.argo_server is None:
        key = (bare, context.argo_base_href)
        remembered: Connection | None = context.remembered().get(key)
        if remembered is not None:  # with its open tunnel and its tokens
            return remembered
        bare = _discover_server(bare, context.argo_base_href or "")
        source = token_source(context, bare)
        # the server is in the kubeconfig's own cluster, so the user's credential is valid for it, as with the argo command
        if not token and (source is None or isinstance(source, ServiceAccountToken)):
            source = ClusterToken(bare, source)
        bare = context.remembered()[key] = replace(bare, fresh_token=source)
        return bare
    return replace(bare, fresh_token=token_source(context, bare))


def _discover_server(bare: Connection, base: str) -> Connection:
    """The Argo server of the kubeconfig's cluster, if none is named. base: the base path from the settings, or ""."""
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
    """The value of a setting that names a file. Raises SettingsError if the file does not exist."""
    path: str | None = getattr(context, name)
    if path is not None and not Path(path).is_file():
        raise SettingsError(f"{name} ({context.origin(name)}): there is no file {path}", fix="correct its path")
    return path
