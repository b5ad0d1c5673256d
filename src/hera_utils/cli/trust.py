"""`hera-utils trust`: allows this folder's settings files to set what only trusted files may set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import context, settings_options
from hera_utils.cli.terminal import print_line, print_note

if TYPE_CHECKING:
    from hera_utils.settings.resolve import CLIContext


@click.command()
@click.option("--remove", is_flag=True, help="Stop trusting the files.")
@settings_options
def command(remove: bool) -> int:
    """Trust this folder's hera-utils.toml, pyproject.toml and hera.config, as they are now.

    The files may then decide where your token goes (Argo server, proxy, certificates), name the Python and the state folder that
    are used here, say what runs in the place of images, and name files outside their folder. Read them first, and the programs
    and certificates of this folder that they name. What changes must be trusted again.
    """
    from hera_utils.settings.sources import Surroundings, project_files
    from hera_utils.settings.trust import digest_of, find_concerns, forget, trust

    around = Surroundings()
    files = [str(path) for path in project_files(around)]
    if not files:
        print_note("this folder has no settings file")
        return 0
    if remove:
        forget(files, around.user_folder)
        for file in files:
            print_line(f"no longer trusted: {file}")
        return 0
    digests = {os.path.realpath(file): digest_of(file) for file in files}
    settings = context(check_trust=False)
    # Digests of the content that was read.
    found = {file: digest for concern in find_concerns(settings) for file, digest in concern.files.items()}
    trust({**digests, **found}, around.user_folder)
    for path in (file for file in found if file not in digests):
        print_line(f"trusted in its present form: {path.removeprefix('link:')}")
    for file in files:
        print_line(f"trusted in its present form: {file}")
        for name, value in _values(settings):
            source = settings.project(name)
            if source is not None and source.file == file:
                print_line(f"  {name} = {value}" + (f" (your profile {source.profile})" if source.profile else ""))
    return 0


def _values(settings: CLIContext) -> Iterator[tuple[str, str]]:
    """Each setting, and each entry of the tables, with its value as text."""
    yield from ((row.name, row.value) for row in settings.rows())
    for table in ("images", "volumes"):
        for key, entry in getattr(settings, table).items():
            yield f"{table}.{key}", entry if isinstance(entry, str) else json.dumps(entry)
