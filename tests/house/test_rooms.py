"""Each package says at its door what comes in, what goes out and which file to open first; the files that it names are there."""

import ast
import re

import pytest
from source_tree import PACKAGE, ROOT, SOURCES, allowance, relative, tree

DOORS = [path for path in SOURCES if path.name == "__init__.py"]


def folder(path):
    return relative(path.parent)


@pytest.mark.parametrize("door", DOORS, ids=folder)
def test_a_package_says_what_it_is(door):
    if folder(door) in allowance("silent doors"):
        return
    text = ast.get_docstring(tree(door)) or ""
    assert text, "say what comes in, what goes out, and which file to open first"
    named = re.findall(r"\b(\w+(?:/\w+)*\.(?:py|sql|js|html|css))\b", text)
    assert not [name for name in named if not (door.parent / name).exists()]


def test_the_allowance_names_packages():
    assert set(allowance("silent doors")) <= {folder(door) for door in DOORS}


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_files_that_the_architecture_names_exist():
    files = [
        f"/{path.relative_to(ROOT).as_posix()}" for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.*")
    ]
    named = set(re.findall(r"`([\w/]+\.(?:py|js|sql))`", ARCHITECTURE))
    assert len(named) > 100
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in files)]


@pytest.mark.parametrize("within", ["", "local_platform/"])
def test_the_architecture_names_every_room(within):
    rooms = [door.parent.name for door in (PACKAGE / within).glob("*/__init__.py")]
    assert not [room for room in rooms if f"| `{within}{room}/` |" not in ARCHITECTURE]
