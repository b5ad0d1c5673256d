"""The local platform through LocalPlatform's methods: runs, objects, restarts."""

from __future__ import annotations

import json
import sqlite3

import pytest
import toy_parts as toys

from hera_utils.errors import InvalidWorkflow, Refused
from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.events import ResumeRequested, RetryRequested, Submitted, SuspendRequested
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.watch import status_of
from hera_utils.local_platform.storage import objects
from waiting import until


@pytest.fixture
def platform(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    yield platform
    platform.close()


def test_a_workflow_is_submitted_runs_and_succeeds(platform):
    stored = platform.submit("default", toys.workflow("echo", "hello"))
    first = json.loads(stored.text)
    assert first["status"]["phase"] == "Running"
    assert first["metadata"]["name"].startswith("toy-")
    assert set(first) == {"metadata", "spec", "status"}
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] == "Succeeded"
    assert [node["phase"] for node in last["status"]["nodes"].values()] == ["Succeeded"]
    (pod,) = platform.pods("default", stored.name)
    status = json.loads(pod.text)["status"]
    assert (status["phase"], status["containerStatuses"][0]["state"]["terminated"]["exitCode"]) == ("Succeeded", 0)
    assert list(platform.pod_log("default", pod.name, "main")) == [(0.0, "hello")]


def test_a_list_without_nodes_says_of_each_run_what_a_reading_says(tmp_path):
    state = tmp_path / "state"
    first = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    for namespace in ("default", "argo", "default"):
        toys.wait(first, namespace, first.submit(namespace, toys.workflow("true")).name)
    first.close()
    platform = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)  # these are only in the journal …
    platform.submit("default", toys.workflow("sleep", "60", count=2))  # … and this one in memory
    try:
        for namespace, count in (("default", 3), ("argo", 1), ("", 4)):
            found, version = platform.list("Workflow", namespace, nodes=False)
            assert (len(found), version) == (count, platform.list("Namespace")[1])
            assert found == sorted(found, key=lambda one: (one.namespace, one.name))
            for stored in found:
                assert stored == platform.get("Workflow", stored.namespace, stored.name, nodes=False)
                assert status_of(stored) == json.loads(stored.text)["status"]
    finally:
        platform.close()


def test_a_generated_name_that_is_taken_is_drawn_again(platform, monkeypatch):
    names = iter(["toy-one", "toy-one", "toy-two", *["toy-one"] * 20])
    monkeypatch.setattr(objects.names, "generated_name", lambda prefix, seed: next(names))
    assert [platform.submit("default", toys.workflow("true")).name for _ in range(2)] == ["toy-one", "toy-two"]
    with pytest.raises(Refused, match='"toy-one" already exists'):
        platform.submit("default", toys.workflow("true"))


def test_a_failed_command_fails_the_run(platform):
    stored = platform.submit("default", toys.workflow("sh", "-c", "exit 3"))
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] == "Failed"
    assert int(last["metadata"]["resourceVersion"]) > stored.resource_version


def test_after_a_restart_everything_is_there(tmp_path):
    state = tmp_path / "state"
    first = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    done = first.submit("default", toys.workflow("true"))
    before = toys.wait(first, "default", done.name)
    going = first.submit("default", toys.workflow("sh", "-c", "sleep 0.5", count=3))
    first.close()
    second = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        assert json.loads(second.get("Workflow", "default", done.name).text) == before
        after = toys.wait(second, "default", going.name)
        assert after["status"]["phase"] == "Succeeded"
        assert len(list((state / "pods").iterdir())) == 4  # nothing was launched twice
    finally:
        second.close()


def test_an_unknown_namespace_or_name_is_not_found(platform):
    with pytest.raises(Refused, match='namespaces "nowhere" not found') as refused:
        platform.submit("nowhere", toys.workflow("true"))
    assert (refused.value.code, refused.value.reason) == (5, "NotFound")
    with pytest.raises(Refused, match='workflows.argoproj.io "nothing" not found'):
        platform.get("Workflow", "default", "nothing")


def fan_out(run, event):
    """Adds children to a node one by one, and then, at a user's event, removes most of them."""
    status = run.document.setdefault("status", {})
    root = run.nodes.setdefault(run.name, {"id": run.name, "name": run.name, "type": "TaskGroup", "children": []})
    run.changed.add(run.name)
    status.setdefault("phase", "Running")
    if isinstance(event, Submitted):
        return []
    if isinstance(event, SuspendRequested):
        root["children"] = root["children"][:3]
        return []
    for _ in range(40):
        child = f"{run.name}-{len(root['children'])}"
        root["children"].append(child)
        run.nodes[child] = {"id": child, "name": child, "type": "Pod", "phase": "Succeeded"}
        run.changed.add(child)
    return []


def test_the_children_of_a_node_that_has_many_are_stored_one_by_one(tmp_path):
    state = tmp_path / "state"
    platform = LocalPlatform(state, advance=fan_out, runtime=toys.ToyRuntime)
    stored = platform.submit("default", toys.workflow("true"))
    for number in range(1, 6):
        seen = json.loads(platform.act("default", stored.name, ResumeRequested(0.0)).text)
        assert seen["status"]["nodes"][stored.name]["children"] == [f"{stored.name}-{n}" for n in range(40 * number)]
        (row,) = (text for node, text in platform._read_model.rows("run_nodes", stored.uid) if node == stored.name)
        assert ("children" in row) == (40 * number < 64)
        again = platform._read_model.load(stored.uid)
        assert json.loads(again.text())["status"]["nodes"] == seen["status"]["nodes"]
        platform.close()
        platform = LocalPlatform(state, advance=fan_out, runtime=toys.ToyRuntime)
    seen = json.loads(platform.act("default", stored.name, SuspendRequested(0.0)).text)
    assert len(seen["status"]["nodes"][stored.name]["children"]) == 3
    assert platform._read_model.rows("run_children", stored.uid) == []
    platform.close()


def test_the_journal_shrinks_when_runs_are_deleted(platform):
    documents = []
    for _ in range(20):
        document = toys.workflow("true")
        document["metadata"]["annotations"] = {"note": "x" * 100_000}
        documents.append(platform.submit("default", document).name)
    for name in documents:
        toys.wait(platform, "default", name)
    file = platform.state / "journal.sqlite"
    with sqlite3.connect(file) as reader:
        reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    reader.close()
    before = file.stat().st_size
    for name in documents:
        platform.delete("Workflow", "default", name)
    until(lambda: file.stat().st_size + (platform.state / "journal.sqlite-wal").stat().st_size <= before / 4)


class Full(toys.ToyRuntime):
    """A machine without free resources: nothing starts."""

    def launch(self, launch) -> None:
        self.says = {launch.run_uid: {launch.node_id: 'waits for "room"'}}

    def waiting(self):
        return getattr(self, "says", {})


def test_why_a_pod_waits_is_told_whenever_its_run_is_read_and_not_written_down(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=Full)
    try:
        stored = platform.submit("default", toys.workflow("echo", "hello"))

        def messages(one):
            return [node.get("message") for node in json.loads(one.text)["status"]["nodes"].values()]

        read = platform.get("Workflow", "default", stored.name)
        assert messages(read) == ['waits for "room"']
        assert messages(platform.list("Workflow")[0][0]) == ['waits for "room"']
        assert read.resource_version == stored.resource_version
        runtime = platform._launcher.runtime
        (run,) = runtime.says
        runtime.says = {run: dict.fromkeys(runtime.says[run], "waits still")}
        assert messages(platform.get("Workflow", "default", stored.name)) == ["waits still"]
        runtime.says = {}
        assert messages(platform.get("Workflow", "default", stored.name)) == [None]
    finally:
        platform.close()


def test_the_templates_to_which_a_workflow_refers_have_a_bound(platform, monkeypatch):
    text = "x" * 5000
    for n in range(3):
        template = {"name": "m", "container": {"image": "busybox", "command": ["true"], "args": [text]}}
        document = {"metadata": {"name": f"wide-{n}"}, "spec": {"templates": [template]}}
        platform.create("WorkflowTemplate", "default", document)
    tasks = [{"name": f"t{n}", "templateRef": {"name": f"wide-{n}", "template": "m"}} for n in range(3)]
    spec = {"entrypoint": "m", "templates": [{"name": "m", "dag": {"tasks": tasks}}]}
    workflow = {"metadata": {"generateName": "w-"}, "spec": spec}
    assert len(platform.admission.admit("default", workflow).templates) == 3
    monkeypatch.setattr("hera_utils.local_platform.controller.admission.MOST_CHARACTERS", 12_000)
    with pytest.raises(
        InvalidWorkflow, match="the stored templates to which this workflow refers have more than 12000"
    ):
        platform.admission.admit("default", workflow)
    spec["templates"][0]["dag"]["tasks"] = tasks[:2]
    assert len(platform.admission.admit("default", workflow).templates) == 2


def test_a_run_keeps_the_config_maps_of_parameters_only_if_it_may_use_them(platform, monkeypatch):
    labels = {"workflows.argoproj.io/configmap-type": "Parameter"}
    platform.create("ConfigMap", "default", {"metadata": {"name": "p", "labels": labels}, "data": {"a": "x" * 1000}})
    monkeypatch.setattr("hera_utils.local_platform.controller.admission.MOST_CHARACTERS", 10)
    document = toys.workflow("true")
    assert platform.admission.admit("default", document).config_maps == {}
    value = {"configMapKeyRef": {"name": "p", "key": "a"}}
    document["spec"]["arguments"] = {"parameters": [{"name": "a", "valueFrom": value}]}
    with pytest.raises(
        InvalidWorkflow, match="the config maps with parameters of the namespace default have more than 10 char"
    ):
        platform.admission.admit("default", document)


@pytest.mark.parametrize("digits", ["9" * 6000, "-" + "9" * 6000])
def test_numbers_of_thousands_of_digits_are_refused_in_argos_words(tmp_path, digits):
    """Python parses no number with more than 4,300 digits: this used to be an internal error of the server."""
    platform = LocalPlatform(tmp_path / "state", advance=advance, runtime=toys.ToyRuntime)
    try:
        platform.create("ConfigMap", "default", {"metadata": {"name": "limits"}, "data": {"k": digits}})
        document = toys.workflow("true")
        semaphore = {"configMapKeyRef": {"name": "limits", "key": "k"}}
        document["spec"]["templates"][0]["synchronization"] = {"semaphores": [semaphore]}
        name = platform.submit("default", document).name
        status = toys.wait(platform, "default", name)["status"]
        assert status["phase"] == "Error"
        assert "failed to initialize semaphore default/ConfigMap/limits/k with limit" in str(status)
        document["spec"]["templates"][0] |= {"synchronization": None, "activeDeadlineSeconds": digits}
        with pytest.raises(InvalidWorkflow, match="activeDeadlineSeconds must be a positive integer > 0"):
            platform.lint("default", document)
    finally:
        platform.close()


def test_labels_that_kubernetes_would_not_store_end_a_workflow(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=advance, runtime=toys.ToyRuntime)
    try:
        document = toys.workflow("true", workflowMetadata={"labels": {"two words": "x"}})
        last = toys.wait(platform, "default", platform.submit("default", document).name)
        assert last["status"]["phase"] == "Error"
        expected = f'Workflow.argoproj.io "{last["metadata"]["name"]}" is invalid: metadata.labels: Invalid value: "two words": '
        assert last["status"]["message"].startswith(expected)
        assert "two words" not in last["metadata"]["labels"]
    finally:
        platform.close()


def test_a_retried_workflow_is_validated_once_more(tmp_path):
    """With Argo's messages: the workflow's template may have been deleted, or the new parameters may have duplicates."""
    platform = LocalPlatform(tmp_path / "state", advance=advance, runtime=toys.ToyRuntime)
    try:
        stored = toys.workflow("false")["spec"]
        platform.create("WorkflowTemplate", "default", {"metadata": {"name": "mine"}, "spec": stored})
        referring = platform.submit(
            "default", {"metadata": {"name": "a"}, "spec": {"workflowTemplateRef": {"name": "mine"}}}
        ).name
        own = platform.submit("default", toys.workflow("false")).name
        for name in (referring, own):
            assert toys.wait(platform, "default", name)["status"]["phase"] == "Failed"
        platform.delete("WorkflowTemplate", "default", "mine")
        platform.act("default", referring, RetryRequested(0.0))
        status = toys.wait(platform, "default", referring)["status"]
        assert (status["phase"], status["message"]) == (
            "Failed",
            'invalid spec: workflowtemplates.argoproj.io "mine" not found',
        )
        platform.act("default", own, RetryRequested(0.0, parameters=("p=1", "p=2")))
        assert toys.wait(platform, "default", own)["status"]["message"] == (
            "invalid spec: spec.arguments.parameters[1].name 'p' is not unique"
        )
        platform.act("default", own, RetryRequested(0.0, parameters=("p=1",)))
        assert toys.wait(platform, "default", own)["status"]["message"] == "Error (exit code 1)"
    finally:
        platform.close()
