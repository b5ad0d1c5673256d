"""Hera as the command imports it is the Hera that everybody else imports: the same classes, documents and mistakes."""

import json
import os
import subprocess
import sys

import pytest

WORKFLOWS = """
from hera.workflows import (
    DAG, Artifact, Container, CronWorkflow, EmptyDirVolume, Env, Parameter, Resource, RetryStrategy, Step, Steps, Task, Workflow,
    WorkflowTemplate, script,
)
from hera.workflows.models import Affinity, ValueFrom


@script(outputs=[Parameter(name="n", value_from=ValueFrom(path="/tmp/n"))], retry_strategy=RetryStrategy(limit=2))
def count(a: int = 1):
    print(a)


def fill():
    hello = Container(
        name="hello", image="busybox", command=["echo"], env=[Env(name="A", value="b")], volumes=[EmptyDirVolume(name="v", mount_path="/v")]
    )
    Resource(name="object", action="create", manifest="{}")
    with DAG(name="dag", inputs=[Artifact(name="data", path="/data")]):
        Task(name="a", template=hello, with_sequence={"count": "2"}) >> count(name="b", arguments={"a": "{{item}}"}, with_items=[1, 2])
    with Steps(name="steps") as steps:
        Step(name="c", template=hello)
        with steps.parallel():
            count(name="d")
            count(name="e", when="1 == 2")


given = dict(entrypoint="dag", affinity=Affinity(), arguments=[Parameter(name="p", value=1)], namespace="here")
with Workflow(generate_name="w-", **given) as workflow:
    fill()
with WorkflowTemplate(name="t", **given) as template:
    fill()
with CronWorkflow(name="c", schedules=["* * * * *"], **given) as cron:
    fill()
documents = [one.to_dict() for one in (workflow, template, cron)]
"""

EVERYTHING = """
import inspect, json
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema


def below(base):
    for model in base.__subclasses__():
        yield model
        yield from below(model)


models = sorted((model for model in below(BaseModel) if model.__module__.startswith("hera.")), key=lambda model: repr(model))
_, schemas = models_json_schema([(model, mode) for model in models for mode in ("validation", "serialization")])
seen = [[repr(model), repr(model.model_config), repr(model.model_fields), str(inspect.signature(model))] for model in models]
print(json.dumps([seen, schemas, documents], sort_keys=True, default=str))
"""

AS_THE_COMMAND_DOES = """
from hera_utils.cli.hera_import import import_hera
from hera_utils.bytecode_cache import cached_bytecode

with cached_bytecode("run"):
    import_hera()
"""


@pytest.fixture
def python(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(program):
        file = tmp_path / "program.py"
        file.write_text(program)
        answer = subprocess.run(
            [sys.executable, str(file)], capture_output=True, text=True, timeout=120, env=environment
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run


def test_classes_and_documents_are_the_same(python):
    """The second time from the texts that the first one kept."""
    ways = ("", AS_THE_COMMAND_DOES, AS_THE_COMMAND_DOES)
    plain, first, second = (json.loads(python(way + WORKFLOWS + EVERYTHING)) for way in ways)
    assert len(plain[0]) > 250
    assert first == second == plain


def test_what_a_script_uses_is_complete_and_the_rest_is_completed_when_it_is_used(python):
    program = """
import copy, pickle
from hera.workflows.models import Affinity, NodeAffinity, SecretKeySelector, Template, WorkflowList

print(Template.__pydantic_complete__, WorkflowList.__pydantic_complete__, NodeAffinity.__pydantic_complete__)
one = Affinity(nodeAffinity=NodeAffinity())
print(copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one, isinstance(one, Affinity))
try:
    SecretKeySelector(key=[])
except ValueError as error:
    print(str(error).splitlines()[0])
"""
    assert python(AS_THE_COMMAND_DOES + program).splitlines() == [
        "True True False",
        "True True",
        "1 validation error for SecretKeySelector",
    ]


def test_a_scripts_own_models_are_completed_where_they_are_defined(python):
    program = """
import pydantic
from hera.workflows.models import NodeAffinity


class Mine(NodeAffinity):
    n: int


class Own(pydantic.BaseModel):
    n: int


print([model.__pydantic_complete__ and "defer_build" not in model.model_config for model in (Mine, Own)])
try:
    class Wrong(NodeAffinity):
        n: int = pydantic.Field(pattern=3)
        m: complex(1).conjugate
except Exception as error:
    print(type(error).__name__)
print(vars(pydantic.BaseModel)["model_rebuild"].__func__.__module__, pydantic.BaseModel.model_config)
"""
    plain = python("import hera.workflows\n" + program)
    assert python(AS_THE_COMMAND_DOES + program) == plain
    assert plain.splitlines()[0] == "[True, True]"


def test_a_pydantic_of_another_shape_only_costs_time(python):
    """As before: the script's own import finds what it finds."""
    program = """
import pydantic
rebuild = pydantic.BaseModel.model_rebuild
del pydantic.BaseModel.model_rebuild
"""
    after = "import sys; print('hera.workflows' in sys.modules, 'defer_build' in pydantic.BaseModel.model_config)\n"
    assert python(program + AS_THE_COMMAND_DOES + after) == "False False\n"


def test_of_a_second_run_python_compiles_no_text_of_heras(python, tmp_path):
    program = f"""
from hera_utils import bytecode_cache

bytecode_cache.__spec__.cached = {str(tmp_path / "bytecode_cache.pyc")!r}
count = 0


class Counted:
    @staticmethod
    def compile(*arguments, **options):
        global count
        count += 1
        return compile(*arguments, **options)


bytecode_cache.builtins = Counted
"""
    counts = [int(python(program + AS_THE_COMMAND_DOES + "print(count)")) for _ in range(2)]
    assert counts[0] > 500
    assert counts[1] == 0


DEFERRED = ("requests", "asyncio", "pydantic.v1", "hera.workflows.io.v1", "importlib.metadata")


def test_modules_that_few_scripts_use_are_imported_when_they_are_used(python):
    program = f"""
import importlib, sys

print([name for name in {DEFERRED} if name in sys.modules])
import hera, pydantic, hera.workflows, hera.workflows.service, hera.workflows.workflow
from hera.shared._pydantic import V1BaseModel
from hera.workflows import script

print(hera.__version__, issubclass(int, V1BaseModel), isinstance(1, V1BaseModel))


@script()
def plain(n: int):
    print(n)


print("pydantic.v1" in sys.modules, hera.workflows.workflow.asyncio.sleep.__name__, importlib.metadata.version("hera"))
session = hera.workflows.service.WorkflowsService(host="http://localhost").session
import requests

print(type(session) is requests.Session)


class First(hera.workflows.io.v1.Input):
    n: int


import pydantic.v1
from hera.workflows import Workflow


@script(constructor="runner")
def with_model(given: First) -> int:
    return given.n


with Workflow(name="w", entrypoint="with-model", namespace="n") as workflow:
    with_model()
print(workflow.to_dict()["spec"]["templates"][0]["inputs"], issubclass(First, V1BaseModel), isinstance(First(n=1), V1BaseModel))
print(V1BaseModel.__name__, V1BaseModel.parse_obj({{}}), V1BaseModel())
"""
    seen, *others = python(AS_THE_COMMAND_DOES + program).splitlines()
    assert seen == "[]"
    _, *plain = python("import importlib.metadata, hera.workflows, requests\n" + program).splitlines()
    assert [line.replace("True sleep", "False sleep") for line in plain] == others


def test_a_plugin_of_pydantic_is_found(python, tmp_path):
    """It is an entry point, which is asked for while Hera is imported."""
    site = tmp_path / "site"
    (site / "plugin-1.dist-info").mkdir(parents=True)
    (site / "plugin-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (site / "plugin-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nmine = plugin:plugin\n")
    (site / "plugin.py").write_text(
        "class Plugin:\n    seen = []\n    def new_schema_validator(self, schema, kind, *_):\n"
        "        self.seen.append(kind)\n        return None, None, None\nplugin = Plugin()\n"
    )
    program = "import plugin; print(len(plugin.plugin.seen) > 0)"
    assert python(f"import sys; sys.path.append({str(site)!r})\n" + AS_THE_COMMAND_DOES + program) == "True\n"


def test_a_plugin_of_pydantic_may_use_the_modules_in_every_way(python, tmp_path):
    (tmp_path / "plugin-1.dist-info").mkdir()
    (tmp_path / "plugin-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nmine = plugin_of_mine:plugin\n")
    (tmp_path / "plugin_of_mine.py").write_text("""
import asyncio.events, requests.adapters, pydantic.v1
class Model(pydantic.v1.BaseModel): pass
class Session(requests.Session): pass
class plugin:
    new_schema_validator = staticmethod(lambda *_, **__: (None, None, None))
""")
    assert python(AS_THE_COMMAND_DOES + "import sys; print('plugin_of_mine' in sys.modules)\n") == "True\n"
