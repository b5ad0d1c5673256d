"""`hera-utils tag`: gives a run a name, a note and tags."""

from __future__ import annotations

from dataclasses import replace

import click

from hera_utils.cli.options import name_argument, settings_options
from hera_utils.cli.terminal import print_line


@click.command()
@name_argument
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--remove", multiple=True, metavar="TAG", help="Take a tag away. May be repeated.")
@click.option("--name", "new_name", default=None, metavar="TEXT", help="A name of your own for the run; '' removes it.")
@click.option("--note", default=None, metavar="TEXT", help="A note, which replaces the one before; '' removes it.")
@settings_options
def command(name: str, tags: tuple[str, ...], remove: tuple[str, ...], new_name: str | None, note: str | None) -> int:
    """Give a recorded run tags, a name, a note; without any of them, show those it has.

    `hera-utils runs --where tag=TAG` finds it; a name of your own can stand wherever NAME does in tag, compare and results.
    """
    from hera_utils.cli.run_catalogue import entries_of
    from hera_utils.runs.notes import write_notes

    (entry,) = entries_of([name])
    notes = entry.notes.with_tags(tags, remove)
    notes = notes if new_name is None else notes.with_name(new_name.strip())
    notes = replace(notes, note=notes.note if note is None else note.strip())
    if notes != entry.notes and entry.folder is not None:
        write_notes(entry.folder, notes)
    print_line(f"{entry.name}  tags: {' '.join(notes.tags) or 'none'}")
    for what, text in (("name", notes.name), ("note", notes.note)):
        if text:
            print_line(f"  {what}: {text}")
    return 0
