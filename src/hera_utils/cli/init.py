"""`hera-utils init NAME`: creates the files of a first experiment."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path

import click

from hera_utils.errors import SettingsError
from hera_utils.wording import system_reason

# Its files in the order of reading; each is NAME.txt in scaffold/, where @NAME@ stands for the experiment's name, and
# @PYTHON@ for the version of the Python that creates it: this machine then stands in for the image.
FILES = (
    "README.md",
    "workflow.py",
    "inputs.py",
    "layout.py",
    "environment.py",
    "experiment.py",
    "test_experiment.py",
    ".gitignore",
)
_LONGEST = 40  # the names of runs begin with it, and Kubernetes allows them 63 characters


@click.command()
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
def command(folder: Path) -> int:
    """Create a first experiment in a new folder: it runs, and its test passes.

    NAME is the folder; its last part names the experiment, its claim and its runs. Nothing that exists is overwritten.
    """
    from hera_utils.experiment.values import slug

    name = slug(folder.name)
    if not re.search(r"\w", folder.name) or len(name) > _LONGEST:
        raise SettingsError(
            f"`{folder.name}` cannot name an experiment",
            fix=f"use letters, digits and hyphens, at most {_LONGEST}, such as urban-heat",
        )
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file", fix="choose another name")
    there = [file for file in FILES if (folder / file).exists()]
    if there:
        raise SettingsError(
            f"{folder} has {there[0]} already{f' (and {len(there) - 1} more)' if len(there) > 1 else ''}",
            fix="choose another name: existing files are never overwritten",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in FILES:
            (folder / file).write_text(text_of(file, name), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{error.filename} cannot be written ({system_reason(error)})", fix="choose another place"
        ) from error
    click.echo(f"{folder}/: {', '.join(FILES)}")
    click.echo(f"run it:   cd {shlex.quote(str(folder))} && python experiment.py")
    click.echo("look:     hera-utils results @latest")
    click.echo("test it:  python -m pytest")
    return 0


def text_of(file: str, name: str) -> str:
    """A file of the scaffold, for an experiment of that name."""
    text = (files("hera_utils.cli") / "scaffold" / f"{file.lstrip('.')}.txt").read_text(encoding="utf-8")
    return text.replace("@NAME@", name).replace("@PYTHON@", f"{sys.version_info[0]}.{sys.version_info[1]}")
