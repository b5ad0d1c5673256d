"""`hera-utils doctor`: would a run work here? Every finding at once, each with its fix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, output_option, settings_options
from hera_utils.cli.terminal import console, print_json
from hera_utils.errors import SettingsError

if TYPE_CHECKING:
    from hera_utils.preflight.finding import Finding

Json = dict[str, Any]


@click.command()
@click.argument("workflow", metavar="[WORKFLOW]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--role", metavar="FILE", default="", help="Write the missing permissions as a Role, for the owner of the cluster."
)
@output_option("json")
@settings_options
def command(workflow: Path | None, role: str, output: str) -> int:
    """Check everything that a run needs; the exit status is 1 when a problem was found. Nothing is changed.

    WORKFLOW is a script, an experiment's or any other that builds workflows with Hera, or a workflow file: the images, packages, claims,
    config maps, secrets, templates… that it needs are checked as well.
    """
    from hera_utils.preflight.finding import warning
    from hera_utils.preflight.run import examine, write_role

    settings = context()
    environment, documents, absent = _read_subject(workflow, settings) if workflow is not None else (None, [], [])
    examination = examine(settings, environment, documents, role_file=role)
    findings = [*examination.findings, *(warning("layout", sentence) for sentence in absent)]
    if role and examination.roles:
        write_role(role, examination)
    return show_findings(findings, output)


def show_findings(findings: Sequence[Finding], output: str) -> int:
    """Print what a check found; the exit status is 1 if there is a problem."""
    from hera_utils.execution.reporter import print_findings
    from hera_utils.preflight.finding import as_json

    if output == "json":
        print_json(as_json(findings))
    else:
        print_findings(console(), findings)
    return int(any(finding.verdict == "problem" for finding in findings))


def _read_subject(path: Path, settings: Any) -> tuple[Any, list[Json], list[str]]:
    """(environment, documents, warnings about absent files) of a script's experiment; (None, documents, []) of the workflows that a
    script builds, or of a workflow file.
    """
    from hera_utils.cli.documents import KINDS, is_document, read_documents
    from hera_utils.cli.experiments import read_descriptions
    from hera_utils.execution.batches import estimate_size, largest_document, limits_of
    from hera_utils.execution.cautions import absent_files
    from hera_utils.execution.definition import Definition

    if is_document(path):
        return None, [document for document in read_documents(path) if document["kind"] in KINDS], []
    experiment, documents = read_descriptions(path)
    if experiment is None and not documents:
        raise SettingsError(
            f"{path} creates neither an experiment nor a workflow",
            fix="create a hera_utils.Experiment or a hera.workflows.Workflow in the script",
        )
    if experiment is None:
        return None, documents, []
    definition = Definition(experiment, settings)
    document = largest_document(definition, estimate_size(definition, limits_of(settings)))
    absent = absent_files(definition.layout, experiment.inputs.points, path.absolute().parent)
    return definition.environment, [document], absent
