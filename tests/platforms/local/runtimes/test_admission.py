from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hera_utils.platforms.local.runtimes.admission import Admission, Need, need_of
from hera_utils.platforms.local.runtimes.pod.environment import expand, quantity, seconds


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
    room = Admission(1, 1e9)
    for n, priority in enumerate([0, 0, 5, 0, 5]):
        room.add(str(n), Need(priority=priority))
    found = []
    while (uid := room.next()) is not None:
        found.append(uid)
        room.release(uid)
    assert found == ["2", "4", "0", "1", "3"]


def test_one_that_is_too_big_runs_alone() -> None:
    room = Admission(2, 100)
    room.add("big", Need(cpu=8))
    room.add("small", Need())
    assert room.too_big(Need(cpu=8))
    assert room.next() == "big"
    assert room.next() is None
    room.release("big")
    assert room.next() == "small"


def test_memory_counts() -> None:
    room = Admission(4, 100)
    for name in "abc":
        room.add(name, Need(memory=40))
    assert [room.next(), room.next(), room.next()] == ["a", "b", None]
    room.release("a")
    assert room.next() == "c"


def test_idle_pods_hold_no_core() -> None:
    room = Admission(1, 100)
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


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "next", "remove", "release", "idle", "busy"]), st.integers(0, 9)), max_size=80
    )
)
def test_never_more_than_there_is_room_for(steps: list[tuple[str, int]]) -> None:
    room, needs, running, idle = Admission(3, 10), {}, set(), set()
    for step, n in steps:
        uid, need = str(n), Need(cpu=n % 3, memory=n)
        if step == "add" and uid not in needs:
            needs[uid] = need
            room.add(uid, need)
        elif step == "next" and (found := room.next()) is not None:
            running.add(found)
            assert len(running - idle) <= 3
            assert len(running) == 1 or sum(needs[u].cpu for u in running) <= 3
            assert len(running) == 1 or sum(needs[u].memory for u in running) <= 10
        elif step == "remove" and room.remove(uid):
            del needs[uid]
        elif step == "release" and uid in running:
            room.release(uid)
            running.discard(uid)
            idle.discard(uid)
            del needs[uid]
        elif step == "idle" and uid in running:
            room.works(uid, False)
            idle.add(uid)
        elif step == "busy" and uid in idle and len(running - idle) < 3:
            room.works(uid, True)
            idle.discard(uid)
    for uid in running:
        room.release(uid)
    assert (room._working, room._memory) == (0, 0)
    assert abs(room._cpu) < 1e-9


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
    assert [seconds(d) for d in ("10s", "1m30s", "250ms", "7", 3)] == [10, 90, 0.25, 7, 3]


def test_expansion_of_variables() -> None:
    env = {"A": "1", "B_C": "2"}
    assert expand("$(A)$(B_C) $(NO) $$(A) $A ${A} $$", env) == "12 $(NO) $(A) $A ${A} $"


@given(st.text(alphabet="$()AB x", max_size=30))
def test_expansion_never_fails(text: str) -> None:
    assert "$(A)" not in expand(text.replace("$$", ""), {"A": "a", "B": "b"}) or "$$" in text
