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
    from hera_utils.platforms.connection import Connection

Json = dict[str, Any]


@click.command(cls=ScriptCommand, context_settings={"ignore_unknown_options": True})
@click.argument(
    "words", metavar="SCRIPT [ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_with("files")
)
@click.option(
    "-m",
    "module",
    metavar="PACKAGE.MODULE",
    help="Run a script by its name as a module, as `python -m` does; what follows is its own, as after SCRIPT.",
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

    module: str | None
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


@dataclass(frozen=True)
class RunRequest:
    """What a command line asks to run.

    script: the script or the workflow file; None with `--from`. module: the whole name of a script that is named as a module, else "".
    arguments: the words after it. documents: those of a workflow file. assignments: parameters for the documents, as NAME=VALUE.
    launch: the command line that asks for the same again.
    """

    script: Path | None
    module: str
    arguments: Sequence[str]
    flags: RunFlags
    documents: Sequence[Json]
    assignments: Sequence[str]
    launch: CommandLine

    @property
    def is_script(self) -> bool:
        return self.flags.stored is None and not self.documents


def _run(words: Sequence[str], flags: RunFlags) -> int:
    settings = context()
    deadline(waits="with --detach" if flags.detach else "")
    request = _request_of(words, flags)
    _begin_platform(settings, is_script=request.is_script)
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect

    connection = connect(settings)
    with ArgoClient(connection) as client, print_runs_at_end(client, requested_format()) as runs:
        if not connection.local:  # find an unreachable server or a wrong token before the script does anything
            client.version()
            client.list(limit=1, fields="metadata.name")
        make_namespace(settings, connection)
        if request.script is not None and request.is_script:
            host = ScriptHost(
                given_settings(),
                request.launch,
                detach=flags.detach,
                deadline=deadline(),
                runs=runs,
                module=request.module,
            )
            return run_script_to_end(
                client, settings, request.script, request.arguments, host=host, checked=not flags.no_preflight
            )
        runs += _submit_documents(client, settings, request)
        return follow_all(client, runs, detach=flags.detach, again=request.launch.with_flags())


def _request_of(words: Sequence[str], flags: RunFlags) -> RunRequest:
    """Reads the workflow file, or compiles the script, so that a bad one starts no server."""
    script, module, arguments = _script_of(words, flags)
    documents = _documents_of(script, flags.parameter_file, strict=flags.strict) if script else []
    assignments = _assignments(arguments, flags.parameter_file) if documents or flags.stored else []
    launch = launch_of(script, arguments, *flags.words, module=flags.module or "")
    return RunRequest(script, module, arguments, flags, documents, assignments, launch)


def _assignments(arguments: Sequence[str], parameter_file: Path | None) -> list[str]:
    from hera_utils.cli.parameters import parameters

    return parameters(arguments, parameter_file)


def _begin_platform(settings: CLIContext, *, is_script: bool) -> None:
    """Start the local server where it is the platform, and meanwhile import what every script needs."""
    if settings.platform != "local":
        server_process.end_waiting()
        return
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


def launch_of(script: Path | None, arguments: Sequence[str], *flags: str, module: str = "") -> CommandLine:
    """The command line that repeats this run, with the settings that were typed. module: the name after `-m`, if the script has one."""
    apart = ("--",) if "--" in sys.argv else ()  # the words after it are the script's, even if they look like our flags
    before = ("hera-utils", "run", *flags, *words_of(given_settings()), *(["-m"] if module else []))
    return CommandLine(before, module or ("" if script is None else str(script)), (*apart, *arguments))


def _script_of(words: Sequence[str], flags: RunFlags) -> tuple[Path | None, str, Sequence[str]]:
    """(the script or file, its whole name if it is named as a module, the words after it); with `--from` all words are parameters."""
    if flags.stored is not None and flags.module:
        raise SettingsError("-m and --from both name what to run", fix="leave one of them out")
    if flags.stored is not None:
        return None, "", words
    if flags.module:
        from hera_utils.cli.script_module import find_module

        name, script = find_module(flags.module)
        return script, name, words
    if not words:
        raise SettingsError("no script is named", fix="write hera-utils run SCRIPT, or --from workflowtemplate/NAME")
    if words[0] == "-":
        raise SettingsError("no script is read from standard input", fix="save it as a file: hera-utils run FILE")
    if words[0].startswith("-"):
        raise SettingsError(
            f"hera-utils run has no option {words[0]}",
            fix="see hera-utils run --help; the script's own arguments follow its name",
        )
    return Path(words[0]), "", words[1:]


def _documents_of(script: Path, parameter_file: Path | None, *, strict: bool) -> list[Json]:
    """The documents of a workflow file; [] for a script, which is only compiled here."""
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


def _submit_documents(client: ArgoClient, settings: CLIContext, request: RunRequest) -> list[str]:
    """Submit a workflow file or a stored template; the names of the workflows."""
    from hera_utils.cli import document_submission
    from hera_utils.platforms.connect import describe_platform
    from hera_utils.platforms.hera_binding import stamp_of

    documents, connection = request.documents, client.connection
    if request.flags.stored:
        from hera_utils.cli.stored_template import workflow_of

        documents = [workflow_of(client, request.flags.stored)]
    print_note(describe_platform(settings, connection))
    documents = document_submission.move_to_one_namespace(documents, client.namespace, str(request.script))
    documents = document_submission.limit_parallelism_of(documents, settings.parallelism)
    stamp = stamp_of(settings, script="") if connection.local else None
    if not request.flags.no_preflight:
        checked = document_submission.documents_to_check(documents, request.assignments, local=connection.local)
        check_before_submission(settings, connection, checked)
    return document_submission.submit_documents(client, documents, request.assignments, stamp)


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


def run_script_to_end(
    client: ArgoClient,
    settings: CLIContext,
    script: Path,
    arguments: Sequence[str],
    *,
    host: ScriptHost,
    checked: bool = False,
) -> int:
    """Run the script, submit what it only built, and follow its runs; the exit status. host, checked: as for `run_script`."""
    from hera_utils.cli.script import submit_waiting

    recording = run_script(script, arguments, settings, client.connection, host=host, checked=checked)
    names = [name for _, name in recording.runs] or submit_waiting(client, recording, script)
    host.runs.extend(names)
    if recording.status:
        return recording.status
    if not names and recording.stored:
        from hera_utils.cli.stored_template import print_how_to_run

        print_how_to_run(recording.stored)
    return follow_all(
        client,
        names,
        detach=host.detach,
        linked=recording.linked,
        announced=bool(recording.experiments),
        again=host.launch.with_flags() if host.launch is not None else "",
    )


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
