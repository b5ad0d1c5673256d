"""`hera-utils cp`: files out of and into claims, artifacts out of runs."""

from __future__ import annotations

from pathlib import Path

import click

from hera_utils.cli.options import context, settings_options


@click.command()
@click.argument("source")
@click.argument("target")
@settings_options
def command(source: str, target: str) -> int:
    """Copy a file or a folder between this machine and a claim, written CLAIM:PATH.

    hera-utils cp results:/collect ./here        hera-utils cp data.csv results:/inputs/
    """
    from hera_utils.cli.terminal import say
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connection import connect
    from hera_utils.platforms.volumes import copy

    settings = context()
    cluster = Cluster(connect(settings))
    done = copy(cluster, _from_root(source), _from_root(target), state=settings.state)
    say(f"{done.files} file{'' if done.files == 1 else 's'}, {size(done.bytes)}, to {done.target}")
    return 0


def _from_root(text: str) -> str:
    """`claim:/path` is the path from the claim's root, as with kubectl cp: the same as `claim:path`."""
    head, colon, tail = text.partition(":")
    if colon and "/" not in head and tail.startswith("/") and not Path(text).exists():
        return f"{head}:{tail.lstrip('/')}"
    return text


def size(count: float) -> str:
    """`512 B`, `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
