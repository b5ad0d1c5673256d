"""`hera-utils report`: one page that tells a run; Markdown for a paper; its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import name_argument, settings_options
from hera_utils.errors import ResourceError

if TYPE_CHECKING:
    from hera_utils.cli.whole_runs import Reached

_SUFFIXES = {"html": ".html", "md": ".md"}


@click.command()
@name_argument
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@click.option(
    "-o", "--output", "target", metavar="FILE", default=None, help="Where to write it; - for standard output."
)
@click.option(
    "--format", "kind", type=click.Choice(["html", "md"]), default=None, help="[default: html, or by FILE's name]"
)
@click.option("--crate", is_flag=True, help="Write the run's RO-Crate: manifest, workflows, script, results, report.")
@settings_options
def command(name: str, show: bool, target: str | None, kind: str | None, crate: bool) -> int:
    """Write what a run was and what it gave: results with plots, timeline, graph, resources, failures with their logs.

    As html one file that needs nothing else; as md (Markdown) what the appendix of a paper wants. It goes into the run's folder
    (runs/NAME), or where -o says. With --crate that folder becomes an RO-Crate, from which hera-utils rerun repeats the run.
    """
    from hera_utils.cli.terminal import say
    from hera_utils.cli.whole_runs import reached_run

    kind = kind or ("md" if target and target.endswith((".md", ".markdown")) else "html")
    with reached_run(name) as reached:
        text = _text(reached, kind)
        if target == "-":
            click.echo(text, nl=False)
            return 0
        folder = reached.run.folder or Path("runs") / reached.run.name
        path = Path(target) if target else folder / f"report{_SUFFIXES[kind]}"
        _write(path, text)
        say(str(path))
        if crate:
            say(str(_crate(reached, folder)))
    if show:
        click.launch(path.resolve().as_uri())
    return 0


def _text(reached: Reached, kind: str) -> str:
    from hera_utils.report.facts import facts_of
    from hera_utils.report.html import page
    from hera_utils.report.markdown import markdown

    connection = reached.client.connection
    argo = reached.client.version()
    where = "local: this machine, no cluster" if connection.local else f"the Argo server {connection.argo_server}"
    facts = facts_of(reached.run, where, argo=argo, secrets=(connection.token, reached.context.argo_token))
    made = page if kind == "html" else markdown
    return made(reached.run, reached.results(logs=True), facts)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ResourceError(f"cannot write {path} ({why})", fix="name another file with -o") from None


def _crate(reached: Reached, folder: Path) -> Path:
    from hera_utils.report.crate import Around, write_crate

    connection = reached.client.connection
    secrets = (connection.token, reached.context.argo_token)
    around = Around(argo=reached.client.version(), local=connection.local, secrets=secrets)
    return write_crate(reached.run, reached.results(), folder, around)
