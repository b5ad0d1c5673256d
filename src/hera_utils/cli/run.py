"""`hera-utils run`: a script or a workflow file, on the platform that is meant, to its end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, given_settings, settings_options
from hera_utils.errors import SettingsError

if TYPE_CHECKING:
    from hera_utils.cli.noting import Made
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connection import Connection
    from hera_utils.platforms.hera_binding import Stamp
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("script", metavar="SCRIPT", type=click.Path(path_type=Path))
@click.argument("arguments", metavar="[ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--detach", is_flag=True, help="Submit, say the run's name, and leave.")
@click.option("--no-preflight", "--no_preflight", is_flag=True, help="Submit to a cluster without checking it before.")
@settings_options
def command(script: Path, arguments: tuple[str, ...], detach: bool, no_preflight: bool) -> int:
    """Run a Hera script (or submit a workflow file) and follow its runs to their end.

    The script needs to know nothing of hera_utils: address, token and namespace are given to Hera. A script that builds one
    Workflow and does not submit it is submitted. What is not a flag of hera-utils goes to the script, and so does everything
    after `--`. A workflow file (.yaml, .json) takes parameters as -p NAME=VALUE.

    The exit status is 0 only when every run succeeded.
    """
    from hera_utils.cli.documents import is_document, read_documents
    from hera_utils.cli.script import read_script
    from hera_utils.execution.execution_engine import ExecutionEngine
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connection import connect
    from hera_utils.platforms.hera_binding import stamp_of

    settings = context()
    documents = read_documents(script) if is_document(script) else []
    if not documents:
        read_script(script)  # a script that cannot be read starts no server
    connection = connect(settings)
    checked = not connection.local and not no_preflight
    with ArgoClient(connection) as client:
        if not connection.local:  # an unreachable server or a wrong token shows before the script does anything
            client.version()
            client.list(limit=1, fields="items.metadata.name")
        if documents:
            _say_where(settings, connection)
            stamp = stamp_of(settings, script="") if connection.local else None
            if checked:
                check_documents(documents, parameters(arguments), settings)
            names, linked = submit_documents(client, documents, parameters(arguments), stamp), False
        else:
            ExecutionEngine.detaching = detach
            made = run_script(script, arguments, settings, connection, checked=checked)
            names = [name for _, name in made.runs] or submit_waiting(made, script)
            if made.status:
                return made.status
            linked = made.linked
        return follow_all(client, names, detach=detach, linked=linked)


def check_documents(documents: Sequence[Json], given: Sequence[str], settings: CLIContext) -> None:
    """The preflight of a file's workflows. What the file brings along itself (templates, config maps) is not there yet: then not."""
    from hera_utils.cli.documents import with_parameters
    from hera_utils.preflight.run import assert_ready

    if all(document.get("kind") == "Workflow" for document in documents):
        for document in documents:
            assert_ready(settings, None, with_parameters(document, given))


def run_script(
    script: Path, arguments: Sequence[str], settings: CLIContext, connection: Connection, *, checked: bool = False
) -> Made:
    """The script, run with Hera bound to the connection; whatever it says of host, token and namespace.

    checked: whether each workflow has its preflight before it is sent.
    """
    from hera_utils.cli.hints import hints
    from hera_utils.cli.script import Arguments, execute
    from hera_utils.cli.terminal import note
    from hera_utils.platforms.hera_binding import bind_hera, stamp_of
    from hera_utils.settings.parser import ContextParser

    ContextParser.inherited = given_settings()
    binding = bind_hera(
        connection,
        stamp=stamp_of(settings, script=str(script)),
        insist=True,
        notice=lambda text: note(f"hera-utils: {text}"),
    )
    click.get_current_context().call_on_close(binding.restore)  # however the command ends
    told: list[str] = []

    def announce() -> None:
        if not told:
            told.append("where")
            if isinstance(sys.argv, Arguments):
                sys.argv.refuse_unread()
            _say_where(settings, connection)

    def look(workflow: Any) -> None:
        for hint in hints(workflow):
            note(f"hera-utils: {hint}")
        if checked:
            from hera_utils.execution.plan import document_of
            from hera_utils.preflight.run import assert_ready

            assert_ready(settings, None, document_of(workflow))

    return execute(script, arguments, announce=announce, look=look)


def submit_waiting(made: Made, script: Path) -> list[str]:
    """Submit what the script built and did not submit, when it is one workflow."""
    waiting = made.waiting
    if made.status or made.engine or (not waiting and (made.ended or made.stored)):
        return []
    if not waiting and made.services and not made.built:
        return []  # it asked the server by itself
    if not waiting:
        raise SettingsError(
            f"{script} submitted no workflow and built none", fix="build one with hera.workflows.Workflow"
        )
    if len(waiting) > 1:
        names = ", ".join(workflow.name or f"{workflow.generate_name}…" for workflow in waiting)
        raise SettingsError(
            f"{script} built {len(waiting)} workflows and submitted none: {names}",
            fix="call create() on those to run",
        )
    from hera_utils.cli.script import created

    made.announce()
    made.look(waiting[0])
    return [created(waiting[0], script)]


def submit_documents(
    client: ArgoClient, documents: Sequence[Json], given: Sequence[str], stamp: Stamp | None = None
) -> list[str]:
    """Create what a file's workflows need (templates are brought up to date), then start them, with a stamp on this machine."""
    from hera_utils.cli.documents import KUBERNETES_KINDS, unknown_parameters, with_parameters
    from hera_utils.cli.terminal import note
    from hera_utils.platforms.cluster import Cluster

    names = []
    for document in documents:
        if document["kind"] in KUBERNETES_KINDS:
            note(_created_if_missing(Cluster(client.connection), document))
        elif document["kind"] == "Workflow":
            for text in unknown_parameters(document, given):
                note(f"hera-utils: {text}")
            made = with_parameters(document, given)
            names.append(str(client.create(stamp.on(made) if stamp else made)["metadata"]["name"]))
        else:
            stored = client.apply(document)
            note(f"{document['kind']} {stored['metadata']['name']} stored")
    return names


def _created_if_missing(cluster: Cluster, document: Json) -> str:
    """A config map, secret or claim that is there already is left as it is: it may hold somebody's data."""
    kind, name = document["kind"], str(document["metadata"].get("name", ""))
    if name and cluster.exists(kind, name):
        return f"{kind} {name} is there already: left as it is"
    cluster.create({"apiVersion": "v1", **document})
    return f"{kind} {name} created"


def parameters(arguments: Sequence[str]) -> list[str]:
    """`-p NAME=VALUE`, `--parameter NAME=VALUE`: what a workflow file takes."""
    words, given = list(arguments), []
    while words:
        word = words.pop(0)
        if word in ("-p", "--parameter") and words:
            given.append(words.pop(0))
        elif word.startswith("--parameter="):
            given.append(word.partition("=")[2])
        elif word.startswith("-p") and "=" in word:
            given.append(word[2:])
        else:
            raise SettingsError(f"a workflow file takes no argument `{word}`", fix="give parameters as -p NAME=VALUE")
    return given


def follow_all(client: ArgoClient, names: Sequence[str], *, detach: bool, linked: bool = False) -> int:
    """Follow each run to its end. linked: the script has shown the runs' addresses itself. Returns the worst exit status."""
    from hera_utils.cli.runs import follow_to_end
    from hera_utils.cli.terminal import note, say

    status = 0
    for name in names:
        if detach:
            say(name)
            continue
        status = max(status, follow_to_end(client, name))
        if not linked:
            note(client.link(name))
    return status


def _say_where(settings: CLIContext, connection: Connection) -> None:
    import os
    import platform

    from hera_utils.cli.terminal import note

    if connection.local:
        here = f"python {platform.python_version()}, {os.cpu_count()} cores"
        note(f"platform  local ({settings.origin('platform')})  {here}")
    else:
        note(
            f"platform  {connection.argo_server} ({connection.found or settings.origin('argo_server')})  namespace {connection.namespace}"
        )
