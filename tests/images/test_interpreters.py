import platform
import shutil
import sys

from hera_utils.images.interpreters import path_of, version_of


def test_an_interpreter_is_asked_for_its_version(tmp_path):
    assert version_of(sys.executable) == platform.python_version()
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.99.1\n")
    other.chmod(0o755)
    assert version_of(str(other)) == "3.99.1"


def test_one_that_is_on_the_path(tmp_path, monkeypatch):
    (tmp_path / "python9").write_text("#!/bin/sh\necho 9.1.0\n")
    (tmp_path / "python9").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert shutil.which("python9")
    assert version_of("python9") == "9.1.0"


def test_a_name_on_the_path_is_a_path_and_all_else_stays(tmp_path, monkeypatch):
    (tmp_path / "python9").write_text("")
    (tmp_path / "python9").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert path_of("python9") == str(tmp_path / "python9")
    assert [path_of(name) for name in ("python8", "current", "3.12", "/a/python")] == [
        "python8", "current", "3.12", "/a/python",
    ]  # fmt: skip


def test_one_that_does_not_start_counts_as_this_one(tmp_path):
    (tmp_path / "broken").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "broken").chmod(0o755)
    for path in (str(tmp_path / "broken"), "/no/such/python"):
        assert version_of(path) == platform.python_version()
