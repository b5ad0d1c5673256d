"""`hera-utils serve`: runs the local platform's server in the foreground, or starts, stops and queries it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from hera_utils.cli.options import context, settings_options
from hera_utils.cli.terminal import print_line
from hera_utils.errors import SettingsError

Json = dict[str, Any]


@click.command()
@click.option(
    "--detach", "mode", flag_value="detach", help="Start the server in the background unless it is running, and exit."
)
@click.option(
    "--stop", "mode", flag_value="stop", help="End the server; running tasks continue, and the next server joins them."
)
@click.option(
    "--status",
    "mode",
    flag_value="status",
    help="Print whether the server is running; the exit status is 1 when it is not.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Port of the Argo API (default: 2746 or a free one)."
)
@click.option(
    "--kubernetes-port", type=click.IntRange(0, 65535), default=None, help="Port of the Kubernetes API (plain HTTP)."
)
@settings_options
def command(mode: str | None, port: int | None, kubernetes_port: int | None) -> int:
    """Serve the local platform until Ctrl-C: Argo's API and the part of Kubernetes' that experiments need, on this machine only.

    Other commands start the server when they need it; it ends after 30 idle minutes.
    """
    from hera_utils.local_platform import daemon
    from hera_utils.local_platform.server import Serving

    settings = context()
    state = Path(settings.state)
    if mode == "stop":
        print_line("stopped" if daemon.stop(state) else "it does not run")
        return 0
    if mode == "status":
        server = daemon.status(state)
        print_line(_server_lines(server, state) if server else f"no server is running for {state}")
        return 0 if server else 1
    serving = Serving(port=port, kubernetes_port=kubernetes_port, namespace=settings.argo_namespace)
    if mode == "detach":
        server = daemon.start_or_join(state, serving)
        print_line(_server_lines(server, state))
        for flag, requested, address in (
            ("--port", port, "argo_server"),
            ("--kubernetes-port", kubernetes_port, "kubernetes"),
        ):
            if requested and urlsplit(str(server.get(address))).port != requested:
                raise SettingsError(
                    f"the server runs already, at another port than {flag} {requested}",
                    fix="stop it first: hera-utils serve --stop (running tasks continue)",
                )
        return 0

    def ready(server: Json) -> None:
        print_line(_server_lines(server, state))
        print_line("Ctrl-C ends the server; runs continue when it starts again")

    daemon.serve(state, serving, ready=ready)
    return 0


def _server_lines(server: Json, state: Path) -> str:
    return (
        f"argo server  {server['argo_server']}\n"
        f"kubernetes   {server.get('kubernetes', '')}\n"
        f"state        {state}\n"
        f"process      {server['pid']}, since {server.get('started', '')}"
    )
