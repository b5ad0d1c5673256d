"""The packages that the Python scripts of a workflow import, and those that an interpreter lacks."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from hera_utils.provenance.modules import file_of, importable, package_of
from hera_utils.provenance.python import ask_interpreter
from hera_utils.provenance.python_source import names_in

_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)

# Modules whose distribution has another name; only those that scientists use most.
DISTRIBUTIONS = {
    "Bio": "biopython",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "git": "gitpython",
    "osgeo": "gdal",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}

_QUESTION = """
import importlib.util, json, sys
def there(name):
    try:
        return name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
print(json.dumps([name for name in json.loads(sys.argv[1]) if not there(name)]))
"""


def modules_imported_by(source: str) -> set[str]:
    """The top-level modules that a script always imports; imports within `try` or for type checkers do not count.

    Tags (`{{…}}`) count as values. A script that is not Python has no imports here; its run will report the error.
    """
    try:
        tree = ast.parse(_TAG.sub("0", source))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return {name.partition(".")[0] for name in _imports(tree.body)}


def modules_imported_by_runner(module: str, function: str, folder: Path) -> set[str]:
    """The top-level modules that Hera's runner always imports when it calls a function.

    These are the imports of the function's body and of its module. Imported modules below `folder` are not listed, but their imports are.
    """
    needed, read, waiting = {"hera"}, set[str](), [(module, function)]
    while waiting:
        name, called = waiting.pop()
        path = file_of(name, folder)
        if path is None or name in read:
            continue
        read.add(name)
        body = _body(path)
        body += [
            statement
            for call in body
            if getattr(call, "name", None) == called
            for statement in getattr(call, "body", ())
        ]
        for imported_name in _imports(body, package_of(name, path)):
            top = imported_name.partition(".")[0]
            if file_of(top, folder) is not None:
                waiting.append((imported_name, ""))
            elif not _is_own(top):
                needed.add(top)
    return needed


def _is_own(module: str) -> bool:
    """Whether this process found the module in a folder that the user's code added to `sys.path`, as the task will do, too."""
    path = None if module in sys.stdlib_module_names else importable(module)
    return path is not None and not {"site-packages", "dist-packages"} & set(path.parts)


def _body(path: Path) -> list[ast.stmt]:
    try:
        return list(ast.parse(path.read_bytes()).body)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []


def _imports(body: Iterable[ast.stmt], package: str | None = None) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from names_in(statement, package)
        elif isinstance(statement, ast.With | ast.For | ast.While):
            yield from _imports(statement.body, package)
        # Imports within functions, `try` and `if` may never run.


def missing_modules(python: str, names: Iterable[str]) -> list[str]:
    """The modules that an interpreter does not find, as in a task. [] when the interpreter cannot be started."""
    sorted_names = sorted(names)
    if not sorted_names:
        return []
    return list(ask_interpreter(python, _QUESTION, sorted_names) or ())


def how_to_install(python: str, name: str, folder: Path | None) -> str:
    """The fix for a missing module. folder: that of the submitting script, None if tasks see its files."""
    if folder is not None and ((folder / f"{name}.py").exists() or (folder / name).is_dir()):
        return (
            f"`{name}` is a module beside the script, which an inline @script() does not see: write "
            f'@script(constructor="runner"), '
            "or install it as a package"
        )
    if name == "hera_utils":
        return f"install hera_utils for {python} as it was installed for {sys.executable}, or leave --python out"
    return f"{python} -m pip install {DISTRIBUTIONS.get(name, name)}"
