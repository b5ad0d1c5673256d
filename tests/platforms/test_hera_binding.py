import json
import os
from dataclasses import replace

import pytest
from hera.shared import global_config
from hera.workflows import (
    ClusterWorkflowTemplate,
    Container,
    CronWorkflow,
    Steps,
    Workflow,
    WorkflowsService,
    WorkflowTemplate,
    models,
)

from hera_utils.platforms.hera_binding import Stamp, bind_hera, stamp_of
from hera_utils.settings.sources import Surroundings, read_settings

STAMP = Stamp("/env/bin/python", "/work", "/work/script.py", {"tool*": {"python": "current"}})
HERA = ("host", "token", "namespace", "service_account_name", "verify_ssl")


@pytest.fixture
def local(double):
    return replace(double.connection, local=True)


@pytest.fixture(autouse=True)
def hera_as_it_was():
    before = {name: getattr(global_config, name) for name in HERA}
    yield
    for name, value in before.items():
        setattr(global_config, name, value)


def workflow(**options):
    with Workflow(generate_name="w-", entrypoint="main", **options) as made:
        Container(name="main", image="alpine", command=["true"])
    return made


def test_bound_and_restored(double):
    global_config.token = lambda: "asked only when needed"
    with bind_hera(replace(double.connection, service_account="argo-user", verify_tls=False)) as binding:
        assert repr(binding) == f"HeraBinding({double.url}, namespace lyon)"  # below the cell of a notebook
        assert global_config.host == double.url + "/"
        assert (global_config.token, global_config.namespace) == ("planted-token-5e1f", "lyon")
        assert (global_config.service_account_name, global_config.verify_ssl) == ("argo-user", False)
    assert global_config.host is None
    assert global_config.namespace is None
    assert vars(global_config)["_token"]() == "asked only when needed"


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, ValueError])
def test_restored_however_it_ends(double, end, monkeypatch):
    def as_hera_has_it():
        return [getattr(global_config, name) for name in HERA]

    before = as_hera_has_it()
    with pytest.raises(end), bind_hera(replace(double.connection, service_account="argo-user")):  # noqa: PT012  what ends it is the point
        assert as_hera_has_it() != before
        raise end
    assert as_hera_has_it() == before

    def broken_off(*_):
        raise end

    monkeypatch.setattr("hera_utils.platforms.hera_binding.extend_hera", broken_off)
    with pytest.raises(end):
        bind_hera(double.connection, insist=True)
    assert as_hera_has_it() == before


def test_a_plain_create_goes_to_the_connection(double):
    double.on("POST", "/argo/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    with bind_hera(replace(double.connection, argo_server=double.url + "/argo")):
        made = workflow()
        made.create()
        assert made.get_workflow_link() == f"{double.url}/argo/workflows/lyon/w-1?tab=workflow"
    assert double.seen[-1].headers["Authorization"] == "Bearer planted-token-5e1f"
    assert "annotations" not in double.seen[-1].body["workflow"]["metadata"]


def test_what_goes_to_this_machine_says_who_submits(local):
    with bind_hera(local, stamp=STAMP):
        made = workflow(annotations={"mine": "1", "hera-utils/python": "/my/python"})
        annotations = made.build().metadata.annotations
        assert annotations["hera-utils/directory"] == "/work"
        assert annotations["hera-utils/script"] == "/work/script.py"
        assert json.loads(annotations["hera-utils/images"]) == {"tool*": {"python": "current"}}
        assert (annotations["mine"], annotations["hera-utils/python"]) == ("1", "/my/python")
        for other in (
            WorkflowTemplate(name="t", entrypoint="e", templates=[Steps(name="e")]),
            CronWorkflow(name="c", entrypoint="e", schedule="* * * * *", templates=[Steps(name="e")]),
        ):
            assert other.build().metadata.annotations["hera-utils/python"] == "/env/bin/python"
    assert workflow().build().metadata.annotations is None


def test_the_yaml_that_a_script_writes_says_nothing_of_this_machine(local):
    with bind_hera(local, stamp=STAMP, insist=True):
        made = workflow(annotations={"mine": "1"})
        made.build()
        assert "hera-utils" not in made.to_yaml()
        assert "mine" in made.to_yaml()
        assert "hera-utils/python" in made.build().metadata.annotations


def test_nothing_is_written_for_a_cluster(double):
    with bind_hera(double.connection, stamp=STAMP):
        assert workflow().build().metadata.annotations is None


def test_what_a_script_sets_is_replaced_and_told_once(double, local):
    told = []
    double.on("POST", "/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    with bind_hera(local, insist=True, notice=told.append):
        global_config.host, global_config.token = "https://elsewhere.example", "its own"
        global_config.namespace = "paris"
        workflow().create()
        workflow(workflows_service=WorkflowsService(host="https://third.example"), namespace="rome").create()
    assert [exchange.headers["Authorization"] for exchange in double.seen] == ["Bearer planted-token-5e1f"] * 2
    assert told == [
        "the script's Argo server and namespace for Hera will not be used: it runs on this machine (namespace lyon)"
    ]


def test_a_token_generator_that_is_replaced_is_not_called(double, local):
    def needs_the_argo_command():
        raise RuntimeError("The Argo CLI is not installed")

    double.on("POST", "/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    with bind_hera(local, insist=True):
        global_config.host, global_config.token = "https://elsewhere.example", needs_the_argo_command
        workflow().create()
        assert vars(global_config)["_token"] is needs_the_argo_command
    assert double.seen[-1].headers["Authorization"] == "Bearer planted-token-5e1f"


class Study(Workflow):
    """A user's subclass of Hera's Workflow."""


class Survey(Study):
    """A subclass of that subclass."""


@pytest.mark.parametrize("kind", [Study, Survey])
@pytest.mark.parametrize("host", ["https://elsewhere.example", None])
def test_a_subclass_is_bound_as_a_workflow_is(double, local, kind, host):
    double.on("POST", "/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    with bind_hera(local, stamp=STAMP, insist=True):
        global_config.host, global_config.namespace = host, None
        with kind(generate_name="w-", entrypoint="main") as made:
            Container(name="main", image="alpine")
        made.create()
    assert double.seen[-1].headers["Authorization"] == "Bearer planted-token-5e1f"
    assert double.seen[-1].body["workflow"]["metadata"]["annotations"]["hera-utils/directory"] == "/work"


def test_hera_that_is_reset_is_still_bound(double, local):
    double.on("POST", "/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    with bind_hera(local, stamp=STAMP, insist=True):
        global_config.reset()
        workflow().create()
    assert double.seen[-1].headers["Authorization"] == "Bearer planted-token-5e1f"


@pytest.mark.parametrize("insist", [True, False])
def test_a_template_of_the_cluster_has_no_namespace(double, local, insist):
    double.on("POST", "/api/v1/cluster-workflow-templates", {"metadata": {"name": "t"}, "spec": {}})
    with bind_hera(local, insist=insist):
        with ClusterWorkflowTemplate(name="t", entrypoint="main") as made:
            Container(name="main", image="alpine")
        made.create()
        assert global_config.namespace == "lyon"
    assert "namespace" not in double.seen[-1].body["template"]["metadata"]


def test_a_service_that_a_script_makes_itself_goes_where_its_runs_go(double, local):
    told = []
    double.on("GET", "/api/v1/workflows/lyon", {"metadata": {}, "items": []})
    double.on("POST", "/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    document = models.Workflow(metadata=models.ObjectMeta(name="w", namespace="argo"), spec=models.WorkflowSpec())
    with bind_hera(local, stamp=STAMP, insist=True, notice=told.append):
        service = WorkflowsService(
            host="https://elsewhere.example", verify_ssl=False, token="its own", namespace="rome"
        )
        service.list_workflows()
        service.list_workflows("argo")
        service.list_workflows(namespace="argo")
        service.create_workflow(models.WorkflowCreateRequest(workflow=document), namespace="argo")
    assert [exchange.headers["Authorization"] for exchange in double.seen] == ["Bearer planted-token-5e1f"] * 4
    assert double.seen[-1].body["workflow"]["metadata"]["namespace"] == "lyon"
    assert "hera-utils/python" in double.seen[-1].body["workflow"]["metadata"]["annotations"]
    assert told == ["the script's Argo server for Hera will not be used: it runs on this machine (namespace lyon)"]


def test_a_binding_that_is_over_changes_no_service(double, local):
    with bind_hera(local, insist=True):
        pass
    assert WorkflowsService(host="https://elsewhere.example", token="its own").host == "https://elsewhere.example"


def test_a_renewed_token_goes_to_its_own_server_alone(double, local):
    with bind_hera(replace(local, token="", fresh_token=lambda: "ours")):
        made = workflow(workflows_service=WorkflowsService(host=double.url + "/other", token="ours"))
        made.build()
        assert made.workflows_service.session.auth is None


def test_a_script_that_sets_nothing_is_told_nothing(double, local):
    told = []
    double.on("POST", "/api/v1/workflows/lyon", {"metadata": {"name": "w-1"}, "spec": {}})
    with bind_hera(local, insist=True, notice=told.append):
        workflow().create()
    assert told == []


def test_a_token_generator_is_given_to_hera(double):
    tokens = iter(["one", "two"])
    with bind_hera(replace(double.connection, fresh_token=lambda: next(tokens))):
        assert WorkflowsService().token == "Bearer one"
        assert WorkflowsService().token == "Bearer two"


def test_a_proxy_is_not_asked_for_this_machine(local, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "intern.example")
    monkeypatch.delenv("no_proxy", raising=False)
    with bind_hera(local):
        assert os.environ["NO_PROXY"] == "intern.example,127.0.0.1,localhost"
        assert os.environ["no_proxy"] == "127.0.0.1,localhost"
    assert os.environ["NO_PROXY"] == "intern.example"
    assert "no_proxy" not in os.environ


def test_the_stamp_of_this_process(tmp_path):
    around = Surroundings(environ={"HERA_UTILS_PYTHON": "/opt/python"}, directory=tmp_path, home=tmp_path)
    stamp = stamp_of(read_settings(around=around), script="script.py")
    assert stamp.python == "/opt/python"
    assert stamp.script == os.path.join(os.getcwd(), "script.py")
    assert stamp.directory == os.getcwd()
    assert stamp_of(read_settings(around=around), script="").annotations().keys() == {
        "hera-utils/python",
        "hera-utils/directory",
    }


def test_a_document_is_stamped_without_losing_what_it_says():
    document = {"metadata": {"name": "w", "annotations": {"hera-utils/python": "/own", "a": "b"}}, "spec": {}}
    stamped = STAMP.add_to(document)
    assert stamped["metadata"]["annotations"]["hera-utils/python"] == "/own"
    assert stamped["metadata"]["annotations"]["a"] == "b"
    assert stamped["metadata"]["annotations"]["hera-utils/directory"] == "/work"
    assert document["metadata"]["annotations"] == {"hera-utils/python": "/own", "a": "b"}
    assert "hera-utils/script" in STAMP.add_to({})["metadata"]["annotations"]
