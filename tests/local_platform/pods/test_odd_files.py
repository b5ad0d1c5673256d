"""Unusual files in a task's outputs: hard links, holes, links, pipes, sockets, devices, names in no encoding."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, uid

from hera_utils.local_platform.pods.pod.processes import born, descendants
from waiting import until

Json = dict[str, Any]
MAKE = r"""
mkdir -p /tmp/out/in /tmp/out/empty && cd /tmp/out
echo one > one && ln one two && ln one in/three
ln -s one link && ln -s ../one in/up && ln -s in folder
echo run > program && chmod 750 program && echo secret > quiet && chmod 600 quiet
truncate -s 20M holes && printf end >> holes
touch "$(printf 'bytes\377\376')" 'new
line' 'ü' ' blank ' -- -dash && mkdir -p a/b/c/d && echo deep > a/b/c/d/e
"""
SHOW = r"""
cd /in && cat one two in/three && stat -c '%a' program quiet && find . -name 'bytes*' | od -An -c | tr -d ' \n'; echo
ls -d ./*line ü ' blank ' ./-dash | wc -l; stat -c %s holes; test "$(du -k holes | cut -f1)" -lt 1000 && echo holes
cat a/b/c/d/e; readlink link in/up folder; test -d empty && echo empty
"""


def produced(stage: Stage, script: str, archive: Json | None, path: str = "/tmp/out", **more: Any) -> Any:
    artifact: Json = {"name": "out", "path": path, **({"archive": archive} if archive is not None else {})}
    return stage.run(stage.shell(script, template={"outputs": {"artifacts": [artifact]}}, **more))


def consumed(stage: Stage, artifact: Json, script: str) -> tuple[Any, list[str]]:
    given = {**artifact, "path": "/in"}
    pod = stage.shell(script, template={"inputs": {"artifacts": [given]}})
    return stage.run(pod), stage.log(pod)


@pytest.mark.parametrize("archive", [None, {"tar": {}}, {"zip": {}}])
def test_everything_in_a_folder_arrives(stage: Stage, archive: Json | None) -> None:
    end = produced(stage, MAKE, archive)
    zipped = (
        "artifact out: on a cluster a zip has links as empty files and no empty folders (folder, in/up, link, empty): leave `archive` "
        "out to keep them in a tar",
    )
    assert (end.phase, end.error, end.warnings) == ("Succeeded", "", zipped if archive == {"zip": {}} else ())
    end, lines = consumed(stage, end.outputs["artifacts"][0], SHOW)
    assert end.phase == "Succeeded", (end, lines)
    assert lines == [
        "one", "one", "one", "750", "600", r"./bytes377376\n", "5", str(20 * 2**20 + 3), "holes", "deep",
        "one", "../one", "in", "empty",
    ]  # fmt: skip


def test_a_folder_as_it_is_has_all_files_and_tells_what_a_store_leaves_out(stage: Stage) -> None:
    """As in an object store, where each file is an object: Argo leaves out links and empty folders."""
    end = produced(stage, MAKE, {"none": {}})
    assert (end.phase, end.error) == ("Succeeded", "")
    (warning,) = end.warnings
    assert warning == (
        "artifact out: a folder with `archive: none` is stored as one object per file, so links and empty folders "
        "are left out"
        " (folder, in/up, link, empty): leave `archive` out to keep them in a tar"
    )
    end, lines = consumed(
        stage, end.outputs["artifacts"][0], "cd /in; cat one two in/three a/b/c/d/e; ls -d link empty; true"
    )
    assert lines[:4] == ["one", "one", "one", "deep"]
    assert len(lines) == 6
    assert "No such file" in lines[5]


def test_a_folder_without_files_is_nothing_in_a_store(stage: Stage) -> None:
    end = produced(stage, "mkdir -p /tmp/out/in", {"none": {}})
    assert end.phase == "Succeeded"
    assert "holds no file" in end.warnings[-1]
    end, _ = consumed(stage, end.outputs["artifacts"][0], "true")
    assert "The specified key does not exist" in end.error


def test_a_single_zipped_file_comes_back_as_argo_has_it(stage: Stage) -> None:
    end = produced(stage, "echo zipped > /tmp/out", {"zip": {}})
    end, lines = consumed(stage, {**end.outputs["artifacts"][0], "archive": {"zip": {}}}, "cd /in; find . -type f")
    assert lines == ["./argo/outputs/artifacts/out"]
    end = produced(stage, "echo zipped > /tmp/z", {"zip": {}}, path="/tmp/z")
    assert end.error == (
        "wait: Error (exit code 64): stat /tmp/argo/outputs/artifacts/out: no such file or directory; "
    )


SPECIAL = {
    "pipe": "mkfifo {}",
    "socket": "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('{}')\"",
}
TGZ = "/var/run/argo/outputs/artifacts/tmp/out.tgz"


@pytest.mark.parametrize("archive", [None, {"zip": {}}, {"none": {}}], ids=["tar", "zip", "none"])
@pytest.mark.parametrize("special", SPECIAL)
def test_what_is_no_file_is_refused_at_once(stage: Stage, special: str, archive: Json | None) -> None:
    end = produced(stage, SPECIAL[special].format("/tmp/out"), archive)
    assert end.phase == "Failed"
    said = f"failed to tarball the output /tmp/out to {TGZ}: "
    assert (end.containers[0].exit_code, end.containers[0].message) == (
        64, said + "/tmp/out is not a regular file or directory"
    )  # fmt: skip
    end = produced(
        stage, "mkdir -p /tmp/out/in; echo x > /tmp/out/a; " + SPECIAL[special].format("/tmp/out/in/s"), archive
    )
    assert end.containers[0].message.startswith(f"{said}/tmp/out/in/s is a ")
    assert end.containers[0].message.endswith("which cannot be kept: remove it, or write a file")
    assert not end.outputs.get("artifacts")
    assert not list((stage.state / "artifacts").rglob("*.partial"))


def test_a_device_is_refused_and_not_opened(stage: Stage) -> None:
    """A link to a device is followed to it, but /dev/zero must not become an endless file."""
    for path in ("/dev/zero", "/dev/tty"):
        end = produced(stage, f"ln -s {path} /tmp/out", None)
        assert end.containers[0].message.endswith("/tmp/out is not a regular file or directory")


@pytest.mark.parametrize("special", SPECIAL)
def test_a_parameter_that_is_no_file(stage: Stage, special: str) -> None:
    template = {"outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p", "default": "d"}}]}}
    end = stage.run(stage.shell(SPECIAL[special].format("/tmp/p"), template=template))
    assert (end.phase, end.error, end.containers[0].exit_code) == ("Failed", "", 64)
    assert end.containers[0].message.startswith(
        "failed to copy /tmp/p to /var/run/argo/outputs/parameters//tmp/p: /tmp/p is a "
    )


def test_a_parameter_that_is_a_folder(stage: Stage) -> None:
    """As recorded from Argo: the emissary's copy fails, and its message is in the log of main."""
    template = {
        "outputs": {"parameters": [{"name": n, "valueFrom": {"path": f"/tmp/{n}"}} for n in ("first", "d", "last")]}
    }
    pod = stage.shell("echo 1 > /tmp/first; mkdir /tmp/d; echo 3 > /tmp/last; echo hello", template=template)
    end = stage.run(pod)
    text = (
        "failed to copy /tmp/d to /var/run/argo/outputs/parameters//tmp/d: write /var/run/argo/outputs/parameters//tmp/d:"
        " copy_file_range: is a directory"
    )
    assert (end.phase, end.containers[0].exit_code, end.containers[0].message) == ("Failed", 64, text)
    assert end.outputs["parameters"] == [{"name": "first", "value": "1"}, {"name": "d", "value": ""}]
    assert end.outputs["exitCode"] == "64"
    assert stage.log(pod) == ["hello", f"Error: {text}", text]
    # The emissary stopped there, so the wait container does not find the last parameter.
    assert (
        end.error
        == "wait: Error (exit code 64): open /var/run/argo/outputs/parameters/tmp/last: no such file or directory"
    )


@pytest.mark.parametrize("archive", [None, {"zip": {}}, {"none": {}}], ids=["tar", "zip", "none"])
def test_a_pipe_in_a_volume(stage: Stage, archive: Json | None) -> None:
    more: Json = {
        "main": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        "spec": {"volumes": [{"name": "v", "emptyDir": {}}]},
    }
    template = {
        "container": {"image": "alpine:3.20", **more["main"]},
        "outputs": {
            "parameters": [{"name": "p", "valueFrom": {"path": "/v/pipe"}}],
            "artifacts": [{"name": "out", "path": "/v/pipe", "archive": archive or {}}],
        },
    }
    end = stage.run(stage.shell("mkfifo /v/pipe", template=template, **more))
    assert end.phase == "Failed"
    assert end.containers[0].exit_code == 0
    assert (
        end.error
        == "wait: Error (exit code 64): /v/pipe is a FIFO (a named pipe), which cannot be kept: remove it, or write a file"
    )


@pytest.mark.parametrize("place", ["/run/argo/progress", "/argo/termination-log"])
def test_the_files_that_a_pod_is_watched_by_hold_nobody_up(stage: Stage, place: str, tmp_path: Path) -> None:
    """The server neither waits for a pipe there nor follows a link, which would lead to a file of the machine."""
    secret = tmp_path / "secret"
    secret.write_text("1/2")
    for how in (
        f"mkfifo {place}",
        f"ln -s {secret} {place}",
        f"rm -rf $(dirname {place}); ln -s {tmp_path} $(dirname {place})",
    ):
        pod = stage.shell(f"rm -f {place}; {how}; sleep 0.7")
        end = stage.run(pod)
        assert (end.phase, end.containers[0].message) == ("Succeeded", "")
        assert stage.progress(pod.node_id) == []


def test_no_output_leads_to_what_the_executor_has_open(stage: Stage) -> None:
    """An output such as /proc/self/fd/N would name an open file of the process that collects outputs: folders of other runs, pipes."""
    for number in range(3, 24):
        end = produced(stage, f"ln -s /proc/self/fd/{number} /tmp/out", {"none": {}})
        assert end.phase == "Failed", number
        assert not end.outputs.get("artifacts"), number


def test_outputs_that_cannot_be_read_end_with_their_pod(own_stage: Stage) -> None:
    """No process of the pods above is left waiting."""
    pod = own_stage.shell("mkfifo /tmp/out", template={"outputs": {"artifacts": [{"name": "out", "path": "/tmp/out"}]}})
    own_stage.run(pod)
    claim = (own_stage.state / "pods" / uid(pod) / "supervisor.jsonl").read_text()
    worker = int(claim.split('"pid": ')[1].split(",")[0])
    until(lambda: descendants(worker) in ([], [worker]))


def test_hard_links_of_an_archive_from_elsewhere(stage: Stage, tmp_path: Path) -> None:
    """tar writes the second name of a file as a hard link to the first."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_text("one")
    os.link(tmp_path / "in" / "one", tmp_path / "in" / "two")
    key = stage.state / "artifacts" / "default" / "mine.tgz"
    key.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(key, "w:gz") as archive:
        archive.add(tmp_path / "in", "in")
        assert archive.getmember("in/two").islnk()
    _, lines = consumed(
        stage, {"name": "a", "s3": {"key": "mine.tgz"}}, "cat /in/one; echo; cat /in/two; stat -c %h /in/two"
    )
    assert lines == ["one", "one2"]


def test_a_pod_that_waits_for_a_store_can_be_ended(own_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's server accepts the connection and never answers."""
    monkeypatch.setattr("hera_utils.local_platform.pods.pod_deadlines.LATE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        template = {"inputs": {"artifacts": [{"name": "a", "path": "/in", "http": {"url": url}}]}}
        pod = own_stage.shell("true", template=template)
        own_stage.launch(pod)
        connection, _ = silent.accept()
        worker = own_stage.runtime._workers.worker_of(uid(pod))
        assert worker is not None
        own_stage.runtime.kill(uid(pod), grace=0.5)
        assert own_stage.finished(pod.node_id).phase == "Failed"
        until(lambda: not born(worker.pid))
        connection.close()
