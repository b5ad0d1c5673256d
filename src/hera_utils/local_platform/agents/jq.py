"""Runs jq filters of resource templates by jq itself, in a process with little time, little memory and an empty environment.

Argo runs gojq. Numbers, the order of keys and the common errors are as in gojq; docs/expressions.md lists the differences.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hera_utils.errors import InvalidWorkflow
from hera_utils.expressions.gotext import to_json

SECONDS = 10
"""How long to wait for the process; jq_process.py limits its computing time."""

_GOJQ = [
    (r'Top-level program not given \(try "\."\)', r'missing query (try ".")'),
    (r"syntax error, unexpected end of file.*", r"unexpected EOF"),
    (r"(\$\w+) is not defined", r"variable not defined: \1"),
    (r"(\S+/\d+) is not defined", r"function not defined: \1"),
    (r"module not found: (.*)", r'cannot load module: "\1"'),
    (r"Cannot index (\w+) with string .*", r"expected an object but got: \1"),
    (r"Cannot index (\w+) with number .*", r"expected an array but got: \1"),
    (r"Cannot iterate over (.*)", r"cannot iterate over: \1"),
    (r"(.*) and (.*) cannot be divided because the divisor is zero", r"cannot divide \1 by: \2"),
    (r"(.*) and (.*) cannot be divided \(remainder\) because the divisor is zero", r"cannot modulo \1 by: \2"),
    (r"(.*) and (.*) cannot be added", r"cannot add: \1 and \2"),
    (r"(.*) and (.*) cannot be subtracted", r"cannot subtract: \1 and \2"),
    (r"(.*) and (.*) cannot be multiplied", r"cannot multiply: \1 and \2"),
    (r"(.*) and (.*) cannot be divided", r"cannot divide: \1 and \2"),
    (r"(.*) has no (length|keys)", r"\2 cannot be applied to: \1"),
    (r"(.*) cannot be parsed as a number", r"tonumber cannot be applied to: \1"),
]
"""jq's error message → gojq's message for the same error, as far as jq's says enough."""


def jq(document: Any, program: str) -> str:
    """The values of a jq filter, one per line; strings without quotes, as in Argo. Raises InvalidWorkflow."""
    return "\n".join(
        value if isinstance(value, str) else to_json(value, html=False) for value in values(document, program)
    ).strip()


def values(document: Any, program: str) -> list[Any]:
    """All values that a filter gives for a document; numbers are floats, as Go reads them. Raises InvalidWorkflow."""
    library = importlib.util.find_spec("jq")
    if library is None or library.origin is None:
        raise InvalidWorkflow(f"the jq filter {program!r} failed: the package jq is not installed")
    request = {
        "program": program,
        "document": to_json(document, html=False),
        "library": str(Path(library.origin).parent),
    }
    try:
        process = subprocess.run(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("jq_process.py"))],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            env={},
            cwd="/",
        )
        answer = json.loads(process.stdout) if process.returncode == 0 else {}
    except subprocess.TimeoutExpired:
        answer = {}
    if "values" not in answer:
        if "error" in answer:
            raise InvalidWorkflow(_as_gojq(answer["error"]))
        raise InvalidWorkflow(f"the jq filter {program!r} failed: it takes too much time or memory")
    return [json.loads(value, parse_int=float) for value in answer["values"]]


def _as_gojq(message: str) -> str:
    """jq's error message in gojq's words. Of an error in the program only the first line is kept, without the position."""
    first = message.removeprefix("jq: error: ").partition("\n")[0] if message.startswith("jq: error: ") else message
    first = re.sub(r" at <top-level>, line \d+.*", "", first).replace("null (null)", "null")
    for theirs, ours in _GOJQ:
        if match := re.fullmatch(theirs, first, re.DOTALL):
            return match.expand(ours)
    return first
