"""Turns settings into a Connection: starts or joins the local server, or uses a cluster's Argo server, named or found (remote_server.py).

The code for clusters is imported only when it is needed, so that a run on this machine starts faster.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from hera_utils.errors import AccessError, PlatformError, SettingsError
from hera_utils.machine_size import cores
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.token import bare_token
from hera_utils.settings.command_line import place_words
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import counted


def connect(context: CLIContext) -> Connection:
    """The platform of the settings. On this machine its server is started, or joined if it runs.

    A named remote server is not contacted yet; if none is named, the cluster is asked for one. Raises SettingsError, AccessError or
    PlatformError if there is nothing to connect to.
    """
    if context.platform == "local":
        connection = _connect_to_local_platform(context)
    else:
        from hera_utils.platforms.remote_server import connect_to_remote_server

        connection = connect_to_remote_server(context)
    return replace(connection, flags=place_words(context))


def describe_platform(context: CLIContext, connection: Connection, version: str = "") -> str:
    """A line about the platform of a run. version: of its Argo server, "" if unknown."""
    if connection.local:
        here = f"python {platform.python_version()}, {counted(cores(), 'core')}"
        return f"platform  local ({context.origin('platform')})  {here}"
    remark = version or connection.origin or context.origin("argo_server")
    return f"platform  {connection.argo_server} ({remark})  namespace {connection.namespace}"


def _connect_to_local_platform(context: CLIContext) -> Connection:
    from hera_utils.local_platform.daemon import start_or_join

    server = start_or_join(Path(context.state))
    _refuse_other_server(context, server)
    try:
        return Connection(
            argo_server=str(server["argo_server"]).rstrip("/"),
            namespace=context.argo_namespace,
            token=str(server["token"]),
            kubeconfig=str(server["kubeconfig"]),
            kubernetes=str(server["kubernetes"]),
            service_account=context.argo_service_account,
            local=True,
            process=int(server["pid"]),
            rejoin=lambda: _restart_after_crash(context),
        )
    except KeyError as missing:
        raise PlatformError(
            f"{context.state}/server.json has no {missing}", fix="stop the server with hera-utils serve --stop"
        ) from None


def _refuse_other_server(context: CLIContext, server: dict[str, Any]) -> None:
    """Raise an error if typed flags name another address or token than those of the local server. (Variables may be those of an earlier
    server, and are ignored.)
    """
    own = str(server.get("argo_server"))
    if (
        context.origin("argo_server").startswith("flag")
        and str(context.argo_server).partition(":")[0] != own.partition(":")[0]
    ):
        raise SettingsError(
            f"this machine's own server is at {own}, not at {context.argo_server}", fix="leave --argo_server out"
        )
    given = context.argo_token if context.argo_server and context.origin("argo_token").startswith("flag") else None
    if given is not None and bare_token(given.reveal()) != server.get("token"):
        raise AccessError(
            f"--argo_token gives another token than this machine's own server has ({own})",
            fix="leave it out: the token of this machine's server is known",
        )


def _restart_after_crash(context: CLIContext) -> Connection:
    """Start the server of a state folder again after a crash. A server that was stopped on purpose, which removes its server.json, is not
    started.
    """
    if not Path(context.state).exists():
        raise PlatformError(
            f"the state folder {context.state} was removed, and the runs in it with it",
            fix="submit what is still needed again",
        )
    if not (Path(context.state) / "server.json").exists():
        raise PlatformError("the local platform was stopped", fix="any command starts it again, and its runs continue")
    return _connect_to_local_platform(context)
