"""A person at a terminal, with a real local platform."""

import os
import subprocess
import sys

import pytest

from hera_utils.cli.main import run_command_line


@pytest.fixture
def user(local_platform, monkeypatch, tmp_path, capsys):
    """Runs a command line in an empty folder; returns (exit status, stdout, stderr)."""
    for name in list(os.environ):
        if name.startswith(("ARGO", "KUBE", "HERA")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERA_UTILS_STATE", local_platform.context.state)
    monkeypatch.setenv("ARGO_NAMESPACE", local_platform.connection.namespace)
    monkeypatch.chdir(tmp_path)

    class User:
        platform = local_platform
        folder = tmp_path

        def type(self, *words, status=0):
            capsys.readouterr()
            found = run_command_line([str(word) for word in words])
            said = capsys.readouterr()
            assert found == status, said.out + said.err
            assert "Traceback" not in said.out + said.err
            return said.out + said.err

        def file(self, name, text):
            (tmp_path / name).write_text(text)
            return name

        def start(self, text, *flags):
            return self.type("run", self.file("w.yaml", text), "--detach", *flags).splitlines()[0]

        def process(self, *words, **options):
            return subprocess.Popen([sys.executable, "-m", "hera_utils", *words], text=True, **options)

    return User()


@pytest.fixture
def typed(local_platform, tmp_path, monkeypatch, capsys):
    """Runs a command in a folder of its own; returns its output."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERA_UTILS_STATE", local_platform.context.state)
    monkeypatch.setenv("ARGO_NAMESPACE", local_platform.connection.namespace)
    monkeypatch.chdir(tmp_path)

    def type_(*words, status=0):
        capsys.readouterr()
        found = run_command_line(list(words))
        said = capsys.readouterr()
        assert found == status, said.out + said.err
        return said.out + said.err

    return type_
