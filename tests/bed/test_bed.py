"""The bed is what it says: users have their rights and no others, claims are bound, logs and ports go through the API server."""

from __future__ import annotations

import ssl
import time

import pytest
import requests

from .api import Api, ApiError
from .handle import ARGO


@pytest.mark.parametrize(
    ("user", "verb", "resource", "allowed"),
    [
        ("researcher", "create", "workflows", True),
        ("researcher", "create", "roles", False),
        ("owner", "create", "roles", True),
        ("reader", "list", "workflows", True),
        ("reader", "create", "workflows", False),
        ("nobody", "list", "workflows", False),
    ],
)
def test_users_have_their_rights_and_no_others(place, user, verb, resource, allowed) -> None:
    group = "argoproj.io" if resource == "workflows" else "rbac.authorization.k8s.io"
    asked = {"namespace": place.name, "verb": verb, "group": group, "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    reply = place.api(user).ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert reply["status"]["allowed"] is allowed


@pytest.mark.parametrize("context", ["researcher", "researcher-token", "researcher-exec"])
def test_the_same_user_by_certificate_by_token_and_by_plugin(place, context) -> None:
    from kubernetes import client, config

    api = config.new_client_from_config(str(place.kubeconfig("researcher")), context)
    assert client.CoreV1Api(api).read_namespaced_config_map("cluster", place.name).data["site"] == "bed"


def test_a_brief_token_is_refused_in_time(place) -> None:
    at_once = Api(place.bed.kubernetes, str(place.bed.authority), token=place.brief_token(seconds=-1))
    with pytest.raises(ApiError, match="401"):
        at_once.list("ConfigMap", place.name)
    brief = Api(place.bed.kubernetes, str(place.bed.authority), token=place.brief_token(seconds=60))
    assert brief.list("ConfigMap", place.name)


def test_logs_go_through_the_api_server_and_are_followed(place) -> None:
    folder = place.bed.pod("talks", place.name, logs={"main": "one\ntwo\n"})
    where = f"/api/v1/namespaces/{place.name}/pods/talks/log"
    assert place.api("reader").ask("GET", f"{where}?tailLines=1") == "two\n"
    with pytest.raises(ApiError, match="403"):
        place.api("nobody").ask("GET", where)
    with (folder / "main.log").open("a") as log:
        log.write("three\n")
    (folder / "main.ended").touch()
    assert place.api("reader").ask("GET", f"{where}?follow=true") == "one\ntwo\nthree\n"


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # of the foreign client, when it is cut
def test_the_argo_servers_port_is_forwarded(place) -> None:
    from kubernetes import client, config
    from kubernetes.stream import portforward

    config.load_kube_config(str(place.kubeconfig("researcher")))
    core = client.CoreV1Api()
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, "argo-server", ARGO, ports="2746")
    plain = forwarded.socket(2746)
    plain.settimeout(10)
    trust = ssl.create_default_context(cafile=str(place.bed.authority))
    with trust.wrap_socket(plain, server_hostname="localhost") as secure:
        secure.sendall(
            b"GET /argo/api/v1/version HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer x\r\n\r\n"
        )
        assert secure.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("account", "path", "status", "message"),
    [
        ("reader", "workflows/{}", 200, ""),
        ("nobody", "workflows/{}", 403, 'nobody" cannot list resource "workflows" in API group "argoproj.io" in the'),
        ("", "workflows/{}", 401, "Unauthorized"),
        ("researcher", "workflow-templates/kube-system", 403, "workflowtemplates.argoproj.io is forbidden: User "),
        ("researcher", "cluster-workflow-templates", 403, "cannot list resource"),
        ("", "version", 200, ""),
    ],
)
def test_the_argo_server_asks_the_cluster_about_each_call(place, account, path, status, message) -> None:
    token = place.token(account) if account else "made-up"
    url = f"{place.bed.argo_server}/api/v1/{path.format(place.name)}"
    reply = requests.get(url, headers={"Authorization": f"Bearer {token}"}, verify=str(place.bed.authority), timeout=10)
    assert reply.status_code == status
    assert message in reply.json().get("message", "")


def test_the_controllers_lease_is_renewed_until_a_test_leaves_it_stale(place) -> None:
    place.install_argo()
    place.leave_lease_stale(age=3600)
    stale = place.api("researcher").get("Lease", "workflow-controller", place.name)["spec"]["renewTime"]
    fresh = place.bed.admin.get("Lease", "workflow-controller", ARGO)["spec"]["renewTime"]
    assert stale < fresh
    begun = time.monotonic()
    while place.bed.admin.get("Lease", "workflow-controller", ARGO)["spec"]["renewTime"] == fresh:
        assert time.monotonic() - begun < 15
        time.sleep(0.2)
    assert place.api("researcher").get("Lease", "workflow-controller", place.name)["spec"]["renewTime"] == stale
