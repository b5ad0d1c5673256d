"""Argo's server as the bed has it: the local platform's own REST behind TLS and a base path, with the cluster's rights.

Who asks must have what an Argo server in auth mode `client` asks of the Kubernetes API with the caller's own token: each call is
put to the bed's TokenReview and SubjectAccessReview by verb and resource, and refused in Argo's words. As there, what asks
nothing of Kubernetes (version, info, lint) takes any bearer token.

What is not real: workflows are executed by the local platform, with its own objects of Kubernetes, and are no objects of the bed.
So before a run is created the claims, config maps, secrets and service accounts of its namespace are copied there from the bed; a
bound claim is the folder that its static volume names, an unbound one is not copied.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hera_utils.argo import faults
from hera_utils.argo.routes import Route, match

from .api import Api, ApiError

Json = dict[str, Any]
_BINDING = 10.0  # seconds in which the bed binds a claim to a volume that is reserved for it
FOLDER = "hera-utils/folder"  # the local platform's annotation: which folder a claim stands for
COPIED = "bed/copied"
_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
_NO_TOKEN = "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"

_CREATES = (
    "CreateWorkflow",
    "CreateWorkflowTemplate",
    "SubmitWorkflow",
    "ResubmitWorkflow",
    "RetryWorkflow",
    "CreateCronWorkflow",
    "ResumeWorkflow",
)
# operation → what it does to which resource, beside those that follow from its name
_RIGHTS: dict[str, tuple[tuple[str, str], ...]] = {
    "SubmitWorkflow": (("create", "workflows"),),
    "WorkflowLogs": (("get", "workflows"), ("list", "pods"), ("get", "pods/log")),
    "PodLogs": (("get", "workflows"), ("list", "pods"), ("get", "pods/log")),
    "WatchWorkflows": (("watch", "workflows"),),
    "WatchEvents": (("watch", "events"),),
    "ResubmitWorkflow": (("get", "workflows"), ("create", "workflows")),
    "ListWorkflowEventBindings": (("list", "workfloweventbindings"),),
    "ListArchivedWorkflows": (("list", "workflows"),),
    "GetArchivedWorkflow": (("get", "workflows"),),
    "DeleteArchivedWorkflow": (("delete", "workflows"),),
    "ResubmitArchivedWorkflow": (("get", "workflows"), ("create", "workflows")),
    "RetryArchivedWorkflow": (("get", "workflows"), ("create", "workflows")),
    **{
        f"{verb}Workflow": (("get", "workflows"), ("update", "workflows"))
        for verb in ("Retry", "Resume", "Set", "Stop", "Suspend", "Terminate")
    },
    **{
        f"{verb}CronWorkflow": (("get", "cronworkflows"), ("update", "cronworkflows")) for verb in ("Resume", "Suspend")
    },
    **{f"{verb}Artifact{how}": (("get", "workflows"),) for verb in ("GetOutput", "GetInput") for how in ("", "ByUID")},
    "GetArtifactFile": (("get", "workflows"),),
}
_SERVICES = {
    "WorkflowService": "workflows",
    "WorkflowTemplateService": "workflowtemplates",
    "ClusterWorkflowTemplateService": "clusterworkflowtemplates",
    "CronWorkflowService": "cronworkflows",
}


def rights(route: Route) -> list[tuple[str, str]]:
    """(verb, resource or resource/part) that an operation needs of its caller; [] for what asks nothing of Kubernetes."""
    service, _, operation = route.operation.partition("_")
    if operation in _RIGHTS:
        return list(_RIGHTS[operation])
    resource = _SERVICES.get(service)
    verb = next((verb for verb in ("List", "Get", "Create", "Update", "Delete") if operation.startswith(verb)), None)
    return [] if resource is None or verb is None else [(verb.lower(), resource)]


@dataclass
class Refusal(Exception):
    code: int
    message: str


class Bouncer:
    """Asks the bed's API server who somebody is and what they may do. api: with the Argo server's own service account."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def admit(self, route: Route, authorization: str, namespace: str, name: str) -> None:
        """Raises Refusal."""
        token = authorization
        while token.startswith("Bearer "):
            token = token.removeprefix("Bearer ").strip()
        if not authorization.startswith("Bearer ") or not token:
            raise Refusal(faults.UNAUTHENTICATED, _NO_TOKEN)
        needed = rights(route)
        if not needed:
            return
        user = self._who(token)
        for verb, resource in needed:
            self._may(user, verb, resource, namespace, name)

    def _who(self, token: str) -> Json:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = self.api.create(review).get("status") or {}
        if not status.get("authenticated"):
            raise Refusal(faults.UNAUTHENTICATED, "Unauthorized")
        return status["user"]

    def _may(self, user: Json, verb: str, resource: str, namespace: str, name: str) -> None:
        plural, _, part = resource.partition("/")
        group = "argoproj.io" if "workflow" in plural else ""
        where = "" if plural.startswith("cluster") else namespace
        single = name if verb not in ("list", "watch", "create") and plural != "pods" else ""
        asked = {
            "namespace": where,
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": part,
            "name": single,
        }
        spec = {
            "resourceAttributes": {key: value for key, value in asked.items() if value},
            "user": user["username"],
            "groups": user.get("groups") or [],
            "uid": user.get("uid", ""),
            "extra": user.get("extra") or {},
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        if (self.api.create(review).get("status") or {}).get("allowed"):
            return
        what = f"{plural}.{group}" if group else plural
        scope = f'in the namespace "{where}"' if where else "at the cluster scope"
        thing = f'{what} "{single}"' if single else what
        raise Refusal(
            faults.PERMISSION_DENIED,
            f'{thing} is forbidden: User "{user["username"]}" cannot {verb} resource "{resource}" '
            f'in API group "{group}" {scope}',
        )


class Bridge:
    """Copies what runs name from a namespace of the bed to the local platform's namespace of that name."""

    def __init__(self, bed: Api, local: Api) -> None:
        self.bed, self.local = bed, local
        self._one = threading.Lock()

    def copy(self, namespace: str) -> None:
        with self._one:
            try:
                self.local.get("Namespace", namespace)
            except ApiError:
                self.local.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            volumes = {one["metadata"]["name"]: one for one in self.bed.list("PersistentVolume")}
            self._wait_for_claims(namespace, volumes.values())
            for kind in ("PersistentVolumeClaim", "ConfigMap", "Secret", "ServiceAccount"):
                wanted = {}
                for one in self.bed.list(kind, namespace):
                    document = _copy(kind, one, volumes)
                    if document is not None:
                        wanted[one["metadata"]["name"]] = document
                self._bring(kind, namespace, wanted)

    def _wait_for_claims(self, namespace: str, volumes: Iterable[Json]) -> None:
        """Wait for new claims that a volume is reserved for. On a cluster their pods would wait, here they would fail without the claim."""
        claims = [volume["spec"].get("claimRef") or {} for volume in volumes]
        reserved = {claim.get("name") for claim in claims if claim.get("namespace") == namespace}
        until = time.monotonic() + _BINDING
        while time.monotonic() < until and any(
            one["metadata"]["name"] in reserved and (one.get("status") or {}).get("phase") == "Pending"
            for one in self.bed.list("PersistentVolumeClaim", namespace)
        ):
            time.sleep(0.1)

    def _bring(self, kind: str, namespace: str, wanted: dict[str, Json]) -> None:
        present = {one["metadata"]["name"]: one for one in self.local.list(kind, namespace)}
        for name, document in wanted.items():
            there = present.get(name)
            mark = document["metadata"]["annotations"][COPIED]
            if there is None:
                self.local.create(document)
            elif (there["metadata"].get("annotations") or {}).get(COPIED, mark) != mark:
                self.local.delete(kind, name, namespace)
                self.local.create(document)
        for name, there in present.items():
            if name not in wanted and COPIED in (there["metadata"].get("annotations") or {}):
                self.local.delete(kind, name, namespace)


def _copy(kind: str, one: Json, volumes: dict[str, Json]) -> Json | None:
    meta = one["metadata"]
    annotations = {COPIED: str(meta["resourceVersion"])}
    made: Json = {"apiVersion": "v1", "kind": kind}
    if kind == "PersistentVolumeClaim":
        volume = volumes.get(one["spec"].get("volumeName", ""))
        if (one.get("status") or {}).get("phase") != "Bound" or volume is None:
            return None
        annotations[FOLDER] = volume["spec"]["hostPath"]["path"]
        made["spec"] = {key: value for key, value in one["spec"].items() if key in ("accessModes", "resources")}
    elif meta["name"] == "kube-root-ca.crt" or one.get("type") == "kubernetes.io/service-account-token":
        return None
    made.update({key: one[key] for key in ("data", "type") if key in one})
    return {**made, "metadata": {"name": meta["name"], "namespace": meta["namespace"], "annotations": annotations}}


@dataclass(frozen=True)
class Behind:
    """What a front stands before. local: what the local platform's server.json says. base: path, without a `/` at its end."""

    local: Json
    bouncer: Bouncer
    bridge: Bridge
    base: str = "/argo"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: _Server

    def setup(self) -> None:
        if self.server.tls is not None:  # here, in the thread of the connection: a slow handshake holds up nobody else
            self.request.settimeout(10)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_GET(self) -> None:
        behind, raw = self.server.behind, self.path
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if raw != behind.base and not raw.startswith(behind.base + "/"):
            self._say(404, b"404 page not found\n", "text/plain")
            return
        path = raw[len(behind.base) :] or "/"
        route, values = match(self.command, urlsplit(path).path) or (None, {})
        if route is not None and not self._admitted(route, values, path):
            return
        self._pass_on(path, body)

    do_POST = do_PUT = do_DELETE = do_GET

    def _admitted(self, route: Route, values: dict[str, str], path: str) -> bool:
        behind = self.server.behind
        query = {key: given[-1] for key, given in parse_qs(urlsplit(path).query).items()}
        namespace = values.get("namespace") or query.get("namespace", "")
        try:
            authorization = self.headers.get("Authorization", "")
            behind.bouncer.admit(route, authorization, namespace, values.get("name") or values.get("id", ""))
            if namespace and route.operation.partition("_")[2] in _CREATES:
                behind.bridge.copy(namespace)
        except Refusal as refusal:
            status = faults.http_status(refusal.code)
            if route.operation.startswith("ArtifactService"):
                self._say(status, f"{faults.status_text(status)}\n".encode(), "text/plain")
            else:
                shape = faults.stream_body if route.stream else faults.unary_body
                self._say(status, json.dumps(shape(refusal.code, refusal.message)).encode())
            return False
        except (ApiError, OSError) as error:
            self._say(503, json.dumps(faults.unary_body(faults.UNAVAILABLE, f"the cluster: {error}")).encode())
            return False
        return True

    def _say(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pass_on(self, path: str, body: bytes | None) -> None:
        local = self.server.behind.local
        parts = urlsplit(local["argo_server"])
        there = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=120)
        headers = {
            key: value for key, value in self.headers.items() if key.lower() not in (*_HOP, "host", "authorization")
        }
        headers |= {"Authorization": f"Bearer {local['token']}", "Connection": "close"}
        try:
            try:
                there.request(self.command, path, body, headers)
                reply = there.getresponse()
            except OSError:
                text = b"upstream connect error or disconnect/reset before headers"
                self._say(503, text, "text/plain")
                return
            self._answer(reply)
        except OSError:
            self.close_connection = True  # the caller is gone, or the platform is
        finally:
            there.close()

    def _answer(self, reply: http.client.HTTPResponse) -> None:
        length = reply.getheader("Content-Length")
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in (*_HOP, "server", "date"):
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", length)
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while piece := reply.read1(65536):
                self.wfile.write(piece if length is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        except http.client.HTTPException:
            self.close_connection = True
            return
        if length is None:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behind: Behind, tls: ssl.SSLContext | None, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.behind, self.tls = behind, tls
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or spoke no TLS: what a server meets every day."""

    def cut(self) -> None:
        """Every connection ends, as when a server crashes."""
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.open.discard(one)


@contextmanager
def front(behind: Behind, tls: ssl.SSLContext | None, port: int = 0) -> Iterator[tuple[str, _Server]]:
    """Serve as long as the block lasts: (URL with base path, the server)."""
    server = _Server(behind, tls, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}{behind.base}", server
    finally:
        server.shutdown()
        server.cut()
        server.server_close()
        thread.join(5)
