"""Writes the report, the methods paragraph, the results and the manifest into the folder of a run's record when the run has ended."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.errors import HeraUtilsError, ResourceError
from hera_utils.installed import version_of
from hera_utils.provenance.crate import CrateContext, images_of, interpreter_of, write_crate
from hera_utils.provenance.git import commit_of
from hera_utils.provenance.manifest import KnownFile
from hera_utils.provenance.modules import imports_of_script
from hera_utils.provenance.python import installed_modules, python_environment
from hera_utils.report.figures import figures_of_run
from hera_utils.report.methods import Software, methods_paragraph
from hera_utils.report.page_data import page_data
from hera_utils.report.page_html import page
from hera_utils.results.last_lines import add_last_lines
from hera_utils.results.results import Results
from hera_utils.results.secrecy import mask_secrets, refuse_secret_literals, refuse_secrets, secrets_of
from hera_utils.runs.file_digests import READ, FileUse, write_file_uses
from hera_utils.runs.record_folders import known_pythons
from hera_utils.runs.whole_run import WholeRun, load_run
from hera_utils.settings.secret import Secret
from hera_utils.whole_files import write_atomically
from hera_utils.wording import counted, system_reason

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Form = Callable[[WholeRun, Results, list[tuple[str, str]]], str]
"""Renders a run as text, from the run, its results and facts about it."""

MOST_POINTS = 20_000
"""The report of a larger run is written only on request, because it loads all workflows of the run into memory."""


def write_run_folder(
    client: ArgoClient,
    folder: Path,
    secrets: Iterable[str | Secret | None],
    file_uses: Callable[[], tuple[FileUse, ...]],
) -> str:
    """Write report, methods, results and manifest. Returns "" or a sentence about the failure, which never makes the run fail.

    file_uses: returns the files that the run read and wrote, with their digests.
    """
    every_secret = tuple(secrets)
    try:
        run = load_run(client, folder.name, [folder.parent])
        if len(run.points) > MOST_POINTS:
            return f"the report of {counted(len(run.points), 'point')} is written with: hera-utils report {run.name} --crate"
        results = add_last_lines(client, Results.of_run(run), run.documents)
        write_report(folder / "report.html", report_page(client, run, results, every_secret))
        write_report(folder / "methods.md", render_report(client, run, results, every_secret, methods_of(client)))
    except (HeraUtilsError, OSError) as error:
        return f"the report of {folder.name} could not be written: {_error_with_fix(error)}"
    try:
        uses = file_uses()
        write_file_uses(folder, uses)
        context = crate_context(client, every_secret, uses)
        write_crate(run, Results.of_run(run), folder, context)
    except (HeraUtilsError, OSError) as error:
        return f"the manifest of {folder.name} could not be written: {_error_with_fix(error)}"
    return ""


def _known_files(uses: Iterable[FileUse]) -> tuple[KnownFile, ...]:
    files = {use.path: KnownFile(use.path, use.size, use.sha256, use.use != READ) for use in uses}
    return tuple(files.values())


def _error_with_fix(error: Exception) -> str:
    fix = getattr(error, "fix", None)
    return f"{error}; {fix}" if fix else str(error)


def crate_context(client: ArgoClient, secrets: Iterable[str | Secret | None], uses: Iterable[FileUse]) -> CrateContext:
    """The context of a run's manifest (RO-Crate). uses: the files that the run read and wrote."""
    connection = client.connection
    secret_texts = (connection.token, *secrets)
    return CrateContext(
        client.version(), connection.local, secrets=secret_texts, outside=_known_files(uses), pythons=pythons_of(client)
    )


def pythons_of(client: ArgoClient) -> tuple[str, ...]:
    """The interpreters that have submitted this user's runs on this machine."""
    connection = client.connection
    return (
        tuple(known_pythons(Path(connection.kubeconfig).parent)) if connection.local and connection.kubeconfig else ()
    )


def methods_of(client: ArgoClient) -> Form:
    """The paragraph for a paper's methods."""

    def form(run: WholeRun, results: Results, facts: list[tuple[str, str]]) -> str:
        return methods_paragraph(run, results, software_of(client, run))

    return form


def software_of(client: ArgoClient, run: WholeRun) -> Software:
    """The software that executed a run, as far as it can still be determined."""
    script, local = Path(run.script) if run.script else None, client.connection.local
    script = script if script is not None and script.is_file() else None
    commit = commit_of(script.parent) if script is not None else None
    interpreter = interpreter_of(run.documents, pythons_of(client)) or sys.executable
    names = frozenset() if script is None else imports_of_script(script).others
    installed = installed_modules(interpreter, names)
    versions = run.facts.get("versions") or {}
    environment = python_environment(interpreter)
    imported = {} if installed is None else {name: installed.packages[name] for name in installed.imported}
    return Software(
        argo=client.version(),
        hera=str(versions.get("hera") or version_of("hera")),
        hera_utils=str(versions.get("hera_utils") or version_of("hera_utils")),
        python=str(versions.get("python") or environment.version) if script is not None else "",
        packages={name: version for name, version in imported.items() if name not in ("hera", "hera-utils")},
        system=environment.system if local else "",
        commit=commit.commit if commit is not None else "",
        repository=commit.remote if commit is not None else "",
        changed=commit.changed if commit is not None else 0,
        images=images_of(run.documents),
    )


def report_page(
    client: ArgoClient, run: WholeRun, results: Results, secrets: Iterable[str | Secret | None] = ()
) -> str:
    """The HTML page, with the figures that the run's tasks made."""
    return render_report(client, run, results, secrets, partial(page, figures=figures_of_run(client, run)))


def render_report(
    client: ArgoClient,
    run: WholeRun,
    results: Results,
    secrets: Iterable[str | Secret | None],
    form: Form,
) -> str:
    """Render a run in a form (page, Markdown) with secrets masked in messages and logs.

    Raises ResourceError if a secret occurs elsewhere in the report.
    """
    known = (client.connection.token, *secrets)
    refuse_secret_literals(run.documents)
    masked, facts = mask_secrets(results, (*known, *secrets_of(os.environ))), report_facts(client, run)
    # The check comes before rendering, because a form may escape characters of a secret.
    refuse_secrets(f"the report of {run.name}", json.dumps(page_data(run, masked, facts), ensure_ascii=False), known)
    return form(run, masked, facts)


def write_report(path: Path, text: str) -> None:
    """Write the file; a symbolic link in its place is replaced, not followed. Raises ResourceError if it cannot be written."""
    try:
        content = text.encode("utf-8", "replace")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # a pipe, a terminal
            path.write_bytes(content)
        else:
            write_atomically(path, content)
    except OSError as error:
        raise ResourceError(
            f"cannot write {path} ({system_reason(error)})", fix="name another file with --to"
        ) from None


def report_facts(client: ArgoClient, run: WholeRun) -> list[tuple[str, str]]:
    """(name, text) of the known ones among platform, script, commit, software and images."""
    connection = client.connection
    script = Path(run.script) if run.script else None
    commit = commit_of(script.parent) if script is not None and script.parent.is_dir() else None
    facts = {
        "platform": "local: this machine, no cluster"
        if connection.local
        else f"the Argo server {connection.argo_server}",
        "namespace": run.namespace,
        "script": script.name if script is not None else "",
        "called with": " ".join(run.facts.get("arguments") or ()),
        "commit": commit.commit if commit is not None else "",
        "changed": _describe_changes(commit.changed) if commit is not None else "",
        "repository": commit.remote if commit is not None else "",
        "Argo": client.version(),
        "Hera": version_of("hera"),
        "hera_utils": version_of("hera_utils"),
        "images": "\n".join(
            f"{image} ({words})" if words else image for image, words in images_of(run.documents).items()
        ),
    }
    return [(name, text) for name, text in facts.items() if text]


def _describe_changes(count: int) -> str:
    return f"{count} file{' differs' if count == 1 else 's differ'} from the commit" if count else ""
