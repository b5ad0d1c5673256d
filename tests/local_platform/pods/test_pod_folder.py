"""What server and supervisor tell each other: the files of a pod's folder, and the messages in the pipe."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hera_utils.local_platform.pods.pod import wire
from hera_utils.local_platform.pods.pod.pod_folder import PodFolder


def test_a_launch_comes_back_with_its_secrets_which_are_in_a_file_that_goes(tmp_path: Path) -> None:
    folder = PodFolder(str(tmp_path / "uid"))
    folder.write_launch({"node_id": "n", "places": {}}, {"secrets": {"s": {"key": "value"}}})
    assert folder.launch() == {"node_id": "n", "places": {}, "secrets": {"s": {"key": "value"}}}
    assert "value" not in (tmp_path / "uid" / "launch.json").read_text()
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in (tmp_path / "uid").iterdir()} == {0o600}
    folder.remove_secrets()
    folder.remove_secrets()
    assert sorted(os.listdir(tmp_path / "uid")) == ["launch.json"]


def test_only_one_supervisor_gets_a_pod(tmp_path: Path) -> None:
    folder = PodFolder(str(tmp_path))
    assert not folder.is_claimed()
    os.close(folder.claim({"pid": 1, "born": "10"}))
    with pytest.raises(FileExistsError):
        folder.claim({"pid": 2, "born": "20"})
    assert folder.claim_lines() == [{"pid": 1, "born": "10"}]
    assert os.listdir(tmp_path) == ["supervisor.jsonl"]


def test_what_is_not_written_yet_is_nothing(tmp_path: Path) -> None:
    folder = PodFolder(str(tmp_path))
    (tmp_path / "outcome.json.partial").write_text('{"phase": "Succ')
    assert (folder.outcome(), folder.kill(), folder.claim_lines(), folder.is_over()) == (None, None, [], False)
    folder.write_outcome({"phase": "Failed"})
    folder.write_kill(grace=3.0, force=False)
    assert (folder.outcome(), folder.kill()) == ({"phase": "Failed"}, {"grace": 3.0, "force": False})
    assert folder.is_over()


def test_messages_come_whole_and_are_lost_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    wire.send(str(tmp_path), {"is": "lost"})
    server = wire.Wire(str(tmp_path))
    wire.send(str(tmp_path), {"is": "started"})
    os.write(server.fileno(), b'{"is": "wait')
    assert server.read() == [{"is": "started"}]
    os.write(server.fileno(), b'ing"}\n')
    assert server.read() == [{"is": "waiting"}]
    server.close()
    wire.send(str(tmp_path), {"is": "lost too"})
