"""`argo_server(…)`: the Argo server with what scripts call and read of it, in both spellings of its call."""

from __future__ import annotations

from hera_utils.platforms.argo_server import ArgoServer, connection_of
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import connect
from hera_utils.platforms.hera_binding import HeraBinding
from hera_utils.seed.arguments import context_of
from hera_utils.settings.parser import address_as_given


class argo_server(ArgoServer):
    """The Argo server that the settings designate (or that the local platform is). AccessError when it does not answer.

    argo_server(cluster, args)   Hera is configured by `define_argo_server_part_of_environment()`
    argo_server(args)            Hera is configured at once
    argo_server()                the same, with the settings of this process's own command line
    """

    def __init__(self, k8s_cluster: object = None, args: object = None) -> None:
        with_cluster = isinstance(k8s_cluster, Cluster) or (k8s_cluster is not None and args is not None)
        context = context_of(args if with_cluster or k8s_cluster is None else k8s_cluster)
        cluster = k8s_cluster if isinstance(k8s_cluster, Cluster) else None
        super().__init__(connection_of(cluster, context) if cluster is not None else connect(context), context)
        self.k8s_cluster = k8s_cluster if with_cluster else None
        self._binding: HeraBinding | None = None
        self.check()
        if not with_cluster:
            self.configure_hera()

    @property
    def token(self) -> str | None:
        """The token as Hera is told it, without `Bearer `."""
        return self.connection.current_token() or None

    @property
    def argo_server_configured_value(self) -> str:
        """The address as the user gave it; `server` is what it means."""
        return address_as_given(self._args) or self.server

    def configure_hera(self) -> HeraBinding:
        """Hera submits to this server from now on."""
        return self.define_argo_server_part_of_environment()

    def define_argo_server_part_of_environment(self) -> HeraBinding:
        if self._binding is not None:  # told anew, in place of the last time
            self._binding.restore()
        self._binding = super().define_argo_server_part_of_environment()
        return self._binding

    def check_server_availability(self) -> None:
        """Nothing when the server answers and takes the token, else AccessError."""
        self.check()

    def print_config(self) -> None:
        """What Hera submits with (it is told so, too). The token is not shown."""
        self.define_argo_server_part_of_environment()
        super().print_config()


# Python binds `hera_utils.argo_server` to this class, also where a script writes `import hera_utils.argo_server as module`.
argo_server.argo_server = argo_server  # type: ignore[attr-defined]
