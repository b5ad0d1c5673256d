# ruff: noqa: E501 - lists of cases
"""Our languages against the Go originals, on random expressions: same verdict, same value, same Go type.

HERA_UTILS_CAMPAIGN=N compares N times as many, from another seed.
"""

from __future__ import annotations

import json
import math
import os
import random
from fractions import Fraction
from typing import Any

import generate
import pytest

import oracle
from hera_utils.argo import durations, quantities
from hera_utils.errors import ExpressionError
from hera_utils.expressions import regexp, tags
from hera_utils.expressions.expr import program
from hera_utils.expressions.gotext import quote, to_json
from hera_utils.expressions.gotime import LAYOUTS, Moment, format_moment, parse_moment
from hera_utils.expressions.govaluate import condition
from hera_utils.expressions.jsonpath import query
from hera_utils.expressions.values import Failure, go_type

CAMPAIGN = int(os.environ.get("HERA_UTILS_CAMPAIGN", "1"))
START = 0 if CAMPAIGN == 1 else int.from_bytes(os.urandom(4), "big")
RANDOM_ORDER = ("values(", "keys(", "toPairs(")  # Go's maps have no fixed order
# Capacities of Go's slices show through sprig.slice; a text cut within a character is not text in Python, nor is any base64.
NOT_COPIED = ("sprig.slice(", 'é"[', "é'[", "é`[")


@pytest.fixture(scope="module", autouse=True)
def _oracle() -> None:
    try:
        oracle.program()
    except oracle.Unavailable as error:
        pytest.skip(str(error))


def ours(text: str) -> dict[str, Any]:
    variables = json.loads(json.dumps(generate.VARIABLES), parse_int=float)
    try:
        value = program.evaluate(text, variables)
    except ExpressionError as error:
        return {"ok": False, "error": error.message}
    try:
        return {"ok": True, "type": go_type(value), "value": json.loads(to_json(value))}
    except ExpressionError:
        return {"ok": True, "type": go_type(value)}


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        return numbers and (left == right or math.isclose(left, right, rel_tol=1e-15))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


def differences(texts: list[str]) -> tuple[list[str], int]:
    """(the differences in results, the number of different messages)."""
    answers = oracle.ask([{"kind": "expr", "text": text, "variables": generate.VARIABLES} for text in texts])
    found, messages = [], 0
    for text, theirs in zip(texts, answers, strict=True):
        mine = ours(text)
        if any(name in text for name in NOT_COPIED + RANDOM_ORDER) or "\ufffd" in json.dumps(
            theirs, ensure_ascii=False
        ):
            continue
        # JSON has them as ints when they are whole.
        if theirs.get("type") == "float64" and mine.get("type") == "float64":
            theirs["value"], mine["value"] = float(theirs.get("value", 0)), float(mine.get("value", 0))
        if theirs["ok"] != mine["ok"] or (
            theirs["ok"] and (theirs["type"] != mine["type"] or not same(theirs.get("value"), mine.get("value")))
        ):
            found.append(f"{text}\n  theirs {theirs}\n  ours   {mine}")
        elif not theirs["ok"] and theirs["error"] != mine["error"]:
            messages += 1
    return found, messages


def test_expr() -> None:
    count = 2000 * CAMPAIGN
    found, messages = differences([generate.Generator(START + seed).any(4) for seed in range(count)])
    assert not found, "\n".join(found[:10])
    assert messages < count / 100


def test_sprig() -> None:
    count = 2000 * CAMPAIGN
    found, messages = differences([generate.Generator(START + seed).sprig() for seed in range(count)])
    assert not found, "\n".join(found[:10])
    assert messages < count / 50


def test_when() -> None:
    texts = [generate.when(START + seed) for seed in range(4000 * CAMPAIGN)]
    found = []
    for text, theirs in zip(texts, oracle.ask([{"kind": "when", "text": text} for text in texts]), strict=True):
        try:
            mine: Any = condition.evaluate_condition(text)
        except ExpressionError:
            mine = None
        if mine != theirs.get("value"):
            found.append(f"{text}: theirs {theirs}, ours {mine}")
    assert not found, "\n".join(found[:10])


PATHS = [
    "$", "$.a", "$.a[0]", "$..b", "$.a[*]", "$.a[1:]", "$.a[:-1]", "$.a[::2]", "$.a[0,2]", "$['a','c']", "$.c.d", "$.c.*", "$.c.length",
    "$.a.length", "$.a[?(@ > 1)]", "$.o[?(@.x)]", "$.o[?(@.x == 2)].y", "$.o[?(@.y =~ '^p')].x", "$.o[(@.length-1)].y", "$.o[?(@.x > 1 && @.y)]",
    "$.o[?(!@.x)]", "$.o[?(@.x in [1,3])].y", "$.o[*].x", "$..x", "$..*", "$.zz", "$.a[9]", "$.a.b", "$.s[0]", "$x", "", "$.", "$[", "$[]",
    "$.a['x']", "$.o[0]['x','y']", "$.o[-1:].y", "$.o[?(@.x + 1 == 3)].y", "$.o[?(@.y == null)]", "$['a'][1]", "$[\"a\"][1]", "$.n", "$.n.x",
    "$.o[?(@.x != 2 || @.y == 'q')].x", "@.a", "$.a[(@.length-2)]", "$.a[?(@ % 2 == 1)]", "$.o[1:(@.length-1)].y", "$.a[0,(@.length-1)]",
]  # fmt: skip


def test_jsonpath() -> None:
    text = '{"a": [1, 2, 3], "c": {"d": {"b": 5}, "e": null}, "o": [{"x": 1, "y": "p"}, {"x": 2, "y": "q"}, {"y": "pq"}], "s": "str", "n": null}'
    found = []
    draw = random.Random(START)
    paths = PATHS + [generate.path(draw) for _ in range(2000 * CAMPAIGN)]
    for path, theirs in zip(
        paths, oracle.ask([{"kind": "jsonpath", "text": text, "path": path} for path in paths]), strict=True
    ):
        try:
            mine = {"ok": True, "value": json.loads(to_json(query.query_text(text, path)))}
        except Failure as failure:
            mine = {"ok": False, "error": failure.message}
        # JSON has them as ints when they are whole.
        if theirs.get("type") == "float64" and mine.get("type") == "float64":
            theirs["value"], mine["value"] = float(theirs.get("value", 0)), float(mine.get("value", 0))
        if theirs["ok"] != mine["ok"] or (theirs["ok"] and not same(theirs.get("value"), mine["value"])):
            found.append(f"{path}: theirs {theirs}, ours {mine}")
    assert not found, "\n".join(found)


def test_regular_expressions() -> None:
    draw = random.Random(START)
    requests = [
        {"kind": "regexp", "pattern": generate.pattern(draw), "text": generate.subject(draw)}
        for _ in range(500 * CAMPAIGN)
    ]
    found, messages = [], 0
    for request, theirs in zip(requests, oracle.ask(requests), strict=True):
        text = request["text"]
        try:
            mine: Any = [
                [len(text[: match.start].encode()), len(text[: match.end].encode())]
                for match in regexp.Pattern(request["pattern"]).all(text)
            ]
        except Failure as failure:
            mine = None
            messages += failure.message != theirs.get("error")
        if theirs["ok"] != (mine is not None) or (theirs["ok"] and (theirs.get("value") or []) != mine):
            found.append(f"{request}: theirs {theirs}, ours {mine}")
    assert not found, "\n".join(found[:10])
    assert messages == 0


def test_times() -> None:
    layouts = [
        *LAYOUTS.values(),
        "2006-01-02",
        "Jan _2, 2006 at 3:04pm",
        "060102",
        "2006__2",
        "02/01/06",
        "15h04m",
        "2006-01-02T15:04:05.000Z07:00",
    ]
    requests, mine = [], []
    for layout in layouts:
        for seconds in (-2_000_000_000, 0, 951_782_400, 1_700_000_000.5, 4_102_444_799):
            text = format_moment(Moment(int(seconds * 1_000_000_000)), layout)
            requests.append({"kind": "time", "layout": layout, "text": text})
            at = parse_moment(layout, text)
            mine.append([at.json(), format_moment(at, layout)])
    theirs = [answer.get("value") for answer in oracle.ask(requests)]
    assert theirs == mine


def test_durations() -> None:
    texts = [
        "",
        "0",
        "1s",
        "1h2m3.5s",
        "-1.5h",
        "1µs",
        "1us",
        "100ms",
        "1",
        "1x",
        ".5s",
        ".s",
        "1.2.3s",
        "9999999h",
        "é",
        "+5m",
        "1h 2m",
    ]
    draw = random.Random(START)
    texts += [generate.duration(draw) for _ in range(2000 * CAMPAIGN)]
    mine = []
    for text in texts:
        try:
            length = durations.nanoseconds(text)
            mine.append([length, durations.format_nanoseconds(length)])
        except durations.DurationError as error:
            mine.append(error.message)
    theirs = [
        answer["value"] if answer["ok"] else answer["error"]
        for answer in oracle.ask([{"kind": "duration", "text": t} for t in texts])
    ]
    assert theirs == mine


def test_quantities() -> None:
    draw = random.Random(START)
    texts = [generate.quantity(draw) for _ in range(2000 * CAMPAIGN)]
    found = []
    for text, theirs in zip(texts, oracle.ask([{"kind": "quantity", "text": text} for text in texts]), strict=True):
        try:
            exact = quantities.quantity(text)
            mine: Any = [exact, quantities.milli(text)]
        except quantities.QuantityError as error:
            mine = error.message
        if not theirs["ok"]:
            same_answer = mine == theirs["error"]
        else:
            number, _, milli = theirs["value"]
            if len(number) > 1000:  # hera_utils limits exponents to 1000
                continue
            # Value() of a negative quantity does not round consistently.
            if number.startswith("-") or isinstance(mine, str):
                same_answer = not isinstance(mine, str) and Fraction(number) == mine[0]
            else:  # in Go a number beyond 64 bits has no value
                same_answer = [Fraction(number), *mine[1:]] == [
                    mine[0],
                    milli if mine[1] < 1 << 63 else mine[1],
                ]
        if not same_answer:
            found.append(f"{text!r}: theirs {theirs}, ours {mine}")
    assert not found, "\n".join(found[:10])


def test_tags() -> None:
    draw = random.Random(START)
    documents = [{"x": [generate.tagged(draw)], generate.tagged(draw): 1} for _ in range(2000 * CAMPAIGN)]
    requests = [
        {"kind": "tags", "text": tags.marshal(document), "variables": generate.TAG_VARIABLES} for document in documents
    ]
    found = []
    for document, theirs in zip(documents, oracle.ask(requests), strict=True):
        try:
            mine: Any = {"ok": True, "value": tags.replace(document, generate.TAG_VARIABLES)}
        except ExpressionError as error:
            mine = {"ok": False, "error": error.message}
        if theirs["ok"] != mine["ok"] or theirs.get("value") != mine.get("value"):
            found.append(f"{document}: theirs {theirs}, ours {mine}")
    assert not found, "\n".join(found[:10])


def test_quotes() -> None:
    texts = [chr(code) for code in range(0x250)] + [
        "\u200b",
        "\u2028",
        "\U0001f600",
        "\U000e0001",
        "\ufeff",
        'a"b\\c\n',
    ]
    assert [answer["value"] for answer in oracle.ask([{"kind": "quote", "text": text} for text in texts])] == [
        quote(t) for t in texts
    ]
