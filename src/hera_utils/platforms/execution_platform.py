"""The execution platform: a Kubernetes cluster and the Argo server on it, on this machine or elsewhere."""

from __future__ import annotations

from functools import cached_property

from hera_utils.platforms.argo_server import ArgoServer
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.environment_of_submission import EnvironmentOfSubmission
from hera_utils.platforms.hera_binding import stamp_of
from hera_utils.settings.resolve import CLIContext


class ExecutionPlatform:
    """The platform of the settings. It is contacted (on this machine: started) at its first use."""

    def __init__(self, context: CLIContext) -> None:
        self.context = context

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        return self.context.platform == "local"

    @cached_property
    def connection(self) -> Connection:
        return connect(self.context)

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster(self.connection)

    @cached_property
    def argo_server(self) -> ArgoServer:
        return ArgoServer(self.connection, self.context)

    @property
    def environment_of_submission(self) -> EnvironmentOfSubmission:
        """What Hera needs to submit there."""
        return EnvironmentOfSubmission(self.connection, stamp_of(self.context))

    def check(self) -> None:
        """Raise AccessError or ResourceError unless its Argo server answers and its cluster, if one is named, has the namespace."""
        self.argo_server.check()
        self.cluster.check_if_named()

    def __repr__(self) -> str:
        where = "local: this machine" if self.local else f"remote: {self.context.argo_server or 'found by its cluster'}"
        return f"ExecutionPlatform({where}, namespace {self.context.argo_namespace})"
