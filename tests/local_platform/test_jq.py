"""jq filters: values and messages as recorded from gojq, which Argo uses, and bounds on a filter's run time."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.errors import InvalidWorkflow
from hera_utils.local_platform.agents.jq import jq, values

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
    ("program", "expected"),
    [
        (".", [JOB]),
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
        ("[range(1;4)], [.list[] | numbers?]", [[1, 2, 3], [3, 1, 2, 1]]),
        (".metadata.name.x?", []),
        ("(1,2) * (3,4)", [3, 6, 4, 8]),
        ("1,2 | . * 10", [10, 20]),
        ("{a:{b:1}} * {a:{c:2}}", [{"a": {"b": 1, "c": 2}}]),
    ],
)
def test_values(program: str, expected: list[Any]) -> None:
    assert values(JOB, program) == expected


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (".status.conditions[] | .n", "3\n1.5\n-2"),
        ("{b: 1.0, a: 1e17}", '{"a":100000000000000000,"b":1}'),
        ("1e21, 1e-7, 12345678901234567890", "1e+21\n1e-7\n12345678901234567000"),
        (".metadata[]", '{"app":"x","b-c":"y"}\nnull\nj'),
        (".whole | tostring", "1"),
        ('"a\u2028b", ["<&>"]', 'a\u2028b\n["<&>"]'),
        ("empty", ""),
    ],
)
def test_texts_are_as_go_writes_them(program: str, text: str) -> None:
    assert jq({**JOB, "whole": 1.0}, program) == text


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("reduce .list[:4][] as $x (0; . + $x)", [7]),
        (".kind as $x | $x", ["Job"]),
        (".kind |= 1 | .kind", [1]),
        ('.kind | test("J")', [True]),
        ("def f: 1; f", [1]),
        ("[foreach range(3) as $i (0; . + $i)]", [[0, 1, 3]]),
        ("$ENV, env", [{}, {}]),
    ],
)
def test_the_whole_language(program: str, expected: list[Any]) -> None:
    assert values(JOB, program) == expected


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (".metadata.name.x", "expected an object but got: string"),
        (".kind[0]", "expected an array but got: string"),
        (".kind[]", 'cannot iterate over: string \\("Job"\\)'),
        ("1 / 0", "cannot divide number \\(1\\) by: number \\(0\\)"),
        ("true | length", "length cannot be applied to: boolean"),
        ('error("mine")', "mine"),
        ("", 'missing query \\(try "."\\)'),
        (".[", "unexpected EOF"),
        ("nope(1)", "function not defined: nope/1"),
        ("$nope", r"variable not defined: \$nope"),
        ('1 + "a"', r'cannot add: number \(1\) and string \("a"\)'),
        ("null | keys", "keys cannot be applied to: null"),
    ],
)
def test_what_fails_says_why(program: str, text: str) -> None:
    with pytest.raises(InvalidWorkflow, match=text):
        values(JOB, program)


@pytest.mark.parametrize(
    "program",
    [
        "[range(1e9)]",
        "def f: f; f",
        "def f: 1 + f; f",
        "repeat(1)",
        "last(range(1e12))",
        '"a" * 1e9',
        "[limit(1e8; repeat(.))]",
    ],
)
def test_nothing_runs_away(program: str) -> None:
    with pytest.raises(InvalidWorkflow, match="too much time or memory|too long"):
        values(JOB, program)


@given(st.text(alphabet='.[]{}()|,:"ab1?/ \\$', max_size=25))
@settings(max_examples=15, deadline=None)
def test_no_text_is_too_odd(program: str) -> None:
    with contextlib.suppress(InvalidWorkflow):
        values(JOB, program)


def test_depth_is_no_traceback() -> None:
    assert values(JOB, "(" * 5000 + "1" + ")" * 5000) == [1]
    with pytest.raises(InvalidWorkflow):
        values(JOB, "(" * 50_000 + "1" + ")" * 50_000)
