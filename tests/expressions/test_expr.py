"""expr-lang 1.17 as Argo sets it up. Expected values were checked against the Go original (test_oracle.py does it at large)."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.errors import ExpressionError
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.expr import program

VARIABLES: dict[str, Any] = {
    "inputs.parameters.n": "5",
    "inputs.parameters.list": "[3, 1, 2]",
    "tasks.A.outputs.result": None,
    "steps.a-b.outputs.result": "dashed",
    "workflow.parameters": '[{"name":"p"}]',
    "workflow.parameters.p": "v",
    "item": "x",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("-2 ** 2", -4.0),
        ("2 ** 3 ** 2", 512.0),
        ("7 / 2", 3.5),
        ("-7 % 3", -1),
        ("1_000 + 0x10 + 0b11 + 0o17", 1034),
        ("9223372036854775807 + 1", -9223372036854775808),
        ("1 < 2 < 3", True),
        ("1..3 | map(# * 2)", [2, 4, 6]),
        ("filter([1, 2, 3], {# > 1})", [2, 3]),
        ("[1, 2, 3][1:]", [2, 3]),
        ("[1, 2, 3][-1]", 3),
        ('"héllo"[1:3]', "é"),
        ("{a: {b: 1}}.a.b", 1),
        ("{a: 1}?.b?.c", None),
        ("tasks.A.outputs.result ?? 'd'", "d"),
        ("steps['a-b'].outputs.result", "dashed"),
        ("workflow.parameters.p", "v"),
        ("let x = 2; let y = x * x; y + 1", 5),
        ("if item == 'x' {1} else {2}", 1),
        ("item == 'x' ? 'yes' : 'no'", "yes"),
        ("not (item in ['x']) or item not contains 'y'", True),
        ("'abc' matches '^a.c$'", True),
        ("'abc' startsWith 'a' and 'abc' endsWith 'c'", True),
        ("reduce(1..4, #acc + #, 10)", 20),
        ("sortBy([{k: 2}, {k: 1}], .k) | map(.k)", [1, 2]),
        ("groupBy(1..4, # % 2)[0]", [2, 4]),
        ("sum(1..3) + count([true, false])", 7),
        ("findIndex([1, 2], # == 2)", 1),
        ("asInt(inputs.parameters.n) + asFloat('1.5')", 6.5),
        ("jsonpath(inputs.parameters.list, '$[0]')", 3.0),
        ("fromJSON(inputs.parameters.list)", [3.0, 1.0, 2.0]),
        ("toJSON({a: 1})", '{\n  "a": 1\n}'),
        ("toJson({b: '<', a: 1.0})", '{"a":1,"b":"\\u003c"}'),
        ("string(1.0) + string(1e21) + string(nil)", "11e+21<nil>"),
        ("split('a,b', ',') | join('-')", "a-b"),
        ("date('2023-08-14').Weekday().String()", "Monday"),
        ("string(date('2023-08-14T12:00:00Z') - date('2023-08-14'))", "12h0m0s"),
        ("duration('90m').Hours()", 1.5),
        ("now().Year()", 2023),
        ("b'\\xff'", b"\xff"),
        ("`raw ``quote```", "raw `quote`"),
        ("'\\u00e9\\x41'", "éA"),
        ("1; 2 // comment", 2),
        ("true and workflow.parameters.p", "v"),
        ("median([1, 2, 3, 4]) + mean(1, 2)", 4.0),
        ("bitand(6, 3) + bitshl(1, 4)", 18),
    ],
)
def test_value(text: str, expected: Any) -> None:
    value = program.evaluate(text, VARIABLES, entropy=Entropy(1700000000, "s"))
    assert value == expected
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "unknown name foo (1:1)\n | foo\n | ^"),
        ("true || foo", "unknown name foo (1:9)\n | true || foo\n | ........^"),
        ("1 == 'a'", "invalid operation: == (mismatched types int and string) (1:3)\n | 1 == 'a'\n | ..^"),
        ("item + 1", "invalid operation: + (mismatched types string and int) (1:6)\n | item + 1\n | .....^"),
        ("upper(1)", "cannot use int as argument (type string) to call upper  (1:7)\n | upper(1)\n | ......^"),
        ("1 +", "unexpected token EOF (1:3)\n | 1 +\n | ..^"),
        ("'abc", "literal not terminated (1:5)\n | 'abc\n | ....^"),
        ("filter([1], #)", "predicate should return boolean (got int) (1:13)\n | filter([1], #)\n | ............^"),
        ("let upper = 1; 2", "cannot redeclare builtin upper (1:5)\n | let upper = 1; 2\n | ....^"),
        ("a ?? b + 1", "Operator (+) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses. (1:8)\n"
                       " | a ?? b + 1\n | .......^"),
    ],
)  # fmt: skip
def test_compile_error(text: str, message: str) -> None:
    with pytest.raises(program.CompileError) as caught:
        program.evaluate(text, VARIABLES)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.parameters.n + 1", "invalid operation: string + int (1:21)"),
        ("asInt('x')", "invalid operation: int(x) (1:1)"),
        (f"int('{'9' * 5000}')", f"invalid operation: int({'9' * 5000}) (1:1)"),
        ("inputs.nope.x", "cannot fetch x from <nil> (1:13)"),
        ("[1][3]", "index out of range: 3 (array length is 1) (1:4)"),
        ("inputs.parameters.n()", "invalid operation: cannot call non-function of type string (1:19)"),
        ("fromJSON('{')", "unexpected end of JSON input (1:1)"),
        ("repeat('x', -1)", "invalid argument for repeat (expected positive integer, got -1) (1:1)"),
        ("sprig.fail('no')", "no (1:7)"),
        ("asInt(item) % 0", "invalid operation: int(x) (1:1)"),
    ],
)
def test_evaluation_error(text: str, message: str) -> None:
    with pytest.raises(program.EvaluationError) as caught:
        program.evaluate(text, VARIABLES)
    assert caught.value.message.split("\n")[0] == message


@pytest.mark.parametrize(
    "text",
    [
        "map(1..999999, map(1..999999, #))",
        "1..100000000",
        "repeat('x', 1000000)",
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 5000,
        "-" * 5000 + "1",
        "all(1..900000, all(1..900000, true))",
        "let a = repeat('x', 99999); let b = replace(a, 'x', a); b",
        "reduce(1..900000, #acc + 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', '')",
    ],
)
def test_greedy_expressions_end_in_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        program.evaluate(text, VARIABLES)


def test_long_chains_are_no_problem() -> None:
    assert program.evaluate("+".join(["1"] * 3000), {}) == 3000


def test_missing_names_as_argo_counts_them() -> None:
    compiled = program.parse(
        "tasks.X.outputs.result == 'a' && tasks.A.outputs.result != nil && nope?.b.c == 1 && (zz.y ?? 1) == 1"
    )
    assert compiled.missing(VARIABLES) == ["tasks.X", "tasks.X.outputs", "tasks.X.outputs.result", "nope", "zz"]


def test_a_name_that_begins_another_gives_way() -> None:
    assert program.evaluate("workflow.parameters", VARIABLES) == {"p": "v"}
    assert program.evaluate("inputs.parameters.nope", VARIABLES) is None


def test_a_variable_hides_a_builtin() -> None:
    assert program.evaluate("split == '1'", {"split": "1"}) is True


def test_evaluate_boolean() -> None:
    tasks = {"A": {"Succeeded": True, "Failed": False}}
    assert program.evaluate_boolean("A.Succeeded && !A.Failed", tasks, entropy=Entropy()) is True
    with pytest.raises(ExpressionError, match=r"unable to cast expression result 'x' to bool"):
        program.evaluate_boolean("'x'", {}, entropy=Entropy())
    with pytest.raises(ExpressionError, match=r"unable to evaluate expression 'A.B.C': cannot fetch C from bool"):
        program.evaluate_boolean("A.B.C", {"A": {"B": True}}, entropy=Entropy())
    assert program.evaluate_truth("asInt(inputs.parameters.n) > 4", VARIABLES) is True
    with pytest.raises(ExpressionError, match=r"unable to cast expression result '%!s\(int=5\)' to bool"):
        program.evaluate_truth("asInt(inputs.parameters.n)", VARIABLES)
    with pytest.raises(program.CompileError, match="unknown name Z"):
        program.evaluate_boolean("Z.Succeeded", tasks, entropy=Entropy())


@pytest.mark.parametrize(
    "text", ["__import__('os')", "''.__class__", "[].__class__", "sprig.add.__call__", "now().__class__"]
)
def test_what_is_python_s_is_out_of_reach(text: str) -> None:
    with pytest.raises(ExpressionError):
        program.evaluate(text, VARIABLES)


def test_names_of_maps_are_never_attributes() -> None:
    assert program.evaluate("inputs.__class__ ?? $env?.__dict__", VARIABLES) is None


_WORDS = [
    "1", "'a'", "x", "inputs", ".", "?.", "(", ")", "[", "]", "{", "}", "+", "-", "*", "/", "%", "**", "==", "in", "not", "let", ";",
    ",", ":", "?", "??", "|", "#", "filter", "map", "len", "now()", "date('2020-01-01')", "duration('1h')", "nil", "true", "..",
    "sprig", "matches", "if", "else", "=", "toJSON", "$env", "::", "b'a'", "get", "sum", "reduce", "sortBy", "1e400", "\\", "`",
]  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_WORDS), max_size=12).map(" ".join) | st.text(max_size=20))
def test_any_text_gives_a_value_or_an_expression_error(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        program.evaluate(text, {"inputs.parameters.a": "1", "x": [1, "a", None]})
