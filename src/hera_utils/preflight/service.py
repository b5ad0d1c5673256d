"""The namespace, the Argo controller behind the server, and whether the server would take this very workflow."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any
from urllib.parse import quote

from hera_utils.argo import timestamps
from hera_utils.errors import AccessError, HeraUtilsError, Refused
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.kubernetes_http import ClusterReply, ClusterRequest
from hera_utils.preflight.finding import Finding, from_error, good, problem, unknown, warning
from hera_utils.preflight.inquiry import Target
from hera_utils.preflight.limits import breaches
from hera_utils.preflight.needs import INSTANCE_LABEL

Json = dict[str, Any]

CONTROLLER = "workflow-controller"
"""Name of the leader's Lease; `workflow-controller-ID` for an instance (cmd/workflow-controller/main.go)."""
USUAL_NAMESPACE = "argo"
STALE = 60.0  # seconds; a leader renews its lease every few (15 s is its life)
UNSEEN = 60.0  # seconds after which a workflow that no controller has touched says that there is none
RECENT = 3600.0  # seconds: how long a run that was taken up is a sign of life

_PROBE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "hera-utils-doctor-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "busybox", "command": ["true"]}}],
    },
}


def namespace(target: Target) -> Iterator[Finding]:
    """That it exists. Few may read namespaces: one whose default account can be read is there as well."""
    assert target.asker is not None
    name = quote(target.namespace, safe="")
    itself, account = target.asker(
        ClusterRequest("GET", f"api/v1/namespaces/{name}"),
        ClusterRequest("GET", target.core("serviceaccounts", "default")),
    )
    if itself.reason == "NotFound":
        fix = f"kubectl create namespace {target.namespace}, or name another with --argo_namespace or ARGO_NAMESPACE"
        yield problem("namespace", f'namespace "{target.namespace}" does not exist', fix)
    elif itself.ok and (itself.body.get("status") or {}).get("phase") == "Terminating":
        fix = "name another with --argo_namespace or ARGO_NAMESPACE"
        yield problem("namespace", f'namespace "{target.namespace}" is being deleted', fix)
    elif itself.ok or account.ok:
        yield good("namespace", f"namespace {target.namespace} exists")
    else:
        fix = "is the name right? (--argo_namespace or ARGO_NAMESPACE)"
        yield unknown("namespace", f'namespace "{target.namespace}" cannot be read (permission is missing)', fix)


# --- the server's own word -----------------------------------------------------------------------------------------------


def service(target: Target) -> Iterator[Finding]:
    """Whether the server would take the workflow, and whether the controller that it is for is alive."""
    served: str | None = None
    if target.trusted:
        served = yield from _dry_run(target)
    if target.asker is not None:
        yield from _controller(target, target.needs.instance if served is None else served)


def _dry_run(target: Target) -> Generator[Finding, None, str | None]:
    """Ask the server to create the workflow without doing so: it finds what only it can (stored templates, admission, rights).

    Gives the instance id that the server puts on what it creates, None when it creates nothing.
    """
    document = target.needs.document
    if document is not None and breaches(document):
        document = None  # told by itself: the server would only stumble over it
    client = ArgoClient(target.connection)
    try:
        created = client.create(document or _PROBE, dry_run=True)
    except AccessError as error:
        # rights are told by those who asked for each; that one may not even see runs is told already
        if "forbid" not in error.message or (target.asker is None and not isinstance(target.runs, AccessError)):
            yield from_error("rights" if "forbid" in error.message else "workflow", error)
        return None
    except Refused as error:
        if not _of_others(error):
            fix = "correct the workflow; hera-utils lint checks it without running it" if document is not None else None
            yield problem("workflow", f"the Argo server would refuse the workflow: {error.message}", error.fix or fix)
        return None
    finally:
        client.close()
    if document is not None:
        yield good("workflow", "the Argo server would accept the workflow")
    served = str(((created.get("metadata") or {}).get("labels") or {}).get(INSTANCE_LABEL) or "")
    yield from _instance(target.needs.instance, served)
    return served


def _of_others(error: Refused) -> bool:
    """What another check tells better: a namespace that is not there, a right, a quota."""
    words = error.message
    return words.startswith("namespaces ") or "is forbidden" in words or "not allowed" in words


def _instance(instance: str, served: str) -> Iterator[Finding]:
    """Argo: the server puts its own instance id on what it creates (util/instanceid); only that controller takes the workflow."""
    if instance and instance != served:
        theirs = f'instance id "{served}"' if served else "no instance id"
        yield problem(
            "instance id",
            f'the workflow requires the controller of instance id "{instance}", this server serves {theirs}',
            f"remove the label {INSTANCE_LABEL} from the workflow, or name the server of that instance with "
            f"--argo_server",
        )


# --- the controller ------------------------------------------------------------------------------------------------------


def runs(target: Target) -> Iterator[Finding]:
    """Runs that nobody takes up. (Asked of the Argo server, so that it is known without a kubeconfig as well.)"""
    newest = target.runs
    if isinstance(newest, HeraUtilsError):
        # what may not be done and what is not there is told better by who asks the cluster for it
        if target.asker is None or not (
            isinstance(newest, AccessError) or (isinstance(newest, Refused) and _of_others(newest))
        ):
            yield from_error("rights" if isinstance(newest, AccessError) else "argo server", newest)
        return
    if not isinstance(newest, list):
        return
    now = time.time()
    waiting = [one for one in newest if not (one.get("status") or {}).get("phase") and now - _born(one) > UNSEEN]
    alive = [one for one in newest if (one.get("status") or {}).get("startedAt") and now - _started(one) < RECENT]
    if waiting and not alive:
        name, ago = waiting[-1]["metadata"]["name"], now - _born(waiting[-1])
        message = f"no controller picks up runs: {name} has been waiting for {ago / 60:.0f} min without a phase"
        yield problem("controller", message, _ask_for_controller(USUAL_NAMESPACE))
    elif alive:
        yield good(
            "controller", f"the controller works (it started {alive[0]['metadata']['name']} within the last hour)"
        )


def _controller(target: Target, instance: str) -> Iterator[Finding]:
    """The leader's Lease: there where the controller runs with leader election, as it does by default."""
    assert target.asker is not None
    spaces = list(
        dict.fromkeys([target.namespace, USUAL_NAMESPACE])
    )  # one of the namespace's own is the one that serves it
    answers = target.asker(
        *(
            ClusterRequest("GET", f"apis/coordination.k8s.io/v1/namespaces/{quote(one, safe='')}/leases")
            for one in spaces
        )
    )
    leases = [
        (space, lease)
        for space, answer in zip(spaces, answers, strict=True)
        for lease in (answer.body.get("items") or [] if answer.ok else [])
        if str(lease["metadata"]["name"]).startswith(CONTROLLER)
    ]
    name = f"{CONTROLLER}-{instance}" if instance else CONTROLLER
    own = [(space, lease) for space, lease in leases if lease["metadata"]["name"] == name]
    if own:
        yield _lease(*own[0], answers)
    elif leases:
        ids = ", ".join(
            sorted(str(lease["metadata"]["name"]).removeprefix(CONTROLLER).lstrip("-") or "none" for _, lease in leases)
        )
        what = f'instance id "{instance}"' if instance else "no instance id"
        message = f"no controller serves {what}: the existing ones serve {ids}"
        yield problem(
            "instance id",
            message,
            "name the Argo server of a controller that runs, or ask the cluster's owner to start one",
        )
    elif any(answer.status == 403 for answer in answers):
        yield unknown(
            "controller",
            "the controller's lease cannot be read (permission is missing): whether the controller is alive shows "
            "when a run starts",
        )
    else:
        yield unknown("controller", "the controller has no lease: whether it is alive shows when a run starts")


def _lease(space: str, lease: Json, answers: list[ClusterReply]) -> Finding:
    # by the cluster's clock: ours may be wrong, and that is told by itself
    from hera_utils.preflight.connectivity import server_time

    now = server_time(answers) or time.time()
    silent = now - _renewed(lease)
    holder = str((lease.get("spec") or {}).get("holderIdentity") or "")
    if not holder:
        return problem(
            "controller",
            f"no Argo controller leads: the lease {space}/{lease['metadata']['name']} is free",
            _ask_for_controller(space),
        )
    if silent > STALE:
        since = f"{silent / 60:.0f} min" if silent >= 120 else f"{silent:.0f} s"
        message = f"the Argo controller ({holder}) has given no sign of life since {since}: runs would stay pending"
        return problem("controller", message, _ask_for_controller(space))
    return good("controller", f"the Argo controller is alive ({holder}, {max(silent, 0):.0f} s ago)")


def _ask_for_controller(space: str) -> str:
    return f"ask the cluster's owner to check it: kubectl -n {space} get deploy,pods -l app={CONTROLLER}"


def _renewed(lease: Json) -> float:
    return timestamps.seconds(str((lease.get("spec") or {}).get("renewTime") or ""))


def _born(workflow: Json) -> float:
    return timestamps.seconds(str((workflow.get("metadata") or {}).get("creationTimestamp") or ""))


def _started(workflow: Json) -> float:
    return timestamps.seconds(str((workflow.get("status") or {}).get("startedAt") or ""))


# --- the registry --------------------------------------------------------------------------------------------------------


def registry(target: Target) -> Iterator[Finding]:
    """Whether the registry answers from here. The cluster may see it otherwise: never more than a warning."""
    import requests

    named = target.environment.registry or target.context.registry
    if not named:
        return
    host = named.partition("://")[2].split("/")[0] if "://" in named else named.split("/")[0]
    try:
        reply = requests.get(f"https://{host}/v2/", timeout=5, allow_redirects=False)
    except requests.RequestException:
        reply = None
    if reply is not None and reply.status_code in (200, 401):
        yield good("registry", f"the registry {host} answers")
        return
    reply_text = f"it answered {reply.status_code}" if reply is not None else "no answer"
    yield warning(
        "registry",
        f"the registry {host} does not answer from here ({reply_text}); the cluster may nevertheless reach it",
        "check its name (--registry), or the network",
    )


def limits(target: Target) -> Iterator[Finding]:
    """What no cluster takes; nothing is asked for it."""
    document = target.needs.document
    if document is None:
        return
    found = breaches(document)
    for what, fix in found:
        yield problem("limits", what, fix)
    if not found:
        from hera_utils.preflight.limits import size

        yield good("limits", f"the workflow of {size(document).bytes / 1000:.1f} kB is within a cluster's limits")
