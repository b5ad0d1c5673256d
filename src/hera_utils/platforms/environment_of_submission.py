"""The environment of submission: what Hera needs to submit workflows to a platform."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from hera_utils.platforms.connection import Connection
from hera_utils.platforms.hera_binding import HeraBinding, Stamp, bind_hera


class EnvironmentOfSubmission:
    """The server, the credential and the namespace for submissions. Printing it shows no token.

    with engine.environment_of_submission:          # Hera submits there until the end of the block
        workflow.create()

    stamp: which Python runs script tasks on this machine; None on a cluster.
    """

    def __init__(self, connection: Connection, stamp: Stamp | None = None) -> None:
        self.connection = connection
        self.stamp = stamp
        self._bindings: list[HeraBinding] = []

    @property
    def host(self) -> str:
        """The URL of the Argo server."""
        return self.connection.argo_server

    @property
    def namespace(self) -> str:
        return self.connection.namespace

    @property
    def service_account(self) -> str | None:
        """The account of the pods; None for the namespace's default one."""
        return self.connection.service_account

    @property
    def verify_tls(self) -> bool | str:
        """Whether the server's certificate is checked, or the file of the authorities to check it by."""
        return self.connection.verify

    @property
    def token_source(self) -> str:
        """A word or two about the token; never the token itself."""
        if self.connection.fresh_token is not None:
            return "renewed when it expires"
        return "found" if self.connection.token else "none"

    def bind(self, *, insist: bool = False, notice: Callable[[str], None] | None = None) -> HeraBinding:
        """Make Hera submit there from now on; the returned binding can undo it. insist, notice: as in `bind_hera`."""
        return bind_hera(self.connection, stamp=self.stamp, insist=insist, notice=notice)

    def __enter__(self) -> EnvironmentOfSubmission:
        self._bindings.append(self.bind())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bindings.pop().restore()

    def lines(self) -> list[str]:
        """Lines `name = value`, for people."""
        verified = "not checked" if self.verify_tls is False else "checked"
        return [
            f"host = {self.host}",
            f"namespace = {self.namespace}",
            f"service account = {self.service_account or '<none>'}",
            f"token = <{self.token_source}>",
            *([f"certificate = {verified}"] if self.host.startswith("https:") else []),
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        account = f", service account {self.service_account}" if self.service_account else ""
        return f"EnvironmentOfSubmission({self.host}, namespace {self.namespace}{account}, token {self.token_source})"
