"""The controller with the real interpreter and the real process runtime."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.errors import Refused, UnsupportedError
from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.events import ResumeRequested, SetRequested, ShutdownRequested, SuspendRequested, from_json
from hera_utils.interpreter.state import Run
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = LocalPlatform(tmp_path_factory.mktemp("real") / "state")
    yield platform
    platform.close()


def test_a_workflow_runs_to_its_end(platform):
    stored = platform.submit("default", toys.workflow("sh", "-c", "echo hello; echo $((6*7)) >&2"))
    assert json.loads(stored.text)["status"]["phase"] == "Running"
    last = toys.wait(platform, "default", stored.name)
    assert (last["status"]["phase"], last["status"]["progress"]) == ("Succeeded", "1/1")
    (pod,) = platform.pods("default", stored.name)
    assert json.loads(pod.text)["status"]["phase"] == "Succeeded"
    assert [line for _, line in platform.pod_log("default", pod.name, "main")] == ["hello", "42"]


@pytest.mark.parametrize("nodes", [None, {"x": {"id": "x", "name": "x"}}, {"x": None}, {"x": 5}])
def test_a_document_with_the_status_of_another_run_is_a_new_run(platform, nodes):
    document = toys.workflow("echo", "new") | {"status": {"phase": "Failed", "finishedAt": None, "nodes": nodes}}
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] == "Succeeded"
    assert [node["name"] for node in last["status"]["nodes"].values()] == [stored.name]


def test_a_missing_claim_fails_the_run_with_its_name_and_fix(platform, monkeypatch):
    monkeypatch.setattr(platform._launcher, "_patience", 0.3)
    document = toys.workflow("true", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "absent"}}])
    document["spec"]["templates"][0]["container"]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] in ("Failed", "Error")
    (node,) = last["status"]["nodes"].values()
    assert 'persistentvolumeclaim "absent" not found' in node["message"]
    assert "create it" in node["message"]


def test_a_pod_waits_for_its_claim_and_starts_when_it_is_there(platform):
    template = {
        "name": "main",
        "container": {
            "image": "busybox",
            "command": ["sh", "-c", "echo kept > /data/file"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "late"}}]
    document = {
        "metadata": {"generateName": "late-"},
        "spec": {"entrypoint": "main", "templates": [template], "volumes": volumes},
    }
    stored = platform.submit("default", document)
    claim = {
        "metadata": {"name": "late"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    created = json.loads(platform.create("PersistentVolumeClaim", "default", claim).text)
    assert created["status"]["phase"] == "Bound"
    assert toys.wait(platform, "default", stored.name)["status"]["phase"] == "Succeeded"
    assert (platform.state / "claims/default/late/file").read_text() == "kept\n"


def test_a_claim_made_for_a_run_leaves_nothing_to_a_run_of_the_same_name(platform):
    """The folder is removed with the claim when the run has succeeded: the next run with that name begins with an empty one."""
    document = toys.workflow(
        "sh",
        "-c",
        "ls /work; touch /work/left",
        volumeClaimTemplates=[
            {
                "metadata": {"name": "work"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        ],
    )
    document["metadata"] = {"name": "again"}
    document["spec"]["templates"][0]["container"]["volumeMounts"] = [{"name": "work", "mountPath": "/work"}]
    for _ in range(2):
        platform.submit("default", document)
        assert toys.wait(platform, "default", "again")["status"]["phase"] == "Succeeded"
        (pod,) = platform.pods("default", "again")
        assert [line for _, line in platform.pod_log("default", pod.name, "main")] == []
        # It is removed after the turn is written.
        until(lambda: not (platform.state / "claims/default/again-work").exists())
        platform.delete("Workflow", "default", "again")


@pytest.fixture(scope="module")
def trace(platform, tmp_path_factory):
    """A folder of this machine whose files tasks can write, as /trace/<name>."""
    folder = tmp_path_factory.mktemp("trace")
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "trace", "annotations": {"hera-utils/folder": str(folder)}}
    platform.create("PersistentVolumeClaim", "default", {"metadata": metadata, "spec": spec})
    return folder


VOLUMES = [{"name": "trace", "persistentVolumeClaim": {"claimName": "trace"}}]
MOUNTS = [{"name": "trace", "mountPath": "/trace"}]


def locked(command, **spec):
    document = toys.workflow("sh", "-c", command)
    document["spec"] |= spec
    return document


def test_workflows_that_want_the_same_mutex_run_one_after_the_other(platform, trace):
    command = "echo in >> /trace/mutex; sleep 0.2; echo out >> /trace/mutex"
    document = locked(command, volumes=VOLUMES, synchronization={"mutexes": [{"name": "one"}]})
    document["spec"]["templates"][0]["container"]["volumeMounts"] = MOUNTS
    runs = [platform.submit("default", document) for _ in range(3)]
    second = json.loads(platform.get("Workflow", "default", runs[1].name).text)["status"]
    assert second["phase"] == "Pending"
    assert "Waiting for default/Mutex/one lock. Lock status: 0/1" in second["message"]
    ends = [toys.wait(platform, "default", run.name) for run in runs]
    assert [end["status"]["phase"] for end in ends] == ["Succeeded"] * 3
    assert (trace / "mutex").read_text().split() == ["in", "out"] * 3


@pytest.mark.parametrize("key", ["nothing", "none", "word", "negative"])
def test_a_semaphore_without_a_limit_is_an_error_and_no_wait(platform, key):
    data = {"none": "0", "word": "two", "negative": "-1"}
    platform.create("ConfigMap", "default", {"metadata": {"name": f"limits-{key}"}, "data": data})
    reference = {"configMapKeyRef": {"name": f"limits-{key}", "key": key}}
    main = {
        "name": "main",
        "container": {"image": "busybox", "command": ["true"]},
        "synchronization": {"semaphores": [reference]},
    }
    stored = platform.submit(
        "default", {"metadata": {"generateName": "s-"}, "spec": {"entrypoint": "main", "templates": [main]}}
    )
    last = toys.wait(platform, "default", stored.name)
    message = f"failed to initialize semaphore default/ConfigMap/limits-{key}/{key} with limit"
    message = "semaphore: n < 0" if key == "negative" else message
    assert (last["status"]["phase"], message in last["status"]["message"]) == ("Error", True)


def test_who_waits_for_a_semaphore_whose_config_map_is_deleted_gets_it_all_the_same(platform):
    platform.create("ConfigMap", "default", {"metadata": {"name": "going"}, "data": {"one": "1"}})
    reference = {"configMapKeyRef": {"name": "going", "key": "one"}}
    main = {"name": "main", "suspend": {}, "synchronization": {"semaphores": [reference]}}
    document = {"metadata": {"generateName": "going-"}, "spec": {"entrypoint": "main", "templates": [main]}}
    first, second = (platform.submit("default", document).name for _ in range(2))
    platform.delete("ConfigMap", "default", "going")
    for name in (first, second):
        platform.act("default", name, ResumeRequested(0.0))
        assert toys.wait(platform, "default", name)["status"]["phase"] == "Succeeded"


def test_a_semaphore_of_templates_lets_two_in(platform, trace):
    platform.create("ConfigMap", "default", {"metadata": {"name": "limits"}, "data": {"two": "2"}})
    template = {
        "name": "one",
        "synchronization": {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "two"}}]},
        "container": {
            "image": "busybox",
            "command": ["sh", "-c", "echo +1 >> /trace/two; sleep 0.1; echo -1 >> /trace/two"],
            "volumeMounts": MOUNTS,
        },
    }
    steps = {"name": "main", "steps": [[{"name": "s", "template": "one", "withItems": list(range(6))}]]}
    document = {
        "metadata": {"generateName": "sem-"},
        "spec": {"entrypoint": "main", "templates": [steps, template], "volumes": VOLUMES},
    }
    last = toys.wait(platform, "default", platform.submit("default", document).name)
    assert last["status"]["phase"] == "Succeeded"
    counts, inside = [], 0
    for line in (trace / "two").read_text().split():
        inside += int(line)
        counts.append(inside)
    assert (len(counts), max(counts), counts[-1]) == (12, 2, 0)


def test_a_finished_run_deletes_itself_when_its_ttl_is_over(platform):
    stored = platform.submit("default", locked("true", ttlStrategy={"secondsAfterCompletion": 1}))
    toys.wait(platform, "default", stored.name)
    until(lambda: stored.name not in [run.name for run in platform.list("Workflow", "default")[0]])
    assert platform.pods("default", stored.name) == []


def test_a_deleted_run_takes_its_pods_and_files_with_it(platform):
    stored = platform.submit("default", locked("sleep 60"))
    (pod,) = until(lambda: platform.pods("default", stored.name))
    until(lambda: json.loads(platform.pods("default", stored.name)[0].text)["status"]["phase"] == "Running")
    platform.delete("Workflow", "default", stored.name)
    with pytest.raises(Refused, match="not found"):
        platform.get("Workflow", "default", stored.name)
    folder = platform.state / "pods" / pod.uid
    until(lambda: not folder.exists())
    assert platform._journal.read("all_outbox") == []


@pytest.mark.parametrize("strategy", ["OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"])
def test_pod_gc_hides_pods_and_keeps_their_logs(platform, strategy):
    gc = {"strategy": strategy, "deleteDelayDuration": "200ms"}
    stored = platform.submit("default", locked("echo kept", podGC=gc))
    toys.wait(platform, "default", stored.name)
    (pod,) = platform.pods("default", stored.name)
    assert pod.name in [one.name for one in platform.list("Pod", "default")[0]]
    until(lambda: pod.name not in [one.name for one in platform.list("Pod", "default")[0]])
    assert [line for _, line in platform.pod_log("default", pod.name, "main")] == ["kept"]


@pytest.mark.parametrize("strategy", ["OnPodCompletion", "OnWorkflowCompletion"])
def test_pod_gc_takes_the_pods_whose_labels_its_selector_matches(platform, strategy):
    """The selector names labels of the template, of the workflow's podMetadata, and missing ones."""
    document = locked("true", podMetadata={"labels": {"all": "1"}})
    pod = document["spec"]["templates"][0]
    chosen = {"a": {"app": "x"}, "b": {"app": "y"}, "c": {}}
    templates = [{**pod, "name": name, "metadata": {"labels": labels}} for name, labels in chosen.items()]
    steps = [[{"name": name, "template": name} for name in chosen]]
    document["spec"] |= {"entrypoint": "main", "templates": [{"name": "main", "steps": steps}, *templates]}
    terms = [{"key": "app", "operator": "NotIn", "values": ["x"]}]
    selector = {"matchLabels": {"all": "1"}, "matchExpressions": terms}
    document["spec"]["podGC"] = {"strategy": strategy, "deleteDelayDuration": "0s", "labelSelector": selector}
    name = platform.submit("default", document).name
    toys.wait(platform, "default", name)
    left = [json.loads(pod.text)["metadata"]["labels"] for pod in platform.list("Pod", "default")[0]]
    mine = [labels.get("app") for labels in left if labels["workflows.argoproj.io/workflow"] == name]
    assert mine == ["x"]


@pytest.mark.parametrize("strategy", ["OnPodSuccess", "OnWorkflowSuccess"])
def test_pod_gc_on_success_leaves_failed_pods(platform, strategy):
    gc = {"strategy": strategy, "deleteDelayDuration": "0s"}
    stored = platform.submit("default", locked("exit 1", podGC=gc))
    toys.wait(platform, "default", stored.name)
    (pod,) = platform.pods("default", stored.name)
    assert pod.name in [one.name for one in platform.list("Pod", "default")[0]]


def test_what_is_over_cannot_be_stopped_or_suspended(platform):
    stored = platform.submit("default", locked("true"))
    toys.wait(platform, "default", stored.name)
    with pytest.raises(Refused, match="cannot suspend completed workflows") as refused:
        platform.act("default", stored.name, SuspendRequested(0.0))
    assert refused.value.code == 3
    with pytest.raises(Refused, match=f'cannot shutdown a completed workflow: workflow: "{stored.name}"') as refused:
        platform.act("default", stored.name, ShutdownRequested(0.0))
    assert refused.value.code == 13
    with pytest.raises(Refused, match="set only targets suspend nodes"):
        platform.act("default", stored.name, SetRequested(0.0, node_field_selector="displayName=a"))
    until(lambda: not platform._controller._runs)  # a finished run is not kept in memory


def test_labels_of_runs_and_pods_can_be_changed(platform):
    stored = platform.submit("default", locked("sleep 0.3"))
    document = json.loads(stored.text)
    document["metadata"]["labels"] = {**document["metadata"]["labels"], "kind": "test"}
    del document["metadata"]["resourceVersion"]
    platform.update("Workflow", "default", document)
    (pod,) = platform.pods("default", stored.name)
    body = json.loads(pod.text)
    body["metadata"].setdefault("annotations", {})["note"] = "mine"
    del body["metadata"]["resourceVersion"]
    assert json.loads(platform.update("Pod", "default", body).text)["metadata"]["annotations"]["note"] == "mine"
    last = toys.wait(platform, "default", stored.name)
    assert (last["metadata"]["labels"]["kind"], last["status"]["phase"]) == ("test", "Succeeded")
    assert json.loads(platform.get("Pod", "default", pod.name).text)["metadata"]["annotations"]["note"] == "mine"
    document["spec"]["entrypoint"] = "other"
    with pytest.raises(Refused, match="spec.entrypoint: Forbidden"):
        platform.update("Workflow", "default", document)


@pytest.mark.parametrize("strategy", ["OnWorkflowCompletion", "OnWorkflowDeletion", "Never"])
def test_artifact_gc(platform, strategy):
    artifact = {"name": "out", "path": "/tmp/out", "s3": {"key": f"kept/{strategy}"}, "archive": {"none": {}}}
    document = locked("echo data > /tmp/out", artifactGC={"strategy": strategy})
    document["spec"]["templates"][0]["outputs"] = {"artifacts": [artifact]}
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name)
    path = platform.state / "artifacts/default/kept" / strategy
    (node,) = last["status"]["nodes"].values()
    assert node["outputs"]["artifacts"][0].get("deleted", False) == (strategy == "OnWorkflowCompletion")
    if strategy != "OnWorkflowCompletion":
        assert platform.artifact("default", stored.name, node["id"], "out") == str(path)
    platform.delete("Workflow", "default", stored.name)
    until(lambda: path.exists() == (strategy == "Never"))


def diamond():
    task = {
        "image": "busybox",
        "command": ["sh", "-c", "echo {{inputs.parameters.x}}; test {{inputs.parameters.x}} != 2 -o -e /nope"],
    }
    leaf = {
        "name": "leaf",
        "inputs": {"parameters": [{"name": "x"}]},
        "container": task,
        "retryStrategy": {"limit": "1"},
    }

    def argument(value):
        return {"parameters": [{"name": "x", "value": value}]}

    tasks = [
        {"name": "a", "template": "leaf", "arguments": argument("0")},
        {
            "name": "b",
            "template": "leaf",
            "arguments": argument("{{item}}"),
            "withItems": [1, 2, 3],
            "depends": "a",
        },
        {"name": "c", "template": "leaf", "arguments": argument("4"), "depends": "b.AnySucceeded"},
    ]
    spec = {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": tasks, "failFast": False}}, leaf]}
    return {"metadata": {"generateName": "diamond-"}, "spec": spec}


def test_the_rows_and_the_stored_events_give_the_same_run(platform):
    stored = platform.submit("default", diamond())
    last = toys.wait(platform, "default", stored.name)
    assert len(last["status"]["nodes"]) == 13
    metadata = {key: last["metadata"][key] for key in ("name", "generateName", "namespace", "uid", "creationTimestamp")}
    run = Run({"metadata": metadata, "spec": last["spec"], "status": {}})
    for data in platform.events("default", stored.name):
        advance(run, from_json(data))
    assert run.nodes == last["status"]["nodes"]
    assert run.document["status"]["phase"] == last["status"]["phase"]


def test_a_run_read_back_from_its_rows_after_each_event_is_the_same_run(platform):
    stored = platform.submit("default", diamond())
    last = toys.wait(platform, "default", stored.name)
    metadata = {key: last["metadata"][key] for key in ("name", "generateName", "namespace", "uid", "creationTimestamp")}
    run = Run({"metadata": metadata, "spec": last["spec"], "status": {}})
    for data in platform.events("default", stored.name):
        advance(run, from_json(data))
        run = Run(*json.loads(json.dumps((run.document, run.memory))))  # a crash between any two events
    assert run.nodes == last["status"]["nodes"]


def test_what_has_no_effect_here_is_told(platform):
    document = toys.workflow("true", tolerations=[{"key": "gpu"}])
    stored = platform.submit("default", document)
    conditions = {one["type"]: one for one in toys.wait(platform, "default", stored.name)["status"]["conditions"]}
    assert "spec.tolerations has no effect here" in conditions["SpecWarning"]["message"]
    assert conditions["Completed"]["status"] == "True"
    events = [json.loads(one.text) for one in platform.list("Event", "default")[0]]
    told = [one for one in events if one["involvedObject"]["name"] == stored.name and one["reason"] == "NoEffect"]
    assert [one["type"] for one in told] == ["Warning"]
    assert "spec.tolerations" in told[0]["message"]


def test_what_this_machine_cannot_mean_is_refused_with_its_path(platform):
    document = toys.workflow("true", volumes=[{"name": "data", "nfs": {"server": "nas", "path": "/"}}])
    for door in (platform.submit, platform.lint):
        with pytest.raises(UnsupportedError, match=r"spec\.volumes\[0\]\.nfs cannot be executed"):
            door("default", document)
    template = {"metadata": {"name": "kept"}, "spec": document["spec"]}
    platform.create("WorkflowTemplate", "default", template)  # it may be stored, because a template runs nothing
    with pytest.raises(UnsupportedError, match=r"WorkflowTemplate/kept spec\.volumes\[0\]\.nfs"):
        platform.submit(
            "default", {"metadata": {"generateName": "k-"}, "spec": {"workflowTemplateRef": {"name": "kept"}}}
        )


def test_kubernetes_refuses_to_store_an_empty_group_of_steps(platform):
    document = {
        "metadata": {"name": "gap"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "steps": [[], []]}]},
    }
    platform.lint("default", document)
    with pytest.raises(Refused, match=r'Workflow.argoproj.io "gap" is invalid: \[spec.templates\[0\].steps\[0\]'):
        platform.submit("default", document)


@pytest.mark.parametrize("whole", [False, True])
def test_an_artifact_plugin_that_is_not_here_is_argos_error(platform, whole):
    """The plugin is named by the artifact, or by the template's archiveLocation."""
    document = toys.workflow("true")
    (template,) = document["spec"]["templates"]
    plugin = {"plugin": {"name": "test", "key": "k"}}
    template["outputs"] = {"artifacts": [{"name": "out", "path": "/tmp/out", **({} if whole else plugin)}]}
    if whole:
        template["archiveLocation"] = plugin
    last = toys.wait(platform, "default", platform.submit("default", document).name)
    assert last["status"]["phase"] == "Error"
    (node,) = last["status"]["nodes"].values()
    assert (node["phase"], node["message"]) == ("Error", "artifact driver test not found")


def events_of(platform, name):
    events = [json.loads(one.text) for one in platform.list("Event", "default")[0]]
    return [
        (one["type"], one["message"])
        for one in events
        if one["involvedObject"]["name"] == name and one["reason"] == "StandIn"
    ]


def test_a_stand_in_is_never_silent(platform):
    other_client = platform.submit("default", diamond())
    toys.wait(platform, "default", other_client.name)
    ((kind, said),) = events_of(platform, other_client.name)  # one event, however many pods there are
    assert kind == "Warning"
    assert "this machine stands in for the image busybox" in said
    document = toys.workflow("true")
    decisions = {"busybox": {"stand_in": {"cmd": ["sh"]}, "reason": "programs of a test", "because": "it says so"}}
    document["metadata"]["annotations"] = {"hera-utils/image-decisions": json.dumps(decisions)}
    ours = platform.submit("default", document)
    assert events_of(platform, ours.name) == [
        ("Warning", "this machine stands in for the image busybox: programs of a test, because it says so")
    ]
    toys.wait(platform, "default", ours.name)
    assert len(events_of(platform, ours.name)) == 1
