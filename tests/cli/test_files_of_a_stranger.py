"""Files of a project that was cloned, made to hang or to end the command that reads them: each is a sentence."""

import os
from pathlib import Path

import pytest

from hera_utils.argo import yaml_limits
from hera_utils.cli.documents import files_of, read_documents
from hera_utils.cli.parameters import read_parameters
from hera_utils.cli.script import read_script
from hera_utils.errors import HeraUtilsError
from hera_utils.experiment import loading
from hera_utils.images.table import ImageTable
from hera_utils.settings import kubeconfig
from hera_utils.settings.sources import Surroundings, read_settings

DEEP = "[" * 100_000
READERS = {
    "a.yaml": read_documents,
    "a.json": read_documents,
    "p.yaml": read_parameters,
    "inputs.yaml": loading.read_inputs,
    "inputs.json": loading.read_inputs,
    "inputs.toml": loading.read_inputs,
    "images.yaml": ImageTable.from_file,
    "config": lambda path: kubeconfig.choose_context([path], None),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_nested_without_end(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"a = {DEEP}" if name.endswith(".toml") else DEEP)
    with pytest.raises(HeraUtilsError):
        READERS[name](tmp_path / name)


def test_deeply_nested_settings(tmp_path: Path) -> None:
    (tmp_path / "hera-utils.toml").write_text(f"a = {DEEP}")
    with pytest.raises(HeraUtilsError):
        read_settings(around=Surroundings({}, tmp_path, tmp_path / "home"))


def test_yaml_aliases_that_expand_too_far(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20))]
    (tmp_path / "a.yaml").write_text("\n".join(lines))
    with pytest.raises(HeraUtilsError, match="excessive aliasing"):
        read_documents(tmp_path / "a.yaml")


def test_a_script_that_python_cannot_compile(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("-" * 1_000_000 + "1")
    with pytest.raises(HeraUtilsError, match="nested too deep"):
        read_script(tmp_path / "run.py")


def test_pipes_and_devices_in_a_folder_are_no_documents(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "a.yaml").write_text("kind: Workflow\n")
    assert list(files_of([tmp_path])) == [tmp_path / "a.yaml"]


def test_a_file_of_many_values_is_read() -> None:
    many = yaml_limits.MOST_EVENTS + 1
    assert len(yaml_limits.parse_as_pyyaml("[" + "1," * many + "]")) == many
