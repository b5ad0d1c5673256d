"""`hera-utils cp` from the claims of a cluster: for it this machine's server is one, as long as it has another state folder."""

import os
import signal
import subprocess

import pytest

from hera_utils.cli.claim_download import fetch_workflow
from hera_utils.errors import HeraUtilsError
from hera_utils.platforms.argo_client import ArgoClient
from waiting import until


@pytest.fixture
def claim(user, monkeypatch, tmp_path):
    """The folder of a claim of the cluster that the user's commands name."""
    connection = user.platform.connection
    folder = user.platform.claim("results")
    monkeypatch.setenv("HERA_UTILS_STATE", str(tmp_path / "other"))
    monkeypatch.setenv("ARGO_SERVER", connection.argo_server)
    monkeypatch.setenv("ARGO_TOKEN", connection.token)
    (folder / "out" / "deep").mkdir(parents=True)
    (folder / "out" / "a.csv").write_text("1,2\n")
    (folder / "out" / "deep" / "b").write_bytes(b"\0" * 5000)
    (folder / "out" / "link").symlink_to("a.csv")
    return folder


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def runs(user):
    with ArgoClient(user.platform.connection) as client:
        return [run["metadata"]["name"] for run in client.list() if run["metadata"]["name"].startswith("cp-")]


def test_files_and_folders_come_as_from_a_claim_of_this_machine(user, claim):
    (user.folder / "here").mkdir()
    assert "3 files, 4.9 KiB" in user.type("cp", "results:out", "here")
    assert names(user.folder / "here") == ["out", "out/a.csv", "out/deep", "out/deep/b", "out/link"]
    assert os.readlink(user.folder / "here" / "out" / "link") == "a.csv"
    (claim / "out" / "a.csv").write_text("3,4\n")
    user.type("cp", "results:out", "here")  # into the folder that is there
    assert (user.folder / "here" / "out" / "a.csv").read_text() == "3,4\n"
    assert "1 file, 4 B" in user.type("cp", "results:/out/a.csv", "b.csv")
    assert (user.folder / "b.csv").read_text() == "3,4\n"
    user.type("cp", "results:", "all")
    assert "out/deep/b" in names(user.folder / "all")
    assert not runs(user)


def test_what_cannot_be_copied_is_told_and_leaves_nothing(user, claim):
    assert "there is no `results:gone`" in user.type("cp", "results:gone", ".", status=2)
    assert "leaves the claim" in user.type("cp", "results:../x", ".", status=2)
    (user.folder / "own").write_text("mine")
    assert "cannot be copied to a claim in a cluster" in user.type("cp", "own", "results:own", status=2)
    (claim / "out" / "evil").symlink_to("/etc/passwd")
    assert "`results:out` cannot be unpacked" in user.type("cp", "results:out", "there", status=2)
    assert not (user.folder / "there").exists()
    assert not runs(user)


def test_an_interrupted_copy_leaves_no_workflow(user, claim):
    waiting = user.process("cp", "no-such-claim:x", ".", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(lambda: runs(user))
    waiting.send_signal(signal.SIGINT)
    told, _ = waiting.communicate(timeout=60)
    assert waiting.returncode in (130, -signal.SIGINT), (
        told
    )  # CPython: the second, where the text of a class was being executed
    assert "Traceback" not in told
    assert not runs(user)


def test_a_task_that_fails_says_why(user, claim):
    told = user.type("cp", "results:out", ".", "--image", "no.such.registry.example/x", status=2)
    assert "nothing was copied: " in told
    assert not runs(user)


def test_a_user_who_may_not_delete_is_told(user, claim, monkeypatch):
    def refuse(client, name):
        raise HeraUtilsError("not allowed")

    with monkeypatch.context() as patched:
        patched.setattr(ArgoClient, "delete", refuse)
        told = user.type("cp", "results:out", "here")
    assert "could not be deleted (not allowed)" in told
    assert "3 files" in told
    assert fetch_workflow("c", "p", "i")["spec"]["ttlStrategy"] == {"secondsAfterCompletion": 86400}
