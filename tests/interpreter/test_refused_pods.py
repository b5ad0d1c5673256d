"""Pods that Kubernetes does not take end as Error, with the words of a real API server (refused_pods.jsonl, recorded with Argo 4.1.2).

A row: what the container, the template and the workflow have besides a command, and what the workflow's message says. mounted: the first
volume is mounted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playbook import Play, workflow

Json = dict[str, Any]
ROWS = [json.loads(line) for line in (Path(__file__).parent / "refused_pods.jsonl").read_text().splitlines()]
COMMAND = {"image": "busybox", "command": ["sh", "-c"], "args": ["echo"]}


def spec_of(row: Json) -> Json:
    container = {**COMMAND, **row.get("container", {})}
    if row.get("mounted"):
        container["volumeMounts"] = [{"name": row["workflow"]["volumes"][0]["name"], "mountPath": "/mnt/v"}]
    template = {"name": "main", "container": container, **row.get("template", {})}
    return {"entrypoint": "main", "templates": [template], **row.get("workflow", {})}


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_the_node_is_an_error_with_the_words_of_kubernetes(row: Json) -> None:
    play = Play(workflow(spec_of(row)), "live")
    assert play.launched == []
    assert (play.phase, play.node("wf")["phase"]) == ("Error", "Error")
    assert play.message == f"error in entry template execution: {row['says']}"


BESIDE = 'ConfigMap "wf" is invalid: []: Too long: may not be more than 1048576 bytes'
STORED = "etcdserver: request is too large"
SENT = "Request entity too large: limit is 3145728"
LARGE_PATCH = {"containers": [{"name": "main", "env": [{"name": "A", "value": "x" * 1_600_000}]}]}
TOLERATIONS = [{"key": f"k{number}", "operator": "Exists"} for number in range(100_000)]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"container": {"args": ["x" * 1_050_000]}}, BESIDE),
        ({"container": {"args": ["x" * 600_000]}}, BESIDE),  # the text counts in the template and in the arguments
        ({"container": {"env": [{"name": "A", "value": "\u00e4" * 530_000}]}}, BESIDE),
        ({"workflow": {"podSpecPatch": json.dumps(LARGE_PATCH)}}, STORED),
        ({"workflow": {"tolerations": TOLERATIONS}}, SENT),
    ],
    ids=["a long template", "long arguments", "bytes count", "a large pod", "a large request"],
)  # fmt: skip
def test_what_no_cluster_could_store_is_refused(row: Json, says: str) -> None:
    """The words of a real API server and etcd, for pods of these sizes."""
    play = Play(workflow(spec_of(row)), "live")
    assert play.launched == []
    assert (play.phase, play.message) == ("Error", f"error in entry template execution: {says}")


@pytest.mark.parametrize(
    "row",
    [
        {"container": {"args": ["x" * 500_000]}},
        {"container": {"env": [{"name": "A", "value": "x" * 1_000_000}]}},
        {"workflow": {"tolerations": TOLERATIONS[:60_000]}},
    ],
    ids=["long arguments", "a long variable", "many small parts"],
)
def test_what_a_cluster_stores_is_launched(row: Json) -> None:
    assert len(Play(workflow(spec_of(row)), "live").launched) == 1


def test_a_step_whose_pod_is_refused_ends_its_group() -> None:
    spec = """
entrypoint: main
templates:
- {name: main, steps: [[{name: a, template: work}], [{name: b, template: work}]]}
- {name: work, container: {image: busybox, command: [a], imagePullPolicy: Sometimes}}
"""
    play = Play(workflow(spec), "live")
    says = 'spec.containers[1].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"'
    assert play.phases() == {"": "Failed", "[0]": "Error", "[0].a": "Error"}
    assert play.node("a")["message"] == f'Pod "{play.node("a")["id"].replace("wf-", "wf-work-")}" is invalid: {says}'
    assert play.message.startswith("step group deemed errored due to child wf[0].a error: Pod ")


def test_what_kubernetes_takes_is_launched() -> None:
    container = {
        "env": [{"name": "1a b", "value": "x"}, {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": 1, "memory": "1024Mi"}},
        "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}],
        "readinessProbe": {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 1},
        "livenessProbe": {"exec": {"command": ["true"]}}, "securityContext": {"runAsUser": 0},
    }  # fmt: skip
    more = {
        "dnsPolicy": "Default",
        "tolerations": [{"operator": "Exists"}],
        "hostAliases": [{"ip": "::1", "hostnames": ["a.b"]}],
    }
    play = Play(workflow(spec_of({"container": container, "workflow": more})), "live")
    assert (play.phase, len(play.launched)) == ("Running", 1)


def test_a_container_of_a_set_cannot_mount_what_only_the_workflow_has() -> None:
    """Argo gives the pod the volumes that the set itself mounts; that of one of its containers is not among them."""
    container = {**COMMAND, "name": "main", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    template = {"name": "main", "containerSet": {"containers": [container]}}
    spec = {"entrypoint": "main", "templates": [template], "volumes": [{"name": "v", "emptyDir": {}}]}
    play = Play(workflow(spec), "live")
    assert play.launched == []
    missing = [f'spec.containers[{index}].volumeMounts[0].name: Not found: "v"' for index in (0, 1)]
    assert play.message == f'error in entry template execution: Pod "wf" is invalid: [{", ".join(missing)}]'
    template["containerSet"]["volumeMounts"] = container.pop("volumeMounts")
    assert len(Play(workflow(spec), "live").launched) == 1
