"""`hera-utils report`: one page that tells a run, its Markdown for a paper, its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import name_argument, settings_options

if TYPE_CHECKING:
    from hera_utils.cli.whole_runs import Reached


@click.command()
@name_argument
@click.option("--crate", is_flag=True, help="Write the run's RO-Crate (manifest, workflows, script, results) instead.")
@settings_options
def command(name: str, crate: bool) -> int:
    from hera_utils.cli.terminal import say
    from hera_utils.cli.whole_runs import reached_run

    with reached_run(name) as reached:
        if crate:
            say(str(_crate(reached)))
    return 0


def _crate(reached: Reached) -> Path:
    from hera_utils.report.crate import Around, write_crate

    run, connection = reached.run, reached.client.connection
    around = Around(
        argo=reached.client.version(),
        local=connection.local,
        secrets=(connection.token, reached.context.argo_token),
    )
    return write_crate(run, reached.results(), run.folder or Path("runs") / run.name, around)
