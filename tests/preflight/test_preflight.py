"""What the doctor finds: everything at once, each problem with its fix, nothing started or changed."""

import http.server
import json
import os
import socket
import sys
import threading

import pytest

from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.preflight import checks
from hera_utils.preflight.check import Finding, Subject, as_json
from hera_utils.preflight.limits import breaches, size
from hera_utils.preflight.run import run
from hera_utils.settings.sources import Surroundings, read_settings

TOKEN = "planted-token-77aa"
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]
clusters: [{{name: lab, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: me, user: {{token: x}}}}]
"""


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
    findings = run(context(volumes=[f"results={tmp_path}/r"], images={"python:*": {"python": "current"}}))
    assert problems(findings) == []
    found = by_check(findings)
    assert set(found) == {"platform", "state folder", "private mounts", "python", "images", "claim", "local platform"}
    assert "is not running; it starts" in found["local platform"].message
    assert sys.executable in found["python"].message
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "r").exists()


def test_everything_that_is_wrong_is_told_at_once(context, tmp_path):
    (tmp_path / "file").write_text("")
    findings = run(
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
    (finding,) = checks.state_folder(Subject(context()))
    assert "cannot be written" in finding.message


def test_a_python_without_hera(context, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    (finding,) = checks.python(Subject(context(python=str(python))))
    assert finding.verdict == "warning"
    assert f"{python} -m pip install hera" == finding.fix


def test_a_server_that_runs_and_a_file_that_others_can_read(context, tmp_path):
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "server.json"
    file.write_text(json.dumps({"pid": os.getpid(), "argo_server": "http://127.0.0.1:2746", "version": "0.3.0"}))
    file.chmod(0o644)
    first, second = checks.local_server(Subject(context()))
    assert (first.ok, first.fix) == (False, f"chmod 600 {file}")
    assert "runs at http://127.0.0.1:2746" in second.message
    file.write_text("no json")
    (finding,) = checks.local_server(Subject(context()))
    assert "was not stopped" in finding.message


class Servers(http.server.BaseHTTPRequestHandler):
    """An Argo server and a Kubernetes API in one: what exists is in `server.there`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        status, body = self.server.there.get(
            path, (404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "no"})
        )
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Servers)
    server.daemon_threads = True
    server.there = {
        "/api/v1/version": (200, {"version": "v4.1.2"}),
        "/api/v1/workflows/lyon": (200, {"metadata": {}, "items": None}),
        "/api/v1/namespaces/lyon": (200, {"metadata": {"name": "lyon"}}),
    }
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(port=server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def remote(context, cluster, **flags):
    return context(argo_server=cluster.url, argo_namespace="lyon", argo_token=TOKEN, **flags)


ENVIRONMENT = Environment(persisted_volume=PersistedVolume("results"), config_map="proxies")


def test_a_cluster_that_lacks_things(context, cluster, tmp_path):
    cluster.there["/api/v1/namespaces/lyon/configmaps/proxies"] = (200, {"metadata": {"name": "proxies"}})
    settings = remote(context, cluster, k8s_config_file=str(tmp_path / "kubeconfig"), argo_service_account="argo-user")
    findings = run(settings, ENVIRONMENT)
    assert [finding.message for finding in problems(findings)] == [
        'claim "results" does not exist',
        'service account "argo-user" does not exist',
    ]
    told = " ".join(finding.line() for finding in findings)
    assert "v4.1.2 answers and takes the token" in told
    assert "✔ config map proxies exists" in told
    assert TOKEN not in told


def test_without_a_kubeconfig_what_is_not_checked_is_told(context, cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    findings = run(remote(context, cluster), ENVIRONMENT)
    assert problems(findings) == []
    assert by_check(findings)["cluster"].verdict == "warning"


def test_a_refused_token_and_a_closed_port(context, cluster, tmp_path):
    cluster.there["/api/v1/version"] = (401, {"code": 16, "message": f"Unauthorized: {TOKEN}"})
    findings = run(remote(context, cluster, k8s_config_file=str(tmp_path / "kubeconfig")))
    (problem,) = problems(findings)
    assert "refuses the token" in problem.message
    assert TOKEN not in f"{findings}"
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    findings = run(context(argo_server=f"http://127.0.0.1:{port}", k8s_config_file=str(tmp_path / "nothing")))
    assert [finding.check for finding in problems(findings)] == ["argo server", "cluster"]


def test_limits_of_a_cluster():
    small = {"spec": {"arguments": {"parameters": [{"name": "a", "value": "x"}]}}}
    assert breaches(small) == []
    assert size(small).largest == ("spec.arguments.parameters[a]", 1)
    (parameter,) = breaches({"spec": {"arguments": {"parameters": [{"name": "a", "value": "x" * 300_000}]}}})
    assert "parameters[a] has 293 KiB" in parameter[0]
    (whole,) = breaches({"spec": {"templates": ["x" * 1_100_000]}})
    assert "a cluster takes 1024" in whole[0]
    assert whole[1]


def test_a_finding_is_one_line():
    assert Finding("a", "problem", "it is broken", "repair it").line() == "✘ it is broken   → repair it"
    assert Finding("a", "good", "fine").line({"good": "+"}) == "+ fine"
