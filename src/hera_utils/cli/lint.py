"""`hera-utils lint`: checks whether the platform would accept these workflows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, given_settings, output_option, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note, symbols
from hera_utils.errors import HeraUtilsError, InvalidWorkflow, Refused, SettingsError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict/--no-strict", default=True, help="Refuse fields that Argo does not know.  [default: strict]")
@output_option("json")
@settings_options
def command(paths: tuple[Path, ...], strict: bool, output: str) -> int:
    """Check workflow files, folders of them, and Hera scripts (named one by one). Nothing runs except the scripts, which build their
    workflows.

    Referenced templates are looked up among all checked files, then on the platform. The exit status is 1 when
    something is wrong.
    """
    from hera_utils.cli.run_names import connect_client

    settings = context()
    verdicts: list[Json] = []
    with connect_client(settings) as client:
        checked = list(documents_of(paths, client, strict=strict))
        if not checked:
            raise SettingsError(
                f"nothing to check in {', '.join(map(str, paths))}",
                fix="name files, or folders that hold YAML or JSON files",
            )
        siblings = templates_by_name(document for _, document in checked)
        for label, document in checked:
            result = lint_document(client, label, document, siblings)
            verdicts.append(result)
            if output == "text":
                sign = symbols().done if result["ok"] else symbols().failed
                (print_line if result["ok"] else print_note)(
                    f"{sign} {result['document']}" + (f": {result['message']}" if result["message"] else "")
                )
    wrong = sum(not result["ok"] for result in verdicts)
    if output == "json":
        print_json(verdicts)
    elif wrong:
        print_note(f"{wrong} of {len(verdicts)} wrong")
    return int(wrong > 0)


def documents_of(
    paths: Sequence[Path], client: ArgoClient, *, strict: bool
) -> Iterator[tuple[str, Json | HeraUtilsError]]:
    """(label, the document or the error) of each document in every file, in order."""
    from hera_utils.cli.documents import files_of, move_to_namespace, read_documents

    for path in files_of(paths):
        try:
            documents = build_workflows(path, client) if path.suffix == ".py" else read_documents(path, strict=strict)
        except HeraUtilsError as error:
            yield str(path), error
            continue
        for document in documents:
            metadata = document.get("metadata") or {}
            yield (
                f"{path} {document['kind']} {metadata.get('name') or metadata.get('generateName') or ''}".rstrip(),
                move_to_namespace(document, client.namespace),
            )


def templates_by_name(documents: Iterable[Json | HeraUtilsError]) -> dict[tuple[str, str], Json]:
    """The templates that are checked together, by (kind, name)."""
    from hera_utils.cli.documents import TEMPLATE_KINDS, reference_of

    return {
        reference_of(document): document
        for document in documents
        if isinstance(document, dict) and document["kind"] in TEMPLATE_KINDS
    }


def lint_document(
    client: ArgoClient, label: str, document: Json | HeraUtilsError, siblings: Mapping[tuple[str, str], Json]
) -> Json:
    """`{"document", "ok", "message"}`. siblings: templates of the checked files, which need not be stored on the platform."""
    from hera_utils.cli.documents import ARGO_KINDS, references
    from hera_utils.interpreter.remarks import remarks
    from hera_utils.preflight.validity import check_with

    if isinstance(document, HeraUtilsError):
        message = document.message.removeprefix(label).lstrip(", ")
        return {"document": label, "ok": False, "message": message}
    if document["kind"] not in ARGO_KINDS:
        return {"document": label, "ok": True, "message": "not checked"}
    try:
        if any(reference in siblings for reference in references(document)):
            check_with(document, lambda kind, name: siblings.get((kind, name)) or client.template(kind, name))
        else:
            client.lint(document)
    except (InvalidWorkflow, Refused) as error:
        return {"document": label, "ok": False, "message": error.message}
    return {
        "document": label,
        "ok": True,
        "message": "; ".join(filter(None, (describe_missing_parameters(document), *remarks(document)))),
    }


def describe_missing_parameters(document: Json) -> str:
    """A sentence on the parameters without a value, which the user must give when the workflow runs; Argo's lint accepts them."""
    if document["kind"] != "Workflow" or document["spec"].get("workflowTemplateRef"):
        return ""
    parameters = (document["spec"].get("arguments") or {}).get("parameters") or ()
    names = [
        str(parameter.get("name"))
        for parameter in parameters
        if parameter.get("value") is None and not parameter.get("valueFrom")
    ]
    return f"needs parameters when it runs: {' '.join(f'-p {name}=…' for name in names)}" if names else ""


def build_workflows(path: Path, client: ArgoClient) -> list[Json]:
    """The workflows that a script builds; what it submits is not sent."""
    from hera_utils.cli.inline_returns import hints_on_returns
    from hera_utils.cli.script import build_document, execute, report_errors_of_building
    from hera_utils.cli.script_recorder import ScriptRecording
    from hera_utils.platforms.hera_binding import bind_hera
    from hera_utils.settings.script_host import ScriptHost

    with bind_hera(client.connection, insist=True):
        script = execute(path, (), recording=ScriptRecording(sending=False), host=ScriptHost(given_settings()))
        for workflow in (*script.templates, *script.built):
            with report_errors_of_building(path):
                hints = list(hints_on_returns(workflow))
            for hint in hints:
                print_note(f"hera-utils: {hint}")
        documents = [
            {**build_document(workflow, path), "kind": _kind_of(workflow)}
            for workflow in (*script.templates, *script.built)
        ]
    if not documents:
        raise InvalidWorkflow(f"{path} builds no workflow")
    return documents


def _kind_of(workflow: Any) -> str:
    """Argo's kind of Hera's object. Hera gives an object of a subclass the name of the subclass as its kind."""
    from hera_utils.cli.documents import ARGO_KINDS

    names = (str(workflow.kind), *(kind.__name__ for kind in type(workflow).__mro__))
    return next(name for name in names if name in ARGO_KINDS)
