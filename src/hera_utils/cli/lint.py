"""`hera-utils lint`: would the platform take these workflows?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.documents import KUBERNETES_KINDS
from hera_utils.cli.options import context, given_settings, output_option, settings_options
from hera_utils.errors import HeraUtilsError, InvalidWorkflow, Refused

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_option("json")
@settings_options
def command(paths: tuple[Path, ...], output: str) -> int:
    """Check workflow files, folders of them, and Hera scripts; nothing is run but the scripts' own building of workflows.

    The templates that they refer to must be stored on the platform. The exit status is 1 when something is wrong.
    """
    from hera_utils.cli.runs import reached
    from hera_utils.cli.terminal import note, print_json, say, symbols

    settings = context()
    found: list[Json] = []
    with reached(settings) as client:
        for label, document in documents_of(paths, client):
            said = verdict(client, label, document)
            found.append(said)
            if output == "text":
                sign = symbols().done if said["ok"] else symbols().failed
                (say if said["ok"] else note)(
                    f"{sign} {said['document']}" + (f": {said['message']}" if said["message"] else "")
                )
    wrong = sum(not said["ok"] for said in found)
    if output == "json":
        print_json(found)
    elif wrong:
        note(f"{wrong} of {len(found)} wrong")
    return int(wrong > 0)


def documents_of(paths: Sequence[Path], client: ArgoClient) -> Iterator[tuple[str, Json | HeraUtilsError]]:
    """(what it is called, the document or why there is none) of every file, in order."""
    from hera_utils.cli.documents import files_of, read_documents

    for path in files_of(paths):
        try:
            documents = built_by(path, client) if path.suffix == ".py" else read_documents(path)
        except (InvalidWorkflow, Refused) as error:
            yield str(path), error
            continue
        for document in documents:
            metadata = document.get("metadata") or {}
            yield (
                f"{path} {document['kind']} {metadata.get('name') or metadata.get('generateName') or ''}".rstrip(),
                document,
            )


def verdict(client: ArgoClient, label: str, document: Json | HeraUtilsError) -> Json:
    if isinstance(document, HeraUtilsError):
        message = document.message.removeprefix(label).lstrip(", ")
        return {"document": label, "ok": False, "message": message}
    if document["kind"] in KUBERNETES_KINDS:
        return {"document": label, "ok": True, "message": "not Argo's: not looked at"}
    try:
        client.lint(document)
    except Refused as error:
        return {"document": label, "ok": False, "message": error.message}
    return {"document": label, "ok": True, "message": wanting(document)}


def wanting(document: Json) -> str:
    """The parameters that a workflow must be given when it is run: Argo's lint lets them be."""
    if document["kind"] != "Workflow" or document["spec"].get("workflowTemplateRef"):
        return ""
    parameters = (document["spec"].get("arguments") or {}).get("parameters") or ()
    names = [str(one.get("name")) for one in parameters if one.get("value") is None and not one.get("valueFrom")]
    return f"to be given when it runs: {' '.join(f'-p {name}=…' for name in names)}" if names else ""


def built_by(path: Path, client: ArgoClient) -> list[Json]:
    """The workflows that a script builds; what it submits is not sent."""
    from hera_utils.cli.hints import hints
    from hera_utils.cli.script import execute
    from hera_utils.cli.terminal import note
    from hera_utils.platforms.hera_binding import bind_hera
    from hera_utils.settings.parser import ContextParser

    ContextParser.inherited = given_settings()
    with bind_hera(client.connection, insist=True):
        made = execute(path, (), sending=False)
        for workflow in (*made.templates, *made.built):
            for hint in hints(workflow):
                note(f"hera-utils: {hint}")
        documents = [workflow.to_dict() for workflow in (*made.templates, *made.built)]
    if not documents:
        raise InvalidWorkflow(f"{path} builds no workflow")
    return documents
