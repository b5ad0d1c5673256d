"""What an installation gives: both packages, by the seed's line as well, and by the locks with their hashes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from hera_utils.settings.files import toml_of

ROOT = Path(__file__).resolve().parents[2]
PROJECT = toml_of((ROOT / "pyproject.toml").read_text())


def test_the_wheel_holds_every_package():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(f"src/{path.parent.name}" for path in (ROOT / "src").glob("*/__init__.py"))
    for package in packages:
        assert (ROOT / package / "py.typed").is_file()


@pytest.mark.skipif(not (shutil.which("git") and (ROOT / ".git").exists()), reason="this is not a clone of git")
def test_no_state_folder_is_committed():
    """A folder that a benchmark or a server made (HERA_UTILS_STATE, a number by mistake) holds its key and its journal."""
    committed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    of_state = [path for path in committed if path.endswith((".key", ".pem", ".sqlite", "/server.log", "/kubeconfig"))]
    assert not of_state


def test_the_seeds_line_leaves_it_installed():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["--editable ."]


def test_the_locks_pin_everything_with_a_hash():
    makefile = (ROOT / "Makefile").read_text()
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-docs.lock", "requirements-release.lock"):
        assert f"--require-hashes -r {name}" in makefile
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
        assert len(entries) > 10
        assert all(re.match(r"[\w.\[\],-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_extra_that_an_error_names_is_there():
    assert any(one.startswith("kubernetes") for one in PROJECT["project"]["optional-dependencies"]["kubernetes"])


def test_a_release_has_one_number_and_one_date():
    version = PROJECT["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    latest = re.search(r"^## (\S+), (\d{4}-\d\d-\d\d|unreleased)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest[1] == citation["version"] == version
    assert latest[2] in ("unreleased", citation["date-released"])
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_pythons_that_are_named_are_those_that_are_tried():
    named = {one.rpartition(" ")[2] for one in PROJECT["project"]["classifiers"] if " :: 3." in one}
    tried = set(
        re.findall(r'"(3\.\d+)"', re.search(r"VERSIONS = (.*)", (ROOT / "tools/check_release.py").read_text())[1])
    )
    assert named <= tried
