"""kill -9 of the server at any moment: every task runs exactly once and the run ends as if nothing had happened."""

import random
import time

TASKS = 200


def fan_out(folder, tasks, seconds):
    """Each task appends one line to a file of its own in the claim."""
    return {
        "metadata": {"generateName": "crash-"},
        "spec": {
            "entrypoint": "main",
            "volumes": [{"name": "out", "persistentVolumeClaim": {"claimName": "crash"}}],
            "templates": [
                {
                    "name": "main",
                    "steps": [
                        [
                            {
                                "name": "task",
                                "template": "append",
                                "arguments": {"parameters": [{"name": "n", "value": "{{item}}"}]},
                                "withSequence": {"count": str(tasks)},
                            }
                        ]
                    ],
                },
                {
                    "name": "append",
                    "inputs": {"parameters": [{"name": "n"}]},
                    "container": {
                        "image": "alpine:3.20",
                        "command": ["sh", "-c"],
                        "args": [f"sleep {seconds}; echo ran >> /out/{{{{inputs.parameters.n}}}}"],
                        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
                    },
                },
            ],
        },
    }


def claim(machine, name, folder):
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "annotations": {"hera-utils/folder": str(folder)}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    status, answer = machine.call("POST", "/api/v1/namespaces/default/persistentvolumeclaims", body, api="kubernetes")
    assert status == 201, answer


def test_ten_kills_during_two_hundred_tasks(machine):
    machine.serve()
    out = machine.folder / "out"
    out.mkdir()
    claim(machine, "crash", out)
    name = machine.submit(fan_out(out, TASKS, 0.02))
    dice = random.Random(20260923)
    for _ in range(10):
        time.sleep(dice.uniform(0.0, 0.4))
        machine.kill_server()
        machine.connection_cache = machine.serve()
    workflow = machine.wait(name)
    assert workflow["status"]["phase"] == "Succeeded"
    assert workflow["status"]["progress"] == f"{TASKS}/{TASKS}"
    runs = {file.name: file.read_text().count("ran") for file in out.iterdir()}
    assert runs == {str(n): 1 for n in range(TASKS)}
