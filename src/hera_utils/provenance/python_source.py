"""Reads Python source without running it: the modules that it imports, and its text without comments. Pure."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator


def without_comments(source: bytes) -> bytes:
    """The source without comments, blank lines and trailing blanks; unchanged if it is not valid Python.

    Docstrings stay because a program may print them.
    """
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
        lines = source.decode(tokens[0].string).splitlines()
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError, LookupError):
        return source
    within: set[int] = set()  # lines of multi-line strings, of which nothing is removed
    for token in tokens:
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER) and token.end[0] > token.start[0]:
            within.update(range(token.start[0], token.end[0]))
    for token in tokens:
        if token.type == tokenize.COMMENT:
            number, column = token.start
            lines[number - 1] = lines[number - 1][:column]
    lines_without_comments = [line if number in within else line.rstrip() for number, line in enumerate(lines, 1)]
    return "\n".join(line for number, line in enumerate(lines_without_comments, 1) if line or number in within).encode()


def names_in(statement: ast.AST, package: str | None) -> Iterator[str]:
    """The dotted names that an import statement may load as modules. package: the base of relative imports, None to skip them."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield alias.name
    elif isinstance(statement, ast.ImportFrom):
        module = _absolute(statement, package)
        if module is not None:
            yield from filter(None, [module])
            for alias in statement.names:
                yield f"{module}.{alias.name}" if module else alias.name


def computed_imports(tree: ast.AST) -> tuple[list[str], bool]:
    """(modules imported by a call with a constant name, whether other calls import a computed name or run arbitrary code)."""
    names, unknown = [], False
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        plain = isinstance(call.func, ast.Name)
        if function == "import_module" or (plain and function == "__import__") or function == "run_module":
            name = call.args[0] if call.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and not name.value.startswith("."):
                names.append(name.value)
            else:
                unknown = True
        elif (plain and function == "exec") or function == "run_path":
            unknown = True
    return names, unknown


def _absolute(statement: ast.ImportFrom, package: str | None) -> str | None:
    """The absolute module of a `from … import`; None for a relative import that leads out of the folder."""
    if not statement.level:
        return statement.module or ""
    parts = package.split(".") if package else []
    if package is None or statement.level > len(parts) + 1:
        return None
    above = parts[: len(parts) - statement.level + 1]
    return ".".join([*above, *([statement.module] if statement.module else [])])
