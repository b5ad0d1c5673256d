"""A log that is followed: by many at little cost, until its pod is over or gone."""

from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path

import pytest

from hera_utils.local_platform.pods.log_lines import HEARTBEAT, LogSizes, read
from hera_utils.local_platform.pods.pod.pod_folder import PodFolder, write_outcome


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    folder = tmp_path / "pod"
    folder.mkdir()
    (folder / "main.log").write_text("1.5 one\n2.5 two\n3.5 unfini")
    return folder


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_comes_later_is_read_and_the_end_is_seen(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_utils.local_platform.pods.log_lines._FRESH", -1.0)
    claim = PodFolder(str(pod)).claim({"pid": 1})
    lines = read(pod, "main", LogSizes(), follow=True)
    assert list(islice(lines, 4)) == [(1.5, "one"), (2.5, "two"), HEARTBEAT, HEARTBEAT]
    with (pod / "main.log").open("a") as file:
        file.write("shed\n4.5 last\n")
    write_outcome(claim, "{}")
    os.close(claim)
    assert list(lines) == [(3.5, "unfinished"), (4.5, "last")]
    assert list(read(pod, "main", LogSizes(), follow=False)) == [
        (1.5, "one"),
        (2.5, "two"),
        (3.5, "unfinished"),
        (4.5, "last"),
    ]


def test_many_followers_share_the_looks_and_hold_no_descriptor(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_utils.local_platform.pods.log_lines._FRESH", 3600.0)
    looks = []
    monkeypatch.setattr(PodFolder, "is_over", lambda self: looks.append(1) and False)
    sizes, before = LogSizes(), descriptors()
    followers = [read(pod, "main", sizes, follow=True) for _ in range(200)]
    for lines in followers:
        assert list(islice(lines, 5))[2:] == [HEARTBEAT] * 3
    assert len(looks) == 1
    assert descriptors() == before


def test_a_pod_that_is_removed_is_not_followed_for_ever(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hera_utils.local_platform.pods.log_lines._FRESH", -1.0)
    followed, unseen = (read(pod, name, LogSizes(), follow=True) for name in ("main", "sidecar"))
    assert list(islice(followed, 3))[-1] == HEARTBEAT
    assert next(unseen) == HEARTBEAT
    shutil.rmtree(pod)
    assert list(followed) == list(unseen) == []


def test_the_log_of_a_pod_that_an_older_version_ran(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "main.log").write_text("1.5 one\n")
    assert list(read(tmp_path, "main", LogSizes(), follow=False)) == [(1.5, "one")]
