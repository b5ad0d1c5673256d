from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo import quantities
from hera_utils.local_platform.pods.pod.environment import expand, quantity, seconds
from hera_utils.local_platform.pods.resource_queue import Need, ResourceQueue, Shortage, need_of


def asks(**resources: str) -> dict[str, object]:
    return {"resources": {"requests": resources}}


def test_the_need_of_a_pod() -> None:
    pod = {
        "spec": {
            "containers": [asks(cpu="500m", memory="64Mi"), asks(cpu="1")],
            "initContainers": [asks(memory="1Gi")],
            "priority": 7,
        }
    }
    assert need_of(pod) == Need(1.5, 2.0**30, 7)
    assert need_of({"spec": {"containers": [{"resources": {"limits": {"cpu": "2"}}}]}}) == Need(2.0)
    assert need_of({}) == Need()


def test_first_come_first_served_within_a_priority() -> None:
    room = ResourceQueue(1, 1e9)
    for n, priority in enumerate([0, 0, 5, 0, 5]):
        room.add(str(n), Need(priority=priority))
    found = []
    while (uid := room.next()) is not None:
        found.append(uid)
        room.release(uid)
    assert found == ["2", "4", "0", "1", "3"]


def started(room: ResourceQueue) -> list[str]:
    found = []
    while (uid := room.next()) is not None:
        found.append(uid)
    return found


def test_one_that_is_too_big_counts_as_the_whole_machine() -> None:
    room = ResourceQueue(2, 100)
    room.add("big", Need(cpu=8, memory=1000))
    room.add("asks", Need(cpu=1))
    room.add("asks nothing", Need())
    assert started(room) == ["big", "asks nothing"]
    room.release("big")
    assert started(room) == ["asks"]


def test_one_that_is_too_big_runs_beside_ready_daemons() -> None:
    room = ResourceQueue(2, 100)
    room.add("server", Need(cpu=0.5, memory=10))
    assert started(room) == ["server"]
    room.serves("server")
    room.add("big", Need(cpu=30, memory=1000))
    room.add("client", Need())
    assert started(room) == ["big", "client"]


def test_two_that_are_too_big_run_one_after_the_other_beside_a_daemon() -> None:
    room = ResourceQueue(2, 100)
    room.add("server", Need(cpu=1))
    started(room)
    room.serves("server")
    for name in ("first", "second"):
        room.add(name, Need(cpu=30))
    assert started(room) == ["first"]
    room.release("first")
    assert started(room) == ["second"]


def test_one_that_does_not_fit_keeps_nobody_waiting_and_is_not_passed_for_ever() -> None:
    room = ResourceQueue(3, 100)
    room.add("long", Need(cpu=1))
    assert started(room) == ["long"]
    room.add("big", Need(cpu=3))
    for n in range(4):
        room.add(f"small{n}", Need(cpu=1))
    # `long` must end anyway, so two more pods do not delay the big one.
    assert started(room) == ["small0", "small1"]
    room.release("small0")
    assert started(room) == ["small2"]
    room.release("long")
    # Now only the pods that overtook it are in its way.
    assert started(room) == []
    room.release("small1")
    assert started(room) == []
    room.release("small2")
    assert started(room) == ["big"]


def test_one_that_waits_for_memory_is_overtaken_by_what_leaves_room_for_both() -> None:
    room = ResourceQueue(4, 100)
    room.add("long", Need(memory=60))
    started(room)
    room.add("big", Need(memory=80))
    room.add("overtakes", Need(memory=30))
    assert started(room) == ["overtakes"]
    room.release("long")
    room.add("too much", Need(memory=40))
    room.add("fits beside", Need())
    assert started(room) == ["fits beside"]
    room.release("overtakes")
    assert started(room) == ["big"]


def test_memory_counts() -> None:
    room = ResourceQueue(4, 100)
    for name in "abc":
        room.add(name, Need(memory=40))
    assert [room.next(), room.next(), room.next()] == ["a", "b", None]
    room.release("a")
    assert room.next() == "c"


def test_idle_pods_hold_no_core() -> None:
    room = ResourceQueue(1, 100)
    room.add("a", Need())
    room.add("b", Need())
    assert (room.next(), room.next()) == ("a", None)
    room.works("a", False)
    assert room.next() == "b"
    room.works("a", True)
    room.release("a")
    room.release("b")
    room.add("c", Need())
    assert room.next() == "c"


def test_what_each_pod_lacks() -> None:
    room = ResourceQueue(2, 100)
    for name, need in (("a", Need(cpu=1)), ("b", Need(memory=80)), ("c", Need()), ("d", Need(cpu=1, priority=3))):
        room.add(name, need)
    assert started(room) == ["d", "a"]
    assert dict(room.shortages()) == {"b": Shortage("core", 1, 2, 2, 0), "c": Shortage("core", 1, 2, 2, 1)}
    room.works("a", False)
    room.add("e", Need(cpu=1))
    assert started(room) == ["b"]
    room.works("b", False)
    assert started(room) == ["c"]
    room.works("c", False)
    assert dict(room.shortages()) == {"e": Shortage("cpu", 1, 2, 2, 0)}
    room.add("f", Need())
    assert dict(room.shortages())["f"] == Shortage("turn", 0, 0, 0, 1)
    room.remove("e")
    assert dict(room.shortages()) == {"f": Shortage("nothing", 0, 0, 0, 0)}, (
        "it starts next: no larger pod is before it"
    )


_NEEDS = st.builds(
    Need, st.sampled_from([0, 0, 0.5, 1, 2, 3, 50]), st.sampled_from([0, 0, 3, 6, 10, 99]), st.integers(0, 1)
)
_PODS = st.lists(st.tuples(_NEEDS, st.booleans()), min_size=1, max_size=25)


@given(_PODS, st.randoms(use_true_random=False))
def test_everything_runs_and_the_machine_is_never_overfull(pods: list[tuple[Need, bool]], random: Random) -> None:
    """Pods arrive, end and become idle in any order; daemons become ready and stay."""
    room, coming, running, daemons, idle = ResourceQueue(3, 10), list(enumerate(pods)), set(), set(), set()
    while coming or running or len(room):
        while (uid := room.next()) is not None:
            others = running | daemons
            running.add(uid)
            own = pods[int(uid)][0]
            held = [_capped(pods[int(u)][0]) for u in running | daemons]
            if not others <= daemons:
                assert not own.cpu or sum(need.cpu for need in held) <= 3
                assert not own.memory or sum(need.memory for need in held) <= 10
                assert len(running - idle) <= 3
        choices = ["arrive"] * bool(coming) + ["end", "idle"] * bool(running)
        assert choices, f"{len(room)} pods wait for ever beside {daemons}"
        choice = random.choice(choices)
        if choice == "arrive":
            n, (need, _) = coming.pop(0)
            room.add(str(n), need)
            continue
        uid = random.choice(sorted(running))
        if choice == "idle":
            room.works(uid, False)
            idle.add(uid)
        elif pods[int(uid)][1]:
            room.serves(uid)
            running.discard(uid)
            daemons.add(uid)
        else:
            room.release(uid)
            running.discard(uid)
    assert len(daemons) == sum(daemon for _, daemon in pods)


@given(_PODS, _NEEDS, st.randoms(use_true_random=False))
def test_nobody_is_passed_for_ever(before: list[tuple[Need, bool]], need: Need, random: Random) -> None:
    """However many pods arrive later, a pod starts when the pods before it, and those that overtook while these ran, have ended."""
    room, running, daemons = ResourceQueue(3, 10), [], set()
    for n, (other, daemon) in enumerate(before):
        room.add(f"before{n}", other._replace(priority=1))
        daemons |= {f"before{n}"} if daemon else set()
    room.add("waits", need._replace(priority=0))
    # For each pod that comes to the front: three that ran and three that overtook it meanwhile.
    most = 7 * (len(before) + 1)
    for n in range(2 * most):
        room.add(f"later{n}", Need(random.choice([0, 1, 2]), random.choice([0, 4, 8])))
    ended = 0
    while "waits" not in (now := started(room)):
        running += now
        assert ended <= most, "it is passed again and again"
        first = running.pop(0)
        (room.serves if first in daemons else room.release)(first)
        ended += 1


@given(st.lists(_NEEDS, min_size=2, max_size=20))
def test_equal_pods_start_in_the_order_of_their_arrival(needs: list[Need]) -> None:
    room = ResourceQueue(3, 10)
    for n, need in enumerate(needs):
        room.add(str(n), need)
    order: list[int] = []
    while len(room):
        now = started(room)
        order += map(int, now)
        for uid in now:
            room.release(uid)
    for kind in set(needs):
        same = [n for n in order if needs[n] == kind]
        assert same == sorted(same)


def _capped(need: Need) -> Need:
    return Need(min(need.cpu, 3), min(need.memory, 10))


def test_quantities_and_durations() -> None:
    assert [quantity(q) for q in ("100m", "1.5", "64Mi", "2k", "1e3", 4, "rubbish", "")] == [
        0.1,
        1.5,
        64 * 2.0**20,
        2000,
        1000,
        4,
        0,
        0,
    ]
    # Pods cannot import what the server reads them with.
    for text in (
        "100m",
        "1.5",
        "64Mi",
        "2k",
        "1e3",
        "0.5Gi",
        "3E",
    ):
        assert quantity(text) == pytest.approx(float(quantities.quantity(text)))
    assert [seconds(d) for d in ("10s", "1m30s", "250ms", "7", 3)] == [10, 90, 0.25, 7, 3]


def test_expansion_of_variables() -> None:
    env = {"A": "1", "B_C": "2"}
    assert expand("$(A)$(B_C) $(NO) $$(A) $A ${A} $$", env) == "12 $(NO) $(A) $A ${A} $"


@given(st.text(alphabet="$()AB x", max_size=30))
def test_expansion_never_fails(text: str) -> None:
    bare = text.replace("$$", "")
    expanded = expand(bare, {"A": "a", "B": "b"})
    # of "$($(A)" the name is "$(A": no such variable, so it stays
    assert "$(A)" not in expanded or "$$" in text or re.search(r"\$\([^)]*\$\(", bare)
