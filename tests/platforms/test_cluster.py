"""The Kubernetes side, on the real local platform and where there is none."""

import socket
from dataclasses import replace

import pytest

from hera_utils.errors import AccessError, Refused, ResourceError, SettingsError, UnsupportedError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.token_sources import ServiceAccountToken

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]
clusters: [{{name: lab, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: planted-token-5e1f}}}}]
"""


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_objects_come_and_go(local_platform):
    cluster = local_platform.cluster
    assert cluster.local
    cluster.check()
    assert not cluster.exists("ConfigMap", "proxies")
    cluster.create(config_map("proxies", HTTP_PROXY="http://proxy"))
    assert cluster.get("ConfigMap", "proxies")["data"] == {"HTTP_PROXY": "http://proxy"}
    assert [one["metadata"]["name"] for one in cluster.list("ConfigMap")] == ["proxies"]
    with pytest.raises(Refused) as caught:
        cluster.create(config_map("proxies"))
    assert caught.value.reason == "AlreadyExists"
    cluster.delete("ConfigMap", "proxies")
    with pytest.raises(Refused) as caught:
        cluster.get("ConfigMap", "proxies")
    assert (caught.value.reason, caught.value.code) == ("NotFound", 5)
    with pytest.raises(UnsupportedError, match="Node"):
        cluster.get("Node", "x")


def test_a_namespace_that_is_not_there(local_platform):
    with pytest.raises(ResourceError, match="no namespace `nowhere` on this machine") as caught:
        Cluster(replace(local_platform.connection, namespace="nowhere")).check()
    assert "--argo_namespace" in caught.value.fix


def test_a_service_accounts_token_is_asked_for_and_kept(local_platform):
    token = ServiceAccountToken(replace(local_platform.connection, service_account="default"))
    assert token() == token()
    assert token()
    with pytest.raises(AccessError, match="gives no token") as caught:
        ServiceAccountToken(replace(local_platform.connection, service_account="nobody"))()
    assert "--argo_service_account" in caught.value.fix


@pytest.fixture
def kubeconfig(tmp_path):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=port))
    return path


def remote(path, **options):
    return Cluster(Connection("http://argo.example", kubeconfig=str(path), **options))


def test_a_cluster_that_does_not_answer(kubeconfig):
    with pytest.raises(AccessError, match="does not answer") as caught:
        remote(kubeconfig).check()
    assert str(kubeconfig) in str(caught.value)
    assert "planted" not in f"{caught.value} {caught.value.fix}"


@pytest.mark.parametrize("text", ["", "planted: [", "just text", "[1, 2]", "{current-context: none, contexts: []}"])
def test_a_kubeconfig_that_is_none(tmp_path, text):
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        remote(path).check()
    assert "planted" not in str(caught.value)
    assert "--k8s_config_file" in caught.value.fix


def test_a_context_that_is_not_there(kubeconfig):
    with pytest.raises(SettingsError, match="cannot be used"):
        remote(kubeconfig, context="paris").check()


def test_no_kubeconfig_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster = Cluster(Connection("http://argo.example"))
    assert not cluster.leads_somewhere()
    with pytest.raises(AccessError, match="no kubeconfig leads to the cluster"):
        cluster.check()
    with pytest.raises(SettingsError, match="there is no kubeconfig at"):
        remote(tmp_path / "missing").check()


def test_the_first_of_a_list_that_is_there(kubeconfig):
    assert remote(f"/nowhere:{kubeconfig}").kubeconfig() == str(kubeconfig)


def status(code, reason, message):
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "code": code,
        "reason": reason,
        "message": message,
        "status": "Failure",
    }


@pytest.fixture
def answering(double, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=double.server_address[1]))
    return remote(path, namespace="lyon", token="planted-token-5e1f")


def test_being_told_no_is_an_answer(double, answering):
    double.on("GET", "/api/v1/namespaces/lyon", status(403, "Forbidden", "namespaces is forbidden"), 403)
    answering.check()
    double.on("GET", "/api/v1/namespaces/lyon", status(401, "Unauthorized", "Unauthorized"), 401)
    with pytest.raises(AccessError, match="refuses the credential"):
        answering.check()
    double.on("GET", "/api/v1/namespaces/lyon", status(404, "NotFound", 'namespaces "lyon" not found'), 404)
    with pytest.raises(ResourceError, match="no namespace `lyon` in the cluster"):
        answering.check()
    double.on("GET", "/api/v1/namespaces/lyon/secrets", status(403, "Forbidden", "no: planted-token-5e1f"), 403)
    with pytest.raises(AccessError, match="forbids this") as caught:
        answering.list("Secret")
    assert "planted" not in str(caught.value)
