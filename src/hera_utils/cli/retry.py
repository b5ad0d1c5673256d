"""`hera-utils retry`: run the failed tasks of a run again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, name_argument, settings_options
from hera_utils.cli.runs import act_on, watch_option

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient


@click.command()
@name_argument
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter to change.")
@click.option("--restart-successful", is_flag=True, help="Run tasks that succeeded again too (those of the selector).")
@click.option(
    "--node-field-selector", default="", metavar="SELECTOR", help="Which tasks to restart, e.g. displayName=collect."
)
@watch_option
@settings_options
def command(
    name: str, parameters: tuple[str, ...], restart_successful: bool, node_field_selector: str, watch: bool
) -> int:
    """Run the failed tasks of a failed run again, in place; what succeeded is kept.

    The code is the one that was submitted: after a correction use `run` (of an experiment: its script with --resume). On this machine
    images are stood in for as --images (or the settings) say now.
    """
    body: dict[str, Any] = {}
    if parameters:
        body["parameters"] = list(parameters)
    if restart_successful:
        body["restartSuccessful"] = True
    if node_field_selector:
        body["nodeFieldSelector"] = node_field_selector
    return act_on(name, "retry", "runs again", body, watch=watch, first=_with_images_of_now)


def _with_images_of_now(client: ArgoClient, workflow: str) -> None:
    """On this machine: what the settings say of images is put over what they said when the workflow was submitted."""
    images = context().images
    if not (client.connection.local and images):
        return
    from hera_utils.errors import PlatformError
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.hera_binding import IMAGES
    from hera_utils.platforms.kubernetes_http import KubernetesHttp, Request

    annotations = client.get(workflow, fields="metadata.annotations").get("metadata", {}).get("annotations") or {}
    before = json.loads(annotations.get(IMAGES) or "{}")
    table = {
        **images,
        **{image: how for image, how in before.items() if image not in images},
    }  # patterns are tried in order
    if table == before:
        return
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{client.namespace}/workflows/{workflow}"
    body = {"metadata": {"annotations": {IMAGES: json.dumps(table, separators=(",", ":"))}}}
    answer = KubernetesHttp(Cluster(client.connection)).ask(
        Request("PATCH", path, body=body, content="application/merge-patch+json")
    )
    if not answer.ok:
        raise PlatformError(f"the images of {workflow} cannot be changed ({answer.message})")
