"""Objects as Kubernetes stores them: names, versions, conflicts, namespaces, owners; claims and their folders."""

from __future__ import annotations

import base64
import gc
import json
import re
import weakref

import pytest
import toy_parts as toys

from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.watch import WatchHistory


@pytest.fixture
def platform(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    yield platform
    platform.close()


def config_map(name="settings", **data):
    return {"metadata": {"name": name}, "data": data}


def claim(name="data", **annotations):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": spec}


def refusal(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value.code, refused.value.reason, refused.value.message


def test_what_exists_from_the_start(platform):
    assert [stored.name for stored in platform.list("Namespace")[0]] == ["argo", "default"]
    accounts = [(stored.namespace, stored.name) for stored in platform.list("ServiceAccount")[0]]
    assert accounts == [("argo", "default"), ("default", "default")]


def test_a_created_object_has_its_metadata(platform):
    first = json.loads(
        platform.create("ConfigMap", "default", {"metadata": {"generateName": "a-"}, "data": {"k": "v"}}).text
    )
    metadata = first["metadata"]
    assert re.fullmatch("a-[bcdfghjklmnpqrstvwxz2456789]{5}", metadata["name"])
    assert {"uid", "resourceVersion", "creationTimestamp", "namespace"} <= set(metadata)
    second = platform.create("ConfigMap", "default", config_map())
    assert second.resource_version > int(metadata["resourceVersion"])
    assert platform.list("ConfigMap")[1] >= second.resource_version


def test_refusals_are_those_of_kubernetes(platform):
    platform.create("ConfigMap", "default", config_map())
    exists = refusal(platform.create, "ConfigMap", "default", config_map())
    assert exists == (6, "AlreadyExists", 'configmaps "settings" already exists')
    assert refusal(platform.get, "ConfigMap", "argo", "settings") == (5, "NotFound", 'configmaps "settings" not found')
    assert refusal(platform.delete, "Secret", "default", "x") == (5, "NotFound", 'secrets "x" not found')
    assert refusal(platform.create, "ConfigMap", "nowhere", config_map())[2] == 'namespaces "nowhere" not found'
    code, reason, message = refusal(platform.create, "ConfigMap", "default", config_map("Bad_Name"))
    assert (code, reason) == (3, "Invalid")
    assert message.startswith(
        'ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123'
    )
    assert refusal(platform.create, "ConfigMap", "default", config_map(**{"a b": "c"}))[1] == "Invalid"
    other = {"metadata": {"name": "x", "namespace": "argo"}}
    assert "does not match the namespace" in refusal(platform.create, "ConfigMap", "default", other)[2]
    assert (
        refusal(platform.create, "PersistentVolumeClaim", "default", {"metadata": {"name": "c"}, "spec": {}})[1]
        == "Invalid"
    )


def test_a_stale_version_is_a_conflict(platform):
    stale = json.loads(platform.create("ConfigMap", "default", config_map(a="1")).text)
    fresh = json.loads(platform.update("ConfigMap", "default", {**stale, "data": {"a": "2"}}).text)
    assert fresh["metadata"]["uid"] == stale["metadata"]["uid"]
    code, reason, message = refusal(platform.update, "ConfigMap", "default", {**stale, "data": {"a": "3"}})
    assert (code, reason) == (6, "Conflict")
    assert message.startswith('Operation cannot be fulfilled on configmaps "settings": the object has been modified')
    del fresh["metadata"]["resourceVersion"]
    assert json.loads(platform.update("ConfigMap", "default", {**fresh, "data": {}}).text)["data"] == {}


def test_a_secrets_plain_texts_are_encoded(platform):
    document = {
        "metadata": {"name": "s"},
        "stringData": {"a": "häl\n"},
        "data": {"b": base64.b64encode(b"\xff").decode()},
    }
    stored = json.loads(platform.create("Secret", "default", document).text)
    assert base64.b64decode(stored["data"]["a"]).decode() == "häl\n"
    assert (stored["type"], "stringData" in stored) == ("Opaque", False)
    assert (
        refusal(platform.create, "Secret", "default", {"metadata": {"name": "t"}, "data": {"a": "%"}})[1]
        == "BadRequest"
    )


def test_changes_are_told_in_order(platform):
    told = []
    stop = platform.subscribe("ConfigMap", lambda change: told.append((change.type, change.stored.name)))
    created = json.loads(platform.create("ConfigMap", "default", config_map()).text)
    platform.update("ConfigMap", "default", created)
    platform.delete("ConfigMap", "default", "settings")
    stop()
    platform.create("ConfigMap", "default", config_map())
    assert told == [("ADDED", "settings"), ("MODIFIED", "settings"), ("DELETED", "settings")]


def test_a_namespace_goes_with_its_content(platform):
    platform.create("Namespace", "", {"metadata": {"name": "lab"}})
    assert platform.get("ServiceAccount", "lab", "default")
    platform.create("ConfigMap", "lab", config_map())
    run = platform.submit("lab", toys.workflow("sleep", "30"))
    platform.delete("Namespace", "", "lab")
    for kind, name in (("ConfigMap", "settings"), ("ServiceAccount", "default"), ("Workflow", run.name)):
        assert refusal(platform.get, kind, "lab", name)[1] == "NotFound"
    assert refusal(platform.submit, "lab", toys.workflow("true"))[2] == 'namespaces "lab" not found'


def test_what_an_object_owns_goes_with_it(platform):
    owner = json.loads(platform.create("ConfigMap", "default", config_map("owner")).text)["metadata"]["uid"]
    owned = config_map("owned")
    owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}]
    platform.create("ConfigMap", "default", owned)
    platform.delete("ConfigMap", "default", "owner")
    assert platform.list("ConfigMap")[0] == []


def owned_by(name, owner):
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


def test_a_chain_of_owners_goes_with_its_first_however_long_it_is(platform):
    """Six hundred used to be an internal error of the server: the deletion was recursive."""
    uid = json.loads(platform.create("ConfigMap", "default", config_map("first")).text)["metadata"]["uid"]
    for number in range(600):
        uid = json.loads(platform.create("ConfigMap", "default", owned_by(f"c{number}", uid)).text)["metadata"]["uid"]
    platform.create("ConfigMap", "default", config_map("other"))
    platform.delete("ConfigMap", "default", "first")
    assert [one.name for one in platform.list("ConfigMap")[0]] == ["other"]


def test_objects_that_own_each_other_go_together(platform):
    documents = {}
    for name in ("a", "b"):
        documents[name] = json.loads(platform.create("ConfigMap", "default", config_map(name)).text)
    for name, other in (("a", "b"), ("b", "a")):
        owned = owned_by(name, documents[other]["metadata"]["uid"])
        platform.update(
            "ConfigMap",
            "default",
            {**documents[name], "metadata": {**documents[name]["metadata"], **owned["metadata"]}},
        )
    platform.delete("ConfigMap", "default", "a")
    assert platform.list("ConfigMap")[0] == []


def test_a_deleted_claim_is_set_aside(platform, tmp_path):
    platform.create("PersistentVolumeClaim", "default", claim())
    folder = platform.state / "claims/default/data"
    folder.mkdir(parents=True)
    (folder / "result").write_text("precious")
    platform.delete("PersistentVolumeClaim", "default", "data")
    assert not folder.exists()
    (kept,) = (platform.state / "claims/.deleted").iterdir()
    assert (kept / "result").read_text() == "precious"
    own = tmp_path / "own"
    own.mkdir()
    platform.create("PersistentVolumeClaim", "default", claim(**{"hera-utils/folder": str(own)}))
    platform.delete("PersistentVolumeClaim", "default", "data")
    assert own.exists(), "a folder that the user named is the user's"


def test_dry_runs_leave_nothing(platform):
    assert platform.create("ConfigMap", "default", config_map(), dry_run=True).name == "settings"
    assert platform.submit("default", toys.workflow("true"), dry_run=True).name.startswith("toy-")
    assert platform.list("ConfigMap")[0] == []
    assert platform.list("Workflow")[0] == []


def test_a_name_that_is_taken(platform):
    document = {**toys.workflow("true"), "metadata": {"name": "once"}}
    platform.submit("default", document)
    message = 'workflows.argoproj.io "once" already exists'
    assert refusal(platform.submit, "default", document) == (6, "AlreadyExists", message)
    toys.wait(platform, "default", "once")
    platform.delete("Workflow", "default", "once")
    assert platform.submit("default", document).name == "once"


def test_objects_have_kubernetes_bounds(platform):
    large = config_map(a="x" * 2**19, b="x" * 2**19)
    platform.create("ConfigMap", "default", large)
    large["data"]["c"] = "x"
    too_long = "Too long: may not be more than 1048576 bytes"
    assert (
        refusal(platform.update, "ConfigMap", "default", large)[2] == f'ConfigMap "settings" is invalid: []: {too_long}'
    )
    secret = {"metadata": {"name": "s"}, "stringData": {"a": "x" * (2**20 + 1)}}
    assert refusal(platform.create, "Secret", "default", secret)[2] == f'Secret "s" is invalid: data: {too_long}'
    template = {"metadata": {"name": "t"}, "spec": {"arguments": {"parameters": [{"name": "a", "value": "x" * 2**22}]}}}
    code, reason, message = refusal(platform.create, "WorkflowTemplate", "default", template)
    assert (code, reason, message) == (8, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


def test_all_objects_together_have_a_bound(platform, monkeypatch):
    monkeypatch.setattr("hera_utils.local_platform.storage.objects.MOST_CHARACTERS", 10_000)
    platform.create("ConfigMap", "default", config_map("one", a="x" * 20_000))
    exceeded = "etcdserver: mvcc: database space exceeded"
    assert refusal(platform.create, "ConfigMap", "default", config_map("two"))[2] == exceeded
    assert refusal(platform.update, "ConfigMap", "default", config_map("one"))[2] == exceeded
    platform.delete("ConfigMap", "default", "one")
    platform.create("ConfigMap", "default", config_map("two"))


def test_deleted_objects_are_remembered_for_watchers_up_to_a_bound(platform, monkeypatch):
    monkeypatch.setattr("hera_utils.local_platform.serving.watch._REMEMBERED_CHARACTERS", 5000)
    history = WatchHistory(platform, ["ConfigMap"])
    begun = platform.list("ConfigMap")[1]
    for name in ("one", "two", "three"):
        platform.create("ConfigMap", "default", config_map(name, a="x" * 2000))
        platform.delete("ConfigMap", "default", name)
    newest = platform.list("ConfigMap")[1]
    with pytest.raises(Refused, match="too old resource version"):
        history.deleted_since("ConfigMap", begun, newest)
    assert [one.name for one in history.deleted_since("ConfigMap", newest - 1, newest)] == ["three"]


class Text(str):
    """A text that a weak reference can refer to."""


def test_a_refusal_keeps_nothing_of_what_was_refused(platform):
    def refused():
        text = Text("x" * (2**20 + 1))
        watched = weakref.ref(text)
        try:
            platform.create("ConfigMap", "default", config_map(a=text))
        except Refused:
            return watched
        raise AssertionError

    gc.disable()  # objects in no reference cycle are freed without it
    try:
        watched = refused()
        platform.create("ConfigMap", "default", config_map())  # the controller has finished the turn before
        assert watched() is None
    finally:
        gc.enable()
