"""Provisioning against a real API server: the difference, twice the same, two people at once, release of only what was made."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from hera_utils.errors import ResourceError
from hera_utils.experiment.environment import (
    ConfigMap,
    Environment,
    PersistedVolume,
    PullSecret,
    Secret,
    ServiceAccount,
)
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.provision import ensure, plan_changes, provision, release

PASSWORD = "planted-password-61c2"
ENVIRONMENT = Environment(
    persisted_volume=PersistedVolume("results", size="2Gi"),
    config_map=ConfigMap("proxies", {"HTTP_PROXY": "http://proxy:3128"}),
    registry="registry.example.org/lab",
    secrets=(Secret("database", {"password": "DB_PASSWORD"}, {"key": "KEY_FILE"}),),
    image_pull_secret=PullSecret("pull", username="REG_USER", password="REG_PASSWORD"),
    service_account=ServiceAccount(
        "collector", more_rules=({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},)
    ),
)


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name, value in (("DB_PASSWORD", PASSWORD), ("REG_USER", "robot"), ("REG_PASSWORD", PASSWORD)):
        monkeypatch.setenv(name, value)
    (tmp_path / "key").write_bytes(b"\x00\xffkey")
    (secret,) = ENVIRONMENT.secrets
    return replace(ENVIRONMENT, secrets=(replace(secret, from_files={"key": str(tmp_path / "key")}),))


@pytest.fixture
def as_user(place):
    def made(user="owner", context=None):
        return Cluster(Connection("", namespace=place.name, kubeconfig=str(place.kubeconfig(user)), context=context))

    return made


def actions(found):
    return {f"{one.declared.kind} {one.declared.name}": one.action for one in found}


def test_the_whole_walk(as_user, environment):
    owner = as_user()
    first = plan_changes(owner, environment, state="")
    assert set(actions(first).values()) == {"create"}
    assert len(first) == 7
    told = "\n".join(line for one in first for line in one.lines())
    assert "data.HTTP_PROXY: 'http://proxy:3128'" in told
    assert PASSWORD not in told
    assert "cGxhbnRlZC" not in told  # base64 of its beginning
    assert plan_changes(owner, environment, state="") == first  # a dry run changes nothing
    assert all(one.action == "create" for one in provision(owner, environment, state=""))
    assert set(actions(plan_changes(owner, environment, state="")).values()) == {"same"}
    assert all(one.action != "create" for one in provision(owner, environment, state=""))
    assert all(one.action != "create" for one in ensure(owner, environment, state=""))
    assert owner.get("Secret", "database")["data"]["key"] == "AP9rZXk="
    said = release(owner, environment)
    assert {(one.kind, one.action) for one in said} == {
        ("RoleBinding", "removed"), ("Role", "removed"), ("ServiceAccount", "removed"), ("Secret", "removed"),
        ("ConfigMap", "removed"), ("PersistentVolumeClaim", "kept"),
    }  # fmt: skip
    assert owner.exists("PersistentVolumeClaim", "results")
    (claim,) = [one for one in release(owner, environment, with_data=True) if one.kind == "PersistentVolumeClaim"]
    assert (claim.action, claim.note) == ("removed", "its volume's reclaim policy decides about the data")
    assert all(one.action == "absent" for one in release(owner, environment) if one.kind != "PersistentVolumeClaim")


def test_the_role_is_what_the_executor_needs_and_no_more(as_user, environment, place):
    provision(as_user(), environment, state="")
    role = place.bed.admin.get("Role", "collector-executor", place.name)
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    ]
    assert role["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "hera-utils"}


def test_a_changed_secret_is_seen_and_not_shown(as_user, environment, monkeypatch):
    provision(as_user(), environment, state="")
    monkeypatch.setenv("DB_PASSWORD", "planted-other-9f")
    found = plan_changes(as_user(), environment, state="")
    assert {key: action for key, action in actions(found).items() if action != "same"} == {"Secret database": "change"}
    (changed,) = [one for one in found if one.action == "change"]
    assert changed.lines()[1:] == ["    ~ data.password: (not shown) → (another value, not shown)"]
    monkeypatch.delenv("DB_PASSWORD")  # a user without the values can still provision the other objects
    assert set(actions(plan_changes(as_user(), environment, state="")).values()) == {"same"}


def test_what_others_made_is_left_alone(as_user, place):
    environment = Environment(config_map=ConfigMap("cluster", {"site": "elsewhere"}))
    owner = as_user()
    (change,) = plan_changes(owner, environment, state="")
    assert (change.action, [one.path for one in change.fields]) == ("theirs", ["data.site"])
    provision(owner, environment, state="")
    assert owner.get("ConfigMap", "cluster")["data"]["site"] == "bed"
    (kept,) = release(owner, environment, with_data=True)
    assert (kept.action, kept.note) == ("kept", "hera-utils did not create it")
    assert owner.exists("ConfigMap", "cluster")


def test_two_people_who_want_different_things_are_told_of_each_other(as_user, place):
    # By certificate and as a service account: two identities.
    ana, bob = (
        as_user("owner"),
        as_user("owner", "owner-token"),
    )

    def wants(**data):
        return Environment(config_map=ConfigMap("shared", data))

    provision(ana, wants(a="1", common="x"), state="")
    provision(bob, wants(b="2", common="x"), state="")
    assert ana.get("ConfigMap", "shared")["data"] == {"a": "1", "b": "2", "common": "x"}
    (change,) = plan_changes(bob, wants(a="9", b="2", common="x"), state="")
    assert (change.action, change.note) == ("refused", "has another value: data.a by owner")
    assert "--force" in change.fix
    with pytest.raises(ResourceError, match=r"config map `shared` has another value: data.a by owner"):
        provision(bob, wants(a="9", b="2", common="x"), state="")
    assert ana.get("ConfigMap", "shared")["data"]["a"] == "1"
    provision(bob, wants(a="9", b="2", common="x"), state="", force=True)
    assert ana.get("ConfigMap", "shared")["data"]["a"] == "9"
    (left,) = release(ana, wants(a="1", common="x"))
    assert left.action == "left"
    assert f"system:serviceaccount:{place.name}:owner uses it too" in left.note
    assert bob.get("ConfigMap", "shared")["data"] == {"a": "9", "b": "2", "common": "x"}
    (removed,) = release(bob, wants(b="2"))
    assert removed.action == "removed"


def test_many_at_once_make_it_once(as_user, environment):
    clusters = [as_user("owner", "owner-token" if number % 2 else None) for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda cluster: provision(cluster, environment, state=""), clusters))
    assert all(len(one) == 7 for one in made)
    assert set(actions(plan_changes(clusters[0], environment, state="")).values()) == {"same"}


def test_who_may_not_is_told_everything_at_once_and_nothing_is_made(as_user, environment):
    with pytest.raises(ResourceError) as refused:
        provision(as_user("researcher"), environment, state="")
    message = refused.value.message
    assert "claim `results` cannot be provisioned by you" in message
    assert "role `collector-executor` cannot be read by you" in message
    assert "ask the cluster's owner" in refused.value.fix
    assert PASSWORD not in message + refused.value.fix
    assert not as_user().exists("ConfigMap", "proxies")


def test_a_size_that_cannot_shrink_and_what_nobody_described(as_user):
    owner = as_user()
    provision(owner, Environment(persisted_volume=PersistedVolume("results", size="2Gi")), state="")
    (change,) = plan_changes(owner, Environment(persisted_volume=PersistedVolume("results", size="1Gi")), state="")
    assert change.action == "refused"
    assert "--with-data" in change.fix
    (absent,) = plan_changes(owner, Environment(config_map="nowhere"), state="")
    assert absent.action == "missing"
    with pytest.raises(ResourceError, match="`nowhere` does not exist in the namespace"):
        ensure(owner, Environment(config_map="nowhere"), state="")


def test_nothing_of_a_secret_is_in_the_environment_of_what_is_told(environment):
    assert PASSWORD not in repr(environment)
    assert os.environ["DB_PASSWORD"] == PASSWORD
