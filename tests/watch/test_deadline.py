"""A wait with a limit: what a limit is, and that those who follow keep it."""

import threading
import time

import pytest

from hera_utils.errors import SettingsError, WaitTimeout
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.watch.follow import follow
from hera_utils.watch.run_progress import follow_workflows

RUNNING = {"metadata": {"name": "wf", "namespace": "default"}, "spec": {}, "status": {"phase": "Running", "nodes": {}}}


@pytest.mark.parametrize(
    ("said", "seconds"), [(90, 90), ("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), (0.5, 0.5)]
)
def test_seconds_or_a_duration(said, seconds):
    deadline = Deadline.after(said)
    assert deadline.seconds == seconds
    assert 0 < deadline.seconds_left <= seconds
    assert not deadline.has_passed


@pytest.mark.parametrize("said", [0, -1, "0", "-5s", "soon", "", "2x", float("nan"), float("inf"), True, [], {}])
def test_nonsense_is_one_sentence(said):
    with pytest.raises(SettingsError, match="is not a duration"):
        Deadline.after(said)


def test_the_longest_time_can_be_given_to_a_timer():
    threading.Timer(Deadline.after("2562047h").seconds_left, lambda: None)
    assert Deadline.after(1e300).seconds_left < threading.TIMEOUT_MAX


def test_without_a_limit():
    assert Deadline.after(None) is NEVER
    assert NEVER.seconds_left is None
    assert not NEVER.has_passed
    assert NEVER.pause(2.0) == 2.0


class Silent:
    """A server that reports once that the run continues, and then nothing until the given limit."""

    def watch(self, name, *, timeout=None, rest=None):
        yield "ADDED", RUNNING
        time.sleep(timeout)


def test_following_one_workflow_ends_at_the_limit():
    with pytest.raises(WaitTimeout, match=r"the limit of 100ms is reached: the run wf continues") as late:
        follow(Silent(), "wf", deadline=Deadline.after(0.1))
    assert late.value.exit_status == 124


def test_following_several_ends_at_the_limit_also_in_a_thread():
    seen = []

    def wait():
        try:
            follow_workflows("run", lambda: [RUNNING], deadline=Deadline.after(0.1))
        except WaitTimeout as late:
            seen.append(str(late))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(timeout=60)
    assert seen == ["the limit of 100ms is reached: the run run continues"]


def test_a_run_that_ends_within_the_limit_is_given():
    ended = {**RUNNING, "status": {"phase": "Succeeded", "nodes": {}, "finishedAt": "2026-01-01T00:00:02Z"}}

    class Ends:
        def watch(self, name, *, timeout=None, rest=None):
            yield "ADDED", ended

    deadline = Deadline.after(0.01)
    time.sleep(0.02)
    assert follow(Ends(), "wf", deadline=deadline) is ended
