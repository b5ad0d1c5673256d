import base64
from dataclasses import replace

import pytest

from hera_utils.errors import AccessError, Detached, ResourceError, SettingsError
from hera_utils.experiment.environment import ConfigMap, Environment, PersistedVolume, Secret
from hera_utils.platforms.claim_folders import claim_folder
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.provision import ensure, provision
from hera_utils.platforms.server_side_apply import Applier

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]
clusters: [{{name: lab, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: x}}}}]
"""


def test_what_is_missing_is_made_once(local_platform, tmp_path, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "planted-password")
    environment = Environment(
        persisted_volume=PersistedVolume("results", size="10Gi", mount_path="/results"),
        config_map=ConfigMap("proxies", {"HTTP_PROXY": "http://proxy"}),
        secrets=(Secret("database", {"password": "DB_PASSWORD"}),),
        more_volumes=(PersistedVolume("raw", mount_path="/raw"),),
    )
    cluster, state = local_platform.cluster, local_platform.context.state
    folders = {"results": str(tmp_path / "here")}
    first = provision(cluster, environment, state=state, folders=folders)
    assert [(one.declared.kind, one.declared.name, one.action) for one in first] == [
        ("PersistentVolumeClaim", "results", "create"),
        ("PersistentVolumeClaim", "raw", "create"),
        ("ConfigMap", "proxies", "create"),
        ("Secret", "database", "create"),
    ]
    assert all(one.action != "create" for one in provision(cluster, environment, state=state, folders=folders))
    assert first[0].where == str(tmp_path / "here") == str(claim_folder(cluster, "results", state))
    assert first[1].where == f"{state}/claims/{cluster.namespace}/raw"
    assert (tmp_path / "here").is_dir()
    assert cluster.get("ConfigMap", "proxies")["data"] == {"HTTP_PROXY": "http://proxy"}
    assert base64.b64decode(cluster.get("Secret", "database")["data"]["password"]) == b"planted-password"
    assert "planted" not in repr(first) + repr(environment)


def test_a_claim_that_stands_for_another_folder(local_platform, tmp_path):
    environment = Environment(persisted_volume=PersistedVolume("results"))
    where = {"state": local_platform.context.state, "folders": {"results": str(tmp_path / "one")}}
    provision(local_platform.cluster, environment, **where)
    where["folders"] = {"results": str(tmp_path / "two")}
    with pytest.raises(ResourceError, match=r"is already the folder .*/one, not .*/two"):
        provision(local_platform.cluster, environment, **where)


def test_a_namespace_that_is_not_there(local_platform):
    nowhere = Cluster(replace(local_platform.cluster.connection, namespace="nowhere"))
    environment = Environment(persisted_volume=PersistedVolume("results"), config_map=ConfigMap("proxies", {}))
    with pytest.raises(ResourceError, match="^there is no namespace `nowhere` on this machine") as told:
        provision(nowhere, environment, state=local_platform.context.state)
    assert told.value.fix is not None
    assert "--argo_namespace" in told.value.fix


def test_a_folder_that_cannot_be_made(local_platform, tmp_path):
    (tmp_path / "file").write_text("")
    environment = Environment(persisted_volume=PersistedVolume("results"))
    with pytest.raises(ResourceError, match="cannot be used"):
        provision(
            local_platform.cluster,
            environment,
            state=local_platform.context.state,
            folders={"results": str(tmp_path / "file" / "below")},
        )
    assert not local_platform.cluster.exists("PersistentVolumeClaim", "results")


def test_a_secret_whose_variable_is_not_set(local_platform, monkeypatch):
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    environment = Environment(secrets=(Secret("database", {"password": "DB_PASSWORD"}),))
    with pytest.raises(SettingsError, match="DB_PASSWORD"):
        provision(local_platform.cluster, environment, state=local_platform.context.state)


def test_in_a_cluster_everything_that_is_missing_is_told_and_nothing_made(double, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=double.server_address[1]))

    def absent(exchange):
        exchange.reply({"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"}, 404)

    double.answers["*"] = absent
    cluster = Cluster(Connection(double.url, namespace="lyon", kubeconfig=str(path)))
    environment = Environment(persisted_volume=PersistedVolume("results"), config_map="proxies")
    with pytest.raises(ResourceError) as caught:
        ensure(cluster, environment, state="")
    assert str(caught.value) == "claim `results`, config map `proxies` do not exist in the namespace lyon"
    assert "--provision" in caught.value.fix
    assert {exchange.method for exchange in double.seen} == {"GET"}


@pytest.mark.parametrize("end", [KeyboardInterrupt(), AccessError("it is gone", fix="wait")], ids=["ctrl-c", "error"])
def test_who_is_interrupted_reads_what_is_there_already(local_platform, monkeypatch, end):
    environment = Environment(config_map=ConfigMap("first", {"a": "1"}), more_volumes=(PersistedVolume("raw"),))
    apply = Applier.apply

    def ends(applier, document, *, dry_run=False, force=False):
        if document["kind"] == "ConfigMap" and not dry_run:
            raise end
        return apply(applier, document, dry_run=dry_run, force=force)

    monkeypatch.setattr(Applier, "apply", ends)
    with pytest.raises((Detached, AccessError)) as left:
        provision(local_platform.cluster, environment, state=local_platform.context.state)
    said = str(left.value) if isinstance(left.value, Detached) else left.value.fix
    start = "interrupted while the config map first was applied" if isinstance(left.value, Detached) else "wait"
    assert said == f"{start}; before it were applied: claim raw (hera-utils release removes what was created)"
