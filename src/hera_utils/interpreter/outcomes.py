"""The phase, message and outputs of a node, from what the kubelet and the executor report (Argo: assessNodeStatus, inferFailedReason)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hera_utils.argo import phases, quantities, timestamps
from hera_utils.error_lines import error_line
from hera_utils.interpreter.events import POD_DELETED, ContainerState, PodFinished
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import kind_of

EMISSARY_FAILED = 64  # the exit code of Argo's emissary when it failed, not the program
_KILLED = (137, 143)


@dataclass(frozen=True)
class PodOutcome:
    phase: str
    message: str


def of_pod(event: PodFinished, template: Json) -> PodOutcome:
    """The phase and message of a pod's node."""
    if event.phase == "Succeeded" and not event.error:
        # A daemon should not end: for Argo it has failed.
        return PodOutcome(phases.FAILED if template.get("daemon") else phases.SUCCEEDED, "")
    if event.message:
        return PodOutcome(phases.ERROR if event.message == POD_DELETED else phases.FAILED, event.message)
    return _reason(event, template)


def _reason(event: PodFinished, template: Json) -> PodOutcome:
    """The outcome of a failed pod. Its message is that of one container: an init container, else a main one, the executor, a sidecar."""
    for container in event.containers:
        if container.init and container.exit_code:
            return PodOutcome(phases.FAILED, describe_container(container))
    main = main_names(template)
    ours = [container for container in event.containers if container.name in main]
    for container in ours:
        if container.exit_code:
            return PodOutcome(phases.FAILED, describe_container(container))
    if event.error:
        return PodOutcome(phases.ERROR, event.error)
    for container in event.containers:
        if (
            container.name not in main
            and not container.init
            and container.exit_code
            and container.exit_code not in _KILLED
        ):
            return PodOutcome(phases.FAILED, describe_container(container))
    if ours and all(container.exit_code == 0 for container in ours):
        return PodOutcome(phases.SUCCEEDED, "")  # sidecars that had to be killed do not count
    return PodOutcome(
        phases.FAILED, event.reason or "pod failed: neither main nor wait container completed successfully"
    )


def describe_container(container: ContainerState) -> str:
    """`main: Error (exit code 1)`, with the container's own message if it has one."""
    text = f"{container.name}: {container.reason or 'Error'} (exit code {container.exit_code})"
    return f"{text}: {container.message}" if container.message else text


def main_names(template: Json) -> set[str]:
    """The names of the containers that do the template's work."""
    if kind_of(template) == "containerSet":
        return {container.get("name", "main") for container in template["containerSet"].get("containers") or ()}
    return {"main"}


def exit_code(containers: Sequence[ContainerState]) -> int | None:
    return next(
        (
            container.exit_code
            for container in containers
            if container.name == "main" and container.exit_code is not None
        ),
        None,
    )


def of_container(container: ContainerState, pod_failed: bool) -> PodOutcome:
    """The phase and message of a container's own node (container sets)."""
    if container.exit_code is not None:
        reason = container.reason or ("Completed" if container.exit_code == 0 else "Error")
        message = f"{container.name}: {reason} (exit code {container.exit_code}): {container.message}"
        if container.exit_code == 0:
            return PodOutcome(phases.SUCCEEDED, "")
        return PodOutcome(phases.ERROR if container.exit_code == EMISSARY_FAILED else phases.FAILED, message)
    if pod_failed:
        return PodOutcome(phases.FAILED, "Pod Failed whilst container running")
    return PodOutcome(phases.RUNNING if container.started_at is not None else phases.PENDING, "")


def outputs(event: PodFinished, template: Json) -> Json:
    """The outputs of the node: those that the executor reports, completed from the template's declarations, and the exit code."""
    result: Json = {}
    declared = template.get("outputs") or {}
    reported = {parameter["name"]: parameter for parameter in event.outputs.get("parameters") or ()}
    # A resource template reports its outputs itself, and only if it succeeds.
    nothing = kind_of(template) == "resource" and event.phase != "Succeeded"
    if event.containers and not nothing:  # Argo's executor reports all declared outputs, even without a value
        parameters = [
            {**parameter, **reported.pop(parameter["name"], {})} for parameter in declared.get("parameters") or ()
        ]
        if parameters or reported:
            result["parameters"] = [*parameters, *reported.values()]
    elif reported:
        result["parameters"] = list(reported.values())
    wanted = {artifact["name"]: artifact for artifact in declared.get("artifacts") or ()}
    artifacts = [{**wanted.get(artifact["name"], {}), **artifact} for artifact in event.outputs.get("artifacts") or ()]
    if artifacts:
        result["artifacts"] = artifacts
    if event.outputs.get("result") is not None:
        result["result"] = event.outputs["result"]
    code = exit_code(event.containers)
    if code is None and event.outputs.get("exitCode") not in (None, ""):
        code = int(event.outputs["exitCode"])
    if code is not None:
        result["exitCode"] = str(code) if code else "0"  # the literal is shared by thousands of nodes
    return result


_PROGRESS_TICK = 60.0  # seconds between two reports of Argo's executor (ARGO_PROGRESS_PATCH_TICK_DURATION)


def is_progress_reported(containers: Sequence[ContainerState]) -> bool:
    """Whether Argo's executor would have reported the progress that the pod wrote: it reports each minute, not at the end."""
    times = [(container.started_at, container.finished_at) for container in containers if container.name == "main"]
    return any(start is not None and end is not None and end - start >= _PROGRESS_TICK for start, end in times)


def finished_at(containers: Sequence[ContainerState], now: float) -> float:
    """The time when the last container ended."""
    ends = [container.finished_at for container in containers if container.finished_at is not None]
    return max(ends) if ends else now


def ran(event: PodFinished, template: Json) -> Json | None:
    """The field RAN: times of the main containers, start of the interpreter, resources used by the pod; None if none started."""
    names = main_names(template)
    own = [container for container in event.containers if container.name in names and container.started_at is not None]
    starts = [container.started_at for container in own if container.started_at is not None]
    ends = [container.finished_at for container in own if container.finished_at is not None]
    if not starts or not ends:
        return None
    python = next((container.python for container in own if container.python), "")
    how = {"python": python} if python else {}
    wrong = next(
        (line for container in own if container.exit_code and (line := error_line(container.tail.split("\n")))), ""
    )
    times = {"startedAt": timestamps.micro_time(min(starts)), "finishedAt": timestamps.micro_time(max(ends))}
    return {
        **times,
        **how,
        **({"errorLine": wrong} if wrong else {}),
        **event.used,
        **(_sum_of_requests(template) if event.used else {}),
    }


_DEFAULTS = {"cpu": "100m", "memory": "100Mi"}


def _sum_of_requests(template: Json) -> Json:
    """The sum of the requests of all its containers, as far as stated."""
    total: Json = {}
    for container in _declared_containers(template).values():
        resources = container.get("resources") or {}
        resources_of_container = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for name, resource in (("requestedCpu", "cpu"), ("requestedMemory", "memory")):
            if resources_of_container.get(resource) is not None:
                total[name] = total.get(name, 0) + float(quantities.quantity(str(resources_of_container[resource])))
    return total


def _declared_containers(template: Json) -> dict[str, Json]:
    """The containers of a template that run beside each other or one after the other, by name."""
    kind = kind_of(template)
    own = template[kind].get("containers") or [] if kind == "containerSet" else [template.get(kind) or {}]
    beside = [*(template.get("initContainers") or ()), *(template.get("sidecars") or ())]
    return {container.get("name") or "main": container for container in [*beside, *own] if isinstance(container, dict)}


def usage(containers: Sequence[ContainerState], template: Json) -> Mapping[str, int]:
    """Resources times seconds, in Argo's units: cores, 100 MiB of memory, 10 GiB of storage (util/resource)."""
    declared = {name: container.get("resources") or {} for name, container in _declared_containers(template).items()}
    seconds: dict[str, int] = {}
    for container in containers:
        if container.started_at is None or container.finished_at is None:
            continue
        age = int(max(container.finished_at - container.started_at, 0))
        requests = declared.get(container.name, {})
        resources = {**_DEFAULTS, **(requests.get("limits") or {}), **(requests.get("requests") or {})}
        for resource, quantity in resources.items():
            seconds[resource] = seconds.get(resource, 0) + quantities.resource_seconds(resource, quantity, age)
    return _shared_usage(tuple(seconds.items()))


@lru_cache(maxsize=64)
def _shared_usage(seconds: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """The usage as a mapping that thousands of equal tasks share."""
    return dict(seconds)
