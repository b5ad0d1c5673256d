"""`hera-utils connection`: how other clients reach the platform. The only command that prints the token: that is its purpose."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from hera_utils.cli.options import context, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Choice(["env", "json"]),
    default="env",
    show_default=True,
    help="Lines for a shell, or JSON.",
)
@settings_options
def command(output: str) -> int:
    """Print how to reach the platform, token included: for a shell, or as JSON.

    eval "$(hera-utils connection)" makes argo, kubectl and other clients work; the local platform's server is started when it does
    not run.
    """
    from hera_utils.platforms.connect import connect

    settings = context()
    connection = connect(settings)
    if connection.tunnel is not None:
        port = urlsplit(connection.argo_server).port
        print_note(
            f"hera-utils: {connection.argo_server} leads to the {connection.origin}, and closes with this command\n"
            f"  fix: open a tunnel of your own, and name it: kubectl port-forward {_service(connection.origin)} "
            f"{port}:2746"
        )
    if output == "json":
        print_json(connection_as_json(connection, settings))
    else:
        for name, value in connection_as_variables(connection).items():
            print_line(f"export {name}={shlex.quote(value)}")
    return 0


def connection_as_json(connection: Connection, settings: CLIContext) -> Json:
    more = {"ca_file": connection.ca_file} if connection.ca_file else {}
    return {
        "argo_server": connection.argo_server,
        "kubernetes": _kubernetes(connection, settings),
        "token": connection.current_token(),
        "namespace": connection.namespace,
        "kubeconfig": connection.kubeconfig,
        **more,
    }


def _service(service: str) -> str:
    """`service argo/argo-server, through …` → `--namespace argo service/argo-server`."""
    namespace, _, name = service.removeprefix("service ").partition(",")[0].partition("/")
    return f"--namespace {namespace} service/{name}"


def _kubernetes(connection: Connection, settings: CLIContext) -> str | None:
    """The plain HTTP address of the local Kubernetes API; a cluster's own is in its kubeconfig."""
    if not connection.local:
        return None
    from hera_utils.local_platform.daemon import status

    return (status(Path(settings.state)) or {}).get("kubernetes")


def connection_as_variables(connection: Connection) -> dict[str, str]:
    """The variables that the argo command, kubectl and our scripts read. Argo wants host:port, and the word Bearer before the token."""
    from hera_utils.platforms.token import authorization

    parts = urlsplit(connection.argo_server)
    secure = parts.scheme == "https"
    token = connection.current_token()
    variables = {
        "ARGO_SERVER": parts.netloc if parts.port else f"{parts.netloc}:{443 if secure else 80}",
        "ARGO_TOKEN": authorization(token),
        "ARGO_NAMESPACE": connection.namespace,
        "ARGO_HTTP1": "true",
        "ARGO_SECURE": "true" if secure else "false",
        "ARGO_BASE_HREF": parts.path,
        "ARGO_INSECURE_SKIP_VERIFY": "" if connection.verify_tls else "true",
        "KUBECONFIG": connection.kubeconfig or "",
    }
    if connection.local and any(os.environ.get(name) for name in ("HTTP_PROXY", "http_proxy")):
        without = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        variables["NO_PROXY"] = variables["no_proxy"] = ",".join(filter(None, (without, "127.0.0.1,localhost")))
    return {name: value for name, value in variables.items() if value}
