"""Finds inline `@script()` functions with a `return`: they would certainly fail, so the user is warned before they run."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any


def hints_on_returns(workflow: Any) -> Iterator[str]:
    """A sentence for each inline `@script()` function of a Hera workflow that returns.

    Hera sends only the body of such a function, and Python fails with `'return' outside function`. Hera's runner takes the whole function.
    """
    warned = set()
    for template in getattr(workflow, "templates", None) or ():
        function = getattr(template, "source", None)
        if not callable(function) or not _is_inline(getattr(template, "constructor", None)):
            continue
        name = getattr(function, "__name__", "a script")
        if name not in warned and (line := _find_return(function)):
            warned.add(name)
            yield (
                f"{name} returns a value on line {line}, but only the body of an inline @script() runs, where Python "
                f"allows no `return`: print the value"
                ' (it becomes outputs.result), or write @script(constructor="runner")'
            )


def _is_inline(constructor: Any) -> bool:
    """None and "inline" mean Hera's InlineScriptConstructor."""
    if constructor is None or isinstance(constructor, str):
        return (constructor or "inline").lower() == "inline"
    return type(constructor).__name__ == "InlineScriptConstructor"


def _find_return(function: Any) -> int:
    """The line of the function's first `return` in its file; 0 if it has none, or if its source is unknown."""
    try:
        lines, start = inspect.getsourcelines(inspect.unwrap(function))
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return 0
    body = next((node.body for node in tree.body if isinstance(node, ast.FunctionDef)), [])
    returns = [
        node.lineno
        for statement in body
        for node in _nodes_outside_inner_functions(statement)
        if isinstance(node, ast.Return)
    ]
    return start + min(returns) - 1 if returns else 0


def _nodes_outside_inner_functions(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and all nodes in it, except those in functions and classes that it defines."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _nodes_outside_inner_functions(child)
