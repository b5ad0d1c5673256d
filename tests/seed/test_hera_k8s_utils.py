"""The second package: `import hera_k8s_utils`, environments derived from its own, scripts run as modules of a package."""

import subprocess
import sys

import pytest

from hera_utils.errors import AccessError
from hera_utils.settings.sources import Surroundings, read_settings
from seed.scripts import TOKEN, here, output_of, run_script

PARSER = """
import os
from hera_k8s_utils import parser as with_the_cluster

class parser:
    def __init__(self):
        self.parser = with_the_cluster().get_parser()
        self.parser.add("--k8s_volume_claim_name", type=str, default=os.environ.get("KUBEVOLUMECLAIMNAME"))
        self.parser.add("--mount_point", default="/in-the-container")

    def parse_args(self):
        args = self.parser.parse_args()
        with_the_cluster.verify_args(args)
        return args
"""
ENVIRONMENT = """
from hera_k8s_utils.num_exp_environment import num_exp_environment, Struct

class environment(num_exp_environment):
    def __init__(self, args, verbose=False):
        num_exp_environment.__init__(self, args, verbose)
        self.k8s.assert_cluster()
        self.k8s.assert_volume_claim(args.k8s_volume_claim_name)
        self.persisted_volume = Struct()
        self.persisted_volume.claim_name = args.k8s_volume_claim_name
        self.persisted_volume.mount_path = args.mount_point
        self.cluster.registry = "registry.example/"
"""
SCRIPT = """
from hera.workflows import DAG, ExistingVolume, Parameter, Workflow, script

@script(
    inputs=[Parameter(name="claim"), Parameter(name="where")],
    volumes=[ExistingVolume(name="v", claim_name="{{inputs.parameters.claim}}", mount_path="{{inputs.parameters.where}}")],
)
def look(claim, where):
    import os
    print(claim, os.listdir(where))

if __name__ == "__main__":
    from .parser import parser
    from .environment import environment
    environment = environment(parser().parse_args(), verbose=True)
    environment.print_config()
    volume = environment.persisted_volume
    with Workflow(generate_name="look-", entrypoint="main") as w:
        with DAG(name="main"):
            look(arguments={"claim": volume.claim_name, "where": volume.mount_path})
    print(w.create(wait=True, poll_interval=1).status.phase)
"""


def test_a_script_of_a_package_runs_as_a_module(local_platform, tmp_path):
    folder = tmp_path / "lab" / "examples" / "volumes"
    folder.mkdir(parents=True)
    for file, text in {"parser": PARSER, "environment": ENVIRONMENT, "look": SCRIPT, "__init__": ""}.items():
        (folder / f"{file}.py").write_text(text)
    (tmp_path / "hera.config").write_text("k8s_volume_claim_name = 'of-the-file'\n")
    answer = run_script(
        tmp_path, SCRIPT, name="lab/examples/volumes/look.py", module="lab.examples.volumes.look",
        ARGO_TOKEN=TOKEN, **here(local_platform),
    )  # fmt: skip
    shown = output_of(answer)
    assert shown.endswith("Succeeded\n")
    assert "Argo server looks ok." in shown
    assert "Kubernetes cluster seems ok." in shown
    assert '"claim_name": "of-the-file"' in shown
    assert '"registry": "registry.example/"' in shown
    for secret in (TOKEN, local_platform.connection.token):
        assert secret not in shown + answer.stderr


def test_every_name_and_module():
    code = (
        "import hera_k8s_utils.parser, hera_k8s_utils.k8s_cluster, hera_k8s_utils.num_exp_environment, hera_k8s_utils.version;"
        "from hera_k8s_utils import parser, k8s_cluster, num_exp_environment, __version__, __title__;"
        "from hera_k8s_utils.num_exp_environment import num_exp_environment as n, Struct;"
        "from hera_k8s_utils.parser import parser as p; from hera_k8s_utils.k8s_cluster import k8s_cluster as k;"
        "import hera_utils;"
        "print(n is num_exp_environment, p is parser, k is k8s_cluster is hera_utils.k8s_cluster, issubclass(n, Struct),"
        " issubclass(parser, hera_utils.parser), __version__ == hera_utils.__version__, __title__)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout == "True True True True True True hera_k8s_utils\n", answer.stderr


def test_it_says_what_it_is_for():
    import hera_k8s_utils

    assert "first users" in hera_k8s_utils.__doc__


def test_an_extended_parser_is_taken_as_it_is(monkeypatch):
    import hera_k8s_utils
    import hera_utils

    first = hera_utils.parser()
    first.parser.add("--borough", default="LYON_1")
    monkeypatch.setattr("sys.argv", ["script.py", "--borough", "LYON_2"])
    for given in (first, first.get_parser()):
        both = hera_k8s_utils.parser(given)
        assert both.get_parser() is first.get_parser()
        assert both.parse_args().borough == "LYON_2"


def test_a_remote_platform_needs_a_kubeconfig(tmp_path):
    import hera_k8s_utils

    around = Surroundings({}, tmp_path, tmp_path)
    assert hera_k8s_utils.parser.verify_args(read_settings({"state": str(tmp_path)}, around=around)) is None
    with pytest.raises(AccessError, match="no kubeconfig leads to the cluster") as caught:
        hera_k8s_utils.parser.verify_args(read_settings({"argo_server": "https://argo.example"}, around=around))
    assert "KUBECONFIG" in caught.value.fix


def test_a_structure_shows_itself():
    from hera_k8s_utils.num_exp_environment import Struct

    outer = Struct()
    outer.inner, outer.number = Struct(), 3
    outer.inner.name = "x"
    assert outer.toJSON() == '{\n    "inner": {\n        "name": "x"\n    },\n    "number": 3\n}'
