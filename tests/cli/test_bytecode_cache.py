"""Texts whose code was kept mean what Python makes of them; a file of them that is missing or damaged costs time only."""

import dataclasses
import marshal
import re
import sys
import threading
import typing
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hera_utils import bytecode_cache

PATTERNS = [
    ("a+b", 0),
    (r"(?P<year>\d{4})-(?P<month>\d\d)", 0),
    (r"(?i)straße|ǆ", re.DOTALL),
    (rb"[\x00-\xff]*?$", re.MULTILINE),
    (r"(?<!x)[^a-y\W]{2,}(?=(y))\1?", re.ASCII | re.VERBOSE),
    (r"[" + "".join(chr(c) for c in range(0x4E00, 0x4F00, 3)) + "]", 0),
]


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of the texts stored under the name "it"."""
    monkeypatch.setattr(bytecode_cache.__spec__, "cached", str(tmp_path / "bytecode_cache.tag.pyc"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "bytecode_cache.tag.it"


def compiled(patterns):
    re.purge()
    with warnings.catch_warnings(), bytecode_cache.cached_bytecode("it"):
        warnings.simplefilter("ignore")
        return [re.compile(pattern, flags) for pattern, flags in patterns]


def as_python_does(patterns):
    re.purge()
    return [re.compile(pattern, flags) for pattern, flags in patterns]


def test_expressions_are_the_same_whether_they_were_kept_or_not(file):
    """Python calls two expressions equal whose text, flags and compiled form are."""
    plain, first = as_python_does(PATTERNS), compiled(PATTERNS)
    written = file.read_bytes()
    second = compiled(PATTERNS)
    assert plain == first == second
    assert [one.groupindex for one in second] == [one.groupindex for one in plain]
    assert file.read_bytes() == written, "all was known"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab(|)[]*+?{}1,^$.\\PdwW<>:=i-", max_size=12), st.sampled_from([0, re.I, re.M | re.X])),
        max_size=4,
    )
)
def test_drawn_expressions_are_the_same(file, patterns):
    def outcome(compile_all, one):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return compile_all([one])
            except (re.error, OverflowError, RecursionError) as error:
                return repr(error)

    for one in patterns:
        assert outcome(as_python_does, one) == outcome(compiled, one) == outcome(compiled, one)


def defined():
    with bytecode_cache.cached_bytecode("it"):

        @dataclasses.dataclass(frozen=True, order=True)
        class Point:
            x: "int | None"
            y: "dict[str, list[int]]" = dataclasses.field(default_factory=dict)

        return Point, typing.get_type_hints(Point)


def test_classes_and_types_are_the_same_whether_they_were_kept_or_not(file):
    for _ in range(2):
        Point, hints = defined()
        assert hints == {"x": int | None, "y": dict[str, list[int]]}
        assert (Point(1), repr(Point(1, {"a": [2]})), Point(1) < Point(2)) == (
            Point(1, {}), f"{Point.__qualname__}(x=1, y={{'a': [2]}})", True
        )  # fmt: skip
        with pytest.raises(dataclasses.FrozenInstanceError):
            Point(1).x = 2
        assert Point(1).y is not Point(1).y
    assert file.exists()


def test_nothing_of_it_stays(file):
    before = re._compiler.compile if hasattr(re, "_compiler") else None
    with pytest.raises(KeyError), bytecode_cache.cached_bytecode("it"), bytecode_cache.cached_bytecode("other"):
        raise KeyError
    assert "compile" not in vars(typing)
    assert "exec" not in vars(dataclasses)
    assert before is None or re._compiler.compile is before


def test_a_damaged_file_costs_time_only_and_is_replaced(file):
    plain = as_python_does(PATTERNS)
    compiled(PATTERNS)
    whole = file.read_bytes()
    step = len(whole) // 40
    foreign = [marshal.dumps(({"another": "python"}, {})), marshal.dumps(7), bytes(len(whole))]
    for content in [*(whole[:end] for end in range(0, len(whole) - 1, step)), *foreign]:
        file.write_bytes(content)
        assert compiled(PATTERNS) == plain
        assert file.read_bytes() == whole


def test_a_folder_that_takes_no_file_costs_time_only(file):
    file.mkdir()
    assert compiled(PATTERNS) == as_python_does(PATTERNS)
    assert [one.name for one in file.parent.iterdir()] == [file.name], "nor is anything left there"


def test_nothing_is_written_where_python_writes_no_bytecode(file, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled(PATTERNS) == as_python_does(PATTERNS)
    assert not file.exists()


def test_texts_of_packages_that_were_replaced_do_not_pile_up(file, monkeypatch):
    monkeypatch.setattr(bytecode_cache, "_MAX_TEXTS", 4)
    for number in range(20):
        compiled([(f"pattern {number}", 0)])
    assert len(marshal.loads(file.read_bytes())[1]) <= 5


def test_threads_that_compile_at_once_do_not_take_each_others(file):
    patterns = [[(rf"(thread{thread}){{{number}}}[a-z{number}]+", 0) for number in range(150)] for thread in range(4)]
    together = threading.Barrier(len(patterns))

    def compile_own(own):
        together.wait()
        return [re._compiler.compile(*one) if hasattr(re, "_compiler") else re.compile(*one) for one in own]

    with ThreadPoolExecutor(len(patterns)) as threads, bytecode_cache.cached_bytecode("it"):
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            list(threads.map(compile_own, patterns))
        finally:
            sys.setswitchinterval(interval)
    flat = [one for own in patterns for one in own]
    assert compiled(flat) == as_python_does(flat)
