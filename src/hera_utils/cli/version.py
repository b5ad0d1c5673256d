"""`hera-utils version`: shows the versions of client and platform, and whether they fit together."""

from __future__ import annotations

import platform
from pathlib import Path

import click

import hera_utils
from hera_utils.cli.options import context, output_option, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_table
from hera_utils.errors import HeraUtilsError


@click.command()
@output_option("json")
@settings_options
def command(output: str) -> int:
    """Show the versions of hera_utils, Python, Hera, Argo and Kubernetes, and whether they fit.

    The platform's versions are asked from the platform; the local platform is asked only while it is running.
    """
    from hera_utils.platforms.versions import check_versions, hera_version, short_version

    argo, kubernetes, why = _versions_of_platform()
    versions = {
        "hera_utils": str(hera_utils.__version__),
        "python": platform.python_version(),
        "hera": hera_version(),
        "argo": short_version(argo) if argo else "",
        "kubernetes": short_version(kubernetes) if kubernetes else "",
    }
    verdicts = check_versions(versions["hera"], argo, kubernetes)
    if output == "json":
        rows = [
            {"pair": verdict.pair, "verdict": verdict.verdict, "message": verdict.message, "fix": verdict.fix}
            for verdict in verdicts
        ]
        print_json({**versions, "fits": rows})
    else:
        print_table(
            ("", "version"), [(name, version or why.get(name, "not asked")) for name, version in versions.items()]
        )
        for verdict in verdicts:
            print_line(
                ("" if verdict.verdict == "good" else "! ")
                + verdict.message
                + (f"\n  fix: {verdict.fix}" if verdict.fix else "")
            )
    return 0


def _versions_of_platform() -> tuple[str, str, dict[str, str]]:
    """(Argo's version, Kubernetes' version, name → why it is unknown)."""
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connect import connect

    settings = context()
    if settings.platform == "local":
        from hera_utils.local_platform.daemon import status

        if status(Path(settings.state)) is None:
            return "", "", dict.fromkeys(("argo", "kubernetes"), "the local platform is not running")
        with ArgoClient(connect(settings)) as client:
            return client.version(), "", {"kubernetes": "none: the local platform"}
    try:
        connection = connect(settings)
        with ArgoClient(connection) as client:
            argo = client.version()
    except HeraUtilsError as error:
        return "", "", {"argo": str(error)}
    cluster = Cluster(connection)
    if not cluster.leads_somewhere():
        return argo, "", {"kubernetes": "no kubeconfig leads to that cluster"}
    try:
        return argo, cluster.version(), {}
    except HeraUtilsError as error:
        return argo, "", {"kubernetes": str(error)}
