"""Which of a cluster's services is the Argo server, and by which address it is reached where it is exposed."""

import pytest

from hera_utils.errors import AccessError, ResourceError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.discovery import _is_argo_server, _read_service, find_argo_server

KUBECONFIG = """
current-context: lab
contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]
clusters: [{{name: lab, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: planted}}}}]
"""


def service(name="argo-server", namespace="argo", *, balanced=None, port=2746, labels=None, ports=None):
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {"selector": {"app": name}, "ports": ports or [{"name": "web", "port": port, "targetPort": "web"}]},
        "status": {"loadBalancer": {"ingress": [balanced]} if balanced else {}},
    }


def ingress(host, path="/", *, tls=False, to="argo-server"):
    rule = {"host": host, "http": {"paths": [{"path": path, "backend": {"service": {"name": to}}}]}}
    return {"spec": {"rules": [rule], "tls": [{"hosts": [host]}] if tls else []}}


def pod(args=(), *, ready="True"):
    container = {"args": ["server", *args], "ports": [{"name": "web", "containerPort": 2746}]}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": "argo-server-1"}, "spec": {"containers": [container]}, "status": status}


@pytest.fixture
def cluster(double, tmp_path):
    """A Kubernetes API that lists the given objects; everything else is forbidden."""
    forbidden = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "services is forbidden"}
    double.answers["*"] = lambda exchange: exchange.reply(forbidden, 403)
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(port=double.server_address[1]))

    def made(where="argo", services=(), ingresses=(), pods=()):
        def items(found):
            return {"items": list(found)}

        double.on("GET", f"/api/v1/namespaces/{where}/services", items(services))
        double.on("GET", f"/apis/networking.k8s.io/v1/namespaces/{where}/ingresses", items(ingresses))
        double.on("GET", f"/api/v1/namespaces/{where}/pods", items(pods))
        return Cluster(Connection("", namespace="lyon", kubeconfig=str(tmp_path / "kubeconfig")))

    return made


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        (service(), True),
        (service("other", labels={"app": "argo-server"}), True),
        (service("lab-argo-workflows-server"), True),
        (
            service(
                "x", labels={"app.kubernetes.io/part-of": "argo-workflows", "app.kubernetes.io/component": "server"}
            ),
            True,
        ),
        (service("x", labels={"app.kubernetes.io/part-of": "argocd", "app.kubernetes.io/component": "server"}), False),
        (service("argocd-server"), False),
        (service("workflow-controller-metrics"), False),
    ],
)
def test_which_service_it_is(item, answer):
    assert _is_argo_server(item) is answer


def test_the_port_of_the_service():
    ports = [{"name": "metrics", "port": 9090}, {"name": "web", "port": 80, "targetPort": 2746}]
    assert (_read_service(service(ports=ports)).port, _read_service(service(ports=ports)).target) == (80, 2746)


def test_by_a_load_balancer(double, cluster):
    """Its address is used when it takes connections, with the base path that its pod is told."""
    port = double.server_address[1]
    found = find_argo_server(
        cluster(services=[service(balanced={"ip": "127.0.0.1"}, port=port)], pods=[pod(["--base-href=/wf/"])])
    )
    assert (found.argo_server, found.origin, found.verify_tls) == (
        f"https://127.0.0.1:{port}/wf",
        "service argo/argo-server",
        True,
    )
    assert found.tunnel is None


def test_by_an_ingress(double, cluster):
    host = f"127.0.0.1:{double.server_address[1]}"
    found = find_argo_server(
        cluster(services=[service()], ingresses=[ingress("*.example"), ingress(host, "/argo(/|$)(.*)")])
    )
    assert found.argo_server == f"http://{host}/argo"
    found = find_argo_server(cluster(services=[service()], ingresses=[ingress(host, tls=True)]), "elsewhere")
    assert found.argo_server == f"https://{host}"


def test_what_is_not_allowed_is_told(cluster):
    with pytest.raises(AccessError, match="does not permit to search for it: services is forbidden") as caught:
        find_argo_server(cluster("nowhere"))
    assert "--argo_server" in caught.value.fix


def test_one_that_may_be_looked_at_though_not_listed(double, cluster):
    exposed = service(namespace="lyon", balanced={"ip": "127.0.0.1"}, port=double.server_address[1])
    double.on("GET", "/api/v1/namespaces/lyon/services/argo-server", exposed)
    assert find_argo_server(cluster("nowhere")).origin == "service lyon/argo-server"


def test_a_server_without_a_pod(cluster):
    with pytest.raises(AccessError, match=r"service argo/argo-server. has no pod that is ready") as caught:
        find_argo_server(cluster(services=[service()], pods=[pod(ready="False")]))
    assert "kubectl -n argo get pods -l app=argo-server" in caught.value.fix


def test_none_at_all(double, cluster):
    made = cluster()
    for where in ("lyon", "argo-workflows"):
        double.on("GET", f"/api/v1/namespaces/{where}/services", {"items": []})
    double.on("GET", "/api/v1/services", {"items": [service("argocd-server")]})
    with pytest.raises(ResourceError, match="no Argo server was found in the namespaces lyon, argo, argo-workflows"):
        find_argo_server(made)
