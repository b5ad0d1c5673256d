"""Retries: a model of the documented rules, and how long and after what an attempt is made again."""

from __future__ import annotations

from typing import Any, NamedTuple

import playbook
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e

Json = dict[str, Any]
MODES = ("live", "restored", "naive")


def _play(strategy: Json, mode: str = "live") -> playbook.Play:
    template = {"name": "t", "retryStrategy": strategy, "container": {"image": "i", "command": ["c"]}}
    return playbook.Play(playbook.workflow({"entrypoint": "t", "templates": [template]}), mode)


# --- the model --------------------------------------------------------------------------------------------------------
class Rules(NamedTuple):
    """A retry strategy in numbers. longest: maxDuration, 0 for none; factor 0 and cap 0: none."""

    limit: int
    policy: str
    duration: int
    factor: int
    cap: int
    longest: int
    stops_at: int

    def document(self) -> Json:
        backoff = {"duration": f"{self.duration}s", "factor": self.factor or None, "cap": self.cap and f"{self.cap}s"}
        backoff["maxDuration"] = self.longest and f"{self.longest}s"
        return {
            "limit": self.limit,
            "retryPolicy": self.policy,
            "backoff": {key: value for key, value in backoff.items() if value},
            "expression": f"asInt(lastRetry.exitCode) != {self.stops_at}",
        }


class Attempt(NamedTuple):
    """How long it takes, and the exit code: 0 succeeds, 255 is an Error (its executor fails), all else a failure."""

    seconds: int
    code: int


ERROR = 255


def expected(rules: Rules, attempts: list[Attempt]) -> tuple[str, str, list[int]]:
    """The end of the Retry node: phase, message, and at which second each attempt began. Written from the fields' documentation."""
    at, begun = 0, []
    for number, attempt in enumerate(attempts):
        begun.append(at)
        at += attempt.seconds
        if attempt.code == 0:
            return "Succeeded", "", begun
        phase = "Error" if attempt.code == ERROR else "Failed"
        wait = rules.duration * rules.factor**number if rules.factor else rules.duration
        wait = min(wait, rules.cap) if rules.cap else wait
        if rules.longest and at > rules.longest:
            return phase, "Max duration limit exceeded", begun
        if rules.longest and at + wait > rules.longest:
            return phase, "Backoff would exceed max duration limit", begun
        if number < rules.limit:  # the pause comes first; whether another attempt is allowed is checked after it
            at += wait
        if (phase == "Failed" and rules.policy == "OnError") or (phase == "Error" and rules.policy == "OnFailure"):
            return phase, _MESSAGES[phase].format(attempt.code), begun
        if number >= rules.limit:
            return phase, "No more retries left", begun
        if attempt.code == rules.stops_at:
            return phase, "retryStrategy.expression evaluated to false", begun
    raise AssertionError("more attempts than were thought of")


_MESSAGES = {"Failed": "main: Error (exit code {})", "Error": "no output"}

rules_of = st.builds(
    Rules,
    limit=st.integers(0, 4),
    policy=st.sampled_from(["Always", "OnFailure", "OnError"]),
    duration=st.integers(1, 4),
    factor=st.integers(0, 3),
    cap=st.sampled_from([0, 1, 5]),
    longest=st.sampled_from([0, 5, 20, 60]),
    stops_at=st.sampled_from([2, 99]),
)
attempts_of = st.lists(
    st.builds(Attempt, seconds=st.integers(1, 3), code=st.sampled_from([1, 1, 2, ERROR, 0])), min_size=5, max_size=5
)


@settings(max_examples=150, deadline=None)
@given(mode=st.sampled_from(MODES), rules=rules_of, attempts=attempts_of)
def test_a_retry_node_ends_as_the_fields_say(mode: str, rules: Rules, attempts: list[Attempt]) -> None:
    play, begun = _play(rules.document(), mode), []
    for number, attempt in enumerate(attempts):
        begun.append(round(play.at - playbook.START))
        play.start(f"({number})")
        play.at += attempt.seconds - 2  # start and end take a second each
        if attempt.code == ERROR:
            play.end(f"({number})", 0, error="no output", phase="Failed")
        else:
            play.end(f"({number})", attempt.code, outputs={"exitCode": str(attempt.code)})
        while not play.active and not play.run.finished:
            play.wait("retry:wf")
        if play.run.finished:
            break
    node = play.node("")
    assert (node["phase"], node.get("message") or "", begun) == expected(rules, attempts)


# --- corners ----------------------------------------------------------------------------------------------------------
def test_a_backoff_with_a_cap_goes_on_after_more_attempts_than_a_float_can_hold() -> None:
    play = _play({"limit": 40, "backoff": {"duration": "1s", "factor": 1_000_000_000, "cap": "2s"}})
    for number in range(40):
        play.end(f"({number})", 1)
        assert play.node("")["message"] == ("Backoff for 1 second" if number == 0 else "Backoff for 2 seconds")
        play.wait()
    play.end("(40)", 1)
    assert (play.phase, play.message) == ("Failed", "No more retries left")


@pytest.mark.parametrize(
    ("message", "again"),
    [
        ("dial tcp 10.0.0.1:443: connect: connection refused", True),
        ('Get "https://x/y": net/http: TLS handshake timeout', True),
        ("read tcp 10.0.0.1:1->10.0.0.2:2: i/o timeout", True),
        ("etcdserver: leader changed", True),
        ("client rate limiter Wait returned an error: context deadline exceeded", True),
        ("request did not complete within requested timeout - context deadline exceeded", True),
        ("unexpected error when reading response body. Please retry.", True),
        ("timeout waiting for the GPU", False),
        ("Timeout", False),
        ("429 too many requests", False),
    ],
)
def test_what_is_transient_is_told_by_argos_words(message: str, again: bool) -> None:
    play = _play({"limit": 1, "retryPolicy": "OnTransientError"})
    play.end("(0)", 1, message=message, containers=())
    assert play.node("(0)")["message"] == message
    assert bool(play.active) is again


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suspended", [False, True], ids=["", "suspended"])
def test_the_longest_duration_ends_the_attempt_that_runs(suspended: bool, mode: str) -> None:
    play = _play({"limit": 3, "backoff": {"duration": "1s", "maxDuration": "60s"}}, mode)
    play.start("(0)")
    assert play.timers == {}  # the first attempt has no time limit
    play.end("(0)", 1)
    play.wait("retry:wf")
    (key,) = play.timers
    assert play.timers[key] == playbook.START + 60
    play.wait(key)
    assert play.commands == [c.SetTimer(key, playbook.START + 61)]  # no pod runs that could be ended
    play.start("(1)")
    if suspended:
        play.tell(e.SuspendRequested(play.at, "seed"))
    play.wait(key)
    assert play.commands == [c.KillPod(play.id("(1)"), "wf-t-805126870")]
    assert play.node("(1)")["phase"] == "Running"
    play.end("(1)", 143)
    if suspended:
        play.tell(e.ResumeRequested(play.at, "seed"))
    assert play.node("(1)")["message"] == "main: Error (exit code 143)"
    assert (play.phase, play.message) == ("Failed", "Max duration limit exceeded")


REQUESTS = "resources: {requests: {cpu: 2}, limits: {cpu: 1}}"
AGAIN = "{name: again, retryStrategy: {limit: 1%s}, container: {image: i, command: [c], " + REQUESTS + "}}"
PLAIN = "{name: plain, container: {image: i, command: [c]}}"


def _refused(main: str, mode: str, policy: str = "") -> playbook.Play:
    """A run whose pods of the retry Kubernetes does not take: they request more than their limit."""
    templates = [f"{{name: main, {main}}}"] * bool(main) + [AGAIN % policy, PLAIN]
    entry = "main" if main else "again"
    return playbook.Play(playbook.workflow(f"{{entrypoint: {entry}, templates: [{', '.join(templates)}]}}"), mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("main", "retry", "told", "ended"),
    [
        ("", "wf", ("Error", "Workflow operation error"), "Error"),
        ("steps: [[{name: a, template: again}], [{name: b, template: plain}]]", "a", ("Running", ""), "Failed"),
        ("dag: {tasks: [{name: a, template: again}]}", "a", ("Error", "task 'wf.a' errored: Pod"), "Error"),
        ("steps: [[{name: p, template: plain, onExit: again}]]", "p.onExit", ("Running", ""), "Error"),
        ("dag: {tasks: [{name: p, template: plain, onExit: again}]}", "p.onExit", ("Error", "Pod"), "Succeeded"),
    ],
)
def test_an_attempt_that_kubernetes_does_not_take_leaves_its_retry_to_the_caller(
    main: str, retry: str, told: tuple[str, str], ended: str, mode: str
) -> None:
    """Without a policy for errors nothing is tried again. What is around the Retry node says what is wrong, as recorded on a real Argo.

    There a DAG waits for ever for such an exit handler.
    """
    play = _refused(main, mode)
    if "onExit" in retry:
        play.end("p")
    node, attempt = play.node(retry), play.node(f"{retry}(0)")
    assert (node["phase"], (node.get("message") or "")[: len(told[1])]) == told
    assert bool(node.get("message")) == bool(told[1])
    assert attempt["phase"] == "Error"
    assert attempt["message"].endswith("must be less than or equal to cpu limit of 1")
    assert play.phase == ended


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("policy", ["Always", "OnError"])
def test_an_attempt_that_kubernetes_does_not_take_is_tried_again_by_policy(policy: str, mode: str) -> None:
    play = _refused("", mode, f", retryPolicy: {policy}")
    assert (play.phase, play.message, play.node("wf")["phase"]) == ("Error", "No more retries left", "Error")
    assert play.node("(1)")["phase"] == "Error"
