"""The house rules that a machine can check: sizes, names, imports, and that the project speaks of itself alone."""

import ast
import re
import subprocess
import sys

from source_tree import PACKAGE, ROOT, SOURCES, relative, tree

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "base", "impl", "misc"}


def identity(path):
    return str(path.relative_to(ROOT))


def test_a_file_is_short_enough_to_be_read():
    assert not [identity(path) for path in SOURCES if len(path.read_text().splitlines()) > 600]


def test_a_function_fits_on_a_screen():
    assert not [
        f"{identity(path)}: {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno + 1 > 60
    ]


def test_names_come_from_the_field():
    # utils.py: the first users' scripts import it by this name
    paths = [path for path in SOURCES if path != PACKAGE / "utils.py"]
    assert not [path for path in paths if set(re.split(r"[_/.]", relative(path))) & NAMES_THAT_SAY_NOTHING]


# Each of these is where a process of ours begins or, for a user's own script, ends.
DOORS = {
    "__main__.py",
    "excepthook.py",  # the last hook of a script that the user runs: a mistake is told as a sentence
    "local_platform/daemon.py",  # the server's own process
    # what runs beside the server: each is a process of its own
    "local_platform/pods/pod/fork_server.py",  # a process of a worker's
    "local_platform/pods/pod/preloader.py",  # the process that those are forks of
    "local_platform/pods/pod/hera_runner.py",
    "local_platform/pods/pod/pip_of_task.py",
    "local_platform/pods/pod/preloaded_modules.py",  # in a fork that does nothing
    "local_platform/pods/pod/program.py",  # in a fork that becomes the program
    "local_platform/pods/pod/spawner.py",
    "local_platform/pods/pod/worker.py",
}


def ends_the_process(node):
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return (called.value.id, called.attr) in {("sys", "exit"), ("os", "_exit")}
    raised = node.exc if isinstance(node, ast.Raise) else None
    name = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(name, ast.Name) and name.id == "SystemExit"


def test_library_code_never_ends_the_process():
    exits = [
        f"{identity(path)}:{node.lineno}"
        for path in SOURCES
        if str(path.relative_to(PACKAGE)) not in DOORS and "cli" not in path.parts
        for node in ast.walk(tree(path))
        if ends_the_process(node)
    ]
    assert not exits


def test_no_bare_except():
    bare = [
        f"{identity(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not bare


def test_a_digit_is_one_that_int_reads():
    """`"²".isdigit()` is true, and `int("²")` an error: who writes headers, names and users of images knows that. It is `isdecimal`."""
    others = [
        f"{identity(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in ("isdigit", "isnumeric")
    ]
    assert not others


def test_importing_the_package_is_cheap():
    """Public names load when first used: importing the package brings neither Hera nor a server."""
    code = "import sys, hera_utils; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in (
        "hera",
        "pydantic",
        "requests",
        "starlette",
        "uvicorn",
        "rich",
        "click",
        "yaml",
        "asyncio",
    ):
        assert f"'{heavy}'" not in seen


def test_every_door_is_there():
    assert {name for name in DOORS if not (PACKAGE / name).is_file()} == set()


def test_test_files_have_names_of_their_own():
    """Of two files of one name in folders that are no packages, pytest reads only the first."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    names = [path.name for path in files]
    assert not sorted({name for name in names if names.count(name) > 1})
