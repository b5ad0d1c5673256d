"""Every way to a real Kubernetes API and to the Argo server before it (tests/bed)."""

import logging
import os
import re
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import yaml

from hera_utils.errors import AccessError, HeraUtilsError, ResourceError, SettingsError
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.discovery import _base_of
from hera_utils.platforms.hera_binding import bind_hera
from hera_utils.platforms.token import expiry
from hera_utils.platforms.token_sources import ServiceAccountToken
from hera_utils.settings.kubeconfig import context_of_this_pod
from hera_utils.settings.sources import Surroundings, read_settings

HELLO = {
    "kind": "Workflow",
    "metadata": {"generateName": "hello-"},
    "spec": {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "alpine:3", "command": ["true"]}}]},
}


@pytest.fixture
def settings(tmp_path):
    def made(environ=None, **flags):
        return read_settings(flags, around=Surroundings(environ=environ or {}, directory=tmp_path, home=tmp_path))

    return made


@pytest.fixture
def remote(settings, place):
    """Settings of the bed's Argo server, trusted by its own authority."""

    def made(**flags):
        known = {
            "argo_server": place.bed.argo_server,
            "argo_namespace": place.name,
            "ca_file": str(place.bed.authority),
        }
        return settings(**{**known, **flags})

    return made


@pytest.mark.parametrize("context", ["researcher", "researcher-token", "researcher-exec"])
def test_certificate_token_and_plugin(place, context):
    cluster = Cluster(Connection("", namespace=place.name, kubeconfig=str(place.kubeconfig()), context=context))
    assert {"inequality", "single", "pending"} <= {
        one["metadata"]["name"] for one in cluster.list("PersistentVolumeClaim")
    }
    assert cluster.version().startswith("v")
    with pytest.raises(AccessError, match="forbids this"):
        cluster.delete("ConfigMap", "cluster")


def test_several_files_are_one(place, tmp_path):
    """Clusters, users and the context are in three files; the first definition wins; paths are relative to their file."""
    document = yaml.safe_load(place.kubeconfig().read_text())
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "held").write_text(place.token())
    (tmp_path / "users" / "config").write_text(
        yaml.safe_dump({"users": [{"name": "me", "user": {"tokenFile": "held"}}], "current-context": "weaker"})
    )
    (tmp_path / "ca.pem").write_bytes(place.bed.authority.read_bytes())
    server = document["clusters"][0]["cluster"]["server"]
    (tmp_path / "clusters").write_text(
        yaml.safe_dump(
            {"clusters": [{"name": "bed", "cluster": {"server": server, "certificate-authority": "ca.pem"}}]}
        )
    )
    context = {"name": "here", "context": {"cluster": "bed", "user": "me", "namespace": place.name}}
    (tmp_path / "contexts").write_text(yaml.safe_dump({"contexts": [context], "current-context": "here"}))
    named = os.pathsep.join(str(tmp_path / name) for name in ("missing", "contexts", "clusters", "users/config"))
    cluster = Cluster(Connection("", namespace=place.name, kubeconfig=named))
    assert cluster.exists("ConfigMap", "cluster")
    assert cluster.http.access.chosen.namespace == place.name
    (tmp_path / "users" / "held").write_text("planted-stale-token")
    with pytest.raises(AccessError, match="refuses the credential") as caught:
        cluster.exists("ConfigMap", "cluster")
    assert "planted" not in str(caught.value)
    (tmp_path / "users" / "held").write_text(place.token())  # the token is rotated while the program runs
    assert cluster.exists("ConfigMap", "cluster")


def test_the_plugin_is_asked_again_when_what_it_gave_is_refused(place):
    path = place.kubeconfig()
    held = place.bed.folder / "kubeconfigs" / "tokens" / f"{place.name}-researcher"
    good, stale = held.read_text(), place.brief_token(seconds=6)
    held.write_text(stale)
    cluster = Cluster(Connection("", namespace=place.name, kubeconfig=str(path), context="researcher-exec"))
    assert cluster.exists("ConfigMap", "cluster")
    held.write_text(good)
    time.sleep(6.5)
    assert cluster.exists("ConfigMap", "cluster")


def test_a_wrong_authority_and_another_name(place, tmp_path):
    document = yaml.safe_load(place.kubeconfig().read_text())
    entry = document["clusters"][0]["cluster"]
    path = tmp_path / "config"

    def cluster():
        path.write_text(yaml.safe_dump(document))
        return Cluster(Connection("", namespace=place.name, kubeconfig=str(path)))

    entry["tls-server-name"] = "somebody.example"
    with pytest.raises(AccessError, match="somebody.example"):
        cluster().check()
    entry["tls-server-name"] = "localhost"
    cluster().check()
    del entry["tls-server-name"], entry["certificate-authority-data"]
    with pytest.raises(AccessError, match="is not trusted by .*unable to get local issuer"):
        cluster().check()
    entry["insecure-skip-tls-verify"] = True
    cluster().check()
    document["users"][0]["user"]["as"] = "somebody"
    with pytest.raises(AccessError, match="cannot impersonate"):
        cluster().list("ConfigMap")


def test_inside_a_pod_its_own_account_leads(place, tmp_path, monkeypatch):
    """The mounts and variables of a kubelet; the token is rotated during the test."""
    for name, text in (
        ("token", place.token()),
        ("namespace", place.name),
        ("ca.crt", place.bed.authority.read_text()),
    ):
        (tmp_path / name).write_text(text)
    parts = urlsplit(place.bed.kubernetes)
    around = {"KUBERNETES_SERVICE_HOST": parts.hostname, "KUBERNETES_SERVICE_PORT": str(parts.port)}
    chosen = context_of_this_pod(tmp_path, around)
    assert chosen.namespace == place.name
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("hera_utils.settings.kubeconfig.context_of_this_pod", lambda: chosen)
    cluster = Cluster(Connection("", namespace=place.name))
    assert cluster.exists("ConfigMap", "cluster")
    (tmp_path / "token").write_text("planted-stale")
    with pytest.raises(AccessError, match="refuses the credential"):
        cluster.exists("ConfigMap", "cluster")
    (tmp_path / "token").write_text(place.token())
    assert cluster.exists("ConfigMap", "cluster")
    assert context_of_this_pod(tmp_path, {}) is None


@pytest.mark.parametrize("way", ["argo_token", "argo_token_file", "argo_token_command", "service account"])
def test_each_way_to_give_a_token(place, remote, tmp_path, way):
    token = place.token()
    if way == "argo_token":
        context = remote(argo_token=f"Bearer {token}")
    elif way == "argo_token_file":
        (tmp_path / "token").write_text(token + "\n")
        context = remote(argo_token_file=str(tmp_path / "token"))
    elif way == "argo_token_command":
        (tmp_path / "it's.txt").write_text(f"Bearer {token}")
        context = remote(argo_token_command=f"cat '{tmp_path}/it'\"'\"'s.txt'")
    else:
        context = remote(argo_service_account="researcher", k8s_config_file=str(place.kubeconfig()))
    connection = connect(context)
    assert token not in repr(connection)
    with ArgoClient(connection) as client:
        assert client.list() == []
        name = client.create(HELLO)["metadata"]["name"]
        assert client.wait(name, timeout=60)["status"]["phase"] == "Succeeded"


def test_a_token_of_the_asked_lifetime_is_renewed_while_it_is_used(place):
    connection = Connection("", namespace=place.name, kubeconfig=str(place.kubeconfig()), service_account="researcher")
    source = ServiceAccountToken(connection, lifetime=1200)
    first = source()
    assert abs(expiry(first) - time.time() - 1200) < 30
    assert source() == first
    source._until = time.time()  # as if three quarters of its lifetime had passed
    assert source() != first
    with pytest.raises(AccessError, match="the service account `nobody` gives no token") as caught:
        ServiceAccountToken(
            Connection("", namespace=place.name, kubeconfig=str(place.kubeconfig()), service_account="nobody")
        )()
    assert "--argo_service_account" in caught.value.fix


def test_a_run_outlives_its_first_token(place, remote, tmp_path):
    """The token file is rewritten during the run, as by a kubelet; the watch uses the new token when the old one expires."""
    held = tmp_path / "token"
    held.write_text(place.brief_token(seconds=2))
    slow = {
        **HELLO,
        "spec": {
            "entrypoint": "m",
            "templates": [{"name": "m", "container": {"image": "alpine:3", "command": ["sleep", "5"]}}],
        },
    }
    with ArgoClient(connect(remote(argo_token_file=str(held)))) as client:
        name = client.create(slow)["metadata"]["name"]
        threading.Timer(5, lambda: held.write_text(place.token())).start()
        time.sleep(6.5)
        assert client.wait(name, timeout=60)["status"]["phase"] == "Succeeded"


def test_hera_outlives_its_first_token(place, remote, tmp_path):
    """The polls of Hera's own `create(wait=True)` use the token that is valid at that time."""
    from hera.workflows import Container, Workflow

    held = tmp_path / "token"
    held.write_text(place.brief_token(seconds=6))
    with bind_hera(connect(remote(argo_token_file=str(held)))):
        with Workflow(generate_name="hera-", entrypoint="c") as workflow:
            Container(name="c", image="alpine:3", command=["sleep", "9"])
        threading.Timer(5, lambda: held.write_text(place.token())).start()
        assert workflow.create(wait=True, poll_interval=3).status.phase == "Succeeded"


def test_nothing_of_a_secret_is_told_anywhere(place, remote, settings, tmp_path, caplog):
    """All loggers are at their most verbose level, every object is printed, and every error with its whole chain."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")  # the official Argo client, in another test, has set its level
    tokens = [place.token(), place.token("nobody"), place.brief_token(seconds=-60)]
    shown = []
    for token in tokens:
        connection = connect(remote(argo_token=token))
        with ArgoClient(connection) as client:
            try:
                shown += [client.list(), client.create(HELLO, dry_run=True)]
            except HeraUtilsError as error:
                shown.append("".join(traceback.format_exception(error)))
                around = error.__context__
                while around is not None:
                    shown.append(f"{around!r} {around}")
                    around = around.__context__
            shown += [connection, client, client._http]
    tunnelled = connect(
        settings(
            {"ARGO_BASE_HREF": "argo"},
            platform="remote",
            k8s_config_file=str(place.kubeconfig()),
            k8s_context="researcher-token",
        )
    )
    cluster = Cluster(tunnelled)
    with ArgoClient(tunnelled) as client:
        shown += [
            client.list(),
            cluster.list("ConfigMap"),
            cluster.http.access,
            cluster.http.access.chosen,
            tunnelled,
            tunnelled.tunnel,
        ]
    tokens.append(tunnelled.current_token())
    with pytest.raises(AccessError) as caught:
        cluster.delete("ConfigMap", "cluster")
    shown.append("".join(traceback.format_exception(caught.value)))
    told = caplog.text + "".join(map(repr, shown)) + "".join(map(str, shown))
    assert "urllib3" in caplog.text
    assert [token for token in tokens if token in told or token.split(".")[2] in told] == []


def test_an_expired_token_says_when_it_ended(place, remote):
    with (
        ArgoClient(connect(remote(argo_token=place.brief_token(seconds=-180)))) as client,
        pytest.raises(AccessError) as caught,
    ):
        client.list()
    assert "expired at 20" in str(caught.value)
    assert re.search(r"\d+ min ago", str(caught.value))


def test_trust(place, remote, tmp_path):
    token = place.token()
    with ArgoClient(connect(remote(argo_token=token, ca_file=None))) as client, pytest.raises(AccessError) as caught:
        client.version()
    assert "is not trusted by the authorities that this machine trusts" in str(caught.value)
    assert "--ca_file" in caught.value.fix
    with ArgoClient(connect(remote(argo_token=token, ca_file=None, verify_tls=False))) as client:
        assert client.list() == []
    (tmp_path / "empty.pem").write_text("")
    empty = connect(remote(argo_token=token, ca_file=str(tmp_path / "empty.pem")))
    with ArgoClient(empty) as client, pytest.raises(SettingsError, match="empty.pem cannot be used"):
        client.version()
    with pytest.raises(SettingsError, match="there is no file"):
        connect(remote(ca_file=str(tmp_path / "missing.pem")))
    elsewhere = connect(remote(argo_token=token, argo_server=place.bed.argo_server.replace("127.0.0.1", "127.0.0.2")))
    with ArgoClient(elsewhere) as client, pytest.raises(HeraUtilsError, match="127.0.0.2"):
        client.version()


@pytest.mark.parametrize("where", ["usual", "own"])
@pytest.mark.parametrize("user", ["researcher-exec", "researcher"])
def test_a_server_that_nobody_names_is_found_and_reached(place, settings, where, user):
    """Only a kubeconfig: the service is found in its cluster, and a tunnel leads to its pod. A user with a certificate alone
    has no token for Argo: a service account gives one."""
    if where == "own":
        place.install_argo()
    flags = {"platform": "remote", "k8s_config_file": str(place.kubeconfig()), "k8s_context": user}
    if user == "researcher":
        context = settings({"ARGO_BASE_HREF": "/argo/"}, **flags)
        with (
            ArgoClient(connect(context)) as client,
            pytest.raises(AccessError, match="a client certificate logs in, which"),
        ):
            client.list()
        flags["argo_service_account"] = "researcher"
    context = settings({"ARGO_BASE_HREF": "/argo/"}, **flags)
    assert context.argo_namespace == place.name
    connection = connect(context)
    expected = place.name if where == "own" else "argo"
    assert connection.origin == f"service {expected}/argo-server, through the Kubernetes API"
    assert connect(context).tunnel is connection.tunnel, "the way that stands is taken again"
    with ArgoClient(connection) as client:
        name = client.create(HELLO)["metadata"]["name"]
        assert client.wait(name, timeout=60)["status"]["phase"] == "Succeeded"


def test_the_users_own_token_where_the_service_account_gives_none(place, settings):
    flags = {"platform": "remote", "k8s_config_file": str(place.kubeconfig()), "k8s_context": "researcher-token"}
    connection = connect(settings({"ARGO_BASE_HREF": "argo"}, argo_service_account="runner-of-somebody", **flags))
    with ArgoClient(connection) as client:
        assert client.list() == []
    with pytest.raises(AccessError, match="gives no token"):
        connect(settings(argo_service_account="nobody", **{**flags, "k8s_context": "researcher"})).current_token()


def test_much_goes_through_the_tunnel_and_its_pod_may_be_replaced(place, settings):
    """4 MiB up and down whole, and concurrently; a pod that is gone is replaced by the one that took its place."""
    place.install_argo()
    context = settings(
        {"ARGO_BASE_HREF": "argo"},
        platform="remote",
        k8s_config_file=str(place.kubeconfig()),
        k8s_context="researcher-token",
    )
    connection = connect(context)

    def ask(text):
        document = {**HELLO, "metadata": {"generateName": "big-", "annotations": {"long": text}}}
        with ArgoClient(connection) as client:
            return client.get(client.create(document)["metadata"]["name"])["metadata"]["annotations"]["long"]

    texts = [str(number) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as several:
        assert list(several.map(ask, texts)) == texts
    pod = place.bed.admin.where("Pod", place.name, "argo-server")
    place.bed.admin.ask("DELETE", pod, {"gracePeriodSeconds": 0})
    with pytest.raises(AccessError, match="has no pod that is ready"):
        ask("nobody there")
    place.install_argo()
    assert ask("after") == "after"


@pytest.mark.parametrize(
    ("container", "base"),
    [
        ({"args": ["server", "--base-href=/argo/"]}, "/argo/"),
        ({"args": ["server", "--base-href", "/wf"]}, "/wf"),
        ({"args": ["server"], "env": [{"name": "ARGO_BASE_HREF", "value": "/here/"}]}, "/here/"),
        ({"args": ["server"]}, ""),
    ],
)
def test_the_base_path_that_a_pod_is_told(container, base):
    assert _base_of([{"spec": {"containers": [container]}}]) == base


def test_a_cluster_without_the_right_to_look(place, settings):
    nobody = str(place.kubeconfig("nobody"))
    with pytest.raises((AccessError, ResourceError)) as caught:
        connect(settings(platform="remote", k8s_config_file=nobody))
    assert "--argo_server" in caught.value.fix


def test_a_kubeconfig_that_ended(place, settings, tmp_path):
    document = yaml.safe_load(place.kubeconfig().read_text())
    (entry,) = (one for one in document["users"] if one["name"] == "researcher-token")
    entry["user"]["token"] = place.brief_token(seconds=-120)
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    context = settings(platform="remote", k8s_config_file=str(tmp_path / "config"), k8s_context="researcher-token")
    with pytest.raises(
        AccessError, match=r"refuses .*config .context researcher-token.: its token expired at 20"
    ) as caught:
        connect(context)
    assert "--k8s_context" in caught.value.fix
    entry["user"] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-tool", "installHint": "get it"}
    }
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    with pytest.raises(AccessError, match="the credential plugin `no-such-tool` of .* it is not installed") as caught:
        connect(context)
    assert caught.value.fix == "get it"


def test_remote_and_nothing_that_leads_there(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SettingsError, match="the platform is remote but no Argo server is named") as caught:
        connect(settings(platform="remote"))
    assert "--k8s_config_file" in caught.value.fix
