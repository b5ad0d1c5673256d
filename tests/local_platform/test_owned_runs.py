"""Workflows that name an owner go with it, as Kubernetes' collector does it."""

from __future__ import annotations

import pytest
import toy_parts as toys

from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform


@pytest.fixture
def platform(running_platform):
    return running_platform


def _owner(platform, kind, name):
    stored = platform.get(kind, "default", name)
    version = "v1" if kind == "ConfigMap" else "argoproj.io/v1alpha1"
    return {"apiVersion": version, "kind": kind, "name": name, "uid": stored.uid}


def _submit(platform, *owners, command=("true",)):
    document = toys.workflow(*command)
    document["metadata"]["ownerReferences"] = list(owners)
    return platform.submit("default", document).name


def _is_there(platform, name):
    try:
        platform.get("Workflow", "default", name)
    except Refused:
        return False
    return True


def _map(platform, name):
    platform.create("ConfigMap", "default", {"metadata": {"name": name}})
    return _owner(platform, "ConfigMap", name)


@pytest.mark.parametrize("restart", [False, True])
def test_a_workflow_goes_with_its_owner(platform, tmp_path, restart):
    owner = _map(platform, "owner")
    over = _submit(platform, owner)
    toys.wait(platform, "default", over)
    goes_on = _submit(platform, owner, command=("sleep", "600"))
    if restart:
        platform.close()
        platform = LocalPlatform(tmp_path / "state")
    platform.delete("ConfigMap", "default", "owner")
    assert not _is_there(platform, over)
    assert not _is_there(platform, goes_on)
    if restart:
        platform.close()


def test_it_goes_with_the_last_of_its_owners(platform):
    owners = [_map(platform, "one"), _map(platform, "two")]
    name = _submit(platform, *owners)
    platform.delete("ConfigMap", "default", "one")
    assert _is_there(platform, name)
    platform.delete("ConfigMap", "default", "two")
    assert not _is_there(platform, name)


def test_a_workflow_may_own_workflows(platform):
    names = [_submit(platform)]
    for _ in range(3):
        names.append(_submit(platform, _owner(platform, "Workflow", names[-1])))
    platform.delete("Workflow", "default", names[0])
    assert [_is_there(platform, name) for name in names] == [False] * 4


def test_the_runs_of_a_cron_workflow_go_with_it(platform):
    spec = {"schedules": ["* * * * *"], "suspend": True, "workflowSpec": toys.workflow("true")["spec"]}
    platform.create("CronWorkflow", "default", {"metadata": {"name": "often"}, "spec": spec})
    name = _submit(platform, {**_owner(platform, "CronWorkflow", "often"), "controller": True})
    platform.delete("CronWorkflow", "default", "often")
    assert not _is_there(platform, name)


def test_one_owner_alone_may_be_the_controller(platform):
    with pytest.raises(Refused, match="Only one reference can have Controller set to true"):
        _submit(platform, *({**_map(platform, name), "controller": True} for name in ("one", "two")))
