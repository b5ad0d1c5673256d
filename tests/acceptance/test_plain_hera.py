"""A plain Hera script against the local platform: only host, token and namespace are set."""

import json

SCRIPT = """
import sys
from hera.workflows import DAG, WorkflowsService, Workflow, script
from hera.shared import global_config

global_config.host, global_config.token, global_config.namespace = sys.argv[1:4]

@script(image="python:3.11")
def double(n: int):
    print(2 * n)

@script(image="python:3.11")
def total(numbers: list):
    print(sum(int(n) for n in numbers))

with Workflow(generate_name="plain-", entrypoint="dag") as w:
    with DAG(name="dag"):
        doubled = double(name="double", arguments={"n": "{{item}}"}, with_items=[1, 2, 3])
        doubled >> total(name="total", arguments={"numbers": doubled.result})
created = w.create(wait=True, poll_interval=1)
print(created.status.phase)
nodes = {node.display_name: node for node in created.status.nodes.values()}
print(sorted(int(node.outputs.result) for name, node in nodes.items() if name.startswith("double(")))
print(nodes["total"].inputs.parameters[0].value)
print(w.get_workflow_link())
"""


def test_create_and_wait(shared_machine):
    connection = shared_machine.connection()
    path = shared_machine.folder / "plain.py"
    path.write_text(SCRIPT)
    answer = shared_machine.python(path, connection["argo_server"], connection["token"], connection["namespace"])
    assert answer.returncode == 0, answer.stderr
    assert sorted(json.loads(answer.stdout.splitlines()[2])) == [2, 4, 6]
    assert answer.stdout.splitlines()[:2] == ["Succeeded", "[2, 4, 6]"]


def test_the_first_answer_is_never_pending(shared_machine):
    document = {
        "metadata": {"generateName": "first-"},
        "spec": {
            "entrypoint": "a",
            "templates": [{"name": "a", "container": {"image": "busybox", "command": ["sleep", "1"]}}],
        },
    }
    for _ in range(5):
        name = shared_machine.submit(document)
        status, answer = shared_machine.call("GET", f"/api/v1/workflows/default/{name}")
        assert status == 200
        assert answer["status"]["phase"] == "Running"


def test_the_log_of_a_retried_task_has_each_line_once(shared_machine):
    """Both attempts have the same pod name; each is read from its own log."""
    document = {
        "metadata": {"generateName": "again-"},
        "spec": {
            "entrypoint": "a",
            "templates": [
                {"name": "a", "container": {"image": "busybox", "command": ["sh", "-c"], "args": ["date +%N; exit 1"]}}
            ],
        },
    }
    name = shared_machine.submit(document)
    shared_machine.wait(name)
    assert shared_machine.call("PUT", f"/api/v1/workflows/default/{name}/retry", {"name": name})[0] == 200
    shared_machine.wait(name)
    lines = shared_machine.run("logs", name).stdout.split()
    numbers = [line for line in lines if line.isdigit()]
    assert len(numbers) == len(set(numbers)) >= 1, lines
    refused = shared_machine.run("resume", name)
    assert refused.returncode == 1
    assert "has ended (Failed)" in refused.stderr
