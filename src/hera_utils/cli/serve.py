"""`hera-utils serve`: the local platform's server, in the foreground or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hera_utils.cli.options import context, settings_options

Json = dict[str, Any]


@click.command()
@click.option(
    "--detach", "mode", flag_value="detach", help="Start it in the background, or find it running; then leave."
)
@click.option("--stop", "mode", flag_value="stop", help="End it; tasks that run go on and are found again.")
@click.option("--status", "mode", flag_value="status", help="Say whether it runs; exit status 1 when it does not.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Port of the Argo API (default: 2746 or a free one)."
)
@click.option(
    "--kubernetes-port", type=click.IntRange(0, 65535), default=None, help="Port of the Kubernetes API (plain HTTP)."
)
@settings_options
def command(mode: str | None, port: int | None, kubernetes_port: int | None) -> int:
    """Serve the local platform until Ctrl-C: Argo's API and what an experiment needs of Kubernetes', on this machine only.

    Other commands start it by themselves; it ends after 30 idle minutes.
    """
    from hera_utils.cli.terminal import say
    from hera_utils.local_platform import daemon
    from hera_utils.local_platform.daemon import Serving

    settings = context()
    state = Path(settings.state)
    if mode == "stop":
        say("stopped" if daemon.stop(state) else "it does not run")
        return 0
    if mode == "status":
        known = daemon.status(state)
        say(_told(known, state) if known else f"no server runs for {state}")
        return 0 if known else 1
    serving = Serving(port=port, kubernetes_port=kubernetes_port, namespace=settings.argo_namespace)
    if mode == "detach":
        say(_told(daemon.start_or_join(state, serving), state))
        return 0

    def ready(known: Json) -> None:
        say(_told(known, state))
        say("Ctrl-C ends it; runs go on when it is started again")

    daemon.serve(state, serving, ready=ready)
    return 0


def _told(known: Json, state: Path) -> str:
    return (
        f"argo server  {known['argo_server']}\n"
        f"kubernetes   {known.get('kubernetes', '')}\n"
        f"state        {state}\n"
        f"process      {known['pid']}, since {known.get('started', '')}"
    )
