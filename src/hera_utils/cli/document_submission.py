"""Submits the documents of a workflow file: first the objects that workflows need, then templates, then the workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hera_utils.cli.documents import ARGO_KINDS, KINDS, KUBERNETES_KINDS, move_to_namespace
from hera_utils.cli.parameters import assign_parameters, with_parameters
from hera_utils.cli.stored_template import store_all
from hera_utils.cli.terminal import print_note
from hera_utils.platforms.cluster import Cluster
from hera_utils.settings.resolve import limit_parallelism

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.hera_binding import Stamp

Json = dict[str, Any]


def move_to_one_namespace(documents: Sequence[Json], namespace: str, file: str) -> list[Json]:
    """The documents in the namespace of the platform; prints which of their own namespaces were replaced, as for a script."""
    moved = [move_to_namespace(document, namespace) for document in documents]
    others = sorted(
        {str(old["metadata"]["namespace"]) for old, new in zip(documents, moved, strict=True) if old is not new}
    )
    if others:
        print_note(f"hera-utils: the namespace {', '.join(others)} of {file}: replaced by {namespace}")
    return moved


def limit_parallelism_of(documents: Sequence[Json], limit: int | None) -> list[Json]:
    """The documents, the workflows among them with the setting `parallelism`, None if it is not set."""
    if limit is None:
        return list(documents)
    return [
        _with_parallelism(document, limit) if document["kind"] == "Workflow" else document for document in documents
    ]


def _with_parallelism(workflow: Json, limit: int) -> Json:
    spec = workflow.get("spec") or {}
    return {**workflow, "spec": {**spec, "parallelism": limit_parallelism(spec.get("parallelism"), limit)}}


def documents_to_check(documents: Sequence[Json], assignments: Sequence[str], *, local: bool) -> list[Json]:
    """What the preflight checks: on this machine all, workflows with their parameters. On a cluster nothing of a file with other objects
    (templates, config maps), because they do not exist there yet.
    """
    workflows = [document for document in documents if document["kind"] == "Workflow"]
    others = [document for document in documents if document["kind"] != "Workflow"]
    if others and not local:
        return []
    return [*others, *(with_parameters(workflow, assignments) for workflow in workflows)]


def submit_documents(
    client: ArgoClient, documents: Sequence[Json], assignments: Sequence[str], stamp: Stamp | None
) -> list[str]:
    """Create what a file's workflows need and update its templates, then submit the workflows. stamp: added to them on this machine."""
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


def _create_if_missing(cluster: Cluster, document: Json) -> str:
    """Create a config map, secret or claim, and say so. An existing one is left unchanged, because it may contain data."""
    kind, name = document["kind"], str(document["metadata"].get("name", ""))
    if name and cluster.exists(kind, name):
        return f"{kind} {name} already exists: left unchanged"
    cluster.create({"apiVersion": "v1", **document})
    return f"{kind} {name} created"
