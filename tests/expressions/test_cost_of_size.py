"""What a function goes through counts as well as how often it is called: a step may be a text of a million, or a list in lists in lists."""

import pytest

from hera_utils.errors import ExpressionError
from hera_utils.expressions.expr import evaluator, program

TENFOLD = "let a = [1,2,3,4,5,6,7,8,9,0]; " + "".join(
    f"let {chr(98 + n)} = [{','.join([chr(97 + n)] * 10)}]; " for n in range(9)
)
TEXT = "let t = repeat('a', 900000); "
LIST = "let l = 1..400000; "
WIDE = "let t = repeat('a', 900000); " + "".join(
    f"let {chr(98 + n)} = [{','.join([chr(97 + n) if n else 't'] * 20)}]; " for n in range(3)
)


@pytest.mark.parametrize(
    "source",
    [
        TENFOLD + "len(flatten(j))",
        "let a = [[], []]; "
        + "".join(f"let {chr(98 + n)} = [{chr(97 + n)}, {chr(97 + n)}]; " for n in range(24))
        + "flatten(y)",
        TENFOLD + "max(j)",
        TENFOLD + "median(j)",
        TENFOLD + "j == i",
        TENFOLD + "j in [i, j]",
        TENFOLD + "sprig.deepEqual(j, j)",
        TENFOLD + "len(sprig.deepCopy(j))",
        TENFOLD + "sprig.cat(j)",
        WIDE + "len(toJSON(d))",
        WIDE + "len(string(d))",
        "len(join(split(repeat('a,', 400000), ','), repeat('x', 900000)))",
        "len(sprig.join(repeat('x', 900000), split(repeat('a,', 400000), ',')))",
        "let l = 1..400000; len(concat(" + ", ".join(["l"] * 20) + "))",
        "let l = 1..400000; len(sprig.concat(" + ", ".join(["l"] * 20) + "))",
        "len(map(1..1000, {sprig.until(900000)}))",
        "let t = '[[' + repeat('1,', 400000) + '1]]'; len(map(1..1000, {fromJSON(t)}))",
        "let l = 1..400000; len(toJSON(" + "[" * 60 + "l" + "]" * 60 + "))",
    ],
)
def test_what_is_made_has_a_bound(source):
    with pytest.raises(ExpressionError, match="memory budget exceeded"):
        program.evaluate(source, {})


@pytest.mark.parametrize(
    "each",
    [
        TEXT + "len(map(1..300000, {indexOf(t, 'b')}))",
        TEXT + "len(map(1..300000, {sprig.initials(t)}))",
        TEXT + "len(map(1..300000, {t contains 'b'}))",
        TEXT + "len(map(1..300000, {t matches 'b'}))",
        "let t = repeat('ä', 900000); len(map(1..300000, {t[0:1]}))",
        LIST + "len(map(1..300000, {max(l)}))",
        LIST + "len(map(1..300000, {sprig.has(0, l)}))",
        LIST + "len(map(1..300000, {0 in l}))",
    ],
)
def test_what_is_gone_through_counts(each, monkeypatch):
    monkeypatch.setattr(evaluator, "MOST_STEPS", 150_000)
    with pytest.raises(ExpressionError, match="evaluation takes too many steps"):
        program.evaluate(each, {})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (TEXT + "len(map(1..200000, {len(t)}))", 200_000),
        (TEXT + "len(map(1..100000, {t[5:6]}))", 100_000),
        (TEXT + "len(filter(1..50000, {string(#) == t}))", 0),
        (LIST + "sum(map(1..100000, {first(l)}))", 100_000),
        (LIST + "sum(map(1..100000, {sprig.first(l)}))", 100_000),
        ("let m = fromPairs(map(1..10000, {[#, #]})); count(1..100000, {# in m})", 10_000),
        ("let l = map(1..1000, {string(#)}); count(map(1..2000, {string(#)}), {# in l})", 1000),
        ("'äb'[0:2] + 'abc'[1:] + 'abc'[-2:]", "äbcbc"),
    ],
)
def test_what_takes_one_part_costs_one_step(source, value):
    assert program.evaluate(source, {}) == value


def test_order_is_that_of_go():
    values = {"v": [3, 1.5, 2, 1, 2.0, "x"][:5], "t": ["b", "a", "é", "z", "a"]}
    assert program.evaluate("sort(v)", values) == [1, 1.5, 2, 2.0, 3]
    assert program.evaluate("sort(v, 'desc')", values) == [3, 2, 2.0, 1.5, 1]
    assert program.evaluate("sort(t)", values) == ["a", "a", "b", "z", "é"]
    assert program.evaluate("sortBy(1..6, {# % 2}, 'desc')", {}) == [1, 3, 5, 2, 4, 6]
