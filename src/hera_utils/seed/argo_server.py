"""`argo_server(…)`: the Argo server with the methods and attributes that scripts use, for both forms of the call."""

from __future__ import annotations

from hera_utils.platforms.argo_server import ArgoServer
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.hera_binding import HeraBinding
from hera_utils.platforms.versions import check_requirement, satisfies
from hera_utils.seed.arguments import context_of
from hera_utils.settings.parser import address_as_given
from hera_utils.settings.resolve import CLIContext
from hera_utils.terminal_text import visible


class argo_server(ArgoServer):
    """The Argo server of the settings, or that of the local platform. Raises AccessError if it does not answer.

    argo_server(cluster, args)   configures Hera in `define_argo_server_part_of_environment()`
    argo_server(args)            configures Hera at once
    argo_server()                configures Hera at once, with the settings of this process's own command line
    """

    def __init__(self, k8s_cluster: object = None, args: object = None) -> None:
        with_cluster = isinstance(k8s_cluster, Cluster) or (k8s_cluster is not None and args is not None)
        context = context_of(args if with_cluster or k8s_cluster is None else k8s_cluster)
        cluster = k8s_cluster if isinstance(k8s_cluster, Cluster) else None
        super().__init__(_connection_of(cluster, context) if cluster is not None else connect(context), context)
        self.k8s_cluster = k8s_cluster if with_cluster else None
        self._binding: HeraBinding | None = None
        self.check()
        if not with_cluster:
            self.configure_hera()

    @property
    def token(self) -> str | None:
        """The token that Hera gets, without `Bearer `."""
        return self.connection.current_token() or None

    @property
    def argo_server_configured_value(self) -> str:
        """The address as the user wrote it; `server` is the complete one."""
        return address_as_given(self._args) or self.server

    def configure_hera(self) -> HeraBinding:
        """Make Hera submit to this server from now on."""
        return self.define_argo_server_part_of_environment()

    def define_argo_server_part_of_environment(self) -> HeraBinding:
        """Give Hera the address, the token, the namespace and, on this machine, the Python of tasks, so that it submits there.

        The binding that is returned can undo it.
        """
        if self._binding is not None:  # replace the earlier binding
            self._binding.restore()
        self._binding = self.environment_of_submission.bind()
        return self._binding

    def check_server_availability(self) -> None:
        """Raise AccessError unless the server answers and accepts the token."""
        self.check()

    def print_config(self) -> None:
        """Configure Hera for this server and print the configuration without the token."""
        self.define_argo_server_part_of_environment()
        print("Argo server related variables used by Hera to submit workflows:")  # noqa: T201
        for line in self.environment_of_submission.lines():
            print(f"    {line}")  # noqa: T201

    def print_version(self) -> None:
        print(f"Argo server {self.server} {visible(self.version())}")  # noqa: T201 - a script asks for it by this method's name

    def check_version(self, version_to_check: str) -> bool:
        """Whether the server has that version (`4.1`, `>=3.7,<5`)."""
        return satisfies(self.version(), version_to_check)

    def assert_version(self, version_to_check: str) -> bool:
        """Return True if the server has that version (`4.1`, `>=3.7,<5`), else raise SettingsError."""
        return check_requirement(f"the Argo server at {self.server}", self.version(), version_to_check)


def _connection_of(cluster: Cluster, context: CLIContext) -> Connection:
    """The connection to the Argo server that the settings name, else to that of the cluster."""
    # The cluster object has started or joined the local platform, which is one server. A discovered server is not searched again.
    discovered = cluster.connection.origin and context.argo_server is None
    same = (cluster.local and context.platform == "local") or discovered
    return cluster.connection if same else connect(context)


# `hera_utils.argo_server` is this class even after `import hera_utils.argo_server as module`, so the class has its name as an attribute.
argo_server.argo_server = argo_server  # type: ignore[attr-defined]
