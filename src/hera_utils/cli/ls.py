"""`hera-utils ls`: lists the runs."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from hera_utils.argo.phases import UNSUCCESSFUL, phase_of, phase_or_pending
from hera_utils.cli.options import output_option, parse_age, settings_options
from hera_utils.cli.terminal import paint_phase, print_json, print_line, print_note, print_table, symbols
from hera_utils.error_lines import is_exit_code
from hera_utils.wording import counted

if TYPE_CHECKING:
    from hera_utils.cli.run_filter import RunFilter
    from hera_utils.cli.stored_template import StoredTemplate
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.runs.remaining import Remaining

Json = dict[str, Any]

_FIELDS = (
    "metadata.name,metadata.namespace,metadata.creationTimestamp,metadata.resourceVersion,metadata.labels,metadata.annotations,"
    "spec.suspend,status.phase,status.message,status.progress,status.startedAt,status.finishedAt"
)
_MOST_LOOKED_AT = 20
_MOST_TASKS = 1000
_MOST_OF_A_MESSAGE = 100


@click.command()
@click.option("-l", "--selector", default=None, help="Only runs with these labels, e.g. city=lyon.")
@click.option("--running", is_flag=True, help="Only runs that are still going.")
@click.option("--completed", is_flag=True, help="Only runs that ended.")
@click.option("--status", metavar="STATUS,…", default=None, help="Only runs that stand so, e.g. Failed,Error.")
@click.option("--prefix", metavar="TEXT", default="", help="Only runs whose names begin so.")
@click.option(
    "--since", metavar="AGE", default=None, help="Only runs that were created no longer ago than this: 2h, 7d."
)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="At most N runs, the newest first.")
@click.option("--stored", is_flag=True, help="What is stored instead: cron workflows and templates.")
@output_option("name", "json")
@settings_options
def command(selector: str | None, limit: int | None, stored: bool, output: str, **chosen: Any) -> int:
    """List the runs of the namespace, newest first. A run of several workflows is one line (as JSON: one object per workflow).

    Cron workflows follow in a table of their own: what they start comes without being asked for. By experiment, inputs, outputs or
    tags: hera-utils runs --where.
    """
    from hera_utils.cli.platform_runs import sort_key_by_age
    from hera_utils.cli.run_names import connect_client
    from hera_utils.cli.stored_template import list_stored

    if stored:
        return _list_stored(output)
    run_filter = _filter_of(**chosen)
    with connect_client() as client:
        workflows = newest(client, selector, limit if run_filter.is_empty else None)
        namespace = client.namespace
        workflows.sort(key=sort_key_by_age, reverse=True)
        runs = join_workflows_of_runs(workflows)
        now = time.time()
        runs = [run for run in runs if run_filter.admits(run.name, run.phase, run.created, now)]
        parts = [workflow for run in runs for workflow in run.workflows][:limit]
        remarks = remarks_on(client, parts) | reasons_of_failure(client, parts) if output == "text" else {}
        workflows = parts if output == "json" else [run.document for run in runs][:limit]
        filtered = bool(selector) or not run_filter.is_empty
        crons = list_stored(client, ("CronWorkflow",)) if output == "text" and not filtered else []
    if output == "json":
        print_json(workflows)
    elif output == "name":
        for workflow in workflows:
            print_line(workflow["metadata"]["name"])
    elif workflows:
        _print_runs(runs[:limit], remarks, now)
    else:
        print_note(f"no runs in namespace {namespace}{' are selected' if filtered else ''}")
    if crons:
        print_line("")
        _print_stored(crons)
    return 0


def _print_runs(runs: Sequence[ListedRun], remarks: Mapping[str, str], now: float) -> None:
    print_table(
        ("name", "status", "age", "duration", "pods ok", "message"),
        [_line(run.document, now, run.remark(remarks)) for run in runs],
        whole=("name",),
        paint=lambda row, column, cell: (
            paint_phase(phase_or_pending(runs[row].document), cell) if column == 1 else cell
        ),
    )


def _filter_of(*, status: str | None, running: bool, completed: bool, prefix: str, since: str | None) -> RunFilter:
    from hera_utils.cli.run_filter import RunFilter, phases_to_list

    phases = phases_to_list(status, running=running, completed=completed)
    return RunFilter(phases, prefix, None if since is None else parse_age(since, "--since"))


def _list_stored(output: str) -> int:
    from hera_utils.cli.run_names import connect_client
    from hera_utils.cli.stored_template import list_stored

    with connect_client() as client:
        templates = list_stored(client, strict=True)
    if output == "json":
        print_json([template.document for template in templates])
    elif output == "name":
        for template in templates:
            print_line(str(template))
    elif templates:
        _print_stored(templates)
    else:
        print_note(
            f"nothing is stored in namespace {client.namespace}; hera-utils run FILE stores templates and cron workflows"
        )
    return 0


def _print_stored(stored: Sequence[StoredTemplate]) -> None:
    from hera_utils.cli.stored_template import HEADER, table_lines_of

    print_table(HEADER, table_lines_of(stored, time.time()), whole=HEADER[:1])


def newest(client: ArgoClient, selector: str | None, limit: int | None) -> list[Json]:
    """The workflows; with a limit only those of the newest runs, of at least `limit` of them, so that the server sends no more."""
    from hera_utils.runs.record import RUN_LABEL, run_of

    if limit is None:
        return client.list(selector=selector, fields=_FIELDS)
    by_name: dict[str, Json] = {}
    labels: set[str] = set()
    ages: dict[str, str] = {}
    for workflow in client.newest(selector=selector, fields=_FIELDS, most=limit + 50):
        metadata, started = workflow["metadata"], (workflow.get("status") or {}).get("startedAt")
        # The server sends the latest start first; the workflows that follow were created no later than they started.
        if len(ages) >= limit and started and started < heapq.nlargest(limit, ages.values())[-1]:
            break
        label = (metadata.get("labels") or {}).get(RUN_LABEL)
        run, created = run_of(metadata), metadata.get("creationTimestamp") or ""
        ages[run] = max(ages.get(run, ""), created)
        by_name[metadata["name"]] = workflow
        labels |= {label} if label else set()
    if labels:  # a run may also have workflows that are older than other runs
        of_runs = ",".join(filter(None, (selector, f"{RUN_LABEL} in ({','.join(sorted(labels))})")))
        by_name |= {older["metadata"]["name"]: older for older in client.list(selector=of_runs, fields=_FIELDS)}
    return list(by_name.values())


@dataclass(frozen=True)
class ListedRun:
    """A run, or a workflow that belongs to no run: one document that sums it up, and the documents of its workflows."""

    document: Json
    workflows: tuple[Json, ...]

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def created(self) -> str:
        return str(self.document["metadata"].get("creationTimestamp") or "")

    def remark(self, remarks: Mapping[str, str]) -> str | None:
        """The first remark on one of its workflows."""
        names = (str(workflow["metadata"]["name"]) for workflow in self.workflows)
        return next((remarks[name] for name in names if name in remarks), None)

    @property
    def phase(self) -> str:
        return phase_or_pending(self.document)


def join_workflows_of_runs(workflows: Sequence[Json]) -> list[ListedRun]:
    """The list with the workflows of each run joined, at the place of its newest workflow."""
    from hera_utils.runs.record import run_of
    from hera_utils.runs.whole_run import submission_order

    members: dict[str, list[Json]] = {}
    for workflow in workflows:
        members.setdefault(run_of(workflow["metadata"]), []).append(workflow)
    return [
        ListedRun(_join_workflows(run, sorted(workflows_of_run, key=submission_order)), tuple(workflows_of_run))
        for run, workflows_of_run in members.items()
    ]


def _join_workflows(run: str, workflows: Sequence[Json]) -> Json:
    """One document that sums up a run's workflows: the metadata of the newest one, and a joint status."""
    from hera_utils.runs.remaining import joint_phase

    remaining = _remaining(run, workflows)
    if len(workflows) == 1 and not remaining.what and not remaining.search:
        return workflows[0]
    statuses = [workflow.get("status") or {} for workflow in workflows]
    phase = joint_phase([phase_or_pending(workflow) for workflow in workflows], remaining)
    more = f", {remaining.what} {'to come' if remaining.awaited else 'not submitted'}" if remaining.what else ""
    joint = {
        "phase": phase,
        "progress": _sum_of_progress(statuses),
        "message": counted(len(workflows), "workflow") + more,
    }
    starts = [status["startedAt"] for status in statuses if status.get("startedAt")]
    ends = [status["finishedAt"] for status in statuses if status.get("finishedAt")]
    joint |= {"startedAt": min(starts)} if starts else {}
    joint |= {"finishedAt": max(ends)} if ends and phase != "Running" else {}
    first = workflows[0]["metadata"].get("creationTimestamp")  # a run is as old as its first workflow
    return {"metadata": {**workflows[-1]["metadata"], "name": run, "creationTimestamp": first}, "status": joint}


def _sum_of_progress(statuses: Sequence[Json]) -> str:
    from hera_utils.interpreter.progress import parse

    counts = [parse(status.get("progress")) or (0, 0) for status in statuses]
    done, every = (sum(count[side] for count in counts) for side in (0, 1))
    return f"{done}/{every}"


def _remaining(run: str, workflows: Sequence[Json]) -> Remaining:
    """What of a run is still to be submitted. Its record is only read if the workflows' annotations say that something is missing."""
    from hera_utils.cli.run_names import record_folders
    from hera_utils.runs.remaining import find_remaining
    from hera_utils.runs.whole_run import record_folder

    by_annotations = find_remaining(workflows, None, time.time())
    if not by_annotations.what and not by_annotations.search:
        return by_annotations
    return find_remaining(workflows, record_folder(run, record_folders()), time.time())


def remarks_on(client: ArgoClient, workflows: Sequence[Json]) -> dict[str, str]:
    """Remarks on workflows that wait: SUSPENDED, or why none of their tasks runs. A list contains no tasks, so a few running workflows
    are fetched one by one.
    """
    from hera_utils.watch.progress import is_suspended
    from hera_utils.watch.progress_text import SUSPENDED
    from hera_utils.watch.waits import is_ordinary, is_starting, waiting_sentences_of

    going = [workflow for workflow in workflows if phase_of(workflow) == "Running"]
    remarks = {
        workflow["metadata"]["name"]: SUSPENDED for workflow in workflows if (workflow.get("spec") or {}).get("suspend")
    }
    for workflow in going[:_MOST_LOOKED_AT]:
        name = workflow["metadata"]["name"]
        if name in remarks:
            continue
        document = client.get(name, fields="spec.suspend,spec.parallelism,status.nodes")
        nodes = ((document.get("status") or {}).get("nodes") or {}).values()
        if is_suspended(document):
            remarks[name] = SUSPENDED
        elif not any(n.get("type") == "Pod" and n.get("phase") == "Running" and not n.get("daemoned") for n in nodes):
            starting = is_starting(document)
            reasons = [why for why in waiting_sentences_of(document) if not (starting and is_ordinary(why))]
            remarks[name] = reasons[0] if reasons else ""
    return remarks


def reasons_of_failure(client: ArgoClient, workflows: Sequence[Json]) -> dict[str, str]:
    """Remarks on workflows that failed with no message or only an exit code: the reason that `get` shows.

    Only on this machine, where the nodes have the line in which a task said why. Fetches a few workflows, of at most _MOST_TASKS tasks.
    """
    from hera_utils.interpreter.progress import parse
    from hera_utils.runs.outcome import outcome

    if not client.connection.local:
        return {}
    failed = []
    for workflow in workflows:
        status = workflow.get("status") or {}
        few = (parse(status.get("progress")) or (0, 0))[1] <= _MOST_TASKS
        if status.get("phase") in UNSUCCESSFUL and few and _leaves_reason_to_tasks(str(status.get("message") or "")):
            failed.append(workflow["metadata"]["name"])
    remarks = {}
    for name in failed[:_MOST_LOOKED_AT]:
        ended = outcome(client.get(name, fields="metadata.name,status.phase,status.message,status.nodes"))
        first = next(iter(ended.failures), None)
        if first is not None:
            remarks[name] = ended.why if is_exit_code(ended.message) else f"{first.task}: {first.why}"
    return remarks


def _leaves_reason_to_tasks(message: str) -> bool:
    """Whether Argo's message of a failed run leaves the reason to its tasks."""
    return not message or is_exit_code(message) or message.startswith("child '")


def _line(workflow: Json, now: float, remark: str | None) -> tuple[str, ...]:
    from hera_utils.argo import timestamps
    from hera_utils.spans import age, stopwatch
    from hera_utils.watch.progress_text import SUSPENDED

    status = workflow.get("status") or {}
    phase = phase_or_pending(workflow)
    going = phase in ("Running", "Pending")
    phase_text = "Suspended" if remark == SUSPENDED and going else phase
    message, reason = status.get("message") or "", "" if remark in (None, SUSPENDED) else str(remark)
    if reason:
        message = reason if going or _leaves_reason_to_tasks(message) else f"{message}; {reason}"
    created, start, end = (
        timestamps.read(text)
        for text in (workflow["metadata"].get("creationTimestamp"), status.get("startedAt"), status.get("finishedAt"))
    )
    return (
        workflow["metadata"]["name"],
        f"{symbols().of(phase_text)} {phase_text}",
        "" if created is None else age(now - created),
        "" if start is None else stopwatch(max(0.0, (end or now) - start)),
        status.get("progress") or "",
        " ".join(message.split())[:_MOST_OF_A_MESSAGE],
    )
