"""Finds the place of an inline script's line in the user's file.

Of an inline `@script()` function Hera sends only the body: rewritten, without comments, below lines of its own; Python's tracebacks count
the lines of that text. A place is given only if the sent text is exactly what one function of the files gives now; not if the function
was changed since, or if another version of Python shows the run.
"""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hera_utils.argo.annotations import SCRIPT
from hera_utils.wording import from_here

Json = dict[str, Any]
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_frame = re.compile(r'^[ |]*File "/argo/staging/script", line (\d{1,9})(?:, in .*)?$')
_tag = re.compile(r"\{\{inputs\.parameters\.([\w-]+)\}\}")
_MOST_FILES, _LARGEST_FILE = 60, 1 << 20


@dataclass(frozen=True)
class _WrittenFunction:
    """A function in a file. body: the text that Hera sends. lines: line of the body → line of the file."""

    file: Path
    name: str
    body: str
    lines: Mapping[int, int]


class ScriptPlaces:
    """The places of a run's scripts. documents: the workflows of the run."""

    def __init__(self, documents: Iterable[Json]) -> None:
        self._sources: dict[str, str] = {}
        self.script = Path()
        for document in documents:
            status, spec = document.get("status") or {}, document.get("spec") or {}
            stored = (status.get("storedWorkflowTemplateSpec") or {}).get("templates") or ()
            for template in (*(spec.get("templates") or ()), *stored):
                self._sources[str(template.get("name"))] = str((template.get("script") or {}).get("source") or "")
            self.script = Path((document["metadata"].get("annotations") or {}).get(SCRIPT) or self.script)

    def add_places(self, lines: Iterable[str], template: str, inputs: Mapping[str, str]) -> list[str]:
        """The lines of a log; each that names a line of the script is followed by its place (`sir.py:17`)."""
        return [f"{line}  ({place})" if (place := self._place(line, template, inputs)) else line for line in lines]

    def is_beside_script(self, name: str) -> bool:
        """Whether a file with this relative path is in the script's folder."""
        return bool(self.script.name) and not os.path.isabs(name) and os.path.exists(self.script.parent / name)

    def _place(self, line: str, template: str, inputs: Mapping[str, str]) -> str:
        frame = _frame.match(line)
        source = self._sources.get(template, "")
        if frame is None or not source:
            return ""
        written = self._origin(template, source)
        if written is None:
            return ""
        above = source[: len(source) - len(written.body)]
        above = _tag.sub(lambda tag: inputs.get(tag[1], ""), above)  # an input's value may have several lines
        number = written.lines.get(int(frame[1]) - above.count("\n"))
        return f"{from_here(written.file)}:{number}" if number else ""

    def _origin(self, template: str, source: str) -> _WrittenFunction | None:
        """The only function that gives this source; of several, the one with the template's name."""
        same = [
            function for function in self._functions if source == function.body or source.endswith(f"\n{function.body}")
        ]
        longest = max((len(function.body) for function in same), default=0)
        same = [function for function in same if len(function.body) == longest]
        named = [function for function in same if function.name.replace("_", "-") == template]
        chosen = named or same
        return chosen[0] if len(chosen) == 1 else None

    @cached_property
    def _functions(self) -> tuple[_WrittenFunction, ...]:
        if self.script.suffix != ".py":
            return ()
        try:
            beside = sorted(path for path in self.script.parent.glob("*.py") if path != self.script)
        except (OSError, ValueError):  # the workflow's annotation may be no path
            return ()
        return tuple(function for path in [self.script, *beside][:_MOST_FILES] for function in _functions_in(path))


def _functions_in(path: Path) -> Iterator[_WrittenFunction]:
    """The functions of a file; none if it is no regular file: the workflow may name a stranger's folder, with a pipe that never ends."""
    if not os.path.isfile(path):
        return
    try:
        with path.open("rb") as file:
            tree = ast.parse(file.read(_LARGEST_FILE))
        functions = [(node, _body_as_sent(node)) for node in ast.walk(tree) if isinstance(node, _Function)]
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for function, body in functions:
        if body and "{{" not in body:  # a value that Argo substitutes may have several lines
            yield _WrittenFunction(path, function.name, body, _lines(function, body))


def _body_as_sent(function: _Function) -> str:
    """The body of a function as Hera's InlineScriptConstructor writes it."""
    lines = ast.unparse(function).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith(("def", "async def")))
    return textwrap.dedent("\n".join(lines[head + 1 :]))


def _lines(function: _Function, body: str) -> dict[int, int]:
    """Line of the body → line of the file, for the innermost statement that contains it."""
    try:
        sent = _statements(ast.parse(body))
    except (SyntaxError, ValueError, RecursionError):
        return {}
    written = _statements(ast.Module(function.body, []))
    if list(map(type, sent)) != list(map(type, written)):
        return {}
    lines: dict[int, int] = {}
    for one, other in zip(sent, written, strict=True):
        lines.update(dict.fromkeys(range(one.lineno, (one.end_lineno or one.lineno) + 1), other.lineno))
    return lines


def _statements(tree: ast.AST) -> list[ast.stmt | ast.ExceptHandler]:
    """The statements of a tree, outer ones first."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.ExceptHandler)]
