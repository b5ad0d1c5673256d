"""`when`: govaluate with Argo's twist. Verdicts and messages are those of Argo 4.1.2."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.expressions.govaluate.condition import ConditionError, evaluate_condition


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", True),
        ("true", True),
        ("heads == heads", True),
        ("heads == tails", False),
        ("'heads' != tails", True),
        ("5 > 3 && 1 <= 1", True),
        ("10 > 9", True),
        ("a > b", False),
        ("(1 == 2) || !(false)", True),
        ("foo =~ '^f'", True),
        ("foo !~ '^f'", False),
        ("3 in (1, 2, 3)", True),
        ("x in (a, b)", False),
        ("1 + 2 * 3 == 7", True),
        ("10 - 3 - 2 == 5", True),
        ("2 ** 3 ** 2 == 64", True),
        ("true ? true : false", True),
        ("'2020-01-02' > '2020-01-01'", True),
        ("[a b] == 'a b'", True),
        ("a\\-b == 'a-b'", True),
        ("Succeeded == Succeeded", True),
        ("'' == ''", True),
        ("(true) false", True),
    ],
)
def test_verdict(text: str, verdict: bool) -> None:
    assert evaluate_condition(text) is verdict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{{x}} == 1",
            "Invalid 'when' expression '{{x}} == 1': Invalid token: '{{' "
            '(hint: try wrapping the affected expression in quotes ("))',
        ),
        ("a b", "Invalid 'when' expression 'a b': Cannot transition token types from VARIABLE [a] to VARIABLE [b]"),
        ("foo(1)", "Invalid 'when' expression 'foo(1)': Undefined function foo"),
        ("(a", "Invalid 'when' expression '(a': Unbalanced parenthesis"),
        ("a ==", "Invalid 'when' expression 'a ==': Unexpected end of expression"),
        (
            "foo.bar == 1",
            "Invalid 'when' expression 'foo.bar == 1': Unable to access unexported field 'bar' in token 'foo.bar'",
        ),
        (
            "!foo",
            "Failed to parse 'when' expression '!foo': Cannot transition token types from PREFIX [!] to STRING [foo]",
        ),
        (
            "a-b == a-b",
            "Failed to evaluate 'when' expresion 'a-b == a-b': Value 'a' cannot be used with the modifier '-', it is not a number",
        ),
        ("v1.2 == x", "Failed to evaluate 'when' expresion 'v1.2 == x': No parameter 'v1' found."),
        ("1 + 1", "Expected boolean evaluation for '1 + 1'. Got 2"),
        ("foo", "Expected boolean evaluation for 'foo'. Got foo"),
        (
            "1 < a",
            "Failed to evaluate 'when' expresion '1 < a': Value '1' cannot be used with the comparator '<', it is not a number",
        ),
    ],
)
def test_message(text: str, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        evaluate_condition(text)
    assert caught.value.message == message


@given(st.text(max_size=30))
def test_any_text_gives_a_verdict_or_a_message(text: str) -> None:
    with contextlib.suppress(ConditionError):
        assert evaluate_condition(text) in (True, False)


@given(st.text(alphabet=st.characters(exclude_characters="'\"\\", codec="utf-8"), max_size=20))
def test_a_quoted_text_equals_itself(text: str) -> None:
    assert evaluate_condition(f"'{text}' == \"{text}\"") is True
