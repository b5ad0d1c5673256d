"""Durations, quantities, the fields filter, faults."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo import durations, faults, fields, quantities
from hera_utils.errors import InvalidWorkflow, PlatformError, Refused, UnsupportedError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("1h2m3.5s", 3723.5), ("-1m", -60), ("0", 0), ("100ms", 0.1), ("1µs", 1e-6), (".5h", 1800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("10", 'time: missing unit in duration "10"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("x", 'time: invalid duration "x"'),
    ],
)
def test_bad_durations(text: str, message: str) -> None:
    with pytest.raises(durations.DurationError) as caught:
        durations.seconds(text)
    assert caught.value.message == message


def test_seconds_or_duration() -> None:
    assert durations.seconds_or_duration("20") == 20
    assert durations.seconds_or_duration("2m") == 120
    with pytest.raises(
        durations.DurationError, match='unable to parse 2d as a duration: time: unknown unit "d" in duration "2d"'
    ):
        durations.seconds_or_duration("2d")


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_what_is_written_is_read_again(nanoseconds: int) -> None:
    assert durations.nanoseconds(durations.format_nanoseconds(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("500m", Fraction(1, 2)), ("1.5Gi", 3 * 2**29), ("1e3", 1000), ("1E3", 1000), ("2E", 2 * 10**18), ("100Mi", 100 * 2**20),
        (".5", Fraction(1, 2)), ("-1k", -1000), ("1e-3", Fraction(1, 1000)), ("3.", 3),
    ],
)  # fmt: skip
def test_quantities(text: str, value: Fraction) -> None:
    assert quantities.quantity(text) == value


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "Pi", "1KiB", "1e", "--1", "1e99999999999999999999"])
def test_bad_quantities(text: str) -> None:
    with pytest.raises(quantities.QuantityError, match="quantit"):
        quantities.quantity(text)


def test_units() -> None:
    # Argo's resourcesDuration: 100m of a core for 25 s, 64Mi for 10 s
    assert quantities.resource_seconds("cpu", "100m", 25.9) == 2
    assert quantities.resource_seconds("memory", "64Mi", 10) == 6


WORKFLOW: dict[str, Any] = {
    "metadata": {"name": "x", "uid": "1", "labels": {"a": "b"}},
    "spec": {
        "entrypoint": "m",
        "arguments": {},
        "templates": [{"name": "m", "inputs": {}, "outputs": {}, "metadata": {}}],
    },
    "status": {
        "phase": "Succeeded",
        "nodes": {"x": {"id": "x", "phase": "Succeeded"}},
        "startedAt": "s",
        "finishedAt": "f",
    },
}


def test_fields_as_argo_answers_them() -> None:
    kept = fields.field_filter("status.phase,metadata.name").filter_workflow(WORKFLOW)
    assert kept == {
        "metadata": {"name": "x"},
        "spec": {"arguments": {}},
        "status": {"phase": "Succeeded", "startedAt": None, "finishedAt": None},
    }


def test_fields_left_out() -> None:
    kept = fields.field_filter("-spec,status.nodes").filter_workflow(WORKFLOW)
    assert kept["spec"] == {"arguments": {}}
    assert "nodes" not in kept["status"]
    assert kept["metadata"] == WORKFLOW["metadata"]


def test_fields_of_lists() -> None:
    reply = {"metadata": {"resourceVersion": "7"}, "items": [WORKFLOW]}
    kept = fields.field_filter("items.metadata.name,metadata").filter_list(reply)
    assert kept["metadata"] == {"resourceVersion": "7"}
    assert kept["items"][0]["metadata"] == {"name": "x"}
    assert fields.field_filter("items.status.phase").filter_list({"metadata": {}, "items": None})["items"] is None
    assert fields.field_filter("").filter_list(reply) is reply


def test_fields_that_are_not_needed_need_not_be_loaded() -> None:
    assert fields.field_filter("metadata.name").will_exclude("status.nodes")
    assert not fields.field_filter("status").will_exclude("status.nodes")
    assert fields.field_filter("-status.nodes").will_exclude("status.nodes")
    assert fields.field_filter("result.object.status").without_prefix("result.object.").paths == {"status"}


def test_codes() -> None:
    assert [faults.http_status(code) for code in (3, 5, 6, 12, 16, 2, 13, 99)] == [
        400,
        404,
        409,
        501,
        401,
        500,
        500,
        500,
    ]
    assert [faults.grpc_code(status) for status in (200, 404, 409, 422, 502, 301)] == [0, 5, 6, 3, 13, 13]


def test_bodies() -> None:
    missing = faults.not_found("workflows.argoproj.io", "x")
    assert faults.unary_body(missing.code, missing.message) == {
        "code": 5,
        "message": 'workflows.argoproj.io "x" not found',
    }
    assert faults.stream_body(missing.code, missing.message) == {
        "error": {
            "grpc_code": 5,
            "http_code": 404,
            "message": 'workflows.argoproj.io "x" not found',
            "http_status": "Not Found",
        }
    }
    assert faults.kubernetes_status(faults.not_found("pods", "p"), kind="pods", name="p") == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": 'pods "p" not found', "reason": "NotFound",
        "details": {"name": "p", "kind": "pods"}, "code": 404,
    }  # fmt: skip
    assert faults.kubernetes_status(faults.conflict("pods", "p"))["reason"] == "Conflict"
    assert faults.kubernetes_status(Refused(3, "no", reason="Invalid"))["code"] == 422


def test_errors_become_refusals() -> None:
    assert faults.fault_of(InvalidWorkflow("bad")).code == faults.INVALID_ARGUMENT
    assert faults.fault_of(InvalidWorkflow("bad"), default=faults.UNKNOWN).code == faults.UNKNOWN
    assert faults.fault_of(UnsupportedError("x")).code == faults.UNIMPLEMENTED
    assert faults.fault_of(PlatformError("x")).code == faults.INTERNAL
    refused = Refused(5, "x")
    assert faults.fault_of(refused) is refused
