"""jq filters: values that gojq, which Argo runs, gives for them (written down from it); what is not done is refused."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import ExpressionError
from hera_utils.expressions.jq import evaluate

JOB = {
    "kind": "Job",
    "metadata": {"name": "j", "labels": {"app": "x", "b-c": "y"}, "n": None},
    "status": {
        "conditions": [
            {"type": "Complete", "status": "True", "n": 3},
            {"type": "Failed", "status": "False", "n": 1.5},
            {"type": "A", "status": "True", "n": -2},
        ],
        "succeeded": 2, "ok": True, "big": 10, "text": "a,b,c", "num": "42", "j": '{"k":[1,2]}',
    },
    "list": [3, 1, 2, 1, None, "s", [1], {"a": 1}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("program", "values"),
    [
        (".", [JOB]),
        ("", [JOB]),
        (".metadata.name", ["j"]),
        ('.metadata.labels["b-c"], .metadata.labels."b-c", .metadata["name"]', ["y", "y", "j"]),
        (".status.conditions[].type", ["Complete", "Failed", "A"]),
        (".status.conditions[-1].n, .status.conditions[7], .nothing.at.all", [-2, None, None]),
        (".status.conditions[1:] | length", [2]),
        ('.status.conditions[] | select(.type == "Complete") | .status', ["True"]),
        ('[.status.conditions[] | select(.status=="True") | .type] | join(",")', ["Complete,A"]),
        (".status.conditions | map(.n) | add, min, max, sort", [2.5, -2, 3, [-2, 1.5, 3]]),
        (".status.conditions | map({key: .type, value: .n}) | from_entries", [{"Complete": 3, "Failed": 1.5, "A": -2}]),
        (".metadata.labels | to_entries | map(.key)", [["app", "b-c"]]),
        ('.nothing // "default", (.metadata.n // .metadata.name)', ["default", "j"]),
        (".status.ok and (.status.succeeded > 1), (.status.ok | not)", [True, False]),
        ('if .status.succeeded > 2 then "many" elif .status.ok then "ok" else "no" end', ["ok"]),
        (r'"\(.metadata.name)-\(.status.succeeded)"', ["j-2"]),
        ("{kind, n: (1,2)}", [{"kind": "Job", "n": 1}, {"kind": "Job", "n": 2}]),
        (".status.big / 4, .status.big / 5, .status.big % 3, 7 - 2 * 3, -(.status.big)", [2.5, 2, 1, 1, -10]),
        ('.status.text | split(",") | .[1]', ["b"]),
        (".status.num | tonumber + 1", [43]),
        (".status.j | fromjson | .k[1]", [2]),
        (".list | sort", [[None, 1, 1, 2, 3, "s", [1], {"a": 1}]]),
        (".list | unique | length", [7]),
        (".status.conditions | sort_by(.n) | map(.type)", [["A", "Failed", "Complete"]]),
        (".status.conditions | group_by(.status) | map(length)", [[1, 2]]),
        ("[..|.type?] | map(select(. != null))", [["Complete", "Failed", "A"]]),
        ('.metadata | has("name"), has("zzz")', [True, False]),
        ('.kind | startswith("J"), ascii_downcase, (@base64 | @base64d)', [True, "job", "Job"]),
        ("[range(1;4)], [.list[] | numbers?]", None),
        (".metadata.name.x?", []),
        ("(1,2) * (3,4)", [3, 6, 4, 8]),
        ("1,2 | . * 10", [10, 20]),
        ("{a:{b:1}} * {a:{c:2}}", [{"a": {"b": 1, "c": 2}}]),
    ],
)
def test_values(program: str, values: list[Any] | None) -> None:
    if values is None:
        with pytest.raises(ExpressionError, match="numbers/0"):
            evaluate(program, JOB)
    else:
        assert evaluate(program, JOB) == values


@pytest.mark.parametrize(
    "program", ["reduce .list[] as $x (0; .+1)", ". as $x | $x", ".a |= 1", 'test("a")', "def f: 1; f", "input", "$ENV"]
)
def test_what_is_not_done_is_refused(program: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be evaluated here|cannot be read"):
        evaluate(program, JOB)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (".metadata.name.x", 'expected an object but got: string \\("j"\\)'),
        (".kind[]", 'cannot iterate over: string \\("Job"\\)'),
        ("1 / 0", "cannot divide number \\(1\\) by: number \\(0\\)"),
        ("true | length", "length cannot be applied to: boolean"),
        ('error("mine")', "mine"),
        ("[range(1e18)]", "not too far apart"),
    ],
)
def test_what_fails_says_why(program: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        evaluate(program, JOB)


@given(st.text(alphabet='.[]{}()|,:"ab1?/ \\$', max_size=25))
def test_no_text_is_too_odd(program: str) -> None:
    with contextlib.suppress(ExpressionError):
        evaluate(program, JOB)


def test_depth_is_no_traceback() -> None:
    with pytest.raises(ExpressionError):
        evaluate("(" * 5000 + "1" + ")" * 5000, JOB)
