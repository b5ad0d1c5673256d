"""The Argo server of a platform."""

from __future__ import annotations

from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection, connect
from hera_utils.platforms.environment_of_submission import EnvironmentOfSubmission
from hera_utils.platforms.hera_binding import HeraBinding, stamp_of
from hera_utils.platforms.versions import demanded, satisfies
from hera_utils.settings.resolve import CLIContext


def connection_of(cluster: Cluster, args: CLIContext) -> Connection:
    """The way to the Argo server that the settings designate, or to that of the cluster where they name none."""
    # The local platform is one server, which the cluster already started or joined; one that was found is not looked for again.
    same = (cluster.local and args.platform == "local") or (cluster.connection.found and args.argo_server is None)
    return cluster.connection if same else connect(args)


class ArgoServer:
    """An Argo server that answers. `client` asks it anything else."""

    def __init__(self, connection: Connection, args: CLIContext) -> None:
        self.connection = connection
        self.client = ArgoClient(connection)
        self._args = args

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server}, namespace {self.namespace})"

    @property
    def server(self) -> str:
        """Its URL."""
        return self.connection.argo_server

    @property
    def namespace(self) -> str:
        return self.connection.namespace

    @property
    def service_account(self) -> str | None:
        return self.connection.service_account

    def check(self) -> None:
        """Whether it answers, is an Argo server, and takes the token for this namespace."""
        self.client.version()
        self.client.list(limit=1, fields="items.metadata.name")

    def version(self) -> str:
        return self.client.version()

    def define_argo_server_part_of_environment(self) -> HeraBinding:
        """Transmit to Hera where workflows go, as whom, and on this machine with which Python: they are submitted there from
        now on. The binding that is returned can undo it.
        """
        return self.environment_of_submission.bind()

    @property
    def environment_of_submission(self) -> EnvironmentOfSubmission:
        """What Hera is told of this server."""
        return EnvironmentOfSubmission(self.connection, stamp_of(self._args))

    def print_version(self) -> None:
        print(f"Argo server {self.server} {self.version()}")  # noqa: T201 - a script asks for it by this method's name

    def check_version(self, version_to_check: str) -> bool:
        """Whether the server is that version (`4.1`, `>=3.7,<5`)."""
        return satisfies(self.version(), version_to_check)

    def assert_version(self, version_to_check: str) -> bool:
        """True when the server is that version (`4.1`, `>=3.7,<5`), else SettingsError."""
        return demanded(f"the Argo server at {self.server}", self.version(), version_to_check)

    def print_config(self) -> None:
        """What Hera submits with. The token is not shown."""
        print("Argo server related variables used by Hera to submit workflows:")  # noqa: T201
        for line in self.environment_of_submission.lines():
            print(f"    {line}")  # noqa: T201
