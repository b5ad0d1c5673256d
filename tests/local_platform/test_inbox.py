"""Which events the controller handles in one turn: all waiting ones, and those that come soon when nothing is urgent."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from hera_utils.interpreter.events import PodFinished, PodStarted
from hera_utils.local_platform.controller import inbox
from hera_utils.local_platform.controller.inbox import Inbox, RunEvent, TurnRequest
from waiting import until

STARTED = RunEvent("run", PodStarted(0.0, "", "a"))
FINISHED = RunEvent("run", PodFinished(0.0, "", "a", "Succeeded", "", ""))
REQUEST = TurnRequest(lambda turn: lambda: None)


@pytest.fixture(autouse=True)
def endless_patience(monkeypatch):
    """Makes an inbox that waits for more events, where it should not, wait for ever."""
    monkeypatch.setattr(inbox, "GATHER_SECONDS", 3600.0)


def taken(*items, pods=0, most=10, later=None):
    box = Inbox(most, enough=4)
    for item in items:
        box.put(item)
    if later is not None:
        threading.Timer(0.02, box.put, (later,)).start()
    return list(box.take(None, pods))


def test_what_waits_is_taken_together():
    assert taken(FINISHED, REQUEST, STARTED) == [FINISHED, REQUEST, STARTED]
    assert taken(*[FINISHED] * 5, most=3) == [FINISHED] * 3


def test_a_start_waits_for_the_next_event():
    assert taken(STARTED, later=FINISHED) == [STARTED, FINISHED]


def test_a_request_and_the_end_of_one_of_few_pods_do_not_wait():
    assert taken(REQUEST) == [REQUEST]
    assert taken(FINISHED, pods=1) == [FINISHED]
    assert taken(FINISHED, FINISHED, pods=6) == [FINISHED, FINISHED], (
        "four are left: the machine is not kept busy for long"
    )


def test_what_waits_is_worked_on_meanwhile():
    box = Inbox(10, enough=4)
    box.put(STARTED)
    items = box.take(None, 0)
    assert next(items) == STARTED
    box.put(FINISHED)
    assert list(items) == [FINISHED]


def test_an_end_waits_while_many_others_are_on_their_way():
    assert taken(FINISHED, pods=6, later=REQUEST) == [FINISHED, REQUEST]


def test_what_may_wait_wakes_nobody_but_the_end_of_the_last_pod_but_a_few_does():
    box = Inbox(10, enough=4)
    got: list[object] = []

    thread = threading.Thread(target=lambda: got.extend(box.take(None, 7)))
    box.put(FINISHED)
    thread.start()
    until(lambda: box._pods == 6)
    for item in (STARTED, FINISHED, STARTED):
        box.put(item)
    assert box._bell.empty()
    assert thread.is_alive()
    box.put(FINISHED)  # four pods are left
    thread.join(timeout=10)
    both = RunEvent("run", replace(FINISHED.event, start=STARTED.event))
    assert got == [FINISHED, both, both]


@pytest.mark.parametrize("pods", [0, 6, 100])
def test_nothing_is_lost_between_threads_and_each_keeps_its_order(monkeypatch, pods):
    monkeypatch.setattr(inbox, "GATHER_SECONDS", 0.0005)
    box = Inbox(7, enough=4)
    events = [
        [RunEvent(f"{number} {n}", (STARTED if n % 3 else FINISHED).event) for n in range(600)] for number in "ab"
    ]
    threads = [threading.Thread(target=lambda own=own: [box.put(event) for event in own]) for own in events]
    for thread in threads:
        thread.start()
    got: list[RunEvent] = []
    while len(got) < 1200:
        turn = list(box.take(10.0, pods))
        assert turn, "an event lay there and nobody was woken"
        got += turn
    assert [event for event in got if event.run.startswith("a")] == events[0]
    assert [event for event in got if event.run.startswith("b")] == events[1]


def test_an_end_takes_in_the_start_that_waits_with_it(monkeypatch):
    monkeypatch.setattr(inbox, "GATHER_SECONDS", 0.0005)
    box = Inbox(1000, enough=4)
    pods = [f"pod-{number}" for number in range(300)]
    # Each pod ends after the next one has started.
    for first, pod in zip(["none", *pods], [*pods, "none"], strict=True):
        box.put(RunEvent("run", PodStarted(1.0, "", pod)))
        box.put(RunEvent("run", PodFinished(2.0, "", first)))
    got = [item.event for item in box.take(0.0, 1000)]
    ends = [event for event in got if isinstance(event, PodFinished)]
    assert [event.node_id for event in ends] == ["none", *pods]
    assert [event.start for event in ends] == [None, *(PodStarted(1.0, "", pod) for pod in pods)]
    assert [event.node_id for event in got if isinstance(event, PodStarted)] == ["none"]


def test_after_the_time_there_is_nothing_and_the_end_ends_it():
    box = Inbox(10, 4)
    assert list(box.take(0.0, 0)) == []
    box.put(STARTED)
    box.put(None)
    assert list(box.take(None, 0)) == [STARTED]
    assert box.is_closed


@pytest.mark.parametrize("pods", [0, 9])
def test_who_stops_leaves_the_others(pods):
    """When an item fails, or a turn has taken long enough, the other items of the turn are still handled."""
    box = Inbox(10, 4)
    for item in (REQUEST, FINISHED, STARTED):
        box.put(item)
    for item in box.take(0.0, pods):
        assert item == REQUEST
        break
    assert not box.empty()
    assert list(box.take(None, 0)) == [FINISHED, STARTED]
    assert box.empty()


def test_the_rest_is_what_is_there_now():
    box = Inbox(1, 4)
    for item in (STARTED, STARTED, FINISHED):
        box.put(item)
    assert list(box.take(None, 0)) == [STARTED]
    assert box.rest() == [STARTED, FINISHED]
    assert (box.rest(), box.is_closed) == ([], False)
    box.put(None)
    assert (box.rest(), box.is_closed) == ([], True)
