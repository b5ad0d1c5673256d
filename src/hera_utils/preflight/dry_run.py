"""Whether the server would accept this workflow: the limits of all clusters, then the server's own answer to a dry run."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from hera_utils.errors import AccessError, Refused
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.preflight import controller
from hera_utils.preflight.finding import Finding, from_error, good, problem
from hera_utils.preflight.inquiry import Target
from hera_utils.preflight.needs import INSTANCE_LABEL
from hera_utils.preflight.size_limits import find_breaches, size_of_document

_PROBE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "hera-utils-doctor-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}],
    },
}


def check_size_limits(target: Target) -> Iterator[Finding]:
    """The parts of the workflow that every cluster refuses. No server is asked."""
    document = target.needs.document
    if document is None:
        return
    breaches = find_breaches(document)
    for what, fix in breaches:
        yield problem("limits", what, fix)
    if not breaches:
        yield good(
            "limits", f"the workflow of {size_of_document(document).bytes / 1000:.1f} kB is within a cluster's limits"
        )


def check_workflow(target: Target) -> Iterator[Finding]:
    """Whether the server would accept the workflow, and whether the workflow's controller is alive."""
    served: str | None = None
    if target.trusted:
        served = yield from _dry_run(target)
    if target.asker is not None:
        yield from controller.check_lease(
            target.asker, target.namespace, target.needs.instance if served is None else served
        )


def _dry_run(target: Target) -> Generator[Finding, None, str | None]:
    """Send the workflow as a dry run, as only the server knows its stored templates, admission rules and permissions.

    Returns the instance id that the server would put on the workflow, None when it refused it.
    """
    document = target.needs.document
    if document is not None and find_breaches(document):
        document = None  # `check_size_limits` reports it; the server is asked about a small workflow instead
    client = ArgoClient(target.connection)
    try:
        created = client.create(document or _PROBE, dry_run=True)
    except AccessError as error:
        # rights.py reports missing permissions one by one; a missing permission to list runs was reported before
        if "forbid" not in error.message or (target.asker is None and not isinstance(target.runs, AccessError)):
            yield from_error("rights" if "forbid" in error.message else "workflow", error)
        return None
    except Refused as error:
        if not controller.is_reported_elsewhere(error):
            fix = "correct the workflow; hera-utils lint checks it without running it" if document is not None else None
            yield problem("workflow", f"the Argo server would refuse the workflow: {error.message}", error.fix or fix)
        return None
    finally:
        client.close()
    if document is not None:
        yield good("workflow", "the Argo server would accept the workflow")
    served = str(((created.get("metadata") or {}).get("labels") or {}).get(INSTANCE_LABEL) or "")
    yield from _check_instance(target.needs.instance, served)
    return served


def _check_instance(instance: str, served: str) -> Iterator[Finding]:
    """The server puts its own instance id on what it creates (Argo: util/instanceid); only the controller of that id runs the workflow."""
    if instance and instance != served:
        theirs = f'instance id "{served}"' if served else "no instance id"
        yield problem(
            "instance id",
            f'the workflow requires the controller of instance id "{instance}", this server serves {theirs}',
            f"remove the label {INSTANCE_LABEL} from the workflow, or name the server of that instance with "
            f"--argo_server",
        )
