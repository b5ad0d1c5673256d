import importlib.metadata

import pytest

from hera_utils.errors import SettingsError
from hera_utils.preflight.script_requirements import are_installed, packages_of_script

CLICK = importlib.metadata.version("click")


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("import numpy\n", []),
        ('# /// script\n# dependencies = ["numpy>=2", "scipy"]\n# ///\nimport numpy\n', ["numpy>=2", "scipy"]),
        ('# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "a",\n# ]\n#\n# ///\n', ["a"]),
        ('# /// script\n# requires-python = ">=3.11"\n# ///\n', []),
        ('# /// other\n# dependencies = ["a"]\n# ///\n', []),
        ('# /// script\n# dependencies = ["a"]\n', []),
    ],
)
def test_the_comment_of_a_script(tmp_path, text, packages):
    assert packages_of_script(script(tmp_path, text)) == packages


@pytest.mark.parametrize("line", ["# dependencies = [", "# dependencies = 3", "# dependencies = [3]"])
def test_a_comment_that_cannot_be_read(tmp_path, line):
    with pytest.raises(SettingsError, match=r"script\.py"):
        packages_of_script(script(tmp_path, f"# /// script\n{line}\n# ///\n"))


def test_no_script(tmp_path):
    assert packages_of_script(tmp_path / "absent.py") == []


@pytest.mark.parametrize(
    ("requirement", "installed"),
    [
        ("click", True), ("Click", True), (f"click=={CLICK}", True), ("click>=1", True), ("click<1", False), ("absent-one", False),
        ("click @ https://x", False), ("click[extra]", True), ("click; python_version > '3'", True), ("click >= (", False), ("", False),
    ],
)  # fmt: skip
def test_what_this_python_has(requirement, installed):
    assert are_installed([requirement]) == installed
    assert are_installed(["pytest", requirement]) == installed
