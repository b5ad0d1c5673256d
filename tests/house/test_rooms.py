"""Each package says at its door what comes in, what goes out and which file to open first; the files that it names are there."""

import ast
import re

import pytest
from source_tree import SOURCES, allowance, relative, tree

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
