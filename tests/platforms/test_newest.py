"""Reading a stream whose items supersede one another."""

import threading
import time

import pytest

from hera_utils.platforms.conflate import keep_newest


def test_who_keeps_up_misses_nothing():
    taken = threading.Semaphore()

    def items():
        for number in range(20):
            assert taken.acquire(timeout=30)
            yield number

    numbers = []
    for number in keep_newest(items()):
        numbers.append(number)
        taken.release()
    assert numbers == list(range(20))


def test_who_is_busy_gets_the_newest_and_always_the_last():
    ready = threading.Event()

    def items():
        yield 0
        ready.wait(5)
        yield from range(1, 1000)

    got = []
    for item in keep_newest(items()):
        got.append(item)
        ready.set()
        time.sleep(0.05)
    assert got[0] == 0
    assert got[-1] == 999
    assert len(got) < 20


def test_who_rests_is_left_alone_until_something_urgent_comes():
    def items():
        yield from range(5)

        started.wait(5)
        yield from (5, 6, "the end")
        over.wait(5)

    started, over = threading.Event(), threading.Event()
    reading = keep_newest(
        items(), rest=lambda: 0.0 if not started.is_set() else 3600.0, is_urgent=lambda item: item == "the end"
    )
    next(reading)
    started.set()
    assert next(reading) == "the end"
    over.set()


def test_the_end_of_the_stream_ends_the_rest():
    assert list(keep_newest(iter([1]), rest=lambda: 3600.0)) == [1]


def test_an_error_comes_after_what_was_read():
    def items():
        yield 1
        raise OSError("cut")

    reading = keep_newest(items())
    assert next(reading) == 1
    with pytest.raises(OSError, match="cut"):
        next(reading)


def test_who_leaves_lets_the_thread_end():
    going = threading.Event()

    def items():
        try:
            for number in range(10_000):
                yield number
                time.sleep(0.005)
        finally:
            going.set()

    reading = keep_newest(items())
    next(reading)
    reading.close()
    assert going.wait(2)
