"""The namespace of a run on this machine: settings that were written for a cluster name one that is not here yet."""

from __future__ import annotations

from hera_utils.errors import Refused, ResourceError
from hera_utils.platforms.connection import Connection

_USUAL = "default"  # it is always there


def ensure_namespace(connection: Connection, origin: str) -> list[str]:
    """Make the namespace of the runs on the local platform where it is missing; a line that says so. On a cluster nothing is done.

    origin: who named it. ResourceError for a flag: who types the name of a namespace that is not there has mistyped it.
    """
    if not connection.local or connection.namespace == _USUAL:
        return []
    from hera_utils.platforms.cluster import Cluster

    cluster, name = Cluster(connection), connection.namespace
    try:
        cluster.check()
    except ResourceError:
        if origin.startswith("flag "):
            raise
    else:
        return []
    try:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    except Refused as refused:
        if refused.reason != "AlreadyExists":
            raise
        return []
    return [f"namespace {name} ({origin}) is made on this machine"]
