"""`hera-utils logs`: shows what the tasks of a run wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.cli.options import complete_with, deadline, name_argument, settings_options, timeout_option
from hera_utils.cli.terminal import print_line, use_colour
from hera_utils.errors import ResourceError, WaitTimeout
from hera_utils.terminal_text import StyledText, log_lines, visible

if TYPE_CHECKING:
    from hera_utils.cli.following import FollowedRun
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]
_PAUSE = 0.5  # seconds between two polls while the next workflow or task of a run is awaited
_BESIDE = ("initContainers", "sidecars")
# readable on dark and light grounds and for red-green blind readers; red is reserved for failures
_COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "bright_cyan", "bright_magenta", "bright_blue")


@click.command()
@name_argument
@click.argument("task", required=False, shell_complete=complete_with("tasks"))
@click.option("-f", "--follow", is_flag=True, help="Follow the logs until the run ends.")
@click.option("-c", "--container", default="main", show_default=True, help="The container to read (default: main).")
@click.option("--tail", type=click.IntRange(min=0), default=None, help="Only the last N lines of each task.")
@click.option("--grep", default=None, metavar="REGEX", help="Only lines that match this regular expression.")
@click.option("--no-prefix", is_flag=True, help="Print lines without the task's name before them.")
@timeout_option
@settings_options
def command(  # noqa: PLR0913  a command's flags are its signature
    name: str, task: str | None, follow: bool, container: str, tail: int | None, grep: str | None, no_prefix: bool
) -> int:
    """Show the logs of a run's tasks, or of one TASK (a name as in `hera-utils get`, or a pod's name).

    Logs of deleted pods are included where Argo keeps them (archiveLogs).
    """
    from hera_utils.cli.following import find_run_to_follow
    from hera_utils.cli.run_names import connect_client

    limit = deadline(waits="" if follow else "without --follow")
    options = {"container": container, "follow": follow, "tail": tail, "grep": grep}
    with connect_client() as client:
        run = find_run_to_follow(client, name)
        try:
            if not _print_lines(run, task, options, prefix=not no_prefix):
                check_container(client.get((run.names or [run.name])[0]), container)
        except WaitTimeout:
            from hera_utils.runs.come_back import describe_return

            again = client.connection.command("logs", run.name, "--follow")
            raise limit.timeout_error(describe_return([again])) from None
    return 0


def _print_lines(run: FollowedRun, task: str | None, options: Json, *, prefix: bool) -> bool:
    """Print the lines of a run, or of one of its tasks; True if there were any. options: the arguments of `ArgoClient.logs`."""
    colour, spoken, painted, limit = use_colour(), False, colours(), deadline()
    for workflow, pods, names in _choose_workflows(run, task, follow=options["follow"]):
        for pod in pods:
            for source, line in run.client.logs(workflow, pod=pod, timeout=limit.seconds_left, **options):
                if "argo=true" in line:  # on a cluster: lines of Argo's emissary, not of the task
                    continue
                spoken, begin = True, ""
                if prefix and (task is None or len(pods) > 1):
                    source = names.get(source) or _ask_for_task_name(run.client, workflow, source, names)
                    source = visible(source)
                    begin = f"{painted(source) if colour else source}: "
                for text in log_lines(line, colours=colour):
                    print_line(StyledText(begin + text))
            limit.check(run.name)
    return spoken


def _workflows(run: FollowedRun, *, follow: bool) -> Iterator[str]:
    """A run's workflows one after the other. follow: also those that are submitted meanwhile, until the run has ended."""
    from hera_utils.cli.following import is_over

    if not run.workflows:
        yield run.name
        return
    names_seen: set[str] = set()
    while True:
        for name in run.names:
            if name not in names_seen:
                names_seen.add(name)
                yield name
        if not follow:
            return
        run.refresh()
        if names_seen.issuperset(run.names):
            if is_over(run):
                return
            deadline().check(run.name)
            time.sleep(_PAUSE)


def colours() -> Callable[[str], str]:
    """A function that paints names of tasks: each new name gets the next colour, and after the last the first again."""
    chosen: dict[str, str] = {}

    def paint(task: str) -> str:
        return click.style(task, fg=chosen.setdefault(task, _COLOURS[len(chosen) % len(_COLOURS)]))

    return paint


def _choose_workflows(
    run: FollowedRun, task: str | None, *, follow: bool
) -> Iterator[tuple[str, list[str | None], dict[str, str]]]:
    """(workflow, its pods or [None] for all, pod → task) of each workflow of a run that has the task.

    If an earlier run computed the point of the task, that run's workflow is used.
    """
    absent: ResourceError | None = None
    somewhere = False
    for workflow in _workflows(run, follow=follow):
        try:
            pods, names = _pods(run.client, workflow, task, follow=follow)
        except ResourceError as error:
            absent = absent or error
            continue
        somewhere = True
        yield workflow, pods, names
    if absent is None or somewhere:
        return
    taken = list(_pods_of_earlier_runs(run, str(task)))
    if not taken:
        raise absent
    yield from taken


def _pods_of_earlier_runs(run: FollowedRun, task: str) -> Iterator[tuple[str, list[str | None], dict[str, str]]]:
    """The pods of a task in the workflows of earlier runs from which this run took over points."""
    from hera_utils.results.results import Results
    from hera_utils.runs.whole_run import load_run

    folder = run.folder
    if folder is None:
        return
    own_run = load_run(run.client, folder.name, [folder.parent])
    for workflow in sorted(own_run.earlier):
        names = {row.pod: row.task for row in Results.of_run(own_run) if row.workflow == workflow and row.pod}
        try:
            yield workflow, pods_of(task, names, workflow), names
        except ResourceError:
            continue


def _pods(
    client: ArgoClient, workflow: str, task: str | None, *, follow: bool
) -> tuple[list[str | None], dict[str, str]]:
    """(the pods of the task, or [None] for all; pod → task). follow: wait for a task that has not begun while the workflow runs."""
    while True:
        document = client.get(workflow)
        names = pod_tasks(document)
        if task is None:
            return [None], names
        try:
            return pods_of(task, names, workflow), names
        except ResourceError:
            if not follow or phase_of(document) in COMPLETED:
                raise
        deadline().check(workflow)
        time.sleep(_PAUSE)


def check_container(document: Json, container: str) -> None:
    """Raise ResourceError if no template of a run has a container with that name."""
    status = document.get("status") or {}
    specs = (document["spec"], status.get("storedWorkflowTemplateSpec") or {})
    templates = [template for spec in specs for template in spec.get("templates") or ()]
    templates += (status.get("storedTemplates") or {}).values()
    beside = [container for template in templates for kind in _BESIDE for container in template.get(kind) or ()]
    sets = [
        container
        for template in templates
        for container in (template.get("containerSet") or {}).get("containers") or ()
    ]
    container_names = dict.fromkeys(["main", *(str(container.get("name")) for container in [*sets, *beside])])
    if container not in (*container_names, "init", "wait"):
        raise ResourceError(
            f"no task of {document['metadata']['name']} has a container `{container}`",
            fix=f"there is: {', '.join(container_names)}",
        )


def pod_tasks(document: Json) -> dict[str, str]:
    """Pod name → the task's name in the run."""
    from hera_utils.argo.names import pod_of, short_name

    workflow = document["metadata"]["name"]
    nodes = ((document.get("status") or {}).get("nodes") or {}).values()
    return {pod_of(document, node): short_name(node["name"], workflow) for node in nodes if node.get("type") == "Pod"}


def _ask_for_task_name(client: ArgoClient, run: str, pod: str, names: dict[str, str]) -> str:
    """The task of a pod that started after the names were read; asked once for each pod."""
    names.update(pod_tasks(client.get(run)))
    return names.setdefault(pod, pod)


def pods_of(task: str, names: dict[str, str], run: str) -> list[str | None]:
    """The pods of a task with this name, with all items of a fan-out and all attempts; or the pod with this name."""
    pod_names: list[str | None] = [
        pod
        for pod, name in names.items()
        if task in (pod, name, name.rpartition(".")[2]) or _is_inside_task(name, task)
    ]
    if not pod_names:
        raise ResourceError(f"{run} has no task `{task}` that has run", fix=f"see its tasks with: hera-utils get {run}")
    return pod_names


def _is_inside_task(name: str, task: str) -> bool:
    last = name.rpartition(f"{task}(")
    return bool(last[1]) and (not last[0] or last[0].endswith(".")) or name.startswith(f"{task}.")
