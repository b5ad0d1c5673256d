"""What the user of a script sees of its experiment: where it runs, its claims, its progress, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hera_utils.terminal_text import visible
from hera_utils.wording import from_here

if TYPE_CHECKING:
    from rich.console import Console

    from hera_utils.execution.run import Run
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connection import Connection
    from hera_utils.platforms.provision import Change
    from hera_utils.preflight.finding import Finding
    from hera_utils.settings.resolve import CLIContext
    from hera_utils.watch.display import Display


_COLOURS = {"good": "green", "unknown": "cyan", "warning": "yellow", "problem": "red"}


class Reporter(Protocol):
    """Receives what an engine reports. Every method may do nothing."""

    def where(self, context: CLIContext, connection: Connection, version: str) -> None: ...

    def provisioned(self, objects: Sequence[Change]) -> None: ...

    def display(self) -> Display | None: ...

    def ended(self, client: ArgoClient, run: Run) -> None: ...

    def findings(self, findings: Sequence[Finding]) -> None: ...

    def lines(self, lines: Sequence[str]) -> None: ...


class NullReporter:
    """Reports nothing: a program reads the Run instead."""

    def where(self, context: CLIContext, connection: Connection, version: str) -> None:
        return None

    def provisioned(self, objects: Sequence[Change]) -> None:
        return None

    def display(self) -> Display | None:
        return None

    def ended(self, client: ArgoClient, run: Run) -> None:
        return None

    def findings(self, findings: Sequence[Finding]) -> None:
        return None

    def lines(self, lines: Sequence[str]) -> None:
        return None


class ConsoleReporter:
    """Prints for the user of a script: in colours on a terminal, plain lines in a pipe."""

    def __init__(self, console: Console | None = None) -> None:
        if console is None:
            from rich.console import Console

            console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.console = console

    def where(self, context: CLIContext, connection: Connection, version: str) -> None:
        from hera_utils.platforms.connect import describe_platform

        self.lines([describe_platform(context, connection, version)])

    def provisioned(self, objects: Sequence[Change]) -> None:
        self.lines([f"claim {claim.declared.name} is the folder {claim.where}" for claim in objects if claim.where])

    def display(self) -> Display | None:
        from hera_utils.watch.display import display_for

        return display_for(self.console)

    def ended(self, client: ArgoClient, run: Run) -> None:
        from hera_utils.argo.conditions import spec_warning
        from hera_utils.runs.failure_summary import lines_with_logs

        if text := spec_warning(run.workflow):
            self.lines([f"{run.name}: {text}"])
        if run.oversized:
            self.lines([f"{run.name}: {run.oversized}"])
        if not run.succeeded:
            self.lines(lines_with_logs(client, run.workflow, run.outcome))
        report = None if run.record is None else run.record / "report.html"
        self.lines([run.link, *([f"report: {from_here(report)}"] if report is not None and report.exists() else [])])

    def findings(self, findings: Sequence[Finding]) -> None:
        print_findings(self.console, findings)

    def lines(self, lines: Sequence[str]) -> None:
        if lines:  # in one print: a notebook shows each print as a separate output
            self.console.print("\n".join(map(visible, lines)))


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print the findings: on a terminal in groups and colours, in a pipe each on one line, so that a program can search them."""
    from rich.text import Text

    from hera_utils.preflight.findings_text import lines_of_findings, summarize
    from hera_utils.watch.progress_text import symbols_for

    signs = symbols_for(console.encoding)
    marks = {"good": signs.done, "unknown": "?", "warning": "!", "problem": signs.failed}
    if not console.is_terminal:
        texts = [*(finding.line(marks) for finding in findings), summarize(findings)]
        console.print("\n".join(map(visible, texts)), soft_wrap=True)
        return
    for line in lines_of_findings(findings, console.width, marks):
        is_bold = line.verdict is None or (line.fix and line.verdict == "problem")
        text = Text(visible(line.text), "bold" if is_bold else "")
        if line.verdict is not None and line.mark:
            text.stylize(_COLOURS[line.verdict], 0, line.mark)
        console.print(text, soft_wrap=True)
    console.print(summarize(findings))
