"""The snippets of the README that this project grew from run, both, with these corrections and no other:

1. what they import and call, and what the README leaves to the reader, is there: MODULES and IMPORTS below;
2. `input` is `inputs`, the variable that the snippets themselves import;
3. `layout(` is `experiment_layout(`, the function that the snippets themselves import.

seed/big_lines.txt: the blocks of "The big lines of what hera_utils helps you to set up", one after the other.
seed/complete_example.txt: the block of "A more complete example". Both as they stand there.
"""

import io
import os
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

SEED = Path(__file__).parent / "seed"

MODULES = {
    "my_specific_input.py": """
from dataclasses import dataclass
from hera_utils import Inputs, grid

@dataclass(frozen=True)
class Constants:
    city: str = "Lyon"

inputs = Inputs(
    constants=Constants(),
    parameters=grid(vintages=[2009, 2012, 2015], boroughs=[f"LYON_{n}" for n in range(1, 10)]),
)
""",
    "my_experiment_layout.py": """
from hera_utils import Layout

class experiment_layout(Layout):
    def collect_output_dir(self, vintage):
        return self.path("collect", self.constants.city, vintage)

    def container_name_postend(self, vintage):
        return self.name(self.constants.city, vintage)
""",
    "environment.py": """
import hera_utils
from hera_utils import Environment, PersistedVolume

def numerical_experiment_environment(cluster, args):
    return cluster.provision(Environment(persisted_volume=PersistedVolume("results", mount_path="/results")))

def construct_environment(args):
    cluster = hera_utils.k8s_cluster(args)
    hera_utils.argo_server(cluster, args).define_argo_server_part_of_environment()
    return numerical_experiment_environment(cluster, args)
""",
    "my_tasks.py": """
import os
from hera.workflows import DAG, ExistingVolume, Parameter, Script, Task, Workflow, script

@script(image="python:3.11")
def print_script():
    print("everything is collected")

def collect(vintage, results_dir):
    import os
    import uuid
    os.makedirs(results_dir, exist_ok=True)
    with open(f"{results_dir}/{uuid.uuid4()}", "w") as file:
        file.write(str(vintage))

def collect_container_constructor(environment, constants):
    volume = environment.persisted_volume
    return Script(
        name="collect",
        image="python:3.11",
        source=collect,
        inputs=[Parameter(name="vintage"), Parameter(name="results_dir")],
        volumes=[ExistingVolume(name="v", claim_name=volume.claim_name, mount_path=volume.mount_path)],
    )

def define_hera_workflow(environment, inputs, layout):
    with Workflow(generate_name="big-lines-", entrypoint="dag") as w:
        collect_c = collect_container_constructor(environment, inputs.constants)
        with DAG(name="dag"):
            fanin_t = print_script(name="print-results")
            for vintage in inputs.parameters.vintages:
                where = os.path.join(environment.persisted_volume.mount_path, layout.collect_output_dir(vintage))
                Task(
                    name="collect-" + layout.container_name_postend(vintage),
                    template=collect_c,
                    arguments={"vintage": vintage, "results_dir": where},
                    with_items=inputs.parameters.boroughs,
                ) >> fanin_t
    w.create()
""",
}
IMPORTS = {
    "big_lines.txt": "from my_tasks import define_hera_workflow\n",
    "complete_example.txt": "import os\nfrom my_tasks import collect_container_constructor, print_script\n",
}


def corrected(text):
    """The code with corrections 2 and 3; comments and texts stay."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    lines = text.splitlines(keepends=True)
    for token, following in reversed(list(zip(tokens, tokens[1:], strict=False))):
        name = {"input": "inputs", "layout": "experiment_layout"}.get(token.string)
        if token.type != tokenize.NAME or name is None or (token.string == "layout" and following.string != "("):
            continue
        (row, start), (_, end) = token.start, token.end
        lines[row - 1] = lines[row - 1][:start] + name + lines[row - 1][end:]
    return "".join(lines)


def test_the_corrections_are_these_alone():
    changed = []
    for name in IMPORTS:
        before, after = (SEED / name).read_text(), corrected((SEED / name).read_text())
        changed += [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert [(old.strip(), new.strip()) for old, new in changed] == [
        (
            "define_hera_workflow(environment, input, layout)   # Based-on/uses hera.worflows",
            "define_hera_workflow(environment, inputs, layout)   # Based-on/uses hera.worflows",
        ),
        ("layout = layout(inputs.constants)", "layout = experiment_layout(inputs.constants)"),
    ]


@pytest.mark.parametrize("name", IMPORTS)
def test_the_snippet_runs(local_platform, tmp_path, name):
    for module, text in MODULES.items():
        (tmp_path / module).write_text(text)
    (tmp_path / "main.py").write_text(IMPORTS[name] + corrected((SEED / name).read_text()))
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
    }
    for words in (["main.py"], ["-m", "hera_utils", "watch", "@latest"]):
        answer = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
    (workflow,) = local_platform.client.list()
    assert workflow["status"]["phase"] == "Succeeded"
    assert workflow["status"]["progress"] == "28/28"
    for vintage in ("2009", "2012", "2015"):
        written = list((local_platform.claim("results") / "collect" / "Lyon" / vintage).iterdir())
        assert [file.read_text() for file in written] == [vintage] * 9
