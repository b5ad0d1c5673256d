"""Begins a run, and restores it after a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hera_utils.argo import claim_folders, claims, names, phases, timestamps
from hera_utils.errors import HeraUtilsError, InvalidWorkflow
from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter import (
    finish,
    gc,
    limits,
    lock_requests,
    metrics,
    retry_in_place,
    stall,
    substitution,
    unopened,
)
from hera_utils.interpreter.commands import Command, ReadObject, SetTimer, WriteObject
from hera_utils.interpreter.document import add_metadata, effective_spec
from hera_utils.interpreter.events import Event, ObjectRead, RetryRequested, Submitted
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json, Run
from hera_utils.interpreter.substitution import Variables
from hera_utils.interpreter.values import plain_json
from hera_utils.interpreter.variables import output_variables, workflow_variables
from hera_utils.interpreter.walk import Walk

GO_ON = "later"
"""The timer after which the interpreter continues with work for which an event had no time (Argo: MAX_OPERATION_TIME)."""
_NO_GLOBALS = "failed to set global parameters: "
_DEFAULT_REPOSITORY = "workflows.argoproj.io/default-artifact-repository"


def submit_run(run: Run, event: Submitted) -> list[Command]:
    """The first step of a run: its spec and templates are fixed, and its entry template opens."""
    document = run.document
    document.setdefault("status", {}).setdefault("nodes", {})
    if event.templates:
        run.memory["templates"] = [*event.templates]
    if event.config_maps:
        run.memory["config_maps"] = event.config_maps
    if event.durations:
        run.memory["durations"] = event.durations
    try:
        spec = _spec(run)
    except HeraUtilsError as error:
        return _end_unstarted(run, event, phases.ERROR, error.message)
    try:
        walk = _walk(run, spec)
    except Fault as fault:
        return _end_unstarted(run, event, phases.FAILED, f"{_NO_GLOBALS}{fault.message}")
    run.index = walk
    walk.begin(event.at, event.seed)
    try:
        _set_metadata(walk)
    except HeraUtilsError as error:
        finish.close(walk, phases.ERROR, error.message)
        return walk.commands
    reference = walk.spec.get("artifactRepositoryRef")
    if reference:
        name = reference.get("configMap") or "artifact-repositories"
        walk.ask("repository:", ReadObject("repository:", "ConfigMap", name))
        return walk.commands
    if event.repository:
        walk.document["status"]["artifactRepositoryRef"] = event.repository
    return begin_run(walk)


def repository_read(walk: Walk, event: ObjectRead) -> None:
    """Begin after the config map of artifactRepositoryRef has been read; without the key the workflow cannot begin."""
    reference = walk.spec.get("artifactRepositoryRef") or {}
    config_map = event.document or {}
    default = ((config_map.get("metadata") or {}).get("annotations") or {}).get(_DEFAULT_REPOSITORY, "")
    key = reference.get("key") or default
    text = (config_map.get("data") or {}).get(key)
    if text is None:
        place = f"{reference.get('configMap', '')}#{reference.get('key', '')}"
        message = f'failed to find any artifact repository for artifact repository ref "{place}"'
        finish.close(walk, phases.ERROR, f"failed to resolve artifact repository: {message}")
        return
    name = reference.get("configMap") or "artifact-repositories"
    from hera_utils.argo import yaml_limits

    repository = yaml_limits.parse(text) or {}
    walk.document["status"]["artifactRepositoryRef"] = {
        "configMap": name, "key": key, "namespace": walk.run.namespace, "artifactRepository": repository,
    }  # fmt: skip
    begin_run(walk)


def begin_run(walk: Walk) -> list[Command]:
    """Ask for the workflow's locks; if it has none, it runs at once."""
    if walk.run.memory.get("templates"):
        walk.templates.store_reached(walk.spec, walk.home)
    gc.run_begins(walk)
    if walk.spec.get("synchronization"):
        lock_requests.ask_for_locks(walk, "", walk.spec["synchronization"])
        return walk.commands
    return start_workflow(walk)


def go_on(walk: Walk) -> None:
    """Continue after the workflow's locks were granted."""
    if walk.run.phase in ("", phases.PENDING):
        start_workflow(walk)


def start_workflow(walk: Walk) -> list[Command]:
    """Start the workflow, which has its locks."""
    # Set before the phase is Running, because the entry template sees this status in Argo's first operation.
    walk.variables["workflow.status"] = walk.run.phase
    if not walk.run.phase:  # Argo omits this for a workflow that was Pending because it waited for a lock
        walk.document["metadata"].setdefault("annotations", {})[names.POD_NAME_FORMAT] = "v2"
    finish.duration_variable(walk)  # 0 before the workflow has begun
    finish.set_phase(walk, phases.RUNNING)
    if walk.ledger.durations.get("workflow"):
        walk.document["status"]["estimatedDuration"] = walk.ledger.durations["workflow"]
    metrics.emit_workflow_metrics(walk, ended=False)
    deadline = limits.workflow_deadline(walk)
    if deadline:
        walk.timer("deadline", deadline + limits.AFTER)
    try:
        create_claims(walk)
    except Fault as fault:
        finish.close(walk, phases.ERROR, f"pvc create error: {fault.message}")
        return walk.commands
    walk.visit(walk.root)
    settle(walk)
    if _uses_changed_variables(walk):
        # Later visits fill templates in with another status, and with labels that are set only now.
        walk.run.index = None
    return walk.commands


def _uses_changed_variables(walk: Walk) -> bool:
    """Whether a template uses a variable whose value differs in Argo's first operation."""
    everything = plain_json([walk.spec.get("templates"), walk.run.memory.get("templates")])
    return any(f"workflow.{name}" in everything for name in ("status", "labels", "annotations"))


def retry_run(run: Run, event: RetryRequested, catch_up: Callable[[Walk], None]) -> list[Command]:
    """Retry a finished run in place: remove or reset failed nodes, then walk the whole run again.

    catch_up: processes, for the kept nodes, the ends of their pods since the run finished.
    """
    commands = retry_in_place.retry(run, event)
    run.memory.pop("locks", None)
    run.memory.pop("asked", None)
    try:
        walk = run.index = _walk(run, _spec(run))
    except Fault as fault:
        return commands + _end_unstarted(run, event, phases.FAILED, f"{_NO_GLOBALS}{fault.message}")
    walk.begin(event.at, event.seed)
    walk.commands += commands
    if event.invalid:
        finish.close(walk, phases.FAILED, f"invalid spec: {event.invalid}")
        return walk.commands
    catch_up(walk)
    return begin_run(walk)


def _spec(run: Run) -> Json:
    """The executed spec; that of a workflowTemplateRef is stored in the status."""
    document = run.document
    if not document["spec"].get("workflowTemplateRef"):
        return document["spec"] or {}
    stored: Json | None = document["status"].get("storedWorkflowTemplateSpec")
    if stored is None:
        stored = document["status"]["storedWorkflowTemplateSpec"] = effective_spec(
            document, run.memory.get("templates") or ()
        )
    for field in ("suspend", "shutdown"):  # users change these in the workflow itself
        stored.pop(field, None)
        if field in document["spec"]:
            stored[field] = document["spec"][field]
    return stored


def _walk(run: Run, spec: Json) -> Walk:
    """The walk of a run with its derived data, before any node is visited."""
    found = workflow_variables(run.document, spec, run.memory.get("config_maps") or {})
    # Expressions about the workflow as a whole are evaluated at each restore and must give the same values.
    created = timestamps.seconds(run.document["metadata"].get("creationTimestamp"))
    variables = Variables(found, Entropy(created, run.uid))
    templates = spec.get("templates")
    bare = {key: value for key, value in spec.items() if key != "templates"}
    # Argo: substituteGlobalVariables. Templates are filled in later: they may use outputs of the workflow.
    filled = dict(substitution.replace(bare, variables, unresolved=True))
    if templates is not None:
        filled["templates"] = templates
    return Walk(run, filled, variables)


def _set_metadata(walk: Walk) -> None:
    """Set the labels and annotations of workflowMetadata, and their variables."""

    def evaluate(text: str) -> Any:
        from hera_utils.expressions.expr import program  # imported with the first expression, as in substitution.py

        return program.evaluate(text, walk.variables, entropy=walk.variables.entropy)

    document = walk.document
    metadata = dict(document["metadata"])
    wrong: HeraUtilsError | None = None
    try:
        add_metadata(metadata, document, walk.spec, evaluate)
    except HeraUtilsError as error:
        wrong = error
    # In Argo the workflow could no longer be stored, and it would wait for ever.
    if faults := names.metadata_faults(metadata):
        raise InvalidWorkflow(f'Workflow.argoproj.io "{walk.run.name}" is invalid: {names.join_messages(faults)}')
    document["metadata"] = metadata
    if wrong is not None:
        raise wrong
    for kind in ("labels", "annotations"):
        for key, value in (document["metadata"].get(kind) or {}).items():
            walk.variables[f"workflow.{kind}.{key}"] = value


def _end_unstarted(run: Run, event: Event, phase: str, message: str) -> list[Command]:
    """End a workflow that cannot begin."""
    walk = Walk(run, run.document["spec"], Variables({}, Entropy(event.at, event.seed)))
    walk.begin(event.at, event.seed)
    finish.close(walk, phase, message)
    return walk.commands


def restore_walk(run: Run, event: Event) -> Walk:
    """The walk of a run. A run that was read back from its rows is walked once, so that every open node has its frame again."""
    walk = run.index
    if not isinstance(walk, Walk):
        unopened.remember(run)
        walk = run.index = _walk(run, _spec(run))
        walk.variables["workflow.status"] = run.phase
        walk.begin(event.at, event.seed)
        # The time is that of the last event while the frames are rebuilt: no node may reach a deadline without an event.
        walk.ledger.now = 0.0
        if not walk.plans_nothing():
            walk.rebuilds, walk.opens = True, not run.memory.get("later")
            walk.visit(walk.root)
        # The timers are set already; setting them again would repeat those that just fired.
        commands = [command for command in walk.commands if not isinstance(command, SetTimer)]
        walk.begin(event.at, event.seed)
        walk.commands = commands
    else:
        walk.begin(event.at, event.seed)
    finish.duration_variable(walk)
    return walk


def walk_again(walk: Walk) -> None:
    """Visit every open node again after a change that concerns the whole run."""
    run = walk.run
    commands, now, touched, entropy = walk.commands, walk.ledger.now, walk.ledger.touched, walk.variables.entropy
    fresh = _walk(run, _spec(run))
    walk.__dict__.update(fresh.__dict__)
    walk.commands, walk.ledger.now, walk.variables.entropy = commands, now, entropy
    walk.rebuilds = True
    walk.ledger.touched |= touched
    walk.variables.update(output_variables(run.document))
    walk.variables["workflow.status"] = run.phase
    finish.duration_variable(walk)
    if not walk.plans_nothing():
        walk.visit(walk.root)
    walk.rebuilds = False


def settle(walk: Walk) -> None:
    """After every event: use free room, release the locks of ended nodes, end a stalled run, update the totals."""
    walk.open_waiting()
    if walk.later or walk.run.memory.get("ending"):
        walk.run.memory["later"] = True
        walk.timer(GO_ON, walk.ledger.now)
    else:
        walk.run.memory.pop("later", None)
    lock_requests.release_ended(walk)
    stall.end_stalled(walk)
    finish.note_totals(walk)


def create_claims(walk: Walk) -> None:
    """Create the claims of volumeClaimTemplates, named after the workflow. Raises Fault if Kubernetes would refuse one."""
    status = walk.document["status"]
    templates = walk.spec.get("volumeClaimTemplates") or []
    if not templates or status.get("persistentVolumeClaims"):
        return
    owner = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": walk.run.name, "uid": walk.run.uid, "controller": True,
        "blockOwnerDeletion": True,
    }  # fmt: skip
    volumes: list[Any] = []
    status["persistentVolumeClaims"] = volumes
    for index, claim in enumerate(templates):
        metadata = claim.get("metadata") or {}
        if not metadata.get("name"):
            raise Fault(f"volumeClaimTemplates[{index}].metadata.name is required")
        name = f"{walk.run.name}-{metadata['name']}"
        labels = {**(metadata.get("labels") or {}), "workflows.argoproj.io/workflow": walk.run.name}
        metadata_of_claim = {
            **metadata,
            "name": name,
            "namespace": walk.run.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        }
        if wrong := claims.claim_fault(claim.get("spec") or {}, metadata_of_claim):
            raise Fault(f'PersistentVolumeClaim "{name}" is invalid: {wrong}')
        document = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata_of_claim, "spec": claim.get("spec") or {},
        }  # fmt: skip
        walk.say(WriteObject(claim_folders.without_new_folder(document)))
        volumes.append({"name": metadata["name"], "persistentVolumeClaim": {"claimName": name}})
