"""Creates the namespace of the runs on this machine, if only the settings have it."""

from __future__ import annotations

from hera_utils.errors import Refused, ResourceError
from hera_utils.platforms.connection import Connection

_ALWAYS_THERE = "default"


def ensure_namespace(connection: Connection, origin: str) -> list[str]:
    """Create the namespace of the runs on the local platform if it is missing, because settings that were written for a cluster name one
    that is not here yet. Does nothing on a cluster. Returns a line about it, or [].

    origin: what named it. Raises ResourceError if that was a flag: a typed name that does not exist is probably a mistake.
    """
    if not connection.local or connection.namespace == _ALWAYS_THERE:
        return []
    from hera_utils.platforms.cluster import Cluster  # imported here because most runs use the default namespace

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
