"""A platform as its clients see it: two addresses, a credential, a namespace. The same for a cluster and for this machine.

A value, which knows nobody; connect.py makes one from the settings.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """Where and how to reach an execution platform.

    argo_server: URL of the Argo server, base path included, without a trailing slash. token: without `Bearer `; never shown.
    fresh_token: gives a token that is still valid, for tokens that expire (None: `token` is all there is).
    verify_tls: whether the server's certificate is checked; ca_file: by which authorities (None: those of this machine).
    client_certificate: (file, its key's file) to show the server. proxy: the setting's; it may hold a password.
    kubeconfig, context: how to reach the Kubernetes API (None: as Kubernetes clients do by themselves).
    origin: how the server was found when nobody named it, for people. tunnel: what keeps the way to it open.
    named_by: which flag, variable, profile or file names the server, "" where none does.
    no_token: why none of the tokens that the settings give is for this server, "" where none is given.
    local: whether it is the server of this machine that hera_utils started.
    process: that of this machine which listens at the address: the local server's, for a tunnel this one; None for a server elsewhere.
    flags: what a command has to be given to reach it too, where variables and files do not say it.
    rejoin: gives the connection anew when that server has crashed (it is started again, maybe on another port).
    """

    argo_server: str
    namespace: str = "default"
    token: str = field(default="", repr=False)
    verify_tls: bool = True
    ca_file: str | None = None
    client_certificate: tuple[str, str] | None = None
    proxy: str | None = field(default=None, repr=False)
    kubeconfig: str | None = None
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
        """Whether the server's address is of this machine (the local platform, a tunnel): no proxy leads there."""
        return self.local or self.tunnel is not None

    @property
    def verify(self) -> bool | str:
        """What requests (and so Hera) takes for it: the authorities' file, or whether to check at all."""
        return self.ca_file if self.verify_tls and self.ca_file else self.verify_tls

    def command(self, *words: str) -> str:
        """A command of hera-utils that reaches this platform, to be pasted: `command("watch", name)`."""
        return shlex.join(("hera-utils", *words, *self.flags))

    def renewed_token(self, refused: str) -> str:
        """Another token than the one that was refused, when there may be one; "" otherwise."""
        forget = getattr(self.fresh_token, "forget", None)
        if forget is None or not forget():
            return ""
        token = self.current_token()
        return token if token != refused else ""

    def current_token(self) -> str:
        """The token to send now, without `Bearer `; "" for none."""
        return self.fresh_token() if self.fresh_token is not None else self.token
