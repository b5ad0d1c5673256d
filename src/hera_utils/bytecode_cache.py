"""What Python compiles from texts whenever it imports a package, kept beside the bytecode (decision 45).

A module's code is compiled once and kept (`__pycache__`). Not so the texts that it compiles while it is imported: the types of fields, the
methods that `dataclasses` writes, regular expressions. Of Hera's import they are a third.
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

from hera_utils.whole_files import write_whole

try:
    from re import _compiler as expressions  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_compile as expressions

_sre: Any = expressions._sre

_MOST = 20_000
"""Texts in a file. One that has more holds those of packages that were replaced: it begins anew."""


@contextlib.contextmanager
def cached_bytecode(name: str) -> Iterator[None]:
    """While it lasts a text is compiled only where no process before compiled it under this name.

    A file that cannot be read or written costs the time that it would have saved, as with bytecode.
    """
    file = None if __spec__ is None or __spec__.cached is None else Path(__spec__.cached).with_suffix(f".{name}")
    texts = _Texts(_read(file) if file else {})
    try:
        with texts.in_place_of_the_compiler():
            yield
    finally:
        if texts.new and file and not sys.dont_write_bytecode:
            _write(file, texts.all())


class _Texts:
    """What Python makes of texts: by ("eval" or "exec", text) the code, by ("re", pattern, flags) the arguments of the matcher."""

    def __init__(self, cached: dict[Any, Any]) -> None:
        self.cached = cached
        self.new: dict[Any, Any] = {}
        self._compile_expression = expressions.compile

    def all(self) -> dict[Any, Any]:
        return {**self.cached, **self.new} if len(self.cached) < _MOST else self.new

    @contextlib.contextmanager
    def in_place_of_the_compiler(self) -> Iterator[None]:
        """The modules that compile texts find these functions in place of Python's own."""
        with (
            _replaced(typing, "compile", self._compile),  # a module's own name hides the builtin
            _replaced(dataclasses, "exec", self._execute),
            _replaced(expressions, "compile", self._expression),
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
        expressions._sre = matcher = _Matcher()
        try:
            return self._compile_expression(pattern, flags)
        finally:
            expressions._sre = _sre
            if key is not None and matcher.arguments is not None:
                self.new[key] = matcher.arguments


@contextlib.contextmanager
def _replaced(module: ModuleType, name: str, function: Any) -> Iterator[None]:
    before = vars(module).get(name)
    setattr(module, name, function)
    try:
        yield
    finally:
        if before is None:
            delattr(module, name)
        else:
            setattr(module, name, before)


class _Matcher:
    """`_sre` while one thread compiles an expression: notes what that thread makes the matcher of."""

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
    """Code is of use to this interpreter alone."""
    return sys.version, sys.flags.optimize, _sre.MAGIC, _sre.CODESIZE


def _read(file: Path) -> dict[Any, Any]:
    with contextlib.suppress(OSError, EOFError, ValueError, TypeError):  # there is none, or it was cut off
        python, texts = marshal.loads(file.read_bytes())
        if python == _python() and isinstance(texts, dict):
            return texts
    return {}


def _write(file: Path, texts: dict[Any, Any]) -> None:
    with contextlib.suppress(OSError):
        # code, as bytecode is: whoever may not write the source may not write this, whatever the umask
        mode = Path(__file__).stat().st_mode & 0o666
        write_whole(file, marshal.dumps((_python(), texts)), mode=mode)
