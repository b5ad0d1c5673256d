"""Python source as far as it decides what a program does: without comments and blank lines. Pure."""

from __future__ import annotations

import io
import tokenize


def without_comments(source: bytes) -> bytes:
    """The source without its comments, blank lines and trailing blanks; as it is where it cannot be read as Python.

    Docstrings stay: a program may print them.
    """
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
        lines = source.decode(tokens[0].string).splitlines()
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError, LookupError):
        return source
    within: set[int] = set()  # lines inside of texts of several lines: nothing of them is dropped
    for token in tokens:
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER) and token.end[0] > token.start[0]:
            within.update(range(token.start[0], token.end[0]))
    for token in tokens:
        if token.type == tokenize.COMMENT:
            number, column = token.start
            lines[number - 1] = lines[number - 1][:column]
    kept = [line if number in within else line.rstrip() for number, line in enumerate(lines, 1)]
    return "\n".join(line for number, line in enumerate(kept, 1) if line or number in within).encode()
