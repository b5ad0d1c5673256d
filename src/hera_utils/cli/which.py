"""`hera-utils which`: finds the run and the point that wrote a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note
from hera_utils.errors import ResourceError
from hera_utils.wording import system_reason

if TYPE_CHECKING:
    from hera_utils.runs.file_digests import Trace

_MOST_INPUTS = 10


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The output format."
)
@settings_options
def command(file: Path, output: str) -> int:
    """Tell which run and point wrote a file, and from what: a file is known by its content, wherever it is and whatever its name.

    Files count that the experiment's layout declares (@reads, @writes), as they were when the run ended. Of a file that no run wrote,
    the runs that read it are told. The exit status is 1 when no run knows it.
    """
    from hera_utils.cli.run_catalogue import recorded_entries
    from hera_utils.digests import sha256_of
    from hera_utils.runs.file_digests import WRITTEN, traces

    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise OSError("it is not a regular file")  # a pipe or a device may have no end
        digest = sha256_of(file)
    except OSError as error:
        raise ResourceError(f"the file {file} cannot be read ({system_reason(error)})", fix="name a file") from None
    entries = recorded_entries()
    trails = traces(entries, digest)
    trails = [trace for trace in trails if trace.use.use == WRITTEN] or trails
    if output == "json":
        print_json([_trace_as_json(trace) for trace in trails])
    for trace in trails if output == "text" else ():
        for line in _lines_of_trace(trace):
            print_line(line)
    if not trails:
        print_note(f"none of {len(entries)} recorded runs wrote or read this file (sha256 {digest[:16]}…)")
    return 0 if trails else 1


def _lines_of_trace(trace: Trace) -> list[str]:
    from hera_utils.runs.conditions import run_values, short_text

    entry, use = trace.entry, trace.use
    (created,) = run_values(entry, "created")
    values = ", ".join(f"{name}={value}" for name, value in trace.values.items())
    lines = [f"{entry.name}  {use.use} as {use.path}  ({entry.phase}, {created})"]
    git = entry.facts.get("git") or {}
    changed = f", {git.get('changed')} files differ from it" if git.get("changed") else ""
    facts = {
        "point": values or ("all" if not use.point else use.point),
        "script": shlex.join(
            map(str, filter(None, (entry.facts.get("script"), *(entry.facts.get("arguments") or ()))))
        ),
        "commit": f"{git['commit'][:10]}{changed}" if git.get("commit") else "",
        "constants": ", ".join(f"{name}={short_text(value)}" for name, value in entry.constants.items()),
    }
    lines += [f"  {name}: {text}" for name, text in facts.items() if text.strip()]
    lines += [f"  from: {file.path} (sha256 {file.sha256[:16]}…)" for file in trace.inputs[:_MOST_INPUTS]]
    more = len(trace.inputs) - _MOST_INPUTS
    return [*lines, *([f"  and from {more} more files"] if more > 0 else [])]


def _trace_as_json(trace: Trace) -> dict[str, Any]:
    from hera_utils.experiment.values import for_json

    return {
        "run": trace.entry.name,
        "record": str(trace.entry.folder),
        "phase": trace.entry.phase,
        "use": trace.use.use,
        "path": trace.use.path,
        "sha256": trace.use.sha256,
        "point": trace.use.point or None,
        "values": trace.values,
        "constants": for_json(dict(trace.entry.constants)),
        "inputs": [{"path": file.path, "sha256": file.sha256} for file in trace.inputs],
    }
