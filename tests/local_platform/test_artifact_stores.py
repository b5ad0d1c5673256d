"""Artifacts in an S3 store: a real server that checks signatures, with the real platform."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
import requests
import s3_server
import toy_parts as toys
from serving import served

from hera_utils.interpreter import artifact_repository
from hera_utils.interpreter.events import ResumeRequested
from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.artifacts import locations, object_stores
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.pod import artifact_keys
from waiting import until


@pytest.fixture(scope="module")
def s3():
    with s3_server.serving() as server:
        server.client().create_bucket(Bucket="kept")
        yield server


@pytest.fixture(scope="module")
def platform(tmp_path_factory, s3):
    platform = LocalPlatform(tmp_path_factory.mktemp("stores") / "state")
    data = {"access": s3.access, "secret": s3.secret, "wrong": "not the secret of that key"}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    platform.create("Secret", "default", {"metadata": {"name": "store"}, "data": encoded})
    yield platform
    platform.close()


def place(s3, **more):
    return {
        "endpoint": s3.endpoint, "bucket": "kept", "insecure": True, "region": "us-east-1",
        "accessKeySecret": {"name": "store", "key": "access"}, "secretKeySecret": {"name": "store", "key": "secret"}, **more,
    }  # fmt: skip


def writing(command, *artifacts, **spec):
    template = {"name": "main", "container": {"image": "busybox", "command": ["sh", "-c", command]}}
    template["outputs"] = {"artifacts": list(artifacts)}
    return {"metadata": {"generateName": "store-"}, "spec": {"entrypoint": "main", "templates": [template], **spec}}


def reading(command, *artifacts, **spec):
    document = writing(command, **spec)
    document["spec"]["templates"][0].update(inputs={"artifacts": list(artifacts)}, outputs={})
    return document


def run(platform, document):
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name, seconds=90)
    (node,) = last["status"]["nodes"].values()
    return last, node


def log(platform, last):
    (pod,) = platform.pods("default", last["metadata"]["name"])
    return [line for _, line in platform.pod_log("default", pod.name, "main")]


def test_what_a_task_makes_is_in_the_bucket_and_the_next_one_has_it(platform, s3):
    made = [
        {"name": "plain", "path": "/tmp/plain.txt", "archive": {"none": {}}, "s3": place(s3, key="a/plain.txt")},
        {"name": "tar", "path": "/tmp/tree", "s3": place(s3, key="a/tree.tgz")},
        {"name": "zip", "path": "/tmp/tree", "archive": {"zip": {}}, "s3": place(s3, key="a/tree.zip")},
        {"name": "tree", "path": "/tmp/tree", "archive": {"none": {}}, "s3": place(s3, key="a/tree")},
    ]
    command = (
        "echo hello > /tmp/plain.txt; mkdir -p /tmp/tree/below; echo one > /tmp/tree/1; echo two > /tmp/tree/below/2"
    )
    last, node = run(platform, writing(command, *made))
    assert last["status"]["phase"] == "Succeeded", node
    assert [one["s3"]["key"] for one in node["outputs"]["artifacts"]] == [
        "a/plain.txt",
        "a/tree.tgz",
        "a/tree.zip",
        "a/tree",
    ]
    assert s3.keys("kept") == ["a/plain.txt", "a/tree.tgz", "a/tree.zip", "a/tree/1", "a/tree/below/2"]
    assert s3.read("kept", "a/plain.txt") == b"hello\n"
    with tarfile.open(fileobj=io.BytesIO(s3.read("kept", "a/tree.tgz"))) as archive:
        assert "tree/below/2" in archive.getnames()
    with zipfile.ZipFile(io.BytesIO(s3.read("kept", "a/tree.zip"))) as archive:
        assert "zip/below/2" in archive.namelist()  # as in Argo, the executor names the folder after the artifact

    read = [{**one, "path": f"/in/{one['name']}"} for one in made]
    read[0]["mode"] = 0o600
    last, node = run(platform, reading("cat /in/plain /in/*/below/2; stat -c %a /in/plain", *read))
    assert last["status"]["phase"] == "Succeeded", node
    assert log(platform, last) == ["hello", "two", "two", "two", "600"]


def test_a_key_alone_means_the_artifact_repository_of_the_workflow(platform, s3):
    repository = {"s3": {**place(s3), "keyFormat": "runs/{{workflow.name}}/{{pod.name}}"}, "archiveLogs": True}
    platform.create(
        "ConfigMap", "default", {"metadata": {"name": "my-stores"}, "data": {"mine": json.dumps(repository)}}
    )
    out = {"name": "out", "path": "/tmp/out"}
    document = writing(
        "echo said; echo kept > /tmp/out", out, artifactRepositoryRef={"configMap": "my-stores", "key": "mine"}
    )
    last, node = run(platform, document)
    assert last["status"]["phase"] == "Succeeded", node
    name = last["metadata"]["name"]
    saved, logs = node["outputs"]["artifacts"]
    assert (saved["s3"], logs["name"]) == ({"key": f"runs/{name}/{name}/out.tgz"}, "main-logs")
    assert s3.read("kept", logs["s3"]["key"]) == b"said\n"

    again = {"name": "in", "path": "/in", "s3": {"key": saved["s3"]["key"]}}
    last, node = run(
        platform, reading("cat /in", again, artifactRepositoryRef={"configMap": "my-stores", "key": "mine"})
    )
    assert log(platform, last) == ["kept"]


def test_the_namespace_may_have_a_default_repository(platform, s3):
    platform.create("Namespace", "", {"metadata": {"name": "other"}})
    secret = json.loads(platform.get("Secret", "default", "store").text)["data"]
    platform.create("Secret", "other", {"metadata": {"name": "store"}, "data": secret})
    annotations = {"workflows.argoproj.io/default-artifact-repository": "v1"}
    data = {"v1": json.dumps({"s3": {**place(s3), "keyPrefix": "defaults"}})}
    platform.create(
        "ConfigMap", "other", {"metadata": {"name": "artifact-repositories", "annotations": annotations}, "data": data}
    )
    stored = platform.submit("other", writing("echo x > /tmp/x", {"name": "x", "path": "/tmp/x"}))
    last = toys.wait(platform, "other", stored.name, seconds=90)
    assert last["status"]["artifactRepositoryRef"]["key"] == "v1"
    assert f"defaults/{stored.name}/{stored.name}/x.tgz" in s3.keys("kept")


def test_a_bucket_is_made_where_the_artifact_asks_for_it(platform, s3):
    for _ in range(2):  # the second time the object exists already
        at = place(s3, key="x", bucket="made-on-demand", createBucketIfNotPresent={})
        last, node = run(platform, writing("echo x > /tmp/x", {"name": "x", "path": "/tmp/x", "s3": at}))
        assert last["status"]["phase"] == "Succeeded", node
    assert s3.keys("made-on-demand") == ["x"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "nothing/here"}, "The specified key does not exist"),
        ({"bucket": "absent", "key": "a"}, "does not exist"),
        ({"secretKeySecret": {"name": "store", "key": "wrong"}, "key": "a/plain.txt"}, ""),
        ({"endpoint": "127.0.0.1:1", "key": "a"}, "connect"),
    ],
)
def test_what_the_store_refuses_fails_the_task_and_tells_no_secret(platform, s3, change, said):
    last, node = run(platform, reading("true", {"name": "in", "path": "/in", "s3": place(s3, **change)}))
    assert last["status"]["phase"] == "Error", node
    assert "artifact in failed to load" in node["message"]
    assert said in node["message"]
    text = json.dumps(last)
    assert s3.secret not in text
    assert "not the secret of that key" not in text


def test_an_optional_input_that_is_not_in_the_store_is_an_empty_folder(platform, s3):
    missing = {"name": "in", "path": "/in", "optional": True, "s3": place(s3, key="nothing/here")}
    last, node = run(platform, reading("test -d /in && ! ls /in | grep .", missing))
    assert last["status"]["phase"] == "Succeeded", node


def test_without_its_secret_the_platforms_own_store_stands_in_and_the_run_says_so(platform, s3):
    at = place(s3, key="stand/in", accessKeySecret={"name": "absent", "key": "access"})
    last, node = run(platform, writing("echo x > /tmp/x", {"name": "x", "path": "/tmp/x", "s3": at}))
    assert last["status"]["phase"] == "Succeeded", node
    assert "stand/in" not in s3.keys("kept")
    (said,) = [one["message"] for one in last["status"]["conditions"] if one["type"] == "SpecWarning"]
    assert 'no secret "absent" with the key "access"; the platform\'s own store is used instead' in said
    stored = platform.artifact("default", last["metadata"]["name"], node["id"], "x")
    assert stored.endswith("default/stand/in")


def test_the_servers_download_fetches_from_the_store(platform, s3, tmp_path):
    at = place(s3, key="down/load.txt")
    last, node = run(
        platform, writing("echo sent > /tmp/x", {"name": "x", "path": "/tmp/x", "archive": {"none": {}}, "s3": at})
    )
    path = platform.artifact("default", last["metadata"]["name"], node["id"], "x", folder=str(tmp_path))
    assert Path(path).read_text() == "sent\n"


def test_argos_routes_send_what_is_in_the_store(platform, s3):
    made = [
        {"name": "file", "path": "/tmp/file", "archive": {"none": {}}, "s3": place(s3, key="sent/file.txt")},
        {"name": "tree", "path": "/tmp/tree", "archive": {"none": {}}, "s3": place(s3, key="sent/tree")},
    ]
    last, node = run(platform, writing("echo 1 > /tmp/file; mkdir /tmp/tree; echo 2 > /tmp/tree/two", *made))
    name, headers = last["metadata"]["name"], {"Authorization": "Bearer t"}
    with served(argo_app(platform, "t")) as url:
        file = requests.get(f"{url}/artifacts/default/{name}/{node['id']}/file", headers=headers, timeout=60)
        assert (file.status_code, file.content) == (200, b"1\n")
        assert file.headers["content-disposition"] == 'filename="file.txt"'
        tree = requests.get(f"{url}/artifacts/default/{name}/{node['id']}/tree", headers=headers, timeout=60)
        with tarfile.open(fileobj=io.BytesIO(tree.content)) as archive:
            assert "tree/two" in archive.getnames()
        below = f"{url}/artifact-files/default/workflows/{name}/{node['id']}/outputs/tree/two"
        assert requests.get(below, headers=headers, timeout=60).content == b"2\n"


def test_keys_below_a_place_are_the_source_of_a_data_template(platform, s3):
    client = s3.client()
    for name in ("b.txt", "a.txt", "deep/c.csv"):
        client.put_object(Bucket="kept", Key=f"many/{name}", Body=b"")
    data = {
        "source": {"artifactPaths": {"name": "all", "s3": place(s3, key="many")}},
        "transformation": [{"expression": "filter(data, {# endsWith '.txt'})"}],
    }
    document = {
        "metadata": {"generateName": "data-"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "data": data}]},
    }
    last, node = run(platform, document)
    assert last["status"]["phase"] == "Succeeded", node
    assert json.loads(node["outputs"]["result"]) == ["many/a.txt", "many/b.txt"]


@pytest.mark.parametrize("strategy", ["OnWorkflowCompletion", "OnWorkflowDeletion"])
def test_artifact_gc_removes_from_the_store(platform, s3, strategy):
    made = [
        {"name": "one", "path": "/tmp/one", "s3": place(s3, key=f"gone/{strategy}/one")},
        {"name": "tree", "path": "/tmp/tree", "archive": {"none": {}}, "s3": place(s3, key=f"gone/{strategy}/tree")},
        {
            "name": "kept",
            "path": "/tmp/one",
            "artifactGC": {"strategy": "Never"},
            "s3": place(s3, key=f"gone/{strategy}/kept"),
        },
    ]
    command = "echo 1 > /tmp/one; mkdir /tmp/tree; echo 2 > /tmp/tree/2"
    last, node = run(platform, writing(command, *made, artifactGC={"strategy": strategy}))
    assert last["status"]["phase"] == "Succeeded", node
    name = last["metadata"]["name"]

    def marks():
        (node,) = json.loads(platform.get("Workflow", "default", name).text)["status"]["nodes"].values()
        return [one.get("deleted", False) for one in node["outputs"]["artifacts"]]

    if strategy == "OnWorkflowCompletion":
        until(lambda: marks() == [True, True, False])
    else:
        assert marks() == [False, False, False]
        platform.delete("Workflow", "default", name)
    left = [f"gone/{strategy}/kept"]
    until(lambda: [key for key in s3.keys("kept") if key.startswith(f"gone/{strategy}/")] == left)


def test_artifact_gc_that_fails_is_a_condition_and_an_event(platform, s3):
    made = {"name": "one", "path": "/tmp/one", "s3": place(s3, key="k", bucket="passing", createBucketIfNotPresent={})}
    document = writing("echo 1 > /tmp/one", made, artifactGC={"strategy": "OnWorkflowCompletion"}, onExit="later")
    document["spec"]["templates"].append({"name": "later", "suspend": {}})
    stored = platform.submit("default", document)
    secret = json.loads(platform.get("Secret", "default", "store").text)
    until(lambda: "passing" in [b["Name"] for b in s3.client().list_buckets()["Buckets"]])
    good = secret["data"]["secret"]
    secret["data"]["secret"] = secret["data"]["wrong"]
    platform.update("Secret", "default", secret)
    until(lambda: '"later"' in platform.get("Workflow", "default", stored.name).text.partition('"nodes"')[2])
    platform.act("default", stored.name, ResumeRequested(0.0))
    try:
        name = stored.name

        def conditions():
            found = json.loads(platform.get("Workflow", "default", name).text)["status"].get("conditions") or ()
            return [one["message"] for one in found if one["type"] == "ArtifactGCError"]

        until(conditions)
        assert "(artifact: one)" in conditions()[0]
        events = [json.loads(one.text) for one in platform.list("Event", "default")[0]]
        assert any(one["reason"] == "ArtifactGCFailed" for one in events)
    finally:
        secret = json.loads(platform.get("Secret", "default", "store").text)
        secret["data"]["secret"] = good
        platform.update("Secret", "default", secret)


def test_a_library_that_is_not_there_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(object_stores._EXTRAS, "gcs", "no_such_module")
    answer = object_stores.perform(
        {"do": "get", "place": {"kind": "gcs", "at": {"bucket": "b"}, "key": "k", "secrets": {}}}
    )
    assert "pip install 'hera_utils[gcs]'" in answer["error"]


def test_where_an_artifact_is():
    def secret(name, key):
        return "value" if name == "there" else None

    whole = {"bucket": "b", "endpoint": "e", "key": "k", "accessKeySecret": {"name": "there", "key": "a"},
             "secretKeySecret": {"name": "there", "key": "b"}}  # fmt: skip
    found = locations.place_of({"s3": whole}, None, secret)
    assert found == {
        "kind": "s3", "at": whole, "key": "k", "secrets": {"accessKeySecret": "value", "secretKeySecret": "value"}
    }  # fmt: skip
    assert locations.place_of({"s3": {"key": "x"}}, {"s3": whole}, secret)["key"] == "x"
    assert locations.place_of({"s3": {"key": "x"}}, None, secret) is None
    assert locations.place_of({"raw": {"data": ""}}, {"s3": whole}, secret) is None
    azure = {"endpoint": "https://account.blob.core.windows.net", "container": "c", "blob": "b"}
    assert locations.place_of({"azure": azure}, None, secret) is None
    assert locations.place_of({"azure": {**azure, "useSDKCreds": True}}, None, secret)["key"] == "b"
    assert object_stores.azure_account(azure["endpoint"]) == "account"
    assert object_stores.azure_account("http://127.0.0.1:10000/devstoreaccount1") == "devstoreaccount1"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example",
        "https://account.blob.core.windows.net.evil.example",
        "http://account.blob.core.windows.net",
    ],
)
def test_this_machines_own_login_goes_to_azures_own_hosts_alone(endpoint, monkeypatch):
    """The login's token is valid for all of the user's stores."""
    monkeypatch.setattr(object_stores, "_library", lambda kind: None)
    place = {"kind": "azure", "at": {"endpoint": endpoint, "container": "c"}, "key": "b", "secrets": {}}
    answer = object_stores.perform({"do": "list", "place": place})
    assert "own login is sent to Azure's own hosts" in answer["error"]


@pytest.mark.parametrize("key", ["", "/", "//"])
def test_nothing_is_removed_without_a_key(key, monkeypatch):
    """An empty key would mean every object of the bucket."""
    files = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem()
    files.pipe_file("/bucket-of-others/kept.txt", b"kept")
    monkeypatch.setitem(object_stores._OPENERS, "s3", lambda place: object_stores._Store(files, "bucket-of-others"))
    answer = object_stores.perform({"do": "remove", "place": {"kind": "s3", "at": {}, "key": key, "secrets": {}}})
    assert "without a key" in answer.get("error", "")
    assert files.cat_file("/bucket-of-others/kept.txt") == b"kept"
    gone = object_stores.perform({"do": "remove", "place": {"kind": "s3", "at": {}, "key": "/kept.txt", "secrets": {}}})
    assert gone == {}
    assert not files.exists("/bucket-of-others/kept.txt")


def test_pods_and_the_interpreter_know_the_same_keys():
    """Pods have the standard library only, so they have a copy of the table."""
    assert artifact_keys.KEY_FIELDS == artifact_repository.KEY_FIELDS
    assert set(artifact_keys.KEYED) == set(artifact_repository.STORES)
