"""The exchange between server and supervisor: the launch, the files of a pod's folder, and the messages in the pipe."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest

from hera_utils.local_platform.pods.pod import launch_socket, wire
from hera_utils.local_platform.pods.pod.pod_folder import PodFolder, write_begun, write_line, write_outcome


def test_a_launch_of_any_size_comes_whole_and_leaves_no_file(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        launch = {"secrets": {"s": {"key": "v" * 5_000_000}}}
        launch_socket.send(ours, "uid", json.dumps(launch).encode())
        launch_socket.send(ours, "other", b"{}")
        opened = set(os.listdir("/proc/self/fd"))
        assert launch_socket.receive(theirs) == ("uid", launch)
        assert launch_socket.receive(theirs) == ("other", {})
        assert set(os.listdir("/proc/self/fd")) == opened
        ours.close()
        assert launch_socket.receive(theirs) is None


def test_only_one_supervisor_gets_a_pod(tmp_path: Path) -> None:
    folder = PodFolder(str(tmp_path))
    assert not folder.is_claimed()
    os.close(folder.claim({"pid": 1, "born": "10"}))
    with pytest.raises(FileExistsError):
        folder.claim({"pid": 2, "born": "20"})
    assert folder.claim_lines() == [{"pid": 1, "born": "10"}]
    assert os.listdir(tmp_path) == ["supervisor.jsonl"]


def test_what_is_not_written_whole_is_nothing(tmp_path: Path) -> None:
    folder = PodFolder(str(tmp_path))
    assert (folder.outcome(), folder.kill(), folder.claim_lines(), folder.is_over()) == (None, None, [], False)
    claim = folder.claim({"pid": 1, "born": "10", "run": "r"})
    write_line(claim, '{"started": 1.0}')
    os.write(claim, b'{"outcome": {"phase": "Succ')
    assert (folder.outcome(), folder.is_over()) == (None, False)
    assert folder.claim_lines() == [{"pid": 1, "born": "10", "run": "r"}, {"started": 1.0}]
    folder.write_kill(grace=3.0, force=False)
    assert folder.kill() == {"grace": 3.0, "force": False}
    os.close(claim)


def test_an_outcome_is_the_last_line_and_a_disk_that_is_full_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PodFolder(str(tmp_path))
    claim, write = folder.claim({"pid": 1, "born": "10"}), os.write
    answers = iter([5, OSError(errno.ENOSPC, "full")])

    def full(fd: int, data: bytes) -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return write(fd, data[:answer])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="full"):
        write_outcome(claim, '{"phase": "Failed"}')
    monkeypatch.undo()
    assert not folder.is_over()
    write_outcome(claim, '{"phase": "Failed"}')
    assert folder.is_over()
    assert folder.outcome() == {"phase": "Failed"}
    assert folder.claim_lines() == [{"pid": 1, "born": "10"}]
    os.close(claim)


def test_messages_come_whole_and_are_lost_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    worker = wire.Sender(str(tmp_path))
    worker.send({"is": "lost"})
    server = wire.Wire(str(tmp_path))
    worker.send({"is": "started"})
    os.write(server.fileno(), b'{"is": "wait')
    assert server.read() == [{"is": "started"}]
    os.write(server.fileno(), b'ing"}\n')
    assert server.read() == [{"is": "waiting"}]
    server.close()
    worker.send({"is": "lost too"})
    server = wire.Wire(str(tmp_path))
    worker.send({"is": "finished"}, '{"phase": "Failed"}')
    worker.send({"is": "finished"}, json.dumps("x" * 4096))
    assert server.read() == [{"is": "finished", "outcome": {"phase": "Failed"}}, {"is": "finished"}]
    worker.send({"is": "finished"}, '{"phase": "Failed"}', after={"is": "started"})
    assert server.read() == [{"is": "started"}, {"is": "finished", "outcome": {"phase": "Failed"}}]
    worker.send({"is": "finished"}, json.dumps("x" * 4000), after={"is": "started", "ip": "y" * 100})
    first, second = server.read()
    assert (first["is"], second["is"], len(second["outcome"])) == ("started", "finished", 4000)
    server.close()


def test_a_supervisor_of_an_older_version_is_understood(tmp_path: Path) -> None:
    """A supervisor outlives its server, and the next server may be of this version. Its pod used to end as `pod deleted`."""
    pod = PodFolder(str(tmp_path))
    (tmp_path / "supervisor.jsonl").write_text('{"pid": 1, "born": "2", "run": "u"}\n')
    assert pod.has_begun(), "nobody knows, and it must not run twice"
    assert not pod.is_over()
    assert pod.outcome() is None
    (tmp_path / "outcome.json").write_text('{"phase": "Succeeded"}')
    assert pod.is_over()
    assert pod.outcome() == {"phase": "Succeeded"}


def test_whether_a_command_of_a_pod_has_begun(tmp_path: Path) -> None:
    pod = PodFolder(str(tmp_path))
    assert not pod.has_begun()
    claim = pod.claim({"pid": 1, "tells_begin": True})
    (tmp_path / "kill.json").write_text("{}")
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "half").touch()
    assert not pod.has_begun()
    pod.release()
    assert os.listdir(tmp_path) == ["kill.json"]
    os.close(claim)
    claim = pod.claim({"pid": 2, "tells_begin": True})
    write_begun(claim)
    assert pod.has_begun()
    os.close(claim)
