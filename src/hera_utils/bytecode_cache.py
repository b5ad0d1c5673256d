"""A cache for the code that Python compiles from strings at every import of a package, stored beside the bytecode (decision 45).

Python stores the compiled code of a module (`__pycache__`), but not that of the strings that are compiled during its import: the types of
fields, the methods that `dataclasses` generates, regular expressions. They take a third of the time of Hera's import.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import marshal
import sys
import threading
import typing
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from hera_utils.whole_files import write_atomically

try:
    from re import _compiler as expressions  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_compile as expressions

if sys.version_info >= (3, 14):
    import annotationlib as forward_references
else:
    forward_references = typing

_sre: Any = expressions._sre

_MAX_TEXTS = 20_000
"""Texts in a file. A file with more contains texts of replaced packages, so it is started afresh."""


@contextlib.contextmanager
def cached_bytecode(name: str) -> Iterator[None]:
    """Within this context a text is compiled only if no earlier process compiled it under this name.

    If the file cannot be read or written, everything is compiled, as with bytecode.
    """
    file = None if __spec__ is None or __spec__.cached is None else Path(__spec__.cached).with_suffix(f".{name}")
    texts = _CompiledTexts(_read(file) if file else {})
    try:
        with texts.replace_compiler():
            yield
    finally:
        if texts.new and file and not sys.dont_write_bytecode:
            _write(file, texts.all())


class _CompiledTexts:
    """The cache: ("eval" or "exec", text) → the code; ("re", pattern, flags) → the arguments of the matcher."""

    def __init__(self, cached: dict[Any, Any]) -> None:
        self.cached = cached
        self.new: dict[Any, Any] = {}
        self._compile_expression = expressions.compile

    def all(self) -> dict[Any, Any]:
        return {**self.cached, **self.new} if len(self.cached) < _MAX_TEXTS else self.new

    @contextlib.contextmanager
    def replace_compiler(self) -> Iterator[None]:
        """Replace Python's functions in the modules that compile texts by those of this class."""
        with (
            _replace_temporarily(
                forward_references, "compile", self._compile
            ),  # a name in the module hides the builtin
            _replace_temporarily(dataclasses, "exec", self._execute),
            _replace_temporarily(expressions, "compile", self._expression),
        ):
            yield

    def _compile(self, text: str, filename: str, mode: str, *others: Any, **options: Any) -> Any:
        if others or options or filename != "<string>":
            return builtins.compile(text, filename, mode, *others, **options)
        return self._code(text, mode)

    def _execute(self, text: str, *scopes: Any) -> None:
        exec(self._code(text, "exec"), *scopes)

    def _code(self, text: str, mode: str) -> CodeType:
        code: CodeType | None = self.cached.get((mode, text))
        if code is None:
            code = self.new[mode, text] = builtins.compile(text, "<string>", mode, dont_inherit=True)
        return code

    def _expression(self, pattern: Any, flags: int = 0) -> Any:
        key = ("re", pattern, int(flags)) if isinstance(pattern, (str, bytes)) else None
        arguments = self.cached.get(key)
        if arguments is not None:
            return _sre.compile(pattern, *arguments)
        expressions._sre = matcher = _RegexArguments()
        try:
            return self._compile_expression(pattern, flags)
        finally:
            expressions._sre = _sre
            if key is not None and matcher.arguments is not None:
                self.new[key] = matcher.arguments


@contextlib.contextmanager
def _replace_temporarily(module: ModuleType, name: str, function: Any) -> Iterator[None]:
    before = vars(module).get(name)
    setattr(module, name, function)
    try:
        yield
    finally:
        if before is None:
            delattr(module, name)
        else:
            setattr(module, name, before)


class _RegexArguments:
    """Stands for `_sre` while one thread compiles an expression, and records the arguments of the matcher that the thread creates."""

    def __init__(self) -> None:
        self.arguments: tuple[Any, ...] | None = None
        self._thread = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(_sre, name)

    def compile(self, pattern: Any, flags: int, code: list[int], *groups: Any) -> Any:
        if threading.get_ident() == self._thread:
            self.arguments = (int(flags), [int(word) for word in code], *groups)
        return _sre.compile(pattern, flags, code, *groups)


def _python() -> tuple[Any, ...]:
    """The identity of this interpreter, as only the same one can use the code."""
    return sys.version, sys.flags.optimize, _sre.MAGIC, _sre.CODESIZE


def _read(file: Path) -> dict[Any, Any]:
    with contextlib.suppress(OSError, EOFError, ValueError, TypeError):  # the file is missing or incomplete
        python, texts = marshal.loads(file.read_bytes())
        if python == _python() and isinstance(texts, dict):
            return texts
    return {}


def _write(file: Path, texts: dict[Any, Any]) -> None:
    with contextlib.suppress(OSError):
        # The file contains code, so it gets the mode of the source: who may not write that may not write this, whatever the umask.
        mode = Path(__file__).stat().st_mode & 0o666
        write_atomically(file, marshal.dumps((_python(), texts)), mode=mode)
