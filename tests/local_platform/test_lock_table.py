"""Which nodes get a lock, which wait, and their messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import InvalidWorkflow
from hera_utils.local_platform.controller.lock_table import (
    Holder,
    ImpossibleName,
    Lock,
    LockRequest,
    LockTable,
    locks_of,
)

LIMITS = {("argo", "limits", "two"): 2}


def limit_of(place):
    if place not in LIMITS:
        raise InvalidWorkflow("no such limit")
    return LIMITS[place]


def holder(name, node=""):
    return Holder(f"uid-{name}", node, f"argo/{name}/{node}" if node else f"argo/{name}")


MUTEX = (Lock("argo/Mutex/m"),)
TWO = (Lock("argo/ConfigMap/limits/two", ("argo", "limits", "two")),)


def test_a_mutex_goes_to_the_first_and_then_to_the_next():
    table = LockTable()
    assert table.ask(limit_of, holder("a"), MUTEX).granted
    second = table.ask(limit_of, holder("b"), MUTEX)
    assert (second.granted, second.message) == (False, "Waiting for argo/Mutex/m lock. Lock status: 0/1")
    assert second.waiting_for == "argo/Mutex/m"
    (answer,) = table.release(limit_of, "uid-a", "")
    assert (answer.holder, answer.granted) == (holder("b"), True)
    assert table.holders("argo/Mutex/m") == ["argo/b"]


def test_asking_again_changes_nothing():
    table = LockTable()
    assert table.ask(limit_of, holder("a"), MUTEX).granted
    assert table.ask(limit_of, holder("a"), MUTEX).granted
    assert table.release(limit_of, "uid-a", "") == []
    assert table.release(limit_of, "uid-a", "") == []


def test_a_semaphore_lets_as_many_in_as_its_config_map_says(monkeypatch):
    table = LockTable()
    answers = [table.ask(limit_of, holder(name), TWO) for name in "abcd"]
    assert [answer.granted for answer in answers] == [True, True, False, False]
    assert answers[2].message == "Waiting for argo/ConfigMap/limits/two lock. Lock status: 0/2"
    monkeypatch.setitem(LIMITS, ("argo", "limits", "two"), 3)
    told = table.limits_changed(limit_of)
    assert [(a.holder.run, a.granted) for a in told if a.granted] == [("uid-c", True)]


def test_the_queue_is_ordered_by_priority_then_age():
    table = LockTable()
    table.ask(limit_of, holder("first"), MUTEX)
    table.ask(limit_of, holder("young"), MUTEX, created=30.0)
    table.ask(limit_of, holder("old"), MUTEX, created=10.0)
    table.ask(limit_of, holder("urgent"), MUTEX, created=40.0, priority=5)
    order = []
    current = "uid-first"
    while True:
        granted = [a for a in table.release(limit_of, current, "") if a.granted]
        if not granted:
            break
        current = granted[0].holder.run
        order.append(current)
    assert order == ["uid-urgent", "uid-old", "uid-young"]


def test_several_locks_are_taken_together_or_not_at_all():
    table = LockTable()
    both = (Lock("argo/Mutex/x"), Lock("argo/Mutex/y"))
    assert table.ask(limit_of, holder("a"), both[:1]).granted
    assert not table.ask(limit_of, holder("b"), both).granted
    assert table.holders("argo/Mutex/y") == []
    (answer,) = table.release(limit_of, "uid-a", "")
    assert answer.granted
    assert table.holders("argo/Mutex/y") == ["argo/b"]


def test_after_a_restart_the_holders_hold():
    table = LockTable()
    table.restore(LockRequest(holder("a"), MUTEX, 0, 1.0, 1, granted=True))
    table.restore(LockRequest(holder("b"), MUTEX, 0, 2.0, 2))
    assert table.holders("argo/Mutex/m") == ["argo/a"]
    assert [answer.holder.run for answer in table.release(limit_of, "uid-a", "")] == ["uid-b"]


def test_the_blocks_of_a_workflow_name_their_locks():
    found = locks_of(
        {
            "mutexes": [{"name": "m"}, {"name": "n", "namespace": "other"}],
            "semaphores": [{"configMapKeyRef": {"name": "limits", "key": "two"}}],
        },
        "argo",
    )
    assert [lock.name for lock in found] == ["argo/ConfigMap/limits/two", "argo/Mutex/m", "other/Mutex/n"]


def test_a_semaphore_whose_limit_is_gone_keeps_the_last_one_known(monkeypatch):
    table = LockTable()
    assert [table.ask(limit_of, holder(name), TWO).granted for name in "abc"] == [True, True, False]
    monkeypatch.delitem(LIMITS, ("argo", "limits", "two"))
    assert table.limits_changed(limit_of) == []
    (answer,) = table.release(limit_of, "uid-a", "")
    assert (answer.holder, answer.granted) == (holder("c"), True)
    assert not table.ask(limit_of, holder("d"), TWO).granted


def test_who_waits_for_a_semaphore_whose_limit_nobody_knows_after_a_restart_is_told_so(monkeypatch):
    monkeypatch.delitem(LIMITS, ("argo", "limits", "two"))
    table = LockTable()
    table.restore(LockRequest(holder("a"), TWO, 0, 1.0, 1, granted=True))
    table.restore(LockRequest(holder("b"), TWO, 0, 2.0, 2))
    table.restore(LockRequest(holder("c"), TWO, 0, 3.0, 3))
    answers = table.release(limit_of, "uid-a", "")
    assert [(one.holder, one.granted, one.impossible) for one in answers] == [
        (holder("b"), False, True),
        (holder("c"), False, True),
    ]
    assert ("uid-b", "") not in table


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["ask", "release"])), max_size=60))
def test_never_more_holders_than_the_limit_and_nobody_starves(steps):
    table = LockTable()
    told: dict[str, bool] = {}
    for name, step in steps:
        if step == "ask":
            told[f"uid-{name}"] = table.ask(limit_of, holder(name), TWO).granted
        else:
            told.pop(f"uid-{name}", None)
            for answer in table.release(limit_of, f"uid-{name}", ""):
                told[answer.holder.run] = answer.granted
        held = {key.partition("/")[2] for key in table.holders(TWO[0].name)}
        assert len(held) <= 2
        assert {f"uid-{name}" for name in held} == {run for run, granted in told.items() if granted}
        if len(held) < 2:
            assert all(told.values())


INVALID = "requested configuration is invalid"


@pytest.mark.parametrize(
    ("synchronization", "message"),
    [
        ({"mutexes": [{"name": "a"}, {"name": "b"}, {"name": "a", "namespace": ""}]}, f"{INVALID}: duplicate synchronization item found"),
        ({"semaphores": [{}]}, f"{INVALID}: cannot get LockName for a Semaphore without a ConfigMapRef or Database"),
        (
            {"semaphores": [{"configMapKeyRef": {"name": "m", "key": "k"}, "database": {"key": "k"}}]},
            f"{INVALID}: invalid semaphore with both ConfigMapKeyRef and Database",
        ),
    ],
)  # fmt: skip
def test_locks_that_argo_finds_invalid(synchronization, message):
    with pytest.raises(InvalidWorkflow) as refused:
        locks_of(synchronization, "argo")
    assert (refused.value.message, isinstance(refused.value, ImpossibleName)) == (message, False)


@pytest.mark.parametrize(
    ("synchronization", "name", "reason"),
    [
        ({"mutexes": [{}]}, "argo/Mutex/", "Invalid lock key: ResourceName is missing"),
        (
            {"semaphores": [{"configMapKeyRef": {"name": "m", "key": "a/b"}}]},
            "argo/ConfigMap/m/a/b",
            "Invalid ConfigMap lock key: unknown format",
        ),
        (
            {"semaphores": [{"configMapKeyRef": {"name": "m"}}]},
            "argo/ConfigMap/m/",
            "Invalid lock key: Key is missing for ConfigMap lock",
        ),
    ],
)  # fmt: skip
def test_names_at_which_argos_controller_panics(synchronization, name, reason):
    with pytest.raises(ImpossibleName) as refused:
        locks_of(synchronization, "argo")
    assert refused.value.message == f"bug: unable to decode lock ({name}) that was just encoded: {reason}"


@pytest.mark.parametrize(
    ("synchronization", "message"),
    [
        ({"mutexes": [{"name": "a", "database": True}]}, "database session is not available for mutex argo/Database/a"),
        ({"semaphores": [{"database": {"key": "x"}}]}, "database session is not available for semaphore argo/Database/x"),
        (
            {"mutexes": [{"name": "a", "database": True}], "semaphores": [{"configMapKeyRef": {"name": "no", "key": "k"}}]},
            "no such limit",
        ),
    ],
)  # fmt: skip
def test_there_is_no_database_of_locks(synchronization, message):
    with pytest.raises(InvalidWorkflow) as refused:
        LockTable().ask(limit_of, holder("a"), locks_of(synchronization, "argo"))
    assert refused.value.message == message
