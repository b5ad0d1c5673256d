"""Stored templates and cron workflows of a platform, named KIND/NAME: stores, runs, lists, shows and changes them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from hera_utils.argo import timestamps
from hera_utils.argo.phases import phase_or_pending
from hera_utils.cli.terminal import print_note
from hera_utils.errors import AccessError, InvalidWorkflow, Refused, ResourceError, SettingsError
from hera_utils.interpreter.document import resource_of
from hera_utils.interpreter.submission import CRON_LABEL, submitted_kind, workflow_from

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]

SHORT = {
    "CronWorkflow": "cronwf",
    "WorkflowTemplate": "workflowtemplate",
    "ClusterWorkflowTemplate": "clusterworkflowtemplate",
}
_KUBECTLS = {"cwf": "cronwf", "cwft": "clusterworkflowtemplate", "clusterwftmpl": "clusterworkflowtemplate"}
"""Short names that kubectl accepts and `argo submit --from` does not."""
_CRON = "CronWorkflow"
_FIX = "write workflowtemplate/NAME, clusterworkflowtemplate/NAME or cronwf/NAME"
_MOST_RUNS = 5


@dataclass(frozen=True)
class StoredTemplate:
    """A stored template or cron workflow by its kind and name, with its document."""

    kind: str
    name: str
    document: Json

    def __str__(self) -> str:
        return f"{SHORT[self.kind]}/{self.name}"


def stored_template(client: ArgoClient, reference: str) -> StoredTemplate:
    """The stored template or cron workflow KIND/NAME. Raises SettingsError for a wrong form, ResourceError if it does not exist."""
    word, slash, name = reference.partition("/")
    if not (word and slash and name):
        raise SettingsError(f"`{reference}` names no stored template", fix=_FIX)
    try:
        kind = submitted_kind(_KUBECTLS.get(word.lower(), word.lower()))
    except Refused:
        raise SettingsError(f"`{word}` is not a kind of stored template", fix=_FIX) from None
    stored = client.template(kind, name)
    if stored is None:
        near = get_close_matches(f"{SHORT[kind]}/{name}", map(str, list_stored(client)), 1, 0.7)
        raise ResourceError(
            f'{resource_of(kind)} "{name}" not found in namespace {client.namespace}',
            fix=f"{f'did you mean {near[0]}? ' if near else ''}store it with: hera-utils run FILE; what is stored is listed by: "
            "hera-utils ls --stored",
        )
    return StoredTemplate(kind, name, stored)


def find_stored_object(client: ArgoClient, typed: str) -> StoredTemplate | None:
    """The stored object KIND/NAME, or the cron workflow with exactly this name; None if the name must be that of a run."""
    from hera_utils.cli.run_choice import is_relative

    if "/" in typed:
        return stored_template(client, typed)
    if not typed or is_relative(typed):
        return None
    try:
        document = client.template(_CRON, typed)
    except (AccessError, Refused):  # a user who may not see cron workflows can only name a run
        return None
    return None if document is None else StoredTemplate(_CRON, typed, document)


def workflow_of(client: ArgoClient, reference: str) -> Json:
    """The workflow that `argo submit --from KIND/NAME` would create, before parameters are set."""
    stored = stored_template(client, reference)
    workflow = workflow_from(stored.document, stored.kind, at=time.time())
    workflow.pop("status", None)
    return {"kind": "Workflow", **workflow}


def store_all(client: ArgoClient, documents: Sequence[Json], *, how: bool) -> None:
    """Store templates and cron workflows, all that the platform accepts. Raises InvalidWorkflow with those that it refused.

    how: print how to run them.
    """
    refused: dict[str, Refused] = {}
    for document in documents:
        try:
            _store(client, document, how=how)
        except Refused as error:
            refused[f"{document['kind']} {document['metadata'].get('name', '')}".strip()] = error
    if refused:
        fixes = dict.fromkeys(error.fix for error in refused.values() if error.fix)
        sentences = [f"{name} is not stored: {error.message}" for name, error in refused.items()]
        raise InvalidWorkflow("; ".join(sentences), fix=next(iter(fixes), None))


def _store(client: ArgoClient, document: Json, *, how: bool) -> None:
    """Store a template or a cron workflow and print its name. how: print how to run it, too."""
    stored = client.apply(document)
    kind, name = str(document["kind"]), str(stored["metadata"]["name"])
    print_note(
        sentence_after_storing(StoredTemplate(kind, name, {**stored, "kind": kind})) if how else f"{kind} {name} stored"
    )


def print_how_to_run(stored: Mapping[tuple[str, str], Any]) -> None:
    """Print how to run what a script stored itself. stored: (kind, name) → the server's answer, None if that was a refusal."""
    for (kind, name), answer in stored.items():
        if answer is None:
            continue
        document = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        print_note(sentence_after_storing(StoredTemplate(kind, name, document)))


def set_suspended(client: ArgoClient, stored: StoredTemplate, verb: str) -> str:
    """Suspend or resume a cron workflow; the sentence about it. Raises SettingsError for a template, which starts no runs."""
    if stored.kind != _CRON:
        raise SettingsError(f"{stored} starts no runs by itself", fix="name a run or a cron workflow (cronwf/NAME)")
    document = client.set_cron(stored.name, verb)
    if verb == "suspend":
        return f"{stored} is suspended: it starts no runs; resume it with: hera-utils resume {stored}"
    return f"{stored} is scheduled again: {_schedules(document)}{_describe_next_time(document, time.time())}"


# --- as text ---------------------------------------------------------------------------------------------------------


def sentence_after_storing(stored: StoredTemplate) -> str:
    """A sentence on how to run what was stored; for a cron workflow also when it runs by itself."""
    run = f"hera-utils run --from {stored}"
    if stored.kind != _CRON:
        return f"{stored.kind} {stored.name} stored; run it with: {run}"
    if state_of_cron_workflow(stored.document) != "scheduled":
        return f"{stored.kind} {stored.name} stored ({state_of_cron_workflow(stored.document)}); run it with: {run}"
    when = f"{_schedules(stored.document)}{_describe_next_time(stored.document, time.time())}"
    return (
        f"{stored.kind} {stored.name} stored: it starts runs at {when}; run it now with: {run}; "
        f"stop it with: hera-utils suspend {stored}"
    )


HEADER = ("name", "status", "schedules", "last run", "next run", "age")


def table_lines_of(stored: Sequence[StoredTemplate], now: float) -> list[tuple[str, ...]]:
    """The lines of a table, one for each object."""
    return [_line(template, now) for template in stored]


def _line(stored: StoredTemplate, now: float) -> tuple[str, ...]:
    from hera_utils.spans import age

    document = stored.document
    last = timestamps.read((document.get("status") or {}).get("lastScheduledTime"))
    created = timestamps.read(document["metadata"].get("creationTimestamp"))
    following = _next_time(document, now)
    return (
        str(stored),
        state_of_cron_workflow(document) if stored.kind == _CRON else "",
        _schedules(document) if stored.kind == _CRON else "",
        "" if last is None else f"{age(now - last)} ago",
        "" if following is None else f"in {age(following - now)}",
        "" if created is None else age(now - created),
    )


def state_of_cron_workflow(cron: Json) -> str:
    """The state: scheduled, suspended, or stopped (its stopStrategy has ended it)."""
    from hera_utils.interpreter.cron.cron_workflow import is_completed

    if is_completed(cron):
        return "stopped"
    return "suspended" if (cron.get("spec") or {}).get("suspend") else "scheduled"


def _schedules(cron: Json) -> str:
    spec = cron.get("spec") or {}
    zone = f" ({spec['timezone']})" if spec.get("timezone") else ""
    return ", ".join(map(str, spec.get("schedules") or ())) + zone


def _next_time(document: Json, now: float) -> float | None:
    from hera_utils.interpreter.cron.cron_workflow import is_enabled, next_time
    from hera_utils.interpreter.cron.schedules import ScheduleError

    if document.get("kind", _CRON) != _CRON or not (document.get("spec") or {}).get("schedules"):
        return None
    try:
        return next_time(document, now) if is_enabled(document) else None
    except ScheduleError:
        return None


def _describe_next_time(document: Json, now: float) -> str:
    from hera_utils.spans import age

    following = _next_time(document, now)
    return "" if following is None else f" (next in {age(following - now)})"


def describe(client: ArgoClient, stored: StoredTemplate) -> Iterator[str]:
    """What `get` shows: its parameters; for a cron workflow also when it runs, and its newest runs."""
    from hera_utils.spans import age

    document, now = stored.document, time.time()
    yield str(stored)
    if stored.kind == _CRON:
        yield f"  {state_of_cron_workflow(document)}: {_schedules(document)}{_describe_next_time(document, now)}"
        for condition in (document.get("status") or {}).get("conditions") or ():
            yield f"  {condition.get('type')}: {condition.get('message')}"
    spec = document.get("spec") or {}
    spec = spec.get("workflowSpec") or spec
    for parameter in (spec.get("arguments") or {}).get("parameters") or ():
        yield f"  parameter {parameter['name']} = {parameter.get('value', '')}"
    names = [template.get("name") for template in spec.get("templates") or ()]
    if names:
        yield f"  templates: {', '.join(map(str, names))}"
    if stored.kind == _CRON:
        fields = "metadata.name,metadata.creationTimestamp,status.phase"
        runs = client.list(selector=f"{CRON_LABEL}={stored.name}", fields=fields)
        runs.sort(key=lambda run: str(run["metadata"].get("creationTimestamp")), reverse=True)
        for run in runs[:_MOST_RUNS]:
            created = timestamps.read(run["metadata"].get("creationTimestamp"))
            ago = "" if created is None else f"  {age(now - created)} ago"
            yield f"  run {run['metadata']['name']}  {phase_or_pending(run)}{ago}"
    yield f"  run it now with: hera-utils run --from {stored}"


def list_stored(
    client: ArgoClient, kinds: Sequence[str] = tuple(SHORT), *, strict: bool = False
) -> list[StoredTemplate]:
    """All stored objects of these kinds, without kinds that the user may not see. strict: raise the error if they may see none."""
    templates, unseen = list[StoredTemplate](), list[AccessError | Refused]()
    for kind in kinds:
        try:
            documents = client.templates(kind)
        except (AccessError, Refused) as error:
            unseen.append(error)
            continue
        templates += [
            StoredTemplate(kind, str(document["metadata"]["name"]), {"kind": kind, **document})
            for document in documents
        ]
    if strict and len(unseen) == len(kinds):
        raise unseen[0]
    return templates
