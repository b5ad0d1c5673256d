"""A client of any Argo server: create, submit, get, list, watch, wait, logs, artifacts, actions.

Hera's own client has no watch, cannot read two log lines and only polls; so hera_utils follows runs with this one.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hera_utils.argo import faults
from hera_utils.argo.names import label_value_faults, subdomain_faults
from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.errors import Forbidden, PlatformError, Refused, ResourceError, RunFailed, UnsupportedError
from hera_utils.platforms import idempotent_submit, reconnect
from hera_utils.platforms.argo_http import ArgoHttp, StreamCut
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.http_errors import unexpected_answer

if TYPE_CHECKING:
    from hera_utils.platforms.archived_logs import LogRequest
    from hera_utils.platforms.artifact_downloads import SavedArtifact

Json = dict[str, Any]
PAGE = 500
"""Workflows in one answer, as many as kubectl asks for."""
_POLL_SECONDS = 2.0

# kind → (service of the operations, its singular in their names, key of the document in a request)
_KINDS = {
    "Workflow": ("WorkflowService", "Workflow", "workflow"),
    "WorkflowTemplate": ("WorkflowTemplateService", "WorkflowTemplate", "template"),
    "ClusterWorkflowTemplate": ("ClusterWorkflowTemplateService", "ClusterWorkflowTemplate", "template"),
    "CronWorkflow": ("CronWorkflowService", "CronWorkflow", "cronWorkflow"),
}
_ACTIONS = ("resubmit", "resume", "retry", "set", "stop", "suspend", "terminate")


class ArgoClient:
    """A client of the Argo server of a Connection, in its namespace unless a call names another.

    Every method raises AccessError (address, credential, permission), Refused (the server understood and refuses, with its own
    message) or PlatformError (the local server failed).
    """

    def __init__(self, connection: Connection) -> None:
        self.namespace = connection.namespace
        self._http = ArgoHttp(connection)

    @property
    def connection(self) -> Connection:
        return self._http.connection

    def __enter__(self) -> ArgoClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- documents -------------------------------------------------------------------------------------------------

    def create(self, document: Json, *, namespace: str | None = None, dry_run: bool = False) -> Json:
        """Create a workflow (or a template, a cron workflow: the document's `kind` decides) and return it as stored."""
        service, singular, key = _kind(document)
        where = self._namespace(document, namespace)
        body: Json = {"namespace": where, key: document}
        if dry_run:
            body["createOptions"] = {"dryRun": ["All"]}
            body["serverDryRun"] = True
        if dry_run or singular != "Workflow":
            return self._object(f"{service}_Create{singular}", body=body, namespace=where)
        given = document.get("metadata") or {}
        mark = idempotent_submit.new_mark()
        return self._start(
            f"{service}_Create{singular}",
            lambda name: {**body, key: idempotent_submit.mark_workflow(document, name, mark)},
            idempotent_submit.Submission(where, given.get("name") or "", given.get("generateName") or "", mark),
        )

    def _start(self, operation: str, body: Callable[[str], Json], submission: idempotent_submit.Submission) -> Json:
        where = submission.namespace

        def ask(name: str) -> Json:
            return self._check_legal_names(
                self._check_object(self._http.try_once(operation, body=body(name), namespace=where))
            )

        def look(name: str) -> Json:
            there = self._http.try_once("WorkflowService_GetWorkflow", namespace=where, name=name)
            return self._check_legal_names(self._check_object(there))

        return idempotent_submit.submit(
            submission, ask=ask, look=look, rejoin=self.rejoin, unclear=self._how_to_find_out
        )

    def apply(self, document: Json, *, namespace: str | None = None) -> Json:
        """Create a template or a cron workflow, or update the stored one with this name; returns it as stored."""
        try:
            return self.create(document, namespace=namespace)
        except Refused as error:
            name = (document.get("metadata") or {}).get("name")
            if error.code != faults.ALREADY_EXISTS or not name or document.get("kind", "Workflow") == "Workflow":
                raise
        service, singular, key = _kind(document)
        where = self._namespace(document, namespace)
        stored = self._object(f"{service}_Get{singular}", namespace=where, name=name)
        version = stored["metadata"].get("resourceVersion")
        newer = {**document, "metadata": {**document["metadata"], "resourceVersion": version}}
        body = {"namespace": where, "name": name, key: newer}
        return self._object(f"{service}_Update{singular}", body=body, namespace=where, name=name)

    def lint(self, document: Json, *, namespace: str | None = None) -> Json:
        """The document as the server understands it. Raises Refused with Argo's message if it is wrong."""
        service, singular, key = _kind(document)
        where = self._namespace(document, namespace)
        understood = self._object(
            f"{service}_Lint{singular}", body={"namespace": where, key: document}, namespace=where
        )
        if not understood.keys() & {"metadata", "spec"}:
            raise unexpected_answer(self.connection)
        return understood

    def submit(
        self,
        resource_kind: str,
        resource_name: str,
        *,
        parameters: Mapping[str, object] | Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Json:
        """Start a workflow from a stored template (workflowtemplate, clusterworkflowtemplate, cronwf).

        parameters: name → value, or `name=value` texts. options: Argo's SubmitOpts (generateName, labels, …).
        """
        words = [f"{k}={v}" for k, v in parameters.items()] if isinstance(parameters, Mapping) else list(parameters)
        request_body: Json = {**(options or {}), **({"parameters": words} if words else {})}
        body: Json = {"namespace": self.namespace, "resourceKind": resource_kind, "resourceName": resource_name}
        operation = "WorkflowService_SubmitWorkflow"
        if request_body.get("dryRun") or request_body.get("serverDryRun"):
            return self._object(operation, body={**body, "submitOptions": request_body}, namespace=self.namespace)
        mark, prefix = idempotent_submit.new_mark(), request_body.get("generateName") or f"{resource_name}-"
        return self._start(
            operation,
            lambda name: {**body, "submitOptions": idempotent_submit.mark_options(request_body, name, mark)},
            idempotent_submit.Submission(self.namespace, request_body.get("name") or "", prefix, mark),
        )

    def get(self, name: str, *, fields: str | None = None) -> Json:
        """A workflow. fields: Argo's filter of the reply, e.g. `metadata.name,status.phase`."""
        query = {"fields": fields}
        workflow = self._object("WorkflowService_GetWorkflow", query=query, namespace=self.namespace, name=name)
        return self._check_legal_names(
            workflow if fields and "metadata.name" not in fields else self._check_has_name(workflow)
        )

    def list_archived(self) -> list[Json]:
        """The records of the namespace in the workflow archive, without nodes; [] if there is no archive."""
        reply = self._object("ArchivedWorkflowService_ListArchivedWorkflows", query={"namespace": self.namespace})
        return list(self._items(reply))

    def list(self, *, selector: str | None = None, fields: str | None = None, limit: int | None = None) -> list[Json]:
        """The workflows of the namespace, newest first; at most `limit`. selector: of labels. fields: of each, as in `get`."""
        return list(itertools.islice(self.newest(selector=selector, fields=fields, most=limit or PAGE), limit))

    def newest(self, *, selector: str | None = None, fields: str | None = None, most: int = PAGE) -> Iterator[Json]:
        """As `list`, one workflow at a time, fetched in pages of at most `most` as kubectl does, so that answers stay small."""
        query: dict[str, Any] = {"listOptions.labelSelector": selector, "listOptions.limit": min(most, PAGE)}
        if fields:
            query["fields"] = ",".join(("metadata", *(f"items.{path}" for path in fields.split(","))))
        names: set[str] = set()
        while True:
            reply = self._object("WorkflowService_ListWorkflows", query=query, namespace=self.namespace)
            for workflow in self._items(reply):
                name = str((workflow.get("metadata") or {}).get("name") or "")
                # A workflow submitted meanwhile shifts the pages, so a page may repeat a workflow.
                if name not in names:
                    names |= {name} if name else set()
                    yield self._check_legal_names(workflow)
            further = (reply.get("metadata") or {}).get("continue")
            if not further:
                return
            query["listOptions.continue"] = further

    def delete(self, name: str) -> None:
        self._object("WorkflowService_DeleteWorkflow", namespace=self.namespace, name=name)

    def delete_archived(self, uid: str) -> None:
        self._object("ArchivedWorkflowService_DeleteArchivedWorkflow", uid=uid)

    def template(self, kind: str, name: str) -> Json | None:
        """The stored template with this name, None if there is none. kind: WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow."""
        service, singular, _ = _kind({"kind": kind})
        try:
            return self._check_has_name(self._object(f"{service}_Get{singular}", namespace=self.namespace, name=name))
        except Refused as error:
            if error.code != faults.NOT_FOUND:
                raise
            return None

    def templates(self, kind: str) -> Sequence[Json]:
        """All stored templates of a kind (as in `template`), sorted by name."""
        service, singular, _ = _kind({"kind": kind})
        items = self._items(self._object(f"{service}_List{singular}s", namespace=self.namespace))
        return sorted(map(self._check_has_name, items), key=lambda item: str(item["metadata"]["name"]))

    def delete_template(self, kind: str, name: str) -> None:
        service, singular, _ = _kind({"kind": kind})
        self._object(f"{service}_Delete{singular}", namespace=self.namespace, name=name)

    def clear_template(self, name: str) -> bool:
        """Delete the WorkflowTemplate with this name; True if there was one."""
        try:
            self.delete_template("WorkflowTemplate", name)
        except Refused as error:
            if error.code != faults.NOT_FOUND:
                raise
            return False
        return True

    def set_cron(self, name: str, verb: str) -> Json:
        """Suspend or resume a cron workflow. verb: suspend or resume."""
        request = {"namespace": self.namespace, "name": name}
        return self._object(
            f"CronWorkflowService_{verb.capitalize()}CronWorkflow", body=request, namespace=self.namespace, name=name
        )

    def act(self, name: str, verb: str, body: Mapping[str, Any] | None = None) -> Json:
        """Stop, terminate, suspend, resume, retry, resubmit or set a workflow. body: the options of the verb."""
        if verb not in _ACTIONS:
            raise UnsupportedError(f"a workflow has no action `{verb}`", fix=f"use one of: {', '.join(_ACTIONS)}")
        request = {"namespace": self.namespace, "name": name, **(body or {})}
        operation = f"WorkflowService_{verb.capitalize()}Workflow"
        return self._object(operation, body=request, namespace=self.namespace, name=name)

    # --- following -------------------------------------------------------------------------------------------------

    def watch(
        self, name: str, *, timeout: float | None = None, rest: Callable[[Json], float] | None = None
    ) -> Iterator[tuple[str, Json]]:
        """(ADDED | MODIFIED | DELETED, workflow) from its present state until it is finished or deleted.

        After a broken stream the watch continues with the state at that time, so states may be skipped, but never the last one.
        timeout: seconds after which the iterator ends without an error. rest: state → seconds before the next state, unless that is the
        last; a slow reader then gets only the newest state.
        """
        stream, last = self._reconnection("watch", name, timeout), None
        seconds = 0.0

        def resting() -> float:
            return seconds

        while stream.may_go_on():
            with stream.attempt():
                for kind, workflow in self._events(name, stream.deadline, resting if rest else None):
                    stream.note_received()
                    version = (workflow.get("metadata") or {}).get("resourceVersion")
                    if kind == "DELETED" or version != last:  # a stream that begins again repeats the last state
                        last, seconds = version, rest(workflow) if rest else 0.0
                        yield kind, workflow
                    if kind == "DELETED" or phase_of(workflow) in COMPLETED:
                        return
                raise StreamCut("the server ended it")

    def _reconnection(
        self, verb: str, name: str, timeout: float | None, *, restartable: bool = True
    ) -> reconnect.Reconnection:
        what = f"following {name}" if verb == "watch" else f"the log of {name}"

        def broken(why: object) -> PlatformError:
            again = self.connection.command(verb, name)
            return PlatformError(f"{what} was interrupted ({why})", fix=f"try again with: {again}")

        return reconnect.Reconnection(timeout, broken=broken, rejoin=self.rejoin, restartable=restartable)

    def _how_to_find_out(self, name: str) -> str:
        look = self.connection.command("get", name)
        return f"it may have been submitted nevertheless: {look}; else submit it again"

    def rejoin(self) -> bool:
        """After a crash of the local server, connect to its successor; True if there is a new one."""
        return self._http.rejoin()

    def _events(
        self, name: str, deadline: float | None, rest: Callable[[], float] | None
    ) -> Iterator[tuple[str, Json]]:
        query = {"listOptions.fieldSelector": f"metadata.name={name}", "listOptions.resourceVersion": "0"}
        # Argo answers nothing to a watch of a name that does not exist: a GET before it gives the 404.
        with self._http.limit_requests_to(deadline):
            there = {"fields": "metadata.name"}
            self._http.try_once("WorkflowService_GetWorkflow", query=there, namespace=self.namespace, name=name)
        events = self._http.stream(
            "WorkflowService_WatchWorkflows", query=query, rest=rest, until=deadline, namespace=self.namespace
        )
        try:
            for event in events:
                if isinstance(event.get("object"), dict):
                    yield str(event.get("type", "MODIFIED")), event["object"]
        except Forbidden:  # `watch` is another permission than `get`
            yield from self._poll(name, deadline, rest or (lambda: 0.0))

    def _poll(self, name: str, deadline: float | None, rest: Callable[[], float]) -> Iterator[tuple[str, Json]]:
        """As `_events`, for a user who may read workflows and not watch them."""
        workflow: Json = {}
        while deadline is None or time.monotonic() < deadline:
            try:
                with self._http.limit_requests_to(deadline):
                    workflow = self._check_object(
                        self._http.try_once("WorkflowService_GetWorkflow", namespace=self.namespace, name=name)
                    )
            except Refused as refused:
                if refused.code != faults.NOT_FOUND or not workflow:
                    raise
                yield "DELETED", workflow
                return
            yield "MODIFIED", workflow
            pause = max(_POLL_SECONDS, rest())
            time.sleep(pause if deadline is None else max(0.0, min(pause, deadline - time.monotonic())))

    def wait(self, name: str, *, timeout: float | None = None) -> Json:
        """The finished workflow, whatever its phase. Raises RunFailed if it is not finished after `timeout` seconds."""
        workflow: Json | None = None
        for kind, workflow in self.watch(name, timeout=timeout):
            if kind == "DELETED":
                raise RunFailed(f"{name} was deleted before it finished", fix="run it again")
            if phase_of(workflow) in COMPLETED:
                return workflow
        phase = phase_of(workflow) if workflow else "not seen"
        raise RunFailed(
            f"{name} is not finished after {timeout:g} s ({phase})",
            fix=f"it continues; follow it with: {self.connection.command('watch', name)}",
        )

    def logs(  # noqa: PLR0913  Argo's options of a log
        self,
        name: str,
        *,
        pod: str | None = None,
        container: str = "main",
        follow: bool = False,
        tail: int | None = None,
        grep: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[tuple[str, str]]:
        """(pod, line) of all pods of a workflow, or of one. follow: until the workflow is finished; a broken stream continues without
        repeating a line (not with `tail`, whose first line is unknown by then). The logs of deleted pods come last, if Argo keeps them
        (`archiveLogs`), also those of a deleted workflow. timeout: seconds after which the iterator ends without an error.
        """
        query = {
            "logOptions.container": container,
            "logOptions.follow": True if follow else None,
            "logOptions.tailLines": tail,
            "grep": grep,
            "podName": pod,
        }
        counts: dict[str, int] = {}
        refusal: Refused | None = None
        complete = False
        try:
            stream = self._reconnection("logs", name, timeout, restartable=tail is None)
            complete = yield from self._stream_logs(name, query, stream, counts)
        except Refused as refused:
            if self.connection.local or refused.code != faults.NOT_FOUND:
                raise
            refusal = refused
        if refusal or (complete and not self.connection.local and (pod is None or pod not in counts)):
            from hera_utils.platforms.archived_logs import LogRequest

            yield from self._read_archived_logs(name, LogRequest(container, pod, tail, grep), counts, refusal)

    def _stream_logs(
        self, name: str, query: Mapping[str, Any], stream: reconnect.Reconnection, counts: dict[str, int]
    ) -> Generator[tuple[str, str], None, bool]:
        """(pod, line) as the server streams them; returns whether the stream was complete. counts: gets the number of lines of each pod."""
        while stream.may_go_on():
            offsets: dict[str, int] = {}
            with stream.attempt():
                for event in self._http.stream(
                    "WorkflowService_WorkflowLogs",
                    query=query,
                    until=stream.deadline,
                    namespace=self.namespace,
                    name=name,
                ):
                    source = str(event.get("podName", ""))
                    offsets[source] = offsets.get(source, 0) + 1
                    if offsets[source] > counts.get(source, 0):
                        counts[source] = offsets[source]
                        stream.note_received()
                        yield source, str(event.get("content", ""))
                return True
        return False

    def _read_archived_logs(
        self, name: str, request: LogRequest, counts: Mapping[str, int], refusal: Refused | None
    ) -> Iterator[tuple[str, str]]:
        """The kept logs of deleted pods. refusal: the server's answer, if it has no such workflow; its archive may have one."""
        from hera_utils.platforms import archived_logs
        from hera_utils.platforms.artifact_downloads import record_of

        try:
            workflow = self.get(name)
        except Refused:
            if refusal is not None:
                raise refusal from None
            return  # deleted meanwhile, with the logs that it kept
        deleted_pods, artifact = (
            archived_logs.pods_without_streamed_lines(workflow, counts, request),
            f"{request.container}-logs",
        )
        record = record_of(workflow)
        if refusal is not None and not record:
            raise refusal
        if record and not deleted_pods:
            raise ResourceError(
                f"{name} was deleted with its pods, and no log of theirs was kept",
                fix="a workflow with `archiveLogs: true` keeps its logs as artifacts",
            )
        yield from archived_logs.lines_of(
            deleted_pods, request, lambda node: self.artifact(name, node, artifact, record)
        )

    def artifact(self, name: str, node_id: str, artifact: str, record: str = "") -> Iterator[bytes]:
        """The bytes of an output artifact as it is stored, in pieces (a folder is a .tgz unless its archive is `none`).

        record: the uid of a deleted workflow, whose record is in Argo's archive.
        """
        from hera_utils.platforms.artifact_downloads import path_of

        return self._http.download(path_of(self.namespace, name, node_id, artifact, record))

    def download(
        self, name: str, folder: str | Path, *, task: str = "", artifact: str = "", at_once: int = 4
    ) -> Sequence[SavedArtifact]:
        """Download the output artifacts of a workflow (all, a task's, or one) into a folder, as described in artifact_downloads.py.

        Raises ResourceError if there is none with that name, or if the folder cannot be written.
        """
        from hera_utils.platforms import artifact_downloads

        there = artifact_downloads.artifacts_of(self.get(name))
        chosen = artifact_downloads.choose_artifacts(there, task, artifact)
        if not chosen:
            names = (
                ", ".join(list(dict.fromkeys(f"{artifact.task}/{artifact.name}" for artifact in there))[:10]) or "none"
            )
            what = "/".join(filter(None, (task, artifact)))
            raise ResourceError(f"{name} has no output artifacts{f' `{what}`' if what else ''}", fix=f"it has: {names}")
        connection = replace(self.connection, namespace=self.namespace)
        return artifact_downloads.download(connection, name, chosen, Path(folder), at_once=at_once)

    # --- the server ------------------------------------------------------------------------------------------------

    def version(self) -> str:
        """The server's version, e.g. `v4.1.2`."""
        reply = self._object("InfoService_GetVersion")
        if not isinstance(reply.get("version"), str):
            raise unexpected_answer(self.connection)
        return str(reply["version"])

    def info(self) -> Json:
        return self._object("InfoService_GetInfo")

    def link(self, name: str) -> str:
        """The address of a workflow's page, for a browser."""
        return f"{self.connection.argo_server}/workflows/{quote(self.namespace)}/{quote(name)}"

    def _object(self, operation: str, **request: Any) -> Json:
        return self._check_object(self._http.call(operation, **request))

    def _check_object(self, reply: Any) -> Json:
        if not isinstance(reply, dict):
            raise unexpected_answer(self.connection)
        return reply

    def _items(self, reply: Json) -> Sequence[Json]:
        """The objects of a list; Argo leaves out the field `items` of an empty one."""
        items = reply.get("items") or []
        is_list = not reply or reply.keys() & {"items", "metadata"}
        if not is_list or not isinstance(items, list) or not all(map(_is_object, items)):
            raise unexpected_answer(self.connection)
        return items

    def _check_has_name(self, document: Json) -> Json:
        """The object. Raises an error if it has no name, as every object of Kubernetes has."""
        if not (document.get("metadata") or {}).get("name"):
            raise unexpected_answer(self.connection)
        return document

    def _check_legal_names(self, workflow: Json) -> Json:
        """The workflow. Raises an error if Kubernetes would not allow its names: files of this machine get these names."""
        metadata = workflow.get("metadata") or {}
        labels = (metadata.get("labels") or {}).values()
        wrong = [name for name in [metadata.get("name")] if name is not None and subdomain_faults(str(name))]
        wrong += [value for value in labels if label_value_faults(str(value))]
        if wrong:
            raise unexpected_answer(self.connection, f"it names a run {wrong[0]!r}")
        return workflow

    def _namespace(self, document: Json, namespace: str | None) -> str:
        """The namespace of a call: the given one, else that of the document (as with the argo command), else the client's."""
        return namespace or (document.get("metadata") or {}).get("namespace") or self.namespace


def _is_object(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("metadata") or {}, dict)


def _kind(document: Json) -> tuple[str, str, str]:
    kind = document.get("kind") or "Workflow"
    if kind not in _KINDS:
        raise UnsupportedError(
            f"a {kind} cannot be sent to an Argo server", fix=f"its kind is one of: {', '.join(_KINDS)}"
        )
    return _KINDS[kind]
