"""`hera-utils get`: shows one run with its tasks and their status."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import complete_with, output_option, settings_options
from hera_utils.cli.terminal import paint_phase, print_document, print_json, print_line, symbols, width
from hera_utils.wording import counted

if TYPE_CHECKING:
    from hera_utils.argo.node_tree import Branch
    from hera_utils.cli.following import FollowedRun
    from hera_utils.cli.stored_template import StoredTemplate
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.watch.progress_text import Symbols

Json = dict[str, Any]
_digest_at_end = re.compile(r"-[0-9a-f]{12}$")  # experiment/points.py
_MOST_PARTS = 20
_MOST_WORKFLOWS = 4  # if a run has more workflows, its tasks are not shown


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_with("runs", "stored"))
@click.option("--all", "everything", is_flag=True, help="Show every task, also the many that succeeded.")
@output_option("json", "yaml")
@settings_options
def command(name: str, everything: bool, output: str) -> int:
    """Show a run: its status, its parameters and its tasks, and why tasks failed.

    A cron workflow is named by its name or as cronwf/NAME, a stored template as workflowtemplate/NAME.
    """
    from hera_utils.cli.following import find_run_to_follow
    from hera_utils.cli.outcome import print_warnings
    from hera_utils.cli.run_names import connect_client
    from hera_utils.cli.stored_template import find_stored_object

    with connect_client() as client:
        stored = find_stored_object(client, name)
        if stored is not None:
            _print_stored(client, stored, output)
            return 0
        run = find_run_to_follow(client, name)
        names = run.names or [run.name]
        if output == "text" and (len(names) > 1 or run.remaining.what):
            for line in _lines_of_several_workflows(run, everything=everything):
                print_line(line)
            return 0
        if len(names) > 1:
            _print_documents([client.get(object_name) for object_name in names], output)
            return 0
        document = client.get(names[0])
        link = client.link(document["metadata"]["name"])
    if output == "text":
        for line in describe(document, link, everything=everything):
            print_line(line)
    else:
        print_document(document, output)
    print_warnings(client, document)
    return 0


def _print_stored(client: ArgoClient, stored: StoredTemplate, output: str) -> None:
    from hera_utils.cli.stored_template import describe as description_of_stored

    if output != "text":
        print_document(stored.document, output)
        return
    for line in description_of_stored(client, stored):
        print_line(_cut_to_width(line))


def _lines_of_several_workflows(run: FollowedRun, *, everything: bool) -> Iterator[str]:
    """Lines about a run of several workflows: its state, each workflow (with its tasks, if there are few workflows), and the rest."""
    from hera_utils.argo.node_tree import tree
    from hera_utils.watch.progress_text import headline, row_text
    from hera_utils.watch.run_progress import progress_of_run

    client, signs, remaining = run.client, symbols(), run.remaining
    state = progress_of_run(run.name, run.workflows, remaining.phase)
    yield paint_phase(state.phase, headline(state, state.elapsed(time.time()), signs))
    count = len(run.workflows)
    yield f"  namespace {client.namespace}   {counted(count, 'workflow')}"
    for row in state.rows:
        yield paint_phase(row.phase, f"  {row_text(row, signs)}")
        if count <= _MOST_WORKFLOWS:
            for branch in tree(client.get(row.label)):
                for part in branch.parts or (branch,):
                    yield from _lines_of_branch(part, 2, signs, everything=everything)
            yield f"    {client.link(row.label)}"
    if remaining.what:
        yield f"  {signs.awaited} {remaining.what} {'to come' if remaining.awaited else 'not submitted: run the script with --resume'}"
    tasks = "" if count <= _MOST_WORKFLOWS else f"its tasks: hera-utils results {run.name} --tasks; "
    yield f"  {tasks}its points: hera-utils results {run.name}"


def _print_documents(documents: list[Json], output: str) -> None:
    if output == "json":
        print_json(documents)
        return
    import yaml

    print_line(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True).rstrip())


def describe(document: Json, link: str, *, everything: bool) -> Iterator[str]:
    from hera_utils.argo.node_tree import tree
    from hera_utils.runs.outcome import outcome
    from hera_utils.watch.progress import progress
    from hera_utils.watch.progress_text import headline, waiting_sentences

    state, signs = progress(document), symbols()
    yield paint_phase(state.phase, headline(state, state.elapsed(time.time()), signs))
    if state.message:
        yield f"  {outcome(document).why}"
    for sentence in waiting_sentences(state, signs, everything=True).values():
        yield f"  {sentence}"
    yield f"  namespace {state.namespace}   started {(document.get('status') or {}).get('startedAt') or 'not yet'}"
    for title, slot in (
        ("parameters", document["spec"].get("arguments")),
        ("outputs", document["status"].get("outputs")),
    ):
        for parameter in (slot or {}).get("parameters") or ():
            yield _cut_to_width(f"  {title[:-1]} {parameter['name']} = {_shorten(parameter.get('value', ''))}")
    for branch in tree(document):
        yield from _lines_of_branch(branch, 1, signs, everything=everything)
    yield f"  {link}"


def _lines_of_branch(branch: Branch, depth: int, signs: Symbols, *, everything: bool) -> Iterator[str]:
    from hera_utils.argo.node_tree import seconds
    from hera_utils.spans import stopwatch
    from hera_utils.watch.progress_text import row_text

    last = branch.attempts[-1] if branch.attempts else branch.node
    took = seconds(last)
    again = f"  {branch.retried} retried" if branch.retried and not branch.parts else ""
    time = f"  {stopwatch(took)}" if took is not None and branch.node and branch.node.get("type") != "TaskGroup" else ""
    yield paint_phase(
        branch.phase, _wrap(f"{row_text(branch, signs)}{_inputs(branch)}{time}{_describe_usage(last)}{again}", depth)
    )
    parts = branch.parts
    if not everything and len(parts) > _MOST_PARTS:
        parts = tuple(part for part in parts if part.failed or part.phase == "Running")[:_MOST_PARTS]
    for part in parts:
        yield from _lines_of_branch(part, depth + 1, signs, everything=everything)
    if len(parts) < len(branch.parts):
        yield f"{'  ' * (depth + 1)}{signs.more} and {len(branch.parts) - len(parts)} more (--all)"


def _inputs(branch: Branch) -> str:
    """The inputs of a point whose name does not say them: it ends in a digest, because it would be too long."""
    from hera_utils.runs.failure_summary import shorten_inputs
    from hera_utils.runs.outcome import values

    inputs = values((branch.node or {}).get("inputs"))
    return f" ({shorten_inputs(inputs)})" if inputs and _digest_at_end.search(branch.label) else ""


def _describe_usage(node: Json | None) -> str:
    """What this machine measured of a task: processor time and memory."""
    from hera_utils.argo.annotations import RAN
    from hera_utils.spans import size_in_words

    ran = (node or {}).get(RAN) or {}
    if "cpuSeconds" not in ran:
        return ""
    return f"  {ran['cpuSeconds']:.2g} s of CPU  {size_in_words(ran['peakMemory'])}"


def _wrap(text: str, depth: int) -> str:
    """The text wrapped to the terminal's width. The message of a failed task is not cut: its end may have the solution."""
    import textwrap

    indent, room = "  " * depth, width()
    if room is None or len(indent) + len(text) <= room:
        return indent + text
    lines = textwrap.wrap(text, max(20, room - len(indent) - 2), break_long_words=False, break_on_hyphens=False)
    return "\n".join(indent + ("  " if number else "") + line for number, line in enumerate(lines))


def _cut_to_width(text: str) -> str:
    room = width()
    return text if room is None or len(text) <= room else text[: room - len(symbols().more)] + symbols().more


def _shorten(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:79] + "…"
