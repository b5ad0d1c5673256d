"""Expressions that each keep their own bound have one together, where one event evaluates many."""

import pytest

from hera_utils.errors import ExpressionError
from hera_utils.expressions import cost
from hera_utils.expressions.expr.program import evaluate

COSTLY = "len(map(1..100, {map(1..100, {1})}))"


def test_evaluations_have_a_bound_together():
    with cost.limit_steps(50_000):
        assert [evaluate(COSTLY, {}) for _ in range(2)] == [100, 100]
        cost.spend(50_000, 0)
        with pytest.raises(ExpressionError, match="too many steps, together with those before it"):
            evaluate(COSTLY, {})
    assert evaluate(COSTLY, {}) == 100


def test_each_evaluation_counts():
    with cost.limit_steps(3 * 10_000):
        done = 0
        while done < 100 and not _is_refused():
            done += 1
    assert 1 <= done < 10


def _is_refused() -> bool:
    try:
        evaluate(COSTLY, {})
    except ExpressionError:
        return True
    return False


def test_the_characters_of_texts_count_too():
    with cost.limit_steps(15_000):
        assert evaluate("len(repeat('a', 900000))", {}) == 900_000
        assert _is_refused()


def test_a_bound_is_for_one_event():
    for _ in range(3):
        with cost.limit_steps(50_000):
            assert evaluate(COSTLY, {}) == 100
