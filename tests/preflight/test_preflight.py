"""What the doctor finds: everything at once, each problem with its fix, nothing started or changed."""

import json
import os
import socket
import sys

import pytest

from hera_utils.errors import ResourceError
from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.preflight import machine
from hera_utils.preflight.finding import Finding, Subject, as_json
from hera_utils.preflight.ready import assert_ready
from hera_utils.preflight.run import check_run
from hera_utils.settings.sources import Surroundings, read_settings

TOKEN = "planted-token-77aa"
HELLO = {
    "kind": "Workflow",
    "metadata": {"generateName": "hello-"},
    "spec": {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "alpine:3", "command": ["true"]}}]},
}


@pytest.fixture
def context(tmp_path):
    """Settings of an empty home with these flags."""

    def made(**flags):
        around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
        return read_settings({"state": str(tmp_path / "state"), **flags}, around=around)

    return made


def by_check(findings):
    return {finding.check: finding for finding in findings}


def problems(findings):
    return [finding for finding in findings if not finding.ok]


def test_a_machine_in_order(context, tmp_path):
    findings = check_run(context(volumes=[f"results={tmp_path}/r"], images={"python:*": {"python": "current"}}))
    assert problems(findings) == []
    found = by_check(findings)
    assert set(found) == {"platform", "state folder", "private mounts", "python", "images", "claim", "local platform"}
    assert "is not running; it starts" in found["local platform"].message
    assert sys.executable in found["python"].message
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "r").exists()


def test_everything_that_is_wrong_is_told_at_once(context, tmp_path):
    (tmp_path / "file").write_text("")
    findings = check_run(
        context(
            state=str(tmp_path / "file" / "state"),
            python=str(tmp_path / "no-python"),
            images={"tool*": {"files": {"/tool": str(tmp_path / "missing")}}},
            volumes=[f"results={tmp_path}/file"],
        )
    )
    assert [finding.check for finding in problems(findings)] == ["state folder", "python", "images", "claim"]
    assert all(finding.fix for finding in problems(findings))
    said = as_json(findings)
    assert (said["ok"], said["problems"]) == (False, 4)
    assert json.loads(json.dumps(said))["findings"][0]["check"] == "platform"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_cannot_be_written(context, tmp_path):
    (tmp_path / "state").mkdir(mode=0o500)
    (finding,) = machine.check_state_folder(Subject(context()))
    assert "cannot be written" in finding.message


def test_a_state_folder_that_every_command_refuses(context, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    (tmp_path / "state" / "server.json").touch()
    (tmp_path / "state" / "server.json").chmod(0o666)
    (finding,) = machine.check_state_folder(Subject(context()))
    assert (finding.ok, "could be written to by other users" in finding.message) == (False, True)
    assert finding.fix
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o777


def test_a_python_without_hera(context, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    (finding,) = machine.check_python(Subject(context(python=str(python))))
    assert finding.verdict == "warning"
    assert f"{python} -m pip install hera" == finding.fix


def test_a_server_that_runs_and_a_file_that_others_can_read(context, tmp_path):
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "server.json"
    file.write_text(json.dumps({"pid": os.getpid(), "argo_server": "http://127.0.0.1:2746", "version": "0.3.0"}))
    file.chmod(0o644)
    first, second = machine.check_local_server(Subject(context()))
    assert (first.ok, first.fix) == (False, f"chmod 600 {file}")
    assert "runs at http://127.0.0.1:2746" in second.message
    file.write_text("no json")
    (finding,) = machine.check_local_server(Subject(context()))
    assert "was not stopped" in finding.message


def test_a_closed_port_and_a_kubeconfig_that_is_not_there(context, tmp_path):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    findings = check_run(context(argo_server=f"http://127.0.0.1:{port}", k8s_config_file=str(tmp_path / "nothing")))
    assert [finding.check for finding in problems(findings)] == ["argo server", "cluster"]


@pytest.fixture
def as_a_cluster(local_platform, context):
    """The local platform, as if it were somebody's cluster."""

    def made(**flags):
        known = {"argo_server": local_platform.connection.argo_server, "argo_token": local_platform.connection.token}
        known |= {
            "argo_namespace": local_platform.connection.namespace,
            "k8s_config_file": local_platform.connection.kubeconfig,
        }
        return context(**{"platform": "remote", **known, **flags})

    return made


ENVIRONMENT = Environment(
    persisted_volume=PersistedVolume("results"),
    config_map="proxies",
    image_pull_secret="pull",
    service_account="argo-user",
)


def test_a_cluster_that_lacks_things(as_a_cluster, local_platform):
    local_platform.cluster.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "proxies"}})
    findings = check_run(as_a_cluster(), ENVIRONMENT)
    assert [finding.message for finding in problems(findings)] == [
        'claim "results" does not exist',
        'service account "argo-user" does not exist: no pod would start',
        'image pull secret "pull" does not exist',
    ]
    told = " ".join(finding.line() for finding in findings)
    assert 'config map "proxies" exists' in told
    assert local_platform.connection.token not in told


def test_without_a_kubeconfig_what_is_not_checked_is_told(as_a_cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    findings = check_run(as_a_cluster(k8s_config_file=None), ENVIRONMENT, HELLO)
    assert problems(findings) == []
    assert by_check(findings)["cluster"].verdict == "unknown"
    assert by_check(findings)["workflow"].verdict == "good"


def test_a_refused_token(as_a_cluster):
    findings = check_run(as_a_cluster(argo_token=TOKEN))
    (problem,) = problems(findings)
    assert (problem.check, "refuses the token" in problem.message) == ("token", True)
    assert TOKEN not in f"{findings}"


def test_a_run_that_would_not_work_is_stopped_with_every_problem(as_a_cluster):
    with pytest.raises(ResourceError) as stopped:
        assert_ready(as_a_cluster(), ENVIRONMENT, HELLO)
    assert "nothing was submitted" in stopped.value.message
    assert stopped.value.message.count("✘") == 4
    assert "--no-preflight" in stopped.value.fix
    assert_ready(as_a_cluster(), None, HELLO)


def test_a_finding_is_one_line():
    assert Finding("a", "problem", "it is broken", "repair it").line() == "✘ it is broken   → repair it"
    assert Finding("a", "good", "fine").line({"good": "+"}) == "+ fine"
