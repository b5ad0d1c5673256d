"""The calls of the scripts of 2024-05: `k8s_cluster(args)`, `argo_server(cluster, args)`, an `environment.py` beside them."""

import re
import subprocess
import sys
import warnings

import pytest

import hera_utils
from hera_utils.errors import AccessError, ResourceError, SettingsError
from hera_utils.settings.sources import Surroundings, read_settings
from seed.scripts import TOKEN, here, output_of, run_script

ENVIRONMENT = """
import json
import types
from hera_utils import parse_arguments, k8s_cluster, argo_server

class Thing:
    def toJSON(self):
        return json.dumps(self, default=lambda thing: thing.__dict__, sort_keys=True)

class numerical_experiment_environment(Thing):
    def __init__(self, cluster, args):
        self.cluster = types.SimpleNamespace(docker_registry="registry.example/")
        cluster.assert_configmap(args.k8s_configmap_name)
        self.cluster.configmap = args.k8s_configmap_name
        self.persisted_volume = Thing()
        cluster.assert_volume_claim(args.k8s_volume_claim_name)
        self.persisted_volume.claim_name = args.k8s_volume_claim_name
        self.persisted_volume.mount_path = "/in-the-container"

    def print_config(self):
        print(self.toJSON())

def construct_environment(args, verbose=False):
    cluster = k8s_cluster(args)
    cluster.assert_cluster()
    server = argo_server(cluster, args)
    server.define_argo_server_part_of_environment()
    if verbose:
        cluster.print_config()
        server.print_config()
    return numerical_experiment_environment(cluster, args)

if __name__ == "__main__":
    args = parse_arguments()
    print(json.dumps(args.__dict__))
    construct_environment(args, verbose=True).print_config()
"""
TUTORIAL = """
import os, sys
sys.path.append(os.path.join(os.path.dirname(__file__), ".."))
from hera_utils import hera_assert_version, parse_arguments
from environment import construct_environment

hera_assert_version("5.6.0")
environment = construct_environment(parse_arguments())

from hera_utils import clear_workflow_template
from hera.workflows import DAG, ConfigMapEnvFrom, ExistingVolume, Task, Workflow, WorkflowTemplate, models as m, script

volume = environment.persisted_volume

@script(
    env=[ConfigMapEnvFrom(name=environment.cluster.configmap, optional=False)],
    volumes=[ExistingVolume(name="v", claim_name=volume.claim_name, mount_path=volume.mount_path)],
)
def write():
    open("/in-the-container/written", "w").write("by a task")
    print("written")

with WorkflowTemplate(name="of-a-tutorial", entrypoint="write") as template:
    with DAG(name="all"):
        write(name="w")
clear_workflow_template(environment.cluster, "of-a-tutorial")
template.create()

with Workflow(generate_name="tutorial-", entrypoint="main") as w:
    with DAG(name="main"):
        Task(name="call", template_ref=m.TemplateRef(name="of-a-tutorial", template="all"))
w.create()
"""


@pytest.fixture
def cluster(local_platform):
    return hera_utils.k8s_cluster(local_platform.context)


def at(url, folder):
    """Settings that name an Argo server and nothing else."""
    return read_settings({"argo_server": url}, around=Surroundings({}, folder, folder))


@pytest.mark.parametrize("way", ["python", "hera-utils run"])
def test_a_tutorial_runs_from_another_folder_as_often_as_one_likes(local_platform, tmp_path, way):
    (tmp_path / "environment.py").write_text(ENVIRONMENT)
    names = {"KUBECONFIGMAP": "proxies", "KUBEVOLUMECLAIMNAME": "tutorial-volume"}
    words = [] if way == "python" else ["run", "examples/tutorial.py"]
    for _ in range(2):
        answer = run_script(
            tmp_path, TUTORIAL, *words, name="examples/tutorial.py", module="hera_utils" if words else "",
            **here(local_platform), **names,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        assert "written for Hera 5.6.0" in answer.stderr
    if not words:
        watched = run_script(tmp_path, "", "watch", "@latest", module="hera_utils", **here(local_platform))
        assert watched.returncode == 0, watched.stderr
    first, second = local_platform.client.list()
    assert {first["status"]["phase"], second["status"]["phase"]} <= {"Succeeded", "Running"}
    assert (local_platform.claim("tutorial-volume") / "written").read_text() == "by a task"


def test_the_environment_by_itself_shows_everything_but_the_token(local_platform, tmp_path):
    names = {"KUBECONFIGMAP": "proxies", "KUBEVOLUMECLAIMNAME": "volume", "ARGO_TOKEN": TOKEN}
    answer = run_script(tmp_path, ENVIRONMENT, **here(local_platform), **names)
    shown = output_of(answer)
    assert TOKEN not in shown + answer.stderr
    assert local_platform.connection.token not in shown + answer.stderr
    assert f"Namespace =  {local_platform.connection.namespace}" in shown
    assert f"host = {local_platform.connection.argo_server}" in shown
    assert '"claim_name": "volume"' in shown
    assert "Traceback" not in answer.stderr


def test_what_is_asserted_is_there_afterwards(cluster, local_platform):
    assert cluster.assert_cluster() is True
    assert cluster.assert_namespace() is True
    with pytest.warns(UserWarning, match="no claim `volume`: an empty folder was created") as caught:
        assert cluster.assert_volume_claim("volume") is True
    assert caught[0].filename == __file__
    assert local_platform.claim("volume").is_dir()
    with pytest.warns(UserWarning, match="no config map `proxies`: an empty one was created"):
        assert cluster.assert_configmap("proxies") is True
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the warning appears only once, at the creation
        cluster.assert_volume_claim("volume")
        cluster.assert_configmap("proxies")
    assert cluster.exists("ConfigMap", "proxies")


def test_on_this_machine_what_nobody_named_is_warned_about(cluster):
    with pytest.warns(UserWarning, match="none is named.*--k8s_configmap_name or KUBECONFIGMAP"):
        assert cluster.assert_configmap(None) is True
    with pytest.warns(UserWarning, match="none is named.*--k8s_volume_claim_name or KUBEVOLUMECLAIMNAME"):
        assert cluster.assert_volume_claim(None) is True


def test_a_namespace_that_is_not_there(local_platform):
    context = read_settings({"state": local_platform.context.state, "argo_namespace": "nowhere"})
    with pytest.raises(ResourceError, match="there is no namespace `nowhere`"):
        hera_utils.k8s_cluster(context)


def test_a_script_ends_with_a_sentence_and_status_2(local_platform, tmp_path):
    text = (
        "import hera_utils; hera_utils.k8s_cluster(hera_utils.parse_arguments()).assert_namespace(); print('went on')"
    )
    answer = run_script(tmp_path, text, **{**here(local_platform), "ARGO_NAMESPACE": "nowhere"})
    assert (answer.returncode, answer.stdout) == (2, "")
    assert re.search(r"hera-utils: there is no namespace `nowhere`.*\n  fix: ", answer.stderr)
    assert "Traceback" not in answer.stderr


def test_in_a_cluster_nothing_is_made(double, tmp_path):
    """A kubeconfig without the claim: the sentence names it, and the setting."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        f"clusters: [{{name: c, cluster: {{server: {double.url}}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    )
    double.on(
        "GET", "/api/v1/namespaces/default", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}}
    )
    absent = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "NotFound",
        "message": "not found",
        "code": 404,
    }
    double.on("GET", "/api/v1/namespaces/default/configmaps/proxies", absent, 404)
    forbidden = {**absent, "reason": "Forbidden", "message": "you may not", "code": 403}
    double.on("GET", "/api/v1/namespaces/default/persistentvolumeclaims/volume", forbidden, 403)
    flags = {"argo_server": "https://argo.example", "k8s_config_file": str(kubeconfig)}
    cluster = hera_utils.k8s_cluster(read_settings(flags, around=Surroundings({}, tmp_path, tmp_path)))
    assert cluster.assert_namespace()
    with pytest.raises(ResourceError, match="no config map `proxies` in the namespace `default`") as caught:
        cluster.assert_configmap("proxies")
    assert "KUBECONFIGMAP" in caught.value.fix
    with pytest.raises(AccessError, match="the claim `volume` cannot be read"):
        cluster.assert_volume_claim("volume")
    with pytest.raises(SettingsError, match="needs a claim, and none is named"):
        cluster.assert_volume_claim(None)
    assert not [seen for seen in double.seen if seen.method != "GET"]


def test_the_argo_server_beside_a_cluster(cluster, local_platform, capsys):
    server = hera_utils.argo_server(cluster, local_platform.context)
    assert server.k8s_cluster is cluster
    assert server.server == local_platform.connection.argo_server
    assert server.service_account == local_platform.context.argo_service_account
    from hera.shared import global_config

    before = global_config.host
    binding = server.define_argo_server_part_of_environment()
    try:
        assert global_config.host.rstrip("/") == server.server
        server.print_config()
        shown = capsys.readouterr().out
        assert f"host = {server.server}\n" in shown
        assert "token = <found>" in shown
        assert server.token not in shown
        assert global_config.namespace == cluster.namespace
    finally:
        server._binding.restore()
    assert global_config.host == before
    assert binding.active is False


def test_the_print_config_alone_tells_hera(cluster, local_platform):
    from hera.shared import global_config

    server = hera_utils.argo_server(cluster, local_platform.context)
    try:
        server.print_config()
        assert global_config.host.rstrip("/") == server.server
    finally:
        server._binding.restore()


def test_kubernetes_own_client(cluster):
    from kubernetes.client import CoreV1Api
    from kubernetes.client.exceptions import ApiException

    v1, namespace = cluster.v1, cluster.namespace
    assert isinstance(v1, CoreV1Api)
    assert cluster.v1 is v1
    with pytest.warns(UserWarning, match="was created"):
        cluster.assert_configmap("proxies")
    with pytest.warns(UserWarning, match="was created"):
        cluster.assert_volume_claim("volume")
    (node,) = v1.list_node().items
    assert node.metadata.name == "local"
    assert int(node.status.capacity["cpu"]) >= 1
    assert [one.status for one in node.status.conditions if one.type == "Ready"] == ["True"]
    assert v1.read_node("local").metadata.uid == node.metadata.uid
    assert v1.list_namespaced_pod(namespace=namespace).items == []
    assert v1.read_namespaced_config_map(namespace=namespace, name="proxies").data is None
    assert v1.list_namespaced_config_map(namespace=namespace).items
    assert v1.read_namespaced_persistent_volume_claim(namespace=namespace, name="volume").status.phase == "Bound"
    assert v1.list_namespaced_persistent_volume_claim(namespace=namespace).items
    assert v1.read_namespaced_service_account("default", namespace).metadata.name == "default"
    with pytest.raises(ApiException) as refused:
        v1.read_namespaced_config_map(namespace=namespace, name="none")
    assert refused.value.status == 404


def test_a_node_is_read_only(cluster):
    from kubernetes.client.exceptions import ApiException

    with pytest.raises(ApiException) as refused:
        cluster.v1.delete_node("local")
    assert refused.value.status == 405


def test_without_the_extra_the_error_names_it(local_platform, tmp_path):
    text = """
import sys
sys.modules["kubernetes"] = None  # as if it were not installed
import hera_utils
cluster = hera_utils.k8s_cluster(hera_utils.parse_arguments())
print(cluster.assert_cluster(), flush=True)
cluster.v1.list_node()
"""
    answer = run_script(tmp_path, text, **here(local_platform))
    assert (answer.returncode, answer.stdout) == (2, "True\n")
    assert "fix: pip install 'hera_utils[kubernetes]'" in answer.stderr


def test_no_proxy_stands_between_this_machine_and_itself(cluster, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert hera_utils.k8s_cluster(cluster._context).v1.list_node().items


def test_the_names_are_classes():
    code = "import hera_utils; print(*(isinstance(getattr(hera_utils, n), type) for n in ('k8s_cluster', 'argo_server', 'parser')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True True True\n"
    assert issubclass(hera_utils.k8s_cluster, hera_utils.Cluster)
    assert issubclass(hera_utils.argo_server, hera_utils.ArgoServer)


def test_an_argo_server_that_does_not_answer(tmp_path):
    context = at("http://127.0.0.1:9", tmp_path)
    with pytest.raises(AccessError, match="no Argo server answers at"):
        hera_utils.argo_server(hera_utils.k8s_cluster(context), context)
