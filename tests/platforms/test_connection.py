import os
import subprocess
import sys

import pytest

from hera_utils.errors import PlatformError
from hera_utils.platforms.connect import connect, describe_platform
from hera_utils.platforms.connection import Connection
from hera_utils.settings.sources import Surroundings, read_settings

TOKEN = "planted-token-c0de"


@pytest.fixture
def settings(tmp_path):
    def made(**flags):
        return read_settings(flags, around=Surroundings(environ={}, directory=tmp_path, home=tmp_path))

    return made


def test_a_remote_server_is_not_asked_anything(settings):
    connection = connect(
        settings(
            argo_server="argo.example:443/base/",
            argo_namespace="lyon",
            argo_token=f"Bearer {TOKEN}",
            argo_service_account="argo-user",
            k8s_config_file="/kube/config",
            k8s_context="lab",
            verify_tls=False,
        )
    )
    assert connection == Connection(
        "https://argo.example:443/base",
        namespace="lyon",
        token=TOKEN,
        verify_tls=False,
        kubeconfig="/kube/config",
        context="lab",
        service_account="argo-user",
    )
    assert not connection.local
    assert TOKEN not in repr(connection)
    assert connection.current_token() == TOKEN


def test_a_service_account_stands_in_for_a_token(settings):
    connection = connect(settings(argo_server="http://a", argo_service_account="argo-user", k8s_config_file="/k"))
    assert connection.fresh_token is not None
    assert connect(settings(argo_server="http://a", argo_service_account="argo-user")).fresh_token is None


def test_the_local_server_is_joined_and_its_token_is_its_own(local_platform, tmp_path):
    around = Surroundings(
        environ={"ARGO_TOKEN": TOKEN, "KUBECONFIG": "/elsewhere", "HERA_UTILS_STATE": local_platform.context.state},
        directory=tmp_path,
        home=tmp_path,
    )
    connection = connect(read_settings(around=around))
    assert connection.local
    assert connection.argo_server == local_platform.connection.argo_server
    assert connection.token == local_platform.connection.token != TOKEN
    assert connection.kubeconfig == f"{local_platform.context.state}/kubeconfig"


def test_the_cores_are_those_that_this_process_may_use(local_platform):
    """As in a batch job, which has only some of a machine's cores."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        told = describe_platform(local_platform.context, local_platform.connection)
    finally:
        os.sched_setaffinity(0, before)
    assert told.endswith(", 1 core")


def test_a_state_folder_that_cannot_be(settings, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformError) as caught:
        connect(settings(state=str(tmp_path / "file" / "state")))
    assert caught.value.fix


# The seed's two examples in our words: the same calls in the same order, on modules as its readers have them.
MODULES = {
    "environment.py": """
from hera_utils import Environment, PersistedVolume, argo_server, k8s_cluster

def numerical_experiment_environment(cluster, args):
    return cluster.provision(Environment(
        persisted_volume=PersistedVolume(args.k8s_volume_claim_name or "results", mount_path="/results"),
        config_map="proxies",
        registry="registry.example.org/lab",
    ))

def construct_environment(args):
    cluster = k8s_cluster(args)
    argo_server(cluster, args).define_argo_server_part_of_environment()
    return numerical_experiment_environment(cluster, args)
""",
    "my_specific_input.py": """
from types import SimpleNamespace
from hera_utils import Inputs, grid
inputs = Inputs(constants=SimpleNamespace(city="Lyon"), parameters=grid(vintages=[2009, 2012], boroughs=["LYON_1", "LYON_2"]))
""",
    "my_experiment_layout.py": """
from hera_utils import Layout
class experiment_layout(Layout):
    def collect_output_dir(self, vintage): return self.path("collect", self.constants.city, vintage)
    def container_name_postend(self, vintage): return self.name(self.constants.city, vintage)
""",
    "sketch.py": """
import hera_utils
args = hera_utils.parse_arguments()
cluster = hera_utils.k8s_cluster(args)
argo_server = hera_utils.argo_server(cluster, args)
argo_server.define_argo_server_part_of_environment()
from environment import numerical_experiment_environment
environment = numerical_experiment_environment(cluster, args)
from my_specific_input import inputs
from my_experiment_layout import experiment_layout
layout = experiment_layout(inputs.constants)
print(environment.persisted_volume.claim_name, environment.cluster.configmap, environment.cluster.docker_registry)
print(layout.collect_output_dir(inputs.parameters.vintages[0]))
argo_server.print_version()
argo_server.print_config()
""",
    "complete.py": """
import os
if __name__ == "__main__":
    from hera_utils import parse_arguments
    args = parse_arguments()
    from environment import construct_environment
    environment = construct_environment(args)
    from my_specific_input import inputs
    from my_experiment_layout import experiment_layout
    layout = experiment_layout(inputs.constants)
    from hera.workflows import DAG, Container, ExistingVolume, Parameter, Task, Workflow, script

    @script()
    def print_script():
        print("done")

    with Workflow(generate_name="do-some-stuff-", entrypoint="dag") as w:
        with DAG(name="dag"):
            dummy_fanin_t = print_script(name="print-results")
            collect_c = Container(
                name="collect", image="alpine:3", command=["sh", "-c"],
                args=["mkdir -p {{inputs.parameters.results_dir}} && echo x >> {{inputs.parameters.results_dir}}/lines"],
                inputs=[Parameter(name="vintage"), Parameter(name="results_dir")],
                volumes=[ExistingVolume(name="v", claim_name=environment.persisted_volume.claim_name,
                                        mount_path=environment.persisted_volume.mount_path)],
            )
            for vintage in inputs.parameters.vintages:
                results_dir = os.path.join(environment.persisted_volume.mount_path, layout.collect_output_dir(vintage))
                collect_t = Task(
                    name="collect-" + layout.container_name_postend(vintage),
                    template=collect_c,
                    arguments={"vintage": vintage, "results_dir": results_dir},
                    with_items=inputs.parameters.boroughs,
                )
                collect_t >> dummy_fanin_t
    w.create()
    print(w.name)
""",
}


@pytest.fixture
def seed(local_platform, tmp_path):
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)

    def run(script, *words, **environ):
        own = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "HERA_UTILS_STATE": local_platform.context.state}
        own["ARGO_NAMESPACE"] = local_platform.connection.namespace
        return subprocess.run(
            [sys.executable, script, *words],
            cwd=tmp_path,
            env=own | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_seeds_sketch(seed, local_platform):
    said = seed("sketch.py", ARGO_TOKEN=f"Bearer {TOKEN}")
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0] == "results proxies registry.example.org/lab"
    assert lines[1] == "collect/Lyon/2009"
    assert lines[2] == f"Argo server {local_platform.connection.argo_server} v4.1.2"
    assert lines[-1] == "    token = <found>"
    assert local_platform.connection.token not in said.stdout + said.stderr
    assert TOKEN not in said.stdout + said.stderr


def test_the_seeds_complete_example(seed, local_platform):
    said = seed("complete.py", "--volume", "results=./here")
    assert said.returncode == 0, said.stderr
    workflow = local_platform.client.wait(said.stdout.strip(), timeout=60)
    assert workflow["status"]["phase"] == "Succeeded"
    names = {node["displayName"] for node in workflow["status"]["nodes"].values()}
    assert {"collect-lyon-2009(0:LYON_1)", "collect-lyon-2012(1:LYON_2)", "print-results"} <= names
    claim = local_platform.cluster.get("PersistentVolumeClaim", "results")
    folder = claim["metadata"]["annotations"]["hera-utils/folder"]
    for vintage in ("2009", "2012"):
        with open(f"{folder}/collect/Lyon/{vintage}/lines") as file:
            assert file.read() == "x\nx\n"


@pytest.mark.parametrize(
    ("words", "environ", "sentence"),
    [
        (["--argo_namespace", "nowhere"], {}, "there is no namespace `nowhere` on this machine"),
        (
            ["--argo_server", "http://127.0.0.1:9"],
            {},
            "no Argo server answers at http://127.0.0.1:9 (connection refused)",
        ),
        (["--argo_server", "http://127.0.0.1:9"], {"KUBECONFIG": "/nowhere"}, "there is no kubeconfig at /nowhere"),
        (["--platform", "remote"], {}, "the platform is remote"),
        (["--k8s_volume_claim_name", "Not Legal"], {}, "`Not Legal` is not a legal name of a claim"),
        (["--profile", "lab"], {}, "there is no profile `lab`"),
    ],
)
def test_the_seeds_pitfalls_are_sentences_with_a_status(seed, words, environ, sentence):
    said = seed("sketch.py", *words, ARGO_TOKEN=TOKEN, **environ)
    assert said.returncode == 2
    assert said.stderr.startswith("hera-utils: ")
    assert sentence in said.stderr.splitlines()[0]
    assert "\n  fix: " in said.stderr
    assert "Traceback" not in said.stderr
    assert TOKEN not in said.stdout + said.stderr


def test_a_watch_outlives_a_crash_of_the_server_and_not_its_stop(tmp_path):
    """kill -9 while a run is followed: the follower starts the server again, and sees the run end."""
    import signal

    from hera_utils.argo.phases import phase_of
    from hera_utils.local_platform import daemon
    from hera_utils.platforms.argo_client import ArgoClient

    state = tmp_path / "state"
    around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
    connection = connect(read_settings({"state": str(state)}, around=around))
    document = {
        "kind": "Workflow",
        "metadata": {"generateName": "long-"},
        "spec": {
            "entrypoint": "m",
            "templates": [{"name": "m", "container": {"image": "alpine:3", "command": ["sleep", "3"]}}],
        },
    }
    try:
        with ArgoClient(connection) as client:
            name = client.create(document)["metadata"]["name"]
            states = client.watch(name, timeout=60)
            next(states)
            os.kill(daemon.status(state)["pid"], signal.SIGKILL)
            phases = [phase_of(workflow) for _, workflow in states]
            assert phases[-1] == "Succeeded"
            name = client.create(document)["metadata"]["name"]
            states = client.watch(name, timeout=60)
            next(states)
            daemon.stop(state)
            with pytest.raises(PlatformError, match="was stopped"):
                list(states)
            assert daemon.status(state) is None
    finally:
        daemon.stop(state)


def test_an_argo_servers_address_and_token_are_enough(seed, local_platform):
    """Without access to Kubernetes the seed's example still runs, and says what it could not check."""
    local_platform.claim("results")
    flags = ["--argo_server", local_platform.connection.argo_server, "--platform", "remote"]
    said = seed("complete.py", *flags, ARGO_TOKEN=f"Bearer {local_platform.connection.token}")
    assert said.returncode == 0, said.stderr
    assert "are not checked" in said.stderr
    assert local_platform.client.wait(said.stdout.strip(), timeout=60)["status"]["phase"] == "Succeeded"
