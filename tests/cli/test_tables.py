"""Tables fit a terminal: numbers whole, texts cut, and a column without room is named."""

import pytest
from rich.cells import cell_len

from hera_utils.cli import terminal
from hera_utils.cli.tables import Table, lay_out
from hera_utils.results.terminal_table import number

TABLE = Table(
    ("point", "alpha", "kind", "accuracy", "artifacts", "status", "seconds", "attempts"),
    [
        ("a" * 12, "0.000621", "svm", "0.9734", "fit-2p18-0p000621-svm-f407c26ac61c/model", "Succeeded", "1.25", "1"),
        ("b" * 12, "0.01", "forest", "0.9", "fit-日本語/model", "Failed", "12", "2"),
    ],
    (False, True, False, True, False, False, True, True),
    omitted_first=("artifacts", "attempts"),
)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    lines, kept, gone = lay_out(TABLE, width)
    assert {sum(map(cell_len, line)) + 2 * (len(line) - 1) for line in lines} <= set(range(width + 1))
    assert len(kept) + len(gone) == len(TABLE.header)
    assert all(len(line) == len(kept) for line in lines)
    for place, index in enumerate(kept):
        if TABLE.numeric[index]:
            assert [line[place].strip() for line in lines[1:]] == [row[index] for row in TABLE.lines]


@pytest.mark.parametrize("width", [30, 40, 60, 80])
def test_what_one_copies_is_not_cut(width):
    runs = Table(
        ("run", "status", "message"), [("a-long-name-of-a-run-x7k2q", "Succeeded", "two words " * 9)], whole=("run",)
    )
    (_, line), _, _ = lay_out(runs, width)
    assert line[0] == "a-long-name-of-a-run-x7k2q"
    assert sum(map(len, line)) + 2 * (len(line) - 1) <= width


def test_what_goes_first():
    assert lay_out(TABLE, 200)[2] == []
    assert lay_out(TABLE, 80)[2] == []
    assert lay_out(TABLE, 70)[2] == ["artifacts"]
    assert lay_out(TABLE, 60)[2] == ["artifacts", "attempts"]
    (first, *_), _, _ = lay_out(TABLE, 80)
    assert first[0].strip() == "point"


def test_a_pipe_gets_everything():
    lines, _, gone = lay_out(TABLE)
    assert gone == []
    assert lines[1][4].strip() == TABLE.lines[0][4]


def test_what_has_no_room_is_named(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "width", lambda: 60)
    assert (
        terminal.table_lines(TABLE, all_of_them="--wide")[-1]
        == "… no room for: artifacts, attempts; all of them: --wide"
    )
    assert "no room" not in terminal.table_lines(TABLE, fit=False)[-1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345678901234567, "0.123457"), (12.0, "12"), (1e-7, "1e-07"), (123456.789, "123457"), (float("nan"), "nan")],
)
def test_numbers_have_sensible_digits(value, text):
    assert number(value) == text
