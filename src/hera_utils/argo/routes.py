"""The operations of Argo 4.1's REST API: id, method, path and the function of the local server that answers.

The table serves both sides: `match` finds the operation of a request (local/server), `address` writes the path of an operation
(clients). Source of the operations: Argo's OpenAPI document, api/openapi-spec/swagger.json. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote


@dataclass(frozen=True)
class Route:
    """operation: Argo's operation id. path: with {placeholders}. handler: `module.function` of local/server; "" when not supported.

    stream: the reply is a sequence of events (server-sent events or a JSON document a line, as the client accepts).
    """

    operation: str
    method: str
    path: str
    handler: str = ""
    stream: bool = False

    @property
    def supported(self) -> bool:
        return bool(self.handler)

    @property
    def kind(self) -> str:
        """The kind of the objects of the operation's service (WorkflowTemplate, CronWorkflow…), where it has one."""
        return self.operation.partition("_")[0].removesuffix("Service")

    @property
    def message(self) -> str:
        """Go's name of the request's type, for messages of its JSON decoder; "" if no message needs it."""
        kind, name = self.kind, self.operation.partition("_")[2]
        return f"{kind.lower()}.{kind}{name.removesuffix(kind)}Request" if kind in _MESSAGES else ""

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(self.path.split("/")[1:])


def _table(service: str, *rows: tuple[str, str, str, str]) -> tuple[Route, ...]:
    return tuple(
        Route(f"{service}_{name}", method, path, handler, stream="/stream/" in path or name in _STREAMS)
        for name, method, path, handler in rows
    )


_MESSAGES = frozenset({"Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"})
"""Services whose requests have the name of the object that they change: `workflow.WorkflowStopRequest`."""

_STREAMS = frozenset({"WatchWorkflows", "WorkflowLogs", "PodLogs"})

_W = "/api/v1/workflows/{namespace}"
_T = "/api/v1/workflow-templates/{namespace}"
_C = "/api/v1/cluster-workflow-templates"
_CRON = "/api/v1/cron-workflows/{namespace}"
_ARCHIVE = "/api/v1/archived-workflows"
_SENSORS = "/api/v1/sensors/{namespace}"
_SOURCES = "/api/v1/event-sources/{namespace}"
_SYNC = "/api/v1/sync/{namespace}"

ROUTES: tuple[Route, ...] = (
    *_table(
        "WorkflowService",
        ("ListWorkflows", "GET", _W, "workflows.enumerate"),
        ("CreateWorkflow", "POST", _W, "workflows.create"),
        ("LintWorkflow", "POST", _W + "/lint", "workflows.lint"),
        ("SubmitWorkflow", "POST", _W + "/submit", "submission.submit"),
        ("GetWorkflow", "GET", _W + "/{name}", "workflows.get"),
        ("DeleteWorkflow", "DELETE", _W + "/{name}", "workflows.delete"),
        ("WorkflowLogs", "GET", _W + "/{name}/log", "logs.workflow"),
        ("PodLogs", "GET", _W + "/{name}/{podName}/log", "logs.pod"),
        ("ResubmitWorkflow", "PUT", _W + "/{name}/resubmit", "actions.resubmit"),
        ("ResumeWorkflow", "PUT", _W + "/{name}/resume", "actions.resume"),
        ("RetryWorkflow", "PUT", _W + "/{name}/retry", "actions.retry"),
        ("SetWorkflow", "PUT", _W + "/{name}/set", "actions.set"),
        ("StopWorkflow", "PUT", _W + "/{name}/stop", "actions.stop"),
        ("SuspendWorkflow", "PUT", _W + "/{name}/suspend", "actions.suspend"),
        ("TerminateWorkflow", "PUT", _W + "/{name}/terminate", "actions.terminate"),
        ("WatchWorkflows", "GET", "/api/v1/workflow-events/{namespace}", "watches.workflows"),
        ("WatchEvents", "GET", "/api/v1/stream/events/{namespace}", "watches.events"),
    ),
    *_table(
        "WorkflowTemplateService",
        ("ListWorkflowTemplates", "GET", _T, "templates.enumerate"),
        ("CreateWorkflowTemplate", "POST", _T, "templates.create"),
        ("LintWorkflowTemplate", "POST", _T + "/lint", "templates.lint"),
        ("GetWorkflowTemplate", "GET", _T + "/{name}", "templates.get"),
        ("UpdateWorkflowTemplate", "PUT", _T + "/{name}", "templates.update"),
        ("DeleteWorkflowTemplate", "DELETE", _T + "/{name}", "templates.delete"),
    ),
    *_table(
        "ClusterWorkflowTemplateService",
        ("ListClusterWorkflowTemplates", "GET", _C, "templates.enumerate"),
        ("CreateClusterWorkflowTemplate", "POST", _C, "templates.create"),
        ("LintClusterWorkflowTemplate", "POST", _C + "/lint", "templates.lint"),
        ("GetClusterWorkflowTemplate", "GET", _C + "/{name}", "templates.get"),
        ("UpdateClusterWorkflowTemplate", "PUT", _C + "/{name}", "templates.update"),
        ("DeleteClusterWorkflowTemplate", "DELETE", _C + "/{name}", "templates.delete"),
    ),
    *_table(
        "CronWorkflowService",
        ("ListCronWorkflows", "GET", _CRON, "templates.enumerate"),
        ("CreateCronWorkflow", "POST", _CRON, "templates.create"),
        ("LintCronWorkflow", "POST", _CRON + "/lint", "templates.lint"),
        ("GetCronWorkflow", "GET", _CRON + "/{name}", "templates.get"),
        ("UpdateCronWorkflow", "PUT", _CRON + "/{name}", "templates.update"),
        ("DeleteCronWorkflow", "DELETE", _CRON + "/{name}", "templates.delete"),
        ("ResumeCronWorkflow", "PUT", _CRON + "/{name}/resume", "templates.resume"),
        ("SuspendCronWorkflow", "PUT", _CRON + "/{name}/suspend", "templates.suspend"),
    ),
    *_table(
        "ArchivedWorkflowService",
        ("ListArchivedWorkflows", "GET", _ARCHIVE, "archive.enumerate"),
        ("ListArchivedWorkflowLabelKeys", "GET", _ARCHIVE + "-label-keys", "archive.label_keys"),
        ("ListArchivedWorkflowLabelValues", "GET", _ARCHIVE + "-label-values", "archive.label_values"),
        ("GetArchivedWorkflow", "GET", _ARCHIVE + "/{uid}", "archive.get"),
        ("DeleteArchivedWorkflow", "DELETE", _ARCHIVE + "/{uid}", "archive.delete"),
        ("ResubmitArchivedWorkflow", "PUT", _ARCHIVE + "/{uid}/resubmit", "archive.resubmit"),
        ("RetryArchivedWorkflow", "PUT", _ARCHIVE + "/{uid}/retry", "archive.retry"),
    ),
    *_table(
        "InfoService",
        ("GetInfo", "GET", "/api/v1/info", "info.info"),
        ("GetVersion", "GET", "/api/v1/version", "info.version"),
        ("GetUserInfo", "GET", "/api/v1/userinfo", "info.empty_answer"),
        ("CollectEvent", "POST", "/api/v1/tracking/event", "info.empty_answer"),
    ),
    *_table(
        "EventService",
        ("ReceiveEvent", "POST", "/api/v1/events/{namespace}/{discriminator}", "events.receive"),
        ("ListWorkflowEventBindings", "GET", "/api/v1/workflow-event-bindings/{namespace}", "events.bindings"),
    ),
    *_table(
        "SyncService",
        ("CreateSyncLimit", "POST", _SYNC, "sync.create"),
        ("GetSyncLimit", "GET", _SYNC + "/{key}", "sync.get"),
        ("UpdateSyncLimit", "PUT", _SYNC + "/{key}", "sync.update"),
        ("DeleteSyncLimit", "DELETE", _SYNC + "/{key}", "sync.delete"),
    ),
    # The objects of Argo Events, another product, are refused as not implemented.
    *_table(
        "SensorService",
        ("ListSensors", "GET", _SENSORS, ""),
        ("CreateSensor", "POST", _SENSORS, ""),
        ("GetSensor", "GET", _SENSORS + "/{name}", ""),
        ("UpdateSensor", "PUT", _SENSORS + "/{name}", ""),
        ("DeleteSensor", "DELETE", _SENSORS + "/{name}", ""),
        ("WatchSensors", "GET", "/api/v1/stream/sensors/{namespace}", ""),
        ("SensorsLogs", "GET", "/api/v1/stream/sensors/{namespace}/logs", ""),
    ),
    *_table(
        "EventSourceService",
        ("ListEventSources", "GET", _SOURCES, ""),
        ("CreateEventSource", "POST", _SOURCES, ""),
        ("GetEventSource", "GET", _SOURCES + "/{name}", ""),
        ("UpdateEventSource", "PUT", _SOURCES + "/{name}", ""),
        ("DeleteEventSource", "DELETE", _SOURCES + "/{name}", ""),
        ("WatchEventSources", "GET", "/api/v1/stream/event-sources/{namespace}", ""),
        ("EventSourcesLogs", "GET", "/api/v1/stream/event-sources/{namespace}/logs", ""),
    ),
    *_table(
        "ArtifactService",
        (
            "GetArtifactFile",
            "GET",
            "/artifact-files/{namespace}/{idDiscriminator}/{id}/{nodeId}/{artifactDiscriminator}/{artifactName}",
            "artifacts.send_file",
        ),
        ("GetOutputArtifactByUID", "GET", "/artifacts-by-uid/{uid}/{nodeId}/{artifactName}", "artifacts.send_output"),
        ("GetOutputArtifact", "GET", "/artifacts/{namespace}/{name}/{nodeId}/{artifactName}", "artifacts.send_output"),
        ("GetInputArtifactByUID", "GET", "/input-artifacts-by-uid/{uid}/{nodeId}/{artifactName}", "artifacts.send_input"),
        ("GetInputArtifact", "GET", "/input-artifacts/{namespace}/{name}/{nodeId}/{artifactName}", "artifacts.send_input"),
    ),
)  # fmt: skip

BY_OPERATION: dict[str, Route] = {route.operation: route for route in ROUTES}

_BY_SHAPE: dict[tuple[str, int], list[Route]] = {}
for _route in ROUTES:
    _BY_SHAPE.setdefault((_route.method, len(_route.segments)), []).append(_route)
for _routes in _BY_SHAPE.values():  # a literal segment has precedence over a placeholder
    _routes.sort(key=lambda route: [segment.startswith("{") for segment in route.segments])

_ARTIFACT_FILES = BY_OPERATION["ArtifactService_GetArtifactFile"]


def match(method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
    """The operation that a request names and the values of its placeholders (percent-decoded), or None.

    An empty segment fits a placeholder: the argo CLI lists all namespaces with `/api/v1/workflows/` and updates a template with
    `PUT /api/v1/workflow-templates/{namespace}/`. A path below an artifact (`artifact-files/…/name/sub/file`) arrives as "file".
    """
    given = raw_path.split("/")[1:]
    if given and given[0] == "artifact-files" and method == "GET":
        return _match_artifact_file(given)
    for route in _BY_SHAPE.get((method, len(given)), ()):
        values: dict[str, str] = {}
        for expected, segment in zip(route.segments, given, strict=True):
            if expected.startswith("{"):
                values[expected[1:-1]] = unquote(segment)
            elif expected != segment:
                break
        else:
            return route, values
    return None


def _match_artifact_file(parts: list[str]) -> tuple[Route, dict[str, str]] | None:
    names = [segment[1:-1] for segment in _ARTIFACT_FILES.segments[1:]]
    if len(parts) - 1 < len(names):
        return None
    values = {name: unquote(segment) for name, segment in zip(names, parts[1:], strict=False)}
    rest = parts[1 + len(names) :]
    if rest:
        # A file's name may not be UTF-8, so it is decoded as in os.fsdecode.
        values["file"] = "/".join(unquote(segment, errors="surrogateescape") for segment in rest)
    return _ARTIFACT_FILES, values


def address(operation: str, **values: str) -> tuple[str, str]:
    """(method, path) of an operation; every placeholder must be given and is percent-encoded. Raises KeyError otherwise."""
    route = BY_OPERATION[operation]
    segments = [
        quote(values[segment[1:-1]], safe="") if segment.startswith("{") else segment for segment in route.segments
    ]
    return route.method, "/" + "/".join(segments)
