"""sprig through expressions: what it gives, what it swallows, what it may not do here."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest

from hera_utils.errors import ExpressionError
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.expr import program
from hera_utils.expressions.gotext import to_json
from hera_utils.expressions.sprig.registry import NAMES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sprig.replace('a', 'b', 'banana')", "bbnbnb"),
        ("sprig.trunc(3, 'abcdef')", "abc"),
        ("sprig.trunc(-2, 'abcdef')", "ef"),
        ("sprig.abbrev(5, 'hello world')", "he..."),
        ("sprig.title('hello wORLD')", "Hello WORLD"),
        ("sprig.snakecase('HTTPStatusCode')", "http_status_code"),
        ("sprig.camelcase('http_server')", "HttpServer"),
        ("sprig.kebabcase('FirstName')", "first-name"),
        ("sprig.wrap(5, 'aa bb cc')", "aa bb\ncc"),
        ("sprig.quote(1, 'x', nil)", '"1" "x"'),
        ("sprig.indent(2, 'a\\nb')", "  a\n  b"),
        ("sprig.int('rubbish')", 0),
        (f"sprig.int('{'9' * 5000}')", 0),
        (f"sprig.atoi('{'9' * 5000}')", 0),
        ("sprig.int('010')", 8),
        ("sprig.add(1, '2', 3.9)", 6),
        ("sprig.divf(1, 3)", 0.3333333333333333),
        ("sprig.addf(0.1, 0.2)", 0.3),
        ("sprig.round(2.675, 2)", 2.68),
        ("sprig.seq(1, 2, 7)", "1 3 5 7"),
        ("sprig.untilStep(0, 6, 2)", [0, 2, 4]),
        ("sprig.splitList('-', 'a-b')", ["a", "b"]),
        ("sprig.split('-', 'a-b')._1", "b"),
        ("sprig.join('-', [1, nil, 'b'])", "1-b"),
        ("sprig.default('d', '')", "d"),
        ("sprig.coalesce(nil, 0, '', 'x')", "x"),
        ("sprig.ternary('a', 'b', false)", "b"),
        ("sprig.dict('a', 1, 'b', 2).b", 2),
        ("sprig.dig('a', 'b', 'none', {a: {b: 1}})", 1),
        ("sprig.merge({a: 1}, {a: 2, b: 3})", {"a": 1, "b": 3}),
        ("sprig.chunk(2, [1, 2, 3])", [[1, 2], [3]]),
        ("sprig.uniq([1, 1, 2])", [1, 2]),
        ("sprig.b64dec('aGk=')", "hi"),
        ("sprig.b64dec('!')", "illegal base64 data at input byte 0"),
        ("sprig.sha256sum('a')[:8]", "ca978112"),
        ("sprig.regexReplaceAll('a(x*)b', '-ab-axxb-', '${1}W')", "-W-xxW-"),
        ("sprig.regexFindAll('[0-9]+', 'a1b22', -1)", ["1", "22"]),
        ("sprig.semverCompare('^1.2', '1.9.3')", True),
        ("sprig.semverCompare('>=1.2, <2', '2.0.0')", False),
        ("sprig.date('2006-01-02', 0)", "1970-01-01"),
        ("sprig.dateInZone('15:04', 0, 'Europe/Paris')", "01:00"),
        ("sprig.dateInZone('15:04', 0, 'No/Where')", "00:00"),
        ("sprig.durationRound('2h10m5s')", "2h"),
        ("sprig.toDate('2006-01-02', '2023-08-14') | sprig.unixEpoch", None),
        ("sprig.unixEpoch(sprig.toDate('2006-01-02', '2023-08-14'))", "1691971200"),
        ("sprig.urlParse('http://u:p@h:80/p?q#f').hostname", "h"),
        ("sprig.base('/a/b.txt') + sprig.ext('/a/b.txt')", "b.txt.txt"),
        ("sprig.typeOf([1]) + sprig.kindOf(1.5)", "[]interface {}float64"),
        ("len(sprig.regexFindAll('x', 'a', -1))", 0),
    ],
)
def test_value(text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            program.evaluate(text, {})
        return
    assert program.evaluate(text, {}) == expected


@pytest.mark.parametrize("name", ["env", "expandenv", "nope"])
def test_the_environment_is_not_there(name: str) -> None:
    with pytest.raises(ExpressionError, match="cannot call nil"):
        program.evaluate(f"sprig.{name}('HOME')", {})


@pytest.mark.parametrize("call", ["getHostByName('localhost')", "genPrivateKey('rsa')", "bcrypt('x')"])
def test_refused_by_name(call: str) -> None:
    with pytest.raises(ExpressionError, match="is not supported in expressions on this platform"):
        program.evaluate(f"sprig.{call}", {})


@pytest.mark.parametrize(
    "call", ["semverCompare(sprig.repeat(100000, '1'), '1.0.0')", "semver(sprig.repeat(100000, '1'))"]
)
def test_a_version_has_a_bounded_length(call: str) -> None:
    """The patterns of constraints took minutes for a hundred thousand digits."""
    with pytest.raises(ExpressionError, match="length is greater than 256 bytes"):
        program.evaluate(f"sprig.{call}", {})


def test_wrong_arguments() -> None:
    with pytest.raises(ExpressionError, match="reflect: Call using int as type string"):
        program.evaluate("sprig.trim(1)", {})
    with pytest.raises(ExpressionError, match="invalid number of arguments: expected 1, got 2"):
        program.evaluate("sprig.trim('a', 'b')", {})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("regexFind('[', 'a')", "regexp: Compile(`[`): error parsing regexp: missing closing ]: `[`"),
        ("regexSplit('`[', 'a', 1)", 'regexp: Compile("`["): error parsing regexp: missing closing ]: `[`'),
        ("mustRegexFind('[', 'a')", "error parsing regexp: missing closing ]: `[`"),
    ],
)
def test_a_bad_pattern_is_told_as_go_does(call: str, said: str) -> None:
    with pytest.raises(ExpressionError) as error:
        program.evaluate(f"sprig.{call}", {})
    assert str(error.value).startswith(said)


def test_random_functions_draw_on_the_seed() -> None:
    text = (
        "[sprig.randAlpha(9), sprig.randNumeric(4), sprig.randInt(5, 9), sprig.shuffle('abcdef'), sprig.randBytes(6)]"
    )
    drawn = program.evaluate(text, {}, entropy=Entropy(0, "a"))
    assert drawn == program.evaluate(text, {}, entropy=Entropy(0, "a"))
    assert drawn != program.evaluate(text, {}, entropy=Entropy(0, "b"))
    assert drawn[0].isalpha()
    assert len(drawn[0]) == 9
    assert drawn[1].isdigit()
    assert 5 <= drawn[2] < 9
    assert sorted(drawn[3]) == list("abcdef")


@pytest.mark.parametrize(
    "text",
    [
        "sprig.repeat(999999999, 'x')",
        "sprig.until(99999999)",
        "sprig.randAlpha(999999999)",
        "sprig.indent(9999999, 'x')",
    ],
)
def test_greedy_calls_end_in_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        program.evaluate(text, {})


_ARGUMENTS = [
    "nil", "true", "0", "-1", "9223372036854775807", "1.5", "1e308", "''", "'a'", "'é'", "'[1'", "[]", "[nil, 1]", "{}",
    "{a: {b: 1}}", "now()", "duration('1h')", "1..3", "b'x'", "sprig", "'%s'", "0.0 / 0.0", "sprig.trim", "x",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(NAMES))
def test_any_arguments_give_a_value_or_an_expression_error(name: str) -> None:
    draw = random.Random(name)
    for count in range(5):
        for _ in range(12):
            text = f"sprig.{name}({', '.join(draw.choice(_ARGUMENTS) for _ in range(count))})"
            with contextlib.suppress(ExpressionError):
                to_json(program.evaluate(text, {"x.y": [1, {"z": None}]}))
