import pytest

from hera_utils.watch.terminal_text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é\n\tnext", "plain é\n\tnext"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[H\r", "\\x1b[2J\\x1b[H\\x0d"),
        ("\x9b2J\0\x7f", "\\x9b2J\\x00\\x7f"),
    ],
)
def test_a_terminal_is_not_ordered_about(text, shown):
    assert visible(text) == shown
