"""The namespace of the runs on this machine: created where only the settings know it."""

from __future__ import annotations

from hera_utils.errors import Refused, ResourceError
from hera_utils.platforms.connection import Connection

_ALWAYS_THERE = "default"


def ensure_namespace(connection: Connection, origin: str) -> list[str]:
    """Create the namespace of the runs on the local platform where it is missing: settings that were written for a cluster name one
    that is not here yet. On a cluster nothing is done. A line that says so, or none.

    origin: who named it. ResourceError for a flag: who types the name of a namespace that is not there has mistyped it.
    """
    if not connection.local or connection.namespace == _ALWAYS_THERE:
        return []
    from hera_utils.platforms.cluster import Cluster  # most runs are in the namespace that is always there

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
    return [f"namespace {name} ({origin}) is created on this machine"]
