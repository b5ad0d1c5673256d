"""`hera-utils retry`: runs the failed tasks of a run again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, given_settings, name_argument, settings_options
from hera_utils.cli.run_actions import act_on_run, watch_option
from hera_utils.errors import PlatformError, SettingsError
from hera_utils.settings.fields import BY_NAME

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

_OF_A_NEW_RUN = (
    "python",
    "volumes",
    "parallelism",
    "registry",
    "runs",
    "argo_service_account",
    "k8s_volume_claim_name",
)


@click.command()
@name_argument
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter to change.")
@click.option("--restart-successful", is_flag=True, help="Run succeeded tasks again too (those of the selector).")
@click.option(
    "--node-field-selector", default="", metavar="SELECTOR", help="Which tasks to restart, e.g. displayName=collect."
)
@watch_option
@settings_options
def command(
    name: str, parameters: tuple[str, ...], restart_successful: bool, node_field_selector: str, watch: bool
) -> int:
    """Run the failed tasks of a failed run again, in place; succeeded tasks are kept.

    The submitted code runs again: after a correction use `run` (for an experiment: its script with --resume). On this machine
    images are substituted as --images (or the settings) say now.
    """
    body: dict[str, Any] = {}
    if parameters:
        body["parameters"] = list(parameters)
    if restart_successful:
        body["restartSuccessful"] = True
    if node_field_selector:
        body["nodeFieldSelector"] = node_field_selector
    _refuse_settings_of_a_new_run()
    return act_on_run(name, "retry", "is running again", body, watch=watch, first=_check_before_retry)


def _refuse_settings_of_a_new_run() -> None:
    """Raise SettingsError for flags that mean nothing here, because the submitted workflow has these settings already."""
    for name in _OF_A_NEW_RUN:
        if name in given_settings():
            raise SettingsError(
                f"retry runs what was submitted: {BY_NAME[name].flags[0]} is for a new run",
                fix="leave it out, or run the script again with it",
            )


def _check_before_retry(client: ArgoClient, workflow: str) -> None:
    from hera_utils.execution.write_conflicts import find_later_writer

    later_writer = find_later_writer(client, client.get(workflow, fields="metadata"))
    if later_writer is not None:
        run, goes_on = later_writer
        raise SettingsError(
            f"the run {run} {'is still going and writes' if goes_on else 'has written since'} files that {workflow} "
            f"would write again",
            fix="run the script with --resume: it computes what is not done, with the current code",
        )
    _use_present_images(client, workflow)


def _use_present_images(client: ArgoClient, workflow: str) -> None:
    """On this machine: let the present settings of images override those of the time when the workflow was submitted, and forget the
    decisions of that time.
    """
    images = context().images
    if not (client.connection.local and images):
        return
    from hera_utils.argo.annotations import IMAGE_DECISIONS, IMAGES
    from hera_utils.platforms.cluster_messages import ClusterRequest
    from hera_utils.platforms.kubernetes_http import KubernetesHttp

    annotations = client.get(workflow, fields="metadata.annotations").get("metadata", {}).get("annotations") or {}
    before = json.loads(annotations.get(IMAGES) or "{}")
    # the present entries come first: patterns are tried in order
    table = {**images, **{image: how for image, how in before.items() if image not in images}}
    if table == before:
        return
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{client.namespace}/workflows/{workflow}"
    body = {"metadata": {"annotations": {IMAGES: json.dumps(table, separators=(",", ":")), IMAGE_DECISIONS: None}}}
    answer = KubernetesHttp(client.connection).send(
        ClusterRequest("PATCH", path, body=body, content="application/merge-patch+json")
    )
    if not answer.ok:
        raise PlatformError(
            f"the images of {workflow} cannot be changed ({answer.message})",
            fix="run the script again instead: hera-utils run SCRIPT",
        )
