"""What of a Python source decides what it does."""

import ast
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.provenance.python_source import without_comments


@pytest.mark.parametrize(
    ("source", "bare"),
    [
        ("a = 1  # one\n\n# two\nb = 2\n", "a = 1\nb = 2"),
        ('a = "# none"\n', 'a = "# none"'),
        ('a = """\n# text\n\n  x  \n"""\n', 'a = """\n# text\n\n  x  \n"""'),
        ("def f():\n    # why\n    return 1   \n", "def f():\n    return 1"),
        ('def f():\n    "doc"\n', 'def f():\n    "doc"'),
        ("x = {{inputs.parameters.n}}  # given\n", "x = {{inputs.parameters.n}}"),
        ("f'{a}# no'  # yes\n", "f'{a}# no'"),
        ("# -*- coding: latin-1 -*-\na = 1\n", "a = 1"),
        ("", ""),
    ],
)
def test_comments_and_blank_lines_are_left_out(source, bare):
    assert without_comments(source.encode()).decode() == bare


@pytest.mark.parametrize("source", ["a = (", "\x00", "if x:\n  a\n b", "'''"])
def test_what_is_no_python_stays_as_it_is(source):
    assert without_comments(source.encode()) == source.encode()


WORDS = st.sampled_from(
    [
        "a = 1",
        "if a:",
        "    b = 2",
        "",
        "  ",
        "# note",
        "c = '# x'",
        'd = """',
        "e",
        '"""',
        "x = (",
        "    1,  # y",
        ")",
        "else:",
        "    pass",
    ]
)


@given(st.lists(WORDS, max_size=12).map("\n".join))
def test_the_program_stays_the_same(source):
    try:
        before = ast.dump(ast.parse(source))
    except SyntaxError:
        return
    assert ast.dump(ast.parse(without_comments(source.encode()))) == before


@given(st.text(string.printable, max_size=40))
def test_any_text_has_an_answer(text):
    without_comments(text.encode())
