"""From the settings to an Argo server elsewhere: the one that they name, else the one that their cluster has."""

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


def remote(context: CLIContext) -> Connection:
    """The Argo server that the settings name or their cluster has. Nothing is asked yet, but the cluster where the server is."""
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
