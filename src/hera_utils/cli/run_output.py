"""`-o` of `hera-utils run`: prints for a program each of its runs, with its workflows as Argo has them, its link and its record."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.terminal import print_document, print_line
from hera_utils.errors import HeraUtilsError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]

FORMATS = ("text", "name", "json", "yaml")
_FLAGS = ("-o", "--output")
_OUTPUT = "hera_utils.output"


class AnsweringCommand(click.Command):
    """A command with `-o FORMAT`. A script may have that flag too: with another value, with --plan or after `--` it is the script's."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        help_text = "What stdout has in the end; the progress goes to stderr then.  [default: text]"
        self.params.insert(2, _HelpOnlyOption(_FLAGS, type=click.Choice(FORMATS), expose_value=False, help=help_text))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_OUTPUT], args = output_format(args)
        return super().parse_args(ctx, args)


class _HelpOnlyOption(click.Option):
    """An option that help and completion know, but click's parser does not: `output_format` takes it out of the words before."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        return None


def requested_format() -> str:
    """The output format of the present command line."""
    return str(click.get_current_context().meta[_OUTPUT])


def output_format(words: list[str]) -> tuple[str, list[str]]:
    """(the format that the words name, the words without it). Pure."""
    end = words.index("--") if "--" in words else len(words)
    if "--plan" in words[:end]:
        return FORMATS[0], words
    for place, word in enumerate(words[:end]):
        flag, equals, value = word.partition("=")
        if flag not in _FLAGS:
            continue
        after = place + 1
        if not equals and after < end:
            value, after = words[after], after + 1
        if value in FORMATS:
            return value, words[:place] + words[after:]
    return FORMATS[0], words


@contextmanager
def print_runs_at_end(client: ArgoClient, output: str) -> Iterator[list[str]]:
    """Inside, the caller starts and follows runs, and adds their names to the list. At the end, also after an error, the runs are printed
    on stdout; until then everything that is printed, also by the script and its processes, goes to stderr. output: text prints nothing.
    """
    names: list[str] = []
    if output == "text":
        yield names
        return
    try:
        with _redirect_stdout_to_stderr():
            yield names
    except BaseException:
        with suppress(HeraUtilsError):  # report the first error, not one of this query
            _print_runs(client, names, output)
        raise
    _print_runs(client, names, output)


@contextmanager
def _redirect_stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _print_runs(client: ArgoClient, names: list[str], output: str) -> None:
    runs = _runs_as_json(client, names)
    if output == "name":
        for run in runs:
            print_line(run["run"])
    elif runs or sys.exc_info()[0] is None:
        print_document(runs[0] if len(runs) == 1 else runs, output)


def _runs_as_json(client: ArgoClient, names: list[str]) -> list[Json]:
    """The runs with these names; a workflow that belongs to a run of several is part of that run."""
    from hera_utils.cli.run_names import record_folders
    from hera_utils.runs.record import RUN_LABEL, label_of
    from hera_utils.runs.whole_run import load_run

    folders, runs, labels = record_folders(), dict[str, Json](), set[str]()
    for name in dict.fromkeys(names):
        try:
            run = load_run(client, name, folders)
        except HeraUtilsError:
            continue  # the script deleted it
        of_run = {(workflow["metadata"].get("labels") or {}).get(RUN_LABEL) for workflow in run.own}
        if run.folder is None and of_run & labels:
            continue
        labels.add(label_of(name))
        runs[name] = {
            "run": name,
            "namespace": run.namespace,
            "phase": run.phase,
            "link": client.link(str(run.own[-1]["metadata"]["name"])) if run.own else None,
            "record": None if run.folder is None else str(run.folder.resolve()),
            "workflows": list(run.own),
        }
    return list(runs.values())
