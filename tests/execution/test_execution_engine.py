"""The order of things, on the real local platform."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hera.workflows import DAG, Container, ExistingVolume, Parameter, Task, Workflow
from hera.workflows.models import ValueFrom
from rich.console import Console

from hera_utils import (
    AccessError,
    ExecutionEngine,
    Experiment,
    Inputs,
    Layout,
    ResourceError,
    RunFailed,
    SettingsError,
    grid,
)
from hera_utils.execution.reporter import ConsoleReporter
from hera_utils.experiment.environment import ConfigMap, Environment, PersistedVolume
from waiting import until_a_pod_runs

COLLECT = "cd {{inputs.parameters.dir}} && echo {{inputs.parameters.borough}} > f-{{inputs.parameters.borough}}"


class CollectLayout(Layout):
    def collect_output_dir(self, vintage):
        return self.path("collect", self.constants.city, vintage)


def define(environment, inputs, layout):
    volume = environment.persisted_volume
    mounted = [ExistingVolume(name="results", claim_name=volume.claim_name, mount_path=volume.mount_path)]
    with Workflow(generate_name="collect-", entrypoint="dag") as w:
        collect = Container(
            name="collect",
            image="alpine:3",
            command=["sh", "-c"],
            args=["mkdir -p {{inputs.parameters.dir}} && " + COLLECT],
            inputs=[Parameter(name="borough"), Parameter(name="dir")],
            volumes=mounted,
        )
        gather = Container(
            name="gather",
            image="alpine:3",
            command=["sh", "-c"],
            args=[f"find {volume.mount_path} -type f | wc -l | tr -d ' \\n' > /tmp/total"],
            outputs=[Parameter(name="total", value_from=ValueFrom(path="/tmp/total"))],
            volumes=mounted,
        )
        with DAG(name="dag"):
            end = Task(name="fan-in", template=gather)
            for vintage in inputs.parameters.vintages:
                where = os.path.join(volume.mount_path, layout.collect_output_dir(vintage))
                (
                    Task(
                        name=layout.name("collect", vintage),
                        template=collect,
                        arguments={"borough": "{{item}}", "dir": where},
                        with_items=inputs.parameters.boroughs,
                    )
                    >> end
                )
    return w


EXPERIMENT = Experiment(
    workflow=define,
    inputs=Inputs(
        constants=SimpleNamespace(city="Lyon"), parameters=grid(vintages=[2009, 2012], boroughs=["a", "b", "c"])
    ),
    layout=CollectLayout,
    environment=Environment(
        persisted_volume=PersistedVolume("results", mount_path="/results"), config_map=ConfigMap("proxies", {"P": "1"})
    ),
)


def failing(environment, inputs, layout):
    with Workflow(generate_name="fails-", entrypoint="main") as w:
        Container(name="main", image="alpine:3", command=["sh", "-c"], args=["echo its last words; exit 3"])
    return w


def test_provision_submit_follow_collect(local_platform):
    run = ExecutionEngine(local_platform.context).run(EXPERIMENT)
    assert run.succeeded
    assert run["fan-in"].outputs["total"] == "6"
    assert sorted(row.inputs["borough"] for row in run.tasks("collect-2009")) == ["a", "b", "c"]
    assert len(run.tasks("collect")) == 6
    with pytest.raises(KeyError, match="3 tasks"):
        _ = run["collect-2009"]
    with pytest.raises(KeyError, match="fan-in"):
        _ = run["nothing"]
    folder = run.folders["results"]
    assert sorted(os.listdir(f"{folder}/collect/Lyon/2012")) == ["f-a", "f-b", "f-c"]
    assert local_platform.cluster.get("ConfigMap", "proxies")["data"] == {"P": "1"}
    annotations = run.workflow["metadata"]["annotations"]
    assert annotations["hera-utils/python"] == sys.executable
    assert annotations["hera-utils/directory"] == os.getcwd()


def test_a_failure_is_raised_or_given(local_platform):
    engine = ExecutionEngine(local_platform.context)
    with pytest.raises(RunFailed, match="failed") as caught:
        engine.run(Experiment(workflow=failing))
    assert caught.value.exit_status == 1
    assert caught.value.run.outcome.failures[0].exit_code == 3
    run = engine.run(Experiment(workflow=failing), check=False)
    assert (run.succeeded, run.phase) == (False, "Failed")
    assert run.outcome.failures[0].exit_code == 3


def test_what_is_seen_of_it(local_platform):
    text = io.StringIO()
    engine = ExecutionEngine(local_platform.context, reporter=ConsoleReporter(Console(file=text, width=200)))
    run = engine.run(EXPERIMENT)
    assert text.getvalue().startswith("platform  local (flag --platform)")
    assert f"claim results is the folder {run.folders['results']}" in text.getvalue()
    assert text.getvalue().splitlines()[-2:] == [run.link, f"report: {run.record / 'report.html'}"]
    with pytest.raises(RunFailed):
        engine.run(Experiment(workflow=failing))
    assert "its last words" in text.getvalue()
    assert local_platform.connection.token not in text.getvalue()


def test_what_is_no_experiment(local_platform):
    with pytest.raises(SettingsError, match="a Workflow is not an experiment"):
        ExecutionEngine(local_platform.context).run(failing(None, None, None))


SCRIPT = """
from hera.workflows import Container, Workflow
from hera_utils import ExecutionEngine, Experiment, grid, Inputs

def define(environment, inputs, layout):
    with Workflow(generate_name="script-", entrypoint="main") as w:
        Container(name="main", image="alpine:3", command=["sh", "-c"], args=["echo begun; sleep {}"])
    return w

if __name__ == "__main__":
    experiment = Experiment(workflow=define, inputs=Inputs(parameters=grid(vintages=[2009, 2012])))
    run = ExecutionEngine.from_command_line().run(experiment)
    print("given", run.phase)
"""


@pytest.fixture
def script(local_platform, tmp_path):
    """Runs the script as a user does, in an empty home."""

    def started(*words, seconds=0, **environ):
        (tmp_path / "experiment.py").write_text(SCRIPT.replace("{}", str(seconds)))
        kept = {name: os.environ[name] for name in ("PATH", "HERA_UTILS_IMAGES") if name in os.environ}
        kept |= {"HOME": str(tmp_path), "HERA_UTILS_STATE": local_platform.context.state, **environ}
        kept["ARGO_NAMESPACE"] = local_platform.connection.namespace
        return subprocess.Popen(
            [sys.executable, "experiment.py", *words],
            cwd=tmp_path,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def ended(process):
    out, err = process.communicate(timeout=60)
    return SimpleNamespace(status=process.returncode, out=out, err=err)


def test_a_run_says_what_stands_in_for_its_images_and_its_record_keeps_it(script, tmp_path):
    said = ended(script("--images", "never"))
    assert said.status == 0, said.err
    (line,) = [line for line in said.out.splitlines() if "stands in for" in line]
    (record,) = (tmp_path / "runs").glob("*/run.json")
    images = json.loads(record.read_text())["images"]
    assert images
    assert all(image in line and one["reason"] in line for image, one in images.items())
    manifest = json.loads((record.parent / "ro-crate-metadata.json").read_text())["@graph"]
    described = [one["description"] for one in manifest if one.get("@type") == "ContainerImage"]
    assert described
    assert all("stood in for" in text for text in described)
    planned = ended(script("--plan", "--images", "never"))
    assert all(image in planned.out and one["reason"] in planned.out for image, one in images.items())


def test_a_script_from_the_command_line(script):
    said = ended(script())
    assert (said.status, said.err) == (0, "")
    assert "Succeeded" in said.out
    assert said.out.rstrip().endswith("given Succeeded")


def test_planning_and_examining_run_nothing(script, local_platform):
    said = ended(script("--plan"))
    assert said.out.startswith("2 points (2 vintages) → 1 pod, 1 workflow of ")
    assert (said.status, "given" in said.out) == (0, False), "the script ends there"
    said = ended(script("--doctor"))
    assert (said.status, "✔ platform local" in said.out) == (0, True)
    # --role is a flag of the doctor, so nothing runs.
    assert "✔ platform local" in ended(script("--role", "role.yaml")).out
    said = ended(script("--doctor", "--python", "/nowhere/python"))
    assert (said.status, "✘ /nowhere/python" in said.out) == (1, True)
    assert "1 problem found" in said.err
    assert local_platform.client.list() == []


def test_a_closed_port_is_two_lines_and_status_2(script):
    said = ended(script("--argo_server", "http://localhost:9", ARGO_TOKEN="planted-token-1"))
    assert said.status == 2
    assert said.err.splitlines() == [
        "hera-utils: no Argo server answers at http://localhost:9 (connection refused)",
        "  fix: start one, or name another with --argo_server or ARGO_SERVER; leave it out to run on this machine",
    ]
    assert said.out == ""


def test_ctrl_c_leaves_the_run_alone(script, local_platform):
    process = script(seconds=20)
    until_a_pod_runs(local_platform)
    process.send_signal(signal.SIGINT)
    said = ended(process)
    (found,) = local_platform.client.list()
    name = found["metadata"]["name"]
    assert said.status == 130
    assert f"the run continues; come back with: hera-utils watch {name}" in said.err
    assert "Traceback" not in said.err
    assert found["status"]["phase"] == "Running"
    local_platform.client.act(name, "terminate")


def test_detached_from_the_start(script, local_platform):
    said = ended(script("--detach", seconds=20))
    (found,) = local_platform.client.list()
    assert said.status == 0
    assert f"{found['metadata']['name']} is submitted" in said.out
    local_platform.client.act(found["metadata"]["name"], "terminate")


def test_a_function_that_submits_by_itself_is_followed_and_not_submitted_again(local_platform):
    def creates(environment, inputs, layout):
        with Workflow(generate_name="own-", entrypoint="main") as w:
            Container(name="main", image="alpine:3", command=["true"])
        w.create()
        return w

    run = ExecutionEngine(local_platform.context).run(Experiment(workflow=creates))
    assert run.succeeded
    assert [found["metadata"]["name"] for found in local_platform.client.list()] == [run.name]


SCRIPT_THAT_HERA_FAILS = """
import hera_utils
args = hera_utils.parse_arguments()
hera_utils.argo_server(hera_utils.k8s_cluster(args), args).define_argo_server_part_of_environment()
from hera.shared import global_config
from hera.workflows import Container, Workflow
with Workflow(generate_name="w-", entrypoint="nope") as w:
    Container(name="main", image="alpine:3", command=["true"])
"""


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        ("w.create()", "line 9: the Argo server refuses the workflow: "),
        ("w.workflows_service.token = 'Bearer wrong'; w.create()", "line 9: the Argo server refuses the token"),
        ("w.workflows_service.host = 'http://127.0.0.1:9/'; w.create()", "line 9: no Argo server answers"),
    ],
)
def test_what_a_server_answers_hera_is_a_sentence_too(script, tmp_path, local_platform, ending, sentence):
    (tmp_path / "own.py").write_text(SCRIPT_THAT_HERA_FAILS + ending + "\n")
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "HERA_UTILS_STATE": local_platform.context.state}
    said = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert said.returncode == 2
    assert sentence in said.stderr.splitlines()[0]
    assert "Traceback" not in said.stderr


def test_a_token_in_the_environment_reaches_neither_tasks_nor_files(script, tmp_path, local_platform):
    """The server that a script starts inherits its environment; the user's token for another server must stop there."""
    planted, state = "planted-token-2f6b1e", tmp_path / "own-state"
    (tmp_path / "show.py").write_text(
        "from hera.workflows import Container, Workflow\n"
        "from hera_utils import ExecutionEngine, Experiment\n"
        "def define(environment, inputs, layout):\n"
        "    with Workflow(generate_name='show-', entrypoint='main') as w:\n"
        "        Container(name='main', image='alpine:3', command=['sh', '-c'], args=['env; echo its end'])\n"
        "    return w\n"
        "ExecutionEngine.from_command_line().run(Experiment(workflow=define))\n"
    )
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "HERA_UTILS_STATE": str(state)}
    environ |= {"ARGO_TOKEN": f"Bearer {planted}"}
    try:
        said = subprocess.run(
            [sys.executable, "show.py"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
        assert planted not in said.stdout + said.stderr
        held = [path for path in state.rglob("*") if path.is_file() and planted.encode() in path.read_bytes()]
        assert held == []
        (log,) = state.glob("pods/*/main.log")
        assert "its end" in log.read_text()
    finally:
        from hera_utils.local_platform import daemon

        daemon.stop(state)


@pytest.fixture
def as_a_cluster(local_platform, tmp_path):
    """Settings for which the test's server is a remote cluster: an address, a token, a kubeconfig."""
    from hera_utils.settings.sources import Surroundings, read_settings

    environ = {
        "ARGO_SERVER": local_platform.connection.argo_server,
        "ARGO_TOKEN": f"Bearer {local_platform.connection.token}",
        "ARGO_NAMESPACE": local_platform.connection.namespace,
        "KUBECONFIG": local_platform.connection.kubeconfig,
    }
    environ["HERA_UTILS_RUNS"] = str(tmp_path / "runs")
    return read_settings(around=Surroundings(environ=environ, directory=tmp_path, home=tmp_path))


def test_the_same_experiment_moves_by_its_settings_alone(local_platform, as_a_cluster):
    assert as_a_cluster.platform == "remote"
    engine = ExecutionEngine(as_a_cluster)
    with pytest.raises(
        ResourceError,
        match="(?s)nothing was submitted.*claim .results. does not exist.*config map .proxies. does not exist",
    ):
        engine.run(EXPERIMENT)
    assert local_platform.client.list() == []
    here = ExecutionEngine(local_platform.context).run(EXPERIMENT)
    there = engine.run(EXPERIMENT)
    assert there.succeeded
    assert there["fan-in"].outputs == here["fan-in"].outputs == {"total": "6"}
    assert "hera-utils/python" not in (there.workflow["metadata"].get("annotations") or {})
    assert there.folders == {}
    assumed = "assumed of images that a tag names: they are as they were; a digest in the name is certain"
    assert engine.plan(EXPERIMENT, resume=True).lines()[-1].startswith(assumed)


def test_a_cluster_with_a_wrong_token(as_a_cluster):
    from hera_utils.settings.secret import Secret

    as_a_cluster.argo_token = Secret("planted-wrong-token")
    with pytest.raises(AccessError, match="refuses the token") as caught:
        ExecutionEngine(as_a_cluster).run(EXPERIMENT)
    assert "planted" not in f"{caught.value} {caught.value.fix}"


def test_a_token_that_the_cluster_gives_for_a_service_account(local_platform, as_a_cluster):
    from hera_utils.settings.sources import Surroundings, read_settings

    flags = {"argo_server": as_a_cluster.argo_server, "argo_service_account": "default"}
    flags |= {"k8s_config_file": as_a_cluster.k8s_config_file, "argo_namespace": as_a_cluster.argo_namespace}
    nowhere = Path(local_platform.context.state)
    context = read_settings(flags, around=Surroundings(environ={}, directory=nowhere, home=nowhere))
    assert ExecutionEngine(context).run(Experiment(workflow=failing), check=False).phase == "Failed"


def test_a_dictionary_is_a_workflow_too_and_says_who_submits(local_platform):
    document = {
        "metadata": {"generateName": "dictionary-"},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {"name": "main", "script": {"image": "python:3.11", "command": ["python"], "source": PRINTS}}
            ],
        },
    }
    run = ExecutionEngine(local_platform.context).run(Experiment(workflow=lambda *_: document))
    assert run.succeeded
    assert local_platform.logs(run) == [sys.prefix]


PRINTS = "import sys; print(sys.prefix)"


def test_a_sweep_that_one_object_cannot_hold_is_split_on_a_cluster(local_platform, as_a_cluster, monkeypatch):
    """No workflow sent to a cluster exceeds its share of an object, and no more run at once than allowed."""
    from hera_utils.execution import batches
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.preflight.size_limits import size_of_document

    small = batches.Limits(bytes=6000, nodes=1000, in_flight=2, most=6000, elements=200)
    monkeypatch.setattr(batches, "ON_A_CLUSTER", small)
    sent, create = [], ArgoClient.create

    def creating(self, document, **options):
        going = self.list(selector="workflows.argoproj.io/completed!=true", fields="metadata.name")
        sent.append((size_of_document(document).bytes, len(going)))
        return create(self, document, **options)

    monkeypatch.setattr(ArgoClient, "create", creating)

    def padded(environment, inputs, layout):
        with Workflow(generate_name="large-", entrypoint="dag") as w:
            work = Container(name="work", image="alpine:3", command=["true"], inputs=[Parameter(name="n")])
            with DAG(name="dag"):
                for point in inputs.points:
                    Task(name=f"work-{point.name}", template=work, arguments=point.arguments | {"padding": "x" * 400})
            work.inputs.append(Parameter(name="padding"))
        return w

    run = ExecutionEngine(as_a_cluster).run(Experiment(workflow=padded, inputs=Inputs(parameters=grid(n=range(30)))))
    assert (run.succeeded, run.points, run.undone) == (True, 30, 0)
    assert len(sent) >= 3
    assert all(length < 6500 and going < 2 for length, going in sent), sent
    assert "status" in local_platform.client.get(f"{run.name}-1")


@pytest.mark.parametrize("as_items", [False, True])
def test_no_batch_for_a_cluster_has_longer_lists_than_its_definitions_allow(as_a_cluster, as_items):
    """Argo's full resource definitions refuse more than 200 tasks in a DAG; items of a loop are one task."""
    from hera_utils.execution.batches import ON_A_CLUSTER, batches_of, estimate_size
    from hera_utils.execution.definition import Definition
    from hera_utils.execution.fingerprints import Fingerprinter
    from hera_utils.preflight.size_limits import find_breaches
    from hera_utils.provenance.modules import Sources

    def define(environment, inputs, layout):
        with Workflow(generate_name="long-", entrypoint="dag") as w:
            work = Container(name="work", image="alpine:3", command=["true"], inputs=[Parameter(name="n")])
            with DAG(name="dag"):
                if as_items:
                    numbers = [point.n for point in inputs.points]
                    Task(name="work-all", template=work, arguments={"n": "{{item}}"}, with_items=numbers)
                else:
                    for point in inputs.points:
                        Task(name=f"work-{point.name}", template=work, arguments=point.arguments)
        return w

    experiment = Experiment(workflow=define, inputs=Inputs(parameters=grid(n=range(450))))
    definition = Definition(experiment, as_a_cluster)
    estimate = estimate_size(definition, ON_A_CLUSTER)
    batches = list(batches_of(definition, estimate, Fingerprinter(Sources(Path())), experiment.inputs.points, {}))
    assert [len(batch.points) for batch in batches] == ([450] if as_items else [200, 200, 50])
    assert [breach for batch in batches for breach in find_breaches(batch.document)] == []


def test_a_claim_that_only_the_settings_name_is_made(local_platform, tmp_path):
    """`volumes` in a profile is enough: the environment need not describe the claim, in an experiment as in a plain script."""

    def writes(environment, inputs, layout):
        data = ExistingVolume(name="data", claim_name="data", mount_path="/data")
        with Workflow(generate_name="writes-", entrypoint="main") as w:
            Container(name="main", image="alpine:3", command=["touch", "/data/here"], volumes=[data])
        return w

    local_platform.context.volumes = {"data": str(tmp_path)}
    assert ExecutionEngine(local_platform.context).run(Experiment(workflow=writes)).succeeded
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
