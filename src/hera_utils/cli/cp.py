"""`hera-utils cp`: files out of and into claims, artifacts out of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hera_utils.cli.options import context, settings_options
from hera_utils.errors import ResourceError, SettingsError

ARTIFACT = "artifact:"
GZIP = b"\x1f\x8b"


@click.command()
@click.argument("source")
@click.argument("target")
@settings_options
def command(source: str, target: str) -> int:
    """Copy a file or a folder between this machine and a claim, written CLAIM:PATH, or an output artifact out of a run.

    \b
    hera-utils cp results:/collect ./here
    hera-utils cp data.csv results:/inputs/
    hera-utils cp artifact:@latest/TASK/NAME ./here

    An artifact is copied as it is stored: an archived one (Argo's default) is a .tgz.
    """
    from hera_utils.cli.terminal import say
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connection import connect
    from hera_utils.platforms.volumes import copy

    settings = context()
    if source.startswith(ARTIFACT):
        return _copy_artifact(source, Path(target))
    cluster = Cluster(connect(settings))
    done = copy(cluster, _from_root(source), _from_root(target), state=settings.state)
    say(f"{done.files} file{'' if done.files == 1 else 's'}, {size(done.bytes)}, to {done.target}")
    return 0


def _copy_artifact(source: str, target: Path) -> int:
    from hera_utils.cli.runs import reached, run_name
    from hera_utils.cli.terminal import say

    run, _, rest = source.removeprefix(ARTIFACT).partition("/")
    task, _, name = rest.rpartition("/")
    if not (run and task and name):
        raise SettingsError(f"`{source}` names no artifact", fix="write artifact:RUN/TASK/NAME")
    with reached() as client:
        document = client.get(run_name(client, run))
        pieces = client.artifact(document["metadata"]["name"], _node_with(document, task, name), name)
        first = next(pieces, b"")
        if target.is_dir():
            target = target / (f"{name}.tgz" if first.startswith(GZIP) else name)
        try:
            with target.open("wb") as file:
                count = file.write(first) + sum(file.write(piece) for piece in pieces)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise ResourceError(f"cannot write {target} ({why})", fix="name another file or folder") from None
    say(f"1 file, {size(count)}, to {target}")
    return 0


def _node_with(document: dict[str, Any], task: str, artifact: str) -> str:
    """The id of the task's node that has the output artifact; of a retried task the one that succeeded."""
    from hera_utils.report.outcome import short_name

    run, there = document["metadata"]["name"], []
    for node in ((document.get("status") or {}).get("nodes") or {}).values():
        name = short_name(str(node.get("name", "")), run)
        for one in (node.get("outputs") or {}).get("artifacts") or ():
            known_as = (name, node.get("displayName"), name.rpartition("(")[0])
            if node.get("type") == "Pod" and task in known_as and one["name"] == artifact:
                return str(node["id"])
            there.append(f"{name}/{one['name']}")
    told = ", ".join(list(dict.fromkeys(there))[:10])
    raise ResourceError(f"{run} has no output artifact `{task}/{artifact}`", fix=f"it has: {told or 'none'}")


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
