"""Finds the Argo server of a cluster if it is not named: its service, how to reach it, and whether it uses TLS.

The service is recognized by its labels or its name, as in Argo's manifests (`argo-server`, app=argo-server) and its Helm chart
(`…-argo-workflows-server`, app.kubernetes.io/component=server). If it is exposed (inside the cluster, by a load balancer, by an ingress),
that address is used; else a tunnel through the Kubernetes API leads to one of its pods (port_forward.py). The service proxy of the API
would need no tunnel, but it consumes the Authorization header: Argo would get no token.
"""

from __future__ import annotations

import itertools
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from hera_utils.errors import AccessError, Refused, ResourceError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.cluster_messages import ClusterRequest
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.kubernetes_http import KubernetesHttp
from hera_utils.platforms.port_forward import PortForward
from hera_utils.settings.address import endpoint

Json = dict[str, Any]

PORT = 2746
_USUAL = ("argo", "argo-workflows")
_CONNECT_SECONDS = 2.0  # seconds for an exposed address to accept a connection
_PORT_NAMES = ("web", "server", "https", "http")


@dataclass(frozen=True)
class Service:
    """The service of an Argo server. selector: of its pods. port: of the service; target: of the pods (a number or a name)."""

    namespace: str
    name: str
    selector: dict[str, str]
    port: int
    target: int | str
    exposed: str = ""

    @property
    def description(self) -> str:
        return f"service {self.namespace}/{self.name}"

    @property
    def pods(self) -> str:
        """The selector of the service as text."""
        return ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))


def find_argo_server(cluster: Cluster, base: str = "") -> Connection:
    """The connection of the cluster, with the address of its Argo server. Raises ResourceError if none is found.

    base: the server's base path from the settings; "": the one with which the server's pod was started (`--base-href`).
    """
    http = cluster.http
    bare = cluster.connection
    service = _service(cluster, http)
    if service is None:
        raise ResourceError(
            f"no Argo server was found in the namespaces {', '.join(_namespaces(bare.namespace))} of the cluster",
            fix="name it with --argo_server or ARGO_SERVER, or its namespace with --argo_namespace",
        )
    inside = f"{service.name}.{service.namespace}.svc"
    if http.access.chosen.context == "in-cluster":
        secure = _speaks_tls(inside, service.port)
        url = f"{'https' if secure else 'http'}://{inside}:{service.port}"
        return replace(
            bare,
            argo_server=url + _normalize_base_path(base or _base_of(_pods(http, service))),
            origin=service.description,
        )
    by_ingress = _address_of_ingress(http, service)
    for url, below in ((by_ingress, ""), (service.exposed, base)):
        if url and _takes_connections(url):
            below = below or ("" if url == by_ingress else _base_of(_pods(http, service)))
            return replace(bare, argo_server=url + _normalize_base_path(below), origin=service.description)
    return _open_tunnel(cluster, http, service, base)


def _normalize_base_path(base: str) -> str:
    """A base path to append to a host: "" or `/argo`."""
    return f"/{base.strip('/')}" if base.strip("/") else ""


def _namespaces(first: str) -> list[str]:
    return list(dict.fromkeys((first, *_USUAL)))


def _service(cluster: Cluster, http: KubernetesHttp) -> Service | None:
    """The Argo server's service: in the namespace of the runs, in the usual namespaces, then in all, as far as permissions allow."""
    places = [f"/api/v1/namespaces/{quote(name)}/services" for name in _namespaces(cluster.namespace)]
    refused = None
    for place in (*places, "/api/v1/services"):
        answer = http.send(ClusterRequest("GET", place))
        # A user who may not list services may be allowed to get one.
        if answer.status == 403 and place != "/api/v1/services":
            named = http.send(ClusterRequest("GET", f"{place}/argo-server"))
            if named.ok:
                return _read_service(named.body)
        if answer.status in (403, 404):
            refused = answer
            continue
        if answer.status == 401:
            raise http.credential_refused()
        if not answer.ok:
            raise Refused(answer.status, answer.message, reason=answer.reason)
        services = [_read_service(item) for item in answer.body.get("items") or () if _is_argo_server(item)]
        if services:
            return min(services, key=lambda service: service.name != "argo-server")
    if refused is not None and refused.status == 403:
        raise AccessError(
            f"no Argo server is named, and the cluster does not permit to search for it: {refused.message}",
            fix="name it with --argo_server or ARGO_SERVER",
        )
    return None


def _is_argo_server(item: Json) -> bool:
    labels, name = item["metadata"].get("labels") or {}, str(item["metadata"].get("name", ""))
    chart = labels.get("app.kubernetes.io/part-of") == "argo-workflows"
    component = labels.get("app.kubernetes.io/component", "")
    return (
        name == "argo-server"
        or labels.get("app") == "argo-server"
        or (chart and component in ("server", "argo-server"))
        or name.endswith("argo-workflows-server")
    )


def _read_service(item: Json) -> Service:
    spec, metadata = item.get("spec") or {}, item["metadata"]
    ports = spec.get("ports") or [{"port": PORT}]
    port = next((service_port for service_port in ports if service_port.get("port") == PORT), None) or min(
        ports, key=lambda candidate: candidate.get("name") not in _PORT_NAMES
    )
    number = int(port["port"])
    return Service(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        selector=dict(spec.get("selector") or {}),
        port=number,
        target=port.get("targetPort") or number,
        exposed=_address_of_load_balancer(item, number),
    )


def _address_of_load_balancer(item: Json, port: int) -> str:
    """The address that a load balancer gives the service, or ""."""
    for ingress in ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        host = ingress.get("hostname") or ingress.get("ip")
        if host:
            return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return ""


def _address_of_ingress(http: KubernetesHttp, service: Service) -> str:
    """The address of an ingress to the service, or ""."""
    answer = http.send(
        ClusterRequest("GET", f"/apis/networking.k8s.io/v1/namespaces/{quote(service.namespace)}/ingresses")
    )
    if not answer.ok:
        return ""
    ingresses = [item.get("spec") or {} for item in answer.body.get("items") or ()]
    return next((address for spec in ingresses for address in _addresses(spec, service.name)), "")


def _addresses(ingress: Json, service: str) -> Iterator[str]:
    """The addresses with a single host by which an ingress (its spec) leads to a service."""
    secured = {host for tls in ingress.get("tls") or () for host in tls.get("hosts") or ()}
    for rule in ingress.get("rules") or ():
        host = rule.get("host") or ""
        if not host or "*" in host:
            continue
        for path in (rule.get("http") or {}).get("paths") or ():
            if ((path.get("backend") or {}).get("service") or {}).get("name") == service:
                below = str(path.get("path") or "").split("(")[0].rstrip("/")  # `/argo(/|$)(.*)` of nginx
                yield f"{'https' if host in secured else 'http'}://{host}{below}"


def _takes_connections(url: str) -> bool:
    try:
        with socket.create_connection(endpoint(url), _CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _open_tunnel(cluster: Cluster, http: KubernetesHttp, service: Service, base: str) -> Connection:
    base = base or _base_of(_serving(http, service))  # also raises the error if no pod is ready
    tunnel = PortForward(http.access, lambda: _pod(http, service), cluster.connection.proxy)
    host, port = tunnel.address
    secure = _speaks_tls(host, port)
    if tunnel.failure is not None:
        tunnel.close()
        raise tunnel.failure
    return replace(
        cluster.connection,
        argo_server=f"{'https' if secure else 'http'}://{host}:{port}{_normalize_base_path(base)}",
        # The certificate cannot name this end of the tunnel; the Kubernetes API has authenticated the other end.
        verify_tls=False,
        origin=f"{service.description}, through the Kubernetes API",
        tunnel=tunnel,
        process=os.getpid(),
    )


def _pod(http: KubernetesHttp, service: Service) -> tuple[str, str, int]:
    """(namespace, pod, port) of a ready pod. It is asked for each connection, so that the tunnel survives a restart of the pod."""
    pod = _serving(http, service)[0]
    return service.namespace, str(pod["metadata"]["name"]), _container_port(pod, service.target)


def _serving(http: KubernetesHttp, service: Service) -> list[Json]:
    """The ready pods. Raises AccessError if there is none."""
    ready = [pod for pod in _pods(http, service, must=True) if _is_ready(pod)]
    if not ready:
        raise AccessError(
            f"the Argo server ({service.description}) has no pod that is ready",
            fix=f"see: kubectl -n {service.namespace} get pods -l {service.pods or '…'}",
        )
    return ready


def _pods(http: KubernetesHttp, service: Service, *, must: bool = False) -> list[Json]:
    """The service's pods; [] if the user may not list them. must: raise AccessError then."""
    place = f"/api/v1/namespaces/{quote(service.namespace)}/pods"
    answer = http.send(ClusterRequest("GET", place, query={"labelSelector": service.pods}))
    if not answer.ok and must:
        raise AccessError(
            f"the pods of the Argo server ({service.description}) cannot be listed: {answer.message}",
            fix="name the server with --argo_server, or ask the cluster's owner for: list pods, create pods/portforward",
        )
    return list(answer.body.get("items") or ()) if answer.ok and service.pods else []


def _base_of(pods: list[Json]) -> str:
    """The base path with which the server of a pod was started: `--base-href`, else ARGO_BASE_HREF (BASE_HREF before Argo 3.5)."""
    containers = (pods[0].get("spec") or {}).get("containers") or () if pods else ()
    return next(filter(None, map(_base_of_container, containers)), "")


def _base_of_container(container: Json) -> str:
    words = [*(container.get("command") or ()), *(container.get("args") or ()), ""]
    for word, following in itertools.pairwise(words):
        if word.startswith("--base-href"):
            return str(word.partition("=")[2] or following)
    variables = {variable.get("name"): variable.get("value") or "" for variable in container.get("env") or ()}
    return str(variables.get("ARGO_BASE_HREF") or variables.get("BASE_HREF") or "")


def _is_ready(pod: Json) -> bool:
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or pod["metadata"].get("deletionTimestamp"):
        return False
    return all(
        condition.get("status") == "True"
        for condition in status.get("conditions") or ()
        if condition.get("type") == "Ready"
    )


def _container_port(pod: Json, target: int | str) -> int:
    if isinstance(target, int) or str(target).isdecimal():
        return int(target)
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target:
                return int(port["containerPort"])
    return PORT


def _speaks_tls(host: str, port: int) -> bool:
    """Whether a port uses TLS; False only if something else answers a handshake, which must be plain HTTP."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only the protocol is tested, not the identity
    try:
        with socket.create_connection((host, port), 10) as plain, context.wrap_socket(plain, server_hostname=host):
            return True
    except ssl.SSLError as error:
        return "WRONG_VERSION_NUMBER" not in str(error) and "record layer" not in str(error).lower()
    except OSError:
        return True
