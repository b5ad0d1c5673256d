"""The execution of a cron workflow: its times, whether it then starts a workflow, and the processing of ended workflows.

Pure: each function takes the cron workflow's document (which it does not change) and a time, and returns the decision. Source:
Argo 4.1's workflow/cron (operator.go, controller.go) and docs/cron-workflows.md.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.durations import SECOND
from hera_utils.argo.phases import COMPLETED
from hera_utils.argo.timestamps import seconds, text
from hera_utils.errors import ExpressionError
from hera_utils.expressions import tags
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.gotext import to_json
from hera_utils.expressions.values import Long, NilPointer
from hera_utils.interpreter.cron.schedules import Calendar, Every, Schedule, parse
from hera_utils.interpreter.submission import cron_workflow

Json = dict[str, Any]

COMPLETED_LABEL = "cronworkflows.argoproj.io/completed"
SCHEDULE_ANNOTATION = "cronworkflows.argoproj.io/last-used-schedule"
_KEPT = (("Succeeded", "successfulJobsHistoryLimit", 3), ("", "failedJobsHistoryLimit", 1))
_WINDOWS = (120.0, 3600.0, 86400.0, 31 * 86400.0)


@dataclass(frozen=True)
class Child:
    """A workflow that a cron workflow owns. labelled: it also has the label with the cron workflow's name."""

    name: str
    uid: str
    version: str
    phase: str
    finished_at: str
    labelled: bool = True

    @property
    def over(self) -> bool:
        return self.phase in COMPLETED


@dataclass(frozen=True)
class Decision:
    """The decision at a scheduled time. document: the cron workflow with its new status. start: the workflow to submit, or None.

    terminate: the names of the workflows to end before. policy: the concurrency policy that was applied, else "".
    """

    document: Json
    start: Json | None = None
    terminate: tuple[str, ...] = ()
    policy: str = ""


def is_enabled(cron: Json) -> bool:
    """Whether it may start workflows: it is neither suspended nor stopped for good."""
    return not (cron.get("spec") or {}).get("suspend") and not is_completed(cron)


def is_completed(cron: Json) -> bool:
    return is_labelled(cron) or (cron.get("status") or {}).get("phase") == "Stopped"


def is_labelled(cron: Json) -> bool:
    """Whether it has the label of completed ones, which it gets at the first time after it was stopped."""
    return (cron["metadata"].get("labels") or {}).get(COMPLETED_LABEL) == "true"


# -- when ---------------------------------------------------------------------------------------------------------------


def schedule_texts(cron: Json) -> list[str]:
    """Its schedules, each with the cron workflow's time zone."""
    spec = cron.get("spec") or {}
    prefix = f"CRON_TZ={spec['timezone']} " if spec.get("timezone") else ""
    return [prefix + schedule for schedule in spec.get("schedules") or ()]


def next_time(cron: Json, after: float) -> float | None:
    """The next scheduled time; None: never. Raises ScheduleError."""
    times = [parse(schedule).next(after) for schedule in schedule_texts(cron)]
    return min((at for at in times if at is not None), default=None)


def missed_time(cron: Json, now: float) -> float | None:
    """A missed time (no server ran) that startingDeadlineSeconds still allows to start. Raises ScheduleError."""
    last = (cron.get("status") or {}).get("lastScheduledTime")
    deadline = (cron.get("spec") or {}).get("startingDeadlineSeconds")
    if _has_new_schedule(cron) or not last or deadline is None:
        return None
    for schedule in schedule_texts(cron):
        latest = _latest(parse(schedule), seconds(last), now)
        if latest is not None and now < latest + deadline:
            return latest
    return None


def _latest(schedule: Schedule, after: float, before: float) -> float | None:
    """The last time of a schedule between two times. The search begins near the end: there may be very many."""
    if isinstance(schedule, Every):
        count = int(-((after - before) // schedule.seconds)) - 1
        return after + count * schedule.seconds if count > 0 else None
    for start in [*(before - window for window in _WINDOWS if before - window > after), after]:
        last_time = _last(schedule, start, before)
        if last_time is not None:
            return last_time
    return None


def _last(schedule: Calendar, after: float, before: float) -> float | None:
    last_time, following = None, schedule.next(after)
    while following is not None and following < before:
        last_time, following = following, schedule.next(following)
    return last_time


def _has_new_schedule(cron: Json) -> bool:
    return (cron["metadata"].get("annotations") or {}).get(SCHEDULE_ANNOTATION) != ",".join(schedule_texts(cron))


# -- whether ------------------------------------------------------------------------------------------------------------


def decide(cron: Json, scheduled: float, now: float, fault: str) -> Decision:
    """Decide at a scheduled time. fault: why the cron workflow is not valid ("" when it is)."""
    new = _copy(cron)
    if _has_new_schedule(cron):
        new["metadata"].setdefault("annotations", {})[SCHEDULE_ANNOTATION] = ",".join(schedule_texts(cron))
    if fault:
        return Decision(_with_condition(new, "SpecError", fault))
    _without_condition(new, "SpecError")
    try:
        if _is_done(new, now):
            new["status"]["phase"] = "Stopped"
            new["metadata"].setdefault("labels", {})[COMPLETED_LABEL] = "true"
    except ExpressionError as error:
        message = f"failed to check CronWorkflow '{cron['metadata']['name']}' stopping condition: {error}"
        return Decision(_with_condition(new, "SpecError", message))
    spec, status = new["spec"], new["status"]
    if spec.get("suspend") or status["phase"] == "Stopped":
        return Decision(new)
    try:
        if not _evaluate_when(new, now):
            return Decision(new)
    except ExpressionError as error:
        return Decision(with_refused(new, f"run policy error: {error}"))
    policy = spec.get("concurrencyPolicy") or "Allow"
    active = status["active"] or ()
    if active and policy == "Forbid":
        return Decision(new, policy=policy)
    replaced = tuple(reference["name"] for reference in active) if policy == "Replace" else ()
    return Decision(new, workflow(cron, scheduled), replaced, policy if replaced else "")


def workflow(cron: Json, scheduled: float) -> Json:
    """The workflow that a cron workflow starts at a scheduled time."""
    return cron_workflow(cron, at=scheduled, name=f"{cron['metadata']['name']}-{int(scheduled)}")


def with_started(cron: Json, scheduled: float, child: Child) -> Json:
    """The cron workflow after the workflow of a scheduled time was submitted."""
    new = _copy(cron)
    status = new["status"]
    status["active"] = [*(status["active"] or ()), _reference(cron, child)]
    status |= {"phase": "Active", "lastScheduledTime": text(scheduled)}
    return _without_condition(new, "SubmissionError")


def with_refused(cron: Json, message: str) -> Json:
    """The cron workflow after the workflow of a scheduled time could not be started, which counts as a failure."""
    new = _copy(cron)
    new["status"]["failed"] += 1
    return _with_condition(new, "SubmissionError", message)


# -- ended workflows ----------------------------------------------------------------------------------------------------


def settle(cron: Json, children: Iterable[Child], now: float) -> tuple[Json, tuple[str, ...]]:
    """The cron workflow with its ended workflows counted, and the names of those beyond the history limits."""
    by_uid = {child.uid: child for child in children}
    new = _copy(cron)
    status = new["status"]
    active = list(status["active"] or ())
    listed = {reference.get("uid") for reference in active}
    active += [_reference(cron, one) for one in by_uid.values() if not one.over and one.uid not in listed]
    status["active"] = [
        reference for reference in active if reference.get("uid") in by_uid and not by_uid[reference["uid"]].over
    ] or None
    for one in active:
        child = by_uid.get(one.get("uid", ""))
        if child is not None and child.over:
            status["succeeded" if child.phase == "Succeeded" else "failed"] += 1
            try:
                if _is_done(new, now):
                    status["phase"] = "Stopped"
            except ExpressionError:
                break  # the next scheduled time reports it in a condition
    return new, _names_beyond_limits(cron, by_uid)


def _names_beyond_limits(cron: Json, children: Mapping[str, Child]) -> tuple[str, ...]:
    names: list[str] = []
    for phase, field, default in _KEPT:
        limit = (cron.get("spec") or {}).get(field)
        limit = default if limit is None or limit < 0 else limit
        over = [child for child in children.values() if child.over and child.labelled]
        over = [child for child in over if (child.phase == "Succeeded") == (phase == "Succeeded")]
        over.sort(key=lambda child: child.finished_at, reverse=True)
        names += [child.name for child in over[limit:]]
    return tuple(names)


def _reference(cron: Json, child: Child) -> Json:
    return {
        "kind": "Workflow",
        "namespace": cron["metadata"]["namespace"],
        "name": child.name,
        "uid": child.uid,
        "apiVersion": "argoproj.io/v1alpha1",
        "resourceVersion": child.version,
    }


# -- expressions --------------------------------------------------------------------------------------------------------


def _variables(cron: Json) -> Json:
    """The variables cronworkflow.*. That `annotations` has the labels is Argo's behaviour."""
    from hera_utils.expressions.gotime import Moment

    metadata, status = cron["metadata"], cron["status"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    last = status.get("lastScheduledTime")
    return {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "labels": labels,
        "annotations": labels,
        "failed": Long(status["failed"]),
        "succeeded": Long(status["succeeded"]),
        "annotations.json": to_json(annotations).encode(),
        "labels.json": to_json(labels).encode(),
        "lastScheduledTime": Moment(int(seconds(last) * SECOND), is_pointer=True) if last else None,
    }


def _is_done(cron: Json, now: float) -> bool:
    """Whether the expression of its stopStrategy is true. Raises ExpressionError."""
    expression = ((cron.get("spec") or {}).get("stopStrategy") or {}).get("expression")
    if expression is None:
        return False
    from hera_utils.expressions.expr import program

    try:
        return program.evaluate_boolean(expression, {"cronworkflow": _variables(cron)}, entropy=_entropy(cron, now))
    except ExpressionError as error:
        raise ExpressionError(f"failed to evaluate stop expression: {error}") from None


def _entropy(cron: Json, now: float) -> Entropy:
    return Entropy(now, f"{cron['metadata'].get('uid', '')}/{now}")


def _evaluate_when(cron: Json, now: float) -> bool:
    """The value of `when`. Argo evaluates it without variables, so a bare word is an unknown variable."""
    from hera_utils.expressions.govaluate.condition import evaluate_condition
    from hera_utils.expressions.govaluate.tokens import check_syntax, tokens_of

    when = (cron.get("spec") or {}).get("when") or ""
    variables = {f"cronworkflow.{name}": value for name, value in _variables(cron).items()}
    if variables["cronworkflow.lastScheduledTime"] is None:
        variables["cronworkflow.lastScheduledTime"] = NilPointer()
    replaced = str(tags.replace(when, variables, entropy=_entropy(cron, now), unresolved="refuse"))
    tokens = tokens_of(replaced)
    if tokens:
        check_syntax(tokens)
    for token in tokens:
        if token.kind == "VARIABLE":
            raise ExpressionError(f"No parameter '{token.value}' found.")
    return evaluate_condition(replaced)


# -- the document -------------------------------------------------------------------------------------------------------


def status_of(cron: Json) -> Json:
    """The status with all fields that Argo writes."""
    empty = dict.fromkeys(("active", "lastScheduledTime", "conditions")) | {"succeeded": 0, "failed": 0, "phase": ""}
    return {**empty, **{key: value for key, value in (cron.get("status") or {}).items() if value is not None}}


def _copy(cron: Json) -> Json:
    """A copy whose metadata and status may be changed."""
    return {**cron, "metadata": copy.deepcopy(cron["metadata"]), "status": copy.deepcopy(status_of(cron))}


def _with_condition(cron: Json, kind: str, message: str) -> Json:
    conditions = cron["status"]["conditions"] or []
    new = {"type": kind, "status": "True", "message": message}
    places = [place for place, condition in enumerate(conditions) if condition.get("type") == kind]
    cron["status"]["conditions"] = conditions
    if places:
        conditions[places[0]] = new
    else:
        conditions.append(new)
    return cron


def new_faults(old: Json, new: Json) -> tuple[str, ...]:
    """The types of the conditions that a decision set, SpecError or SubmissionError."""
    if new["status"]["failed"] > status_of(old)["failed"]:
        return ("SubmissionError",)
    return tuple(
        condition["type"] for condition in new["status"]["conditions"] or () if condition["type"] == "SpecError"
    )


def _without_condition(cron: Json, kind: str) -> Json:
    others = [condition for condition in cron["status"]["conditions"] or () if condition.get("type") != kind]
    cron["status"]["conditions"] = others or None
    return cron
