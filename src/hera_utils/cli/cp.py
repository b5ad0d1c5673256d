"""`hera-utils cp`: copies files from and to claims, and artifacts from runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import complete_with, context, settings_options
from hera_utils.cli.terminal import print_line
from hera_utils.deep_folders import remove_tree
from hera_utils.errors import ResourceError, SettingsError
from hera_utils.spans import size_in_words
from hera_utils.wording import counted, system_reason

if TYPE_CHECKING:
    from hera_utils.platforms.artifact_downloads import Artifact
    from hera_utils.platforms.connection import Connection

ARTIFACT = "artifact:"


@click.command()
@click.argument("source", shell_complete=complete_with("claims", "files"))
@click.argument("target", shell_complete=complete_with("claims", "files"))
@click.option("--unpack", is_flag=True, help="Unpack what Argo packed (.tgz).")
@click.option(
    "--image",
    default="busybox",
    show_default=True,
    help="Image of the task that reads a claim in a cluster; it needs the program `true`.",
)
@settings_options
def command(source: str, target: str, unpack: bool, image: str) -> int:
    """Copy a file or a folder between this machine and a claim (CLAIM:PATH), or download the output artifacts of a run.

    \b
    hera-utils cp results:/collect ./here
    hera-utils cp data.csv results:/inputs/
    hera-utils cp artifact:@latest ./here              every artifact of a run, as here/TASK/NAME
    hera-utils cp artifact:@latest/TASK ./here         those of a task, or of all items of a fan-out
    hera-utils cp artifact:@latest/TASK/NAME ./here    one of them

    In a cluster files can be copied from a claim only: a task makes an artifact of them (in the cluster's artifact repository, where this
    copy stays).

    An artifact is copied as it is stored: an archived one (Argo's default) is a .tgz, unless --unpack. Several are copied at once; when
    some are there already the rest is copied. here/SHA256SUMS and here/artifacts.json tell what they are.
    """
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connect import connect
    from hera_utils.platforms.volumes import copy

    settings = context()
    if source.startswith(ARTIFACT):
        return _copy_artifacts(source, Path(target), unpack)
    connection = connect(settings)
    if connection.local:
        done = copy(Cluster(connection), source, target, state=settings.state)
    else:
        from hera_utils.cli.claim_download import download

        done = download(connection, source, target, image)
    print_line(f"{counted(done.files, 'file')}, {size_in_words(done.bytes)}, to {done.target}")
    return 0


def _copy_artifacts(source: str, target: Path, unpack: bool) -> int:
    from hera_utils.cli.run_names import reach_run
    from hera_utils.results.artifacts import artifacts_of_run, missing_artifact

    run, _, rest = source.removeprefix(ARTIFACT).partition("/")
    if not run:
        raise SettingsError(
            f"`{source}` names no run", fix="write artifact:RUN, artifact:RUN/TASK or artifact:RUN/TASK/NAME"
        )
    with reach_run(run) as reached:
        there = artifacts_of_run(reached.run)
        connection = replace(reached.client.connection, namespace=reached.client.namespace)
        name = reached.run.name
    if any(document["metadata"]["name"] == run for document in reached.run.own) and run != name:
        # the user named one workflow of the run
        there, name = [artifact for artifact in there if artifact.workflow == run], run
    artifacts, is_single = _choose_artifacts(there, rest)
    if not artifacts:
        raise missing_artifact(name, there, rest)
    if is_single:
        return _copy_to_file(connection, name, artifacts[0], target, unpack)
    return _copy_to_folder(connection, name, artifacts, target, unpack)


def _choose_artifacts(there: list[Artifact], rest: str) -> tuple[list[Artifact], bool]:
    """(the artifacts that TASK, TASK/NAME or "" means, whether exactly one was named)."""
    from hera_utils.platforms.artifact_downloads import choose_artifacts

    if not rest:
        return choose_artifacts(there), False
    task, _, name = rest.rpartition("/")
    named = choose_artifacts(there, task, name) if task else []
    if named:
        return named, len(named) == 1
    return choose_artifacts(there, rest), False


def _copy_to_folder(connection: Connection, run: str, artifacts: list[Artifact], target: Path, unpack: bool) -> int:
    from hera_utils.platforms import artifact_downloads

    if target.exists() and not target.is_dir():
        raise ResourceError(f"{target} is a file, and there are {len(artifacts)} artifacts", fix="name a folder")

    def tell(saved: artifact_downloads.SavedArtifact) -> None:
        state = "exists already" if saved.again else f"sha256 {saved.sha256[:12]}…"
        print_line(f"{saved.path}  {size_in_words(saved.bytes)}  {state}")

    done = artifact_downloads.download(connection, run, artifacts, target, report=tell)
    for saved in done:
        if unpack and saved.path.endswith(".tgz"):
            artifact_downloads.unpack_tgz(target / saved.path, keep=True)
    total = sum(saved.bytes for saved in done)
    print_line(f"{counted(len(done), 'artifact')}, {size_in_words(total)}, to {target}")
    return 0


def _copy_to_file(connection: Connection, run: str, artifact: Artifact, target: Path, unpack: bool) -> int:
    import tempfile

    from hera_utils.platforms import artifact_downloads

    folder = target if target.is_dir() else target.parent
    if not folder.is_dir():
        raise ResourceError(f"cannot write {target} (there is no folder {folder})", fix="create it, or name another")
    try:
        beside = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))  # a new name, where nobody can have put a link
    except OSError as error:
        raise ResourceError(f"cannot write {target} ({system_reason(error)})", fix="name another folder") from None
    try:
        (saved,) = artifact_downloads.download(connection, run, [artifact], beside)
        file = beside / saved.path
        if unpack and file.name.endswith(".tgz"):
            file = artifact_downloads.unpack_tgz(file)
        placed = target / file.name if target.is_dir() else target
        if placed.is_dir():  # never replace a folder: it may hold the only copy of its files
            raise ResourceError(f"{placed} is already a folder", fix="name another, or remove it")
        shutil.move(file, placed)
    except OSError as error:
        raise ResourceError(
            f"cannot write {target} ({system_reason(error)})", fix="name another file or folder"
        ) from None
    finally:
        remove_tree(beside)
    kind = "file" if placed.is_file() else "folder"
    print_line(f"1 {kind}, {size_in_words(saved.bytes)}, sha256 {saved.sha256}, to {placed}")
    return 0
