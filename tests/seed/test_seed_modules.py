"""Names that are a module and a class at once: the class wins, in whatever order scripts import."""

import subprocess
import sys

import pytest

ORDERS = """
import importlib, itertools, os, sys

WAYS = {
    "module server": lambda: importlib.import_module("hera_utils.argo_server"),
    "module parser": lambda: importlib.import_module("hera_utils.parser"),
    "modules": lambda: [importlib.import_module("hera_utils." + name) for name in ("utils", "version")],
    "name server": lambda: exec("from hera_utils import argo_server", {}),
    "name parser": lambda: exec("from hera_utils import parser", {}),
}
import hera_utils.seed.argo_server, hera_utils.seed.parser  # a module is loaded once, so each import order needs its own process

for order in itertools.permutations(WAYS):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for way in order:
                WAYS[way]()
                import hera_utils
                from hera_utils import argo_server, parser
                assert isinstance(argo_server, type) and isinstance(hera_utils.argo_server, type), order
                assert isinstance(parser, type) and isinstance(hera_utils.parser, type), order
            from hera_utils.argo_server import argo_server as the_same
            from hera_utils.parser import parser as this_too
            assert argo_server is the_same and parser is this_too, order
            assert sys.modules["hera_utils.argo_server"].argo_server is argo_server
            assert sys.modules["hera_utils.parser"].parser is parser
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, order
print("every order")
"""


def run(code):
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_in_every_order_the_name_is_the_class():
    assert run(ORDERS) == "every order"


@pytest.mark.parametrize("name", ["argo_server", "parser"])
def test_the_module_first_in_a_new_process(name):
    """Nothing of it is loaded before: what Python itself does with the module's name."""
    code = f"import hera_utils.{name}; import hera_utils; from hera_utils import {name}; print({name}.__name__, type(hera_utils.{name}))"
    assert run(code) == f"{name} <class 'type'>"


@pytest.mark.parametrize("name", ["argo_server", "parser"])
def test_the_name_first_in_a_new_process(name):
    code = f"from hera_utils import {name} as first; import hera_utils.{name}; from hera_utils import {name}; print(first is {name})"
    assert run(code) == "True"


@pytest.mark.parametrize("name", ["argo_server", "parser"])
def test_a_module_under_another_name(name):
    """`import a.b as c` gives what the package calls b: the class, which knows itself by the module's name."""
    assert run(f"import hera_utils.{name} as module; print(module.{name}.__name__)") == name


def test_the_other_modules():
    code = (
        "import hera_utils.utils, hera_utils.version, hera_utils;"
        "from hera_utils.utils import print_version, check_version, assert_version, clear_workflow_template;"
        "print(hera_utils.version.version == hera_utils.__version__, hera_utils.__title__,"
        " assert_version is hera_utils.assert_version)"
    )
    assert run(code) == "True hera_utils True"
