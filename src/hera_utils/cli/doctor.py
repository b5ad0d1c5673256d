"""`hera-utils doctor`: would a run work here? Every finding at once, each with its fix."""

from __future__ import annotations

import click

from hera_utils.cli.options import context, output_option, settings_options


@click.command()
@output_option("json")
@settings_options
def command(output: str) -> int:
    """Check everything that a run needs; the exit status is 1 when a problem was found. Nothing is changed."""
    from hera_utils.cli.terminal import print_json, say, symbols, use_colour
    from hera_utils.preflight.check import as_json
    from hera_utils.preflight.run import run

    findings = run(context())
    problems = sum(not finding.ok for finding in findings)
    if output == "json":
        print_json(as_json(findings))
        return int(problems > 0)
    signs = symbols()
    marks = {"good": signs.done, "warning": "!", "problem": signs.failed}
    colours = {"good": "green", "warning": "yellow", "problem": "red"}
    for finding in findings:
        line = finding.line(marks)
        mark, rest = line[: len(marks[finding.verdict])], line[len(marks[finding.verdict]) :]
        say((click.style(mark, fg=colours[finding.verdict]) if use_colour() else mark) + rest)
    say(f"{problems or 'no'} problem{'' if problems == 1 else 's'}")
    return int(problems > 0)
