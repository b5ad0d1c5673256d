"""Whether Argo's controller is alive: checked by the runs that it has started and by its leader's lease."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from hera_utils.argo import timestamps
from hera_utils.argo.phases import phase_of
from hera_utils.errors import AccessError, HeraUtilsError, Refused
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.kubernetes_http import KubernetesHttp
from hera_utils.preflight.connectivity import server_time
from hera_utils.preflight.finding import Finding, from_error, good, problem, unknown
from hera_utils.preflight.inquiry import Asker, Target, closing_asker
from hera_utils.preflight.needs import INSTANCE_LABEL

Json = dict[str, Any]

CONTROLLER = "workflow-controller"
"""Name of the leader's Lease; `workflow-controller-ID` for an instance (cmd/workflow-controller/main.go)."""
USUAL_NAMESPACE = "argo"
STALE = 60.0  # seconds; a leader renews its lease every few seconds (a lease is valid for 15 s)
UNSEEN = 60.0  # seconds; if a workflow waits longer without a phase, there is no controller
RECENT = 3600.0  # seconds; if a run started within this time, the controller is alive


def check_runs(target: Target) -> Iterator[Finding]:
    """Whether there are runs that no controller starts. (The Argo server lists them, so this needs no kubeconfig.)"""
    newest = target.runs
    if isinstance(newest, HeraUtilsError):
        # the checks of the cluster report a missing permission and a missing namespace better
        if target.asker is None or not (
            isinstance(newest, AccessError) or (isinstance(newest, Refused) and is_reported_elsewhere(newest))
        ):
            yield from_error("rights" if isinstance(newest, AccessError) else "argo server", newest)
        return
    if not isinstance(newest, list):
        return
    now = time.time()
    waiting = [workflow for workflow in newest if not phase_of(workflow) and now - _creation_time(workflow) > UNSEEN]
    alive = [
        workflow
        for workflow in newest
        if (workflow.get("status") or {}).get("startedAt") and now - _start_time(workflow) < RECENT
    ]
    if waiting and not alive:
        name, ago = waiting[-1]["metadata"]["name"], now - _creation_time(waiting[-1])
        message = f"no controller picks up runs: {name} has been waiting for {ago / 60:.0f} min without a phase"
        yield problem("controller", message, _ask_for_controller(USUAL_NAMESPACE))
    elif alive:
        yield good(
            "controller", f"the controller works (it started {alive[0]['metadata']['name']} within the last hour)"
        )


def is_reported_elsewhere(error: Refused) -> bool:
    """Whether another check reports this better: a namespace that does not exist, a permission, a quota."""
    words = error.message
    return words.startswith("namespaces ") or "is forbidden" in words or "not allowed" in words


def not_taken_up(connection: Connection, workflow: Json) -> str:
    """Why no controller gives a phase to a workflow, as far as the cluster says it, and what to check: one sentence."""
    name, namespace = workflow["metadata"]["name"], connection.namespace
    instance = str((workflow["metadata"].get("labels") or {}).get(INSTANCE_LABEL) or "")
    of_instance = f" with the instance id {instance}" if instance else ""
    why: Finding | None = None
    with suppress(HeraUtilsError):  # without a kubeconfig, or an answer of the cluster, the general sentence has to do
        asker = Asker(KubernetesHttp(connection))
        with closing_asker(asker):
            why = next(
                (finding for finding in check_lease(asker, namespace, instance) if finding.verdict != "unknown"), None
            )
    seems = why.message if why else f"none seems to process the namespace {namespace}{of_instance}"
    seems += f", but does not seem to process the namespace {namespace}" if why and why.ok else ""
    fix = (why.fix if why else None) or _ask_for_controller(USUAL_NAMESPACE)
    return f"no controller has taken up {name} yet: {seems}; {fix}"


def check_lease(asker: Asker, namespace: str, instance: str) -> Iterator[Finding]:
    """The leader's Lease. It exists where the controller runs with leader election, which is the default."""
    # A controller in the namespace itself serves that namespace.
    spaces = list(dict.fromkeys([namespace, USUAL_NAMESPACE]))
    answers = asker(
        *(
            ClusterRequest("GET", f"apis/coordination.k8s.io/v1/namespaces/{quote(space, safe='')}/leases")
            for space in spaces
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
        yield _finding_on_lease(*own[0], answers)
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


def _finding_on_lease(space: str, lease: Json, answers: list[ClusterReply]) -> Finding:
    # The cluster's clock is used because this machine's may be wrong, which another check reports.
    now = server_time(answers) or time.time()
    silent = now - _renewal_time(lease)
    holder = str((lease.get("spec") or {}).get("holderIdentity") or "")
    if not holder:
        return problem(
            "controller",
            f"no Argo controller leads: the lease {space}/{lease['metadata']['name']} is free",
            _ask_for_controller(space),
        )
    if silent > STALE:
        since = f"{silent / 60:.0f} min" if silent >= 120 else f"{silent:.0f} s"
        message = f"the Argo controller ({holder}) has not renewed its lease for {since}: runs would stay pending"
        return problem("controller", message, _ask_for_controller(space))
    return good("controller", f"the Argo controller is alive ({holder}, {max(silent, 0):.0f} s ago)")


def _ask_for_controller(space: str) -> str:
    return (
        f"ask the cluster's owner to check that it runs and watches this namespace: "
        f"kubectl -n {space} get deploy,pods -l app={CONTROLLER}"
    )


def _renewal_time(lease: Json) -> float:
    return timestamps.seconds(str((lease.get("spec") or {}).get("renewTime") or ""))


def _creation_time(workflow: Json) -> float:
    return timestamps.seconds(str((workflow.get("metadata") or {}).get("creationTimestamp") or ""))


def _start_time(workflow: Json) -> float:
    return timestamps.seconds(str((workflow.get("status") or {}).get("startedAt") or ""))
