"""`hera-utils report`: writes a page about a run, Markdown for a paper, or the run's manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import ShortHelpOption, name_argument, settings_options
from hera_utils.cli.terminal import print_data, print_line
from hera_utils.errors import ResourceError, SettingsError

if TYPE_CHECKING:
    from hera_utils.cli.run_names import ReachedRun

_FILES = {"html": "report.html", "md": "report.md", "methods": "methods.md"}


@click.command()
@name_argument
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@click.option(
    "--to",
    "-o",
    "--output",
    "target",
    cls=ShortHelpOption,
    metavar="FILE",
    help="Where to write it; - for standard output.",
)
@click.option(
    "--format", "kind", type=click.Choice(list(_FILES)), default=None, help="[default: html, or by FILE's name]"
)
@click.option("--crate", is_flag=True, help="Write the run's RO-Crate: manifest, workflows, script, results, report.")
@click.option("--zip", "archive", is_flag=True, help="Write the RO-Crate as one file, to be published: NAME.zip.")
@settings_options
def command(name: str, show: bool, target: str | None, kind: str | None, crate: bool, archive: bool) -> int:
    """Write a report of a run: results with plots, timeline, graph, resources, failures with their logs.

    As html: one self-contained file; as md (Markdown): for the appendix of a paper; as methods: a paragraph for its methods.
    It is written into the run's folder (runs/NAME), or where --to says. With --crate that folder becomes an RO-Crate, from which
    hera-utils rerun repeats the run; with --zip it is also packed, ready to be published.
    """
    from hera_utils.cli.run_names import reach_run
    from hera_utils.report.run_folder import write_report

    kind = kind or _kind_of(target)
    _check_target(target, "--zip" if archive else "--crate" if crate else "")
    with reach_run(name) as reached:
        folder = reached.run.folder or Path("runs") / reached.run.name
        path = Path(target) if target else folder / _FILES[kind]
        gone = reached.run.deleted - reached.run.earlier  # of earlier runs a report contains only the results
        if (gone or reached.run.lost) and (crate or archive or not target) and path.exists():
            raise ResourceError(
                f"{len(reached.run.deleted)} of the workflows of {reached.run.name} are deleted: a new report would say "
                f"less than {path}",
                fix="to write it anyway, to another file: --to FILE",
            )
        text = _render(reached, kind)
        if target == "-":
            print_data(text)
            return 0
        write_report(path.resolve() if target else path, text)  # follow a link that the user names
        print_line(str(path))
        if crate or archive:
            write_report(folder / _FILES["methods"], _render(reached, "methods"))
            manifest = _write_crate(reached, folder)
            print_line(str(manifest))
        if archive:
            from hera_utils.provenance.crate import write_zip

            packed = folder / f"{folder.name}.zip"
            write_zip(manifest, packed)
            print_line(str(packed))
    if show:
        click.launch(path.resolve().as_uri())
    return 0


def _check_target(target: str | None, flag: str) -> None:
    """Raise an error for a target that cannot be written. flag: the one that makes a crate, "" without one."""
    if target == "-" and flag:
        raise SettingsError(
            f"{flag} writes files, and --to - only prints", fix=f"leave out --to -, or leave out {flag}"
        )
    if target and target != "-" and not (above := Path(target).parent).is_dir():
        raise ResourceError(
            f"cannot write {target}: there is no folder {above}", fix="create it, or name another file with --to"
        )


def _kind_of(target: str | None) -> str:
    """The format by the file's name. Raises SettingsError for the suffix of another format."""
    suffix = Path(target or "").suffix.lower()
    if suffix in (".md", ".markdown"):
        return "md"
    if suffix not in ("", ".html", ".htm"):
        raise SettingsError(
            f"a report is written as html or md, and {target} says neither",
            fix="end the name with .html or .md; for a PDF print the page from the browser (--open)",
        )
    return "html"


def _render(reached: ReachedRun, kind: str) -> str:
    from hera_utils.report.markdown import markdown
    from hera_utils.report.run_folder import methods_of, render_report, report_page

    results, secrets = reached.results(logs=True), reached.context.secrets()
    if kind == "html":
        return report_page(reached.client, reached.run, results, secrets)
    form = markdown if kind == "md" else methods_of(reached.client)
    return render_report(reached.client, reached.run, results, secrets, form)


def _write_crate(reached: ReachedRun, folder: Path) -> Path:
    from hera_utils.provenance.crate import write_crate
    from hera_utils.report.run_folder import crate_context
    from hera_utils.runs.file_digests import read_file_uses

    settings = reached.context
    context = crate_context(reached.client, settings.secrets(), read_file_uses(folder))
    context = replace(context, authors=settings.authors or "", license=settings.license or "")
    return write_crate(reached.run, reached.results(), folder, context)
