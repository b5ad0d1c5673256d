"""A Python environment for an image, made by uv from packages of this machine, without a network."""

import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hera_utils.errors import ResourceError
from hera_utils.images import python_environment
from hera_utils.images.python_environment import prepare

pytest.importorskip("uv")


def add_package(folder, name, version):
    """Write a wheel by hand."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture(autouse=True)
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    add_package(folder, "moo", "1.0")
    return folder


def answer(environment, code):
    return subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_it_has_the_packages_and_no_others_and_its_lock_says_so(tmp_path):
    made = prepare(tmp_path / "python", sys.executable, ["moo"])
    assert answer(made, "import moo; print(moo.version)") == "1.0"
    assert answer(made, "import importlib.util as u; print(u.find_spec('hera'))") == "None"
    assert made.lock.startswith("moo==1.0 ")
    assert "--hash=sha256:" in made.lock
    assert made.lock_digest.startswith("sha256:")
    assert made.version == answer(made, "import platform; print(platform.python_version())")


@pytest.mark.parametrize("file", ["uv.toml", "pyproject.toml"])
def test_a_project_does_not_say_where_packages_come_from(tmp_path, monkeypatch, file):
    """Packages from a project's own index would run as the user outside of any task, some at installation; and the lock that names them
    is kept for all projects.
    """
    project = tmp_path / "project"
    (project / "packages").mkdir(parents=True)
    add_package(project / "packages", "moo", "66.0")
    table = "pip" if file == "uv.toml" else "tool.uv.pip"
    (project / file).write_text(f'[{table}]\nfind-links = ["{project}/packages"]\n')
    monkeypatch.chdir(project)
    assert prepare(tmp_path / "python", sys.executable, ["moo"]).lock.startswith("moo==1.0 ")


def test_one_that_was_not_used_for_long_is_found_and_made_again_of_its_lock(tmp_path):
    folder = tmp_path / "python"
    made = prepare(folder, sys.executable, ["moo"])
    home = Path(made.python).parents[1]
    assert python_environment.unused_environments(folder, 60) == []
    os.utime(home / "complete", (0, 0))
    assert python_environment.unused_environments(folder, 60) == [home]
    prepare(folder, sys.executable, ["moo"])
    assert python_environment.unused_environments(folder, 60) == []
    python_environment.remove(home)
    assert not home.exists()
    assert prepare(folder, sys.executable, ["moo"]) == made


def test_what_was_locked_stays_though_the_index_goes_on(tmp_path, index, monkeypatch):
    begun = []
    first = prepare(tmp_path / "python", sys.executable, ["moo"], lambda: begun.append(1))
    assert begun == [1]
    add_package(index, "moo", "2.0")
    monkeypatch.setattr(python_environment, "_uv", lambda *words, **more: pytest.fail("nothing is to be done"))
    assert prepare(tmp_path / "python", sys.executable, ["moo"], lambda: begun.append(2)) == first
    assert begun == [1]
    monkeypatch.undo()


def test_another_requirement_is_another_environment(tmp_path, index):
    add_package(index, "moo", "2.0")
    old, new = (prepare(tmp_path / "python", sys.executable, [one]) for one in ("moo<2", "moo"))
    assert [answer(one, "import moo; print(moo.version)") for one in (old, new)] == ["1.0", "2.0"]
    assert old.lock_digest != new.lock_digest


def test_one_that_is_half_made_or_whose_interpreter_has_gone_is_made_again(tmp_path):
    made = prepare(tmp_path / "python", sys.executable, ["moo"])
    home = tmp_path / "python" / made.python.split("/")[-3]
    for damage in (home / "complete", home / "bin" / "python"):
        damage.unlink()
        assert answer(prepare(tmp_path / "python", sys.executable, ["moo"]), "import moo; print(1)") == "1"


def test_several_may_ask_at_once(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: prepare(tmp_path / "python", sys.executable, ["moo"]), range(3)))
    assert len(set(made)) == 1


def test_no_packages_are_a_bare_python(tmp_path):
    made = prepare(tmp_path / "python", sys.executable, [])
    assert (made.lock, answer(made, "print(1)")) == ("", "1")


@pytest.mark.parametrize(
    ("python", "requirements", "words"),
    [
        (sys.executable, ["moo==99"], "moo==99"),
        (sys.executable, ["absent"], "absent"),
        (sys.executable, ["moo !!"], "moo !!"),
        ("3.3", [], "3.3"),
        ("/no/such/python", [], "/no/such/python"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_sentence(tmp_path, python, requirements, words):
    with pytest.raises(ResourceError) as refused:
        prepare(tmp_path / "python", python, requirements)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.fix


def test_without_uv_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(ResourceError, match="made by uv, which is not installed") as refused:
        prepare(tmp_path / "python", sys.executable, ["moo"])
    assert refused.value.fix == "python -m pip install uv"
