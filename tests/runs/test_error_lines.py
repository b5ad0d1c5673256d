"""The one line that says why a program failed, from what real programs wrote."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.error_lines import LONGEST, OVER_MEMORY, error_line, with_error_line

PROGRAMS = {
    "1 / 0": "ZeroDivisionError: division by zero",
    "raise ValueError('a\\n b\\nc')": "ValueError: a",
    "raise ValueError": "ValueError",
    "return": "SyntaxError: 'return' outside function",
    "import sys; sys.exit('no such model')": "no such model",
    "import sys; sys.exit('model: x is no number\\n  fix: give one')": "model: x is no number",
    "print('a\\n\\nb'); import os; print(1, flush=True); os._exit(2)": "1",
    "try:\n    1 / 0\nexcept ArithmeticError as error:\n    raise KeyError('k') from error": "KeyError: 'k'",
    "import atexit, sys; atexit.register(print, 'bye', file=sys.stderr)\nraise OSError(5, 'no disk')": "OSError: [Errno 5] no disk",
    "import sys; print('\\x1b[31mred\\x1b[0m\\x07', file=sys.stderr); sys.exit(1)": "red\\x07",
}
GROUP = """
  + Exception Group Traceback (most recent call last):
  |   File "x.py", line 1, in <module>
  |     raise ExceptionGroup('many', [ValueError('x')])
  | ExceptionGroup: many (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: x
    +------------------------------------
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_real_programs(program, tmp_path):
    (tmp_path / "program.py").write_text(program)
    said = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True)
    assert error_line((said.stderr or said.stdout).split("\n")) == PROGRAMS[program]


def test_a_progress_bar_is_read_as_a_terminal_shows_it():
    assert error_line(["  % Total", "  Dload", "\r  0\r  50", "\r 100 curl: (6) no host"]) == "100 curl: (6) no host"


def test_a_group_of_exceptions():
    assert error_line(GROUP.split("\n")) == "ExceptionGroup: many (1 sub-exception)"
    inner = """
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "x.py", line 2, in work
    |     raise ValueError('in task')
    | ValueError: in task
    +------------------------------------
"""
    assert error_line(inner.split("\n")) == "ValueError: in task"


@given(st.lists(st.text(max_size=400) | st.just("Traceback (most recent call last):")))
def test_it_is_one_short_line_without_controls(lines):
    line = error_line(lines)
    assert len(line) <= LONGEST
    assert not any(ord(one) < 32 for one in line)
    assert bool(line) or all(not one.strip() or not one.strip().isprintable() for one in lines)


def test_only_a_message_without_a_reason_gets_one():
    assert with_error_line("main: Error (exit code 1)", "E: x") == "main: Error (exit code 1): E: x"
    assert with_error_line("main: Error (exit code 1): said", "E: x") == "main: Error (exit code 1): said"
    assert with_error_line("OOMKilled (exit code 137)", "E: x") == "OOMKilled (exit code 137)"
    limit = f"{OVER_MEMORY} of 2Gi"
    assert with_error_line("main: OOMKilled (exit code 137)", limit) == f"main: OOMKilled (exit code 137): {limit}"
