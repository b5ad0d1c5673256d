"""Lists that are the same list many times over are small until somebody writes them."""

import pytest

from hera_utils.errors import ExpressionError
from hera_utils.expressions.expr import program

TENFOLD = "let a = [1,2,3,4,5,6,7,8,9,0]; " + "".join(
    f"let {chr(98 + n)} = [{','.join([chr(97 + n)] * 10)}]; " for n in range(9)
)


@pytest.mark.parametrize("written", ["toJson(j)", "toJSON(j)", "string(j)", "sprig.toString(j)", "sprig.toJson(j)"])
def test_what_is_written_has_a_bound(written):
    with pytest.raises(ExpressionError, match="memory budget exceeded"):
        program.evaluate(TENFOLD + written, {})


def test_what_is_small_is_written():
    assert program.evaluate("let a = [1, 2]; toJson([a, a])", {}) == "[[1,2],[1,2]]"
    assert program.evaluate("string([[1], [1]])", {}) == "[[1] [1]]"


def test_items_that_are_compared_with_each_other_have_a_bound():
    with pytest.raises(ExpressionError, match="memory budget exceeded"):
        program.evaluate("sprig.uniq(map(1..30000, {[#]}))", {})
    assert program.evaluate("len(sprig.uniq(map(1..900, {[#]})))", {}) == 900
    with pytest.raises(ExpressionError, match="memory budget exceeded"):
        program.evaluate("uniq(map(1..30000, {[#]}))", {})
    assert program.evaluate("len(uniq(concat(1..30000, 1..30000)))", {}) == 30000
    assert program.evaluate('uniq([1, 1.0, "1", true, 2, 2.0, "1", true])', {}) == [1, "1", True, 2]
