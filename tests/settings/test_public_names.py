"""`import hera_utils` is names only: it costs a few milliseconds and brings nothing in."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import hera_utils

HEAVY = ("hera", "requests", "yaml", "rich", "click", "uvicorn", "pydantic", "argparse", "platformdirs")


def loaded_by(code):
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(answer.stdout.split())


def test_importing_it_imports_nothing_else():
    loaded = loaded_by("import hera_utils")
    assert {name.split(".")[0] for name in loaded} - {"hera_utils"} <= set(sys.stdlib_module_names)
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("hera_utils")} == {"hera_utils"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import hera_utils; hera_utils.parse_arguments([])", ("hera", "requests", "yaml", "rich")),
        (
            "import hera_utils; hera_utils.Experiment, hera_utils.grid, hera_utils.Layout",
            ("hera", "requests", "argparse"),
        ),
        ("import hera_utils; hera_utils.k8s_cluster, hera_utils.argo_server", ("hera", "uvicorn")),
    ],
)
def test_a_name_brings_only_what_it_needs(code, absent):
    assert not loaded_by(code) & set(absent)


def test_it_costs_milliseconds():
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import hera_utils"], capture_output=True, text=True, check=True
    )
    (line,) = [line for line in answer.stderr.splitlines() if line.split("|")[-1].strip() == "hera_utils"]
    assert int(line.split("|")[1]) < 20_000  # microseconds, including all imports below it


def test_every_name_is_there_and_typed():
    for name in hera_utils.__all__:
        assert getattr(hera_utils, name) is not None
    stub = ast.parse(Path(hera_utils.__file__).with_suffix(".pyi").read_text())
    typed = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed | {"__version__"} == set(hera_utils.__all__)
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            home = importlib.import_module(node.module)
            assert all(getattr(home, alias.name) is getattr(hera_utils, alias.asname) for alias in node.names)
    assert set(dir(hera_utils)) >= set(hera_utils.__all__)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="hera_utils"):
        _ = hera_utils.nothing
