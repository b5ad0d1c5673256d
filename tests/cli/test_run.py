"""`hera-utils run SCRIPT`: scripts of every kind, in processes of their own."""

import json
import os
import signal
import subprocess
import sys

import pytest
import yaml

from hera_utils.cli.run_output import output_format
from waiting import until_a_pod_runs

HEAD = "from hera.workflows import *\nfrom hera.shared import global_config\n"
BUILD = """
with Workflow(generate_name="{name}-", entrypoint="c") as w:
    Container(name="c", image="busybox", command=["echo"], args=["{name}"])
"""


@pytest.fixture
def run(local_platform, tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    environment = kept | {
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }

    def run_(text, *arguments, status=0):
        path = tmp_path / "script.py"
        path.write_text(HEAD + text)
        answer = subprocess.run(
            [sys.executable, "-m", "hera_utils", "run", "script.py", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        return answer

    return run_


def names(local_platform):
    return sorted(run["metadata"]["generateName"] for run in local_platform.client.list())


def test_one_that_is_built_and_not_submitted(run, local_platform):
    assert "✔ Succeeded" in run(BUILD.format(name="a")).stdout
    assert names(local_platform) == ["a-"]


@pytest.mark.parametrize(("own", "most"), [("", 2), (", parallelism=1", 1), (", parallelism=5", 2)])
def test_the_setting_parallelism_holds_for_any_workflow(run, local_platform, own, most):
    """It was accepted, and had no effect."""
    text = BUILD.format(name="few").replace(', entrypoint="c"', f', entrypoint="c"{own}')
    run(text + "\nw.create()", "--parallelism", "2")
    run(text, "--parallelism", "2")
    assert [one["spec"]["parallelism"] for one in local_platform.client.list()] == [most] * 2


def test_the_setting_parallelism_holds_for_a_file(run, local_platform, tmp_path):
    spec = {"entrypoint": "c", "templates": [{"name": "c", "container": {"image": "busybox", "command": ["true"]}}]}
    document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "few"}, "spec": spec}
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(document))
    environment = {"HOME": str(tmp_path), "HERA_UTILS_STATE": local_platform.context.state, "PATH": os.environ["PATH"]}
    environment |= {"ARGO_NAMESPACE": local_platform.connection.namespace, "HERA_UTILS_PARALLELISM": "2"}
    subprocess.run([sys.executable, "-m", "hera_utils", "run", "few.yaml"], cwd=tmp_path, env=environment, check=True)
    assert local_platform.client.get("few")["spec"]["parallelism"] == 2


@pytest.mark.parametrize("kind", ["Workflow", "WorkflowTemplate"])
def test_what_hera_refuses_only_when_it_builds_is_a_sentence(run, local_platform, kind):
    said = run(f'w = {kind}(generate_name="a-", entrypoint="c", arguments=5)', status=2).stderr
    assert "Traceback" not in said
    assert "script.py raised TypeError: Invalid argument type <class 'int'>" in said
    assert names(local_platform) == []


def test_several_that_are_not_submitted_are_listed(run, local_platform):
    said = run(BUILD.format(name="a") + BUILD.format(name="b"), status=2).stderr
    assert "built 2 workflows and submitted none: a-…, b-…" in said
    assert names(local_platform) == []


def test_a_link_is_shown_once(run):
    answer = run(BUILD.format(name="a") + "w.create()\nprint(w.get_workflow_link())")
    assert (answer.stdout + answer.stderr).count("/workflows/") == 1
    answer = run(BUILD.format(name="a") + "w.create()")
    assert (answer.stdout + answer.stderr).count("/workflows/") == 1


HTTPX = """
import requests
class AsyncClient:
    def __init__(self, **options):
        pass
    async def request(self, method, **options):
        answer = requests.request(method, **options)
        answer.is_success = answer.ok
        return answer
"""
ASYNCHRONOUS = """
import asyncio
from hera.workflows.models import WorkflowCreateRequest
async def one(name):
    with Workflow(generate_name=name, entrypoint="c", workflows_service=AsyncWorkflowsService()) as w:
        Container(name="c", image="busybox", command=["true"])
    {send}
async def both():
    print(await asyncio.gather(one("a-"), one("b-")))
asyncio.run(both())
"""


@pytest.mark.parametrize(
    "send",
    [
        "return (await w.async_create(poll_interval=1)).status.phase",
        "service = w.workflows_service\n    made = await service.create_workflow(WorkflowCreateRequest(workflow=w.build()))\n"
        "    return type(await service.get_workflow(made.metadata.name)).__name__",
    ],
)
def test_what_heras_asynchronous_service_sends_runs_once(run, local_platform, tmp_path, send):
    """What its own create_workflow had sent was submitted again."""
    pytest.importorskip("hera.workflows.async_service")
    (tmp_path / "httpx.py").write_text(HTTPX)  # what `hera[async-client]` installs
    assert run(ASYNCHRONOUS.format(send=send)).stdout.count("✔ Succeeded") == 2
    assert names(local_platform) == ["a-", "b-"]


def test_a_kubernetes_client_of_the_script_reaches_the_cluster_of_the_run(run, local_platform, tmp_path):
    """It found no kubeconfig, or the one of another cluster."""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("current-context: other")
    text = """
from hera.workflows import models
from kubernetes import client, config
config.load_kube_config()
api = client.CoreV1Api()
api.create_namespaced_config_map("NAMESPACE", {"metadata": {"name": "words"}, "data": {"word": "salut"}})
word = models.EnvVar(name="W", value_from=models.EnvVarSource(config_map_key_ref=models.ConfigMapKeySelector(name="words", key="word")))
with Workflow(generate_name="k-", entrypoint="c") as w:
    Container(name="c", image="busybox", command=["sh", "-c", "echo $W"], env=[word])
w.create(wait=True, poll_interval=1)
(pod,) = api.list_namespaced_pod("NAMESPACE", label_selector=f"workflows.argoproj.io/workflow={w.name}").items
print(api.read_namespaced_pod_log(pod.metadata.name, "NAMESPACE", container="main"))
"""
    assert "salut" in run(text.replace("NAMESPACE", local_platform.connection.namespace)).stdout


AT_THE_END = "\nimport atexit, sys\natexit.register(lambda: print(*sys.modules))"


def test_a_plain_script_pays_for_no_cluster_and_no_experiment(run):
    """Modules that a run on this machine does not need are not imported, as every import delays the start."""
    loaded = set(
        run(BUILD.format(name="a") + AT_THE_END, "--argo_namespace", "default").stdout.splitlines()[-1].split()
    )
    assert len(loaded) > 40
    of_clusters = {
        "cluster",
        "cluster_access",
        "discovery",
        "kubernetes_http",
        "port_forward",
        "remote_server",
        "token_sources",
    }
    assert not loaded & {f"hera_utils.platforms.{name}" for name in of_clusters}
    others = (
        "execution",
        "interpreter",
        "report",
        "results",
        "runs",
        "seed",
        "local_platform.server",
        "settings.kubeconfig",
    )
    assert not [name for name in loaded if f"{name}.".startswith(tuple(f"hera_utils.{other}." for other in others))]
    assert not loaded & RARE


RARE = {"requests", "urllib3", "ssl", "asyncio", "pydantic.v1", "email", "importlib.metadata"}


def test_the_two_apis_of_this_machine_need_no_requests(run):
    asks = "import hera_utils\ncluster = hera_utils.k8s_cluster()\nprint(cluster.version())\nprint(cluster.list('ConfigMap'))\n"
    version, *_, loaded = run(asks + BUILD.format(name="a") + "w.create()" + AT_THE_END).stdout.splitlines()
    assert version.startswith("v1.")
    assert not set(loaded.split()) & RARE


RETURNS = """
@script()
def add(a: int):
    def inner():
        return a
    print(inner())
    {end}

with Workflow(generate_name="r-", entrypoint="s") as w:
    with Steps(name="s"):
        add(arguments={{"a": 1}})
"""


def test_a_script_function_that_returns_is_told_of_it(run):
    said = run(RETURNS.format(end="return a"), status=1).stderr
    assert said.count("add returns a value on line 9") == 1
    assert 'constructor="runner"' in said
    assert "returns" not in run(RETURNS.format(end="a += 1")).stderr


def test_none(run):
    assert "built none" in run("print('hello')", status=2).stderr


def test_a_script_that_stores_a_template_and_starts_it(run, local_platform):
    text = """
with WorkflowTemplate(name="stored", entrypoint="c") as t:
    Container(name="c", image="busybox", command=["echo"], args=["stored"])
t.create()
"""
    said = run(text)
    assert said.stdout == ""
    assert "WorkflowTemplate stored stored; run it with: hera-utils run --from workflowtemplate/stored" in said.stderr
    text = """
from hera.workflows.models import WorkflowTemplateRef
with Workflow(generate_name="a-", workflow_template_ref=WorkflowTemplateRef(name="stored")) as w:
    pass
w.create()
"""
    assert "✔ Succeeded" in run(text).stdout


def test_a_script_that_ends_itself(run):
    run("import sys\nprint('usage')\nsys.exit(0)")
    run("import sys\nsys.exit(7)", status=7)
    assert "✔ Succeeded" in run("import sys\n" + BUILD.format(name="a") + "sys.exit(0)").stdout


def test_several_that_are_submitted_are_followed(run, local_platform):
    text = BUILD.format(name="a") + "w.create()\n" + BUILD.format(name="b") + "w.create()\n"
    assert run(text).stdout.count("✔ Succeeded") == 2
    assert names(local_platform) == ["a-", "b-"]


def test_one_that_waits_by_itself(run):
    text = BUILD.format(name="a") + "print(w.create(wait=True, poll_interval=1).status.phase)"
    assert run(text).stdout.splitlines()[0] == "Succeeded"


def test_what_a_script_says_of_the_server_is_replaced_and_told_once(run, local_platform):
    text = (
        "global_config.host, global_config.token, global_config.namespace = 'https://nowhere.example.org', 'planted-token', 'x'\n"
        + BUILD.format(name="a")
        + "w.create()\n"
        + BUILD.format(name="b")
        + "w.create()\n"
    )
    answer = run(text)
    told = [line for line in answer.stderr.splitlines() if "will not be used" in line]
    assert len(told) == 1
    assert local_platform.connection.namespace in told[0]
    assert "planted-token" not in answer.stdout + answer.stderr
    assert names(local_platform) == ["a-", "b-"]


@pytest.mark.parametrize("end", ["", "w.create()\n"])
def test_a_subclass_is_run_as_a_workflow_is(run, end):
    text = """
from hera.shared import global_config
global_config.host = "https://elsewhere.example"
class Study(Workflow):
    pass
with Study(generate_name="study-", entrypoint="c") as w:
    Container(name="c", image="busybox", command=["true"])
"""
    assert "✔ Succeeded" in run(text + end).stdout


def test_a_script_that_asks_the_server_by_itself(run):
    answer = run("""
from hera.workflows import WorkflowsService
service = WorkflowsService(host="https://elsewhere.example")
print("here", len(service.list_workflows(namespace="argo").items or []))
""")
    assert answer.stdout == "here 0\n"
    assert "will not be used: it runs on this machine" in answer.stderr


@pytest.mark.parametrize("sends", ["", "w.create()"])
def test_arguments_that_nobody_looks_at_are_refused(run, local_platform, sends):
    said = run(BUILD.format(name="a") + sends, "--paln", status=2).stderr
    assert "script.py takes no arguments, and hera-utils has no option --paln" in said
    assert names(local_platform) == []
    parser = (
        "import argparse, sys\nparser = argparse.ArgumentParser()\nparser.add_argument('--paln', action='store_true')\n"
    )
    for way in ("sys.argv[1:]", "list(sys.argv)", "len(sys.argv)", "parser.parse_args()"):
        run(f"{parser}{way}\n" + BUILD.format(name="a") + sends, "--paln")


GIVEN = """
from hera.workflows import Parameter, RawArtifact
with Workflow(generate_name="given-", entrypoint="c", arguments=[
    Parameter(name="word", value="a"), Parameter(name="words", value="b"), RawArtifact(name="file", data="kept"),
]) as w:
    Container(name="c", image="busybox", command=["echo"], args=["{{workflow.parameters.word}} {{workflow.parameters.words}}"])
"""


def test_a_workflow_that_a_script_leaves_to_us_takes_parameters(run, local_platform):
    said = run(GIVEN, "-p", "words=d", "--parameter", "wor=x").stderr
    assert "the workflow has no parameter `wor`; it has: word, words" in said, (
        "also where it is the beginning of another"
    )
    (document,) = local_platform.client.list()
    arguments = document["spec"]["arguments"]
    assert {one["name"]: one["value"] for one in arguments["parameters"]} == {"word": "a", "words": "d", "wor": "x"}
    assert arguments["artifacts"] == [{"name": "file", "raw": {"data": "kept"}}]
    said = run(GIVEN + "w.create()", "-p", "words=d", status=2).stderr
    assert "leave out the script's create()" in said
    read = run(GIVEN + "import sys; print(sys.argv[1:])", "-p", "words=d").stdout
    assert "['-p', 'words=d']" in read, "a script that looks at its arguments has them"
    assert "takes no arguments" in run(GIVEN, "-p", "words", status=2).stderr


def test_arguments_go_to_the_script_and_settings_to_us(run):
    text = "import sys\nprint(sys.argv[1:])\n" + BUILD.format(name="a")
    said = run(text, "--mine", "3", "--platform", "local", "--", "--platform", "theirs").stdout
    assert said.splitlines()[0] == "['--mine', '3', '--platform', 'theirs']"


def test_a_script_of_ours_sees_the_settings_that_were_typed(run):
    text = "import hera_utils\nargs = hera_utils.parse_arguments()\nprint(args.registry, args.origin('registry'))\n"
    said = run(text + BUILD.format(name="a"), "--registry", "registry.example.org/lab").stdout
    assert said.splitlines()[0] == "registry.example.org/lab flag --registry"


def test_a_function_of_the_script_itself(run):
    text = """
import json
OFFSET = 40

def helper(n):
    return n + OFFSET

@script(constructor="runner", image="python:3.11")
def answer(n: int) -> int:
    print(helper(n))
    return helper(n)

with Workflow(generate_name="runner-", entrypoint="dag") as w:
    with DAG(name="dag"):
        answer(name="answer", arguments={"n": 2})
if __name__ == "__main__":
    w.create()
"""
    assert "✔ Succeeded" in run(text).stdout


def test_ctrl_c_while_the_script_waits(local_platform, tmp_path):
    text = BUILD.format(name="a").replace('["echo"], args=["a"]', '["sleep", "60"]')
    (tmp_path / "script.py").write_text(HEAD + text + "w.create(wait=True)")
    environment = os.environ | {
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }
    words = [sys.executable, "-m", "hera_utils", "run", "script.py"]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    until_a_pod_runs(local_platform)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    (found,) = local_platform.client.list()
    assert process.returncode == 130, said
    assert f"the run continues; come back with: hera-utils watch {found['metadata']['name']}" in said
    assert "Traceback" not in said


def test_a_workflow_that_fails(run):
    text = BUILD.format(name="a").replace('["echo"]', '["sh", "-c"]').replace('["a"]', '["echo told you; exit 3"]')
    said = run(text, status=1)
    assert "exit code 3" in said.stderr
    assert "told you" in said.stderr


def test_a_script_that_raises(run):
    said = run("def f():\n    raise ValueError('the third city')\nf()", status=2).stderr
    assert "the third city" in said
    assert "hera_utils/cli" not in said


def test_a_workflow_that_the_server_refuses(run):
    said = run(BUILD.format(name="a").replace('entrypoint="c"', 'entrypoint="nope"') + "w.create()", status=2).stderr
    assert "nope" in said
    assert "Traceback" not in said


def test_what_hera_itself_refuses(run):
    said = run("with Workflow(generate_name='a' * 99, entrypoint='c') as w:\n    pass", status=2).stderr
    assert "generate_name must be no more than" in said


@pytest.mark.parametrize(
    ("typed", "output", "rest"),
    [
        ("a.py -o json", "json", "a.py"),
        ("--output=name a.py --n 3", "name", "a.py --n 3"),
        ("a.py -o out.csv", "text", "a.py -o out.csv"),
        ("a.py --output=x.csv -o json", "json", "a.py --output=x.csv"),
        ("a.py --plan --output json", "text", "a.py --plan --output json"),
        ("a.py -- -o json", "text", "a.py -- -o json"),
        ("a.py -o", "text", "a.py -o"),
    ],
)
def test_which_output_is_ours(typed, output, rest):
    assert output_format(typed.split()) == (output, rest.split())


def test_json_for_a_program(run, local_platform):
    loud = "\nprint('said')\nimport subprocess\nsubprocess.run(['echo', 'said by another process'])"
    answer = run(BUILD.format(name="a") + loud, "-o", "json")
    told = json.loads(answer.stdout)
    [workflow] = told["workflows"]
    assert workflow == local_platform.client.get(told["run"])
    assert (told["phase"], told["record"]) == ("Succeeded", None)
    assert told["link"].endswith(f"/workflows/{told['namespace']}/{told['run']}")
    for line in ("said", "said by another process", f"{told['run']}  ✔ Succeeded  1/1"):
        assert line in answer.stderr


def test_names_for_a_program(run, local_platform):
    assert run(BUILD.format(name="a"), "-o", "name", "--detach").stdout.split() == [
        one["metadata"]["name"] for one in local_platform.client.list()
    ]


def test_yaml_for_a_reader(run):
    told = yaml.safe_load(run(BUILD.format(name="a"), "-o", "yaml").stdout)
    assert told["phase"] == told["workflows"][0]["status"]["phase"] == "Succeeded"


def test_json_of_a_run_that_failed(run):
    told = json.loads(run(BUILD.format(name="a").replace('"echo"', '"false"'), "-o", "json", status=1).stdout)
    assert told["phase"] == "Failed"
    assert told["workflows"][0]["status"]["phase"] == "Failed"


EXPERIMENT = """
from hera_utils import Experiment, grid, main

def flow(name, command):
    with Workflow(generate_name=f"{name}-", entrypoint="c") as w:
        Container(name="c", image="busybox", command=[command])
    return w

main(Experiment(
    workflow=lambda e, inputs, l: flow("points", "COMMAND"), gather=lambda e, i, l: flow("last", "true"), inputs=grid(n=[1])
))
"""


def test_json_of_an_experiment_is_its_whole_run(run, tmp_path):
    told = json.loads(run(EXPERIMENT.replace("COMMAND", "true"), "-o", "json").stdout)
    assert [one["metadata"]["generateName"].partition("-")[0] for one in told["workflows"]] == ["points", "last"]
    assert told["record"] == str(tmp_path / "runs" / told["run"])
    again = json.loads(run(EXPERIMENT.replace("COMMAND", "true"), "--resume", "-o", "json").stdout)
    assert again["run"] == told["run"]


def test_json_of_an_experiment_that_failed(run):
    told = json.loads(run(EXPERIMENT.replace("COMMAND", "false"), "-o", "json", status=1).stdout)
    assert told["phase"] == "Failed"


def test_nothing_but_the_error_where_nothing_was_begun(run):
    assert run("raise SystemExit(3)", "-o", "json", status=3).stdout == "[]\n"
    assert run("x = 1", "-o", "json", status=2).stdout == ""
