"""Followed logs: many readers cost little, and following ends when the pod ends or is deleted."""

from __future__ import annotations

import os
import shutil
import threading
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from hera_utils.expressions.regexp import Pattern
from hera_utils.local_platform.argo_api import logs as argo_logs
from hera_utils.local_platform.argo_api.following import Follower
from hera_utils.local_platform.kubernetes_api import logs as kubernetes_logs
from hera_utils.local_platform.pods.log_lines import BATCH, HEARTBEAT, LogOptions, LogSizes, grep_lines, read
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


@pytest.mark.parametrize("block", [3, 16, 1 << 18])
def test_the_last_lines_are_found_from_the_end(pod: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr("hera_utils.local_platform.pods.log_lines._BLOCK", block)
    (pod / "main.log").write_text("".join(f"{n}.5 {'x' * n}\n" for n in range(12)))
    every = list(read(pod, "main", LogSizes(), follow=False))
    for count in range(14):
        assert list(read(pod, "main", LogSizes(), follow=False, tail=count)) == every[max(0, 12 - count) :]


def test_of_a_followed_log_come_the_last_lines_and_then_the_new_ones(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hera_utils.local_platform.pods.log_lines._FRESH", -1.0)
    (pod / "main.log").write_text("1.5 one\n2.5 two\n")
    claim = PodFolder(str(pod)).claim({"pid": 1})
    lines = read(pod, "main", LogSizes(), follow=True, tail=1)
    assert list(islice(lines, 2)) == [(2.5, "two"), HEARTBEAT]
    with (pod / "main.log").open("a") as file:
        file.write("3.5 three\n")
    write_outcome(claim, "{}")
    os.close(claim)
    assert list(lines) == [(3.5, "three")]


def test_of_long_lines_few_are_read_before_the_client_has_taken_them() -> None:
    line = "x" * (BATCH // 2)
    read_of = []

    def many():
        for n in range(100):
            read_of.append(n)
            yield (float(n + 1), line)

    text, _, over = kubernetes_logs._take(many(), LogOptions())
    assert (len(read_of), over) == (2, False)
    assert len(text) <= 2 * len(line) + 2
    read_of.clear()
    assert len(argo_logs._take(text for _, text in many())) == len(read_of) == 2


def test_a_follower_of_many_pods_takes_a_batch_of_all_and_leaves_none_out() -> None:
    follower = object.__new__(Follower)
    line = "x" * BATCH
    follower._ended, follower._live = None, {f"u{n}": (f"p{n}", iter([(1.0, line)] * 3)) for n in range(4)}
    seen = [[pod for _, pod, _ in follower._lines()] for _ in range(12)]
    assert seen == [[f"p{n % 4}"] for n in range(12)]  # each pod gives one line per turn
    assert follower._lines() == []


def test_a_pattern_is_gos_whose_time_is_linear() -> None:
    hostile = SimpleNamespace(query={"grep": "(a+)+$"}, number=lambda name: 0, flag=lambda name: False)
    options = argo_logs.options_of(hostile)
    assert isinstance(options.pattern, Pattern)
    lines = [(1.0, "a" * 100 + "b"), (2.0, "aaa")]
    # With Python's own `re` this pattern would practically never end.
    assert list(grep_lines(lines, options)) == [(2.0, "aaa")]


def test_the_patterns_of_all_readers_are_searched_one_after_the_other():
    """Two threads that searched outside of Python's lock made others wait for a second."""
    inside, most = [], []

    class Slow:
        def search(self, text):
            inside.append(text)
            most.append(len(inside))
            time.sleep(0.001)
            inside.remove(text)
            return text

    found, lines = [], [(1.0, f"line {n}") for n in range(50)]
    options = LogOptions(pattern=Slow())
    readers = [threading.Thread(target=lambda: found.append(list(grep_lines(lines, options)))) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [lines] * 4
    assert max(most) == 1
