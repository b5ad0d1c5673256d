"""Lists of workflows are asked for in pages, whatever the platform is."""

import pytest

from hera_utils.cli.ls import newest
from hera_utils.platforms import argo_client
from hera_utils.runs.record import RUN_LABEL

SPEC = {"entrypoint": "t", "templates": [{"name": "t", "container": {"image": "busybox", "command": ["true"]}}]}
FIELDS = "metadata.name,metadata.labels,metadata.creationTimestamp"


@pytest.fixture
def client(local_platform, monkeypatch):
    monkeypatch.setattr(argo_client, "PAGE", 2)
    return local_platform.client


def submit(client, name, run=None):
    metadata = {"name": name} | ({"labels": {RUN_LABEL: run}} if run else {})
    client.create({"kind": "Workflow", "metadata": metadata, "spec": SPEC})


def names(workflows):
    return [one["metadata"]["name"] for one in workflows]


def test_pages_are_one_list(client, monkeypatch):
    for number in range(5):
        submit(client, f"page-{number}")
    asked = []
    ask = client._object
    monkeypatch.setattr(client, "_object", lambda *a, **k: asked.append(dict(k["query"])) or ask(*a, **k))
    every = names(client.list(fields=FIELDS))
    assert sorted(name for name in every if name.startswith("page-")) == [f"page-{number}" for number in range(5)]
    assert len(asked) == (len(every) + 1) // 2
    assert {query["listOptions.limit"] for query in asked} == {2}
    asked.clear()
    [first] = names(client.list(limit=1, fields=FIELDS))
    assert first in every[:2]  # within a page, Argo lists running workflows before ended ones
    assert len(asked) == 1


def test_a_workflow_that_comes_between_two_pages_is_no_second_one(client):
    for number in range(3):
        submit(client, f"before-{number}")
    found = client.newest(fields=FIELDS)
    first = next(found)
    submit(client, "meanwhile")
    rest = names(found)
    assert len(rest) == len(set(rest))
    assert first["metadata"]["name"] not in rest


def test_a_limit_of_runs_reads_their_older_workflows_too(client):
    submit(client, "old-1", run="old")
    submit(client, "between")
    submit(client, "old-2", run="old")
    found = names(newest(client, None, 1))
    assert "between" not in found or {"old-1", "old-2"} <= {*found}
    assert {*names(newest(client, f"{RUN_LABEL}=old", 1))} == {"old-1", "old-2"}
