"""Kubernetes' own Python client of a cluster, which the first users' scripts use as `k8s_cluster(args).v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.errors import SettingsError
from hera_utils.platforms.http_session import proxy_for

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

    from hera_utils.platforms.cluster import Cluster


def core_v1(cluster: Cluster) -> CoreV1Api:
    """A CoreV1Api of the API server of `cluster`. Raises AccessError if no kubeconfig leads there."""
    try:
        from kubernetes import client, config
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "kubernetes":
            raise
        raise SettingsError(
            "`.v1` is Kubernetes' own Python client, which is not installed",
            fix="pip install 'hera_utils[kubernetes]'",
        ) from None
    settings = client.Configuration()
    kubeconfig = cluster.kubeconfig()
    try:
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            context = cluster.connection.context
            config.load_kube_config(  # type: ignore[no-untyped-call]
                kubeconfig, context=context, client_configuration=settings, persist_config=False
            )
    except config.ConfigException as error:
        raise SettingsError(
            f"the kubeconfig {kubeconfig or 'of this pod'} cannot be used: {error}",
            fix="correct it, or name another with --k8s_config_file, a context of it with --k8s_context",
        ) from None
    _through_the_proxy(settings, cluster)
    return client.CoreV1Api(client.ApiClient(settings))


def _through_the_proxy(settings: object, cluster: Cluster) -> None:
    """Set the client's proxy. The client reads the environment itself, but the setting wins, and the local server needs no proxy."""
    if cluster.local:
        settings.proxy = None  # type: ignore[attr-defined]
    elif cluster.connection.proxy:
        settings.proxy = proxy_for(str(settings.host), cluster.connection.proxy)  # type: ignore[attr-defined]
