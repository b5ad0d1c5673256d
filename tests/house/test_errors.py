"""Every error that a user may see says what to do (docs/messages.md)."""

import ast

from source_tree import SOURCES, relative, tree

ERRORS = {
    "HeraUtilsError", "SettingsError", "AccessError", "ResourceError", "LayoutError", "UnsupportedError", "PlatformError", "RunFailed",
}  # fmt: skip
WITH_THE_MESSAGE_OF_ARGO = ("local_platform/agents/", "local_platform/artifacts/")
"""Rooms whose errors become the message of a node, word for word as Argo writes it."""


def without_fix(source):
    """(line, text) of each error that is raised without a fix."""
    for node in ast.walk(source):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
            continue
        name = node.exc.func
        keywords = {keyword.arg for keyword in node.exc.keywords}
        if isinstance(name, ast.Name) and name.id in ERRORS and not keywords & {"fix", None}:
            yield node.lineno, ast.unparse(node.exc)


def test_an_error_is_raised_with_its_fix():
    lacking = [
        f"{relative(path)}:{line}: {text}"
        for path in SOURCES
        if not relative(path).startswith(WITH_THE_MESSAGE_OF_ARGO)
        for line, text in without_fix(tree(path))
    ]
    assert not lacking, "\n".join(lacking)


def test_a_missing_fix_is_noticed():
    assert list(without_fix(ast.parse('raise SettingsError("no")'))) == [(1, "SettingsError('no')")]
    assert not list(without_fix(ast.parse('raise SettingsError("no", fix="yes")')))
