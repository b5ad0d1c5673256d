"""`hera-utils run`: runs a script or a workflow file on the platform of the settings, and follows it to its end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.argo import faults
from hera_utils.bytecode_cache import cached_bytecode
from hera_utils.cli.options import complete_with, context, deadline, given_settings, settings_options, timeout_option
from hera_utils.cli.run_output import print_runs_at_end, requested_format
from hera_utils.cli.script_flags import ScriptCommand
from hera_utils.cli.terminal import print_line, print_note
from hera_utils.errors import InvalidWorkflow, Refused, SettingsError
from hera_utils.local_platform import server_process
from hera_utils.settings.command_line import CommandLine, words_of
from hera_utils.settings.resolve import CLIContext, limit_parallelism
from hera_utils.settings.script_host import ScriptHost

if TYPE_CHECKING:
    from hera_utils.cli.script_recorder import ScriptRecording
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connection import Connection
    from hera_utils.platforms.hera_binding import Stamp

Json = dict[str, Any]


@click.command(cls=ScriptCommand, context_settings={"ignore_unknown_options": True})
@click.argument(
    "words", metavar="SCRIPT [ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_with("files")
)
@click.option("--detach", is_flag=True, help="Submit, print the name of the run, and exit.")
@click.option(
    "--from",
    "stored",
    metavar="KIND/NAME",
    shell_complete=complete_with("stored"),
    help="Run a stored template (workflowtemplate/NAME, cronwf/NAME…).",
)
@click.option(
    "--parameter-file", type=click.Path(path_type=Path), help="Parameters of a workflow file, as YAML or JSON."
)
@click.option("--no-preflight", is_flag=True, help="Submit without checking first.")
@click.option("--strict/--no-strict", default=True, help="Refuse fields that Argo does not know.  [default: strict]")
@timeout_option
@settings_options
def command(words: tuple[str, ...], **flags: Any) -> int:
    """Run a Hera script (or submit a workflow file) and follow its runs to their end.

    The script need not know hera_utils: Hera gets address, token and namespace. A script that builds one
    Workflow without submitting it has it submitted. Of the flags after its name, those that the script declares, and those that
    hera-utils does not know, are the script's, as is everything after `--`. A workflow file (.yaml, .json) takes parameters as
    -p NAME=VALUE, and so do a script that leaves the submission to hera-utils and a stored template, which `--from KIND/NAME` runs.

    The exit status is 0 only when every run succeeded. With -o json stdout is one object (of several runs the list of them): the run's
    name, phase, link and record, and its workflows as Argo has them.
    """
    return _run(words, RunFlags(**flags))


@dataclass(frozen=True)
class RunFlags:
    """The flags of the command besides the settings."""

    detach: bool
    stored: str | None
    parameter_file: Path | None
    no_preflight: bool
    strict: bool

    @property
    def words(self) -> list[str]:
        """The flags that a repetition of this run needs."""
        given = {"--from": self.stored, "--parameter-file": self.parameter_file}
        switches = {"--no-preflight": self.no_preflight, "--no-strict": not self.strict}
        words = [word for flag, value in given.items() if value for word in (flag, str(value))]
        return words + [flag for flag, on in switches.items() if on]


def _run(words: Sequence[str], flags: RunFlags) -> int:
    settings = context()
    deadline(waits="with --detach" if flags.detach else "")
    script, arguments = _script_of(words, flags.stored)
    launch = launch_of(script, arguments, *flags.words)
    documents = _documents_of(script, flags.parameter_file, strict=flags.strict) if script else []
    assignments = _assignments(arguments, flags.parameter_file) if documents or flags.stored else []
    if settings.platform == "local":
        _begin_local_platform(settings, is_script=flags.stored is None and not documents)
    else:
        server_process.end_waiting()
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect, describe_platform
    from hera_utils.platforms.hera_binding import stamp_of

    connection, checked = connect(settings), not flags.no_preflight
    with ArgoClient(connection) as client, print_runs_at_end(client, requested_format()) as runs:
        if not connection.local:  # find an unreachable server or a wrong token before the script does anything
            client.version()
            client.list(limit=1, fields="metadata.name")
        make_namespace(settings, connection)
        if flags.stored:
            from hera_utils.cli.stored_template import workflow_of

            documents = [workflow_of(client, flags.stored)]
        if documents:
            print_note(describe_platform(settings, connection))
            documents = move_to_one_namespace(documents, client.namespace, str(script))
            if settings.parallelism is not None:
                documents = [_limit_parallelism_of(document, settings.parallelism) for document in documents]
            stamp = stamp_of(settings, script="") if connection.local else None
            if checked:
                check_documents(documents, assignments, settings, connection)
            names, linked, announced = submit_documents(client, documents, assignments, stamp), False, False
            runs += names
        else:
            assert script is not None
            host = ScriptHost(given_settings(), launch, detach=flags.detach, deadline=deadline(), runs=runs)
            recording = run_script(script, arguments, settings, connection, host=host, checked=checked)
            names = [name for _, name in recording.runs] or submit_waiting(client, recording, script)
            runs += names
            if recording.status:
                return recording.status
            if not names:
                describe_stored(recording)
            linked, announced = recording.linked, bool(recording.experiments)
        return follow_all(
            client, names, detach=flags.detach, linked=linked, announced=announced, again=launch.with_flags()
        )


def _assignments(arguments: Sequence[str], parameter_file: Path | None) -> list[str]:
    from hera_utils.cli.parameters import parameters

    return parameters(arguments, parameter_file)


def _begin_local_platform(settings: CLIContext, *, is_script: bool) -> None:
    """Start the local server, and meanwhile import what every script needs."""
    from hera_utils.local_platform import daemon

    daemon.begin(Path(settings.state))
    if is_script:
        with cached_bytecode("run"):
            _import_modules_early()


def _import_modules_early() -> None:
    """Import what the run of every script needs sooner or later."""
    from hera_utils.cli.hera_import import import_hera

    import_hera()
    import hera_utils.cli.following
    import hera_utils.platforms.connect
    import hera_utils.platforms.hera_binding
    import hera_utils.preflight.ready
    import hera_utils.watch.follow  # noqa: F401


def make_namespace(settings: CLIContext, connection: Connection) -> None:
    """Create the namespace of the settings on this machine: settings that were written for a cluster work here as well."""
    from hera_utils.platforms.namespace_creation import ensure_namespace

    for line in ensure_namespace(connection, settings.origin("argo_namespace")):
        print_note(f"hera-utils: {line}")


def launch_of(script: Path | None, arguments: Sequence[str], *flags: str) -> CommandLine:
    """The command line that repeats this run, with the settings that were typed."""
    apart = ("--",) if "--" in sys.argv else ()  # the words after it are the script's, even if they look like our flags
    before = ("hera-utils", "run", *flags, *words_of(given_settings()))
    return CommandLine(before, "" if script is None else str(script), (*apart, *arguments))


def _script_of(words: Sequence[str], stored: str | None) -> tuple[Path | None, Sequence[str]]:
    """(the script or file, the words after it) of the command line; with `--from` all words are parameters."""
    if stored is not None:
        return None, words
    if not words:
        raise SettingsError("no script is named", fix="write hera-utils run SCRIPT, or --from workflowtemplate/NAME")
    if words[0].startswith("-"):
        raise SettingsError(
            f"hera-utils run has no option {words[0]}",
            fix="see hera-utils run --help; the script's own arguments follow its name",
        )
    return Path(words[0]), words[1:]


def _documents_of(script: Path, parameter_file: Path | None, *, strict: bool) -> list[Json]:
    """The documents of a workflow file; [] for a script, which is only compiled here, so that a bad one starts no server."""
    from hera_utils.cli.documents import KINDS, is_document, read_documents
    from hera_utils.cli.script import read_script

    if is_document(script):
        documents = read_documents(script, strict=strict)
        if all(document["kind"] not in KINDS for document in documents):
            raise InvalidWorkflow(f"{script} contains nothing that can run", fix="create its objects with kubectl")
        return documents
    if parameter_file:
        raise SettingsError(
            f"{script} is a script: it takes no --parameter-file", fix="give its arguments after its name"
        )
    read_script(script)
    return []


def move_to_one_namespace(documents: Sequence[Json], namespace: str, file: str) -> list[Json]:
    """The documents in the namespace of the platform; prints which of their own namespaces were replaced, as for a script."""
    from hera_utils.cli.documents import move_to_namespace

    moved = [move_to_namespace(document, namespace) for document in documents]
    others = sorted(
        {str(old["metadata"]["namespace"]) for old, new in zip(documents, moved, strict=True) if old is not new}
    )
    if others:
        print_note(f"hera-utils: the namespace {', '.join(others)} of {file}: replaced by {namespace}")
    return moved


def _limit_parallelism_of(document: Json, limit: int) -> Json:
    """A workflow's document with the setting `parallelism`; any other document as it is."""
    if document["kind"] != "Workflow":
        return document
    spec = document.get("spec") or {}
    return {**document, "spec": {**spec, "parallelism": limit_parallelism(spec.get("parallelism"), limit)}}


def check_documents(
    documents: Sequence[Json], assignments: Sequence[str], settings: CLIContext, connection: Connection
) -> None:
    """The preflight of a file's workflows. On a cluster a file with other objects (templates, config maps) is not checked, because they do
    not exist there yet.
    """
    from hera_utils.cli.parameters import with_parameters

    workflows = [document for document in documents if document["kind"] == "Workflow"]
    if connection.local or len(workflows) == len(documents):
        others = [document for document in documents if document["kind"] != "Workflow"]
        check_before_submission(
            settings, connection, [*others, *(with_parameters(workflow, assignments) for workflow in workflows)]
        )


def check_before_submission(settings: CLIContext, connection: Connection, documents: Sequence[Json]) -> None:
    """Raise ResourceError with everything that keeps workflows from running; print what may do so. Creates the claims of the settings'
    `volumes`.
    """
    from hera_utils.experiment.environment import Environment
    from hera_utils.preflight.local_workflow import add_claims_of_settings
    from hera_utils.preflight.ready import assert_ready

    environment = add_claims_of_settings(Environment(), settings, documents) if connection.local else None

    def say(line: str) -> None:
        print_note(f"hera-utils: {line}")

    for finding in assert_ready(settings, environment, documents, say) if documents else ():
        print_note(f"hera-utils: {finding.message}" + (f"\n  fix: {finding.fix}" if finding.fix else ""))
    if environment is not None and environment.volumes:
        from hera_utils.platforms.cluster import Cluster
        from hera_utils.platforms.provision import ensure

        ensure(Cluster(connection), environment, state=settings.state, folders=settings.volumes)


def run_script(
    script: Path,
    arguments: Sequence[str],
    settings: CLIContext,
    connection: Connection,
    *,
    host: ScriptHost,
    checked: bool = False,
) -> ScriptRecording:
    """Run the script with Hera bound to the connection, whatever host, token and namespace the script sets.

    host: what the script's engine is told about this command. checked: whether each workflow passes the preflight before it is sent.
    """
    from hera_utils.cli.inline_returns import hints_on_returns
    from hera_utils.cli.script import Arguments, execute
    from hera_utils.cli.script_recorder import ScriptRecording, is_stored
    from hera_utils.platforms.connect import describe_platform
    from hera_utils.platforms.hera_binding import bind_hera, document_of_hera, stamp_of

    binding = bind_hera(
        connection,
        stamp=stamp_of(settings, script=str(script)),
        insist=True,
        notice=lambda text: print_note(f"hera-utils: {text}"),
    )
    click.get_current_context().call_on_close(binding.restore)  # also if the command fails
    announced = False

    def announce() -> None:
        nonlocal announced
        if not announced:
            announced = True
            if isinstance(sys.argv, Arguments):
                sys.argv.refuse_unread()
            print_note(describe_platform(settings, connection))

    def look(workflow: Any) -> None:
        if settings.parallelism is not None and not is_stored(workflow):
            workflow.parallelism = limit_parallelism(workflow.parallelism, settings.parallelism)
        for hint in hints_on_returns(workflow):
            print_note(f"hera-utils: {hint}")
        if checked:
            check_before_submission(settings, connection, [document_of_hera(workflow)])

    return execute(
        script,
        arguments,
        recording=ScriptRecording(announce=announce, look=look),
        host=host,
        command=connection.command,
    )


def submit_waiting(client: ArgoClient, recording: ScriptRecording, script: Path) -> list[str]:
    """Store the templates that the script built, then submit the workflow that it built and did not submit, if there is just one.

    A script that only builds templates is treated like a file that contains them: they are stored.
    """
    waiting = recording.waiting
    if recording.status or recording.experiments or (not waiting and (recording.ended or recording.stored)):
        return []
    if recording.services and not recording.built and not recording.templates:
        return []  # the script only used Hera's service to ask the server
    if len(waiting) > 1:
        names = ", ".join(workflow.name or f"{workflow.generate_name}…" for workflow in waiting)
        raise SettingsError(
            f"{script} built {len(waiting)} workflows and submitted none: {names}",
            fix="call create() on those to run",
        )
    if not waiting and not recording.templates:
        raise SettingsError(
            f"{script} submitted no workflow and built none",
            fix="build one with hera.workflows.Workflow, and call the function that does, if it is in one",
        )
    from hera_utils.cli.script import Arguments, create_workflow, give_parameters, report_errors_of_building

    assignments = sys.argv.take_parameters() if waiting and isinstance(sys.argv, Arguments) else []
    recording.announce()
    if not recording.stored:
        store_built(client, recording, script)
    for workflow in waiting:
        with report_errors_of_building(script):
            give_parameters(workflow, assignments)
            recording.look(workflow)
    return [create_workflow(workflow, script) for workflow in waiting]


def store_built(client: ArgoClient, recording: ScriptRecording, script: Path) -> None:
    """Store the templates and cron workflows that a script built, and say how to run them."""
    from hera_utils.cli.documents import move_to_namespace, sort_by_dependency
    from hera_utils.cli.script import build_document, report_errors_of_building

    for template in recording.templates:
        with report_errors_of_building(script):
            recording.look(template)
    documents = sort_by_dependency([build_document(template, script) for template in recording.templates])
    store_all(
        client, [move_to_namespace(document, client.namespace) for document in documents], how=not recording.waiting
    )


def describe_stored(recording: ScriptRecording) -> None:
    """Say how to run what the script stored itself."""
    from hera_utils.cli.stored_template import StoredTemplate, sentence_after_storing

    for (kind, name), answer in recording.stored.items():
        if answer is None:
            continue
        document = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        print_note(sentence_after_storing(StoredTemplate(kind, name, document)))


def submit_documents(
    client: ArgoClient, documents: Sequence[Json], assignments: Sequence[str], stamp: Stamp | None
) -> list[str]:
    """Create what a file's workflows need and update its templates, then submit the workflows. stamp: added to them on this machine."""
    from hera_utils.cli.documents import ARGO_KINDS, KINDS, KUBERNETES_KINDS
    from hera_utils.cli.parameters import assign_parameters
    from hera_utils.platforms.cluster import Cluster

    names = []
    runs = any(document["kind"] == "Workflow" for document in documents)
    for document in documents:
        if document["kind"] in KUBERNETES_KINDS:
            print_note(_create_if_missing(Cluster(client.connection), document))
    to_store = [document for document in documents if document["kind"] in ARGO_KINDS and document["kind"] != "Workflow"]
    store_all(client, to_store, how=not runs)
    for document in documents:
        kind = document["kind"]
        if kind == "Workflow":
            submitted = assign_parameters(document, assignments)
            names.append(str(client.create(stamp.add_to(submitted) if stamp else submitted)["metadata"]["name"]))
        elif kind not in KINDS:
            print_note(f"{kind} {document['metadata'].get('name', '')}: left out; create it with kubectl")
    return names


def store_all(client: ArgoClient, documents: Sequence[Json], *, how: bool) -> None:
    """Store templates and cron workflows, all that the platform accepts. Raises InvalidWorkflow with those that it refused.

    how: print how to run them.
    """
    refused: dict[str, Refused] = {}
    for document in documents:
        try:
            _store(client, document, how=how)
        except Refused as error:
            refused[f"{document['kind']} {document['metadata'].get('name', '')}".strip()] = error
    if refused:
        fixes = dict.fromkeys(error.fix for error in refused.values() if error.fix)
        sentences = [f"{name} is not stored: {error.message}" for name, error in refused.items()]
        raise InvalidWorkflow("; ".join(sentences), fix=next(iter(fixes), None))


def _store(client: ArgoClient, document: Json, *, how: bool) -> None:
    """Store a template or a cron workflow and print its name. how: print how to run it, too."""
    from hera_utils.cli.stored_template import StoredTemplate, sentence_after_storing

    stored = client.apply(document)
    kind, name = str(document["kind"]), str(stored["metadata"]["name"])
    print_note(
        sentence_after_storing(StoredTemplate(kind, name, {**stored, "kind": kind})) if how else f"{kind} {name} stored"
    )


def _create_if_missing(cluster: Cluster, document: Json) -> str:
    """Create a config map, secret or claim, and say so. An existing one is left unchanged, because it may contain data."""
    kind, name = document["kind"], str(document["metadata"].get("name", ""))
    if name and cluster.exists(kind, name):
        return f"{kind} {name} already exists: left unchanged"
    cluster.create({"apiVersion": "v1", **document})
    return f"{kind} {name} created"


def follow_all(
    client: ArgoClient,
    names: Sequence[str],
    *,
    detach: bool,
    linked: bool = False,
    announced: bool = False,
    again: str = "",
) -> int:
    """Follow each run to its end, and return the highest exit status. linked: the script has printed the runs' addresses itself.
    announced: the experiment has sent its notification already. again: the command that repeats the run.
    """
    from hera_utils.cli.following import DETACHED, follow_to_end
    from hera_utils.cli.outcome import send_notification

    status = 0
    for name in names:
        if detach:
            print_line(name)
            continue
        try:
            ended = follow_to_end(client, name, again=again)
            status = max(status, ended)
            if ended != DETACHED and not announced:
                send_notification(client, name)
        except Refused as refused:
            if refused.code != faults.NOT_FOUND:
                raise
            # the script may delete its own run; then it has to check itself how the run ended
            print_note(f"hera-utils: {name} was deleted")
            continue
        if not linked:
            print_note(client.link(name))
    return status
