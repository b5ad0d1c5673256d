"""How clients reach a platform: two addresses, a credential, a namespace. The same for a cluster and for this machine.

A plain value; connect.py creates it from the settings.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """How to reach an execution platform.

    argo_server: URL of the Argo server, base path included, without a trailing slash. token: without `Bearer `; never shown.
    fresh_token: returns a valid token, for tokens that expire (None: there is only `token`).
    verify_tls: whether the server's certificate is checked; ca_file: by which authorities (None: those of this machine).
    client_certificate: (file, its key's file) for the server. proxy: from the settings; it may contain a password.
    kubeconfig, context: how to reach the Kubernetes API (None: the defaults of Kubernetes clients). kubernetes: the address of the local
    server's in plain HTTP.
    origin: how the server was found if it was not named, for messages. tunnel: the object that keeps the tunnel to it open.
    named_by: which flag, variable, profile or file names the server, "" if none does.
    no_token: why none of the tokens in the settings is for this server, "" if they have none.
    local: whether it is the server that hera_utils started on this machine.
    process: the process of this machine that listens at the address: the local server's, for a tunnel this one; None for other servers.
    flags: the flags that another command needs to reach the same server, if variables and files do not name it.
    rejoin: returns a new connection after that server has crashed (it is started again, maybe on another port).
    """

    argo_server: str
    namespace: str = "default"
    token: str = field(default="", repr=False)
    verify_tls: bool = True
    ca_file: str | None = None
    client_certificate: tuple[str, str] | None = None
    proxy: str | None = field(default=None, repr=False)
    kubeconfig: str | None = None
    kubernetes: str = ""
    context: str | None = None
    service_account: str | None = None
    origin: str = ""
    named_by: str = field(default="", compare=False)
    no_token: str = ""
    local: bool = False
    flags: tuple[str, ...] = field(default=(), repr=False, compare=False)
    tunnel: object | None = field(default=None, repr=False, compare=False)
    process: int | None = field(default=None, repr=False, compare=False)
    fresh_token: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    rejoin: Callable[[], Connection] | None = field(default=None, repr=False, compare=False)

    @property
    def direct(self) -> bool:
        """Whether the address is on this machine (the local platform, a tunnel), so that no proxy is used."""
        return self.local or self.tunnel is not None

    @property
    def verify(self) -> bool | str:
        """The parameter `verify` of requests (and so of Hera): the authorities' file, or whether to check at all."""
        return self.ca_file if self.verify_tls and self.ca_file else self.verify_tls

    def command(self, *words: str) -> str:
        """A command of hera-utils for this platform, which users can paste: `command("watch", name)`."""
        return shlex.join(("hera-utils", *words, *self.flags))

    def forget_token(self) -> bool:
        """Make the source of the token give a new one; False if there can be no other token."""
        forget = getattr(self.fresh_token, "forget", None)
        return forget is not None and bool(forget())

    def renew_token(self, refused: str) -> str:
        """Another token than the refused one, "" if there is none."""
        if not self.forget_token():
            return ""
        token = self.current_token()
        return token if token != refused else ""

    def current_token(self) -> str:
        """The token to send now, without `Bearer `; "" for none."""
        return self.fresh_token() if self.fresh_token is not None else self.token
