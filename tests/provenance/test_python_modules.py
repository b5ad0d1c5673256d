"""Which package a module is of, and what counts with it."""

import sys

import pytest

from hera_utils.provenance import python_modules
from hera_utils.provenance.python import installed_modules, is_ours


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages: install(name, version, files, requires)."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def install(name, version, *files, requires=()):
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text("")
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        wants = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wants}")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))

    return install


def test_packages_of_another_name_and_what_they_require(site):
    site("Bio-Thing", "1.0", "biothing_a/__init__.py", requires=["helper_one>=2", 'big ; extra == "all"'])
    site("helper-one", "3.0", "helper_one_a.py", requires=["helper-two (>1)"])
    site("helper-two", "4.0", "helper_two_a.py", requires=["bio-thing"])
    site("big", "5.0", "big_a.py")
    answer = python_modules.answer(["biothing_a.parts.of", "json", "os.path"])
    assert answer["packages"] == {"bio-thing": "1.0", "helper-one": "3.0", "helper-two": "4.0"}
    assert (answer["imported"], answer["files"], answer["absent"]) == (["bio-thing"], {}, [])


def test_packages_that_share_a_name_are_told_apart(site):
    site("share-one", "1.0", "shared_a/one/__init__.py")
    site("share-two", "2.0", "shared_a/two.py")
    assert python_modules.answer(["shared_a.two.function"])["packages"] == {"share-two": "2.0"}
    assert set(python_modules.answer(["shared_a.one", "shared_a.two"])["packages"]) == {"share-one", "share-two"}
    assert set(python_modules.answer(["shared_a"])["packages"]) == {"share-one", "share-two"}, (
        "which of them is unknown"
    )


def test_what_is_not_there_is_said():
    assert python_modules.answer(["nowhere_at_all.x", "sys"])["absent"] == ["nowhere_at_all"]
    assert installed_modules("/does/not/exist/python", ["json"]) is None


def test_another_interpreter_is_asked_in_its_own_words(tmp_path):
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert not is_ours(str(link)), "the same program may be of another environment"
    answer = installed_modules(str(link), ["json", "nowhere_at_all"])
    assert (answer.version, answer.absent) == (sys.version.split()[0], ("nowhere_at_all",))
