"""What a cron workflow decides at a moment, without a clock."""

from __future__ import annotations

from typing import Any

import pytest

from hera_utils.argo.timestamps import text
from hera_utils.interpreter.cron import cron_workflow

AT = 1_800_000_000.0  # 2027-01-15T08:00:00Z
ACTIVE = [{"name": "old", "uid": "u1"}]


def document(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "c", "namespace": "n", "uid": "u", "labels": {"team": "a"}}
    return {
        "metadata": metadata,
        "spec": {"schedules": ["*/5 * * * *"], "workflowSpec": {}, **spec},
        "status": status or {},
    }


@pytest.mark.parametrize(
    ("policy", "starts", "ended"),
    [("", True, ()), ("Allow", True, ()), ("Forbid", False, ()), ("Replace", True, ("old",))],
)
def test_policies(policy: str, starts: bool, ended: tuple[str, ...]) -> None:
    decision = cron_workflow.decide(document({"active": ACTIVE}, concurrencyPolicy=policy), AT, AT, "")
    assert (decision.start is not None, decision.terminate) == (starts, ended)


@pytest.mark.parametrize(
    ("when", "last", "starts"),
    [
        (
            "{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() > 3600 }}",
            None,
            True,
        ),
        (
            "{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() > 3600 }}",
            60,
            False,
        ),
        ("{{= (now() - cronworkflow.lastScheduledTime).Seconds() > 3600 }}", 7200, True),
        ("'{{= cronworkflow.lastScheduledTime }}' == 'null'", None, True),
        ("{{= cronworkflow.succeeded }} < 3", None, True),
        ("'{{cronworkflow.name}}' == 'd'", None, False),
    ],
)
def test_when(when: str, last: float | None, starts: bool) -> None:
    status = {"lastScheduledTime": text(AT - last)} if last else {}
    decision = cron_workflow.decide(document(status, when=when), AT, AT, "")
    assert not decision.document["status"]["conditions"]
    assert (decision.start is not None) == starts


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ("{{cronworkflow.name}} == c", "No parameter 'c' found."),
        (
            "{{cronworkflow.lastScheduledTime}} == 1",
            "failed to resolve {{cronworkflow.lastScheduledTime}} to string",
        ),
        ("x y z", "Cannot transition token types from VARIABLE [x] to VARIABLE [y]"),
        ("1 ==", "Unexpected end of expression"),
    ],
)
def test_a_when_that_is_no_condition_counts_as_a_failure(when: str, fault: str) -> None:
    decision = cron_workflow.decide(document(when=when), AT, AT, "")
    assert decision.start is None
    assert decision.document["status"]["failed"] == 1
    assert decision.document["status"]["conditions"][0]["message"] == f"run policy error: {fault}"


def test_the_last_time_is_a_pointer_which_methods_do_not_take() -> None:
    """Argo's words; the time is written `*time.Time` in its documentation of variables."""
    cron = document(
        {"lastScheduledTime": text(AT)}, when="{{= now().Sub(cronworkflow.lastScheduledTime).Seconds() > 1 }}"
    )
    (condition,) = cron_workflow.decide(cron, AT, AT, "").document["status"]["conditions"]
    assert "interface conversion: interface {} is *time.Time, not time.Time (1:8)" in condition["message"]


@pytest.mark.parametrize(("schedule", "deadline", "wanted"), [
    ("*/5 * * * *", 600, AT - 300), ("*/5 * * * *", 100, None), ("*/5 * * * *", None, None), ("0 0 1 1 *", 1e9, None),
    ("@every 7m", 600, AT - 10_000 + 23 * 420),
])  # fmt: skip
def test_the_last_missed_time_counts(schedule: str, deadline: float | None, wanted: float | None) -> None:
    found = document({"lastScheduledTime": text(AT - 10_000)}, schedules=[schedule], startingDeadlineSeconds=deadline)
    found["metadata"]["annotations"] = {cron_workflow.SCHEDULE_ANNOTATION: schedule}
    assert cron_workflow.missed_time(found, AT) == wanted


def test_ends_are_counted_and_old_ones_go() -> None:
    over = [cron_workflow.Child(f"s{n}", f"s{n}", "1", "Succeeded", text(AT + n)) for n in range(5)]
    failed = [
        cron_workflow.Child(f"f{n}", f"f{n}", "1", phase, text(AT + n)) for n, phase in enumerate(("Failed", "Error"))
    ]
    going = cron_workflow.Child("g", "g", "1", "Running", "")
    active = [{"uid": one.uid, "name": one.name} for one in (over[0], failed[0])] + [{"uid": "gone", "name": "gone"}]
    new, doomed = cron_workflow.settle(document({"active": active}), [*over, *failed, going], AT)
    assert (new["status"]["succeeded"], new["status"]["failed"]) == (1, 1)
    assert [one["name"] for one in new["status"]["active"]] == ["g"]
    assert doomed == ("s1", "s0", "f0")


def test_what_the_stop_strategy_stops_is_labelled_at_its_next_time() -> None:
    """As a real Argo 4.1.2 does it; it starts nothing in between."""
    child = cron_workflow.Child("w", "w", "1", "Succeeded", text(AT))
    cron = document({"active": [{"name": "w", "uid": "w"}]}, stopStrategy={"expression": "cronworkflow.succeeded >= 1"})
    stopped, _ = cron_workflow.settle(cron, [child], AT)
    assert (stopped["status"]["phase"], stopped["metadata"]["labels"]) == ("Stopped", {"team": "a"})
    assert not cron_workflow.is_enabled(stopped)
    decision = cron_workflow.decide(stopped, AT + 300, AT + 300, "")
    assert decision.start is None
    assert cron_workflow.is_labelled(decision.document)
