"""Go's regular expressions: what Python's would read otherwise, and that no pattern runs away."""

from __future__ import annotations

import contextlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.expressions import regexp
from hera_utils.expressions.values import Failure


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"a+?", "aaa", "a"),
        (r"(?U)a+", "aaa", "a"),
        (r"\d", "٣3", "3"),
        (r"x$", "x\n", None),
        (r"(?m)x$", "x\ny", "x"),
        (r"\z", "ab", ""),
        (r"\Qa.b\E", "axb a.b", "a.b"),
        (r"[[:^alpha:]]+", "ab12", "12"),
        (r"\p{Lu}+", "aÉÀb", "ÉÀ"),
        (r"(?P<x>a)(?<y>b)", "ab", "ab"),
        (r"\x{1F600}", "\U0001f600", "\U0001f600"),
        (r"(a|ab)(c|bcd)", "abcd", "abcd"),
        (r"a**", "a", Failure),
        (r"(?=a)", "a", Failure),
        (r"(a)\1", "aa", Failure),
        (r"(", "", Failure),
        (r"a{1001}", "", Failure),
        (r"(a{100}){100}", "", Failure),
        (r"[z-a]", "", Failure),
    ],
)
def test_meaning(pattern: str, text: str, found: str | type[Failure] | None) -> None:
    if found is Failure:
        with pytest.raises(Failure, match="error parsing regexp"):
            regexp.compile_pattern(pattern)
        return
    match = regexp.compile_pattern(pattern).search(text)
    assert (match.group() if match else None) == found


def test_groups() -> None:
    match = regexp.compile_pattern("(?P<key>[a-z]+)=([0-9]*)(x)?").search("a=1")
    assert match is not None
    assert [match.group(index) for index in range(5)] == ["a=1", "a", "1", "", ""]
    assert match.group("key") == "a"
    assert match.group("nope") == ""


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 60 + "b"),
        ("(a|aa)*c", "a" * 3000),
        (".*.*.*.*x", "y" * 2000),
        ("(x+x+)+y", "x" * 1000),
        ("(a*)*b", "a" * 3000),
    ],
)
def test_nothing_runs_away(pattern: str, text: str) -> None:
    assert regexp.compile_pattern(pattern).search(text) is None


def test_a_large_pattern_over_a_long_text_ends() -> None:
    assert list(regexp.compile_pattern("(a?){500}(a*)*b").all("a" * 60_000)) == []


def test_what_needs_too_much_memory_is_an_error() -> None:
    with pytest.raises(Failure, match="expression too large"):
        regexp.compile_pattern(r"\pL{1000}")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"a\C", r"invalid escape sequence: `\C`"),
        (r"a(?P<é>b)", "invalid named capture: `(?P<é>`"),
        (r"x(?<=a)b", "invalid named capture: `(?<=a)b`"),
        (r"(?<!a)b", "invalid named capture: `(?<!a)b`"),
        (r"\p{nope}", r"invalid character class range: `\p{nope}`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_messages_are_go_s(pattern: str, text: str) -> None:
    with pytest.raises(Failure) as refusal:
        regexp.compile_pattern(pattern)
    assert refusal.value.message == f"error parsing regexp: {text}"


def test_places_are_in_characters() -> None:
    assert [(match.start, match.end) for match in regexp.compile_pattern("b|é").all("éaéb")] == [(0, 1), (2, 3), (3, 4)]
    assert [match.start for match in regexp.compile_pattern(r"\B").all("é")] == [0, 1]
    assert [match.group() for match in regexp.compile_pattern(r"\p{l_u}").all("aBÉ")] == ["B", "É"]


def test_half_a_surrogate_pair_is_carried_through() -> None:
    match = regexp.compile_pattern("b").search("\ud800b")
    assert match is not None
    assert (match.start, match.group()) == (1, "b")


@given(st.text(alphabet="ab()[]{}*+?|^$\\\\.-:PiLdw12,", max_size=12), st.text(alphabet="ab1-", max_size=8))
def test_any_pattern_is_compiled_or_refused(pattern: str, text: str) -> None:
    with contextlib.suppress(Failure):
        list(regexp.compile_pattern(pattern).all(text))


def test_without_re2_a_regular_expression_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(Failure, match="pip install google-re2"):
        regexp.Pattern("a+b")
