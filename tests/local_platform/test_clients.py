"""Unmodified clients: Hera's own service, the official argo-workflows client, lightkube, the kubernetes client, kubectl."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from serving import served

from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.kubernetes_api.app import kubernetes_app
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.certificate import certificate
from waiting import until

TOKEN = "s3cret-token"
pytestmark = pytest.mark.timeout(90)


@dataclass(frozen=True)
class Servers:
    argo: str
    kubernetes: str
    kubeconfig: Path


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("platform")
    platform = LocalPlatform(folder / "state")
    tls = certificate(folder / "tls")
    kubernetes = kubernetes_app(platform, TOKEN)
    secure = {"ssl_certfile": str(tls.server), "ssl_keyfile": str(tls.key)}
    with served(argo_app(platform, TOKEN)) as argo, served(kubernetes, **secure) as address:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "l", "cluster": {"server": address, "certificate-authority": str(tls.authority)}}],
            "users": [{"name": "l", "user": {"token": TOKEN}}],
            "contexts": [{"name": "l", "context": {"cluster": "l", "user": "l", "namespace": "default"}}],
            "current-context": "l",
        }
        (folder / "kubeconfig").write_text(json.dumps(config))
        yield Servers(argo, address, folder / "kubeconfig")
    platform.close()


# --- Hera


@pytest.fixture
def service(servers: Servers):
    from hera.workflows import WorkflowsService

    return WorkflowsService(host=servers.argo, token=TOKEN, namespace="default", verify_ssl=False)


def hello(service, name: str = "hello-", command: tuple[str, ...] = ("echo", "hello"), **options):
    from hera.workflows import Container, Workflow

    with Workflow(
        generate_name=name, entrypoint="main", workflows_service=service, namespace="default", **options
    ) as workflow:
        Container(name="main", image="busybox", command=list(command))
    return workflow


def test_hera_creates_and_waits(service):
    made = hello(service).create()
    assert made.metadata.name.startswith("hello-")
    assert made.status.phase in ("Running", "Succeeded")  # a Pending phase would end Hera's wait at once
    waited = hello(service).create(wait=True, poll_interval=1)
    assert waited.status.phase == "Succeeded"


def test_hera_lints_lists_acts_and_deletes(service):
    from hera.exceptions import AlreadyExists, BadRequest, InternalServerError, NotFound
    from hera.workflows import Workflow
    from hera.workflows.models import WorkflowStopRequest

    linted = hello(service).lint()
    assert linted.spec.templates[0].name == "main"
    broken = Workflow(generate_name="x-", entrypoint="nope", workflows_service=service, namespace="default")
    with pytest.raises(InternalServerError):
        broken.lint()
    with pytest.raises(BadRequest):
        broken.create()
    made = hello(service, command=("sleep", "30"), labels={"who": "lister"}).create()
    again = hello(service)
    again.name = made.metadata.name
    with pytest.raises(AlreadyExists):
        again.create()
    listed = service.list_workflows(namespace="default", label_selector="who=lister")
    assert [item.metadata.name for item in listed.items] == [made.metadata.name]
    assert service.list_workflows(namespace="default", label_selector="who=nobody").items is None
    stopped = service.stop_workflow(made.metadata.name, WorkflowStopRequest(message="enough"), namespace="default")
    assert stopped.metadata.name == made.metadata.name
    service.delete_workflow(made.metadata.name, namespace="default")
    with pytest.raises(NotFound):
        service.get_workflow(made.metadata.name, namespace="default")
    assert service.get_version().version == "v4.1.2"
    assert service.get_info().modals
    service.get_user_info()


def test_hera_templates_and_cron_workflows(service):
    from hera.workflows import ClusterWorkflowTemplate, Container, CronWorkflow, WorkflowTemplate
    from hera.workflows.models import CronWorkflowSuspendRequest, SubmitOpts, WorkflowSubmitRequest

    with WorkflowTemplate(name="wt", entrypoint="main", workflows_service=service, namespace="default") as template:
        Container(name="main", image="busybox", command=["echo", "hi"])
    template.lint()
    template.create()
    template.labels = {"changed": "yes"}
    assert template.update().metadata.labels == {"changed": "yes"}
    request = WorkflowSubmitRequest(
        resource_kind="WorkflowTemplate",
        resource_name="wt",
        submit_options=SubmitOpts(generate_name="from-wt-", labels="a=b"),
    )
    assert service.submit_workflow(request, namespace="default").metadata.labels["a"] == "b"
    with ClusterWorkflowTemplate(name="cwt", entrypoint="main", workflows_service=service) as cluster:
        Container(name="main", image="busybox", command=["echo", "hi"])
    cluster.create()
    assert service.list_cluster_workflow_templates().items[0].metadata.name == "cwt"
    with CronWorkflow(
        name="cw", entrypoint="main", schedules=["0 0 1 1 *"], workflows_service=service, namespace="default"
    ) as cron:
        Container(name="main", image="busybox", command=["echo", "hi"])
    cron.create()
    assert (
        service.suspend_cron_workflow(
            "cw", CronWorkflowSuspendRequest(name="cw", namespace="default"), namespace="default"
        ).spec.suspend
        is True
    )
    service.delete_cron_workflow("cw", namespace="default")
    service.delete_workflow_template("wt", namespace="default")
    service.delete_cluster_workflow_template("cwt")


def test_a_wrong_token_is_said(servers):
    from hera.exceptions import Unauthorized
    from hera.workflows import WorkflowsService

    stranger = WorkflowsService(host=servers.argo, token="wrong", namespace="default", verify_ssl=False)
    with pytest.raises(Unauthorized):
        stranger.list_workflows(namespace="default")


# --- the official Argo client


def test_argo_workflows(servers):
    import argo_workflows
    from argo_workflows.api import info_service_api, workflow_service_api
    from argo_workflows.model.container import Container
    from argo_workflows.model.io_argoproj_workflow_v1alpha1_template import IoArgoprojWorkflowV1alpha1Template
    from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow import IoArgoprojWorkflowV1alpha1Workflow
    from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow_create_request import (
        IoArgoprojWorkflowV1alpha1WorkflowCreateRequest,
    )
    from argo_workflows.model.io_argoproj_workflow_v1alpha1_workflow_spec import IoArgoprojWorkflowV1alpha1WorkflowSpec
    from argo_workflows.model.object_meta import ObjectMeta

    configuration = argo_workflows.Configuration(host=servers.argo, discard_unknown_keys=True)
    configuration.api_key = {"BearerToken": f"Bearer {TOKEN}"}
    client = argo_workflows.ApiClient(configuration)
    assert info_service_api.InfoServiceApi(client).get_version().version == "v4.1.2"
    workflows = workflow_service_api.WorkflowServiceApi(client)
    manifest = IoArgoprojWorkflowV1alpha1Workflow(
        metadata=ObjectMeta(generate_name="official-"),
        spec=IoArgoprojWorkflowV1alpha1WorkflowSpec(
            entrypoint="main",
            templates=[
                IoArgoprojWorkflowV1alpha1Template(
                    name="main", container=Container(image="busybox", command=["echo", "official"])
                )
            ],
        ),
    )
    made = workflows.create_workflow(
        namespace="default",
        body=IoArgoprojWorkflowV1alpha1WorkflowCreateRequest(workflow=manifest),
        _check_return_type=False,
    )
    name = made["metadata"]["name"]
    seen = workflows.get_workflow(namespace="default", name=name, _check_return_type=False)
    assert seen["spec"]["entrypoint"] == "main"
    listed = workflows.list_workflows(namespace="default", _check_return_type=False)
    assert name in [item["metadata"]["name"] for item in listed["items"]]
    workflows.delete_workflow(namespace="default", name=name)


# --- lightkube


def test_lightkube(servers):
    import lightkube
    from lightkube.core.exceptions import ApiError
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap, Namespace, Secret, ServiceAccountToken
    from lightkube.types import PatchType

    client = lightkube.Client(lightkube.KubeConfig.from_file(str(servers.kubeconfig)), namespace="default")
    assert "default" in [one.metadata.name for one in client.list(Namespace)]
    made = client.create(ConfigMap(metadata=ObjectMeta(name="lk"), data={"a": "1"}))
    assert made.metadata.uid
    client.patch(ConfigMap, "lk", {"data": {"b": "2"}}, patch_type=PatchType.STRATEGIC)
    client.apply(ConfigMap(metadata=ObjectMeta(name="lk"), data={"c": "3"}), field_manager="test")
    assert client.get(ConfigMap, "lk").data == {"a": "1", "b": "2", "c": "3"}
    seen = []
    for change, found in client.watch(ConfigMap, fields={"metadata.name": "lk"}):
        seen.append((change, found.metadata.name))
        break
    assert seen == [("ADDED", "lk")]
    client.create(Secret(metadata=ObjectMeta(name="lks"), stringData={"k": "v"}))
    assert client.get(Secret, "lks").data == {"k": "dg=="}
    from lightkube.models.authentication_v1 import TokenRequestSpec

    request = ServiceAccountToken(metadata=ObjectMeta(), spec=TokenRequestSpec(audiences=[], expirationSeconds=600))
    assert client.create(request, "default").status.token
    client.delete(ConfigMap, "lk")
    with pytest.raises(ApiError, match='configmaps "lk" not found') as refused:
        client.get(ConfigMap, "lk")
    assert refused.value.status.code == 404


# --- the official Kubernetes client


@pytest.fixture
def core(servers: Servers):
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(str(servers.kubeconfig)))


def test_kubernetes_client(core):
    from kubernetes import client, watch

    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="kc", labels={"x": "y"}), data={"a": "1"})
    core.create_namespaced_config_map("default", body)
    core.patch_namespaced_config_map("kc", "default", {"data": {"b": "2"}})
    assert core.read_namespaced_config_map("kc", "default").data == {"a": "1", "b": "2"}
    listed = core.list_namespaced_config_map("default", label_selector="x=y")
    version = listed.metadata.resource_version
    timer = threading.Timer(0.3, lambda: core.delete_namespaced_config_map("kc", "default"))
    timer.start()
    watcher = watch.Watch()
    for event in watcher.stream(
        core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=10, label_selector="x=y"
    ):
        assert (event["type"], event["object"].metadata.name) == ("DELETED", "kc")
        watcher.stop()
    with pytest.raises(client.ApiException) as refused:
        core.read_namespaced_config_map("kc", "default")
    assert refused.value.status == 404


def test_kubernetes_client_reads_pods_and_custom_objects(core, service):
    from kubernetes import client

    made = hello(service, "pods-").create(wait=True, poll_interval=1)
    pods = core.list_namespaced_pod(
        "default", label_selector=f"workflows.argoproj.io/workflow={made.metadata.name}"
    ).items
    assert [pod.status.phase for pod in pods] == ["Succeeded"]
    assert core.read_namespaced_pod_log(pods[0].metadata.name, "default", container="main") == "hello\n"
    custom = client.CustomObjectsApi(core.api_client)
    found = custom.get_namespaced_custom_object("argoproj.io", "v1alpha1", "default", "workflows", made.metadata.name)
    assert found["kind"] == "Workflow"
    custom.delete_namespaced_custom_object("argoproj.io", "v1alpha1", "default", "workflows", made.metadata.name)


# --- kubectl


@pytest.fixture
def kubectl(servers: Servers, tmp_path: Path):
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")

    def run(*words: str, text: str | None = None) -> SimpleNamespace:
        command = [program, "--kubeconfig", str(servers.kubeconfig), "--cache-dir", str(tmp_path / "cache"), *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
        return SimpleNamespace(status=done.returncode, text=done.stdout.strip(), error=done.stderr.strip())

    return run


def test_kubectl(kubectl):
    made = kubectl("create", "configmap", "kk", "--from-literal=a=1")  # this command sends protocol buffers
    assert made.text == "configmap/kk created", made.error
    assert kubectl("get", "configmap", "kk", "-o", "jsonpath={.data.a}").text == "1"
    assert "DATA" in kubectl("get", "configmaps").text.splitlines()[0]
    manifest = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"k": "v"}}
    )
    assert kubectl("apply", "-f", "-", text=manifest).text == "configmap/applied created"
    assert kubectl("apply", "-f", "-", text=manifest).text == "configmap/applied unchanged"
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", text=manifest).text
    assert kubectl("patch", "cm", "applied", "-p", '{"data":{"k":"w"}}').text == "configmap/applied patched"
    assert kubectl("delete", "cm", "applied", "kk").status == 0
    missing = kubectl("get", "cm", "applied")
    assert missing.error == 'Error from server (NotFound): configmaps "applied" not found'
    assert kubectl("auth", "can-i", "create", "workflows.argoproj.io").text == "yes"
    assert len(kubectl("create", "token", "default").text.split(".")) == 3


def test_kubectl_runs_a_workflow(kubectl):
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "by-kubectl"},
        "spec": {
            "entrypoint": "main",
            "templates": [{"name": "main", "container": {"image": "busybox", "command": ["echo", "from kubectl"]}}],
        },
    }
    made = kubectl("create", "-f", "-", text=json.dumps(workflow))
    assert made.text == "workflow.argoproj.io/by-kubectl created", made.error
    waited = kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "workflow/by-kubectl", "--timeout=20s")
    assert waited.status == 0, waited.error
    assert "Succeeded" in kubectl("get", "workflows").text
    pod = kubectl("get", "pods", "-l", "workflows.argoproj.io/workflow=by-kubectl", "-o", "name").text
    assert kubectl("logs", pod).text == "from kubectl"
    assert kubectl("delete", "workflow", "by-kubectl").status == 0
    until(lambda: kubectl("get", "workflow", "by-kubectl").status == 1)
