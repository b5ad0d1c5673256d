"""Workflow documents for the tests of this room."""


def pod(name, phase="Succeeded", inputs=None, outputs=None, **more):
    return {
        "id": f"id-{name}",
        "name": name,
        "type": "Pod",
        "phase": phase,
        "boundaryID": "wf",
        "templateName": "collect",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:03Z",
        "inputs": {"parameters": [{"name": k, "value": v} for k, v in (inputs or {}).items()]},
        "outputs": {"parameters": [{"name": k, "value": v} for k, v in (outputs or {}).items()]},
        **more,
    }


def run(*nodes, phase="Succeeded", name="wf"):
    root = {"id": name, "name": name, "type": "DAG", "phase": phase, "templateName": "main"}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {},
        "status": {
            "phase": phase,
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:00:09Z",
            "nodes": {node["id"]: node for node in (root, *nodes)},
        },
    }


def sweep(points, name="wf", task="collect"):
    """A run with one task a point, given as (values, phase, outputs)."""
    nodes = [
        pod(f"{name}.{task}-{number}", phase, values, outputs) | {"boundaryID": name}
        for number, (values, phase, outputs) in enumerate(points)
    ]
    return run(*nodes, name=name)
