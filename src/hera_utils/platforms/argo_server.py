"""The Argo server of a platform."""

from __future__ import annotations

from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.environment_of_submission import EnvironmentOfSubmission
from hera_utils.platforms.hera_binding import stamp_of
from hera_utils.settings.resolve import CLIContext


class ArgoServer:
    """An Argo server; `client` has all other operations."""

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
        """Raise an error unless it answers, is an Argo server, and accepts the token for this namespace."""
        self.client.version()
        self.client.list(limit=1, fields="metadata.name")

    def version(self) -> str:
        return self.client.version()

    @property
    def environment_of_submission(self) -> EnvironmentOfSubmission:
        """What Hera needs to submit to this server."""
        return EnvironmentOfSubmission(self.connection, stamp_of(self._args))
