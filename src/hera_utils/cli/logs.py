"""`hera-utils logs`: what the tasks of a run wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import name_argument, settings_options
from hera_utils.errors import ResourceError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]


@click.command()
@name_argument
@click.argument("task", required=False)
@click.option("-f", "--follow", is_flag=True, help="Until the run ends.")
@click.option("-c", "--container", default="main", show_default=True, help="Of which container.")
@click.option("--tail", type=click.IntRange(min=0), default=None, help="Only the last so many lines of each task.")
@click.option("--grep", default=None, metavar="REGEX", help="Only lines that match.")
@click.option("--no-prefix", is_flag=True, help="Without the task's name before each line.")
@settings_options
def command(  # noqa: PLR0913  a command's flags are its signature
    name: str, task: str | None, follow: bool, container: str, tail: int | None, grep: str | None, no_prefix: bool
) -> int:
    """Show what the tasks of a run wrote; of one TASK when it is named (as in `hera-utils get`, or a pod's name)."""
    from hera_utils.cli.runs import reached, run_name
    from hera_utils.cli.terminal import use_colour

    with reached() as client:
        found = run_name(client, name)
        names = pod_tasks(client.get(found))
        pods = [None] if task is None else pods_of(task, names, found)
        colour = use_colour()
        for pod in pods:
            for source, line in client.logs(found, pod=pod, container=container, follow=follow, tail=tail, grep=grep):
                if "argo=true" in line:  # the emissary's own lines, on a cluster
                    continue
                if not no_prefix and (task is None or len(pods) > 1):
                    source = names.get(source) or _named_now(client, found, source, names)
                    line = f"{click.style(source, fg='cyan') if colour else source}: {line}"
                click.echo(line)
    return 0


def pod_tasks(document: Json) -> dict[str, str]:
    """Pod name → the task's name in the run."""
    from hera_utils.argo.names import pod_name
    from hera_utils.report.outcome import short_name

    workflow = document["metadata"]["name"]
    version = (document["metadata"].get("annotations") or {}).get("workflows.argoproj.io/pod-name-format", "v2")
    found = {}
    for node in ((document.get("status") or {}).get("nodes") or {}).values():
        if node.get("type") == "Pod":
            template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
            pod = pod_name(workflow, node["name"], template, node["id"], version=version)
            found[pod] = short_name(node["name"], workflow)
    return found


def _named_now(client: ArgoClient, run: str, pod: str, names: dict[str, str]) -> str:
    """The task of a pod that started after we looked; asked once a pod."""
    names.update(pod_tasks(client.get(run)))
    return names.setdefault(pod, pod)


def pods_of(task: str, names: dict[str, str], run: str) -> list[str | None]:
    """The pods of a task: by its name, the whole fan-out of that name, every attempt; or the pod itself."""
    found: list[str | None] = [
        pod for pod, name in names.items() if task in (pod, name, name.rpartition(".")[2]) or _within(name, task)
    ]
    if not found:
        raise ResourceError(f"{run} has no task `{task}` that has run", fix=f"see its tasks with: hera-utils get {run}")
    return found


def _within(name: str, task: str) -> bool:
    last = name.rpartition(f"{task}(")
    return bool(last[1]) and (not last[0] or last[0].endswith(".")) or name.startswith(f"{task}.")
