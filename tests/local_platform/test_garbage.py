"""Garbage is collected without stopping all threads for long."""

import gc
from types import SimpleNamespace

import pytest

from hera_utils.local_platform import this_machine
from hera_utils.local_platform.controller.garbage import Garbage


def in_memory(nodes=0, spec="{}"):
    return SimpleNamespace(run=SimpleNamespace(nodes=range(nodes)), record=SimpleNamespace(spec=spec, templates="{}"))


@pytest.fixture
def done(monkeypatch):
    done = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("circles"))
    monkeypatch.setattr(this_machine, "give_back_memory", lambda: done.append("pages"))
    return done


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([in_memory(100)] * 3, ["circles", "pages"]),
        ([in_memory(4000)] * 3, ["pages"]),
        ([in_memory(1, "[[],[],[]]" * 100_000)] * 3, ["pages"]),
        ([in_memory(1, '{"a":{}}' * 200_000)] * 3, ["pages"]),
    ],
)
def test_circles_are_searched_when_few_objects_are_in_memory(done, runs, expected):
    garbage = Garbage()
    garbage.add(2_000_000)
    garbage.give_back(runs, is_idle=True)
    assert done == expected
    garbage.give_back(runs, is_idle=True)
    assert done == expected, "once"


def test_pages_are_given_back_before_they_are_many(done):
    garbage = Garbage()
    for _ in range(10):
        garbage.add(30_000_000)
        garbage.give_back([], is_idle=False)
    assert done == ["pages"] * 5
