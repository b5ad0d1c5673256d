"""Packages that the Python scripts of a workflow import, and which of them an interpreter has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from hera_utils.provenance.python import ask
from hera_utils.provenance.python_source import names_in

_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)

# Modules whose distribution has another name; those that scientists use most.
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


def imported(source: str) -> set[str]:
    """The top-level modules that a script imports in any case: imports within `try` or for type checkers do not count.

    Tags (`{{…}}`) count as values. A script that is not Python has no imports here; its run will report the error.
    """
    try:
        tree = ast.parse(_TAG.sub("0", source))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return set(_imports(tree.body))


def _imports(body: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (name.partition(".")[0] for name in names_in(statement, None))
        elif isinstance(statement, ast.With | ast.For | ast.While):
            yield from _imports(statement.body)
        # imports within functions, `try` and `if` may never run


def missing(python: str, names: Iterable[str]) -> list[str]:
    """The modules that an interpreter does not find, as in a task. [] when the interpreter cannot be started."""
    wanted = sorted(names)
    if not wanted:
        return []
    return list(ask(python, _QUESTION, wanted) or ())


def remedy(python: str, name: str, folder: Path) -> str:
    """What to do about a module that is missing. folder: where the submitting script stands."""
    if (folder / f"{name}.py").exists() or (folder / name).is_dir():
        return (
            f"`{name}` is a module beside the script, which an inline @script() does not see: write "
            f'@script(constructor="runner"), '
            "or install it as a package"
        )
    return f"{python} -m pip install {DISTRIBUTIONS.get(name, name)}"
