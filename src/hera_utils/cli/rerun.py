"""`hera-utils rerun`: repeats a recorded run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, deadline, given_settings, output_option, settings_options, timeout_option
from hera_utils.cli.run_output import FORMATS, print_runs_at_end
from hera_utils.cli.terminal import print_note
from hera_utils.errors import ResourceError
from hera_utils.settings.script_host import ScriptHost
from hera_utils.wording import first_of

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.provenance.rerun import RecordedRun

Json = dict[str, Any]


@click.command()
@click.argument("manifest", metavar="MANIFEST", type=click.Path(path_type=Path))
@click.option("--workflows", is_flag=True, help="Submit the recorded workflows, even if the script still exists.")
@click.option(
    "-p",
    "--parameter",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the recorded workflows.",
)
@click.option("--detach", is_flag=True, help="Submit, print the names of the runs, and exit.")
@output_option(*FORMATS[1:])
@timeout_option
@settings_options
def command(manifest: Path, workflows: bool, assignments: tuple[str, ...], detach: bool, output: str) -> int:
    """Repeat the run that MANIFEST describes (a ro-crate-metadata.json, or its folder), on the platform of the current settings.

    The script runs again with its recorded arguments if it still exists and has not changed; otherwise the recorded workflows
    are submitted. Differences in the versions of software are reported. -o is as of `hera-utils run`.
    """
    from hera_utils.cli.run import make_namespace
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect
    from hera_utils.provenance import rerun

    deadline(waits="with --detach" if detach else "")
    recorded = rerun.read_manifest(manifest)
    settings = context()
    why = "" if workflows or assignments else _why_script_cannot_run(recorded, rerun.changed_sources(recorded))
    connection = connect(settings)
    with ArgoClient(connection) as client, print_runs_at_end(client, output) as runs:
        for line in rerun.differences(recorded, *_present_versions(client.version())):
            print_note(f"hera-utils: differs from the recorded run: {line}")
        make_namespace(settings, connection)
        if workflows or assignments or why:
            if why:
                print_note(f"{why}: the recorded workflows are submitted")
            return _submit_recorded_workflows(client, recorded, assignments, runs, detach=detach)
        return _run_script(client, recorded, settings, runs, detach=detach)


def _why_script_cannot_run(recorded: RecordedRun, changed: list[str]) -> str:
    if recorded.script is None:
        return "no script is recorded"
    if recorded.arguments is None:
        return f"how {recorded.script.name} was called is not recorded"
    if changed:
        return f"{first_of(changed, 3)} changed or was removed since"
    return ""


def _present_versions(argo: str) -> tuple[dict[str, str], dict[str, str]]:
    """(the present versions of software, those of packages)."""
    from hera_utils.installed import version_of
    from hera_utils.provenance.python import python_environment

    python = python_environment()
    versions = {
        "Python": python.version,
        "Hera": version_of("hera"),
        "Argo": argo,
        "hera_utils": version_of("hera_utils"),
    }
    return versions, dict(python.packages)


def _run_script(client: ArgoClient, recorded: RecordedRun, settings: Any, runs: list[str], *, detach: bool) -> int:
    from hera_utils.cli.run import launch_of, run_script_to_end

    script, words = recorded.script, recorded.arguments or ()
    assert script is not None
    script_path = Path(os.path.relpath(script))
    print_note(f"running {script if str(script_path).startswith('..') else script_path} {' '.join(words)}".rstrip())
    module, launch = recorded.module, launch_of(script, words, module=recorded.module)
    host = ScriptHost(given_settings(), launch, detach=detach, deadline=deadline(), runs=runs, module=module)
    return run_script_to_end(client, settings, script, words, host=host)


def _submit_recorded_workflows(
    client: ArgoClient, recorded: RecordedRun, assignments: tuple[str, ...], runs: list[str], *, detach: bool
) -> int:
    from hera_utils.cli.parameters import name_and_value
    from hera_utils.cli.run import follow_all
    from hera_utils.provenance.rerun import prepare_new_workflow

    if not recorded.workflows:
        raise ResourceError("the manifest holds no workflow", fix="name another manifest")
    values = dict(map(name_and_value, assignments))
    documents = [
        (workflow["metadata"].get("name", ""), prepare_new_workflow(workflow, values))
        for workflow in recorded.workflows
    ]
    first = [document for name, document in documents if name not in recorded.last]
    after = [document for name, document in documents if name in recorded.last]
    runs += _create_workflows(client, first)
    status = follow_all(client, runs, detach=detach)
    if after and status == 0 and not detach:
        last = _create_workflows(client, after)
        runs += last
        status = follow_all(client, last, detach=False)
    elif after:
        print_note("hera-utils: the workflow that runs after all others (gather) is not submitted")
    return status


def _create_workflows(client: ArgoClient, documents: list[Json]) -> list[str]:
    for document in documents:
        document["metadata"].pop("namespace", None)  # the present settings decide the namespace
    return [str(client.create(document)["metadata"]["name"]) for document in documents]
