"""`hera-utils get`: one run, its tasks, how they went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import name_argument, output_option, settings_options

if TYPE_CHECKING:
    from hera_utils.argo.tree import Branch
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.watch.display import Symbols

Json = dict[str, Any]
_MOST_PARTS = 20


@click.command()
@name_argument
@click.option("--all", "everything", is_flag=True, help="Every task, also the many that went well.")
@output_option("json", "yaml")
@settings_options
def command(name: str, everything: bool, output: str) -> int:
    """Show a run: how it stands, its parameters and its tasks, and why the failed ones failed."""
    from hera_utils.cli.runs import reached, tell_warning, workflows_of
    from hera_utils.cli.terminal import print_json, say

    with reached() as client:
        names = workflows_of(client, name)
        if len(names) > 1 and output == "text":
            for line in _of_several(client, names):
                say(line)
            return 0
        if len(names) > 1:
            documents = [client.get(one) for one in names]
            _print_several(documents, output)
            return 0
        document = client.get(names[0])
        link = client.link(document["metadata"]["name"])
    if output == "json":
        print_json(document)
    elif output == "yaml":
        import yaml

        say(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip())
    else:
        for line in description(document, link, everything=everything):
            say(line)
    tell_warning(document)
    return 0


def _of_several(client: ArgoClient, names: list[str]) -> Iterator[str]:
    """A run that was split: how it stands, and each of its workflows."""
    import time

    from hera_utils.cli.runs import run_of
    from hera_utils.cli.terminal import symbols
    from hera_utils.watch.display import headline, row_text
    from hera_utils.watch.together import FIELDS, standing

    run, signs = run_of(client, names[0]), symbols()
    state = standing(run, [client.get(one, fields=FIELDS) for one in names])
    yield headline(state, state.elapsed(time.time()), signs)
    yield f"  namespace {client.namespace}   {len(names)} workflows"
    for row in state.rows:
        yield f"  {row_text(row, signs)}"
    # A run of one part and a gather has its first workflow's name: asked for that, the answer would be this one again.
    tasks = f"hera-utils results {run} --tasks" if names[0] == run else f"hera-utils get {names[0]}"
    yield f"  its tasks: {tasks}; its points: hera-utils results {run}"


def _print_several(documents: list[Json], output: str) -> None:
    from hera_utils.cli.terminal import print_json, say

    if output == "json":
        print_json(documents)
        return
    import yaml

    say(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True).rstrip())


def description(document: Json, link: str, *, everything: bool) -> Iterator[str]:
    import time

    from hera_utils.argo.tree import tree
    from hera_utils.cli.terminal import symbols
    from hera_utils.watch.display import headline
    from hera_utils.watch.progress import progress

    state, signs = progress(document), symbols()
    yield headline(state, state.elapsed(time.time()), signs)
    if state.message:
        yield f"  {state.message}"
    yield f"  namespace {state.namespace}   started {(document.get('status') or {}).get('startedAt') or 'not yet'}"
    for title, slot in (
        ("parameters", document["spec"].get("arguments")),
        ("outputs", document["status"].get("outputs")),
    ):
        for parameter in (slot or {}).get("parameters") or ():
            yield f"  {title[:-1]} {parameter['name']} = {_short(parameter.get('value', ''))}"
    for branch in tree(document):
        yield from _branch(branch, 1, signs, everything=everything)
    yield f"  {link}"


def _branch(branch: Branch, depth: int, signs: Symbols, *, everything: bool) -> Iterator[str]:
    from hera_utils.argo.tree import seconds
    from hera_utils.watch.display import row_text

    took = seconds(branch.attempts[-1] if branch.attempts else branch.node)
    again = f"  {branch.retried} retried" if branch.retried and not branch.parts else ""
    time = f"  {took:.0f} s" if took is not None and branch.node and branch.node.get("type") != "TaskGroup" else ""
    yield f"{'  ' * depth}{row_text(branch, signs)}{time}{again}"
    shown = branch.parts
    if not everything and len(shown) > _MOST_PARTS:
        shown = tuple(part for part in shown if part.failed or part.phase == "Running")[:_MOST_PARTS]
    for part in shown:
        yield from _branch(part, depth + 1, signs, everything=everything)
    if len(shown) < len(branch.parts):
        yield f"{'  ' * (depth + 1)}{signs.more} and {len(branch.parts) - len(shown)} more (--all)"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:79] + "…"
