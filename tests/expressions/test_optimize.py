"""What expr-lang's optimizer and stack make of expressions, as the original answers (compared in test_oracle where there is Go)."""

from __future__ import annotations

from typing import Any

import pytest

from hera_utils.errors import ExpressionError
from hera_utils.expressions.expr import program

VARIABLES = {"a.b": "x", "n": "1", "flag": True}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.c && false", False),
        ("n in ['1', '2']", True),
        ("a.c in [1, 2]", False),
        ("{k: 1, k: 2}", {"k": 1}),
        ("sum(1..4, # * 2)", 20),
        ("reduce(1..4, # + #acc, 10)", 20),
        ("count([1, 2, 3], # > 1) >= 2", True),
        ("filter([1, 2, 3], # > 1)[-1]", 3),
        ("map(filter([1, 2, 3], # > 1), # * 2)", [4, 6]),
        ("map([1, 2], findLast([1, 2], true))", [True, 2]),
        (" && ".join(["flag"] * 2000), True),
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert program.evaluate(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true || 1 % 0 == 0", "integer divide by zero"),
        ("fromJSON('[1]')[0] in ['x']", "is not assignable to type string"),
        ("filter([1], # > 1)[0]", "slice index out of range"),
        ("0 * findLastIndex([1.5], true)", "invalid operation: bool \\* int"),
        ("sum(['a', 'b'])", "invalid operation: string \\+ int"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        program.evaluate(text, VARIABLES)
