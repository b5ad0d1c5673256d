"""The doctor against a real API server: each of these faults is named right and with its fix, alone and all at once."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import laboratory
import pytest
import yaml
from laboratory import Turnstile, front

from bed.certificates import Authority
from hera_utils.platforms.connect import connect
from hera_utils.preflight import objects
from hera_utils.preflight.controller import not_taken_up
from hera_utils.preflight.finding import as_json
from hera_utils.preflight.findings_text import lines_of_findings, summarize
from hera_utils.preflight.run import examine
from waiting import until


@pytest.fixture(autouse=True)
def claims_are_old_enough(monkeypatch):
    monkeypatch.setattr(objects, "NEW_CLAIM", 0.0)


def found(case, tmp_path, **more):
    return examine(case.settings(tmp_path), None, case.document, **more)


def problems(case, tmp_path):
    return [(one.check, one.message, one.fix or "") for one in found(case, tmp_path).problems]


def test_nothing_is_wrong(case, tmp_path):
    examined = found(case, tmp_path)
    assert examined.problems == []
    checks = {one.check for one in examined.findings if one.verdict == "good"}
    assert checks >= {
        "argo server", "token", "cluster", "clock", "namespace", "rights", "account rights", "claim", "config map", "secret",
        "service account", "pull secret", "quota", "limit range", "limits", "workflow", "controller",
    }  # fmt: skip


QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota"}

# --- faults: each spoils a case, and says which problem must be found: (check, in its message, in its fix) ---------------


def another_authority(tmp_path):
    return Authority(tmp_path / "other", name="somebody else").made().certificate


def wrong_authority(case, tmp_path):
    case.flags |= {"argo_server": case.place.bed.argo_server, "ca_file": str(another_authority(tmp_path))}
    return "argo server", "certificate of the Argo server", "--ca_file"


def wrong_authority_in_the_kubeconfig(case, tmp_path):
    config = yaml.safe_load(Path(case.flags["k8s_config_file"]).read_text())
    data = base64.b64encode(another_authority(tmp_path).read_bytes()).decode()
    config["clusters"][0]["cluster"]["certificate-authority-data"] = data
    case.flags["k8s_config_file"] = str(tmp_path / "kubeconfig")
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return "cluster", "certificate of the Kubernetes API is not trusted", "certificate-authority"


def unreachable_host(case, tmp_path):
    case.flags["argo_server"] = "http://127.0.0.1:1/argo"
    return "argo server", "no Argo server answers at http://127.0.0.1:1/argo (connection refused)", "--argo_server"


def proxy_page(case, tmp_path):
    case.front.lies.append(laboratory.page)
    return "argo server", "is not an Argo server (status 200, an HTML page)", "base path"


def expired_token(case, tmp_path):
    case.flags["argo_token"] = case.place.brief_token("owner", -3600)
    return "token", "has expired", f"kubectl -n {case.place.name} create token owner"


def malformed_token(case, tmp_path):
    case.flags["argo_token"] = case.flags["argo_token"].rpartition(".")[0]
    return "token", "malformed: it has 2 of a JWT's 3 parts", "copy it again"


def refused_token(case, tmp_path):
    head, claims, signature = case.flags["argo_token"].split(".")
    case.flags["argo_token"] = f"{head}.{claims}.{signature[::-1]}"
    return "token", "refuses the token", "ARGO_TOKEN"


def no_token(case, tmp_path):
    del case.flags["argo_token"]
    return "token", "requires a token and none is given", "ARGO_TOKEN"


def no_right_to_create(case, tmp_path):
    case.flags["argo_token"] = case.place.token("reader")
    return "rights", "may not create workflows.argoproj.io: nothing can be submitted", "role/argo-submitter"


def account_without_rights(case, tmp_path):
    case.document["spec"]["serviceAccountName"] = "nobody"
    return "account rights", '"nobody" cannot create, patch workflowtaskresults.argoproj.io', "role/argo-executor"


def agent_without_rights(case, tmp_path):
    case.document["spec"]["templates"].append({"name": "h", "http": {"url": "http://localhost"}})
    return "account rights", "list, watch workflowtasksets.argoproj.io; patch workflowtasksets", "role/argo-executor"


def missing_claim(case, tmp_path):
    case.document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "absent"
    return "claim", 'claim "absent" does not exist', f"| kubectl -n {case.place.name} create -f -"


def pending_claim(case, tmp_path):
    case.document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "pending"
    return "claim", '"pending" is not bound to a volume', f"kubectl -n {case.place.name} describe pvc pending"


def lost_claim(case, tmp_path):
    case.place.volume("gone")
    admin, volume = case.place.bed.admin, f"{case.place.name}-gone"
    admin.delete("PersistentVolume", volume)
    # Without the finalizer that protects bound volumes.
    admin.merge("PersistentVolume", volume, {"metadata": {"finalizers": None}})
    until(lambda: admin.get("PersistentVolumeClaim", "gone", case.place.name)["status"]["phase"] == "Lost")
    case.document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "gone"
    return "claim", 'claim "gone" is lost', "restore the volume"


def claim_of_one_node_with_fan_out(case, tmp_path):
    case.document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "single"
    return "claim", '"single" is ReadWriteOnce (one node) and at least 3 pods mount it', "ReadWriteMany"


def missing_config_map(case, tmp_path):
    case.container["env"][0]["valueFrom"]["configMapKeyRef"]["name"] = "absent"
    return "config map", 'config map "absent" does not exist', "create configmap absent --from-literal=site="


def missing_key(case, tmp_path):
    case.container["env"][0]["valueFrom"]["configMapKeyRef"]["key"] = "absent"
    return (
        "config map",
        '"cluster" has no key "absent" (spec.templates[one].container.env[A]',
        "patch configmap cluster",
    )


def missing_secret(case, tmp_path):
    case.container["env"][1]["valueFrom"]["secretKeyRef"]["name"] = "absent"
    return "secret", 'secret "absent" does not exist', "create secret generic absent --from-file=password="


def missing_secret_key(case, tmp_path):
    case.container["env"][1]["valueFrom"]["secretKeyRef"]["key"] = "absent"
    return "secret", 'secret "credentials" has no key "absent"', "keys there: password"


def missing_service_account(case, tmp_path):
    case.document["spec"]["serviceAccountName"] = "absent"
    return "service account", 'service account "absent" does not exist', "create serviceaccount absent"


def missing_pull_secret(case, tmp_path):
    case.document["spec"]["imagePullSecrets"] = [{"name": "absent"}]
    return "pull secret", 'image pull secret "absent" does not exist', "create secret docker-registry absent"


def no_pull_secret(case, tmp_path):
    case.document["spec"]["imagePullSecrets"] = [{"name": "credentials"}]
    return "pull secret", '"credentials" is not an image pull secret', "docker-registry"


def missing_namespace(case, tmp_path):
    case.flags |= {"argo_namespace": "nowhere", "k8s_config_file": str(case.place.kubeconfig("admin"))}
    return "namespace", 'namespace "nowhere" does not exist', "kubectl create namespace nowhere"


def small_quota(case, tmp_path):
    name = case.place.name
    case.place.add({**QUOTA, "metadata": {"name": "tight"}, "spec": {"hard": {"requests.cpu": "0"}}})
    case.container["resources"] = {"requests": {"cpu": "1"}}
    return (
        "quota",
        '"tight" is too small: 0 requests.cpu in all, one needs 1',
        f"kubectl -n {name} describe quota tight",
    )


def exhausted_quota(case, tmp_path):
    counted = {"count/workflows.argoproj.io": "3"}
    case.place.add({**QUOTA, "metadata": {"name": "used"}, "spec": {"hard": counted}})
    admin, name = case.place.bed.admin, case.place.name
    until(lambda: admin.get("ResourceQuota", "used", name).get("status", {}).get("used"))
    admin.merge("ResourceQuota", "used", {"status": {"used": counted}}, name, part="status")
    return "quota", '"used" is exhausted: 3 of 3 count/workflows.argoproj.io are used', "hera-utils delete NAME"


def quota_without_requests(case, tmp_path):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "memory"},
        "spec": {"hard": {"limits.ephemeral-storage": "1Gi"}},
    }
    case.place.add(quota)
    return (
        "quota",
        '"memory" counts limits.ephemeral-storage, and spec.templates[one].container requests none',
        "limits: {ephemeral-storage:",
    )


def limit_range(case, tmp_path):
    case.container["resources"] = {"limits": {"memory": "32Gi"}}
    return (
        "limit range",
        "allows at most 16Gi memory, spec.templates[one].container requests 32Gi",
        "describe limitrange",
    )


def old_argo(case, tmp_path):
    case.front.lies.append(laboratory.old_version)
    return "version", "Argo 3.2.9 is too old", "upgrade"


def wrong_clock(case, tmp_path):
    case.front.lies.append(laboratory.late)
    return "clock", "clock is 10 min behind", "timedatectl"


def stale_controller(case, tmp_path):
    case.place.install_argo()
    case.place.leave_lease_stale(600)
    return "controller", "has not renewed its lease for 10 min", f"kubectl -n {case.place.name} get deploy,pods"


def other_instance(case, tmp_path):
    case.document["metadata"]["labels"] = {"workflows.argoproj.io/controller-instanceid": "other"}
    return "instance id", 'instance id "other"', ""


def oversized(case, tmp_path):
    case.container["args"] = ["x" * 100_000 for _ in range(12)]
    return "limits", "KiB, a cluster accepts 1024", "sweep"


def oversized_parameter(case, tmp_path):
    case.document["spec"]["arguments"] = {"parameters": [{"name": "p", "value": "x" * 300_000}]}
    return "limits", "spec.arguments.parameters[p] has 293 KiB, Argo accepts 256", "file on the volume"


def wrong_workflow(case, tmp_path):
    case.document["spec"]["entrypoint"] = "absent"
    return "workflow", "would refuse the workflow: ", "hera-utils lint"


def test_why_no_controller_takes_up_a_run(case, tmp_path):
    connection = connect(case.settings(tmp_path))
    workflow = {"metadata": {"name": "run"}}
    assert f", but does not seem to process the namespace {case.place.name}; ask" in not_taken_up(connection, workflow)
    stale_controller(case, tmp_path)
    assert "has not renewed its lease for 10 min" in not_taken_up(connection, workflow)
    workflow["metadata"]["labels"] = {"workflows.argoproj.io/controller-instanceid": "other"}
    assert 'no controller serves instance id "other"' in not_taken_up(connection, workflow)
    case.place.remove("Lease", "workflow-controller")


FAULTS = [
    wrong_authority, wrong_authority_in_the_kubeconfig, unreachable_host, proxy_page, expired_token, malformed_token, refused_token,
    no_token, no_right_to_create, account_without_rights, agent_without_rights, missing_claim, pending_claim, lost_claim,
    claim_of_one_node_with_fan_out, missing_config_map, missing_key, missing_secret, missing_secret_key, missing_service_account,
    missing_pull_secret, no_pull_secret, missing_namespace, small_quota, exhausted_quota, quota_without_requests, limit_range, old_argo,
    wrong_clock, stale_controller, other_instance, oversized, oversized_parameter, wrong_workflow,
]  # fmt: skip
# What a test leaves in the namespace goes with it.
LEFT = {small_quota: "tight", exhausted_quota: "used", quota_without_requests: "memory"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_is_named_with_its_fix(case, tmp_path, fault):
    check, message, fix = fault(case, tmp_path)
    try:
        said = problems(case, tmp_path)
    finally:
        if fault in LEFT:
            case.place.remove("ResourceQuota", LEFT[fault])
        if fault is stale_controller:
            case.place.remove("Lease", "workflow-controller")
    right = [one for one in said if one[0] == check and message in one[1] and fix in one[2]]
    assert right, said
    assert len(said) == 1, "one fault is one problem"


def test_all_of_them_are_found_in_one_pass(case, tmp_path):
    """As many faults as fit into one case, without those that hide others (no server, no namespace)."""
    spoilt = [  # the controller's pods come before the quota that would refuse them
        stale_controller, old_argo, wrong_clock, no_right_to_create, missing_key, missing_secret, missing_pull_secret, small_quota,
        limit_range, oversized, oversized_parameter, account_without_rights, claim_of_one_node_with_fan_out,
    ]  # fmt: skip
    expected = [fault(case, tmp_path) for fault in spoilt]
    case.container["resources"] = {"requests": {"cpu": "1"}, "limits": {"memory": "32Gi"}}
    volumes = case.document["spec"]["volumes"]
    mounts = case.container["volumeMounts"]
    for name in ("absent", "pending"):
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": name}})
        mounts.append({"name": name, "mountPath": f"/{name}"})
    expected += [("claim", 'claim "absent" does not exist', ""), ("claim", '"pending" is not bound', "")]
    for kind, name in (("configMapRef", "no-map"), ("secretRef", "no-secret")):
        case.container.setdefault("envFrom", []).append({kind: {"name": name}})
    expected += [("config map", '"no-map" does not exist', ""), ("secret", '"no-secret" does not exist', "")]
    case.document["spec"]["templates"][1]["serviceAccountName"] = "no-account"
    expected.append(("service account", '"no-account" does not exist', ""))
    try:
        said = problems(case, tmp_path)
    finally:
        case.place.remove("ResourceQuota", "tight")
        case.place.remove("Lease", "workflow-controller")
    assert len(expected) >= 18
    for check, message, fix in expected:
        assert [one for one in said if one[0] == check and message in one[1] and fix in one[2]], (
            check,
            message,
            [one for one in said if one[0] == check],
        )


def test_at_most_three_round_trips_more_than_start_up(case, lab, tmp_path):
    """Answers are let through in waves, each when no further request comes, so the number of waves is that of dependent requests."""
    admin = Authority(lab.bed.folder / "tls").sign("owner")
    turnstile = Turnstile()
    with front(lab.bed.kubernetes, lab.bed.authority, tuple(map(str, admin)), turnstile) as cluster:
        config = yaml.safe_load(Path(case.flags["k8s_config_file"]).read_text())
        config["clusters"][0]["cluster"] = {"server": cluster.url}
        config["users"][0]["user"] = {"token": lab.token("owner")}
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        case.flags["k8s_config_file"] = str(tmp_path / "kubeconfig")
        case.front.turnstile = turnstile
        case.document["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = (
            "pending"  # a pending claim also needs a request for storage classes
        )
        examined = found(case, tmp_path)
    turnstile.close()
    assert [one.check for one in examined.problems] == ["claim"]
    asked = len(case.front.seen) + len(cluster.seen)
    assert asked > 25
    start_up = 1  # the first requests: whether the servers answer, and who the user is
    assert turnstile.waves <= start_up + 3, (turnstile.waves, asked)


# --- as it is told -------------------------------------------------------------------------------------------------------


def test_four_users_are_told_what_they_may(case, lab, tmp_path):
    said = {}
    for user in ("owner", "researcher", "reader", "nobody"):
        case.flags |= {"argo_token": lab.token(user), "k8s_config_file": str(lab.kubeconfig(user))}
        said[user] = found(case, tmp_path)
    verdicts = {
        user: {one.check: one.verdict for one in reversed(examined.findings)} for user, examined in said.items()
    }
    assert {user: len(examined.problems) for user, examined in said.items()} == {
        "owner": 0, "researcher": 0, "reader": 1, "nobody": 1,
    }  # fmt: skip
    assert verdicts["owner"]["account rights"] == "good"
    assert verdicts["researcher"]["account rights"] == "unknown"
    assert (verdicts["reader"]["rights"], verdicts["reader"]["secret"]) == ("problem", "unknown")
    assert verdicts["nobody"]["claim"] == "unknown"
    for examined in said.values():
        assert "bed-secret" not in f"{examined}"


def test_the_role_that_lacks_is_written_and_gives_the_rights(case, lab, bed, tmp_path):
    place = bed.place()
    try:
        case.flags |= {
            "argo_namespace": place.name,
            "argo_token": place.token("nobody"),
            "k8s_config_file": str(place.kubeconfig("owner")),
        }
        account_without_rights(case, tmp_path)
        examined = found(case, tmp_path, role_file="role.yaml")
        assert {one.check for one in examined.problems} == {"rights", "account rights"}
        assert all("kubectl apply -f role.yaml (file written)" in one.fix for one in examined.problems)
        documents = list(yaml.safe_load_all(examined.role_yaml()))
        assert [one["kind"] for one in documents] == ["Role", "RoleBinding"] * 2
        place.add(*documents)
        assert found(case, tmp_path).problems == []
    finally:
        place.close()


def test_the_command_on_a_terminal_in_a_pipe_and_for_machines(case, lab, tmp_path):
    file = tmp_path / "workflow.yaml"
    missing_secret(case, tmp_path)
    file.write_text(yaml.safe_dump(case.document))
    flags = [f"--{name}={value}" for name, value in case.flags.items()]
    command = [sys.executable, "-m", "hera_utils", "doctor", str(file), f"--state={tmp_path}/state", *flags]
    piped = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert piped.returncode == 1, piped.stderr
    assert "\x1b" not in piped.stdout
    assert re.search(r'^✘ secret "absent" does not exist .* → kubectl -n', piped.stdout, re.M)
    assert piped.stdout.endswith("1 problem\n")
    machine = subprocess.run([*command, "-o", "json"], capture_output=True, text=True, check=False, timeout=60)
    said = json.loads(machine.stdout)
    assert (machine.returncode, said["ok"], said["problems"]) == (1, False, 1)
    assert {"check", "verdict", "message", "fix"} == set(said["findings"][0])
    token = case.flags["argo_token"]
    assert token not in piped.stdout + piped.stderr + machine.stdout + machine.stderr


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit_the_terminal_but_commands_stay_whole(case, tmp_path, width):
    missing_claim(case, tmp_path)
    findings = found(case, tmp_path).findings
    shown = lines_of_findings(findings, width)
    assert all(
        len(line.text) <= width or " " not in line.text[width:] or "kubectl" in line.text or "http" in line.text
        for line in shown
    )
    assert any(line.text.startswith("    → echo '{") and line.text.endswith("create -f -") for line in shown)
    assert [line.text for line in shown if line.verdict is None] == [
        "this machine",
        "server",
        "rights",
        "namespace",
        "workflow",
    ]
    assert summarize(findings) == "1 problem"
    assert as_json(findings)["problems"] == 1


# --- before a run --------------------------------------------------------------------------------------------------------

SCRIPT = """
from hera.workflows import Container, Env, SecretEnv, Workflow
with Workflow(generate_name="preflight-", entrypoint="m", service_account_name="runner") as w:
    Container(name="m", image="busybox", command=["true"], env=[SecretEnv(name="S", secret_name="{secret}", secret_key="password")])
w.create()
"""


@pytest.mark.parametrize("kind", ["script", "file"])
def test_a_run_that_would_not_work_is_not_submitted(case, lab, tmp_path, kind):
    if kind == "script":
        path = tmp_path / "script.py"
        path.write_text(SCRIPT.format(secret="absent"))
    else:
        path = tmp_path / "workflow.yaml"
        missing_secret(case, tmp_path)
        path.write_text(yaml.safe_dump(case.document))
    flags = [f"--{name}={value}" for name, value in case.flags.items()]
    command = [sys.executable, "-m", "hera_utils", "run", str(path), "--detach", f"--state={tmp_path}/state", *flags]
    stopped = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (stopped.returncode, stopped.stdout) == (2, ""), stopped.stderr
    assert "nothing was submitted, the run would not work (1 problem):" in stopped.stderr
    assert '✘ secret "absent" does not exist' in stopped.stderr
    assert "Traceback" not in stopped.stderr
    posts = [one for one in case.front.seen if one.startswith("POST")]
    assert posts == [f"POST /argo/api/v1/workflows/{lab.name}"], "the dry run alone"
    path.write_text(path.read_text().replace("absent", "credentials"))
    begun = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert begun.returncode == 0, begun.stderr
